/** Keeps numbers as written if they serve as names: the id 1.10 differs from 1.1, and the city 0x1F isn't 31. */
import { isMalformed, type Location, type Malformed } from '../../plugin.js'

type Record = Location | Malformed | undefined

const names = ['id', 'city', 'state'] as const

/**
 * A record with those of its names as text that are odd numbers.
 *
 * @param odd numbers in the record that JavaScript would write differently, as they are written
 * @param again reads the record again, with all of those as text
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

/** Outside of strings, numbers that end in a zero after the point, or have an exponent. */
const oddInJson = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d*0(?![\d.eE])|(?:\.\d+)?[eE][+-]?\d+)/gs

/** The odd numbers of a JSON text. */
export const oddNumbers = (text: string): string[] =>
  /\d\.\d*0(?!\d)|\d[eE]/.test(text) ? (text.match(oddInJson) ?? []).filter((found) => !found.startsWith('"')) : []
