/** The file of tasks: opened for appending, and only where it is one. */
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConfigurationError, toError } from '../../errors/index.js'

/** Opens for appending; what a crash left of a half-written line is cut off, since its task comes again. */
export async function openFile(path: string): Promise<FileHandle> {
  const file = await open(path, 'a+').catch((thrown: unknown) => {
    const error = toError(thrown)
    throw new ConfigurationError(`The sink's file ${path} can't be opened: ${error.message}`, {
      hint: 'Correct sink.path, or the rights of its folder.',
      cause: error,
    })
  })
  const { size } = await file.stat()
  await cutHalfLine(file)
  if (size === 0) await syncFolder(dirname(path))
  return file
}

export async function cutHalfLine(file: FileHandle): Promise<void> {
  const { size } = await file.stat()
  const whole = await endOfLastLine(file, size)
  if (whole < size) await file.truncate(whole)
}

async function endOfLastLine(file: FileHandle, size: number): Promise<number> {
  const block = Buffer.alloc(65_536)
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - block.length)
    const { bytesRead } = await file.read(block, 0, end - start, start)
    const at = block.subarray(0, bytesRead).lastIndexOf(10)
    if (at >= 0) return start + at + 1
    end = start
  }
  return 0
}

/** A new file's name is only durable once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  await folder.sync().finally(() => folder.close())
}
