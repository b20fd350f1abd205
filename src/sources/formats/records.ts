/** What every reader of a format takes and gives. */
import { ConfigurationError } from '../../errors/index.js'
import { type Location, Malformed } from '../../plugin.js'

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

/** Why the last record of a text is taken for a part of one: it is none, and nothing says that it ends. */
export function brokenIn(last: Location | Malformed | undefined, text: string): string | undefined {
  if (!(last instanceof NoRecord)) return undefined
  return last.isOpen || !endsLine.test(text) ? last.reason : undefined
}

export const endsLine = /[\r\n]$/

/** Characters of one record: a longer one has a quote or a bracket that is never closed. */
export const maxRecord = 8 * 1024 * 1024

/** A list that can't be read as a whole. */
export const damaged = (list: string, what: string, hint: string, cause?: unknown): ConfigurationError =>
  new ConfigurationError(`${titleOf(list)} ${what}.`, { hint, cause })

/** Why a record is rejected in which something wasn't valid in the list's encoding. */
export const misread = (what: string, { encoding }: { readonly encoding?: string | undefined }): string =>
  `the ${what} isn't valid ${encoding?.toUpperCase() ?? 'UTF-8'}: source.encoding has to name its encoding`
