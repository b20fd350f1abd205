/**
 * A lock that the operating system releases when the process ends, in whatever way: SQLite's write lock (fcntl) on a
 * database that stays empty.
 */
import { readFile, readlink } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database as Connection } from 'sqlite3'
import { sqlite3 } from '../databases/sqlite.js'
import { codeOf } from '../errors/index.js'
import { step } from '../trace.js'
import { checkDatabase, prepareLock, statsOf } from './rules.js'

/** Milliseconds between two attempts of a process that waits. */
const pollEvery = 100

/** Linux' initial process namespace (PROC_PID_INIT_INO), outside all containers: there every lock is listed. */
const outermost = 'pid:[4026531836]'

/** Whether a process holds the lock of an outbox; undefined if that can't be determined. */
export async function isLocked(outbox: string): Promise<boolean | undefined> {
  const path = `${outbox}-lock`
  const [locks, lock, namespace] = await Promise.all([
    readFile('/proc/locks', 'utf8').catch(() => undefined),
    statsOf(path).catch(() => undefined),
    readlink('/proc/self/ns/pid').catch(() => ''),
  ])
  if (!lock) return false
  // `1: POSIX  ADVISORY  WRITE 1234 fe:00:131090 1073741825 1073741825`: device and inode, then the bytes. The device
  // isn't compared, as `stat` gives another one on btrfs and overlayfs. The byte is that of SQLite's write lock.
  const isListed = locks?.includes(`:${lock.ino} 1073741825 `) === true
  if (!isListed && locks !== undefined && namespace === outermost) return false
  // What is listed may be a file of another file system with that inode, and a container doesn't see other containers'
  // locks: only taking the lock proves that it is free.
  const taken = await FileLock.tryTake(path).catch(() => 'refused' as const)
  if (taken === 'refused') return isListed || undefined
  await taken?.release()
  return taken === undefined
}

export class FileLock {
  readonly #connection: Connection

  private constructor(connection: Connection) {
    this.#connection = connection
  }

  /**
   * Takes the lock on `path`, a file of its own, which is created (mode 0600) if it is missing; undefined if another
   * process holds it. Throws RefusedFile, or an error of the system or SQLite.
   */
  static async tryTake(path: string): Promise<FileLock | undefined> {
    await prepareLock(path)
    const connection = await new Promise<Connection>((resolve, reject) => {
      const opened: Connection = new (sqlite3().Database)(path, sqlite3().OPEN_READWRITE, (error) =>
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
      await checkDatabase(path) // it may have been replaced before SQLite opened it
      return lock
    } catch (error) {
      await lock.release()
      if (codeOf(error) === 'SQLITE_BUSY') return undefined
      throw error
    }
  }

  /** Waits for the lock, `ms` milliseconds at most; undefined if they pass or `signal` aborts first. */
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
