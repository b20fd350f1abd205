/** JSON and GeoJSON: one list of records, or an object that holds one. */
import { toError } from '../../../errors/index.js'
import { type Location, Malformed } from '../../../plugin.js'
import { parseJson } from '../../../tasks/json/parse.js'
import type { Mapping } from '../../fields/mapping.js'
import { entriesIn, type Layout, layoutOf } from '../layout.js'
import { checkProjection, type RecordOptions, RecordReader } from '../record.js'
import { damaged, isObject, maxRecord, misread, type Records, type TextList, titleOf } from '../records.js'
import { joined, merged } from '../text.js'
import { type Element, Elements } from './elements.js'
import { jsonHint, noList, type Outline, onlyOne, outlineOf } from './outline.js'
import { Unstructured } from './walker.js'

export interface JsonOptions extends RecordOptions {
  readonly items?: string | undefined
  readonly encoding?: string | undefined
}

/** Characters of a list that is laid out in columns, which is read as a whole. */
const maxColumns = 64 * 1024 * 1024

export async function* readJson(list: TextList, given: JsonOptions, mapping: Mapping): AsyncGenerator<Records> {
  const title = titleOf(list.name)
  const reader = new RecordReader(given, mapping, { title, isGeoJson: list.format === 'geojson' })
  const first = await firstCharacter(list)
  if (first.character !== '[' && first.character !== '{')
    throw damaged(
      list.name,
      first.character === '' ? 'is empty: it ends before its array does' : "isn't an array",
      jsonHint,
    )
  const outline = first.character === '{' && list.again ? await outlineOf(list) : undefined
  if (outline) checkTold(outline.told, title)
  if (given.layout === 'columns') return yield* inColumns(list, given, reader)
  const path = first.character === '[' ? undefined : pathOf(list, given, outline)
  if (path === undefined && outline) return yield* oneRecord(list, outline, reader, mapping)
  yield* elements(list, given, { reader, title, path, text: first.text })
}

/** The first character that is no white space, and a text that begins before it. */
async function firstCharacter(list: TextList): Promise<{ character: string; text: AsyncGenerator<string> }> {
  const text = merged(list.text(), joined, (head) => head.trim() !== '')
  const head = await text.next()
  async function* all(): AsyncGenerator<string> {
    if (!head.done) yield head.value
    yield* text
  }
  return { character: head.done ? '' : (head.value.trimStart()[0] ?? ''), text: all() }
}

/**
 * Where in an object the list is, '' for the object itself; undefined where it holds none. Throws where that isn't
 * sure.
 */
function pathOf(list: TextList, { items, layout }: JsonOptions, outline: Outline | undefined): string | undefined {
  if (items !== undefined || layout === 'keyed') {
    const path = items ?? ''
    const found = layout === 'keyed' ? outline?.keyed : outline?.arrays
    if (found && !found.has(path)) throw noList(path, found.keys(), list.name)
    return path
  }
  if (list.format === 'geojson' && outline?.told.get('type') !== '"Feature"') {
    if (outline && !outline.arrays.has('features')) throw noList('features', outline.arrays.keys(), list.name)
    return 'features'
  }
  if (!outline)
    throw damaged(
      list.name,
      'is an object, and only in a file can owm search an object for its list',
      'Set source.items to the name of the list in it.',
    )
  return onlyOne(outline.arrays, layout === 'rows' ? 'arrays' : 'objects', list.name)
}

function checkTold(told: ReadonlyMap<string, string>, title: string): void {
  const document = Object.fromEntries(
    [...told].flatMap(([key, text]) => (text === '' ? [] : [[key, valueIn(text)] as const])),
  )
  checkProjection(document, title)
}

function valueIn(text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    return text
  }
}

interface Where {
  readonly reader: RecordReader
  readonly title: string
  /** Undefined where the list is the outermost value. */
  readonly path: string | undefined
  readonly text: AsyncGenerator<string>
}

async function* elements(list: TextList, given: JsonOptions, where: Where): AsyncGenerator<Records> {
  const { path } = where
  const found = new Elements(path ? path.split('.') : [], given.layout === 'keyed')
  let total = 0
  for await (const chunk of where.text) {
    const all = within(list, () => found.feed(chunk))
    if (total === 0) areObjects(all, list, given)
    checkTold(found.told, where.title)
    if (found.pending > maxRecord)
      throw damaged(
        list.name,
        `has a record of more than ${maxRecord} characters`,
        "A bracket or a quote isn't closed.",
      )
    yield records(all, given, where, total)
    total += all.length
  }
  if (!found.isEnded)
    throw damaged(list.name, `ends before its ${given.layout === 'keyed' ? 'object' : 'array'} does`, jsonHint)
  if (!found.isFound) throw noList(path ?? '', [], list.name)
}

