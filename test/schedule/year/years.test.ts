/**
 * Years of year.integration.test.ts: OWM_TEST_YEARS of them, each with a seed, an expression and a zone of its own;
 * every other one has cadences.
 */
import fc from 'fast-check'
import { afterEach, beforeEach, test, vi } from 'vitest'
import { isLong } from '../../support/conditions.js'
import { schedules } from './history.js'
import { live, withCadences } from './lives.js'

const years = Number(process.env['OWM_TEST_YEARS'] ?? 1)
const first = Number(process.env['OWM_TEST_SEED'] ?? 1)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const seeds = Array.from({ length: years }, (_, index) => first + index)

test.runIf(isLong).each(seeds)('a year of seed %i', { timeout: 7_200_000 }, async (seed) => {
  const began = performance.now()
  const [schedule] = fc.sample(schedules, { seed, numRuns: 1 })
  if (!schedule) throw new Error('no schedule')
  const begin = Date.UTC(2026, 0, 1)
  const cadences = seed % 2 === 0 ? withCadences : {}
  const { starts, slots } = await live({ seed, days: 365, calm: 5, begin, schedule, ...cadences })
  const seconds = Math.round((performance.now() - began) / 1_000)
  process.stdout.write(`seed ${seed}, ${schedule.cron} ${schedule.timezone} ${schedule.catchUp}: `)
  process.stdout.write(`${starts} starts, ${slots} slots, ${seconds} s\n`)
})
