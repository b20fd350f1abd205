/** CSV and TSV. */
import type { Mapping } from '../../fields/mapping.js'
import { damaged, type Records, type TextList } from '../records.js'
import { linesOf } from '../text.js'
import { delimiterOf, separatorLine } from './delimiter.js'
import type { CsvOptions } from './options.js'
import { Table } from './table.js'

export async function* readCsv(
  { name, format, text }: TextList,
  given: CsvOptions,
  mapping: Mapping,
): AsyncGenerator<Records> {
  const { parse } = await import('csv-parse/sync')
  const quote = given.quote ?? '"'
  let table: Table | undefined
  let skipped = 0
  for await (const chunk of linesOf(text(), name)) {
    const skip = Math.min(chunk.length, (given.skipLines ?? 0) - skipped)
    skipped += skip
    let lines = skip > 0 ? chunk.slice(skip) : chunk
    if (!table && lines.some((line) => line.trim() !== '')) {
      if (looksLikeJson(lines))
        throw damaged(
          name,
          'looks like JSON, not CSV',
          'Set source.format to json, or to ndjson for one object a line.',
        )
      const separator = separatorLine(lines[0])
      const tab = format === 'tsv' ? '\t' : undefined
      const delimiter = given.delimiter ?? separator ?? tab ?? delimiterOf(lines, given, quote)
      const dialect = { ...given, quote, delimiter, escape: given.escape ?? quote, isTsv: format === 'tsv' }
      if (separator !== undefined) lines = lines.slice(1)
      table = new Table({ name, given: dialect, mapping, parse, line: skipped + (separator === undefined ? 0 : 1) })
    }
    if (table) yield* table.read(lines)
    else skipped += lines.length
  }
  if (table) yield* table.end()
  if (!table?.hasColumns && !given.header)
    throw damaged(
      name,
      'is empty: it has not even a header',
      'The first line must name the columns; or name them with source.header.',
    )
}

const looksLikeJson = (lines: readonly string[]): boolean => /^\s*(\[\s*)?[{[]\s*"/.test(lines.slice(0, 10).join('\n'))
