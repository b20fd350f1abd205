/**
 * The rows of a database: any table or query, in pages along a unique key.
 *
 * Every page is a short read-only transaction of its own: one snapshot for a
 * long read would keep the server from cleaning up behind everybody's writes,
 * and a resumed run could not have it anyway. A row that stays, under the same
 * key, is given exactly once; one that comes in behind the read is for the
 * next run.
 *
 * Keys are ordered, compared and written as text by the database alone: what
 * JavaScript makes of a bigint, a timestamp or a collation plays no part.
 */
import { readFile, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import type { DataSource, DataSourceOptions, QueryRunner } from 'typeorm'
import { z } from 'zod'
import { ConfigurationError, codeOf, OwmError, ResumePointError, TransientError, toError } from '../../errors/index.js'
import {
  defineSource,
  type Location,
  type LocationBatch,
  Malformed,
  type PluginContext,
  type Source,
} from '../../plugin.js'
import { fieldMapper, fields } from '../fields.js'

const drivers: Readonly<Record<string, 'pg' | 'mysql2'>> = {
  postgres: 'pg',
  postgresql: 'pg',
  mysql: 'mysql2',
  mariadb: 'mysql2',
}

/** `postgres` of `postgres://…`; undefined for the path of a file, with or without `sqlite:` before it. */
const schemeOf = (url: string): string | undefined =>
  /^(?!sqlite:)([a-z][a-z0-9+.-]+):\/\//i.exec(url)?.[1]?.toLowerCase()

const milliseconds = z.number().int().min(1).max(86_400_000).meta({ unit: 'ms' })
const name = z.string().min(1)

const options = z
  .strictObject({
    url: name
      .refine(
        (url) => (schemeOf(url) ?? 'postgres') in drivers,
        'postgres://, mysql://, mariadb:// or a SQLite file is expected',
      )
      .refine((url) => schemeOf(url) === undefined || (URL.canParse(url) && new URL(url).pathname.length > 1), {
        message:
          'postgres://user:password@host:port/database is expected; in user and password write / as %2F, : as %3A, @ as %40, or set source.password',
        when: ({ value }) => (schemeOf(String(value)) ?? '') in drivers,
      })
      .describe(
        'the database: postgres://user:password@host:port/name, mysql://…, mariadb://… or a SQLite file; for TLS ?sslmode=require, verify-ca or verify-full, with sslrootcert, sslcert and sslkey (files); for a socket ?host=PATH',
      )
      .meta({ secret: true }),
    password: name
      .optional()
      .describe('the password, where it is not in the URL: as it is, nothing percent-encoded')
      .meta({ secret: true }),
    table: name
      .optional()
      .describe('the table or view to read, `cities` or `geo.cities`: exactly its name, upper and lower case included'),
    schema: name
      .optional()
      .describe("the table's schema (MySQL: its database); with it, a dot in `table` belongs to the name"),
    query: name.optional().describe('a SELECT to read instead of a table, with whatever conditions and joins'),
    key: z
      .union([name, z.array(name).min(1).max(8)])
      .describe(
        'the column, or a list of columns, to read along: unique, never NULL, not changed while it is read; indexed, or every page costs a sort',
      ),
    pageSize: z.number().int().min(1).max(100_000).default(2_000).describe('rows that one statement reads'),
    fields,
    statementTimeoutMs: milliseconds
      .default(30_000)
      .describe('longest time of one statement, in milliseconds; then the server ends it. Keep it below timeoutMs'),
    connectTimeoutMs: milliseconds.default(15_000).describe('longest time to connect, in milliseconds'),
  })
  .refine(({ table, query }) => (table === undefined) !== (query === undefined), 'give either `table` or `query`')
  .refine(({ table, schema }) => table !== undefined || schema === undefined, '`schema` goes with `table`')
  .meta({
    examples: [{ url: 'postgres://owm@db.example/geo', password: '${DB_PASSWORD}', table: 'cities', key: 'id' }],
  })

type Settings = Omit<z.output<typeof options>, 'key'> & { readonly key: readonly string[] }

export default defineSource({
  name: 'sql',
  description: 'a table or query of PostgreSQL, MySQL, MariaDB or SQLite, in pages along a unique key',
  options,
  async open(given, context): Promise<Source> {
    const settings = { ...given, key: [given.key].flat() }
    const engine = await engineOf(settings, context.baseDir)
    const target = targetOf(settings, engine)
    const connection = new Connection(engine, target, settings.connectTimeoutMs, context.signal)
    return {
      read: (resume) => read(settings, engine, target, connection, context, resume),
      close: () => connection.close(),
    }
  },
})

/** What the databases don't have in common. */
interface Engine {
  /** For messages: neither user nor password. */
  readonly title: string
  readonly options: DataSourceOptions
  quoted(name: string): string
  /** Makes a new connection ready. */
  prepare(runner: QueryRunner, target: Target): Promise<unknown>
  /** Opens a page's transaction, where not all of the connection's are read-only. */
  readonly begin?: string
  /** SQL that writes the key's column number `index` as text, nothing lost. */
  written(column: string, index: number): string
  /** SQL for the value that was written so; throws ResumePointError where it can't have been. */
  literal(text: string, index: number, values: unknown[]): string
  limit(rows: number, values: unknown[]): string
  /** Whether `(a, b) > (1, 2)` makes use of an index. */
  readonly comparesTuples: boolean
  /** Where a driver rounds whole numbers beyond 2^53: the one that was written so. */
  wholeNumber?(written: string): string | undefined
  /** Ends what the driver's connection is at. */
  cut(raw: { destroy?(): void; stream?: { destroy(): void }; interrupt?(): void }): void
  /** Milliseconds that this side waits for a statement. */
  readonly patienceMs: number
}

/** What is read, in SQL. */
interface Target {
  readonly from: string
  /** The key. */
  readonly columns: readonly string[]
}

function targetOf({ table, schema, query, key }: Settings, { quoted }: Engine): Target {
  const path = schema === undefined ? (table ?? '').split('.') : [schema, table ?? '']
  return {
    // On a line of its own, the bracket doesn't fall to a comment.
    from: `${query === undefined ? path.map((part) => quoted(part)).join('.') : `(${query.replace(/[\s;]+$/, '')}\n)`} AS q`,
    columns: key.map((column) => `q.${quoted(column)}`),
  }
}

// --- reading ---

interface Row {
  readonly record: Readonly<Record<string, unknown>>
  /** The key's columns, written as text. */
  readonly key: readonly string[]
  /** False for the last row of the page before, and for any other that has the same key. */
  readonly isNew: boolean
}

async function* read(
  settings: Settings,
  engine: Engine,
  target: Target,
  connection: Connection,
  { attempt, signal }: PluginContext,
  resume: string | undefined,
): AsyncGenerator<LocationBatch> {
  const { key, pageSize } = settings
  const toLocation = fieldMapper(settings.fields)
  const wrongKey = (what: string): ConfigurationError =>
    new ConfigurationError(`The key ${key.join(', ')} can't be read along in ${engine.title}: ${what}.`, {
      hint: 'Set source.key to a column, or a list of columns, that is unique and never NULL, such as the primary key.',
    })

  const isNull = target.columns.map((column) => `${column} IS NULL`).join(' OR ')
  const [lost] = await attempt(() => connection.rows(anyStatement(target, engine, isNull)))
  if (lost) throw wrongKey('it is NULL in some rows')

  let last: readonly string[] | undefined = resume === undefined ? undefined : fromResume(resume, key)
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    const limit = last ? pageSize + 1 : pageSize
    const statement = pageStatement(target, last, limit, engine)
    const ask = async (): Promise<Record<string, unknown>[]> => {
      const raw = await connection.rows(statement)
      if (raw.length > 0 || !last || (await connection.rows(anyStatement(target, engine))).length > 0) return raw
      throw new TransientError(
        `${engine.title}: all rows are gone since this read began; it looks as if they were being replaced.`,
      )
    }
    const raw = await attempt(ask).catch((error: unknown) => {
      // 22, a data exception: 'Berlin' is no number, so the key was of another type when it was written.
      if (isFirst && last && stateOf(error).startsWith('22')) throw foreignResume(toError(error).message)
      throw error
    })
    const found = raw.map(rowOf)
    const rows = found.filter((row) => row.isNew || !isDeepStrictEqual(row.key, last))
    const again =
      found.filter((row) => !row.isNew)[1] ??
      rows.find((row, index) => isDeepStrictEqual(row.key, rows[index - 1]?.key))
    if (again) throw wrongKey(`${positionOf(again, key)} is there more than once`)
    const final = rows.at(-1)
    if (!final) return
    const locations = rows.map((row) => locationOf(row, key, engine, toLocation))
    if (isFirst) checkColumns(locations, final, engine)
    last = final.key
    yield {
      locations,
      resume: JSON.stringify({ key, last }),
      position: (index) => positionOf(rows[index] ?? final, key),
    }
    if (found.length < limit) return
  }
}

