/**
 * The file of tasks: appended to under a lock, which every owm that writes the file takes, and only where it is one:
 * its first and its last whole line are tasks as owm writes them.
 *
 * What a crash left of a half-written line is cut off, since its task comes again. Under the lock nobody else is
 * writing such a line.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConfigurationError, codeOf, TransientError, toError } from '../../errors/index.js'
import { statIfThere } from '../../files/folders.js'
import { FileLock } from '../../files/lock.js'
import { checkOutput, isStill, RefusedFile } from '../../files/rules.js'
import { beginningOfTask, maxTaskBytes, taskIdAtStart } from '../../tasks/encode.js'
import { beginningBytes } from './entries.js'

/** Milliseconds that another owm may take for its batch. */
const patienceMs = 10_000

export class TaskFile {
  readonly #path: string
  readonly #file: FileHandle
  /** Of a pipe or a device there is nothing to lock, to look at, to cut or to sync. */
  readonly isRegular: boolean
  readonly #signal: AbortSignal

  private constructor(path: string, file: FileHandle, isRegular: boolean, signal: AbortSignal) {
    this.#path = path
    this.#file = file
    this.isRegular = isRegular
    this.#signal = signal
  }

  /** Opens for appending. Throws ConfigurationError where that fails, or the file holds anything but tasks. */
  static async open(path: string, signal: AbortSignal): Promise<TaskFile> {
    const isShared = await checkOutput(path).catch((error: unknown) => {
      throw cannot('opened', path, error)
    })
    const probe = await probeOf(path)
    const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDWR, O_WRONLY } = constants
    // Who may read a pipe as well is its reader: then nobody hears that the other one has gone.
    const flags = (probe ? O_WRONLY : O_APPEND | O_CREAT | O_RDWR) | (isShared ? O_NOFOLLOW : 0)
    const handle = await open(path, flags)
      .catch((error: unknown) => {
        throw cannot('opened', path, error)
      })
      .finally(() => probe?.close())
    try {
      const stats = await handle.stat()
      // Somebody may have been faster.
      const isIt = !isShared || (await checkOutput(path).then(() => isStill(path, stats)))
      if (!isIt)
        throw new ConfigurationError(`The sink's file ${path} was replaced while it was opened.`, {
          hint: 'Find out who replaces it, then run again; or name a file in a folder of your own in sink.path.',
        })
      const file = new TaskFile(path, handle, stats.isFile(), signal)
      if (stats.isFile() && stats.size === 0) await syncFolder(dirname(path))
      if (stats.isFile()) await file.#locked(() => file.#prepare(true))
      return file
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Adds whole lines; durable when this resolves. Throws TransientError where another owm keeps the file locked. */
  async append(lines: Uint8Array): Promise<void> {
    const write = async (): Promise<void> => {
      const { size } = await this.#file.stat()
      try {
        await this.#file.appendFile(lines)
        // guard: file-synced
        if (this.isRegular) await this.#file.datasync()
      } catch (error) {
        // The batch comes again: it must not go on in the middle of a line.
        if (this.isRegular) await this.#file.truncate(size).catch(() => undefined)
        throw new TransientError(`The sink's file ${this.#path} can't be written: ${toError(error).message}.`, {
          hint: 'Mend the cause, such as a full disk or a reader that has gone; the tasks wait in the outbox.',
          cause: error,
        })
      }
    }
    if (!this.isRegular) return write()
    await this.#locked(async () => {
      await this.#prepare(false) // another owm may have died in the middle of a line
      await write()
      // guard: file-there
      await this.#mustBeThere()
    })
  }

  /** What is written to a file that was removed is gone when it is closed. Throws TransientError. */
  async #mustBeThere(): Promise<void> {
    // Not isStill: whoever links it to another name, such as a backup, takes nothing away.
    const [found, own] = await Promise.all([statIfThere(this.#path), this.#file.stat()])
    if (found?.dev === own.dev && found.ino === own.ino) return
    throw new TransientError(`The sink's file ${this.#path} was removed or replaced while owm wrote to it.`, {
      hint:
        'The next start makes a new one for what waits in the outbox. What was delivered before is in the old one: ' +
        'if that is gone, `owm outbox replay --slot TIME` delivers the slot once more.',
      retryAfterMs: Number.POSITIVE_INFINITY,
    })
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async #locked<T>(work: () => Promise<T>): Promise<T> {
    const lock = await FileLock.take(`${this.#path}.lock`, this.#signal, patienceMs).catch((error: unknown) => {
      throw cannot('locked', this.#path, error)
    })
    // guard: file-locked
    if (!lock)
      throw new TransientError(`Another owm is writing the sink's file ${this.#path}.`, {
        hint: 'The tasks wait in the outbox; `owm flush` delivers them once the other one has ended.',
      })
    return work().finally(() => lock.release())
  }

  /**
   * Cuts off a half-written line; one that only lacks its line feed gets it. Throws ConfigurationError where that line
   * is no task, or, with `all`, the first or the last whole one isn't. Where there is no whole line, only what is
   * written of the half one can tell.
   */
  async #prepare(all: boolean): Promise<void> {
    const { size } = await this.#file.stat()
    const whole = await this.#endOfLine(size)
    if (all && whole > 0) {
      const first = await this.#beginningAt(0)
      const last = await this.#beginningAt(await this.#endOfLine(whole - 1))
      if (!isTask(first) || !(isTask(last) || last.startsWith('\n'))) throw this.#foreign()
    }
    if (whole === size) return
    const half = await this.#beginningAt(whole)
    // guard: own-line-cut
    if (!(whole > 0 ? isHalfTask(half) : isTask(half))) throw this.#foreign()
    if (await this.#isWhole(whole, size)) await this.#file.appendFile('\n')
    else await this.#file.truncate(whole)
  }

  async #isWhole(from: number, to: number): Promise<boolean> {
    if (to - from > maxTaskBytes) return false
    const block = Buffer.alloc(to - from)
    await this.#file.read(block, 0, block.length, from)
    try {
      JSON.parse(block.toString())
      return true
    } catch {
      return false
    }
  }

  #foreign(): ConfigurationError {
    return new ConfigurationError(`The sink's file ${this.#path} holds something else than owm's tasks.`, {
      hint: 'Nothing was changed. Name a file of its own in sink.path, or move this one away.',
    })
  }

  /** The end of the last whole line before `end`; 0 where there is none. */
  async #endOfLine(end: number): Promise<number> {
    const block = Buffer.alloc(65_536)
    for (let to = end; to > 0; ) {
      const from = Math.max(0, to - block.length)
      const { bytesRead } = await this.#file.read(block, 0, to - from, from)
      const at = block.subarray(0, bytesRead).lastIndexOf(10)
      if (at >= 0) return from + at + 1
      to = from
    }
    return 0
  }

  async #beginningAt(from: number): Promise<string> {
    const block = Buffer.alloc(beginningBytes)
    const { bytesRead } = await this.#file.read(block, 0, block.length, from)
    return block.toString('utf8', 0, bytesRead)
  }
}

