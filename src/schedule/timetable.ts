/** The scheduled times of a cron expression in a time zone, in milliseconds since 1970; croner interprets it. */
import { Cron } from 'croner'
import { fieldsOf } from './fields.js'
import { zone } from './zone.js'

export interface Timetable {
  /** The newest scheduled time at or before another time. */
  at(time: number): number | undefined
  /** The first one after another time. */
  after(time: number): number | undefined
  /** Those in (from, to], oldest first. */
  between(from: number, to: number): Iterable<number>
}

/** @throws Error if the expression or the zone is invalid, or gives no time at all */
export function timetable({ cron, timezone }: { cron: string; timezone: string }): Timetable {
  const { at, after } = fieldsOf(cron).isFixed ? fixedTimes(cron, timezone) : matchingTimes(cron, timezone)
  return {
    at,
    after,
    *between(from, to) {
      for (let time = after(from); time !== undefined && time <= to; time = after(time)) yield time
    },
  }
}

type Times = Pick<Timetable, 'at' | 'after'>

/** Each time at which the zone's clocks match the expression: none in a gap, two if an hour comes twice. */
function matchingTimes(cron: string, timezone: string): Times {
  const job = new Cron(cron, { timezone, mode: '5-part' })
  return {
    at: (time) => job.previousRuns(1, new Date(time + 1))[0]?.getTime(),
    after: (time) => job.nextRun(new Date(time))?.getTime(),
  }
}

/**
 * Each local time of the expression, when the clocks first reach it. croner moves a time out of a gap only within its
 * day, and would leave out 23:30 if 24:00 follows 23:00; so it is asked for local times, which have no gaps.
 */
function fixedTimes(cron: string, timezone: string): Times {
  const shown = matchingTimes(cron, 'UTC')
  const { local, reached } = zone(timezone)
  /** The first local time still to come; when an hour comes twice, the time shown has been reached before. */
  const comingAt = (time: number): number | undefined => {
    let coming = shown.after(local(time))
    while (coming !== undefined && reached(coming) <= time) coming = shown.after(coming)
    return coming
  }
  const when = (shownAt: number | undefined): number | undefined =>
    shownAt === undefined ? undefined : reached(shownAt)
  return {
    at(time) {
      const coming = comingAt(time)
      return coming === undefined ? undefined : when(shown.at(coming - 1))
    },
    after: (time) => when(comingAt(time)),
  }
}

export const isTimeOf = (timetable: Timetable, time: number): boolean => timetable.at(time) === time

/** What is wrong with an expression; undefined if it gives times. */
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
