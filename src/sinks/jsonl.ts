/** One task a line, in a file or on standard output. */
import { type FileHandle, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { ConfigurationError, codeOf, TransientError, toError } from '../errors/index.js'
import { defineSink, type Outcome, type Sink, type TaskBatch } from '../plugin.js'
import { Utf8 } from '../tasks/bytes.js'

const options = z.strictObject({
  path: z
    .string()
    .min(1)
    .describe('the file to append to, or - for standard output')
    .meta({ examples: ['./tasks.jsonl'] }),
})

export default defineSink({
  name: 'jsonl',
  description: 'one task a line in a file (synced to the disk before it counts) or on standard output, at least once',
  options,
  async open({ path }, { baseDir }): Promise<Sink> {
    const memory = new Utf8(0)
    if (path === '-')
      return {
        guarantee: 'at-least-once',
        usesStandardOutput: true,
        deliver: (batch) => toStandardOutput(batch, memory),
      }
    const file = await openFile(resolve(baseDir, path))
    return {
      guarantee: 'at-least-once',
      async deliver(batch) {
        try {
          await file.appendFile(lines(batch, memory))
          // guard: file-synced
          await file.datasync()
        } catch (error) {
          // The batch comes again: it must not go on in the middle of a line.
          await cutHalfLine(file).catch(() => undefined)
          throw error
        }
        return delivered(batch)
      },
      close: () => file.close(),
    }
  },
})

const lineFeed = Buffer.from('\n')

/** A task a line, in memory that is used again: as strings, a batch would be joined, encoded and collected anew each time. */
function lines(batch: TaskBatch, memory: Utf8): Uint8Array {
  const { bytes, starts } = batch
  memory.end = 0
  memory.reserve(bytes.length)
  for (let index = 1; index < starts.length; index++) {
    const [from = 0, next = 0] = [starts[index - 1], starts[index]]
    memory.copy(bytes, from, next - 2)
    memory.put(lineFeed)
  }
  return memory.written()
}

const delivered = (batch: TaskBatch): Outcome[] => new Array<Outcome>(batch.count).fill('delivered')

/** Opens for appending; what a crash left of a half-written line is cut off, since its task comes again. */
async function openFile(path: string): Promise<FileHandle> {
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

async function cutHalfLine(file: FileHandle): Promise<void> {
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

async function toStandardOutput(batch: TaskBatch, memory: Utf8): Promise<Outcome[]> {
  await new Promise<void>((written, failed) => {
    process.stdout.write(lines(batch, memory), (error) => {
      if (!error) written()
      else
        failed(
          codeOf(error) === 'EPIPE'
            ? new TransientError('the reader of standard output has gone', { cause: error })
            : error,
        )
    })
  })
  return delivered(batch)
}
