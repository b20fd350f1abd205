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

const kinds = 'error|exception|fehler|erreur|erro|errore|fatal|panic'
const none = 'no|none|nil|null|n/a|keine?|aucune?|nessun[ao]?|nenhuma?'
const label = `^\\W*[\\p{L}\\s-]*(${kinds}|connection)[\\p{L}\\s-]*:\\s*`
const about = 'about|approx\\w*|ca|circa|etwa|up to|bis zu|(less|more) than|within|below|under|at most'
const units = '%|°|deg\\w*|percent|[ckm]?m|ft|feet|(kilo)?met(er|re)s?'
const signs = '[<>±~=≤≥+-]*\\s*'
const number = `${signs}\\d[\\d.,]*\\s*`

// Such lines count errors, or say how accurate a list is: a whole list may end in them.
const footers: readonly RegExp[] = [
  // Errors: none
  new RegExp(`${label}(0|-+|${none})\\W*$`, 'iu'),
  // Standard error: 0.5
  new RegExp(`${label}${signs}\\d+[.,]\\d+\\W*$`, 'iu'),
  // Error: ±5 m
  new RegExp(`${label}${number}(${units})\\W*$`, 'iu'),
  // Error: less than 5 m
  new RegExp(`${label}(${about})\\.?\\s*${number}(${units})?\\W*$`, 'iu'),
  /^\W*[\p{L}\s-]*lost connections?[\p{L}\s-]*:\s*\d+\W*$/iu,
]

const isFooter = (line: string): boolean => line.length < 200 && footers.some((footer) => footer.test(line))

// Lines that only a program's report has: no row, and no footer either.
const before =
  'php|uncaught|unhandled|fatal|parse|internal|server|runtime|fortran|database|query|unexpected|critical|syntax|script'
/** Any number may count errors, and "no" may begin a footer. */
const isSaid = `(?! *([<>±~=+-]*\\d|(${none})\\b|(unknown|unbekannt|not (known|available|applicable))\\W*$|-?$))`

