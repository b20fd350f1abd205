/** Scheduled times around changes of the clocks, compared with every minute that a zone has according to Intl. */
import { describe, expect, it } from 'vitest'
import { timetable } from '../../src/schedule/timetable.js'

const [minuteMs, hourMs] = [60_000, 3_600_000]

/** A zone and the day of a change: gaps and repeats of every length, at, before and after midnight. */
const changes = [
  ['America/Nuuk', '2026-03-28'], // 23:00 to 24:00
  ['America/Nuuk', '2026-10-25'], // 24:00 to 23:00
  ['Asia/Pyongyang', '2018-05-04'], // 23:30 to 24:00
  ['Asia/Pyongyang', '2015-08-14'], // 24:00 to 23:30
  ['Pacific/Apia', '2011-12-30'], // a day is left out
  ['Pacific/Kwajalein', '1993-08-21'], // another one
  ['America/St_Johns', '2011-03-13'], // 00:01 to 01:01
  ['America/St_Johns', '2010-11-07'], // 00:01 to 23:01 of the day before
  ['Australia/Lord_Howe', '2026-10-04'], // half an hour
  ['Australia/Lord_Howe', '2026-04-05'],
  ['Antarctica/Troll', '2026-03-29'], // two hours
  ['Antarctica/Troll', '2026-10-25'],
  ['Africa/Cairo', '2026-04-24'], // 00:00 to 01:00
  ['Africa/Cairo', '2026-10-29'], // 24:00 to 23:00
  ['America/Havana', '2026-03-08'],
  ['America/Havana', '2026-11-01'],
  ['America/Santiago', '2026-04-04'],
  ['America/Caracas', '2016-05-01'],
  ['Atlantic/Azores', '2026-10-25'],
  ['Africa/Casablanca', '2026-02-15'],
  ['Europe/Berlin', '2026-03-29'],
  ['Europe/Berlin', '2026-10-25'],
  ['Asia/Kolkata', '2026-03-29'], // none
] as const

interface Pattern {
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  /** `*` or the days of the week. */
  readonly weekdays: '*' | readonly number[]
  /** A step in the minutes: no fixed times. */
  readonly step?: number
}

const cronOf = ({ minutes, hours, weekdays, step }: Pattern): string =>
  [step === undefined ? minutes : `*/${step}`, hours, '*', '*', weekdays].join(' ')

const isMeant = ({ minutes, hours, weekdays, step }: Pattern, local: number): boolean => {
  const date = new Date(local)
  return (
    (step === undefined ? minutes.includes(date.getUTCMinutes()) : date.getUTCMinutes() % step === 0) &&
    hours.includes(date.getUTCHours()) &&
    (weekdays === '*' || weekdays.includes(date.getUTCDay()))
  )
}

/** The zone's minutes from one time to another, and what its clocks show, as if that were UTC. */
function minutesOf(timezone: string, from: number, to: number): { time: number; local: number }[] {
  const format = new Intl.DateTimeFormat('sv', { timeZone: timezone, dateStyle: 'short', timeStyle: 'medium' })
  const all: { time: number; local: number }[] = []
  for (let time = from; time <= to; time += minuteMs)
    all.push({ time, local: Date.parse(`${format.format(time).replace(' ', 'T')}Z`) })
  return all
}

/** The rule of docs/schedule.md: a skipped time is moved to the end of the gap, a repeated one counts once. */
function expected(pattern: Pattern, minutes: readonly { time: number; local: number }[]): number[] {
  let furthest = minutes[0]?.local ?? 0
  return minutes.flatMap(({ time, local }) => {
    if (pattern.step !== undefined) return isMeant(pattern, local) ? [time] : []
    let isTime = false
    for (; furthest < local; furthest += minuteMs) isTime ||= isMeant(pattern, furthest + minuteMs)
    return isTime ? [time] : []
  })
}

/** The same numbers each time. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

function anyPattern(next: (below: number) => number): Pattern {
  const some = (below: number, most: number): number[] =>
    [...new Set(Array.from({ length: 1 + next(most) }, () => next(below)))].sort((a, b) => a - b)
  return {
    minutes: next(3) === 0 ? [0] : some(60, 3),
    hours: some(24, next(2) === 0 ? 1 : 8),
    weekdays: next(3) === 0 ? some(7, 3) : '*',
    ...(next(4) === 0 ? { step: [5, 15, 30][next(3)] ?? 5 } : {}),
  }
}

describe.each(changes)('%s around %s', (timezone, day) => {
  const middle = Date.parse(`${day}T12:00:00Z`)
  const minutes = minutesOf(timezone, middle - 37 * hourMs, middle + 36 * hourMs)
  // What was skipped before the first minute isn't known.
  const [from, to] = [middle - 36 * hourMs, middle + 36 * hourMs]

  it('has the times that the documentation promises', () => {
    const next = numbers(7)
    const night = [23, 0, 1, 2].flatMap((hour) => [0, 30].map((minute) => ({ hour, minute })))
    const patterns: Pattern[] = [
      ...night.map(({ hour, minute }) => ({ minutes: [minute], hours: [hour], weekdays: '*' as const })),
      ...Array.from({ length: 12 }, () => anyPattern(next)),
    ]
    for (const pattern of patterns) {
      const cron = cronOf(pattern)
      const times = expected(pattern, minutes).filter((time) => time > from)
      const { between, at, after } = timetable({ cron, timezone })
      expect([...between(from, to)], cron).toEqual(times)
      // Asked at any time, within repeated hours, too.
      for (let question = 0; question < 4; question += 1) {
        const time = from + 12 * hourMs + next(to - from - 24 * hourMs)
        const wanted = { at: times.findLast((one) => one <= time), after: times.find((one) => one > time) }
        const told = { at: at(time), after: after(time) }
        if (wanted.at !== undefined) expect(told.at, cron).toBe(wanted.at)
        if (wanted.after !== undefined) expect(told.after, cron).toBe(wanted.after)
      }
      for (const time of times.slice(1, 9)) expect([at(time), at(time - 1) === time]).toEqual([time, false])
    }
  })
})
