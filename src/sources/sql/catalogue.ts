/** The tables of a database, for a configuration to choose from. Reads only. */
import * as z from 'zod'
import { Connection } from './connection.js'
import { dialectOf } from './dialect/index.js'
import type { options } from './options.js'
import { type Proposal, proposalFor } from './proposal.js'

export { options } from './options.js'

export interface Column {
  readonly name: string
  /** The name in SQL: quoted if necessary. */
  readonly sql: string
  readonly type: string
  /** Its position in the primary key; null if it isn't part of it. */
  readonly keyAt: number | null
}

export interface Table {
  readonly schema: string
  /** `stations`, or with its schema `geo.stations`. */
  readonly name: string
  readonly sql: string
  readonly columns: readonly Column[]
}

interface Catalogue {
  /** The database, for messages. */
  readonly title: string
  readonly tables: readonly (Table & { readonly proposal: Proposal })[]
}

const row = z.object({
  schema_name: z.string(),
  table_name: z.string(),
  is_visible: z.coerce.boolean(),
  table_sql: z.string(),
  column_name: z.string(),
  column_sql: z.string(),
  type_name: z.string(),
  key_at: z.number().nullable(),
})

/** Throws OwmError. */
export async function catalogueOf(
  given: z.output<typeof options>,
  baseDir: string,
  signal: AbortSignal,
): Promise<Catalogue> {
  const dialect = await dialectOf({ ...given, key: [] }, baseDir)
  const nothing = { from: '(SELECT 1 AS one) AS q', columns: ['q.one'] }
  const connection = new Connection(dialect, nothing, given.connectTimeoutMs, signal)
  try {
    const rows = z.array(row).parse(await connection.rows({ sql: dialect.catalogue, values: [] }))
    const tables = tablesOf(rows).map((table) => ({ ...table, proposal: proposalFor(table) }))
    return { title: dialect.title, tables }
  } finally {
    await connection.close()
  }
}

function tablesOf(rows: readonly z.output<typeof row>[]): Table[] {
  const tables = new Map<string, Table & { columns: Column[] }>()
  for (const { schema_name: schema, table_name, is_visible, table_sql: sql, ...column } of rows) {
    const name = is_visible ? table_name : `${schema}.${table_name}`
    const table = tables.get(sql) ?? { schema, name, sql, columns: [] }
    tables.set(sql, table)
    table.columns.push({
      name: column.column_name,
      sql: column.column_sql,
      type: column.type_name,
      keyAt: column.key_at,
    })
  }
  return [...tables.values()]
}
