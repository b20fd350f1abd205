/** Tables of text. */
import { harmless } from './format.js'

/** Columns of the terminal; COLUMNS overrides it, 120 where standard output is no terminal. */
export const terminalWidth = (): number => Number(process.env['COLUMNS']) || process.stdout.columns || 120

/** Rows under a head; the widest columns give way where the lines are longer than `width`. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], width: number): string[] {
  const cells = [head, ...rows].map((row) => row.map(harmless))
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const gaps = (head.length - 1) * 2
  for (let over = widths.reduce((sum, own) => sum + own, gaps) - width; over > 0; over--) {
    const widest = Math.max(...widths)
    widths[widths.lastIndexOf(widest)] = Math.max(1, widest - 1)
  }
  return cells.map((row) =>
    row
      .map((cell, column) => {
        const own = widths[column] ?? 0
        return cell.length > own ? `${cell.slice(0, own - 1)}…` : cell.padEnd(own)
      })
      .join('  ')
      .trimEnd(),
  )
}
