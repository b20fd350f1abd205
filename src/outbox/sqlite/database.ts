/**
 * The outbox's file and its one connection: the only place that knows the driver. TypeORM has one connection a
 * DataSource, so whatever is issued while a transaction is open joins it; hence the mutex around all work.
 */
import type { Stats } from 'node:fs'
import { type DataSource, type EntityManager, QueryFailedError, type QueryRunner } from 'typeorm'
import { sqlite3 } from '../../databases/sqlite.js'
import { OutboxError, SupersededError } from '../../errors/index.js'
import {
  checkDatabase,
  checkFile,
  checkReadable,
  isStill,
  prepareDatabase,
  removeEmpty,
  statsOf,
} from '../../files/rules.js'
import { bringUpToDate, connect, connectForReading, makeOutbox } from './connect.js'
import { DamagedColumn } from './json.js'
import { migrations } from './migrations.js'
import { asOutboxError, guarded, isFull, missingOutbox } from './trouble.js'

/** SQLite's number for a file that gives back its space when it's told to. */
const incremental = 2

/** Bytes: 64 pages. */
const shrinkStep = 1024 * 1024

export class Database {
  readonly path: string
  /** The schema's version that the file has: how many of the migrations it has had. */
  readonly version: number
  readonly #source: DataSource
  readonly #runner: QueryRunner
  #last: Promise<unknown> = Promise.resolve()
  /** Made when it was opened. */
  isNew = false
  /** What others said, without secrets: they would outlast the configuration that knows them. */
  masked: (text: string) => string = (text) => text
  /** Of an outbox that was opened for reading while nobody had it open: the file as it was before. */
  #atRest: Stats | undefined
  /** Of an outbox that was opened for writing: which file it is. */
  #identity: Stats | undefined
  #epoch: (() => number) | undefined
  /** Of the file, when nobody else was found to have written to it. */
  #dataVersion: number | undefined
  #leave: () => Promise<void> = async () => undefined

  private constructor(path: string, source: DataSource, version: number) {
    this.path = path
    this.version = version
    this.#source = source
    this.#runner = source.createQueryRunner()
  }

  /**
   * Opens for writing, under the outbox's lock; makes the file (mode 0600) where there is none, or throws OutboxError
   * where it isn't to `create` it; and brings its schema up to date.
   */
  static async openForWriting(
    path: string,
    { create = true, masked }: { create?: boolean; masked?: ((text: string) => string) | undefined } = {},
  ): Promise<Database> {
    return guarded(path, async () => {
      const isNew = !(await checkDatabase(path))?.size
      // guard: missing-is-not-empty
      if (isNew && !create) throw missingOutbox(path)
      if (isNew) await makeOutbox(path)
      await prepareDatabase(path)
      try {
        const database = await Database.#openPrepared(path)
        database.isNew = isNew
        if (masked) database.masked = masked
        return database
      } catch (error) {
        await removeEmpty(path).catch(() => undefined) // an empty file does no harm
        throw error
      }
    })
  }

