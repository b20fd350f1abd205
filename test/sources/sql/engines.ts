import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll } from 'vitest'
import { type Location, Malformed, type PluginContext, type Source } from '../../../src/plugin.js'
import sql from '../../../src/sources/sql/index.js'
import { startMariadb, startPostgres, type TestDatabase } from '../../support/databases.js'

/** What the tests need of each of the three. */
export interface Engine {
  readonly name: string
  url(): string
  query(statement: string): Promise<unknown[]>
  /** A quoted name. */
  quoted(name: string): string
}

export let servers: { postgres: TestDatabase; mariadb: TestDatabase } | undefined
export let folder = ''
export let file: DataSource | undefined

export const started = (): { postgres: TestDatabase; mariadb: TestDatabase } => {
  if (!servers) throw new Error('the servers were not started')
  return servers
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'owm-test-sql-'))
  file = await new DataSource({ type: 'sqlite', database: join(folder, 'places.db'), enableWAL: true }).initialize()
  const [postgres, mariadb] = await Promise.all([startPostgres(), startMariadb()])
  servers = { postgres, mariadb }
  await postgres.query(
    "CREATE COLLATION insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
  )
  await postgres.query("CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')")
  await mariadb.query("SET GLOBAL sql_mode = ''")
})
afterAll(async () => {
  await file?.destroy()
  await Promise.all([servers?.postgres.stop(), servers?.mariadb.stop()])
  await rm(folder, { recursive: true, force: true })
})

export const postgres: Engine = {
  name: 'PostgreSQL',
  url: () => started().postgres.url,
  query: (statement) => started().postgres.query(statement),
  quoted: (name) => `"${name.replaceAll('"', '""')}"`,
}
export const mariadb: Engine = {
  name: 'MariaDB',
  url: () => started().mariadb.url,
  query: (statement) => started().mariadb.query(statement),
  quoted: (name) => `\`${name.replaceAll('`', '``')}\``,
}
export const sqlite: Engine = {
  name: 'SQLite',
  url: () => join(folder, 'places.db'),
  query: async (statement) => (await file?.query(statement)) ?? [],
  quoted: postgres.quoted,
}
export const serverOf = (engine: Engine): TestDatabase => started()[engine === postgres ? 'postgres' : 'mariadb']
export const engines = [postgres, mariadb, sqlite]

export let tables = 0
/** A new table: its name. */
export async function tableOf(engine: Engine, columns: string, rows: readonly string[], suffix = ''): Promise<string> {
  const table = `t${++tables}`
  await engine.query(`CREATE TABLE ${table} (${columns}) ${suffix}`)
  for (let from = 0; from < rows.length; from += 500)
    await engine.query(
      `INSERT INTO ${table} VALUES ${rows
        .slice(from, from + 500)
        .map((row) => `(${row})`)
        .join(', ')}`,
    )
  return table
}

/** `count` places with ids from 1. */
export const places = (engine: Engine, count: number): Promise<string> =>
  tableOf(
    engine,
    'id INTEGER PRIMARY KEY, city VARCHAR(50), lat NUMERIC(9, 6), lon NUMERIC(9, 6)',
    Array.from(
      { length: count },
      (_, index) => `${index + 1}, 'place ${index + 1}', ${(index % 89) + 1}, ${index % 180}`,
    ),
  )

export interface Read {
  readonly locations: (Location | Malformed)[]
  readonly positions: string[]
  readonly resumes: string[]
}

export interface How {
  resume?: string
  signal?: AbortSignal
  attempt?: PluginContext['attempt']
  baseDir?: string
  onBatch?: (read: Read) => unknown
}

/** Opens the source for as long as `use` takes. */
export async function opened<T>(
  given: Record<string, unknown>,
  { signal = new AbortController().signal, attempt = (operation) => operation(), baseDir = folder }: How,
  use: (source: Source) => Promise<T>,
): Promise<T> {
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const source = await sql.open(sql.options.parse(given), { signal, attempt, baseDir, log })
  return use(source).finally(() => source.close?.())
}

export async function drain(source: Source, { resume, onBatch }: How = {}): Promise<Read> {
  const read: Read = { locations: [], positions: [], resumes: [] }
  for await (const batch of source.read(resume)) {
    read.locations.push(...batch.locations)
    read.positions.push(...batch.locations.map((_, index) => batch.position(index)))
    read.resumes.push(batch.resume)
    await onBatch?.(read)
  }
  return read
}

export const readAll = (given: Record<string, unknown>, how: How = {}): Promise<Read> =>
  opened(given, how, (source) => drain(source, how))

export const ids = (read: Read): unknown[] =>
  read.locations.map((location) => (location instanceof Malformed ? location : location['id']))

/** What a read fails with. */
export const failure = (given: Record<string, unknown>, how?: How): Promise<unknown> =>
  readAll(given, how).then(
    (read) => read,
    (error: unknown) => error,
  )
