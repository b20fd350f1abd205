/** How the outbox's file is opened: for writing, for reading, and made where there is none. */
import { copyFile, mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { silent } from '../../databases/silent.js'
import { driver, sqlite3 } from '../../databases/sqlite.js'
import { OutboxError } from '../../errors/index.js'
import { isLocked } from '../../files/lock.js'
import { statsOf } from '../../files/rules.js'
import { entities } from './entities.js'
import { applicationId, migrations } from './migrations.js'
import { isPassing, NewerOutbox } from './trouble.js'

/** Milliseconds that a statement waits for another process' statement. */
const busyTimeout = 10_000

/** To open an outbox for reading, with pauses of 1, 2, 3 … ms: 0.2 s in all. */
const mostAttempts = 20

type Entities = NonNullable<DataSourceOptions['entities']>

/**
 * @param flags of sqlite3_open_v2
 * @param tables what is read and written as entities
 */
export async function connect(database: string, flags: number, tables: Entities = entities): Promise<DataSource> {
  const source = new DataSource({
    type: 'sqlite',
    database,
    flags: flags | sqlite3.OPEN_FULLMUTEX,
    busyTimeout,
    entities: tables,
    migrations,
    logger: silent,
    driver,
  })
  return source.initialize()
}

/**
 * Makes an outbox in a folder of its own, where nobody else comes between SQLite and the files that it makes and
 * deletes while the database is new; then puts it in its place.
 */
export async function makeOutbox(path: string): Promise<void> {
  const folder = `${path}-new`
  await rm(folder, { recursive: true, force: true }) // of a process that died here
  await mkdir(folder, { mode: 0o700 })
  try {
    const made = join(folder, 'outbox.db')
    await (await open(made, 'wx', 0o600)).close()
    const source = await connect(made, sqlite3.OPEN_READWRITE, [])
    await bringUpToDate(path, source).finally(() => source.destroy())
    await rename(made, path)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Brings the schema up to date, and makes sure that what is written is durable. */
export async function bringUpToDate(path: string, source: DataSource): Promise<void> {
  const version = await schemaOf(path, source)
  if (version === 0) {
    // A batch is about 100 KiB: in pages of 16 KiB it takes a quarter of the writes that it takes in 4 KiB.
    await source.query('PRAGMA page_size = 16384')
    await source.query('PRAGMA auto_vacuum = INCREMENTAL') // see Database.shrink
    // Before the first table: a process that dies while it makes them leaves an outbox, not a stranger's file.
    await source.query(`PRAGMA application_id = ${applicationId}`)
  }
  await source.query('PRAGMA journal_mode = WAL')
  // guard: synchronous-full
  await source.query('PRAGMA synchronous = FULL')
  await source.query('PRAGMA wal_autocheckpoint = 250') // 4 MiB: closing waits for what is left
  if (version < migrations.length) await source.runMigrations({ transaction: 'all' })
  await checkDurable(path, source)
}

/** A connection that only reads. `leave`: to be called once it's closed. */
interface ReadConnection {
  source: DataSource
  /** Which of the migrations the file has had. */
  version: number
  /** True where nobody had it open for writing. */
  isAtRest: boolean
  leave(): Promise<void>
}

/** Opens for reading, without a file beside the outbox being made, changed or missed. */
export async function connectForReading(path: string): Promise<ReadConnection> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connectOnce(path)
    } catch (error) {
      // The log and its index come and go with those who write: they may have changed since they were looked at.
      if (attempt === mostAttempts || !isPassing(error)) throw error
      await sleep(attempt)
    }
  }
}

async function connectOnce(path: string): Promise<ReadConnection> {
  const { database, flags, isAtRest, leave } = await whatToRead(path)
  const source = await connect(database, flags).catch(async (error: unknown) => {
    await leave()
    throw error
  })
  try {
    return { source, version: await schemaOf(path, source), isAtRest, leave }
  } catch (error) {
    await source.destroy().finally(leave)
    throw error
  }
}

async function whatToRead(path: string) {
  const leave = async (): Promise<void> => undefined
  const flags = sqlite3.OPEN_READONLY | sqlite3.OPEN_URI
  const url = pathToFileURL(path)
  if (!(await statsOf(`${path}-wal`))) return { database: `${url}?immutable=1`, flags, isAtRest: true, leave }
  const copied = await copyAtRest(path)
  if (!copied) return { database: `${url}?readonly_shm=1`, flags, isAtRest: false, leave }
  return { database: copied.file, flags: sqlite3.OPEN_READWRITE, isAtRest: false, leave: copied.leave }
}

/**
 * A copy of an outbox and its log, where nobody has them open; else undefined. After a crash the index of the log may
 * be missing, or not be that of this log: SQLite would have to write to mend it.
 */
async function copyAtRest(path: string): Promise<{ file: string; leave(): Promise<void> } | undefined> {
  const isInUse = async (): Promise<boolean> =>
    (await statsOf(`${path}-shm`)) !== undefined && (await isLocked(path)) !== false
  if (await isInUse()) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'owm-inspect-'))
  const leave = (): Promise<void> => rm(folder, { recursive: true, force: true })
  const file = join(folder, 'outbox.db')
  const isWhole = await Promise.all(['', '-wal'].map((ending) => copyFile(`${path}${ending}`, `${file}${ending}`)))
    // Somebody may have come meanwhile, and written between the two.
    .then(async () => !(await isInUse()))
    .catch(() => false) // there may be no room for it
  if (isWhole) return { file, leave }
  await leave()
  return undefined
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
    throw new NewerOutbox(
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
