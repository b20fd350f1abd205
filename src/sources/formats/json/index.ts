/** JSON and GeoJSON: one list of records, or an object that holds one. */
import { toError } from '../../../errors/index.js'
import { type Location, Malformed } from '../../../plugin.js'
import { parsedOr, parseJson, parseTexts } from '../../../tasks/json/parse.js'
import { isTree } from '../../../tasks/json/tree.js'
import type { Mapping } from '../../fields/mapping.js'
import { untilOtherHeader } from '../header.js'
import { type Fail, mustBeEmpty } from '../layout.js'
import { checkProjection, mustBeWhole, type RecordOptions, RecordReader } from '../record.js'
import { damaged, maxRecord, misread, NoRecord, Placed, type Records, type TextList, titleOf } from '../records.js'
import { dialectOf } from '../signature.js'
import { joined, merged, refuse } from '../text.js'
import { asWritten, oddNumbers } from '../written.js'
import { type Element, Elements } from './elements.js'
import { jsonHint, noList, type Outline, onlyOne, outlineOf } from './outline.js'
import { Unstructured } from './walker.js'
import { inColumns, noRecords, whole } from './whole.js'

export interface JsonOptions extends RecordOptions {
  readonly items?: string | undefined
  readonly encoding?: string | undefined
}

export async function* readJson(list: TextList, given: JsonOptions, mapping: Mapping): AsyncGenerator<Records> {
  const title = titleOf(list.name)
  const reader = new RecordReader(given, mapping, { title, isGeoJson: list.format === 'geojson' })
  const first = await firstCharacter(list)
  refuse(dialectOf(first.head), list.name)
  if (first.character !== '[' && first.character !== '{') throw notJson(list, first)
  const outline = first.character === '{' && list.again ? await outlineOf(list) : undefined
  if (outline) checkTold(outline.told, title)
  if (given.layout === 'columns') return yield await inColumns(list, given, reader)
  const path = first.character === '[' ? undefined : pathOf(list, given, outline)
  // A single place may contain an empty list.
  if (outline && (path === undefined || outline.arrays.get(path) === 'nothing')) {
    const document = await whole(list, maxRecord)
    if (isTree(document) && mapping.seemsPlace(document))
      return yield onePlace(reader.read({ value: document, key: undefined }))
    if (path === undefined) throw noRecords(document, outline, list.name, mapping)
    const fail: Fail = (what, hint) => damaged(list.name, what, hint)
    if (given.items === undefined) mustBeEmpty(document, path, mapping, fail)
  }
  yield* elements(list, given, { reader, title, path, text: first.text })
}

const onePlace = (record: Location | Malformed | undefined): Records => ({
  records: record === undefined ? [] : [record],
  position: () => 'line 1',
})

interface First {
  readonly character: string
  /** The first part of the text, up to that character at least. */
  readonly head: string
  readonly text: AsyncGenerator<string>
}

function notJson({ name }: TextList, { character, head }: First): Error {
  if (character === '') return damaged(name, 'is empty: it ends before its array does', jsonHint)
  if (character === '\u001e') return damaged(name, 'is a GeoJSON text sequence', 'Set source.format to ndjson.')
  // A table has a delimiter in its first line, and a second line.
  const isTable = /^[^\n]*[,;\t|][^\n]*\n/.test(head.trimStart())
  return damaged(name, "isn't an array", isTable ? 'It looks like CSV: set source.format to csv (or tsv).' : jsonHint)
}

/** The first character that isn't white space, and the whole text. */
async function firstCharacter(list: TextList): Promise<First> {
  const text = merged(list.text(), joined, (head) => head.trim() !== '')
  const head = await text.next()
  async function* all(): AsyncGenerator<string> {
    if (!head.done) yield head.value
    yield* text
  }
  const begin = head.done ? '' : head.value
  return { character: begin.trimStart()[0] ?? '', head: begin, text: all() }
}

/**
 * Where in an object the list is, '' for the object itself; undefined if it holds none. Throws if that is ambiguous.
 */
function pathOf(list: TextList, { items, layout }: JsonOptions, outline: Outline | undefined): string | undefined {
  if (items !== undefined || layout === 'keyed') {
    const path = items ?? ''
    const found = layout === 'keyed' ? outline?.objects : outline?.arrays
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
    [...told].flatMap(([key, text]) => (text === '' ? [] : [[key, parsedOr(text, text)] as const])),
  )
  checkProjection(document, title)
}

interface Where {
  readonly reader: RecordReader
  readonly title: string
  /** Undefined if the list is the outermost value. */
  readonly path: string | undefined
  readonly text: AsyncGenerator<string>
}

async function* elements(list: TextList, given: JsonOptions, where: Where): AsyncGenerator<Records> {
  const { path } = where
  const found = new Elements(path ? path.split('.') : [], given.layout === 'keyed')
  let total = 0
  for await (const chunk of where.text) {
    const all = orDamaged(list, () => found.feed(chunk))
    if (total === 0) mustBeObjects(all, list, given)
    checkTold(found.told, where.title)
    if (found.pending > maxRecord)
      throw damaged(
        list.name,
        `has a record of more than ${maxRecord} characters`,
        "A bracket or a quote isn't closed.",
      )
    yield* records(all, given, where, total)
    total += all.length
  }
  if (!found.isEnded)
    throw damaged(list.name, `ends before its ${given.layout === 'keyed' ? 'object' : 'array'} does`, jsonHint)
  if (!found.isFound) throw noList(path ?? '', [], list.name)
  if (found.around !== undefined)
    mustBeWhole(parsedOr(found.around, found.around), total, { list: list.name, path }, given)
}

/** Throws ConfigurationError if the first elements are all arrays, and source.layout doesn't say so. */
function mustBeObjects(all: readonly Element[], list: TextList, { layout }: JsonOptions): void {
  if (layout !== undefined || all.length === 0 || !all.every(({ text }) => text.startsWith('['))) return
  throw damaged(
    list.name,
    'is an array of arrays',
    'Set source.layout to rows; the first one, or source.header, names the columns.',
  )
}

function orDamaged<T>(list: TextList, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw error instanceof Unstructured ? damaged(list.name, error.message, jsonHint, error) : error
  }
}

/** A record's place in its list, and in the text. */
interface Place {
  readonly index: number
  readonly line: number
  readonly key: string | undefined
}

function* records(
  all: readonly Element[],
  given: JsonOptions,
  { reader, path = '' }: Where,
  total: number,
): Generator<Records> {
  const placed = new Placed<Place>()
  const end = untilOtherHeader(all, (element, index) => {
    const place = { index: total + index, line: element.line, key: element.key }
    placed.add(fromText(element, reader, given), place)
  })
  yield { records: placed.records, position: (index) => `${path}${placeInWords(placed.placeOf(index))}` }
  if (end) throw end
}

function placeInWords(place: Place | undefined): string {
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
    return new NoRecord(text, `the ${what} isn't JSON: ${toError(error).message}`)
  }
  return asWritten(reader.read({ value, key }), oddNumbers(text), () => reader.read({ value: parseTexts(text), key }))
}
