/** The end of a list: whether it is one, or where a program or a transfer broke off. */
import { isMalformed, type Location, type Malformed } from '../../plugin.js'
import { placeOf } from '../../tasks/place.js'
import { brokenIn, damaged, endsLine } from '../formats/records.js'
import { errorIn, errorInLastComment } from '../signs/ending.js'
import type { List } from './file.js'
import type { Options } from './options.js'

/** Characters at the end of a list that are kept. */
const tailLength = 1_000

/** What no value ends in: a separator, a sign, half of a character. */
const unfinished = /[^\p{L}\p{N}"'\])}]$/u

const hint = 'Fetch the list again, or correct its end if it is whole; what stands before that was read.'

/** A list, and what looks at its last record once all of it was read: throws ConfigurationError where it breaks off. */
export function endingOf(list: List, given: Options): { list: List; check(last: Location | Malformed): void } {
  // What is between brackets has an end of its own.
  const isLines = !['json', 'geojson', 'yaml'].includes(list.format)
  let tail = ''
  async function* text(): AsyncGenerator<string> {
    for await (const chunk of list.text()) {
      tail = (chunk.length < tailLength ? tail + chunk : chunk).slice(-tailLength)
      yield chunk
    }
  }
  return {
    list: isLines ? { ...list, text } : list,
    check(last) {
      const said = errorIn(last) ?? errorInLastComment(tail, given.comment)
      if (said !== undefined) throw damaged(list.name, `ends in an error: ${said}`, hint)
      const why = isLines ? (partIn(last, tail) ?? openIn(tail, list, given)) : undefined
      if (why !== undefined) throw damaged(list.name, `breaks off in its last record: ${why}`, hint)
    },
  }
}

const lastLine = (text: string): string => text.split(/[\r\n]/).at(-1) ?? ''

/** Why the last record may be a part of one; undefined where nothing says so. */
function partIn(last: Location | Malformed, tail: string): string | undefined {
  const broken = brokenIn(last, tail)
  if (broken !== undefined || endsLine.test(tail) || !unfinished.test(tail)) return broken
  // A last column without a value is no sign in a row that can be used: it may be one that has none.
  const made = isMalformed(last) ? last : placeOf(last)
  return 'reason' in made ? made.reason : undefined
}

/** In TSV a quote may be a character like any other: one that opens the last value counts only without a line end. */
function openIn(tail: string, { format }: List, { delimiter = '\t', quote }: Options): string | undefined {
  const value = lastLine(tail).split(delimiter).at(-1) ?? ''
  const isOpen = format === 'tsv' && quote !== '' && value.startsWith(quote) && value.indexOf(quote, 1) < 0
  return isOpen ? 'a quote in its last value is never closed' : undefined
}
