/** Reads a table or query page by page, along its key. */
import { isDeepStrictEqual } from 'node:util'
import { sqlStateOf } from '../../databases/failures.js'
import { ConfigurationError, ResumePointError, TransientError, toError } from '../../errors/index.js'
import { nearest } from '../../errors/suggest.js'
import type { LocationBatch, PluginContext } from '../../plugin.js'
import { Mapping } from '../fields/mapping.js'
import { Placed } from '../formats/records.js'
import { checkpointOf, foreignKey, pointOf, sameFile, sameOrdering } from './checkpoint.js'
import type { Connection } from './connection.js'
import type { Dialect, Target } from './dialect/dialect.js'
import type { Settings } from './options.js'
import { locationOf, positionOf, type Row, type RowShape, rowOf, tableOf } from './rows.js'
import { anyStatement, countStatement, pageStatement } from './statements.js'

interface Table {
  readonly dialect: Dialect
  readonly target: Target
  readonly connection: Connection
}

export async function* read(
  settings: Settings,
  table: Table,
  { attempt, signal, log }: PluginContext,
  resume: string | undefined,
): AsyncGenerator<LocationBatch> {
  const { key, pageSize } = settings
  const { dialect } = table
  const mapping = new Mapping(settings, { title: dialect.title, thing: 'column', log })
  const point = resume === undefined ? undefined : pointOf(resume, key)
  let last: readonly string[] | undefined = point?.last
  let [ordering, count, file] = [point?.ordering, point?.rows ?? 0, point?.file]
  const columns = await attempt(() => columnsOf(table))
  await attempt(() => mustHaveNoNulls(table, key)).catch((error: unknown) => {
    throw unknownKey(error, key, columns)
  })
  const reading: RowShape = { key, dialect, mapping }
  let names: readonly string[] | undefined
  for (let isFirst = true; ; isFirst = false) {
    signal.throwIfAborted()
    const limit = last ? pageSize + 1 : pageSize
    const { found, of } = await attempt(() => pageAfter(table, last, limit, count, isFirst)).catch((error: unknown) => {
      // 22, a data exception: 'Berlin' is no number, so the key had another type when the checkpoint was written.
      if (isFirst && last && sqlStateOf(error).startsWith('22')) throw foreignKey(toError(error).message)
      throw error
    })
    file = sameFile(dialect.file?.() ?? of, file)
    if (found[0]) ordering = sameOrdering(found[0].ordering, ordering)
    const rows = newRows(found, last, key, dialect)
    const final = rows.at(-1)
    if (!final) break
    if (isFirst) declare(mapping, columns, found[0]?.record ?? {})
    names = sameNames(found, names)
    last = final.key
    count += rows.length
    const batch = batchOf(rows, reading, checkpointOf(key, { last, ordering, rows: count, file }))
    mapping.judge(false)
    yield batch
    if (found.length < limit) break
  }
  mapping.judge(true)
}

/** Declares the columns, once a row is known. */
function declare(mapping: Mapping, columns: readonly string[] | undefined, row: Row['record']): void {
  const names = columns ?? Object.keys(row)
  mapping.declare(
    names,
    '',
    names.map((name) => row[name]),
  )
}

/** The names of a page's columns, in their order. Throws ResumePointError if the page before had others. */
function sameNames(found: readonly Row[], before: readonly string[] | undefined): readonly string[] {
  const names = Object.keys(found[0]?.record ?? {})
  if (before === undefined || isDeepStrictEqual(names, before)) return names
  throw new ResumePointError(`the columns have changed while they were read: ${names.join(', ').slice(0, 500)}`)
}

function batchOf(rows: readonly Row[], reading: RowShape, resume: string): LocationBatch {
  const placed = new Placed<Row>()
  for (const row of rows) placed.add(locationOf(row, reading), row)
  reading.mapping.count(placed.records)
  return {
    locations: placed.records,
    resume,
    position(index) {
      const row = placed.placeOf(index)
      return row ? positionOf(row, reading.key, reading.dialect) : ''
    },
  }
}

/** The names of the columns. Throws ConfigurationError if two are the same, since the second would win. */
async function columnsOf({ connection, dialect }: Table): Promise<readonly string[] | undefined> {
  const columns = await connection.columns()
  const twice = columns?.find((name, index) => columns.indexOf(name) < index)
  if (twice === undefined) return columns
  throw new ConfigurationError(`${dialect.title} gives two columns "${twice}".`, {
    hint: `Give each column of source.query a name of its own: \`b.${twice} AS other_${twice}\`.`,
  })
}

const wrongKey = (key: readonly string[], { title }: Dialect, what: string): ConfigurationError =>
  new ConfigurationError(`The key ${key.join(', ')} can't be read along in ${title}: ${what}.`, {
    hint: 'Set source.key to a column, or a list of columns, that is unique and never NULL, such as the primary key.',
  })

/** Adds the columns, and the nearest one, to an error if source.key names a missing column. */
function unknownKey(error: unknown, key: readonly string[], columns: readonly string[] = []): unknown {
  const wrong = key.find((name) => !columns.includes(name))
  if (!(error instanceof ConfigurationError) || wrong === undefined || columns.length === 0) return error
  const near = nearest(wrong, columns)
  const names = columns.join(', ').slice(0, 500)
  const hint = `source.key names ${wrong}; the columns are: ${names}.${near ? ` Did you mean "${near}"?` : ''}`
  return new ConfigurationError(error.message, { hint, cause: error })
}

async function mustHaveNoNulls({ dialect, target, connection }: Table, key: readonly string[]): Promise<void> {
  const isNull = target.columns.map((column) => `${column} IS NULL`).join(' OR ')
  const [withNull] = await connection.rows(anyStatement(target, dialect, isNull))
  if (withNull) throw wrongKey(key, dialect, 'it is NULL in some rows')
}

/**
 * The page after a key, beginning with that key's own row. If that row is gone on the last page, and so are most of the
 * rows that were read, the table is being replaced: its rows so far would be taken for the whole list. Throws
 * TransientError then, or ResumePointError on a start's first page: the table may have been replaced long before.
 */
async function pageAfter(
  { dialect, target, connection }: Table,
  last: readonly string[] | undefined,
  limit: number,
  before: number,
  isFirst: boolean,
): Promise<{ found: Row[]; of: string | undefined }> {
  const found = (await connection.rows(pageStatement(target, last, limit, dialect))).map(rowOf)
  const of = found[0]?.table
  if (!last || found.length === limit || found.some(({ isNew }) => !isNew)) return { found, of }
  const half = Math.max(1, Math.ceil(before / 2)) // older versions didn't store how many
  const [counted] = await connection.rows(countStatement(target, last, half, dialect))
  const left = Number(counted?.['n'])
  if (left >= half) return { found, of: of ?? tableOf(counted) }
  const what = 'most of the rows that were read are gone; it looks as if the list were being replaced'
  throw isFirst && left > 0 ? new ResumePointError(what) : new TransientError(`${dialect.title}: ${what}.`)
}

/** A page's rows without the last one of the page before. Throws ConfigurationError if two rows have one key. */
function newRows(
  found: readonly Row[],
  last: readonly string[] | undefined,
  key: readonly string[],
  dialect: Dialect,
): Row[] {
  const rows = found.filter((row) => row.isNew || !isDeepStrictEqual(row.key, last))
  const again =
    found.filter((row) => !row.isNew)[1] ?? rows.find((row, index) => isDeepStrictEqual(row.key, rows[index - 1]?.key))
  if (again) throw wrongKey(key, dialect, `${positionOf(again, key, dialect)} is there more than once`)
  return rows
}
