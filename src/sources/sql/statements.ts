/** The statements of a keyset read. */
import type { Dialect, Target } from './dialect/dialect.js'
import type { Settings } from './options.js'

/** Text, names and comments, in which a semicolon ends nothing. */
const opaque = /'[^']*'|"[^"]*"|`[^`]*`|--[^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\//g
/** To MySQL and MariaDB, `5--3` is 8: only before a space do two dashes begin a comment. */
const opaqueToMysql = new RegExp(opaque.source.replace('--', String.raw`--(?=\s|$)`), 'g')

/** A query without the semicolon at its end and what follows that: spaces and comments. */
function withoutEnd(query: string, { type }: Dialect['options']): string {
  const parts = type === 'mysql' ? opaqueToMysql : opaque
  const bare = query.replace(parts, (part) => (/^[-/]/.test(part) ? ' ' : 'x').repeat(part.length))
  const end = bare.search(/;(?:[\s;]|#[^\n]*)*$/)
  return query.slice(0, end === -1 ? undefined : end).trimEnd()
}

export function targetOf({ table, schema, query, key }: Settings, { quoted, options }: Dialect): Target {
  const path = schema === undefined ? (table ?? '').split('.') : [schema, table ?? '']
  // The bracket is on a line of its own: a comment may end the query.
  const from = query === undefined ? path.map((part) => quoted(part)).join('.') : `(${withoutEnd(query, options)}\n)`
  return {
    from: `${from} AS q`,
    ...(query === undefined ? { path } : {}),
    columns: key.map((column) => `q.${quoted(column)}`),
  }
}

export interface Statement {
  readonly sql: string
  readonly values: unknown[]
}

/**
 * A page that begins with the last key: if several rows have that key, a page ended between them, and the others would
 * be lost silently.
 */
export function pageStatement(
  target: Target,
  last: readonly string[] | undefined,
  limit: number,
  dialect: Dialect,
): Statement {
  const { from, columns } = target
  const values: unknown[] = []
  const literals = last?.map((text, index) => dialect.literal(text, index, values))
  const isNew = literals ? comparison(columns, '>', literals, dialect) : '1 = 1'
  const where = literals ? `WHERE ${comparison(columns, '>=', literals, dialect)} ` : ''
  const keys = columns.map(
    (column, index) => `${dialect.written(column, index)} AS ${dialect.quoted(`${keyPrefix}${index}`)}`,
  )
  const ordering = dialect.ordering(target, values)
  const selected = [
    'q.*',
    ...keys,
    `${ordering} AS ${dialect.quoted(orderingColumn)}`,
    identity(target, dialect),
    `(${isNew}) AS ${dialect.quoted(isNewColumn)}`,
  ]
  const order = `ORDER BY ${columns.join(', ')} LIMIT ${dialect.limit(limit, values)}`
  return { sql: `SELECT ${selected.join(', ')} FROM ${from} ${where}${order}`, values }
}

/** Whether any row meets the condition. */
export function anyStatement({ from }: Target, dialect: Dialect, condition: string): Statement {
  const values: unknown[] = []
  return { sql: `SELECT 1 FROM ${from} WHERE ${condition} LIMIT ${dialect.limit(1, values)}`, values }
}

/** How many rows there are up to and including a key, at most `limit`; and of which table. */
export function countStatement(target: Target, last: readonly string[], limit: number, dialect: Dialect): Statement {
  const { from, columns } = target
  const values: unknown[] = []
  const literals = last.map((text, index) => dialect.literal(text, index, values))
  const upTo = `NOT (${comparison(columns, '>', literals, dialect)})`
  const rows = `SELECT 1 FROM ${from} WHERE ${upTo} LIMIT ${dialect.limit(limit, values)}`
  return { sql: `SELECT COUNT(*) AS n, ${identity(target, dialect)} FROM (${rows}) AS q`, values }
}

/** Names that no real column has. */
export const keyPrefix = 'owm: key '
export const orderingColumn = 'owm: ordering'
export const tableColumn = 'owm: table'
export const isNewColumn = 'owm: is new'

const identity = (target: Target, dialect: Dialect): string =>
  `${dialect.identity?.(target) ?? 'NULL'} AS ${dialect.quoted(tableColumn)}`

function comparison(
  columns: readonly string[],
  operator: '>' | '>=',
  literals: readonly string[],
  { comparesTuples }: Dialect,
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
