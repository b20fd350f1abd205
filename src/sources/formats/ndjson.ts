/** NDJSON: a JSON value on each line; also GeoJSON text sequences (RFC 8142). */
import type { Location, Malformed } from '../../plugin.js'
import type { Mapping } from '../fields/mapping.js'
import { untilOtherHeader } from './header.js'
import { fromText, type JsonOptions } from './json/index.js'
import { RecordReader } from './record.js'
import { damaged, type Records, type TextList, titleOf } from './records.js'
import { linesOf } from './text.js'

export async function* readNdjson(list: TextList, given: JsonOptions, mapping: Mapping): AsyncGenerator<Records> {
  const reader = new RecordReader(given, mapping, {
    title: titleOf(list.name),
    isGeoJson: list.format === 'geojson',
  })
  let number = 0
  let isFirst = true
  for await (const chunk of linesOf(list.text(), list.name)) {
    const records: (Location | Malformed)[] = []
    const lines: number[] = []
    const end = untilOtherHeader(chunk.flatMap(linesIn), (line) => {
      number++
      // A byte order mark where files were joined, or the separator of RFC 8142.
      const text = line.startsWith('\ufeff') || line.startsWith('\u001e') ? line.slice(1) : line
      if (text.trim() === '') return
      if (isFirst && given.layout !== 'rows' && /^\s*\[\s*(\{|$)/.test(text))
        throw damaged(list.name, 'is one JSON array, not one object a line', 'Set source.format to json.')
      isFirst = false
      const record = fromText({ text, key: undefined }, reader, given, 'line')
      if (record === undefined) return
      records.push(record)
      lines.push(number)
    })
    yield { records, position: (index) => `line ${lines[index]}` }
    if (end) throw end
  }
}

const linesIn = (raw: string): string[] => (raw.includes('\r') ? raw.replace(/\r$/, '').split('\r') : [raw])
