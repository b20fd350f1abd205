/** Detects the delimiter of a CSV list. */
import type { CsvOptions } from './options.js'

/** A comma comes last: it may be a decimal comma, too. */
const candidates = [';', '\t', '|', ',']

const linesToCheck = 20

/** The separator that a spreadsheet writes into the first line, `sep=;`. */
export const separatorLine = (line: string | undefined): string | undefined => /^"?sep=(.)"?\r?$/i.exec(line ?? '')?.[1]

/**
 * The separator that occurs most often in the first line, outside of quotes. If source.header names the columns, the
 * one that divides the most lines into as many.
 */
export function delimiterOf(lines: readonly string[], { header, decimal, comment }: CsvOptions, quote: string): string {
  const rows = lines
    .filter((line) => line.trim() !== '' && (comment === undefined || !line.startsWith(comment)))
    .slice(0, header ? linesToCheck : 1)
    .map((line) => (quote === '' ? line : outsideQuotes(line, quote)))
  const score = (candidate: string): number => {
    const counts = rows.map((row) => row.split(candidate).length)
    return header ? counts.filter((count) => count === header.length).length : (counts[0] ?? 1)
  }
  const least = header ? 0 : 1
  const best = (separators: readonly string[]): string | undefined => {
    const scored = separators.map((candidate) => ({ candidate, score: score(candidate) }))
    const first = scored.reduce((best, next) => (next.score > best.score ? next : best))
    return first.score > least ? first.candidate : undefined
  }
  // Decimal commas separate columns only if nothing else does.
  return (decimal === ',' ? best(candidates.slice(0, -1)) : undefined) ?? best(candidates) ?? ','
}

const outsideQuotes = (line: string, quote: string): string =>
  line
    .split(quote)
    .filter((_, index) => index % 2 === 0)
    .join('')
