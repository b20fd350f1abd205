/**
 * The file of tasks. owm appends to it under a lock that all owms share, and only if the first and the last whole line
 * are tasks as owm writes them.
 *
 * A partial line that a crash left is cut off, since its task is delivered again. Under the lock it can't be one that
 * another owm is writing.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConfigurationError, codeOf, TransientError, toError } from '../../errors/index.js'
import { statIfThere } from '../../files/folders.js'
import { FileLock } from '../../files/lock.js'
import { checkOutput, isStill, RefusedFile } from '../../files/rules.js'
import { beginningOfTask, maxTaskBytes, taskIdAtStart } from '../../tasks/encode.js'
import { isJson } from '../../tasks/json/parse.js'
import { beginningBytes } from './entries.js'

/** How long to wait for another owm to write its batch, in milliseconds. */
const lockTimeoutMs = 10_000

export class TaskFile {
  readonly #path: string
  readonly #file: FileHandle
  /** Pipes and devices are neither locked, checked, truncated nor synced. */
  readonly isRegular: boolean
  readonly #signal: AbortSignal

  private constructor(path: string, file: FileHandle, isRegular: boolean, signal: AbortSignal) {
    this.#path = path
    this.#file = file
    this.isRegular = isRegular
    this.#signal = signal
  }

  /**
   * Opens for appending. Throws ConfigurationError if the file can't be opened or holds anything but tasks,
   * TransientError if the disk has no room for it.
   */
  static async open(path: string, signal: AbortSignal): Promise<TaskFile> {
    const isShared = await checkOutput(path).catch((error: unknown) => {
      throw cannot('opened', path, error)
    })
    const probe = await probeOf(path)
    const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDWR, O_WRONLY } = constants
    // A pipe is opened write-only: a process that also has the read end never gets EPIPE.
    const flags = (probe ? O_WRONLY : O_APPEND | O_CREAT | O_RDWR) | (isShared ? O_NOFOLLOW : 0)
    const handle = await open(path, flags)
      .catch((error: unknown) => {
        throw cannot('opened', path, error)
      })
      .finally(() => probe?.close())
    try {
      const stats = await handle.stat()
      // Another process may have replaced it meanwhile.
      const isUnchanged = !isShared || (await checkOutput(path).then(() => isStill(path, stats)))
      if (!isUnchanged)
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

  /** Appends whole lines, durable once this resolves. Throws TransientError, also if another owm keeps the lock. */
  async append(lines: Uint8Array): Promise<void> {
    const write = async (): Promise<void> => {
      const { size } = await this.#file.stat()
      try {
        await this.#file.appendFile(lines)
        // guard: file-synced
        if (this.isRegular) await this.#file.datasync()
      } catch (error) {
        // The batch is delivered again: it mustn't continue a partial line.
        if (this.isRegular) await this.#file.truncate(size).catch(() => undefined)
        throw new TransientError(`The sink's file ${this.#path} can't be written: ${toError(error).message}.`, {
          hint: 'Fix the cause, such as a full disk or a reader that has gone; the tasks wait in the outbox.',
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

  /** Data written to a removed file is lost when it is closed. Throws TransientError. */
  async #mustBeThere(): Promise<void> {
    // Not isStill: another hard link, such as a backup's, does no harm.
    const [current, own] = await Promise.all([statIfThere(this.#path), this.#file.stat()])
    if (current?.dev === own.dev && current.ino === own.ino) return
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
    const lock = await FileLock.take(`${this.#path}.lock`, this.#signal, lockTimeoutMs).catch((error: unknown) => {
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
   * Cuts off a partial last line, or completes it if only its line feed is missing. Throws ConfigurationError if that
   * line is no task's or, with `all`, if the first or the last whole line isn't one's. If there is no whole line, the
   * partial one must show that it is a task's.
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
    return isJson(block.toString())
  }

  #foreign(): ConfigurationError {
    return new ConfigurationError(`The sink's file ${this.#path} holds something else than owm's tasks.`, {
      hint: 'Nothing was changed. Name a file of its own in sink.path, or move this one away.',
    })
  }

  /** The end of the last whole line before `end`; 0 if there is none. */
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

/** Whether a text after whole tasks may be what a crash left of another one. */
const isHalfTask = (text: string): boolean =>
  text !== '' && beginningOfTask.startsWith(text.slice(0, beginningOfTask.length))

/** What passes without a change of the configuration: no space, inodes or quota, a failing disk, no file handles. */
const passing = ['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE']

/** The error for a sink's file that owm can't open or lock. */
export function cannot(what: 'opened' | 'locked', path: string, thrown: unknown): ConfigurationError | TransientError {
  const error = toError(thrown)
  if (passing.includes(codeOf(error)))
    return new TransientError(`The sink's file ${path} can't be ${what} now: ${error.message}.`, {
      hint: 'Fix the cause, such as a disk without space or inodes (`df`, `df -i`); the tasks wait in the outbox.',
      cause: error,
    })
  const hint =
    error instanceof RefusedFile
      ? error.hint('Name another file in sink.path.')
      : 'Correct sink.path, or make its folder writable for this user.'
  return new ConfigurationError(`The sink's file ${path} can't be ${what}: ${error.message}.`, { hint, cause: error })
}

/**
 * Opens a pipe to make sure that it has a reader: tasks that nobody reads are lost when owm ends. Close it only after
 * opening the pipe again: without any writer, the reader sees the end of the pipe. Undefined for anything but a pipe.
 * Throws TransientError.
 */
async function probeOf(path: string): Promise<FileHandle | undefined> {
  const stats = await statIfThere(path)
  if (!stats?.isFIFO()) return undefined
  return open(path, constants.O_WRONLY | constants.O_NONBLOCK).catch((thrown: unknown) => {
    throw new TransientError(`Nobody reads the pipe ${path}.`, {
      hint: 'Start its reader first, or set sink.path to a file; the tasks wait in the outbox.',
      cause: toError(thrown),
    })
  })
}

/** A new file's name is durable only once its folder is synced. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } catch (error) {
    if (codeOf(error) !== 'EINVAL') throw error // /dev/fd can't be synced
  } finally {
    await folder.close()
  }
}
