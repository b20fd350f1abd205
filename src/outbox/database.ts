/** Opens the outbox's file and speaks SQL to it: the only file that knows the driver. */
import { constants } from 'node:fs'
import { lstat, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import sqlite3 from 'sqlite3'
import type { QueryRunner } from 'typeorm'
import { DataSource } from 'typeorm/data-source/DataSource.js'
import { codeOf, OutboxError, OwmError, toError } from '../errors/index.js'
import { applicationId, migrations } from './migrations.js'

/** Milliseconds that a statement waits for another process' statement. */
const busyTimeout = 10_000

export type Parameter = string | number | Buffer | null
export type Query = <Row>(sql: string, parameters?: Parameter[]) => Promise<Row[]>

/** One connection behind one mutex: a statement never joins somebody else's transaction. */
export class Database {
  readonly path: string
  readonly #source: DataSource
  readonly #runner: QueryRunner
  #last: Promise<unknown> = Promise.resolve()
  #takenAtRest = false

  private constructor(path: string, source: DataSource) {
    this.path = path
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
        const database = new Database(path, source)
        const version = await database.#checkSchema()
        if (version === 0) {
          // A batch is about 100 KiB: in pages of 16 KiB it takes a quarter of the writes that it takes in SQLite's 4 KiB.
          await database.query('PRAGMA page_size = 16384')
          // Before the first table: a process that dies while it makes them leaves an outbox, not a stranger's file.
          await database.query(`PRAGMA application_id = ${applicationId}`)
        }
        await database.query('PRAGMA journal_mode = WAL')
        // guard: synchronous-full
        await database.query('PRAGMA synchronous = FULL')
        await database.query('PRAGMA wal_autocheckpoint = 250') // 4 MiB: what is left when the outbox is closed is waited for
        if (version < migrations.length) await source.runMigrations({ transaction: 'each' })
        await database.#checkDurable()
        return database
      } catch (error) {
        await source.destroy()
        throw error
      }
    })
  }

  /** Opens to look only: changes nothing and holds nobody up. Undefined where there is no file, or nothing in it yet. */
  static async openForReading(path: string): Promise<Database | undefined> {
    return guarded(path, async () => {
      if (!(await checkFile(path))) return undefined
      // SQLite would make both files of the write-ahead log beside an outbox at rest, or fail where it can't.
      const isAtRest = !(await exists(`${path}-wal`))
      const flags = sqlite3.OPEN_READONLY | sqlite3.OPEN_FULLMUTEX
      const source = isAtRest
        ? await connect(`${pathToFileURL(path)}?immutable=1`, flags | sqlite3.OPEN_URI)
        : await connect(path, flags)
      const database = new Database(path, source)
      database.#takenAtRest = isAtRest
      if ((await database.#checkSchema()) > 0) return database
      await source.destroy()
      return undefined
    })
  }

  /** Whether somebody began to write to an outbox that was opened for reading while at rest: it must be opened again. */
  async isStale(): Promise<boolean> {
    return this.#takenAtRest && exists(`${this.path}-wal`)
  }

  /** Rows of one statement. `UPDATE … RETURNING` gives none through this driver: use `WITH … UPDATE`. */
  async query<Row>(sql: string, parameters: Parameter[] = []): Promise<Row[]> {
    return this.#exclusively(() => this.#run<Row>(sql, parameters))
  }

  /** Runs `work` when nobody else's statement or transaction is under way, for what it decides by then. */
  async inTurn(work: (query: Query) => Promise<void>): Promise<void> {
    return this.#exclusively(() => work((sql, parameters) => this.#run(sql, parameters)))
  }

  /**
   * Runs `work` in one transaction, which is durable when the promise resolves.
   * `committed` runs before anybody else's next statement: the place to change
   * what memory holds of the file.
   */
  async transaction(work: (query: Query) => Promise<void>, committed: () => void = () => undefined): Promise<void> {
    return this.inTurn(async (query) => {
      await query('BEGIN IMMEDIATE')
      try {
        await work(query)
        await query('COMMIT')
        committed()
      } catch (error) {
        // After SQLITE_FULL and the like SQLite has rolled back by itself.
        await query('ROLLBACK').catch(() => undefined)
        throw error
      }
    })
  }

  /** Reads back what durability rests on; throws where the file system didn't give it. */
  async #checkDurable(): Promise<void> {
    const [is] = await this.query<{ journal: string; sync: number }>(
      'SELECT journal_mode AS journal, synchronous AS sync FROM pragma_journal_mode, pragma_synchronous',
    )
    // guard: durability-verified
    if (is?.journal !== 'wal' || is.sync !== 2)
      throw new OutboxError(
        `The outbox ${this.path} isn't durable: journal_mode is ${is?.journal}, synchronous is ${is?.sync}.`,
        {
          hint: 'Put it on a local disk; network file systems have no shared memory for the write-ahead log.',
        },
      )
  }

  async close(): Promise<void> {
    await this.#exclusively(() => this.#source.destroy())
  }

  /** Which of the migrations the file has had; throws where it isn't an outbox of this owm's. */
  async #checkSchema(): Promise<number> {
    const [head] = await this.query<{ app: number; version: number; tables: number }>(
      `SELECT (SELECT application_id FROM pragma_application_id) AS app, (SELECT user_version FROM pragma_user_version) AS version,
        (SELECT count(*) FROM sqlite_schema) AS tables`,
    )
    if (!head || head.tables === 0) return 0
    if (head.app !== applicationId)
      throw new OutboxError(`${this.path} is a SQLite database, but not an owm outbox.`, {
        hint: 'Name another file with --outbox or outbox.path.',
      })
    if (head.version > migrations.length)
      throw new OutboxError(
        `The outbox ${this.path} was written by a newer owm (schema ${head.version}; this one knows ${migrations.length}).`,
        {
          hint: 'Update owm; the tasks in the outbox are untouched.',
        },
      )
    return head.version
  }

  async #run<Row>(sql: string, parameters?: Parameter[]): Promise<Row[]> {
    try {
      const rows: unknown = await this.#runner.query(sql, parameters)
      return isRows<Row>(rows) ? rows : []
    } catch (error) {
      throw asOutboxError(this.path, error)
    }
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work)
    this.#last = turn.catch(() => undefined)
    return turn
  }
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  )

