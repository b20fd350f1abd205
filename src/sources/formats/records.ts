/** What every reader of a format takes and gives. */
import { ConfigurationError } from '../../errors/index.js'
import { isMalformed, type Location, Malformed } from '../../plugin.js'
import { placeOf } from '../../tasks/place.js'

export const formats = ['csv', 'tsv', 'json', 'ndjson', 'geojson', 'yaml'] as const
export type Format = (typeof formats)[number]

/** A list as text. */
export interface TextList {
  /** As messages have it: a path, or `standard input`. */
  readonly name: string
  readonly format: Format
  /** The text from its start; more than once only where `again` is true. */
  text(): AsyncGenerator<string>
  readonly again: boolean
}

/** How messages begin that speak of a list. */
export const titleOf = (list: string): string => `The list ${list}`

/** The records of one chunk of a list, and where in the list each of them stands. */
export interface Records {
  readonly records: readonly (Location | Malformed)[]
  /** @param field the field that it is rejected for */
  position(index: number, field?: string): string
}

/** What hasn't even the form of a record: no value in it is to blame. */
export class NoRecord extends Malformed {
  /** Whether the list ends before a quote that was opened in this record, or before it, is closed. */
  readonly isOpen: boolean

  constructor(value: string, reason: string, isOpen = false) {
    super(value, reason)
    this.isOpen = isOpen
  }
}

const endsLine = /[\r\n]$/

/** What no value ends in: a separator, a sign, half of a character. */
const unfinished = /[^\p{L}\p{N}"'\])}]$/u

/**
 * Why the last record of a text is taken for a part of one; undefined where nothing says so.
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
    // A last column without a value is no sign in a row that can be used: it may be one that has none.
    const made = isMalformed(last) ? last : placeOf(last)
    if ('reason' in made) return made.reason
  }
  return format === 'tsv' ? openIn(text, quoting) : undefined
}

/** In TSV a quote may be a character like any other: one that opens the last value counts only without a line end. */
function openIn(text: string, { delimiter = '\t', quote }: Parameters<typeof brokenIn>[3]): string | undefined {
  const line = text.split(/[\r\n]/).at(-1) ?? ''
  const value = line.split(delimiter).at(-1) ?? ''
  const isOpen = quote !== '' && value.startsWith(quote ?? '"') && value.indexOf(quote ?? '"', 1) < 0
  return isOpen ? 'a quote in its last value is never closed' : undefined
}

/** Characters of one record: a longer one has a quote or a bracket that is never closed. */
export const maxRecord = 8 * 1024 * 1024

/** A list that can't be read as a whole. */
export const damaged = (list: string, what: string, hint: string, cause?: unknown): ConfigurationError =>
  new ConfigurationError(`${titleOf(list)} ${what}.`, { hint, cause })

/** Why a record is rejected in which something wasn't valid in the list's encoding. */
export const misread = (what: string, { encoding }: { readonly encoding?: string | undefined }): string =>
  `the ${what} isn't valid ${encoding?.toUpperCase() ?? 'UTF-8'}: source.encoding has to name its encoding`
