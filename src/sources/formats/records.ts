/** What the readers of all formats share. */
import { ConfigurationError } from '../../errors/index.js'
import { isMalformed, type Location, Malformed } from '../../plugin.js'
import { placeOf } from '../../tasks/place.js'
import type { FieldOptions } from '../fields/options.js'

export const formats = ['csv', 'tsv', 'json', 'ndjson', 'geojson', 'yaml'] as const
export type Format = (typeof formats)[number]

/** Whether the columns of a list are named once, in a header. */
export const isTable = (format: Format | undefined): boolean => format === 'csv' || format === 'tsv'

/** The options with what counts as no value in a format: in tables also `\N`, as databases export NULL. */
export const withNulls = <Given extends Pick<FieldOptions, 'nulls'>>(
  given: Given,
  format: Format | undefined,
): Given => (isTable(format) ? { ...given, nulls: given.nulls ?? ['\\N'] } : given)

/** A list as text. */
export interface TextList {
  /** For messages: a path, or `standard input`. */
  readonly name: string
  readonly format: Format
  /** The text from its start; more than once only if `again` is true. */
  text(): AsyncGenerator<string>
  readonly again: boolean
}

/** A list, at the start of messages. */
export const titleOf = (list: string): string => `The list ${list}`

/** The records of one chunk of a list, and the position of each in the list. */
export interface Records {
  readonly records: readonly (Location | Malformed)[]
  /** @param field the field that the record is rejected for */
  position(index: number, field?: string): string
}

/** Records in their order, each with its place in the list; what has no record, such as an empty line, is left out. */
export class Placed<Place> {
  readonly records: (Location | Malformed)[] = []
  readonly #places: Place[] = []

  add(record: Location | Malformed | undefined, place: Place): void {
    if (record === undefined) return
    this.records.push(record)
    this.#places.push(place)
  }

  placeOf(index: number): Place | undefined {
    return this.#places[index]
  }
}

/** Text that isn't even a record: no value in it is to blame. */
export class NoRecord extends Malformed {
  /** Whether the list ends before a quote that was opened in this record, or before it, is closed. */
  readonly isOpen: boolean

  constructor(value: string, reason: string, isOpen = false) {
    super(value, reason)
    this.isOpen = isOpen
  }
}

const endsLine = /[\r\n]$/

/** Endings that no value has: a separator, a sign, half of a character. */
const unfinished = /[^\p{L}\p{N}"'\])}]$/u

/**
 * Why the last record of a text seems cut off; undefined if it doesn't.
 *
 * @param text its last characters are enough
 */
export function brokenIn(
  last: Location | Malformed | undefined,
  text: string,
  format: Format,
  quoting: { readonly delimiter?: string | undefined; readonly quote?: string | undefined },
): string | undefined {
  if (last === undefined) return undefined
  const isEnded = endsLine.test(text)
  if (last instanceof NoRecord && (last.isOpen || !isEnded)) return last.reason
  if (!isEnded && unfinished.test(text)) {
    // A valid row may simply have no value in its last column.
    const made = isMalformed(last) ? last : placeOf(last)
    if ('reason' in made) return made.reason
  }
  return format === 'tsv' ? openIn(text, quoting) : undefined
}

/** In TSV a quote may be an ordinary character: one that opens the last value counts only if no line end follows. */
function openIn(text: string, { delimiter = '\t', quote }: Parameters<typeof brokenIn>[3]): string | undefined {
  const line = text.split(/[\r\n]/).at(-1) ?? ''
  const value = line.split(delimiter).at(-1) ?? ''
  const isOpen = quote !== '' && value.startsWith(quote ?? '"') && value.indexOf(quote ?? '"', 1) < 0
  return isOpen ? 'a quote in its last value is never closed' : undefined
}

/** The longest record, in characters: a longer one has a quote or a bracket that is never closed. */
export const maxRecord = 8 * 1024 * 1024

/** The error for a list that can't be read as a whole. */
export const damaged = (list: string, what: string, hint: string, cause?: unknown): ConfigurationError =>
  new ConfigurationError(`${titleOf(list)} ${what}.`, { hint, cause })

/** Why a record is rejected that isn't valid in the list's encoding. */
export const misread = (what: string, { encoding }: { readonly encoding?: string | undefined }): string =>
  `the ${what} isn't valid ${encoding?.toUpperCase() ?? 'UTF-8'}: source.encoding has to name its encoding`