/** What a SELECT gives; the caller's row type restates the statement beside it. */
function isRows<Row>(rows: unknown): rows is Row[] {
  return Array.isArray(rows)
}

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

const causes: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  SQLITE_FULL: ['the disk is full', 'Make room and run again; what was stored before is safe.'],
  SQLITE_IOERR: [
    'the disk gave an input/output error',
    'Look at the disk and its free space, then run again; what was stored before is safe.',
  ],
  SQLITE_READONLY: ['it can only be read', 'Make the file and its folder writable for this user.'],
  SQLITE_CANTOPEN: ["it can't be opened", 'Make sure that its folder exists and is writable for this user.'],
  SQLITE_PERM: ['access is denied', 'Make the file and its folder writable for this user.'],
  SQLITE_CORRUPT: [
    'the file is damaged',
    'Nothing was changed. Keep a copy, recover it with `sqlite3 FILE .recover`, or move it away to start a new one.',
  ],
  SQLITE_NOTADB: [
    "the file isn't a SQLite database",
    'Nothing was changed. Name another file with --outbox, or move this one away.',
  ],
  SQLITE_BUSY: ['another program keeps it locked', 'Find it (`fuser FILE`) and run again when it has ended.'],
  EACCES: ['access is denied', 'Make the file and its folder writable for this user.'],
  EROFS: ['its file system can only be read', 'Name another file with --outbox or outbox.path.'],
  ENOSPC: ['the disk is full', 'Make room and run again; what was stored before is safe.'],
  ENOTDIR: ['a part of its path is not a folder', 'Name another file with --outbox or outbox.path.'],
  EEXIST: ['a part of its path is not a folder', 'Name another file with --outbox or outbox.path.'],
}

/** A row holds what no owm wrote. */
export const damaged = (path: string, what: string, cause?: unknown): OutboxError =>
  new OutboxError(`The outbox ${path} is damaged: ${what}.`, {
    hint: 'Nothing was changed. Keep a copy, mend it, or move it away to start a new one.',
    cause,
  })

/** TypeORM wraps the driver's error; its code says what the disk did. */
export function asOutboxError(path: string, thrown: unknown): OwmError {
  if (thrown instanceof OwmError) return thrown
  const error = toError(thrown)
  const code = codeOf('driverError' in error ? error.driverError : error) || codeOf(error)
  const [what, hint] = causes[code] ?? [
    error.message,
    'Look at the file and its disk; nothing was reported done that is not.',
  ]
  return new OutboxError(`The outbox ${path} can't be used: ${what}${code ? ` (${code})` : ''}.`, {
    hint,
    cause: error,
  })
}
