/**
 * A lock that the operating system releases when the process ends, however it ends: the write lock of a SQLite
 * database that stays empty, which SQLite takes with fcntl.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database as Connection } from 'sqlite3'
import { sqlite3 } from '../databases/sqlite.js'
import { codeOf } from '../errors/index.js'
import { step } from '../trace.js'
import { checkDatabase, look, prepareLock } from './rules.js'

/** Milliseconds between two tries of a process that waits. */
const pollEvery = 100

/**
 * The processes of this machine that hold the lock of an outbox, by their ids (0 for those of another container);
 * undefined where this system doesn't tell.
 */
export async function holdersOf(outbox: string): Promise<number[] | undefined> {
  const [locks, lock] = await Promise.all([
    readFile('/proc/locks', 'utf8').catch(() => undefined),
    look(`${outbox}-lock`).catch(() => undefined),
  ])
  // `1: POSIX  ADVISORY  WRITE 1234 fe:00:131090 1073741825 1073741825`: process, then device and inode. The device
  // isn't compared: of btrfs and overlayfs, `stat` tells another one.
  return locks?.split('\n').flatMap((line) => {
    const [, , , , pid, file] = line.split(/\s+/)
    return lock && file?.endsWith(`:${lock.ino}`) ? [Number(pid)] : []
  })
}

export class FileLock {
  readonly #connection: Connection

  private constructor(connection: Connection) {
    this.#connection = connection
  }

  /**
   * The lock on `path`, a file of its own, which is made (mode 0600) where it's missing; undefined where another
   * process holds it. Throws RefusedFile, and what the system and SQLite throw.
   */
  static async tryTake(path: string): Promise<FileLock | undefined> {
    await prepareLock(path)
    const connection = await new Promise<Connection>((resolve, reject) => {
      const opened: Connection = new sqlite3.Database(path, sqlite3.OPEN_READWRITE, (error) =>
        error ? reject(error) : resolve(opened),
      )
    })
    const lock = new FileLock(connection)
    try {
      connection.configure('busyTimeout', 0)
      await new Promise<void>((resolve, reject) =>
        // guard: one-process
        connection.exec('PRAGMA journal_mode = OFF; BEGIN IMMEDIATE', (error) => (error ? reject(error) : resolve())),
      )
      await checkDatabase(path) // somebody may have been faster than SQLite
      return lock
    } catch (error) {
      await lock.release()
      if (codeOf(error) === 'SQLITE_BUSY') return undefined
      throw error
    }
  }

  /** Waits for the lock, `ms` milliseconds at most; undefined where they pass or `signal` aborts first. */
  static async take(path: string, signal: AbortSignal, ms: number): Promise<FileLock | undefined> {
    for (const started = performance.now(); ; ) {
      const lock = await FileLock.tryTake(path)
      if (lock || signal.aborted || performance.now() - started >= ms) return lock
      step('outbox:waiting')
      await sleep(pollEvery, undefined, { signal }).catch(() => undefined)
    }
  }

  async release(): Promise<void> {
    await new Promise<void>((resolve) => this.#connection.close(() => resolve()))
  }
}
