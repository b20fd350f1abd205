/** Numbers in the place of names, as they were written: an id 1.10 is another one than 1.1, the city 0x1F isn't 31. */
import { isMalformed, type Location, type Malformed } from '../../plugin.js'

type Record = Location | Malformed | undefined

const names = ['id', 'city', 'state'] as const

/**
 * A record of which numbers may have become names, with the text of those.
 *
 * @param odd numbers of the record that JavaScript would write in another way, as they are written
 * @param again reads the record once more, with all of those as text
 */
export function asWritten(record: Record, odd: readonly string[], again: () => Record): Record {
  if (odd.length === 0 || record === undefined || isMalformed(record)) return record
  const values = new Set(odd.map(Number))
  const rounded = names.filter((name) => typeof record[name] === 'number' && values.has(record[name]))
  const texts = rounded.length > 0 ? again() : undefined
  if (texts === undefined || isMalformed(texts)) return record
  const changed = rounded.filter((name) => String(record[name]) !== String(texts[name]))
  return { ...record, ...Object.fromEntries(changed.map((name) => [name, texts[name]])) }
}

/** Outside of strings: with a zero at its end behind the point, or an exponent. */
const oddInJson = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d*0(?![\d.eE])|(?:\.\d+)?[eE][+-]?\d+)/gs

/** The odd numbers of a JSON text. */
export const oddNumbers = (text: string): string[] =>
  /\d\.\d*0(?!\d)|\d[eE]/.test(text) ? (text.match(oddInJson) ?? []).filter((found) => !found.startsWith('"')) : []
