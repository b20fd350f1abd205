/** Where an export goes: standard output, or a file that has its name only once it is whole. */
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { codeOf, isOwmError, OutboxError, TransientError, toError, UsageError } from '../../../../errors/index.js'
import { togetherIn } from '../../../../files/apart.js'
import { statIfThere } from '../../../../files/folders.js'
import { harmless } from '../../../format.js'
import { mustGoSomewhere } from '../../../output.js'

export interface Output {
  /** Before the first record; again where the outbox has to be read anew. */
  begin(): Promise<void>
  write(text: string): Promise<void>
  /** All is written. */
  finish(): Promise<void>
  /** It was ended before that: nothing is left. */
  abandon(): Promise<void>
}

/** Throws UsageError where the file isn't one that may be written, OutboxError where standard output is closed. */
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
          hint: 'What was printed is not whole. Run it again, or with --out FILE, which begins anew by itself.',
        })
    },
    write: (text) => {
      written += text.length
      // A city's name may hold what a terminal would obey.
      const shown = process.stdout.isTTY ? text.split(/\r?\n/).map(harmless).join('\n') : text
      return new Promise((done, failed) =>
        process.stdout.write(shown, (error) => (error ? failed(failure('standard output', error)) : done())),
      )
    },
    finish: async () => undefined,
    abandon: async () => undefined,
  }
}

/** The reader of a pipe that has seen enough is no failure: that error is passed on as it is. */
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
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw failure(path, error)
    }
  }
  return {
    begin: () =>
      guarded(async () => {
        await file?.close()
        file = await open(part, 'w', 0o600)
      }),
    write: (text) =>
      guarded(async () => {
        await file?.writeFile(text)
      }),
    finish: () =>
      guarded(async () => {
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

/** Nor a file beside it, such as its lock. Throws UsageError. */
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
  const found = await statIfThere(path)
  if (found && !found.isFile())
    throw new UsageError(`--out ${path} is no file.`, { hint: '--out - is standard output.' })
  if (found && !replaces)
    throw new UsageError(`--out ${path} is there already.`, {
      hint: 'Name another file, or add --force to replace it.',
    })
}