  static async #openPrepared(path: string): Promise<Database> {
    const before = await checkFile(path)
    const source = await connect(path, sqlite3.OPEN_READWRITE)
    try {
      await bringUpToDate(path, source)
      // Somebody may have put another file in the place of one before SQLite opened it.
      const identity = await checkDatabase(path)
      if (!before || !identity || before.ino !== identity.ino) throw replaced(path)
      const database = new Database(path, source, migrations.length)
      database.#identity = identity
      return database
    } catch (error) {
      await source.destroy()
      throw error
    }
  }

  /**
   * Opens to look only: changes nothing and holds nobody up, whoever the outbox belongs to. Undefined where there is no
   * file, or nothing in it yet. Its schema may be an older one: see `version`.
   */
  static async openForReading(path: string): Promise<Database | undefined> {
    return guarded(path, async () => {
      const found = await statsOf(path)
      await checkDatabase(path, found?.uid)
      if (!found?.size) return undefined
      await checkReadable(path, found)
      const { source, version, isAtRest, leave } = await connectForReading(path)
      const database = new Database(path, source, version)
      if (isAtRest) database.#atRest = found
      database.#leave = leave
      if (version > 0) return database
      await database.close()
      return undefined
    })
  }

  /** Whether somebody began to write since an outbox at rest was opened for reading: it must be opened again. */
  async isStale(): Promise<boolean> {
    if (!this.#atRest) return false
    const [log, now] = await guarded(this.path, () => Promise.all([statsOf(`${this.path}-wal`), statsOf(this.path)]))
    return log !== undefined || now?.mtimeMs !== this.#atRest.mtimeMs
  }

  /** Rights may change, or a disk go, while owm works. */
  async #isStill(identity: Stats): Promise<boolean> {
    return guarded(this.path, () => isStill(this.path, identity))
  }

  /**
   * Runs `work` when no other work is under way, so that what it decides by still holds when it's done.
   * (`UPDATE … RETURNING` gives no rows through this driver: use `WITH … UPDATE`.)
   */
  async inTurn<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const begin = async (): Promise<T> => {
      // guard: same-file
      if (this.#identity && !(await this.#isStill(this.#identity))) throw replaced(this.path)
      return work(this.#runner.manager).catch((error: unknown) => {
        throw error instanceof QueryFailedError || error instanceof DamagedColumn
          ? asOutboxError(this.path, error)
          : error
      })
    }
    const turn = this.#last.then(begin, begin)
    this.#last = turn.catch(() => undefined)
    return turn
  }

  /**
   * Runs `work` in one transaction, which is durable when the promise resolves. `committed` gets its result before
   * anybody else's turn: the place to change what memory holds of the file.
   */
  async transaction<T>(
    work: (manager: EntityManager) => Promise<T>,
    committed: (result: T) => void = () => undefined,
  ): Promise<T> {
    return this.inTurn(async (manager) => {
      // TypeORM's own transactions take the write lock with their first write only, when it may be too late for that.
      await manager.query('BEGIN IMMEDIATE')
      try {
        await this.#mustBeOurs(manager)
        const result = await work(manager)
        await manager.query('COMMIT')
        committed(result)
        return result
      } catch (error) {
        // After SQLITE_FULL and the like SQLite has rolled back by itself.
        await manager.query('ROLLBACK').catch(() => undefined)
        throw error
      }
    })
  }

  /** From here on every transaction fails where the file has another epoch than this one: another process wrote it. */
  fenceAt(epoch: () => number): void {
    this.#epoch = epoch
  }

  /**
   * For before something is sent: throws SupersededError where another process has taken the file over, without waiting
   * for anybody's turn where none has written.
   */
  async checkEpoch(): Promise<void> {
    const [row] = await guarded(this.path, () =>
      this.#runner.manager.query<{ data_version: number }[]>('PRAGMA data_version'),
    )
    if (row?.data_version === this.#dataVersion) return
    await this.inTurn((manager) => this.#mustBeOurs(manager))
    this.#dataVersion = row?.data_version
  }

  async #mustBeOurs(manager: EntityManager): Promise<void> {
    if (!this.#epoch) return
    const [row] = await manager.query<{ epoch: number }[]>('SELECT epoch FROM state')
    // guard: epoch-of-the-file
    if (row?.epoch !== this.#epoch())
      throw new SupersededError(`Another owm has taken over the outbox ${this.path}: this one stops.`, {
        hint: 'Nothing is lost. See to it that only one owm works on an outbox; was its lock file removed?',
      })
  }

  /** Runs `work`, which only reads, so that all of it sees the file as it was at one moment. */
  async snapshot<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.inTurn(async (manager) => {
      await manager.query('BEGIN')
      return work(manager).finally(() => manager.query('ROLLBACK'))
    })
  }

  /**
   * Gives the file's free space back to the disk, in steps of 1 MiB. Files of older versions have to be written anew
   * as a whole, once. Returns undefined, or where the disk has no room for that, the bytes that it takes.
   */
  async shrink(): Promise<number | undefined> {
    for (;;) {
      const [pages] = await this.inTurn((manager) =>
        manager.query<{ mode: number; free: number; used: number }[]>(
          `SELECT auto_vacuum AS mode, freelist_count AS free, (page_count - freelist_count) * page_size AS used
           FROM pragma_auto_vacuum, pragma_freelist_count, pragma_page_count, pragma_page_size`,
        ),
      )
      if (!pages || (pages.mode === incremental && pages.free === 0)) return undefined
      try {
        await this.inTurn(async (manager) => {
          await manager.query(`PRAGMA auto_vacuum = ${incremental}`)
          await manager.query(pages.mode === incremental ? 'PRAGMA incremental_vacuum(64)' : 'VACUUM')
          await manager.query('PRAGMA wal_checkpoint(TRUNCATE)')
        })
      } catch (error) {
        if (!isFull(error)) throw error
        // What is used goes through the log, and some of it may be moved.
        return pages.mode === incremental ? 2 * shrinkStep : 2 * pages.used
      }
    }
  }

  async close(): Promise<void> {
    await this.#last
    await guarded(this.path, () => this.#source.destroy()).finally(this.#leave)
    // It's empty: where it can't be removed it does no harm, and what went wrong before is told.
    if (this.#identity) await removeEmpty(this.path, ['-journal']).catch(() => undefined)
  }
}

const replaced = (path: string): OutboxError =>
  new OutboxError(`The outbox ${path} was moved, replaced or linked while owm worked on it.`, {
    hint: 'What was stored is in the file that was there: move it back, with its -wal, and run again.',
  })