interface Statement {
  readonly sql: string
  readonly values: unknown[]
}

/**
 * A page from the last key on, that one included: if more than one row turns
 * out to have it, a page border went through them, and what lies behind it
 * would be lost without a word.
 */
function pageStatement(
  { from, columns }: Target,
  last: readonly string[] | undefined,
  limit: number,
  engine: Engine,
): Statement {
  const values: unknown[] = []
  const literals = last?.map((text, index) => engine.literal(text, index, values))
  const isNew = literals ? comparison(columns, '>', literals, engine) : '1 = 1'
  const where = literals ? `WHERE ${comparison(columns, '>=', literals, engine)} ` : ''
  const keys = columns.map(
    (column, index) => `${engine.written(column, index)} AS ${engine.quoted(`${keyPrefix}${index}`)}`,
  )
  const selected = ['q.*', ...keys, `(${isNew}) AS ${engine.quoted(isNewColumn)}`]
  const order = `ORDER BY ${columns.join(', ')} LIMIT ${engine.limit(limit, values)}`
  return { sql: `SELECT ${selected.join(', ')} FROM ${from} ${where}${order}`, values }
}

/** Whether there is any row, or one like this. */
function anyStatement({ from }: Target, engine: Engine, condition = '1 = 1'): Statement {
  const values: unknown[] = []
  return { sql: `SELECT 1 FROM ${from} WHERE ${condition} LIMIT ${engine.limit(1, values)}`, values }
}