/** Throws ConfigurationError where the first elements are all arrays, and nobody said that they would be. */
function areObjects(all: readonly Element[], list: TextList, { layout }: JsonOptions): void {
  if (layout !== undefined || all.length === 0 || !all.every(({ text }) => text.startsWith('['))) return
  throw damaged(
    list.name,
    'is an array of arrays',
    'Set source.layout to rows; the first one, or source.header, names the columns.',
  )
}

function within<T>(list: TextList, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw error instanceof Unstructured ? damaged(list.name, error.message, jsonHint, error) : error
  }
}

/** Where a record stands: in its list, and in the text. */
interface Place {
  readonly index: number
  readonly line: number
  readonly key: string | undefined
}

function records(all: readonly Element[], given: JsonOptions, { reader, path = '' }: Where, total: number): Records {
  const found: (Location | Malformed)[] = []
  const places: Place[] = []
  all.forEach((element, index) => {
    const record = fromText(element, reader, given)
    if (record === undefined) return
    found.push(record)
    places.push({ index: total + index, line: element.line, key: element.key })
  })
  return { records: found, position: (index) => `${path}${inWords(places[index])}` }
}

function inWords(place: Place | undefined): string {
  if (!place) return ''
  return `[${place.key === undefined ? place.index : JSON.stringify(place.key)}], line ${place.line}`
}

/** The location of a record's text, or why it isn't one. */
export function fromText(
  { text, key }: Pick<Element, 'text' | 'key'>,
  reader: RecordReader,
  given: JsonOptions,
  what = 'record',
): Location | Malformed | undefined {
  if (text.includes('\ufffd')) return new Malformed(text, misread(what, given))
  let value: unknown
  try {
    value = parseJson(text)
  } catch (error) {
    return new Malformed(text, `the ${what} isn't JSON: ${toError(error).message}`)
  }
  return reader.read({ value, key })
}

/** A list that is one object: a single location, or what it takes an option to read. */
async function* oneRecord(
  list: TextList,
  outline: Outline,
  reader: RecordReader,
  mapping: Mapping,
): AsyncGenerator<Records> {
  const value = await whole(list.text(), list, maxRecord)
  const isOne = isObject(value) && (value['type'] === 'Feature' || mapping.seemsPlace(value))
  if (!isOne)
    throw noRecords(
      list,
      outline,
      layoutOf(value, (record) => mapping.seemsPlace(record)),
    )
  const record = reader.read({ value, key: undefined })
  yield { records: record === undefined ? [] : [record], position: () => 'line 1' }
}

function noRecords(list: TextList, { arrays, keyed }: Outline, whole: Layout | undefined): Error {
  const rows = [...arrays].filter(([, held]) => held === 'arrays').map(([path]) => path)
  const inside = [...keyed.keys()].filter((path) => path !== '')
  const set = (layout: Layout, [path, ...others]: readonly string[]): string =>
    path === undefined
      ? `Set source.layout to ${layout}.`
      : `Set source.layout to ${layout}, and source.items to ${[path, ...others].join(' or ')}.`
  const hint = whole
    ? set(whole, [])
    : rows.length > 0
      ? set('rows', rows)
      : inside.length > 0
        ? set('keyed', inside)
        : jsonHint
  return damaged(list.name, "isn't an array, and holds no array of objects", hint)
}

/** A list that is laid out in columns. */
async function* inColumns(list: TextList, given: JsonOptions, reader: RecordReader): AsyncGenerator<Records> {
  const document = await whole(list.text(), list, maxColumns)
  const inside = given.items === undefined ? document : valueAt(document, given.items.split('.'))
  const entries = entriesIn(inside, 'columns')
  if (!entries)
    throw damaged(
      list.name,
      `has no object of columns${given.items ? ` at ${given.items}` : ''}`,
      'Correct source.layout or source.items.',
    )
  const records = entries.map((entry) => reader.read(entry) ?? new Malformed('', 'the record has no value'))
  yield { records, position: (index) => `record ${index + 1}` }
}

const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, key) => (isObject(inner) ? inner[key] : undefined), value)

/** The value of a list that is read as a whole. */
async function whole(text: AsyncIterable<string>, list: TextList, most: number): Promise<unknown> {
  let all = ''
  for await (const chunk of text) {
    all += chunk
    if (all.length > most)
      throw damaged(list.name, `has more than ${most} characters, the most for a list like this`, jsonHint)
  }
  try {
    return parseJson(all)
  } catch (error) {
    throw damaged(list.name, `isn't valid JSON: ${toError(error).message}`, jsonHint, error)
  }
}
