/**
 * Turns lines of CSV into locations.
 *
 * Counting quotes shows where a record ends; csv-parse reads only records with quotes. So a stray quote costs its own
 * line, not all lines up to the next quote, and lines without quotes are cheap.
 */
import type { parse } from 'csv-parse/sync'
import { type Location, Malformed } from '../../../plugin.js'
import type { Mapping, Plan } from '../../fields/mapping.js'
import { Headers, isHeader, OtherHeader, sameHeader, titles } from '../header.js'
import { damaged, maxRecord, misread, NoRecord, type Records, titleOf } from '../records.js'
import { columnsOf } from './header.js'
import type { CsvOptions } from './options.js'
import { quoteCounter } from './quotes.js'

interface Dialect extends CsvOptions {
  readonly quote: string
  readonly escape: string
  readonly delimiter: string
  /** In TSV a quote that encloses nothing is an ordinary character, as in GeoNames' lists. */
  readonly isTsv: boolean
}

interface TableTerms {
  readonly name: string
  readonly given: Dialect
  readonly mapping: Mapping
  readonly parse: typeof parse
  /** How many lines come before the first one. */
  readonly line: number
}

/** A second header with other columns; what that means depends on the rows before it. */
class HeaderRow {
  readonly row: Malformed
  readonly isMoved: boolean

  constructor(row: Malformed, isMoved: boolean) {
    this.row = row
    this.isMoved = isMoved
  }
}

type Row = Location | Malformed | HeaderRow | undefined

/** The reader's state, from which a chunk that turns out to be damaged is read again. */
interface State {
  columns: Plan | undefined
  /** Whether a row was read, or a header that source.header replaces. */
  isBegun: boolean
  line: number
  /** The lines of a record whose last quote is still open, and how many characters they have. */
  open: string[]
  size: number
  /** Lines to read, from the index `at` on. */
  waiting: readonly string[]
  at: number
}

/** How many lines are read at a time: those that an unclosed quote held up are too many to read without a pause. */
const linesATurn = 2_000

export class Table {
  readonly #terms: TableTerms
  readonly #quotesIn: (line: string) => number
  #state: State
  /** Whether the list ended before the last quote was closed. */
  #isOpen = false
  #rows: Row[] = []
  #lines: number[] = []
  /** Records with quotes, and their indexes. They are parsed all at once, unless one of them is wrong. */
  #quoted: { at: number; record: string }[] | undefined
  #headers: Headers | undefined
  /** Whether a row was yielded. */
  #hasRows = false
  /** Set once a header with other columns ends the list. */
  #otherHeader: OtherHeader | undefined

  constructor(terms: TableTerms) {
    const { given, mapping, name: list, line } = terms
    this.#terms = terms
    this.#quotesIn = quoteCounter(given.quote, given.escape)
    const source = { list, mapping, where: ', in source.header', line: undefined, following: [] }
    const columns = given.header && columnsOf(given.header, source)
    this.#state = { columns, isBegun: false, line, open: [], size: 0, waiting: [], at: 0 }
  }

  get hasColumns(): boolean {
    return this.#state.columns !== undefined
  }

  /** The records that end in these lines. */
  *read(lines: readonly string[]): Generator<Records> {
    this.#state.waiting = lines
    this.#state.at = 0
    while (this.#state.at < this.#state.waiting.length) yield* this.#chunk(() => this.#feed())
  }

  /** The records of what is left at the end of the list. */
  *end(): Generator<Records> {
    while (this.#state.open.length > 0 || this.#state.at < this.#state.waiting.length)
      yield* this.#chunk(() => {
        if (this.#state.at === this.#state.waiting.length) {
          this.#isOpen = true
          this.#giveUpFirst()
        }
        this.#feed()
      })
  }

