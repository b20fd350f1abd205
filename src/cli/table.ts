/** Tables of text, in columns as a terminal shows them. */
import { harmless } from './format.js'
import { secrets } from './output.js'

/** Columns of the terminal; COLUMNS overrides them. In a pipe nothing is cut. */
export const terminalWidth = (): number =>
  Number(process.env['COLUMNS']) || process.stdout.columns || Number.POSITIVE_INFINITY

/**
 * A text in lines of `width` at most, broken between words; those behind the first one are indented. A command in
 * backticks stays on one line, however long, so that it can be copied. A line feed in the text begins no line: a city's
 * name may hold one.
 */
export function wrapped(text: string, width: number): string[] {
  const [first = '', ...words] = harmless(text).split(outsideBackticks)
  const lines = [first]
  for (const word of words) {
    const last = lines.length - 1
    if (`${lines[last]} ${word}`.length > width) lines.push(`  ${word}`)
    else lines[last] += ` ${word}`
  }
  return lines
}

/** A space with backticks in pairs, or none, behind it. */
const outsideBackticks = / (?=[^`]*(?:`[^`]*`[^`]*)*$)/

/** Rows under a head; the widest columns give way where the lines are longer than `width`. */
export async function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
): Promise<string[]> {
  const { default: widthOf } = await import('string-width')
  // Masked before it is measured: the space that it takes would tell how long a secret is.
  const textOf = (cell: string): string => harmless(secrets.redact(cell))
  const cells = [head, ...rows].map((row) => row.map(textOf).map((text) => ({ text, width: widthOf(text) })))
  const widths = head.map((_, column) => cells.reduce((most, row) => Math.max(most, row[column]?.width ?? 0), 0))
  const gaps = (head.length - 1) * 2
  for (let over = widths.reduce((sum, own) => sum + own, gaps) - width; over > 0; over--) {
    const widest = Math.max(...widths)
    widths[widths.lastIndexOf(widest)] = Math.max(1, widest - 1)
  }
  return cells.map((row) =>
    row
      .map((cell, column) => {
        const own = widths[column] ?? 0
        const { text, width } = cell.width > own ? cut(cell.text, own, widthOf) : cell
        return text + ' '.repeat(own - width)
      })
      .join('  ')
      .trimEnd(),
  )
}

/** The beginning of a text, with an ellipsis, in `most` columns. */
function cut(text: string, most: number, widthOf: (text: string) => number): { text: string; width: number } {
  let [shown, width] = ['', 1]
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    const own = widthOf(segment)
    if (width + own > most) break
    shown += segment
    width += own
  }
  return { text: `${shown}…`, width }
}
