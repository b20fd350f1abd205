/** Opens the outbox's file for writing or reading, and creates it. */
import { copyFile, mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { DataSource } from 'typeorm'
import { sqlite3 } from '../../databases/sqlite.js'
import { OutboxError } from '../../errors/index.js'
import { isLocked } from '../../files/lock.js'
import { statsOf } from '../../files/rules.js'
import { connect } from './connection.js'
import { checkLog } from './log.js'
import { applicationId, migrations } from './migrations.js'
import { isPassing, NewerOutbox } from './trouble.js'

/** Attempts to open an outbox for reading, with pauses of 1, 2, 3 … ms: 0.2 s in all. */
const mostAttempts = 20

/**
 * Creates an outbox in a private folder, so that no other process can replace the files that SQLite creates and deletes
 * meanwhile; then moves it into place.
 */
export async function makeOutbox(path: string): Promise<void> {
  const folder = `${path}-new`
  await rm(folder, { recursive: true, force: true }) // left by a process that died
  await mkdir(folder, { mode: 0o700 })
  try {
    const made = join(folder, 'outbox.db')
    await (await open(made, 'wx', 0o600)).close()
    const source = await connect(made, sqlite3().OPEN_READWRITE, [])
    await bringUpToDate(path, source).finally(() => source.destroy())
    await rename(made, path)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Migrates the schema, and makes sure that writes are durable. */
export async function bringUpToDate(path: string, source: DataSource): Promise<void> {
  const version = await schemaOf(path, source)
  if (version === 0) {
    // A batch is about 100 KiB: in pages of 16 KiB it takes a quarter of the writes that it takes in 4 KiB.
    await source.query('PRAGMA page_size = 16384')
    await source.query('PRAGMA auto_vacuum = INCREMENTAL') // see Database.shrink
    // Before the first table: if the process dies meanwhile, the file is still recognised as an outbox.
    await source.query(`PRAGMA application_id = ${applicationId}`)
  }
  await source.query('PRAGMA journal_mode = WAL')
  // guard: synchronous-full
  await source.query('PRAGMA synchronous = FULL')
  await source.query('PRAGMA wal_autocheckpoint = 250') // 4 MiB: what is left in the log delays closing
  if (version < migrations.length) await source.runMigrations({ transaction: 'all' })
  await checkDurable(path, source)
}

/** A connection that only reads. */
interface ReadConnection {
  source: DataSource
  /** How many migrations the file has had. */
  version: number
  /** Whether no process had it open for writing. */
  isAtRest: boolean
  /** To be called once the connection is closed. */
  leave(): Promise<void>
}

/** Opens for reading, with what is in the log, and without creating or changing a file beside the outbox. */
export async function connectForReading(path: string): Promise<ReadConnection> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connectOnce(path)
    } catch (error) {
      // The log and its index come and go with writing processes, possibly between the check and the opening.
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
  const flags = sqlite3().OPEN_READONLY | sqlite3().OPEN_URI
  const url = pathToFileURL(path)
  if (!(await statsOf(`${path}-wal`))) return { database: `${url}?immutable=1`, flags, isAtRest: true, leave }
  const copied = await copyAtRest(path)
  if (!copied) return { database: `${url}?readonly_shm=1`, flags, isAtRest: false, leave }
  await checkLog(copied.file, path).catch(async (error: unknown) => {
    await copied.leave()
    throw error
  })
  return { database: copied.file, flags: sqlite3().OPEN_READWRITE, isAtRest: false, leave: copied.leave }
}

/**
 * A copy of an outbox and its log; undefined if a process has them open. After a crash the log's index may be missing,
 * or belong to another log: to repair it, SQLite has to write.
 */
async function copyAtRest(path: string): Promise<{ file: string; leave(): Promise<void> } | undefined> {
  const isInUse = async (): Promise<boolean> =>
    (await statsOf(`${path}-shm`)) !== undefined && (await isLocked(path)) !== false
  if (await isInUse()) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'owm-inspect-'))
  const leave = (): Promise<void> => rm(folder, { recursive: true, force: true })
  const file = join(folder, 'outbox.db')
  const isWhole = await Promise.all(['', '-wal'].map((ending) => copyFile(`${path}${ending}`, `${file}${ending}`)))
    // A process may have opened it meanwhile, and written between the two copies.
    .then(async () => !(await isInUse()))
    .catch(() => false) // such as for lack of space
  if (isWhole) return { file, leave }
  await leave()
  return undefined
}

/** How many migrations the file has had; throws if it isn't an outbox, or of a newer owm. */
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

/** Reads back the settings that durability depends on; throws if the file system didn't allow them. */
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
