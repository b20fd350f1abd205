/**
 * Which scheduled times a start serves, and which it no longer can. A run covers an interval: from the end of the one
 * before it up to its slot. So all times after the last interval are due:
 *
 *     ... last interval]   missed (maxAge)   missed (maxCatchUp)   due   due   due]  the next one
 *                                                                              now
 *
 * `latest`: one run, whose interval contains all of them. `all`: a run for each due time; the first one's interval also
 * contains the missed times before it.
 */
import type { Timetable } from './timetable.js'

export interface Policy {
  readonly timetable: Timetable
  readonly catchUp: 'latest' | 'all'
  /** The most runs of one start: 1 or more. */
  readonly maxCatchUp: number
  /** In milliseconds: older times are missed. */
  readonly maxAgeMs: number
}

/** Consecutive scheduled times that no run serves. */
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
  /** The start's own slot: the newest scheduled time, even if it is served; undefined if there was none yet. */
  readonly slot: number | undefined
  /** Oldest first. */
  readonly runs: readonly DueRun[]
  readonly gaps: readonly MissedTimes[]
}

/** How early a start may come if its clock is slow: 60 s, but at most a tenth of the gap between scheduled times. */
const earlyMs = 60_000

/** How late a start may come: 15 min, but at most half of the time to the next one. */
const lateMs = 15 * 60_000

/** Whether a start should have come by now for a scheduled time. */
export function isLate(timetable: Timetable, time: number, now: number): boolean {
  const next = timetable.after(time) ?? Number.POSITIVE_INFINITY
  return now - time > Math.min(lateMs, (next - time) / 2)
}

/**
 * @param coveredTo end of the last interval; null if nothing was ever served
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
  // A start serves the newest one, however late.
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

/** The slot of a start at `now`. */
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
