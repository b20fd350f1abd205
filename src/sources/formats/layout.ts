/** The layouts of a JSON or YAML list, finding the list in a value, and getting its records out of it. */
import * as z from 'zod'
import { RepeatedKey } from '../../tasks/json/exact.js'
import { isTree, type Tree } from '../../tasks/json/tree.js'
import { areLinks } from '../signs/links.js'
import { deepest } from '../signs/marks.js'
import { type Found, find } from '../signs/tree.js'

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

export type IsPlace = (record: Tree) => boolean

/** All names but those of what a server says beside its list of places. */
export const ownNames = /^(?!(_?links|errors|warnings|messages|notices)$)/i

/**
 * The lists that may be that of the places, two levels deep; none if there is none, or the document is itself a place,
 * which may contain an empty list.
 */
export function listsIn(document: unknown, layout: Layout, isPlace: IsPlace): Found[] {
  const holds = layout === 'rows' ? Array.isArray : isTree
  const isFull = (value: unknown): boolean => Array.isArray(value) && value.some(holds) && !areLinks(value)
  const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0
  const own = find(document, isFull, ownNames)
  if (own.length > 0 || (isTree(document) && isPlace(document))) return own
  const any = find(document, (value) => (layout === 'rows' ? isFull(value) : holdsPlace(value, isPlace)))
  return any.length > 0 ? any : find(document, isEmpty, ownNames)
}

const holdsPlace = (list: unknown, isPlace: IsPlace): boolean =>
  Array.isArray(list) && list.some((each) => isTree(each) && isPlace(each))

/** The options that read the places in a document's lists, and in objects of nothing but places; for a hint. */
export function elsewhere(document: unknown, isPlace: IsPlace): string | undefined {
  const isKeyed = (value: unknown): boolean =>
    isTree(value) &&
    Object.keys(value).length > 0 &&
    Object.values(value).every((each) => isTree(each) && isPlace(each))
  const isList = (value: unknown): boolean => holdsPlace(value, isPlace)
  const found = find(document, (value) => isList(value) || isKeyed(value), /^/, deepest)
  const paths = found.map(({ at }) => at).join(' or ')
  if (found.length === 0) return undefined
  return found.every(({ value }) => isList(value))
    ? `Set source.items to ${paths}.`
    : `Set source.layout to keyed, and source.items to ${paths}.`
}

/** The layout that a value seems to have, for a hint. */
export function layoutOf(value: unknown, isPlace: IsPlace): Layout | undefined {
  if (Array.isArray(value)) return value.length > 0 && value.every(Array.isArray) ? 'rows' : undefined
  if (!isTree(value)) return undefined
  const members = Object.values(value)
  if (members.length === 0 || !members.every((member) => typeof member === 'object' && member !== null))
    return undefined
  if (isPlace(Object.fromEntries(Object.keys(value).map((name) => [name, ''])))) return 'columns'
  return members.every(isTree) ? 'keyed' : undefined
}