/** Whether the beginning of a line, `beginningBytes` long, is a task's. */
const isTask = (text: string): boolean => taskIdAtStart(text) !== undefined && text.endsWith('","latitude_deg":')

/** Whether a text can be what a crash left of a task, behind whole ones. */
const isHalfTask = (text: string): boolean =>
  text !== '' && beginningOfTask.startsWith(text.slice(0, beginningOfTask.length))

/** Why owm can't have a file of its sink. */
export function cannot(what: 'opened' | 'locked', path: string, thrown: unknown): ConfigurationError {
  const error = toError(thrown)
  const hint =
    error instanceof RefusedFile
      ? error.hint('Name another file in sink.path.')
      : 'Correct sink.path, or make its folder writable for this user.'
  return new ConfigurationError(`The sink's file ${path} can't be ${what}: ${error.message}.`, { hint, cause: error })
}

/**
 * A pipe keeps nothing: what nobody reads is gone when owm ends. Gives one that has a reader, opened: were it closed
 * before it is opened again, the reader would find the pipe at its end. Throws TransientError.
 */
async function probeOf(path: string): Promise<FileHandle | undefined> {
  const found = await statIfThere(path)
  if (!found?.isFIFO()) return undefined
  return open(path, constants.O_WRONLY | constants.O_NONBLOCK).catch((thrown: unknown) => {
    throw new TransientError(`Nobody reads the pipe ${path}.`, {
      hint: 'Start its reader first, or set sink.path to a file; the tasks wait in the outbox.',
      cause: toError(thrown),
    })
  })
}

/** A new file's name is only durable once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } catch (error) {
    if (codeOf(error) !== 'EINVAL') throw error // of /dev/fd nothing is to be synced
  } finally {
    await folder.close()
  }
}
