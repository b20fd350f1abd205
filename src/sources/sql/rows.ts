/** The rows of a page, and the locations in them. */
import { isMalformed, type Location, Malformed } from '../../plugin.js'
import { exactJson } from '../../tasks/json/exact.js'
import { HexBytes } from '../../tasks/json/hex.js'
import type { Mapping } from '../fields/mapping.js'
import type { Dialect } from './dialect/dialect.js'
import { isNewColumn, keyPrefix, orderingColumn, tableColumn } from './statements.js'

export interface Row {
  readonly record: Readonly<Record<string, unknown>>
  /** The key's columns, written as text. */
  readonly key: readonly string[]
  /** The key's type and collation, if the database gives them. */
  readonly ordering: unknown
  /** What identifies its table, if the database gives it. */
  readonly table: string | undefined
  /** False for the last row of the page before, and for any other that has the same key. */
  readonly isNew: boolean
}

export function rowOf(raw: Readonly<Record<string, unknown>>): Row {
  const record: Record<string, unknown> = Object.create(null)
  const key: string[] = []
  for (const [column, value] of Object.entries(raw))
    if (column.startsWith(keyPrefix)) key.push(String(value))
    else if (!ownColumns.includes(column)) record[column] = markedBytes(value)
  const isNew = Boolean(Number(raw[isNewColumn]))
  return { record, key, ordering: raw[orderingColumn], table: tableOf(raw), isNew }
}

const ownColumns = [isNewColumn, orderingColumn, tableColumn]

/** What identifies the table that gave a row, or a count. */
export function tableOf(raw: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const table = raw?.[tableColumn]
  return typeof table === 'string' ? table : undefined
}

export function positionOf({ record, key }: Row, columns: readonly string[], { wholeNumber }: Dialect): string {
  const keyPart = (value: unknown, exact = ''): unknown => {
    // A list or an object, as of jsonb, is shown as the database writes it.
    if (typeof value === 'object' && !(value instanceof HexBytes)) return exact
    return (value === undefined || isRounded(value) ? wholeNumber?.(exact) : undefined) ?? value ?? exact
  }
  return columns.map((column, index) => `${column} = ${keyPart(record[column], key[index])}`).join(', ')
}

/** A whole number beyond 2^53, which a driver has rounded. */
const isRounded = (value: unknown): boolean => Number.isInteger(value) && !Number.isSafeInteger(value)

/** Marks binary values, which drivers give as Buffers, so that they aren't taken for text. */
function markedBytes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(markedBytes)
  if (!Buffer.isBuffer(value)) return value
  return value.length === 0 ? '' : new HexBytes(value)
}

export interface RowShape {
  /** The key's columns. */
  readonly key: readonly string[]
  readonly dialect: Dialect
  readonly mapping: Mapping
}

/** A row's location; undefined if it has no value at all. */
export function locationOf(
  { record, key }: Row,
  { key: columns, dialect, mapping }: RowShape,
): Location | Malformed | undefined {
  const { wholeNumber, replacesBytes } = dialect
  const raw = (): string => exactJson(record) ?? ''
  const values: Record<string, unknown> = Object.create(null)
  for (const [column, value] of Object.entries(record)) {
    values[column] = value
    if (!wholeNumber || !isRounded(value)) continue
    const exact = wholeNumber(key[columns.indexOf(column)] ?? '')
    if (exact === undefined)
      return new Malformed(
        raw(),
        `${column} is a number beyond 2^53, which arrives rounded: read it with a query, as CAST(${column} AS TEXT)`,
      )
    values[column] = exact
  }
  const location = mapping.fromRecord(values, raw)
  return location && replacesBytes ? intact(location, raw) : location
}

/** A location, unless a text of it was decoded with U+FFFD: two such texts may have become the same one. */
function intact(location: Location | Malformed, raw: () => string): Location | Malformed {
  if (isMalformed(location)) return location
  const [broken] = Object.entries(location).find(isBroken) ?? []
  if (broken === undefined) return location
  return new Malformed(raw(), `${broken} isn't valid UTF-8: make the database from text in UTF-8 (iconv, for one)`)
}

const isBroken = ([, value]: [string, unknown]): boolean => typeof value === 'string' && value.includes('\ufffd')
