/** CSV and TSV. */
import type { Fields } from '../../fields/options.js'
import { damaged, type Records, type TextList } from '../records.js'
import { linesOf } from '../text.js'
import { delimiterOf } from './delimiter.js'
import { Table } from './table.js'

export interface CsvOptions {
  readonly fields?: Fields
  readonly encoding?: string | undefined
  readonly delimiter?: string | undefined
  readonly quote: string
  readonly header?: readonly string[] | undefined
}

export async function* readCsv({ name, format, text }: TextList, given: CsvOptions): AsyncGenerator<Records> {
  const { parse } = await import('csv-parse/sync')
  const table = new Table(name, given, parse)
  let delimiter = given.delimiter ?? (format === 'tsv' ? '\t' : undefined)
  for await (const lines of linesOf(text(), name)) {
    delimiter ??= delimiterOf(
      lines.find((line) => line.trim() !== ''),
      given.quote,
    )
    table.delimiter = delimiter ?? ','
    yield table.read(lines)
  }
  yield table.end()
  if (!table.hasColumns)
    throw damaged(
      name,
      'is empty: it has not even a header',
      'The first line must name the columns; or name them with source.header.',
    )
}
