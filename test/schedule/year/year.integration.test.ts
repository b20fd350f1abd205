/**
 * The proof of `schedule:`: hours and weeks in which everything goes wrong that may, lived through by the command's own
 * composition root with a clock that is set. At the end no scheduled time is neither served, nor covered, nor named as
 * missed, and no task came twice. Years of it: years.test.ts. (OWM_TEST_SEED=… lives through another history.)
 */
import fc from 'fast-check'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { timetable } from '../../../src/schedule/timetable.js'
import { startProxy } from '../../support/proxy.js'
import { startRedisProcess } from '../../support/redis.js'
import { happenings, schedules } from './history.js'
import { Life } from './life.js'
import { live, withCadences } from './lives.js'
import { watched } from './server.js'
import { expressions, hour, type Schedule, timesIn, zones } from './times.js'

const seed = Number(process.env['OWM_TEST_SEED'] ?? 20_261_126)
const hourly: Schedule = {
  cron: '0 * * * *',
  timezone: 'Europe/Berlin',
  catchUp: 'latest',
  maxCatchUp: 24,
  maxAge: '24h',
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

test('twenty days, with the night in which clocks are put forward', { timeout: 600_000 }, async () => {
  const lived = await live({ seed, days: 20, calm: 2, begin: Date.UTC(2026, 2, 14, 12), schedule: hourly })
  expect(lived.starts).toBeGreaterThan(200)
  expect(lived.slots).toBeGreaterThan(40)
})

test('five days of locations with cadences', { timeout: 600_000 }, async () => {
  const plan = { seed, days: 5, calm: 3, begin: Date.UTC(2026, 2, 26, 12), schedule: hourly, ...withCadences }
  const lived = await live(plan)
  expect(lived.slots).toBeGreaterThan(30)
})

test('a day and a half at a time, in which hardly anything goes well', { timeout: 600_000 }, async () => {
  const begin = Date.UTC(2026, 9, 24, 12)
  const lives = fc.asyncProperty(schedules, fc.array(happenings(1), { maxLength: 30 }), async (schedule, history) => {
    const life = await Life.begin(begin, schedule)
    try {
      await life.live(history, Number.POSITIVE_INFINITY)
      expect(await life.end(), life.log.join('\n')).toEqual([])
    } finally {
      await life.close()
    }
  })
  await fc.assert(lives, { seed, numRuns: Number(process.env['OWM_TEST_LIVES'] ?? 3) })
})

test('three days with a Redis', { timeout: 600_000 }, async () => {
  const redis = await startRedisProcess()
  onTestFinished(() => redis.stop())
  const proxy = await startProxy(redis)
  onTestFinished(() => proxy.stop())
  const without = { outbox: 'stays', answerLostAt: undefined, crash: undefined } as const
  const plan = { seed, days: 3, calm: 2, begin: Date.UTC(2026, 9, 24, 12), schedule: hourly, without }
  const lived = await live({ ...plan, server: watched(redis, proxy) })
  expect(lived.slots).toBeGreaterThan(20)
})

test.each(expressions.flatMap((cron) => zones.map((timezone) => ({ cron, timezone }))))(
  'the times of $cron in $timezone are those of plain arithmetic',
  ({ cron, timezone }) => {
    // The nights in which Berlin's clocks are put forward and Lord Howe's are put back, and half a year later.
    const nights = [Date.UTC(2026, 2, 28), Date.UTC(2026, 3, 4), Date.UTC(2026, 9, 3), Date.UTC(2026, 9, 24)]
    const table = timetable({ cron, timezone })
    for (const from of nights) {
      const to = from + 36 * hour
      const times = [...timesIn({ ...hourly, cron, timezone }, from, to)]
      expect([...table.between(from, to)]).toEqual(times)
      expect(times.map((time) => table.at(time + 1_000))).toEqual(times)
    }
  },
)
