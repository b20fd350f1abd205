/** PostgreSQL. */
import type { Server } from '../../../databases/server.js'
import { ConfigurationError } from '../../../errors/index.js'
import { parseJson } from '../../../tasks/json/parse.js'
import type { Settings } from '../options.js'
import { type Dialect, graceMs } from './dialect.js'

export interface Pg {
  readonly Pool: unknown
  readonly types: { getTypeParser(oid: number, format?: string): (text: string) => unknown }
}

/**
 * Dates, times and intervals, and lists of them: pg would put them into the process' time zone, and cut them at
 * milliseconds.
 */
const timeOids = new Set([1082, 1083, 1114, 1184, 1186, 1266, 1115, 1182, 1183, 1185, 1187, 1270])
const int8Oid = 20
const jsonOids = new Set([114, 3802])

export function postgres(
  { statementTimeoutMs, connectTimeoutMs }: Settings,
  server: Server,
  { Pool, types }: Pg,
): Dialect {
  const { title, host, port, socket, username, database, ssl } = server
  const password = server.password ?? process.env['PGPASSWORD']
  const getTypeParser = (oid: number, format?: string): ((text: string) => unknown) => {
    if (timeOids.has(oid)) return (text) => text
    if (oid === int8Oid) return (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : text)
    // pg's own parser rounds long numbers, and of two keys of one name it takes the last.
    if (jsonOids.has(oid)) return parseJson
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
    // All of it ends with the transaction: between us and the server there may be a pool that shares connections.
    begin: [
      'BEGIN READ ONLY',
      `SET LOCAL statement_timeout = ${statementTimeoutMs}`,
      "SET LOCAL TimeZone = 'UTC'",
      "SET LOCAL DateStyle = 'ISO'",
      'SET LOCAL extra_float_digits = 3',
    ].join('; '),
    written: (column) => `${column}::text`,
    literal: (text, _, values) => `$${values.push(text)}`,
    // Never without a parameter: several statements in one are taken only then.
    limit: (rows, values) => `$${values.push(rows)}`,
    comparesTuples: true,
    async columns(runner, sql) {
      // TypeORM passes on the rows alone, and in a row the second of two columns replaces the first.
      const client: { query(sql: string): Promise<{ fields: readonly { name: string }[] }> } = await runner.connect()
      const { fields } = await client.query(`${sql} LIMIT 0`)
      return fields.map(({ name }) => name)
    },
    cut: () => undefined, // pg ends the socket itself where a statement runs
    statementTimeoutMs,
    patienceMs: statementTimeoutMs + graceMs,
  }
}
