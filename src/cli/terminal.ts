/** What a person sees: tables, counts, the progress bar. */
import type { Progress } from '../pipeline/parts.js'

/** Takes away what a terminal would obey: a city's name may hold escape sequences. */
export function harmless(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}

/** A whole number with thousands separators; loading Intl for that would take longer than a small run. */
export const count = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',')

export const plural = (value: number, word: string): string => `${count(value)} ${word}${value === 1 ? '' : 's'}`

/** `50 locations read (950 left out by filters)` */
export function locationsRead({
  read,
  leftOut = 0,
  limitReached = false,
}: {
  read: number
  leftOut?: number
  limitReached?: boolean
}): string {
  const filters = [
    ...(leftOut > 0 ? [`${count(leftOut)} left out by filters`] : []),
    ...(limitReached ? ['limit reached'] : []),
  ]
  return `${plural(read, 'location')} read${filters.length > 0 ? ` (${filters.join(', ')})` : ''}`
}

/** Tells the milliseconds since this call. Not by `performance`, whose modules Node takes a millisecond to load. */
export function stopwatch(): () => number {
  const started = process.uptime()
  return () => Math.round((process.uptime() - started) * 1000)
}

export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0)} s`
}

/** How long ago, in the two largest units: `2 h 5 min`. */
export function age(milliseconds: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const
  let rest = Math.max(0, milliseconds)
  const parts: string[] = []
  for (const [unit, size] of units) {
    const whole = Math.floor(rest / size)
    rest -= whole * size
    if (whole > 0 && parts.length < 2) parts.push(`${whole} ${unit}`)
  }
  return parts.join(' ') || '0 s'
}

/** Columns of the terminal; COLUMNS says it where standard output is none. */
export const terminalWidth = (): number => Number(process.env['COLUMNS']) || process.stdout.columns || 120

/** Rows under a head; the widest columns give way where the lines are too long for `width`. */
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

/** An option's default as it would be written, or nothing; `required` where there can be none. */
export const defaultOf = (option: { default?: unknown; required: boolean }): string =>
  option.default === undefined
    ? option.required
      ? 'required'
      : ''
    : typeof option.default === 'string'
      ? option.default
      : JSON.stringify(option.default)

/** One line on standard error that is written over; nothing where that isn't a terminal. */
export class ProgressBar {
  readonly #started = Date.now()
  readonly #enabled: boolean
  #last = 0

  constructor(enabled: boolean) {
    this.#enabled = enabled
  }

  update = (progress: Progress): void => {
    const now = Date.now()
    if (!this.#enabled || now - this.#last < 100) return
    this.#last = now
    const { read, delivered, total } = progress
    const rate = Math.round((delivered || read) / Math.max(0.001, (now - this.#started) / 1000))
    const share = total ? Math.min(1, delivered / total) : undefined
    const bar =
      share === undefined
        ? ''
        : `[${'#'.repeat(Math.round(share * 20)).padEnd(20, '.')}] ${Math.floor(share * 100)} %  `
    process.stderr.write(`\r\u001b[K${bar}${count(read)} read, ${count(delivered)} handed over, ${count(rate)}/s`)
  }

  /** Takes the line away, before other words. */
  clear(): void {
    if (this.#enabled && this.#last > 0) process.stderr.write('\r\u001b[K')
  }
}
