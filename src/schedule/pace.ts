/** Whether the schedule runs often enough for the cadences. */
import { compact } from '../lists.js'
import { durationMs, durationText } from './duration.js'
import type { Timetable } from './timetable.js'

/** How often locations are due, as configured; a location's own field may override it. */
interface Everys {
  readonly default?: string | undefined
  readonly rules: readonly { readonly every: string }[]
}

interface Pace {
  /** Shorter than every gap between scheduled times: most of its windows are always skipped. */
  readonly tooShort: readonly string[]
  /** Shorter than some gaps, such as a night's. */
  readonly sometimes: readonly string[]
  /** In minutes. */
  readonly smallestGap: number
  readonly largestGap: number
}

/** How many coming gaps are examined. */
const mostGaps = 400

/** The gaps between the coming scheduled times, in milliseconds. */
function gapsIn(timetable: Timetable, now: number): number[] {
  const gaps: number[] = []
  let time = timetable.after(now)
  while (time !== undefined && gaps.length < mostGaps) {
    const next = timetable.after(time)
    if (next !== undefined) gaps.push(next - time)
    time = next
  }
  return gaps
}

/** The smallest and the largest gap between scheduled times, in milliseconds. */
export function gapsOf(timetable: Timetable, now: number): { smallest: number; largest: number } {
  const gaps = gapsIn(timetable, now)
  return { smallest: Math.min(...gaps), largest: Math.max(...gaps) }
}

export function paceOf(cadence: Everys, timetable: Timetable, now: number): Pace {
  const { smallest, largest } = gapsOf(timetable, now)
  const periods = compact(
    cadence.default !== undefined && { name: 'cadence.default', every: cadence.default },
    ...cadence.rules.map(({ every }, index) => ({ name: `cadence.rules[${index}]`, every })),
  )
  const shorterThan = (gap: number): string[] =>
    periods.flatMap(({ name, every }) => ((durationMs(every) ?? gap) < gap ? [`${name} (${every})`] : []))
  const tooShort = shorterThan(smallest)
  return {
    tooShort,
    sometimes: shorterThan(largest).filter((name) => !tooShort.includes(name)),
    smallestGap: smallest / 60_000,
    largestGap: largest / 60_000,
  }
}

/**
 * What is wrong with a `maxAge` that is over before the next scheduled time comes, and what to set instead. It is
 * compared with the median gap, so that a weekend or a change of the clocks is no mistake.
 */
export function ageInWords(
  maxAge: string,
  timetable: Timetable,
  now: number,
): { words: string; todo: string } | undefined {
  const gaps = gapsIn(timetable, now).toSorted((a, b) => a - b)
  const usual = gaps[Math.floor(gaps.length / 2)] ?? 0
  if (usual < (durationMs(maxAge) ?? 0)) return undefined
  const words = `scheduled times are ${durationText(usual)} apart, and schedule.maxAge is ${maxAge}`
  const longer = durationText(2 * (gaps.at(-1) ?? 0))
  const todo = `Set schedule.maxAge to ${longer}, so that the next start makes up a missed time.`
  return { words, todo }
}

/** What is wrong with cadences that are shorter than all gaps, or some. */
export function paceInWords({ tooShort, sometimes, smallestGap, largestGap }: Pace): string | undefined {
  const is = (names: readonly string[]): string => `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'}`
  if (tooShort.length > 0)
    return `${is(tooShort)} shorter than the ${smallestGap} minutes between scheduled times: most windows are skipped`
  if (sometimes.length > 0)
    return `${is(sometimes)} shorter than some gaps between scheduled times (up to ${largestGap} minutes)`
  return undefined
}
