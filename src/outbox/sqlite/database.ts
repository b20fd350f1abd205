/**
 * The outbox's file and its one connection: the only place that knows the driver. TypeORM has one connection a
 * DataSource, so whatever is issued while a transaction is open joins it; hence the mutex around all work.
 */
import { constants } from 'node:fs'
import { lstat, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DataSource, type EntityManager, QueryFailedError, type QueryRunner } from 'typeorm'
import { codeOf, OutboxError } from '../../errors/index.js'
import { sqlite3 } from './driver.js'
import { entities } from './entities.js'
import { applicationId, migrations } from './migrations.js'
import { asOutboxError } from './trouble.js'

/** Milliseconds that a statement waits for another process' statement. */
const busyTimeout = 10_000

export class Database {
  readonly path: string
  /** The schema's version that the file has: how many of the migrations it has had. */
  readonly version: number
  readonly #source: DataSource
  readonly #runner: QueryRunner
  #last: Promise<unknown> = Promise.resolve()
  #takenAtRest = false

  private constructor(path: string, source: DataSource, version: number) {
    this.path = path
    this.version = version
    this.#source = source
    this.#runner = source.createQueryRunner()
  }

  /** Opens for writing; makes the file (mode 0600) and brings its schema up to date. */
  static async openForWriting(path: string): Promise<Database> {
    return guarded(path, async () => {
      await mkdir(dirname(path), { recursive: true })
      await createPrivately(path)
      const source = await connect(path, sqlite3.OPEN_READWRITE | sqlite3.OPEN_FULLMUTEX)
      try {
        const version = await schemaOf(path, source)
        if (version === 0) {
          // A batch is about 100 KiB: in pages of 16 KiB it takes a quarter of the writes that it takes in 4 KiB.
          await source.query('PRAGMA page_size = 16384')
          // Before the first table: a process that dies while it makes them leaves an outbox, not a stranger's file.
          await source.query(`PRAGMA application_id = ${applicationId}`)
        }
        await source.query('PRAGMA journal_mode = WAL')
        // guard: synchronous-full
        await source.query('PRAGMA synchronous = FULL')
        await source.query('PRAGMA wal_autocheckpoint = 250') // 4 MiB: closing waits for what is left
        if (version < migrations.length) await source.runMigrations({ transaction: 'each' })
        await checkDurable(path, source)
        return new Database(path, source, migrations.length)
      } catch (error) {
        await source.destroy()
        throw error
      }
    })
  }

  /**
   * Opens to look only: changes nothing and holds nobody up. Undefined where there is no file, or nothing in it yet.
   * Its schema may be an older one: see `version`.
   */
  static async openForReading(path: string): Promise<Database | undefined> {
    return guarded(path, async () => {
      if (!(await checkFile(path))) return undefined
      // SQLite would make both files of the write-ahead log beside an outbox at rest, or fail where it can't.
      const isAtRest = !(await exists(`${path}-wal`))
      const flags = sqlite3.OPEN_READONLY | sqlite3.OPEN_FULLMUTEX
      const source = isAtRest
        ? await connect(`${pathToFileURL(path)}?immutable=1`, flags | sqlite3.OPEN_URI)
        : await connect(path, flags)
      try {
        const version = await schemaOf(path, source)
        if (version > 0) {
          const database = new Database(path, source, version)
          database.#takenAtRest = isAtRest
          return database
        }
      } catch (error) {
        await source.destroy()
        throw error
      }
      await source.destroy()
      return undefined
    })
  }

  /** Whether somebody began to write since an outbox at rest was opened for reading: it must be opened again. */
  async isStale(): Promise<boolean> {
    return this.#takenAtRest && exists(`${this.path}-wal`)
  }