/** Names that no column of anybody's has. */
const keyPrefix = 'owm: key '
const isNewColumn = 'owm: is new'

function comparison(
  columns: readonly string[],
  operator: '>' | '>=',
  literals: readonly string[],
  { comparesTuples }: Engine,
): string {
  if (columns.length === 1) return `${columns[0]} ${operator} ${literals[0]}`
  if (comparesTuples) return `(${columns.join(', ')}) ${operator} (${literals.join(', ')})`
  const end = columns.length - 1
  const ranges = columns.map((column, index) => {
    const same = columns.slice(0, index).map((before, at) => `${before} = ${literals[at]}`)
    return `(${[...same, `${column} ${index === end ? operator : '>'} ${literals[index]}`].join(' AND ')})`
  })
  return `(${ranges.join(' OR ')})`
}

function rowOf(raw: Readonly<Record<string, unknown>>): Row {
  const record: Record<string, unknown> = Object.create(null)
  const key: string[] = []
  for (const [column, value] of Object.entries(raw))
    if (column.startsWith(keyPrefix)) key.push(String(value))
    else if (column !== isNewColumn) record[column] = value
  return { record, key, isNew: Boolean(Number(raw[isNewColumn])) }
}

const foreignResume = (why: string): ResumePointError =>
  new ResumePointError(`the last key that was read doesn't fit this key: ${why}`)

