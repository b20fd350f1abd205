/** What a run stands in for. Pure. */
import type { Timetable } from './timetable.js'

/** Scheduled times that no run serves: the first and the last one, as slots are written, and how many. */
interface Gap {
  readonly from: string
  readonly to: string
  readonly count: number
}

/**
 * How many other scheduled times a run serves with its own: those of its interval, but for what was missed.
 * @param interval as slots are written: it begins behind `from`, and ends with the run's own slot
 */
export function timesCovered(
  { from, to }: { readonly from: string | null; readonly to: string },
  missed: readonly Gap[],
  timetable: Timetable,
): number {
  if (from === null) return 0
  const [begin, end] = [Date.parse(from), Date.parse(to)]
  const gaps = missed.filter((gap) => Date.parse(gap.from) > begin && Date.parse(gap.to) < end)
  const times = [...timetable.between(begin, end - 1)].length
  return Math.max(0, times - gaps.reduce((sum, gap) => sum + gap.count, 0))
}