  *#chunk(work: () => void): Generator<Records> {
    const before = { ...this.#state, open: [...this.#state.open] }
    this.#begin([])
    work()
    if (!this.#readQuoted()) {
      // One by one, to find the wrong one.
      this.#state = before
      this.#begin(undefined)
      work()
    }
    const [lines, columns] = [this.#lines, this.#state.columns]
    const rows = this.#judged()
    const isThere = (row: Location | Malformed | undefined): row is Location | Malformed => row !== undefined
    const places = rows.every(isThere) ? lines : lines.filter((_, index) => isThere(rows[index]))
    const records = rows.filter(isThere)
    this.#hasRows ||= records.length > 0
    yield { records, position: (index, field) => `line ${places[index]}${columnInWords(field, columns)}` }
    if (this.#otherHeader) throw this.#otherHeader
  }

  /** The rows up to a header with other columns. Titles directly below the first header are rejected as a row. */
  #judged(): (Location | Malformed | undefined)[] {
    const rows: (Location | Malformed | undefined)[] = []
    for (const [index, row] of this.#rows.entries()) {
      if (row instanceof HeaderRow && (row.isMoved || this.#hasRows || rows.some((each) => each !== undefined))) {
        this.#otherHeader = new OtherHeader(titleOf(this.#terms.name), row.row.value, `, line ${this.#lines[index]}`)
        break
      }
      rows.push(row instanceof HeaderRow ? row.row : row)
    }
    return rows
  }

  #begin(quoted: { at: number; record: string }[] | undefined): void {
    this.#rows = []
    this.#lines = []
    this.#quoted = quoted
  }

  /** Parses the gathered records with quotes; false if one of them is wrong. */
  #readQuoted(): boolean {
    const quoted = this.#quoted ?? []
    if (quoted.length === 0 || !this.#state.columns) return true
    const cells = this.#cellsOf(quoted.map(({ record }) => record))
    if (cells?.length !== quoted.length) return false
    for (const [index, { at, record }] of quoted.entries()) this.#rows[at] = this.#rowOf(cells[index] ?? [], record)
    return true
  }

  /** Undefined if one of them can't be parsed. */
  #cellsOf(records: readonly string[]): string[][] | undefined {
    const { delimiter, quote, escape: escaping } = this.#terms.given
    const options = { delimiter, quote, escape: escaping, record_delimiter: '\n', relax_column_count: true }
    try {
      return this.#terms.parse(records.join('\n'), options)
    } catch {
      return undefined
    }
  }

  #feed(): void {
    const state = this.#state
    const { comment } = this.#terms.given
    for (let left = linesATurn; left > 0 && state.at < state.waiting.length; left--) {
      const line = state.waiting[state.at++] ?? ''
      // A byte order mark shows where files were joined.
      const raw = state.open.length === 0 && line.startsWith('\ufeff') ? line.slice(1) : line
      state.line++
      if (state.open.length === 0 && comment !== undefined && raw.startsWith(comment)) continue
      const quotes = this.#quotesIn(raw)
      if (state.open.length === 0 && (quotes % 2 === 0 || this.#isLiteral(raw))) {
        const record = raw.endsWith('\r') ? raw.slice(0, -1) : raw
        const isLiteral = quotes % 2 === 1
        const following = state.columns ? [] : state.waiting.slice(state.at, state.at + 49)
        if (!this.#take(record, quotes > 0 && !isLiteral, state.line, following)) this.#reject(record, state.line)
      } else this.#addToOpen(raw, quotes)
    }
  }

  /** Adds a line to a record whose last quote is still open. */
  #addToOpen(raw: string, quotes: number): void {
    const state = this.#state
    state.size = state.open.push(raw) === 1 ? raw.length : state.size + raw.length
    const isClosed = state.open.length > 1 && quotes % 2 === 1
    if (!isClosed && state.size < maxRecord) return
    const first = state.line - state.open.length + 1
    if (isClosed && this.#take(state.open.join('\n').replace(/\r$/, ''), true, first)) state.open = []
    else this.#giveUpFirst()
  }

  /** Whether a line of TSV with an odd number of quotes is complete: only its last cell could go on. */
  #isLiteral(raw: string): boolean {
    if (!this.#terms.given.isTsv || !this.#state.columns) return false
    const cells = raw.split(this.#terms.given.delimiter)
    return cells.length === this.#state.columns.names.length && !cells.at(-1)?.startsWith(this.#terms.given.quote)
  }

  /** Rejects the first of the open lines; the others are read as records of their own. */
  #giveUpFirst(): void {
    const state = this.#state
    const [first = '', ...others] = state.open
    state.line -= state.open.length
    this.#reject(first.replace(/\r$/, ''), ++state.line)
    state.open = []
    state.waiting = [...others, ...state.waiting.slice(state.at)]
    state.at = 0
  }

  /** Takes a complete record. False if it can't be parsed. */
  #take(record: string, hasQuotes: boolean, at: number, following: readonly string[] = []): boolean {
    const state = this.#state
    if (record.trim() === '') return true
    if (hasQuotes && this.#quoted && state.columns && state.isBegun) {
      this.#quoted.push({ at: this.#rows.length, record })
      this.#add(undefined, at)
      return true
    }
    const cells = hasQuotes ? this.#cellsOfOne(record) : record.split(this.#terms.given.delimiter)
    if (!cells) return false
    if (!state.columns) state.columns = this.#header(cells, at, following)
    else if (state.isBegun || !isHeader(cells, state.columns)) this.#add(this.#rowOf(cells, record), at)
    else this.#headers = new Headers(cells, state.columns, this.#terms.mapping)
    state.isBegun = true
    return true
  }