/** How a report begins; a row begins otherwise, whatever words stand in its cells. */
const beginnings: readonly RegExp[] = [
  // PHP Fatal error: Uncaught …; ERROR 2013 (HY000) at line 1: …; Error in fetch(res) : …
  new RegExp(`^\\W*((${before})\\W+)*(${kinds})\\b( \\d+)?( \\(\\w+\\))?( (at|in|near) [^:]+)?\\s*:${isSaid}`, 'i'),
  /^\W*[A-Z]\w*(Error|Exception)\b\s*(:|$)/,
  /^\W*([\w$]+(\.|::|\\))+\w*(Error|Exception|Throwable|ConnectionBad|Failure)\b/,
  // Stack traces, of many languages.
  /^\s*at [\w$.<>[\]/]+ ?\(.*\)?( \{)?$|^\s+at \S+:\d+/,
  /^\s*File ".+", line \d+|^traceback \(|^stack ?(trace|traceback)\b|^\s*\.\.\. \d+ more$|^caused by: /i,
  /^\s*#\d+ (\{main\}|\S+\(\d+\)|0x)|^goroutine \d+ \[|^thread '.*' panicked/,
  /^\S+: line \d+: |^\S+\.\w+:\d+:\d+: /,
  // Databases.
  /^\W*((ORA|TNS|PLS|SP2)-\d{4,5}\b|Msg \d+, Level \d+|SQLSTATE\b|SQLCODE\b|SPARQL-QUERY:)/,
  // Shells and interpreters.
  /^(execution halted|exit (status|code) [1-9]\d*|segmentation fault.*|killed|terminated|aborted)\W*$/i,
  // Web pages, XML and JSON.
  /^\s*<(!doctype|\/?(html|head|body|title|center|h1|hr|br|pre)\b)|^\s*<b>(fatal|warning|error|notice)/i,
  /^\s*<(\w+:)?(ServiceException|ExceptionReport|Exception|Error|Fault)\b/,
  /^\s*[{,]?\s*"(error|errors|exception|fault)"\s*:\s*("[^"]|\[\s*[^\]\s]|\{|true)/i,
]

/** What a line of a report may say anywhere; a place may be called so, too. */
const anywhere: readonly RegExp[] = [
  // "Error: 500 Internal Server Error" counts nothing.
  /\b[45]\d\d (Bad (Request|Gateway)|Forbidden|Gateway Time-?out|Internal Server|Not Found|Service |Too Many|Unauthor)/,
  // java.sql.SQLException, PG::ConnectionBad, DB::Exception
  /[\s(*]([\w$]+(\.|::|\\))+\w*(Error|Exception|Throwable|ConnectionBad|Failure)\b/,
  /\.\w+:\d+:in [`']|\bin \S+ on line \d+|\bat \S+\.\w+ line \d+\.?$|\bthrown in .+ on line \d+/,
  /\b(ORA|TNS|PLS|SP2)-\d{4,5}\b|\bMsg \d+, Level \d+|\bSQLSTATE\b|\bSQLCODE\b/,
  /\bdeadlock(ed)?\b|statement time-?out|lost connection|connection (was )?(reset|lost|refused|aborted|terminated)\b/i,
  /closed the connection|broken pipe|out of memory|no space left on device|maximum execution time|core dumped/i,
  /<(\w+:)?(ServiceException|ExceptionReport|Exception|Error|Fault)\b/,
]

const begins = (text: string): boolean => !isFooter(text) && beginnings.some((each) => each.test(text))

const isReport = (line: string): boolean =>
  !isFooter(line) && [...beginnings, ...anywhere].some((report) => report.test(line))

/** So many records at the end of a list are looked at: a report is rarely longer. */
const mostRecords = 200

/** The records behind the last row of a list: they may be the report of a program that failed. */
export class Ending {
  #behind: readonly (Location | Malformed)[] = []
  #last: Location | Malformed | undefined
  #hasRow = false

  add(records: readonly (Location | Malformed)[]): void {
    const row = records.findLastIndex(isRow)
    const behind = records.slice(row + 1)
    this.#hasRow ||= row >= 0
    this.#behind = (row < 0 ? [...this.#behind, ...behind] : behind).slice(-mostRecords)
    this.#last = records.at(-1) ?? this.#last
  }

  /** The last record of all; undefined if there is none. */
  get last(): Location | Malformed | undefined {
    return this.#last
  }

  /** Whether there is no row before the error. */
  get isAll(): boolean {
    return !this.#hasRow
  }

  /** The error that stands in place of the last records; undefined if there is none. */
  get error(): string | undefined {
    const said = this.#behind.map((record) => reportIn(record) ?? (record === this.#last ? inWords(record) : undefined))
    return said.find((each) => each !== undefined)
  }
}

/**
 * Whether a record is a row, even one with invalid values: the program hadn't failed yet. A line of a report may have
 * as many commas as a row, but begins as a report.
 */
function isRow(record: Location | Malformed): boolean {
  if (!isMalformed(record) && !(placeOf(record) instanceof Rejection)) return true
  const seemsRow = isMalformed(record)
    ? record.field !== undefined || (hasNumbers(record.value) && !errorCell.test(record.value))
    : isNamed(record)
  return seemsRow && !begins(textOf(record))
}

/** Whether text with a wrong number of columns was meant as a row: an unquoted comma divides a name, say. */
const hasNumbers = (text: string): boolean =>
  text.split(/[,;\t|]/).filter((value) => /^\s*"?[+-]?\d+([.,]\d+)?"?\s*$/.test(value)).length > 1

/** The start of `ERROR;500;1`. */
const errorCell = new RegExp(`^\\W*(${said.join('|')})\\W*[,;\\t|]`, 'i')

/** Whether it has an id or a name: an error without a place has neither. */
const isNamed = (record: Location): boolean => record['id'] !== undefined || record['city'] !== undefined

const textOf = (record: Location | Malformed): string =>
  isMalformed(record) ? record.value : Object.values(record).join(', ')

function reportIn(record: Location | Malformed): string | undefined {
  const text = textOf(record)
  const refusal = isMalformed(record) || isNamed(record) ? undefined : refusalIn(record)
  return refusal?.said ?? (isReport(text) ? oneLine(text) || 'an HTML document' : undefined)
}

/** What only a last line may say: further up, a footer may have such words. */
const inWords = (record: Location | Malformed): string | undefined =>
  isMalformed(record) && words.test(record.value) && !isFooter(record.value)
    ? oneLine(record.value) || 'an HTML document'
    : undefined

const badStart = new RegExp(`^\\W*(${[...said, 'truncated', 'incomplete'].join('|')})\\b`, 'i')

/** The error in the comments after a text's last row; undefined if its last line is anything else. */
export function errorInLastComment(text: string, comment: string | undefined): string | undefined {
  if (comment === undefined) return undefined
  const lines = text.trimEnd().split(/[\r\n]+/)
  const comments = lines.slice(lines.findLastIndex((line) => !line.startsWith(comment)) + 1)
  const last = comments.at(-1) ?? ''
  const isBad = badStart.test(last) && !isFooter(last)
  const said = isBad ? last : comments.find((line) => isReport(line.slice(comment.length)))
  return said === undefined ? undefined : oneLine(said)
}