  /**
   * Runs `work` when no other work is under way, so that what it decides by still holds when it's done.
   * (`UPDATE … RETURNING` gives no rows through this driver: use `WITH … UPDATE`.)
   */
  async inTurn<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const begin = (): Promise<T> =>
      work(this.#runner.manager).catch((error: unknown) => {
        throw error instanceof QueryFailedError ? asOutboxError(this.path, error) : error
      })
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

  /** Runs `work`, which only reads, so that all of it sees the file as it was at one moment. */
  async snapshot<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.inTurn(async (manager) => {
      await manager.query('BEGIN')
      return work(manager).finally(() => manager.query('ROLLBACK'))
    })
  }

  async close(): Promise<void> {
    await this.inTurn(() => this.#source.destroy())
  }
}

/** Which of the migrations the file has had; throws where it isn't an outbox of this owm's. */
async function schemaOf(path: string, source: DataSource): Promise<number> {
  const [head] = await source.query<{ app: number; version: number; tables: number }[]>(
    `SELECT (SELECT application_id FROM pragma_application_id) AS app,
      (SELECT user_version FROM pragma_user_version) AS version, (SELECT count(*) FROM sqlite_schema) AS tables`,
  )
  if (!head || head.tables === 0) return 0
  if (head.app !== applicationId)
    throw new OutboxError(`${path} is a SQLite database, but not an owm outbox.`, {
      hint: 'Name another file with --outbox or outbox.path.',
    })
  if (head.version > migrations.length)
    throw new OutboxError(
      `The outbox ${path} was written by a newer owm (schema ${head.version}; this one knows ${migrations.length}).`,
      { hint: 'Update owm; the tasks in the outbox are untouched.' },
    )
  return head.version
}

/** Reads back what durability rests on; throws where the file system didn't give it. */
async function checkDurable(path: string, source: DataSource): Promise<void> {
  const [is] = await source.query<{ journal: string; sync: number }[]>(
    'SELECT journal_mode AS journal, synchronous AS sync FROM pragma_journal_mode, pragma_synchronous',
  )
  // guard: durability-verified
  if (is?.journal !== 'wal' || is.sync !== 2)
    throw new OutboxError(
      `The outbox ${path} isn't durable: journal_mode is ${is?.journal}, synchronous is ${is?.sync}.`,
      { hint: 'Put it on a local disk; network file systems have no shared memory for the write-ahead log.' },
    )
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  )

const silent = {
  logQuery() {},
  logQueryError() {},
  logQuerySlow() {},
  logSchemaBuild() {},
  logMigration() {},
  log() {},
}

async function connect(path: string, flags: number): Promise<DataSource> {
  const source = new DataSource({
    type: 'sqlite',
    database: path,
    flags,
    busyTimeout,
    entities,
    migrations,
    // Its own one writes failed migrations to standard output, into the midst of --json.
    logger: silent,
    // verbose() would capture a stack trace a statement.
    driver: {
      ...sqlite3,
      verbose() {
        return this
      },
    },
  })
  return source.initialize()
}

async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw asOutboxError(path, error)
  }
}

/** Whether there is a file that may be opened; throws where it's somebody else's or not a file. */
async function checkFile(path: string): Promise<boolean> {
  const found = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (!found) return false
  const hint = 'Name another file with --outbox or outbox.path.'
  if (found.isSymbolicLink())
    throw new OutboxError(`The outbox ${path} is a symbolic link: refused, it could lead anywhere.`, { hint })
  if (!found.isFile()) throw new OutboxError(`The outbox ${path} isn't a file.`, { hint })
  if (process.getuid && found.uid !== process.getuid())
    throw new OutboxError(
      `The outbox ${path} belongs to user ${found.uid}, not to this one (${process.getuid()}): refused.`,
      { hint },
    )
  return true
}

/** SQLite gives `-wal` and `-shm` the mode of the file, so it's made before SQLite sees it. */
export async function createPrivately(path: string): Promise<void> {
  if (await checkFile(path)) return
  const file = await open(
    path,
    constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_NOFOLLOW,
    0o600,
  ).catch((error: unknown) => {
    if (codeOf(error) === 'EEXIST') return undefined // another owm was faster
    throw error
  })
  await file?.close()
}
