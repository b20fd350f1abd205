/**
 * Windows: a location with a cadence has one in each of its periods. It begins at the location's phase, counted from
 * 1970 in UTC, and is due in the run whose interval has its beginning in it. Pure: every machine agrees, nothing is
 * stored.
 *
 *     every 6h, phase 2h      |--- window ---|--- window ---|--- window ---|
 *                            02:00          08:00          14:00          20:00
 *     a run for (06:00, 09:00] serves the window of 08:00; one for (06:00, 15:00] that of 14:00, and skips 08:00
 */
import { durationMs } from './duration.js'

/** Ten years: a longer period is a slip, and nobody would hear that its windows hardly ever begin. */
const longestMs = 3_650 * 86_400_000

/** The periods that there are, in words. */
export const periodsInWords = 'from 1s to 3650d'

/** Milliseconds of a period such as `6h`; undefined where the text is none, or windows can't have it. */
export function periodMs(text: string): number | undefined {
  const every = durationMs(text) ?? 0
  return every > 0 && every <= longestMs ? every : undefined
}

/** Times in milliseconds since 1970: behind `from`, up to `to`. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** In milliseconds; the phase is less than the period. */
export interface Rhythm {
  readonly every: number
  readonly phase: number
}

interface Window {
  /** Milliseconds since 1970. */
  readonly start: number
  /** Older windows of the same span. */
  readonly older: number
}

/** The newest window that begins in a span; undefined where none does. */
export function newestWindow({ every, phase }: Rhythm, { from, to }: Span): Window | undefined {
  const last = Math.floor((to - phase) / every)
  const before = Math.floor((from - phase) / every)
  return last > before ? { start: last * every + phase, older: last - before - 1 } : undefined
}
