/**
 * A time zone's clocks. A local time is what they show, as if that were UTC, in milliseconds since 1970. Assumes that
 * the clocks don't change twice within two days.
 */
import { CronDate } from 'croner'

interface Zone {
  /** What the clocks show at a time, in whole seconds. */
  local(time: number): number
  /**
   * When the clocks first show a local time or a later one: the first time if it comes twice, and the end of the gap,
   * be that an hour or a day later, if they skip it.
   */
  reached(local: number): number
  /** The hours of the day, 0 to 23, that they skip in full or in part in the year after a time. */
  skipped(time: number): ReadonlySet<number>
}

const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000]

export function zone(timezone: string): Zone {
  const local = (time: number): number => {
    const { year, month, day, hour, minute, second } = new CronDate(new Date(time), timezone)
    return Date.UTC(year, month, day, hour, minute, second)
  }
  const ahead = (time: number): number => local(time) - time
  const reached = (shown: number): number => {
    const byOld = shown - ahead(shown - dayMs)
    if (local(byOld) === shown) return byOld
    const byNew = shown - ahead(shown + dayMs)
    if (local(byNew) === shown) return byNew
    return firstIn(byNew, byOld, (time) => local(time) > shown)
  }
  return {
    local,
    reached,
    skipped(time) {
      const hours = new Set<number>()
      const first = Math.floor(time / dayMs) * dayMs
      for (let day = first; day < first + 366 * dayMs; day += dayMs) {
        if (ahead(day - dayMs) === ahead(day + 2 * dayMs)) continue
        for (let hour = 0; hour < 24; hour += 1) {
          const begin = day + hour * hourMs
          if ([begin, begin + hourMs - minuteMs].some((shown) => local(reached(shown)) !== shown)) hours.add(hour)
        }
      }
      return hours
    },
  }
}

/** The first whole second in (before, last] from which on something holds. */
function firstIn(before: number, last: number, holds: (time: number) => boolean): number {
  let [low, high] = [before, last]
  while (high - low > 1000) {
    const middle = low + Math.floor((high - low) / 2000) * 1000
    if (holds(middle)) high = middle
    else low = middle
  }
  return high
}
