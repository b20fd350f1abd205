/** Lists that end with the error of the program that wrote them. */
import { isMalformed, type Location, type Malformed } from '../../plugin.js'
import { placeOf } from '../../tasks/place.js'
import { Rejection } from '../../tasks/rejection.js'
import { refusalIn } from './refusal.js'
import { oneLine } from './tree.js'

const said = [
  ...['\\w*error', '\\w*exception', 'fatal', 'fail(ed|ure)', 'timed?[ -]?out', 'abort(ed)?'],
  ...['cancell?ed', 'killed', 'terminated', 'traceback'],
]
const words = new RegExp(`\\b(${said.join('|')})\\b|</html>`, 'i')

/** The error that stands in place of a record; undefined for a record, even one with invalid values. */
export function errorIn(record: Location | Malformed): string | undefined {
  if (!isMalformed(record)) {
    // Anything with an id or a name is a record, whatever is wrong with it.
    const isRecord = record['id'] !== undefined || record['city'] !== undefined
    return !isRecord && placeOf(record) instanceof Rejection ? refusalIn(record)?.said : undefined
  }
  // If a value is to blame, it is a record.
  const isRecord = record.field !== undefined
  return !isRecord && words.test(record.value) ? oneLine(record.value) || 'an HTML document' : undefined
}

const badStart = new RegExp(`^\\W*(${[...said, 'truncated', 'incomplete'].join('|')})\\b`, 'i')

/** The error in a comment after a text's last row; undefined if the last line is anything else. */
export function errorInLastComment(text: string, comment: string | undefined): string | undefined {
  if (comment === undefined) return undefined
  const lines = text.trimEnd()
  const line = lines.slice(Math.max(lines.lastIndexOf('\n'), lines.lastIndexOf('\r')) + 1)
  return line.startsWith(comment) && badStart.test(line) ? oneLine(line) : undefined
}
