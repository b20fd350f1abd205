/** Scheduled times, in milliseconds since 1970: what a cron expression means in a time zone (croner decides). */
import { Cron } from 'croner'

export interface Timetable {
  /** The newest scheduled time at or before another time. */
  at(time: number): number | undefined
  /** The first one behind it. */
  after(time: number): number | undefined
  /** Those in (from, to], oldest first. */
  between(from: number, to: number): Iterable<number>
}

/** @throws Error where the expression or the zone makes no sense, or gives no time at all */
export function timetable({ cron, timezone }: { cron: string; timezone: string }): Timetable {
  // As cron has it: a list of hours is fixed times, which a change of the clocks neither takes away nor doubles.
  const job = new Cron(cron, { timezone, mode: '5-part', fixedTimeRule: 'no-wildcard' })
  const after = (time: number): number | undefined => job.nextRun(new Date(time))?.getTime()
  return {
    at: (time) => job.previousRuns(1, new Date(time + 1))[0]?.getTime(),
    after,
    *between(from, to) {
      for (let time = after(from); time !== undefined && time <= to; time = after(time)) yield time
    },
  }
}

export const isTimeOf = (timetable: Timetable, time: number): boolean => timetable.at(time) === time

/** What is wrong with an expression; undefined where it gives times. */
export function mistakeIn(cron: string): string | undefined {
  const fields = cron.trim().split(/\s+/).length
  const isWord = cron.trim().startsWith('@')
  if (!isWord && fields !== 5)
    return `five fields are expected, such as "0 * * * *" (minute, hour, day, month, day of the week), not ${fields}`
  try {
    return timetable({ cron, timezone: 'UTC' }).after(0) === undefined ? `no time is ever ${cron}` : undefined
  } catch (error) {
    if (isWord) return 'of the words that begin with @ it may be @hourly, @daily, @weekly, @monthly or @yearly'
    const { message } = error instanceof Error ? error : new Error(String(error))
    return message.replace(/^CronPattern: /, '')
  }
}

export function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
