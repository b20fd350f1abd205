/**
 * Windows: a location with a cadence has one in each of its periods. It begins at the location's phase, counted from
 * 1970 in UTC, and is due in the run whose interval contains its beginning. Pure: all machines agree, and nothing is
 * stored.
 *
 *     every 6h, phase 2h      |--- window ---|--- window ---|--- window ---|
 *                            02:00          08:00          14:00          20:00
 *     a run for (06:00, 09:00] serves the window of 08:00; one for (06:00, 15:00] that of 14:00, and skips 08:00
 */
import { durationMs } from './duration.js'

/** Ten years: a longer period is probably a typo, which would go unnoticed. */
const longestMs = 3_650 * 86_400_000

/** The valid periods. */
export const periodsInWords = 'from 1s to 3650d'

/** Milliseconds of a period such as `6h`; undefined if it isn't valid. */
export function periodMs(text: string): number | undefined {
  const every = durationMs(text) ?? 0
  return every > 0 && every <= longestMs ? every : undefined
}

/** The times in (from, to], in milliseconds since 1970. */
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
  /** How many older windows begin in the same span. */
  readonly older: number
}

/** The newest window that begins in a span; undefined if none does. */
export function newestWindow({ every, phase }: Rhythm, { from, to }: Span): Window | undefined {
  const last = Math.floor((to - phase) / every)
  const before = Math.floor((from - phase) / every)
  return last > before ? { start: last * every + phase, older: last - before - 1 } : undefined
}
