/** Where an export goes: standard output, or a file that appears once it is complete. */
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { codeOf, isOwmError, OutboxError, TransientError, toError, UsageError } from '../../../../errors/index.js'
import { togetherIn } from '../../../../files/apart.js'
import { statIfThere } from '../../../../files/folders.js'
import { harmless } from '../../../format.js'
import { mustGoSomewhere } from '../../../output.js'

export interface Output {
  /** Called before the first record, and again if the outbox must be read from the start. */
  begin(): Promise<void>
  write(text: string): Promise<void>
  /** Completes the output. */
  finish(): Promise<void>
  /** Removes an incomplete output. */
  abandon(): Promise<void>
}

/** Throws UsageError if the file can't be used, OutboxError if standard output is closed. */
export async function outputTo(out: string, outbox: string, replaces: boolean): Promise<Output> {
  if (out !== '-') return fileOutput(resolve(out), outbox, replaces)
  await mustGoSomewhere()
  return standardOutput()
}

function standardOutput(): Output {
  let written = 0
  return {
    begin: async () => {
      if (written > 0)
        throw new TransientError('An owm began to write to the outbox in the middle of the export.', {
          hint: 'What was printed is not whole. Run it again, or with --out FILE, which starts over by itself.',
        })
    },
    write: (text) => {
      written += text.length
      // A city's name may hold what a terminal would interpret.
      const output = process.stdout.isTTY ? text.split(/\r?\n/).map(harmless).join('\n') : text
      return new Promise((done, failed) =>
        process.stdout.write(output, (error) => (error ? failed(failure('standard output', error)) : done())),
      )
    },
    finish: async () => undefined,
    abandon: async () => undefined,
  }
}

/** An EPIPE is passed on as it is: the reader of the pipe has seen enough, which is no failure. */
function failure(where: string, error: unknown): Error {
  if (codeOf(error) === 'EPIPE' || isOwmError(error)) return toError(error)
  return new OutboxError(`The export can't be written to ${where}: ${toError(error).message}.`, {
    hint: 'Make room or correct the rights there, or name another file with --out. Nothing half-written is left.',
    cause: error,
  })
}

async function fileOutput(path: string, outbox: string, replaces: boolean): Promise<Output> {
  await mustBeFree(path, outbox, replaces)
  const part = `${path}.part-${process.pid}`
  let file: FileHandle | undefined
  const reported = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw failure(path, error)
    }
  }
  return {
    begin: () =>
      reported(async () => {
        await file?.close()
        file = await open(part, 'w', 0o600)
      }),
    write: (text) =>
      reported(async () => {
        await file?.writeFile(text)
      }),
    finish: () =>
      reported(async () => {
        await file?.sync()
        await file?.close()
        file = undefined
        await rename(part, path)
      }),
    abandon: async () => {
      await file?.close().catch(() => undefined)
      await rm(part, { force: true })
    },
  }
}

/** Throws UsageError for the outbox or a file beside it, such as its lock. */
export async function mustNotBeOutbox(path: string, outbox: string): Promise<void> {
  const own = { key: 'outbox.path', path: outbox, beside: /^-/ }
  if (await togetherIn([own, { key: '--out', path }]))
    throw new UsageError(`--out ${path} is a file of the outbox.`, { hint: 'Name another file.' })
}

/** Throws UsageError. */
async function mustBeFree(path: string, outbox: string, replaces: boolean): Promise<void> {
  const folder = await statIfThere(dirname(path))
  if (!folder?.isDirectory())
    throw new UsageError(`There is no folder ${dirname(path)} for --out.`, { hint: 'Make it, or name another file.' })
  await mustNotBeOutbox(path, outbox)
  const existing = await statIfThere(path)
  if (existing && !existing.isFile())
    throw new UsageError(`--out ${path} is no file.`, { hint: '--out - is standard output.' })
  if (existing && !replaces)
    throw new UsageError(`--out ${path} is there already.`, {
      hint: 'Name another file, or add --force to replace it.',
    })
}
