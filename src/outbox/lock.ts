/**
 * One owm a outbox: a write lock on a file of its own, which the operating
 * system releases when the process ends, however it ends (SQLite takes it with
 * fcntl). The outbox itself stays readable for `owm outbox inspect`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database as Connection } from 'sqlite3'
import { codeOf } from '../errors/index.js'
import { step } from '../trace.js'
import { createPrivately } from './sqlite/database.js'
import { sqlite3 } from './sqlite/driver.js'
import { asOutboxError } from './sqlite/trouble.js'

/** Milliseconds between two tries of a waiting owm. */
const pollEvery = 100

export class OutboxLock {
  readonly #connection: Connection

  private constructor(connection: Connection) {
    this.#connection = connection
  }

  /** The lock of the outbox at `path`, or undefined where another process holds it. */
  static async tryTake(path: string): Promise<OutboxLock | undefined> {
    const file = `${path}-lock`
    try {
      await createPrivately(file)
      const connection = await new Promise<Connection>((resolve, reject) => {
        const opened: Connection = new sqlite3.Database(file, sqlite3.OPEN_READWRITE, (error) =>
          error ? reject(error) : resolve(opened),
        )
      })
      connection.configure('busyTimeout', 0)
      const lock = new OutboxLock(connection)
      try {
        await new Promise<void>((resolve, reject) =>
          // guard: one-process
          connection.exec('BEGIN IMMEDIATE', (error) => (error ? reject(error) : resolve())),
        )
        return lock
      } catch (error) {
        await lock.release()
        if (codeOf(error) === 'SQLITE_BUSY') return undefined
        throw error
      }
    } catch (error) {
      throw asOutboxError(file, error)
    }
  }

  /** Waits for the lock; undefined where `signal` aborts first. */
  static async take(path: string, signal: AbortSignal): Promise<OutboxLock | undefined> {
    for (;;) {
      const lock = await OutboxLock.tryTake(path)
      if (lock || signal.aborted) return lock
      step('outbox:waiting')
      await sleep(pollEvery, undefined, { signal }).catch(() => undefined)
    }
  }

  async release(): Promise<void> {
    await new Promise<void>((resolve) => this.#connection.close(() => resolve()))
  }
}
