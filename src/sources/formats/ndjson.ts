/** NDJSON, a JSON value on each line; also GeoJSON text sequences (RFC 8142), whose values may span lines. */
import { isJson } from '../../tasks/json/parse.js'
import type { Mapping } from '../fields/mapping.js'
import { untilOtherHeader } from './header.js'
import { fromText, type JsonOptions } from './json/index.js'
import { RecordReader } from './record.js'
import { damaged, maxRecord, Placed, type Records, type TextList, titleOf } from './records.js'
import { linesOf } from './text.js'

export async function* readNdjson(list: TextList, given: JsonOptions, mapping: Mapping): AsyncGenerator<Records> {
  const reader = new RecordReader(given, mapping, {
    title: titleOf(list.name),
    isGeoJson: list.format === 'geojson',
  })
  const sequence = new Sequence()
  let isFirst = true
  for await (const found of valuesOf(list, sequence)) {
    const placed = new Placed<number>()
    const end = untilOtherHeader(found, ({ text, line }) => {
      if (text.trim() === '') return
      if (isFirst && given.layout !== 'rows' && /^\s*\[\s*(\{|$)/.test(text))
        throw damaged(list.name, 'is one JSON array, not one object a line', 'Set source.format to json.')
      isFirst = false
      placed.add(fromText({ text, key: undefined }, reader, given, 'line'), line)
    })
    yield { records: placed.records, position: (index) => `line ${placed.placeOf(index)}` }
    if (end) throw end
  }
}

async function* valuesOf(list: TextList, sequence: Sequence): AsyncGenerator<Value[]> {
  for await (const chunk of linesOf(list.text(), list.name))
    yield chunk.flatMap(linesIn).flatMap((line) => sequence.take(line))
  yield sequence.end()
}

const linesIn = (raw: string): string[] => (raw.includes('\r') ? raw.replace(/\r$/, '').split('\r') : [raw])

/** The text of a value, and the line that it begins in. */
interface Value {
  readonly text: string
  readonly line: number
}

const separator = '\u001e'

/** Turns lines into values. Usually each line is one; after a separator of RFC 8142, one may span lines. */
class Sequence {
  #line = 0
  /** The lines so far of a value that spans several. */
  #open: Value[] = []
  #size = 0

  /** The values that end before this line, or with it. */
  take(raw: string): Value[] {
    // A byte order mark shows where files were joined.
    const hasMark = raw.startsWith('\ufeff')
    const unmarked = hasMark ? raw.slice(1) : raw
    const isSeparated = unmarked.startsWith(separator)
    const text = isSeparated ? unmarked.slice(1) : unmarked
    const value = { text, line: ++this.#line }
    const ended = isSeparated || hasMark ? this.end() : []
    const isWhole = isSeparated ? isJson(text) : this.#open.length === 0
    if (isWhole) return [...ended, value]
    this.#open.push(value)
    this.#size += value.text.length
    return this.#size > maxRecord ? [...ended, ...this.end()] : ended
  }

  /** The open value; if its lines don't make one, each is a value of its own. */
  end(): Value[] {
    const lines = this.#open
    this.#open = []
    this.#size = 0
    const [first] = lines
    const text = lines.map((each) => each.text).join('\n')
    return first && isJson(text) ? [{ text, line: first.line }] : lines
  }
}
