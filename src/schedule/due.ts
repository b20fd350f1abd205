/**
 * Which scheduled times a start serves, and which it can't serve any more. A run covers an interval: from the end of
 * the interval before it up to its slot. So whatever lies behind the end of the last interval is due:
 *
 *     ... last interval]   missed (maxAge)   missed (maxCatchUp)   due   due   due]  the next one
 *                                                                              now
 *
 * `latest`: one run, whose interval has all of it. `all`: a run for each due time; the first one's interval has what is
 * missed before it.
 */
import type { Timetable } from './timetable.js'

export interface Policy {
  readonly timetable: Timetable
  readonly catchUp: 'latest' | 'all'
  /** Runs that one start makes at most: 1 or more. */
  readonly maxCatchUp: number
  /** Milliseconds: what is older is missed. */
  readonly maxAgeMs: number
}

/** Scheduled times, one after the other, that no run serves. */
interface MissedTimes {
  readonly from: number
  readonly to: number
  readonly count: number
  readonly reason: 'maxAge' | 'maxCatchUp'
}

interface DueRun {
  readonly slot: number
  /** Where its interval begins; it ends with the slot. */
  readonly from: number
}

export interface Due {
  /** What the start is for: the newest scheduled time, be it served already; undefined where there was none yet. */
  readonly slot: number | undefined
  /** Oldest first. */
  readonly runs: readonly DueRun[]
  readonly gaps: readonly MissedTimes[]
}

/** A start may come so much too early, where the clock is slow: 60 s, but no more than a tenth of the way. */
const earlyMs = 60_000

/** A start may come so much later than its time: 15 min, but no more than half of the way to the next one. */
const lateMs = 15 * 60_000

/** Whether a start should have come by now for a scheduled time. */
export function isLate(timetable: Timetable, time: number, now: number): boolean {
  const next = timetable.after(time) ?? Number.POSITIVE_INFINITY
  return now - time > Math.min(lateMs, (next - time) / 2)
}

/**
 * @param coveredTo end of the last interval; null where nothing was ever served
 * @param slot the last scheduled time that may be due
 */
export function due(
  { timetable, catchUp, maxCatchUp, maxAgeMs }: Policy,
  coveredTo: number | null,
  now: number,
  slot = newest(timetable, now),
): Due {
  if (slot === undefined || (coveredTo !== null && slot <= coveredTo)) return { slot, runs: [], gaps: [] }
  if (coveredTo === null) {
    const runs = [{ slot, from: timetable.at(slot - 1) ?? slot }]
    return { slot, runs, gaps: [] }
  }
  // guard: catch-up
  const times = [...timetable.between(coveredTo, slot)]
  // A start serves the newest one, however late it comes.
  const young = times.filter((time) => time > now - maxAgeMs || time === slot)
  const most = catchUp === 'all' ? maxCatchUp : young.length
  const kept = young.slice(-most)
  const gaps = [
    ...gapOf(times.slice(0, times.length - young.length), 'maxAge'),
    ...gapOf(young.slice(0, young.length - kept.length), 'maxCatchUp'),
  ]
  const slots = catchUp === 'all' ? kept : kept.slice(-1)
  const runs = slots.map((time, index) => ({ slot: time, from: slots[index - 1] ?? coveredTo }))
  return { slot, runs, gaps }
}

/** What a start at `now` is for. */
export function newest(timetable: Timetable, now: number): number | undefined {
  const last = timetable.at(now)
  const next = timetable.after(now)
  // guard: early-start
  if (next !== undefined && next - now <= Math.min(earlyMs, (next - (last ?? 0)) / 10)) return next
  return last
}

function gapOf(times: readonly number[], reason: MissedTimes['reason']): MissedTimes[] {
  const [from] = times
  const to = times.at(-1)
  return from === undefined || to === undefined ? [] : [{ from, to, count: times.length, reason }]
}
