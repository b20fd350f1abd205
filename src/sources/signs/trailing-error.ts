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

// Lines that only a program's report has: no row, and no footer either.
const kinds = 'error|exception|fehler|erreur|erro|errore|fatal|panic'
const before =
  'php|uncaught|unhandled|fatal|parse|internal|server|runtime|fortran|database|query|unexpected|critical|syntax|script'
/** "Error: 0" and "Error: none" count errors. */
const isSaid = '(?! *([<>±~=+-]*\\d|no\\b|none|nil|null|n/a|-?$))'

const reports: readonly RegExp[] = [
  // PHP Fatal error: Uncaught …; ERROR 2013 (HY000) at line 1: …; Error in fetch(res) : …
  new RegExp(`^\\W*((${before})\\W+)*(${kinds})\\b( \\d+)?( \\(\\w+\\))?( (at|in|near) [^:]+)?\\s*:${isSaid}`, 'i'),
  /^\W*[A-Z]\w*(Error|Exception)\b\s*(:|$)/,
  // java.sql.SQLException, PG::ConnectionBad, DB::Exception
  /(^|[\s(*])([\w$]+(\.|::|\\))+\w*(Error|Exception|Throwable|ConnectionBad|Failure)\b/,
  // Stack traces, of many languages.
  /^\s*at [\w$.<>[\]/]+ ?\(.*\)?( \{)?$|^\s+at \S+:\d+/,
  /^\s*File ".+", line \d+|^traceback \(|^stack ?(trace|traceback)\b|^\s*\.\.\. \d+ more$|^caused by: /i,
  /^\s*#\d+ (\{main\}|\S+\(\d+\)|0x)|^goroutine \d+ \[|^thread '.*' panicked|\bthrown in .+ on line \d+/,
  /\.\w+:\d+:in [`']|\bin \S+ on line \d+|\bat \S+\.\w+ line \d+\.?$|^\S+: line \d+: |^\S+\.\w+:\d+:\d+: /,
  // Databases.
  /\b(ORA|TNS|PLS|SP2)-\d{4,5}\b|\bMsg \d+, Level \d+|\bSQLSTATE\b|\bSQLCODE\b|^SPARQL-QUERY:/,
  /\bdeadlock(ed)?\b|statement time-?out|lost connection|connection (was )?(reset|lost|refused|aborted|terminated)\b/i,
  /closed the connection|broken pipe|out of memory|no space left on device|maximum execution time/i,
  // Shells and interpreters.
  /^(execution halted|exit (status|code) [1-9]\d*|segmentation fault.*|killed|terminated|aborted)\W*$|core dumped/i,
  // Web pages, XML and JSON.
  /^\s*<(!doctype|\/?(html|head|body|title|center|h1|hr|br|pre)\b)|^\s*<b>(fatal|warning|error|notice)/i,
  /<(\w+:)?(ServiceException|ExceptionReport|Exception|Error|Fault)\b/,
  /^\s*[{,]?\s*"(error|errors|exception|fault)"\s*:\s*("[^"]|\[\s*[^\]\s]|\{|true)/i,
]

const isReport = (line: string): boolean => reports.some((report) => report.test(line))

/** So many records at the end of a list are looked at: a report is rarely longer. */
const mostRecords = 200

/** The records behind the last row of a list: they may be the report of a program that failed. */
export class Ending {
  #behind: readonly (Location | Malformed)[] = []
  last: Location | Malformed | undefined

  add(records: readonly (Location | Malformed)[]): void {
    const row = records.findLastIndex(isRow)
    const behind = records.slice(row + 1)
    this.#behind = (row < 0 ? [...this.#behind, ...behind] : behind).slice(-mostRecords)
    this.last = records.at(-1) ?? this.last
  }

  /** The error that stands in place of the last records; undefined if there is none. */
  get error(): string | undefined {
    const said = this.#behind.map((record) => reportIn(record) ?? (record === this.last ? inWords(record) : undefined))
    return said.find((each) => each !== undefined)
  }
}

/** Whether a record is a row, even one with invalid values: the program hadn't failed yet. */
const isRow = (record: Location | Malformed): boolean =>
  isMalformed(record)
    ? hasNumbers(record.value) || (record.field !== undefined && reportIn(record) === undefined)
    : !(placeOf(record) instanceof Rejection) || (isNamed(record) && reportIn(record) === undefined)

/** Whether text with a wrong number of columns was meant as a row: an unquoted comma divides a name, say. */
const hasNumbers = (text: string): boolean =>
  text.split(/[,;\t|]/).filter((value) => /^\s*"?[+-]?\d+([.,]\d+)?"?\s*$/.test(value)).length > 1

/** Whether it has an id or a name: an error without a place has neither. */
const isNamed = (record: Location): boolean => record['id'] !== undefined || record['city'] !== undefined

function reportIn(record: Location | Malformed): string | undefined {
  // A line of a report may have as many commas as a row.
  const text = isMalformed(record) ? record.value : Object.values(record).join(', ')
  const refusal = isMalformed(record) || isNamed(record) ? undefined : refusalIn(record)
  return refusal?.said ?? (isReport(text) ? oneLine(text) || 'an HTML document' : undefined)
}

/** What only a last line may say: further up, a footer may have such words. */
const inWords = (record: Location | Malformed): string | undefined =>
  isMalformed(record) && words.test(record.value) ? oneLine(record.value) || 'an HTML document' : undefined

const badStart = new RegExp(`^\\W*(${[...said, 'truncated', 'incomplete'].join('|')})\\b`, 'i')

/** The error in the comments after a text's last row; undefined if its last line is anything else. */
export function errorInLastComment(text: string, comment: string | undefined): string | undefined {
  if (comment === undefined) return undefined
  const lines = text.trimEnd().split(/[\r\n]+/)
  const comments = lines.slice(lines.findLastIndex((line) => !line.startsWith(comment)) + 1)
  const last = comments.at(-1) ?? ''
  const said = badStart.test(last) ? last : comments.find((line) => isReport(line.slice(comment.length)))
  return said === undefined ? undefined : oneLine(said)
}
