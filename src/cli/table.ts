/** Tables of text, in columns as a terminal shows them. */
import { harmless } from './format.js'
import { secrets } from './output.js'

/** Columns of the terminal; COLUMNS overrides them. In a pipe nothing is cut. */
export const terminalWidth = (): number =>
  Number(process.env['COLUMNS']) || process.stdout.columns || Number.POSITIVE_INFINITY

/**
 * Breaks a text between words into lines of at most `width`; all but the first are indented. A command in backticks
 * stays on one line, so that it can be copied. A line feed in the text, as in a city's name, starts no new line.
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

/** A space followed by an even number of backticks. */
const outsideBackticks = / (?=[^`]*(?:`[^`]*`[^`]*)*$)/

/** Rows under a head. If a line exceeds `width`, the widest columns are cut first. */
export async function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
): Promise<string[]> {
  const { default: widthOf } = await import('string-width')
  // Masked before it is measured: the column's width would reveal a secret's length.
  const cellText = (cell: string): string => harmless(secrets.redact(cell))
  const cells = [head, ...rows].map((row) => row.map(cellText).map((text) => ({ text, width: widthOf(text) })))
  const widths = head.map((_, column) => cells.reduce((most, row) => Math.max(most, row[column]?.width ?? 0), 0))
  const gaps = (head.length - 1) * 2
  for (let over = widths.reduce((sum, own) => sum + own, gaps) - width; over > 0; over--) {
    const widest = Math.max(...widths)
    widths[widths.lastIndexOf(widest)] = Math.max(1, widest - 1)
  }
  return cells.map((row) =>
    row
      .map((cell, column) => {
        const room = widths[column] ?? 0
        const { text, width } = cell.width > room ? cut(cell.text, room, widthOf) : cell
        return text + ' '.repeat(room - width)
      })
      .join('  ')
      .trimEnd(),
  )
}

/** The start of a text and an ellipsis, in at most `most` columns. */
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
