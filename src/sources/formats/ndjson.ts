/** NDJSON: a JSON value on each line; also GeoJSON text sequences (RFC 8142). */
import { toError } from '../../errors/index.js'
import { type Location, Malformed } from '../../plugin.js'
import type { Fields } from '../fields/options.js'
import { locationMaker } from './location.js'
import { misread, type Records, type TextList } from './records.js'
import { linesOf } from './text.js'

interface Options {
  readonly fields?: Fields
  readonly encoding?: string | undefined
}

export async function* readNdjson({ name, text, format }: TextList, given: Options): AsyncGenerator<Records> {
  const locationOf = locationMaker(given, format)
  let number = 0
  for await (const chunk of linesOf(text(), name)) {
    const records: (Location | Malformed)[] = []
    const lines: number[] = []
    for (const raw of chunk)
      for (const line of raw.includes('\r') ? raw.replace(/\r$/, '').split('\r') : [raw]) {
        number++
        if (line.trim() === '') continue
        records.push(fromLine(line, locationOf, given))
        lines.push(number)
      }
    yield { records, position: (index) => `line ${lines[index]}` }
  }
}

function fromLine(
  line: string,
  locationOf: (value: unknown) => Location | Malformed,
  given: Options,
): Location | Malformed {
  if (line.includes('\ufffd')) return new Malformed(line, misread('line', given))
  try {
    // A byte order mark where files were joined, or the separator of RFC 8142.
    return locationOf(JSON.parse(line.startsWith('\ufeff') || line.startsWith('\u001e') ? line.slice(1) : line))
  } catch (error) {
    return new Malformed(line, `the line isn't JSON: ${toError(error).message}`)
  }
}
