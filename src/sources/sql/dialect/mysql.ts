/** MySQL and MariaDB. */
import type { QueryRunner } from 'typeorm'
import { graceMs, type Server } from '../../../databases/server.js'
import { ConfigurationError } from '../../../errors/index.js'
import { parseJson } from '../../../tasks/json/parse.js'
import { foreignKey } from '../checkpoint.js'
import { type Settings, schemeOf } from '../options.js'
import { type Dialect, lockTimeoutMs } from './dialect.js'

interface MysqlField {
  readonly name: string
  readonly columnType: number
  readonly flags: number
  readonly characterSet: number
}
/** The driver's own query: TypeORM's gives the rows only, not the fields. */
type MysqlQuery = (
  sql: string,
  done: (error: Error | null, rows: unknown, fields: readonly MysqlField[]) => void,
) => void

/** How key columns are compared, by MySQL's numbers of types; below, those of flags and character sets. */
const mysqlTypes = {
  numbers: [0, 1, 2, 3, 5, 8, 9, 13, 246],
  times: [7, 10, 11, 12, 14],
  strings: [15, 249, 250, 251, 252, 253, 254],
}
const catalogue = `
  SELECT c.table_schema AS schema_name, c.table_name AS table_name, 1 AS is_visible,
    CONCAT('\`', REPLACE(c.table_name, '\`', '\`\`'), '\`') AS table_sql,
    c.column_name AS column_name, CONCAT('\`', REPLACE(c.column_name, '\`', '\`\`'), '\`') AS column_sql,
    c.data_type AS type_name, k.ordinal_position AS key_at
  FROM information_schema.columns c
  LEFT JOIN information_schema.key_column_usage k ON k.constraint_name = 'PRIMARY' AND k.table_schema = c.table_schema
    AND k.table_name = c.table_name AND k.column_name = c.column_name
  WHERE c.table_schema = DATABASE()
  ORDER BY c.table_name, c.ordinal_position`
const enumOrSet = 256 | 2048
const binaryCharset = 63

export function mysql(
  { url, statementTimeoutMs, connectTimeoutMs, key }: Settings,
  server: Server,
  driver: object,
): Dialect {
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
      extra: { typeCast },
      ...(ssl ? { ssl } : {}),
    },
    quoted: (name) => `\`${name.replaceAll('`', '``')}\``,
    async prepare(runner, { from, columns }) {
      const [{ version }]: [{ version: string }] = await runner.query('SELECT VERSION() AS version')
      const timeout = version.includes('MariaDB')
        ? `max_statement_time = ${statementTimeoutMs / 1000}`
        : `max_execution_time = ${statementTimeoutMs}`
      // In whole seconds; 0 would not wait at all.
      const lockSeconds = Math.max(1, Math.floor(lockTimeoutMs(statementTimeoutMs) / 1000))
      // A local time zone has one hour a year twice.
      await runner.query(`SET SESSION time_zone = '+00:00', lock_wait_timeout = ${lockSeconds}, ${timeout}`)
      await runner.query('SET SESSION TRANSACTION READ ONLY')
      const fields = await fieldsOf(runner, `SELECT ${columns.join(', ')} FROM ${from} LIMIT 0`)
      kinds = fields.map((field, index) => mysqlKind(field, key[index] ?? '', title))
    },
    catalogue,
    columns: async (runner, sql) => (await fieldsOf(runner, `${sql} LIMIT 0`)).map(({ name }) => name),
    written: (column, index) => (kinds[index] === 'binary' ? `HEX(${column})` : `CAST(${column} AS CHAR)`),
    // The second tells bytes from numbers and times: the collation of all three is `binary`.
    ordering({ columns }) {
      const told = columns.map((column) => `COLLATION(${column}), COLLATION(CONCAT(${column}))`)
      return `CONCAT_WS(' ', ${told.join(', ')})`
    },
    identity: ({ path }) => path && createdAt(path),
    literal(text, index) {
      const kind = kinds[index]
      // MySQL compares a number and a text as doubles.
      if (kind === 'number' && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)) return text
      if (kind === 'binary' && /^([0-9A-F]{2})*$/i.test(text)) return `X'${text}'`
      if (kind === 'text') return textLiteral(text)
      throw foreignKey(`${text.slice(0, 100)} is no ${kind}`)
    },
    limit: (rows) => String(rows),
    comparesTuples: false,
    cut(raw) {
      // destroy() alone closes gracefully, and waits for the server to finish the statement.
      raw.destroy?.()
      raw.stream?.destroy()
    },
    statementTimeoutMs,
    patienceMs: statementTimeoutMs + graceMs,
  }
}

/** In hex, since whether \ escapes depends on the server's settings. */
const textLiteral = (text: string): string => `_utf8mb4 X'${Buffer.from(text).toString('hex')}'`

/** SQL for when a table was created, or got its name: a table that takes another's place has another time. */
function createdAt(path: readonly string[]): string {
  const [table = '', schema] = path.toReversed()
  const space = schema === undefined ? 'DATABASE()' : textLiteral(schema)
  return (
    '(SELECT MAX(create_time) FROM information_schema.tables ' +
    `WHERE table_schema = ${space} AND table_name = ${textLiteral(table)})`
  )
}

/**
 * mysql2's own JSON parser rounds long numbers, and keeps only the last of two equal keys. MariaDB's JSON is text with
 * this extended format.
 */
function typeCast(
  field: { readonly type: string; readonly extendedFormat?: string; string(encoding: string): string | null },
  next: () => unknown,
): unknown {
  if (field.type !== 'JSON' && field.extendedFormat !== 'json') return next()
  const text = field.string('utf8')
  return text === null ? null : parseJson(text)
}

async function fieldsOf(runner: QueryRunner, sql: string): Promise<readonly MysqlField[]> {
  const raw: { query: MysqlQuery } = await runner.connect()
  return new Promise((resolve, reject) => {
    raw.query(sql, (error, _, fields) => (error ? reject(error) : resolve(fields)))
  })
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
    `The key ${column} can't be read along in ${title}: ` +
      "a FLOAT, ENUM, SET, BIT, JSON or GEOMETRY isn't ordered as it is compared.",
    {
      hint: 'Set source.key to another unique column, or in a query to CAST(… AS CHAR).',
    },
  )
}