  #header(cells: readonly string[], line: number, following: readonly string[]): Plan {
    const { name: list, mapping } = this.#terms
    const rows = following.map((row) => this.#cellsOfOne(row.replace(/\r$/, '')) ?? [])
    return columnsOf(cells, { list, mapping, where: `, line ${line}`, line, following: rows })
  }

  #cellsOfOne(record: string): string[] | undefined {
    const [first, ...others] = this.#cellsOf([record]) ?? []
    return others.length === 0 ? first : undefined
  }

  #rowOf(cells: readonly string[], record: string): Row {
    const columns = this.#state.columns ?? { names: [], meanings: [], copied: [] }
    const { names } = columns
    if (cells.every((cell) => cell.trim() === '')) return undefined
    if (cells.length !== names.length && !isPadded(cells, names))
      return new NoRecord(record, `the row has ${cells.length} columns, the header ${names.length}`, this.#isOpen)
    if (record.includes('\ufffd')) {
      const column = names[cells.findIndex((cell) => cell.includes('\ufffd'))]
      return new Malformed(record, misread(`column ${column}`, this.#terms.given))
    }
    this.#headers ??= new Headers(names, columns, this.#terms.mapping)
    const again = this.#headers.again(cells)
    if (again === 'the same') return new Malformed(record, sameHeader)
    if (again !== undefined) return new HeaderRow(new Malformed(record, titles), again === 'moved')
    return this.#terms.mapping.fromRow(columns, cells, () => record)
  }

  #reject(record: string, at: number): void {
    const { name, given } = this.#terms
    const cells = record.split(given.delimiter)
    const isSpaced = cells.some((cell) => isQuoted(cell.trim(), given.quote) && cell !== cell.trim())
    if (!this.#state.columns)
      throw damaged(
        name,
        `has a quote that is never closed in its header, line ${at}`,
        isSpaced ? 'Remove the spaces beside its quotes.' : 'Correct it, or set source.quote.',
      )
    if (given.isTsv && cells.length === this.#state.columns.names.length) {
      this.#add(this.#rowOf(cells, record), at)
      return
    }
    const hint = record.includes(`\\${given.quote}`)
      ? `source.escape: "\\" reads \\${given.quote} as a quote`
      : isSpaced
        ? 'remove the spaces beside its quotes'
        : 'source.quote sets another, or none'
    const reason = `a quote in this line is never closed, or more follows a closing one: ${hint}`
    this.#add(new NoRecord(record, reason, this.#isOpen), at)
  }

  #add(row: Row, at: number): void {
    this.#rows.push(row)
    this.#lines.push(at)
  }
}

/** Whether a quote is at either end: at one only, if the value contains the delimiter. */
const isQuoted = (cell: string, quote: string): boolean =>
  quote !== '' && (cell.startsWith(quote) || cell.endsWith(quote))

/** Whether row and header differ only by delimiters at the end: cells without a value, or columns without a name. */
const isPadded = (cells: readonly string[], names: readonly string[]): boolean =>
  cells.slice(names.length).every((cell) => cell.trim() === '') &&
  names.slice(cells.length).every((name, at) => name === `column_${cells.length + at + 1}`)

/** `, column "lat"` if a record is rejected for that column. */
function columnInWords(field: string | undefined, columns: Plan | undefined): string {
  const column = field === undefined ? -1 : (columns?.meanings.indexOf(field) ?? -1)
  return column < 0 ? '' : `, column "${columns?.names[column]}"`
}
