/** The layouts of a JSON or YAML list, and getting its records out of a value. */
import * as z from 'zod'
import { RepeatedKey } from '../../tasks/json/exact.js'
import { isTree } from '../../tasks/json/tree.js'

const layouts = ['records', 'keyed', 'rows', 'columns'] as const
export type Layout = (typeof layouts)[number]

export const layout = z
  .enum(layouts)
  .optional()
  .describe(
    'how a JSON or YAML list is laid out: records, an array of objects (the default); ' +
      'keyed, an object whose keys are their ids; ' +
      'rows, an array of arrays, the first of which names the columns; columns, an object of columns',
  )

export interface Entry {
  readonly value: unknown
  /** Its key in an object of records. */
  readonly key: string | undefined
}

/** The records in a value; undefined if it has another layout. */
export function entriesIn(value: unknown, layout: Layout = 'records'): Entry[] | undefined {
  if (layout === 'keyed')
    return isTree(value) ? Object.entries(value).map(([key, inner]) => ({ key, value: inner })) : undefined
  if (layout === 'columns') return isTree(value) ? transposed(value) : undefined
  return Array.isArray(value) ? value.map((inner: unknown) => ({ value: inner, key: undefined })) : undefined
}

/** The records of an object of columns, each an array, or an object with the same keys. */
function transposed(columns: Readonly<Record<string, unknown>>): Entry[] | undefined {
  const records = new Map<string, Record<string, unknown>>()
  for (const [name, column] of Object.entries(columns)) {
    if (typeof column !== 'object' || column === null) return undefined
    for (const [index, value] of column instanceof RepeatedKey ? repeatedValues(column) : Object.entries(column)) {
      const record = records.get(index) ?? {}
      records.set(index, record)
      Object.defineProperty(record, name, { value, enumerable: true })
    }
  }
  return [...records.values()].map((value) => ({ value, key: undefined }))
}

/** The values of a column whose name is there twice: each record has both. */
function repeatedValues({ values }: RepeatedKey): [index: string, value: RepeatedKey][] {
  const columns = values.map((column) => new Map(Object.entries(Object(column))))
  const indexes = new Set(columns.flatMap((column) => [...column.keys()]))
  return [...indexes].map((index) => [index, new RepeatedKey(...columns.map((column) => column.get(index)))])
}

/** The layout that a value seems to have, for a hint. */
export function layoutOf(
  value: unknown,
  isPlace: (record: Readonly<Record<string, unknown>>) => boolean,
): Layout | undefined {
  if (Array.isArray(value)) return value.length > 0 && value.every(Array.isArray) ? 'rows' : undefined
  if (!isTree(value)) return undefined
  const members = Object.values(value)
  if (members.length === 0 || !members.every((member) => typeof member === 'object' && member !== null))
    return undefined
  if (isPlace(Object.fromEntries(Object.keys(value).map((name) => [name, ''])))) return 'columns'
  return members.every(isTree) ? 'keyed' : undefined
}
