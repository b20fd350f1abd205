/** When a start is needed: behind each gap of the clocks in which a scheduled time is. */
import { describe, expect, it } from 'vitest'
import { kubernetes } from '../../src/deploy/kubernetes.js'
import { type Start, startTimes } from '../../src/deploy/start.js'
import { systemd } from '../../src/deploy/systemd.js'
import { timetable } from '../../src/schedule/timetable.js'

const now = Date.parse('2026-11-28T00:00:00Z')

const dayMs = 86_400_000
const zones = ['America/Nuuk', 'Antarctica/Troll', 'Australia/Lord_Howe', 'Africa/Cairo', 'Europe/Berlin']

describe.each(zones)('in %s', (timezone) => {
  const format = new Intl.DateTimeFormat('sv', { timeZone: timezone, timeStyle: 'short' })
  const days = Array.from({ length: 366 }, (_, day) => now + day * dayMs)
  const changes = days.filter((day) => format.format(day) !== format.format(day + dayMs))

  it('a scheduled time that the clocks skip has a start, an hour later at most', () => {
    for (const [hour, minute] of [0, 1, 2, 3, 23].flatMap((one) => [[one, 0] as const, [one, 30] as const])) {
      const schedule = { cron: `${minute} ${hour} * * *`, timezone }
      const starts = startTimes(schedule, now).hours.map((one) => [one, minute].map(twoDigits).join(':'))
      const times = changes.flatMap((day) => [...timetable(schedule).between(day - dayMs, day + 2 * dayMs)])
      expect(times).toHaveLength(2 * 3)
      for (const time of times.filter((one) => format.format(one) !== [hour, minute].map(twoDigits).join(':'))) {
        const hourBehind = Array.from({ length: 61 }, (_, minutes) => format.format(time + minutes * 60_000))
        expect(
          starts.some((one) => hourBehind.includes(one)),
          `${schedule.cron} at ${new Date(time).toISOString()}`,
        ).toBe(true)
      }
    }
  })
})

const twoDigits = (number: number): string => String(number).padStart(2, '0')

it.each([
  ['30 2 * * *', 'Europe/Berlin', [2, 3], false],
  ['30 23 * * 6', 'Europe/Berlin', [23], false],
  ['30 23 * * 6', 'America/Nuuk', [0, 23], true], // the gap of a Saturday ends on Sunday
  ['30 1 * * *', 'Antarctica/Troll', [1, 3], false],
  ['*/30 2 * * *', 'Europe/Berlin', [2], false], // no time is in the gap
  ['30 2 * * *', 'UTC', [2], false],
] as const)('"%s" in %s needs starts at %j', (cron, timezone, hours, onAllDays) => {
  expect(startTimes({ cron, timezone }, now)).toEqual({ hours, onAllDays })
})

it('systemd and Kubernetes start owm on the day behind a gap, too', () => {
  const start: Start = {
    ...{ name: 'owm', node: '/n', program: '/p', folder: '/f', config: '/f/c', named: 'c', isLink: false, user: 'u' },
    ...{ flags: [], variables: [], credentials: [], secretFiles: [], writes: [], otherFiles: [] },
    ...{
      shards: undefined,
      shard: undefined,
      index: undefined,
      schedule: { cron: '30 23 28 3 6', timezone: 'America/Nuuk' },
    },
  }
  const [, timer] = systemd([start], now)
  expect(timer?.text).toContain('\nOnCalendar=*-*-* 0,23:30:00 America/Nuuk\n')
  const [manifest] = kubernetes([start], now)
  expect(manifest?.text).toContain('schedule: 30 0,23 * * * #')
})
