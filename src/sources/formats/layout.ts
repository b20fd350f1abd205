/** The layouts of a JSON or YAML list, finding the list in a value, and getting its records out of it. */
import * as z from 'zod'
import { RepeatedKey } from '../../tasks/json/exact.js'
import { isTree, type Tree } from '../../tasks/json/tree.js'
import type { Mapping } from '../fields/mapping.js'
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

/** Names of what a server says beside its list of places. */
const said = /^(errors|warnings|messages|notices)$/i
/** Whether a path names links, which aren't the list of places. */
export const isLinks = (path: string): boolean => /(^|\.)_?links$/i.test(path)

/** All other names but those of links. */
export const ownNames = /^(?!(_?links|errors|warnings|messages|notices)$)/i

/**
 * The lists that may be that of the places, by default two levels deep; none if there is none, or the document is
 * itself a place, which may contain an empty list.
 */
export function listsIn(document: unknown, layout: Layout, mapping: Mapping, levels = 2): Found[] {
  const isPlace = (value: unknown): boolean => isTree(value) && mapping.seemsPlace(value)
  const full = find(
    document,
    (value, key) => isFull(value, layout) && (ownNames.test(key) || holds(value, isPlace)),
    levels,
  )
  const others = full.filter(({ at }) => !isLinks(at))
  if (others.length > 0) return others
  return full.length > 0 || isPlace(document)
    ? full
    : find(document, (value, key) => isEmpty(value) && ownNames.test(key), levels)
}

/**
 * Those of a YAML document, whose outermost keys come first: a deeper list counts where these hold none, or only an
 * empty one and it has places. A document that is itself a place has no deeper list.
 */
export function outermostIn(document: unknown, layout: Layout, mapping: Mapping): Found[] {
  const outermost = listsIn(document, layout, mapping, 1)
  if (isTree(document) && mapping.seemsPlace(document)) return outermost
  if (outermost.length === 0) return listsIn(document, layout, mapping)
  const deeper = outermost.every(({ value }) => isEmpty(value)) ? placesIn(document, mapping, 2) : []
  const lists = deeper.filter(({ value }) => Array.isArray(value))
  return lists.length > 0 ? lists : outermost
}

const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0

const isFull = (value: unknown, layout: Layout): boolean =>
  Array.isArray(value) && value.some(layout === 'rows' ? Array.isArray : isTree) && !areLinks(value)

const holds = (list: unknown, fits: (record: unknown) => boolean): boolean => Array.isArray(list) && list.some(fits)

// Places under such names are none of the list.
const corners = /^(bounds|bbox|viewport|extent|north_?east|south_?west|ne|sw|min|max|cent(er|re)|origin)$/i
const question = /^(query|request|param(eter)?s|filters?|search|meta(data)?|config|settings|options|defaults?)$/i
const isAside = (key: string): boolean => corners.test(key) || question.test(key)

/** Lists with places that have names, and objects of nothing but such places. */
function placesIn(document: unknown, mapping: Mapping, levels: number): Found[] {
  const isNamed = (value: unknown): boolean => isTree(value) && mapping.seemsNamed(value)
  const isKeyed = (value: unknown): boolean => {
    const members = isTree(value) ? Object.entries(value) : []
    return members.length > 0 && members.every(([key, member]) => !isAside(key) && isNamed(member))
  }
  return find(document, (value) => holds(value, isNamed) || isKeyed(value), levels).filter(
    ({ at }) => !at.split('.').some(isAside),
  )
}

export type Fail = (what: string, hint: string) => Error

/** Throws if the list of a document is empty, and there are places elsewhere, or words in its stead. */
export function mustBeEmpty(document: unknown, path: string, mapping: Mapping, fail: Fail): void {
  const hint = elsewhere(document, mapping)
  if (hint !== undefined) throw fail(`has an empty list, ${path}, and places elsewhere`, hint)
  const depth = path.split('.').length
  const [words] = find(document, (value, key) => said.test(key) && isFull(value, 'records'), depth)
  if (words)
    throw fail(
      `has an empty list, ${path}, and says something in ${words.at}`,
      `Look at ${words.at}. If the list is empty all the same, set source.items to ${path}.`,
    )
}

/** What to set to read a document without a list of places. */
export function hintTo(document: unknown, mapping: Mapping, otherwise: string): string {
  const seeming = layoutOf(document, (record) => mapping.seemsPlace(record))
  return elsewhere(document, mapping) ?? (seeming ? `Set source.layout to ${seeming}.` : otherwise)
}

/** The options that read the places in a document's lists, and in objects of nothing but places. */
function elsewhere(document: unknown, mapping: Mapping): string | undefined {
  const found = placesIn(document, mapping, deepest)
  if (found.length === 0) return undefined
  const items = `source.items to ${found.map(({ at }) => at).join(' or ')}`
  return found.every(({ value }) => Array.isArray(value))
    ? `Set ${items}.`
    : `Set source.layout to keyed, and ${items}.`
}

/** The layout that a value seems to have, for a hint. */
function layoutOf(value: unknown, isPlace: (record: Tree) => boolean): Layout | undefined {
  if (Array.isArray(value)) return value.length > 0 && value.every(Array.isArray) ? 'rows' : undefined
  if (!isTree(value)) return undefined
  const members = Object.values(value)
  if (members.length === 0 || !members.every((member) => typeof member === 'object' && member !== null))
    return undefined
  if (isPlace(Object.fromEntries(Object.keys(value).map((name) => [name, ''])))) return 'columns'
  return members.every(isTree) ? 'keyed' : undefined
}
