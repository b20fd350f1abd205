/**
 * Scheduled times by plain arithmetic, to check owm's own computation as well: all of them lie on a grid of ten
 * minutes, and the zone says what a wall clock shows at each.
 */
export interface Schedule {
  readonly cron: string
  readonly timezone: string
  readonly catchUp: 'latest' | 'all'
  readonly maxCatchUp: number
  readonly maxAge: string
}

export const minute = 60_000
export const hour = 60 * minute
const grid = 10 * minute

/** Minutes of the hour and hours of the day; without the latter, every hour. */
const rules: Readonly<Record<string, { minutes: readonly number[]; hours?: readonly number[] }>> = {
  '0 * * * *': { minutes: [0] },
  '@hourly': { minutes: [0] },
  '20 * * * *': { minutes: [20] },
  '*/10 * * * *': { minutes: [0, 10, 20, 30, 40, 50] },
  '30 2 * * *': { minutes: [30], hours: [2] },
}

export const expressions = Object.keys(rules)
export const zones = ['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'Australia/Lord_Howe']

/** Those in (from, to], oldest first: milliseconds since 1970. */
export function* timesIn({ cron, timezone }: Schedule, from: number, to: number): Generator<number> {
  const rule = rules[cron]
  if (!rule) throw new Error(`no rule for ${cron}`)
  for (let time = (Math.floor(from / grid) + 1) * grid; time <= to; time += grid) {
    const wall = wallAt(timezone, time)
    const isTime = rule.hours
      ? rule.hours.some((at) => isFirstAtOrBehind(timezone, time, at * hour + (rule.minutes[0] ?? 0) * minute))
      : rule.minutes.includes((wall / minute) % 60)
    if (isTime) yield time
  }
}

/** The last one at or before another time, at most three days back. */
export const lastTime = (schedule: Schedule, at: number): number | undefined =>
  [...timesIn(schedule, at - 72 * hour, at)].at(-1)

/** The first one behind another time, at most three days ahead. */
export function nextTime(schedule: Schedule, at: number): number | undefined {
  for (const time of timesIn(schedule, at, at + 72 * hour)) return time
  return undefined
}

/** What a start is for: the last time, or the next one, where that is at most 60 s and a tenth of the way ahead. */
export function timeOfStart(schedule: Schedule, at: number): number | undefined {
  const [last, next] = [lastTime(schedule, at), nextTime(schedule, at)]
  const isEarly = last !== undefined && next !== undefined && next - at <= Math.min(minute, (next - last) / 10)
  return isEarly ? next : last
}

/** Whether the clock on the wall shows `at` or, where it skips that, more, for the first time on its day. */
function isFirstAtOrBehind(zone: string, time: number, at: number): boolean {
  if (wallAt(zone, time) < at) return false
  // Clocks are put back by an hour at most.
  for (let before = time - grid; before >= time - 2 * hour; before -= grid) {
    const wall = wallAt(zone, before)
    if (wall > wallAt(zone, time) + 2 * hour) break // yesterday
    if (wall >= at) return false
  }
  return true
}

/** Milliseconds since midnight. */
const wallAt = (zone: string, time: number): number => (((time + offsetAt(zone, time)) % day) + day) % day

const day = 24 * hour
const offsets = new Map<string, number>()
const formats = new Map<string, Intl.DateTimeFormat>()

/** Milliseconds that a zone is ahead of UTC; it changes at full and half hours. */
function offsetAt(zone: string, time: number): number {
  const start = Math.floor(time / (30 * minute)) * 30 * minute
  const key = `${zone} ${start}`
  const known = offsets.get(key)
  if (known !== undefined) return known
  const format = formats.get(zone) ?? new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' })
  formats.set(zone, format)
  const name = format.formatToParts(start).find(({ type }) => type === 'timeZoneName')?.value ?? ''
  const [, sign = '+', hours = '0', minutes = '0'] = /([+-])(\d\d):(\d\d)/.exec(name) ?? []
  const offset = (sign === '-' ? -1 : 1) * (Number(hours) * hour + Number(minutes) * minute)
  offsets.set(key, offset)
  return offset
}
