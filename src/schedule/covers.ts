/** Which scheduled times runs cover, and which none does. Pure. Slots are ISO 8601, times milliseconds since 1970. */
import { sumOf } from '../lists.js'
import { count, plural } from '../words.js'
import { isLate } from './due.js'
import { isTimeOf, type Timetable } from './timetable.js'

/** Consecutive scheduled times that no run serves: the first one, the last one, and how many. */
interface MissedSlots {
  readonly from: string
  readonly to: string
  readonly count: number
}

/**
 * How many other scheduled times a run serves with its own: those in its interval (from, to] that weren't missed. A
 * discarded run serves none.
 */
export function timesCovered(
  { from, to, state }: { readonly from: string | null; readonly to: string; readonly state?: string },
  missed: readonly MissedSlots[],
  timetable: Timetable,
): number {
  if (from === null || state === 'discarded') return 0
  const [begin, end] = [Date.parse(from), Date.parse(to)]
  const gaps = missed.filter((gap) => Date.parse(gap.from) > begin && Date.parse(gap.to) < end)
  const times = [...timetable.between(begin, end - 1)].length
  return Math.max(0, times - sumOf(gaps, (gap) => gap.count))
}

/** Each gap with how many of its scheduled times were served after all; without `served` if none was. */
export function withServed<Gap extends Pick<MissedSlots, 'from' | 'to'>>(
  gaps: readonly Gap[],
  slots: readonly { readonly slot: string; readonly state: string }[],
  timetable: Timetable,
): (Gap & { served?: number })[] {
  const done = [...new Set(slots.flatMap(({ slot, state }) => (state === 'done' ? [Date.parse(slot)] : [])))]
  return gaps.map((gap) => {
    const [from, to] = [Date.parse(gap.from), Date.parse(gap.to)]
    // A slot served by hand may lie between scheduled times.
    const served = done.filter((time) => from <= time && time <= to && isTimeOf(timetable, time)).length
    return { ...gap, ...(served > 0 ? { served } : {}) }
  })
}

type Missed = MissedSlots & { readonly reason: string; readonly served?: number }

export const missedInWords = ({ from, to, count: times, reason, served }: Missed): string =>
  `${plural(times, 'scheduled time')}, ${times === 1 ? from : `${from} to ${to}`} (${reason})${servedInWords(served)}`

export const servedInWords = (served = 0): string => (served > 0 ? `, ${count(served)} of them served since` : '')

/**
 * The slots that a new run takes over with their intervals, the newest first: those right before it that were missed,
 * and with `latest` also those that were begun but have read nothing.
 * @param end of the last interval
 */
export function takenOver<S extends Ran & { readonly read: number }>(
  end: number,
  slots: readonly S[],
  catchUp: 'latest' | 'all',
): S[] {
  const taken: S[] = []
  for (const seen of slots) {
    const { slot, from, state, read } = seen
    const isLeft = state === 'missed' || (catchUp === 'latest' && state === 'reading' && read === 0)
    const last = taken.at(-1)?.from
    if (from !== null && isLeft && Date.parse(slot) === (last ? Date.parse(last) : end)) taken.push(seen)
  }
  return taken
}

/** A slot in the ledger. Its runs cover the time after `from`; null if they cover none. */
interface Ran {
  readonly slot: string
  readonly from: string | null
  readonly state: string
}

interface LedgerSlots<S extends Ran> {
  /** The newest first. */
  readonly slots: readonly S[]
  readonly missed: readonly MissedSlots[]
  /** The end of the last interval; null if there was never a run. */
  readonly coveredTo: number | null
}

/** Whether a slot's run was closed without storing anything. */
const isClosed = ({ state }: Ran): boolean => state === 'missed' || state === 'covered'

/** Whether a time lies in the interval of a slot, before it. */
const isWithin = (time: number, { slot, from }: Ran): boolean =>
  from !== null && Date.parse(from) < time && time < Date.parse(slot)

const isMissed = (time: number, missed: readonly MissedSlots[]): boolean =>
  missed.some(({ from, to }) => Date.parse(from) <= time && time <= Date.parse(to))

/** The slot whose run covers a time that has no run of its own; undefined if none does. */
export function standInFor<S extends Ran>(
  time: number,
  { slots, missed }: Omit<LedgerSlots<S>, 'coveredTo'>,
): S | undefined {
  if (isMissed(time, missed)) return undefined
  return slots.find((slot) => slot.state !== 'discarded' && !isClosed(slot) && isWithin(time, slot))
}

/** Scheduled times without a run of their own, oldest first. */
interface WithoutRun {
  /** A later run covers them. */
  readonly covered: readonly number[]
  /** The next start serves or covers them. */
  readonly due: readonly number[]
  /** Due ones for which a start should have come by now. */
  readonly late: readonly number[]
  /** No start will serve them. */
  readonly missed: readonly number[]
}

/** @param since leaves out earlier times; those before the first kept interval were never due */
export function withoutRun(ledger: LedgerSlots<Ran>, timetable: Timetable, since: number, now: number): WithoutRun {
  const { slots, missed, coveredTo } = ledger
  const begins = slots.flatMap(({ from }) => (from === null ? [] : [Date.parse(from)]))
  const first = begins.reduce((least, from) => Math.min(least, from), Number.POSITIVE_INFINITY)
  const own = new Set(slots.filter((slot) => !isClosed(slot)).map(({ slot }) => Date.parse(slot)))
  const closed = new Set(slots.filter(isClosed).map(({ slot }) => Date.parse(slot)))
  const times = { covered: [] as number[], due: [] as number[], missed: [] as number[] }
  const last = isAheadOf(now, coveredTo, timetable) ? timetable.at(now) : undefined
  for (const time of timetable.between(Math.max(first, since - 1), now)) {
    if (own.has(time)) continue
    if ((coveredTo !== null && time > coveredTo) || (time === last && !closed.has(time))) times.due.push(time)
    else if (standInFor(time, ledger)) times.covered.push(time)
    else if (isMissed(time, missed) || closed.has(time) || slots.some((slot) => isWithin(time, slot)))
      times.missed.push(time)
  }
  // The time before the last one was due by itself, too: if it has no run of its own, no start came for it.
  const before = last === undefined ? undefined : timetable.at(last - 1)
  const isOverdue = before !== undefined && before > first && !own.has(before)
  return { ...times, late: times.due.filter((time) => isOverdue || isLate(timetable, time, now)) }
}

/**
 * Whether the ledger ends so far in the future that a clock was wrong: a start then serves the newest scheduled time by
 * itself, and none before it.
 */
export const isAheadOf = (now: number, coveredTo: number | null, timetable: Timetable): boolean =>
  coveredTo !== null && coveredTo > (timetable.after(now) ?? Number.POSITIVE_INFINITY)
