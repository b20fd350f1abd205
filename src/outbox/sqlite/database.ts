/**
 * The outbox's file and its one connection. TypeORM has one connection per DataSource, so any statement issued while a
 * transaction is open joins that transaction; hence the mutex around all work.
 */
import { type Stats, statSync } from 'node:fs'
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
import { connect } from './connection.js'
import { DamagedColumn } from './json.js'
import { checkLog, copyLog, renewMark } from './log.js'
import { migrations } from './migrations.js'
import { bringUpToDate, connectForReading, makeOutbox } from './open.js'
import { batchesBehind, type KeptBatch, type WhichBatches } from './statements.js'
import { asOutboxError, guarded, isFull, missingOutbox } from './trouble.js'

/** SQLite's number for `auto_vacuum = INCREMENTAL`. */
const incremental = 2

/** Bytes of the 64 pages that one incremental vacuum frees. */
const shrinkStep = 1024 * 1024

export class Database {
  readonly path: string
  /** The file's schema version: the number of migrations applied to it. */
  readonly version: number
  readonly #source: DataSource
  readonly #runner: QueryRunner
  #last: Promise<unknown> = Promise.resolve()
  /** Whether the file was created when it was opened. */
  isNew = false
  /** Removes secrets from texts of other programs: once stored, they would outlast the configuration. */
  masked: (text: string) => string = (text) => text
  /** If opened for reading while no process had it open: the file's stats at that time. */
  #atRest: Stats | undefined
  /** If opened for writing: the file's stats, to notice when it is replaced. */
  #identity: Stats | undefined
  #epoch: (() => number) | undefined
  /** SQLite's `data_version` when the epoch was last checked: it changes when another connection writes. */
  #dataVersion: number | undefined
  /** When the file itself was last changed, as far as is known: its log is copied into it now and then. */
  #changedAt: number | undefined
  #leave: () => Promise<void> = async () => undefined

  private constructor(path: string, source: DataSource, version: number) {
    this.path = path
    this.version = version
    this.#source = source
    this.#runner = source.createQueryRunner()
  }

  /**
   * Opens for writing (the caller holds the outbox's lock) and brings the schema up to date. If there is no file, makes
   * it (mode 0600), or throws OutboxError without `create`.
   */
  static async openForWriting(
    path: string,
    { create, masked }: { create: boolean; masked: (text: string) => string },
  ): Promise<Database> {
    return guarded(path, async () => {
      const isNew = !(await checkDatabase(path))?.size
      // guard: missing-is-not-empty
      if (isNew && !create) throw missingOutbox(path)
      if (isNew) await makeOutbox(path)
      await checkLog(path)
      await prepareDatabase(path)
      try {
        const database = await Database.#openPrepared(path)
        database.isNew = isNew
        database.masked = masked
        return database
      } catch (error) {
        await removeEmpty(path).catch(() => undefined) // best effort: an empty file does no harm
        throw error
      }
    })
  }

  static async #openPrepared(path: string): Promise<Database> {
    const before = await checkFile(path)
    const source = await connect(path, sqlite3().OPEN_READWRITE)
    try {
      await bringUpToDate(path, source)
      // The file may have been replaced between the check and SQLite's opening it.
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
   * Opens read-only, without changing anything or blocking the process that owns it. Undefined if there is no file, or
   * an empty one. The schema may be an older one: see `version`.
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

  /** Whether an outbox that was at rest when it was opened for reading has been written since: then open it again. */
  async isStale(): Promise<boolean> {
    if (!this.#atRest) return false
    const [log, now] = await guarded(this.path, () => Promise.all([statsOf(`${this.path}-wal`), statsOf(this.path)]))
    return log !== undefined || now?.mtimeMs !== this.#atRest.mtimeMs
  }

  /**
   * Runs `work` while no other work is in progress, so that what it has read stays true until it is done.
   * (`UPDATE … RETURNING` gives no rows through this driver: use `WITH … UPDATE`.)
   */
  async inTurn<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const { path } = this
    const identity = this.#identity
    const begin = async (): Promise<T> => {
      // guard: same-file
      if (identity && !(await guarded(path, () => isStill(path, identity)))) throw replaced(path)
      return work(this.#runner.manager).catch((error: unknown) => {
        throw error instanceof QueryFailedError || error instanceof DamagedColumn ? asOutboxError(path, error) : error
      })
    }
    const turn = this.#last.then(begin, begin)
    this.#last = turn.catch(() => undefined)
    return turn
  }

  /**
   * Runs `work` in one transaction, which is durable when the promise resolves. `committed` is called with its result
   * before any other work runs: the place to update what memory holds of the file.
   */
  async transaction<T>(
    work: (manager: EntityManager) => Promise<T>,
    committed: (result: T) => void = () => undefined,
  ): Promise<T> {
    return this.inTurn(async (manager) => {
      // TypeORM's own transactions take the write lock at their first write, which can fail after reads have been done.
      const isCopied = await this.#isLogCopied(manager)
      await manager.query('BEGIN IMMEDIATE')
      try {
        await this.#mustBeOurs(manager)
        if (isCopied) await renewMark(manager)
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

  /** Whether the log has been copied since this was last asked, as a whole. */
  async #isLogCopied(manager: EntityManager): Promise<boolean> {
    // Asked at each transaction, where a promise takes longer.
    const changedAt = (): number | undefined => statSync(this.path, { throwIfNoEntry: false })?.mtimeMs
    if (changedAt() === this.#changedAt) return false
    const isCopied = await copyLog(manager)
    this.#changedAt = changedAt()
    return isCopied
  }

  /** From here on every transaction fails if the file has another epoch: another process has taken it over. */
  fenceAt(epoch: () => number): void {
    this.#epoch = epoch
  }

  /**
   * To be called before something is sent: throws SupersededError if another process has taken the file over. Waits
   * for work in progress only if another process has written.
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

  /** Runs `work`, which only reads, on a snapshot of the file. */
  async snapshot<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.inTurn(async (manager) => {
      await manager.query('BEGIN')
      return work(manager).finally(() => manager.query('ROLLBACK'))
    })
  }

  /** Stored batches in order of seq, each read in its turn. Throws OutboxError if one is damaged. */
  batches(outboxId: string, which: WhichBatches): AsyncGenerator<KeptBatch> {
    return batchesBehind((work) => this.inTurn(work), { path: this.path, outboxId }, which)
  }

  /**
   * Gives the file's free space back to the disk, in steps of 1 MiB. Files of older versions are rewritten as a whole,
   * once. Returns undefined, or if the disk has no room for it, the bytes needed.
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
        // All pages in use go through the log, and some may be moved as well.
        return pages.mode === incremental ? 2 * shrinkStep : 2 * pages.used
      }
    }
  }

  async close(): Promise<void> {
    await this.#last
    await guarded(this.path, () => this.#source.destroy()).finally(this.#leave)
    // Best effort: an empty journal does no harm, and an earlier error must not be hidden.
    if (this.#identity) await removeEmpty(this.path, ['-journal']).catch(() => undefined)
  }
}

const replaced = (path: string): OutboxError =>
  new OutboxError(`The outbox ${path} was moved, replaced or linked while owm worked on it.`, {
    hint: 'What was stored is in the file that was there: move it back, with its -wal, and run again.',
  })
