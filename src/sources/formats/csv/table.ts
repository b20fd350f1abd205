/**
 * Lines of CSV become locations.
 *
 * What stands between quotes is csv-parse's to read; where a record ends is found here, by counting quotes. So a
 * quote too many costs the line that it stands in, not all up to the next one, and lines without any cost little.
 */
import type { parse } from 'csv-parse/sync'
import { isMalformed, type Location, Malformed } from '../../../plugin.js'
import { placeOf } from '../../../tasks/place.js'
import { Rejection } from '../../../tasks/rejection.js'
import { Bare } from '../../fields/names.js'
import { damaged, maxRecord, misread, type Records } from '../records.js'
import { type Columns, columnsOf } from './columns.js'
import type { CsvOptions } from './index.js'

/** Stands in for a record until it is read. */
const unread = new Malformed('', '')

/** Where reading stands: a chunk that turns out to be damaged is read again from here. */
interface State {
  readonly columns: Columns | undefined
  readonly line: number
  readonly open: readonly string[]
}

export class Table {
  delimiter = ','
  readonly #name: string
  readonly #given: CsvOptions
  readonly #parse: typeof parse
  #columns: Columns | undefined
  #line = 0
  /** The lines of a record whose last quote is still open, and their characters. */
  #open: string[] = []
  #size = 0
  #records: (Location | Malformed)[] = []
  #lines: number[] = []
  /** Records with quotes, and their places: they are read all at once, unless one of them is wrong. */
  #quoted: { at: number; record: string }[] | undefined

  constructor(name: string, given: CsvOptions, csvParse: typeof parse) {
    this.#name = name
    this.#given = given
    this.#parse = csvParse
    this.#columns = given.header && columnsOf(given.header, given, name)
  }

  get hasColumns(): boolean {
    return this.#columns !== undefined
  }

  /** The records that end in these lines. */
  read(lines: readonly string[]): Records {
    return this.#chunk(() => this.#feed(lines))
  }

  /** The records of what is left at the end of the list. */
  end(): Records {
    return this.#chunk(() => {
      while (this.#open.length > 0) this.#giveUpFirst()
    })
  }

  #chunk(work: () => void): Records {
    const before: State = { columns: this.#columns, line: this.#line, open: [...this.#open] }
    this.#begin([])
    work()
    if (!this.#readQuoted()) {
      // One by one, to find which is wrong.
      this.#columns = before.columns
      this.#line = before.line
      this.#open = [...before.open]
      this.#begin(undefined)
      work()
    }
    const [records, lines, columns] = [this.#records, this.#lines, this.#columns]
    return { records, position: (index) => `line ${lines[index]}${columnWords(records[index], columns)}` }
  }

  #begin(quoted: { at: number; record: string }[] | undefined): void {
    this.#records = []
    this.#lines = []
    this.#quoted = quoted
  }

  /** Reads the gathered records with quotes; false where one of them is wrong. */
  #readQuoted(): boolean {
    const quoted = this.#quoted ?? []
    const columns = this.#columns
    if (quoted.length === 0 || !columns) return true
    try {
      const rows = this.#cellsOf(quoted.map(({ record }) => record))
      if (rows.length !== quoted.length) return false
      for (const [index, { at, record }] of quoted.entries())
        this.#records[at] = rowOf(rows[index] ?? [], columns, record, this.#given)
      return true
    } catch {
      return false
    }
  }

  #cellsOf(records: readonly string[]): string[][] {
    const { quote } = this.#given
    return this.#parse(records.join('\n'), {
      delimiter: this.delimiter,
      quote,
      escape: quote,
      record_delimiter: '\n',
      relax_column_count: true,
    })
  }

  #feed(lines: readonly string[]): void {
    const { quote } = this.#given
    for (const raw of lines) {
      this.#line++
      const quotes = quote === '' ? 0 : occurrences(quote, raw)
      if (this.#open.length === 0 && quotes % 2 === 0) {
        const record = raw.endsWith('\r') ? raw.slice(0, -1) : raw
        if (!this.#take(record, quotes > 0, this.#line)) this.#reject(record, this.#line)
        continue
      }
      this.#size = this.#open.push(raw) === 1 ? raw.length : this.#size + raw.length
      const isClosed = this.#open.length > 1 && quotes % 2 === 1
      if (!isClosed && this.#size < maxRecord) continue
      const first = this.#line - this.#open.length + 1
      if (isClosed && this.#take(this.#open.join('\n').replace(/\r$/, ''), true, first)) this.#open = []
      else this.#giveUpFirst()
    }
  }

  /** Rejects the first of the open lines; the others are lines of their own. */
  #giveUpFirst(): void {
    const [first = '', ...others] = this.#open
    this.#line -= this.#open.length
    this.#reject(first, ++this.#line)
    this.#open = []
    this.#feed(others)
  }

  /** One whole record. False where it can't be read. */
  #take(record: string, hasQuotes: boolean, at: number): boolean {
    if (record === '') return true
    if (hasQuotes && this.#quoted && this.#columns) {
      this.#quoted.push({ at: this.#records.length, record })
      this.#add(unread, at)
      return true
    }
    const cells = hasQuotes ? this.#cellsOfOne(record) : record.split(this.delimiter)
    if (!cells) return false
    if (this.#columns) this.#add(rowOf(cells, this.#columns, record, this.#given), at)
    else this.#columns = columnsOf(cells, this.#given, this.#name)
    return true
  }

  #cellsOfOne(record: string): string[] | undefined {
    try {
      const [first, ...others] = this.#cellsOf([record])
      return others.length === 0 ? first : undefined
    } catch {
      return undefined
    }
  }

  #reject(record: string, at: number): void {
    if (!this.#columns)
      throw damaged(
        this.#name,
        `has a quote that is never closed in its header, line ${at}`,
        'Correct it, or set source.quote.',
      )
    const reason =
      'a quote in this line is never closed, or more follows a closing one: source.quote sets another, or none'
    this.#add(new Malformed(record, reason), at)
  }

  #add(record: Location | Malformed, at: number): void {
    this.#records.push(record)
    this.#lines.push(at)
  }
}

function occurrences(part: string, text: string): number {
  let count = 0
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count++
  return count
}

function rowOf(
  cells: readonly string[],
  { names, meanings }: Columns,
  record: string,
  given: CsvOptions,
): Location | Malformed {
  if (cells.length !== meanings.length)
    return new Malformed(record, `the row has ${cells.length} columns, the header ${meanings.length}`)
  if (record.includes('\ufffd'))
    return new Malformed(record, misread(`column ${names[cells.findIndex((cell) => cell.includes('\ufffd'))]}`, given))
  const location = new Bare()
  for (let column = 0; column < cells.length; column++) location[meanings[column] ?? ''] = cells[column]
  return location
}

/** `, column "lat"` where that column keeps a row from being a task. */
function columnWords(record: Location | Malformed | undefined, columns: Columns | undefined): string {
  if (record === undefined || isMalformed(record) || !columns) return ''
  const place = placeOf(record)
  const column = place instanceof Rejection ? columns.meanings.indexOf(place.field ?? '') : -1
  return column < 0 ? '' : `, column "${columns.names[column]}"`
}
