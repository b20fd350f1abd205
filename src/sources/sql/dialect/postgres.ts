/** PostgreSQL. */
import { accessTo, begin } from '../../../databases/postgres.js'
import { graceMs, type Server } from '../../../databases/server.js'
import { parseJson } from '../../../tasks/json/parse.js'
import type { Settings } from '../options.js'
import { type Dialect, lockTimeoutMs } from './dialect.js'

interface Pg {
  readonly Pool: unknown
  readonly types: { getTypeParser(oid: number, format?: string): (text: string) => unknown }
}

/**
 * Dates, times, intervals and arrays of them: pg would convert them to the process' time zone, and truncate them to
 * milliseconds.
 */
const timeOids = new Set([1082, 1083, 1114, 1184, 1186, 1266, 1115, 1182, 1183, 1185, 1187, 1270])
const int8Oid = 20
/** From pg_catalog: the information schema shows a table's keys only to users who may write to it. */
const catalogue = `
  SELECT n.nspname AS schema_name, c.relname AS table_name, pg_table_is_visible(c.oid) AS is_visible,
    CASE WHEN pg_table_is_visible(c.oid) THEN '' ELSE quote_ident(n.nspname) || '.' END || quote_ident(c.relname)
      AS table_sql,
    a.attname AS column_name, quote_ident(a.attname) AS column_sql, format_type(a.atttypid, NULL) AS type_name,
    array_position(i.indkey::int2[], a.attnum) AS key_at
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
    AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
    AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
  ORDER BY is_visible DESC, n.nspname, c.relname, a.attnum`
const jsonOids = new Set([114, 3802])

export function postgres(
  { statementTimeoutMs, connectTimeoutMs }: Settings,
  server: Server,
  { Pool, types }: Pg,
): Dialect {
  const { user, ssl, ...where } = accessTo(server, 'source')
  const getTypeParser = (oid: number, format?: string): ((text: string) => unknown) => {
    if (timeOids.has(oid)) return (text) => text
    if (oid === int8Oid) return (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : text)
    // pg's own parser rounds long numbers, and keeps only the last of two equal keys.
    if (jsonOids.has(oid)) return parseJson
    return types.getTypeParser(oid, format)
  }
  const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
  return {
    title: `PostgreSQL at ${server.title}`,
    options: {
      type: 'postgres',
      driver: { Pool }, // without `native`: TypeORM would take that
      ...where,
      ...(user === undefined ? {} : { username: user }),
      connectTimeoutMS: connectTimeoutMs,
      poolSize: 1,
      applicationName: 'owm',
      extra: { types: { getTypeParser }, ...(ssl ? { ssl } : {}) },
    },
    quoted,
    prepare: async () => undefined,
    begin: begin('BEGIN READ ONLY', {
      statement_timeout: statementTimeoutMs,
      lock_timeout: lockTimeoutMs(statementTimeoutMs),
      TimeZone: "'UTC'",
      DateStyle: "'ISO'",
      extra_float_digits: 3,
    }),
    catalogue,
    written: (column) => `${column}::text`,
    // As text, since pg_collation_for refuses numbers; the cast keeps the collation.
    ordering({ columns }) {
      const told = columns.map((column) => `pg_typeof(${column}), pg_collation_for(${column}::text)`)
      return `concat_ws(' ', ${told.join(', ')})`
    },
    // TRUNCATE and whatever else writes the rows to new files change the second number.
    identity({ path }) {
      const name = path?.map(quoted).join('.').replaceAll("'", "''")
      return name && `(SELECT concat(oid, ' ', relfilenode) FROM pg_class WHERE oid = to_regclass('${name}'))`
    },
    literal: (text, _, values) => `$${values.push(text)}`,
    // As a parameter: the server refuses several statements in a query that has one.
    limit: (rows, values) => `$${values.push(rows)}`,
    comparesTuples: true,
    async columns(runner, sql) {
      // TypeORM gives the rows only, and in a row the second of two columns of one name replaces the first.
      const client: { query(sql: string): Promise<{ fields: readonly { name: string }[] }> } = await runner.connect()
      const { fields } = await client.query(`${sql} LIMIT 0`)
      return fields.map(({ name }) => name)
    },
    cut: () => undefined, // pg destroys the socket itself if a statement is running
    statementTimeoutMs,
    patienceMs: statementTimeoutMs + graceMs,
  }
}