function fromResume(resume: string, key: readonly string[]): readonly string[] {
  const point = z
    .object({ key: z.array(z.string()), last: z.array(z.string()) })
    .refine((point) => isDeepStrictEqual(point.key, key) && point.last.length === key.length)
    .safeParse(json(resume))
  if (!point.success) throw foreignResume(`${resume.slice(0, 100)} is not one of ${key.join(', ')}`)
  return point.data.last
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function positionOf({ record, key }: Row, columns: readonly string[]): string {
  return columns.map((column, index) => `${column} = ${plain(record[column]) ?? key[index]}`).join(', ')
}

/** Bytes as hex digits: what a driver calls a Buffer has no better form in JSON. */
const plain = (value: unknown): unknown => (Buffer.isBuffer(value) ? value.toString('hex') : value)

function locationOf(
  { record, key }: Row,
  columns: readonly string[],
  { wholeNumber }: Engine,
  toLocation: (record: Location) => Location,
): Location | Malformed {
  const values: Record<string, unknown> = Object.create(null)
  for (const [column, value] of Object.entries(record)) {
    values[column] = plain(value)
    if (!wholeNumber || !Number.isInteger(value) || Number.isSafeInteger(value)) continue
    const exact = wholeNumber(key[columns.indexOf(column)] ?? '')
    if (exact === undefined)
      return new Malformed(
        JSON.stringify(record),
        `${column} is a number beyond 2^53, which arrives rounded: read it with a query, as CAST(${column} AS TEXT)`,
      )
    values[column] = exact
  }
  return toLocation(values)
}

/** That no row at all has a latitude is no matter of its rows. */
function checkColumns(locations: readonly (Location | Malformed)[], { record }: Row, { title }: Engine): void {
  const readable = locations.filter((location) => !(location instanceof Malformed))
  for (const needed of ['latitude', 'longitude', 'city'])
    if (readable.length > 0 && !readable.some((location) => needed in location))
      throw new ConfigurationError(
        `No column of ${title} is the ${needed}: there are ${Object.keys(record).join(', ').slice(0, 300)}.`,
        {
          hint: `Say which one it is with source.fields: \`${needed}: COLUMN\`.`,
        },
      )
}

// --- the connection ---

const silent = {
  logQuery() {},
  logQueryError() {},
  logQuerySlow() {},
  logSchemaBuild() {},
  logMigration() {},
  log() {},
}

/** Made when it's needed, and given up after any failure: the next attempt gets a new one. */
class Connection {
  readonly #engine: Engine
  readonly #target: Target
  readonly #connectTimeoutMs: number
  readonly #signal: AbortSignal
  #source: DataSource | undefined
  #connecting: Promise<unknown> | undefined
  #runner: QueryRunner | undefined

  constructor(engine: Engine, target: Target, connectTimeoutMs: number, signal: AbortSignal) {
    this.#engine = engine
    this.#target = target
    this.#connectTimeoutMs = connectTimeoutMs
    this.#signal = signal
  }

  /** What one statement gives, in a read-only transaction of its own. */
  async rows({ sql, values }: Statement): Promise<Record<string, unknown>[]> {
    const { begin, patienceMs } = this.#engine
    try {
      const runner = this.#runner ?? (await this.#connect())
      if (begin) await this.#within(patienceMs, 'a statement', runner.query(begin))
      const rows: Record<string, unknown>[] = await this.#within(patienceMs, 'a statement', runner.query(sql, values))
      if (begin) await this.#within(patienceMs, 'a statement', runner.query('COMMIT'))
      return rows
    } catch (error) {
      this.#drop()
      throw classed(error, this.#engine)
    }
  }

  async close(): Promise<void> {
    const source = this.#source
    this.#source = undefined
    await this.#connecting?.catch(() => undefined)
    await source?.driver.disconnect()
  }

  async #connect(): Promise<QueryRunner> {
    const { DataSource } = await import('typeorm')
    const source = new DataSource({ ...this.#engine.options, logger: silent })
    this.#source = source
    this.#connecting = source.initialize()
    await this.#within(this.#connectTimeoutMs, 'connecting', this.#connecting)
    const runner = source.createQueryRunner()
    this.#runner = runner
    await this.#within(this.#engine.patienceMs, 'a statement', this.#engine.prepare(runner, this.#target))
    return runner
  }

  /** Waits no longer than this, and not once the signal aborts: a driver may wait for a silent server for ever. */
  async #within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
    let stop: (reason: unknown) => void = () => undefined
    const stopped = new Promise<never>((_, reject) => {
      stop = reject
    })
    const late = setTimeout(
      () => stop(new TransientError(`${this.#engine.title}: ${what} took longer than ${ms / 1000} s`)),
      ms,
    )
    const onAbort = (): void => stop(this.#signal.reason)
    this.#signal.addEventListener('abort', onAbort)
    if (this.#signal.aborted) onAbort()
    try {
      return await Promise.race([work, stopped])
    } finally {
      clearTimeout(late)
      this.#signal.removeEventListener('abort', onAbort)
    }
  }

  #drop(): void {
    const { cut } = this.#engine
    const [source, connecting, runner] = [this.#source, this.#connecting, this.#runner]
    this.#source = this.#connecting = this.#runner = undefined
    void (async () => {
      await connecting?.catch(() => undefined)
      if (runner) cut(await runner.connect())
      await source?.driver.disconnect()
    })().catch(() => undefined)
  }
}

// --- the engines ---

async function engineOf(settings: Settings, baseDir: string): Promise<Engine> {
  const driver = drivers[schemeOf(settings.url) ?? '']
  if (driver === undefined) return sqlite(settings, baseDir)
  const server = await serverOf(settings, baseDir)
  return driver === 'pg'
    ? postgres(settings, server, await driverModule(driver, baseDir))
    : mysql(settings, server, await driverModule(driver, baseDir))
}

/** The user's own package, found from the configuration's folder, or the one beside owm. */
async function driverModule<Driver>(name: 'pg' | 'mysql2', baseDir: string): Promise<Driver> {
  for (const place of [join(baseDir, 'owm.js'), import.meta.url]) {
    let file: string
    try {
      file = createRequire(place).resolve(name)
    } catch (error) {
      if (codeOf(error) === 'MODULE_NOT_FOUND') continue
      throw error
    }
    const module: { default: Driver } = await import(pathToFileURL(file).href)
    return module.default
  }
  throw new ConfigurationError(
    `The source sql needs the package ${name} for this database, and neither ${baseDir} nor owm has it.`,
    {
      hint: `Install it: \`npm install ${name}\`, where owm is installed or beside the configuration.`,
    },
  )
}

interface Server {
  readonly title: string
  readonly host: string
  readonly port?: number
  /** The path of a Unix socket, in place of host and port. */
  readonly socket?: string
  readonly username?: string
  readonly password?: string
  readonly database: string
  readonly ssl?: object
}

const parameters = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'host']
const sslModes = ['disable', 'require', 'verify-ca', 'verify-full']

async function serverOf({ url: text, password }: Settings, baseDir: string): Promise<Server> {
  const url = new URL(text)
  const parameter = (name: string): string | undefined => url.searchParams.get(name) ?? undefined
  const unknown = [...url.searchParams.keys()].find((key) => !parameters.includes(key))
  if (unknown !== undefined)
    throw new ConfigurationError(`source.url has the parameter ${unknown}, which is not known.`, {
      hint: `Known parameters: ${parameters.join(', ')}.`,
    })
  const mode = parameter('sslmode')
  if (mode !== undefined && !sslModes.includes(mode))
    throw new ConfigurationError(`source.url has sslmode=${mode}, which is not known.`, {
      hint: `Known: ${sslModes.join(', ')}.`,
    })
  const pem = async (name: string): Promise<Buffer | undefined> => {
    const file = parameter(name)
    if (file === undefined) return undefined
    return readFile(resolve(baseDir, file)).catch((error: unknown) => {
      throw new ConfigurationError(`The file ${resolve(baseDir, file)} can't be read: ${toError(error).message}`, {
        hint: `Correct ${name} in source.url.`,
      })
    })
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1') || 'localhost'
  const socket = parameter('host')
  const database = decoded(url.pathname.slice(1))
  const [username, inUrl] = [decoded(url.username), decoded(url.password)]
  const [ca, cert, key] = [await pem('sslrootcert'), await pem('sslcert'), await pem('sslkey')]
  return {
    title: `${socket ?? `${host}${url.port ? `:${url.port}` : ''}`}/${database}`,
    host,
    database,
    ...(socket === undefined ? {} : { socket }),
    ...(url.port ? { port: Number(url.port) } : {}),
    ...(username ? { username } : {}),
    ...((password ?? inUrl) ? { password: password ?? inUrl } : {}),
    ...(mode === undefined || mode === 'disable' ? {} : { ssl: tls(mode, { ca, cert, key }) }),
  }
}

/** libpq's words: `require` encrypts, `verify-ca` trusts the certificate's issuer, `verify-full` looks at its name, too. */
function tls(mode: string, files: Readonly<Record<'ca' | 'cert' | 'key', Buffer | undefined>>): object {
  const given = Object.fromEntries(Object.entries(files).filter(([, content]) => content !== undefined))
  const isFull = mode === 'verify-full'
  // pg goes by Node's own checkServerIdentity, mysql2 by verifyIdentity.
  return {
    ...given,
    rejectUnauthorized: mode !== 'require',
    verifyIdentity: isFull,
    ...(isFull ? {} : { checkServerIdentity: () => undefined }),
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new ConfigurationError("source.url isn't well percent-encoded.", {
      hint: 'In user, password and name write % as %25.',
      cause,
    })
  }
}

/** Milliseconds that a server gets to say by itself that a statement takes too long. */
const graceMs = 2_000

interface Pg {
  readonly Pool: unknown
  readonly types: { getTypeParser(oid: number, format?: string): (text: string) => unknown }
}

/** Dates, times and intervals, and lists of them: pg would put them into the process' time zone, and cut them at milliseconds. */
const timeOids = new Set([1082, 1083, 1114, 1184, 1186, 1266, 1115, 1182, 1183, 1185, 1187, 1270])
const int8Oid = 20

function postgres({ statementTimeoutMs, connectTimeoutMs }: Settings, server: Server, { Pool, types }: Pg): Engine {
  const { title, host, port, socket, username, database, ssl } = server
  const password = server.password ?? process.env['PGPASSWORD']
  const getTypeParser = (oid: number, format?: string): ((text: string) => unknown) => {
    if (timeOids.has(oid)) return (text) => text
    if (oid === int8Oid) return (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : text)
    return types.getTypeParser(oid, format)
  }
  return {
    title: `PostgreSQL at ${title}`,
    options: {
      type: 'postgres',
      driver: { Pool }, // without `native`: TypeORM would take that
      host: socket ?? host,
      ...(port === undefined ? {} : { port }),
      ...(username === undefined ? {} : { username }),
      password: () => {
        // Asked for where the server wants one.
        if (password !== undefined) return password
        throw new ConfigurationError(`PostgreSQL at ${title} wants a password.`, {
          hint: 'Put one into source.url or source.password.',
        })
      },
      database,
      connectTimeoutMS: connectTimeoutMs,
      poolSize: 1,
      applicationName: 'owm',
      extra: { types: { getTypeParser }, ...(ssl ? { ssl } : {}) },
    },
    quoted: (name) => `"${name.replaceAll('"', '""')}"`,
    prepare: async () => undefined,
    // All of it ends with the transaction: between us and the server there may be a pool that hands connections around.
    begin: `BEGIN READ ONLY; SET LOCAL statement_timeout = ${statementTimeoutMs}; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL extra_float_digits = 3`,
    written: (column) => `${column}::text`,
    literal: (text, _, values) => `$${values.push(text)}`,
    // Never without a parameter: several statements in one are taken only then.
    limit: (rows, values) => `$${values.push(rows)}`,
    comparesTuples: true,
    cut: () => undefined, // pg ends the socket itself where a statement runs
    patienceMs: statementTimeoutMs + graceMs,
  }
}

interface MysqlField {
  readonly columnType: number
  readonly flags: number
  readonly characterSet: number
}
/** TypeORM passes on the rows alone. */
type MysqlQuery = (
  sql: string,
  done: (error: Error | null, rows: unknown, fields: readonly MysqlField[]) => void,
) => void

/** How the key's columns are compared; by MySQL's numbers for types, flags and character sets. */
const mysqlTypes = {
  numbers: [0, 1, 2, 3, 5, 8, 9, 13, 246],
  times: [7, 10, 11, 12, 14],
  strings: [15, 249, 250, 251, 252, 253, 254],
}
const enumOrSet = 256 | 2048
const binaryCharset = 63

function mysql({ url, statementTimeoutMs, connectTimeoutMs, key }: Settings, server: Server, driver: object): Engine {
  const { host, port, socket, username, password, database, ssl } = server
  const title = `${schemeOf(url) === 'mariadb' ? 'MariaDB' : 'MySQL'} at ${server.title}`
  let kinds: ('number' | 'text' | 'binary')[] = []
  return {
    title,
    options: {
      type: 'mysql',
      driver,
      connectorPackage: 'mysql2',
      host,
      ...(port === undefined ? {} : { port }),
      ...(socket === undefined ? {} : { socketPath: socket }),
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      database,
      charset: 'UTF8MB4_GENERAL_CI',
      dateStrings: true,
      supportBigNumbers: true,
      bigNumberStrings: false,
      connectTimeout: connectTimeoutMs,
      poolSize: 1,
      ...(ssl ? { ssl } : {}),
    },
    quoted: (name) => `\`${name.replaceAll('`', '``')}\``,
    async prepare(runner, { from, columns }) {
      const [{ version }]: [{ version: string }] = await runner.query('SELECT VERSION() AS version')
      const timeout = version.includes('MariaDB')
        ? `max_statement_time = ${statementTimeoutMs / 1000}`
        : `max_execution_time = ${statementTimeoutMs}`
      // In a local time zone an hour a year is there twice.
      await runner.query(`SET SESSION time_zone = '+00:00', ${timeout}`)
      await runner.query('SET SESSION TRANSACTION READ ONLY')
      const raw: { query: MysqlQuery } = await runner.connect()
      const fields = await new Promise<readonly MysqlField[]>((resolve, reject) => {
        raw.query(`SELECT ${columns.join(', ')} FROM ${from} LIMIT 0`, (error, _, fields) =>
          error ? reject(error) : resolve(fields),
        )
      })
      kinds = fields.map((field, index) => mysqlKind(field, key[index] ?? '', title))
    },
    written: (column, index) => (kinds[index] === 'binary' ? `HEX(${column})` : `CAST(${column} AS CHAR)`),
    literal(text, index) {
      const kind = kinds[index]
      // A text beside a number would be compared as a double.
      if (kind === 'number' && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)) return text
      if (kind === 'binary' && /^([0-9A-F]{2})*$/i.test(text)) return `X'${text}'`
      // As hex digits: whether \ escapes is a matter of the server's settings.
      if (kind === 'text') return `_utf8mb4 X'${Buffer.from(text).toString('hex')}'`
      throw foreignResume(`${text.slice(0, 100)} is no ${kind}`)
    },
    limit: (rows) => String(rows),
    comparesTuples: false,
    cut(raw) {
      // destroy() alone says goodbye and waits for the server, which is at work.
      raw.destroy?.()
      raw.stream?.destroy()
    },
    patienceMs: statementTimeoutMs + graceMs,
  }
}

function mysqlKind(
  { columnType, flags, characterSet }: MysqlField,
  column: string,
  title: string,
): 'number' | 'text' | 'binary' {
  if (mysqlTypes.numbers.includes(columnType)) return 'number'
  if (mysqlTypes.times.includes(columnType)) return 'text'
  if (mysqlTypes.strings.includes(columnType) && (flags & enumOrSet) === 0)
    return characterSet === binaryCharset ? 'binary' : 'text'
  throw new ConfigurationError(
    `The key ${column} can't be read along in ${title}: a FLOAT, ENUM, SET, BIT, JSON or GEOMETRY isn't ordered as it is compared.`,
    {
      hint: 'Set source.key to another unique column, or in a query to CAST(… AS CHAR).',
    },
  )
}

async function sqlite({ url, statementTimeoutMs }: Settings, baseDir: string): Promise<Engine> {
  const path = resolve(baseDir, url.replace(/^sqlite:(\/\/)?/i, ''))
  const title = `SQLite at ${path}`
  await stat(path).catch((error: unknown) => {
    throw new ConfigurationError(
      `The database ${path} can't be read: ${codeOf(error) === 'ENOENT' ? 'there is no such file' : toError(error).message}.`,
      {
        hint: 'Correct source.url; a relative path starts at the configuration file.',
        cause: error,
      },
    )
  })
  const { default: sqlite3 } = await import('sqlite3')
  return {
    title,
    options: {
      type: 'sqlite',
      // As a URI, or TypeORM would make the folder.
      database: pathToFileURL(path).href,
      flags: sqlite3.OPEN_READONLY | sqlite3.OPEN_URI | sqlite3.OPEN_FULLMUTEX,
      busyTimeout: Math.min(statementTimeoutMs, 10_000),
      driver: {
        ...sqlite3,
        verbose() {
          return this
        },
      },
    },
    quoted: (name) => `"${name.replaceAll('"', '""')}"`,
    prepare: (runner) => runner.query('PRAGMA query_only = ON'),
    // A column may hold values of all types. Text as hex: it need not be valid.
    written: (column) =>
      `typeof(${column}) || ':' || CASE WHEN typeof(${column}) IN ('text', 'blob') THEN hex(${column}) ELSE quote(${column}) END`,
    literal(text, _, values) {
      const [, type, value = ''] = /^(integer|real|text|blob):(.*)$/.exec(text) ?? []
      if (type === undefined) throw foreignResume(`${text.slice(0, 100)} is no value of SQLite`)
      const parameter = `?${values.push(type === 'text' || type === 'blob' ? Buffer.from(value, 'hex') : value)}`
      // The plus takes the affinity away, which would make other values of a column look like numbers.
      return type === 'blob' ? parameter : `+CAST(${parameter} AS ${type})`
    },
    limit: (rows) => String(rows),
    comparesTuples: true,
    wholeNumber: (written) => /^integer:(.*)$/.exec(written)?.[1],
    cut: (raw) => raw.interrupt?.(),
    patienceMs: statementTimeoutMs,
  }
}

// --- errors ---

/** What a retry doesn't help against: SQLSTATE's classes, in PostgreSQL and MySQL alike. */
const lastingStates = ['0A', '21', '22', '25', '26', '28', '2F', '38', '39', '3D', '3F', '42', '44']
/** Of these, what passes: an idle transaction that was ended. */
const passingStates = ['25P03']
/** MySQL: too many connections of this user; limits of a user. */
const passingErrnos = [1203, 1226]
/** MySQL, under the general state HY000: host not allowed, mixed collations, broken view, unknown authentication. */
const lastingErrnos = [1130, 1267, 1356, 1524]
const lastingCodes =
  /^(SQLITE_(ERROR|CANTOPEN|NOTADB|CORRUPT|PERM|AUTH|READONLY|MISMATCH)|HANDSHAKE_NO_SSL_SUPPORT|ERR_TLS_.*|CERT_.*|.*_CERT|DEPTH_ZERO_.*|SELF_SIGNED_.*)$/

const hints: readonly (readonly [state: RegExp, hint: string])[] = [
  [
    /^28|^1045$/,
    'Correct user and password in source.url, or set source.password; a server may also want TLS: add ?sslmode=require.',
  ],
  [/^3D/, "Correct the database's name in source.url."],
  [
    /^(42P01|42S02|3F000)$/,
    'Correct source.table or source.query: names are taken as they are written, upper and lower case included.',
  ],
  [
    /^(42703|42S22)$/,
    'Correct source.key or source.query: names are taken as they are written, upper and lower case included.',
  ],
  [/^25/, 'owm only reads: leave out of source.query what writes.'],
  [/^(42501|42000)$/, 'Correct source.query, or give the user the right to SELECT.'],
]

/** The SQLSTATE of whatever a driver's error is wrapped in ('' where it has none). */
function stateOf(thrown: unknown): string {
  const error = driverErrorOf(thrown)
  return 'sqlState' in error && typeof error.sqlState === 'string' ? error.sqlState : codeOf(error)
}

function driverErrorOf(thrown: unknown): Error {
  const error = toError(thrown)
  if ('driverError' in error) return toError(error.driverError)
  return error instanceof OwmError && error.cause !== undefined ? driverErrorOf(error.cause) : error
}

/** mysql2 gives every failure of a TLS handshake the same code; those of the network still have the socket's marks. */
const isCertificateError = (error: Error): boolean =>
  codeOf(error) === 'HANDSHAKE_SSL_ERROR' && !('syscall' in error || 'localAddress' in error)

function classed(thrown: unknown, { title }: Engine): OwmError {
  if (thrown instanceof OwmError) return thrown
  const error = driverErrorOf(thrown)
  const state = stateOf(error)
  const errno = 'errno' in error && typeof error.errno === 'number' ? error.errno : 0
  const isLasting =
    (lastingStates.includes(state.slice(0, 2)) && !passingStates.includes(state) && !passingErrnos.includes(errno)) ||
    lastingErrnos.includes(errno) ||
    isCertificateError(error) ||
    lastingCodes.test(codeOf(error))
  const message = `${title}: ${error.message || codeOf(error)}`
  if (isLasting)
    return new ConfigurationError(message, {
      hint: hints.find(([found]) => found.test(state))?.[1] ?? 'Correct source.query, source.key or source.url.',
      cause: error,
    })
  return new TransientError(message, { cause: error })
}
