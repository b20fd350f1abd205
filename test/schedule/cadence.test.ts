/** Cadences: which window of a location a run serves, how evenly locations are spread, what a field may say. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rhythms } from '../../src/pipeline/input/cadence.js'
import { shardNumber, spreadDigits } from '../../src/pipeline/input/spread.js'
import { newestWindow } from '../../src/schedule/windows.js'
import { Rejection } from '../../src/tasks/rejection.js'
import { locationOf, placed } from '../support/locations.js'

const hourMs = 3_600_000
const start = Date.parse('2026-11-20T00:00:00Z')

test('runs that follow one another deliver or skip each window of each location', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100_000 }),
      fc.constantFrom('10m', '1h', '90m', '6h', '1d'),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 }),
      (id, every, spread, gaps) => {
        const location = locationOf(id)
        const rhythm = rhythms({ default: every, rules: [], spread })(location, placed(location))
        if (!rhythm || rhythm instanceof Rejection) throw new Error('it has a rhythm')
        let [from, count] = [start, 0]
        for (const gap of gaps) {
          const to = from + gap * 600_000
          const window = newestWindow(rhythm, { from, to })
          if (window) {
            expect(window.start).toBeGreaterThan(from)
            expect(window.start).toBeLessThanOrEqual(to)
            count += 1 + window.older
          }
          from = to
        }
        const all = Array.from(
          { length: 400 },
          (_, index) => Math.floor(start / rhythm.every) * rhythm.every + index * rhythm.every,
        )
        const expected = all.map((time) => time + rhythm.phase).filter((time) => time > start && time <= from)
        expect(count).toBe(expected.length)
      },
    ),
  )
})

describe('spread', () => {
  test.each([1, 2, 6, 10])('the load of each hour is even in each of %i shards', (shards) => {
    const every = 6
    const rhythmOf = rhythms({ default: `${every}h`, rules: [], spread: true })
    const loads = Array.from({ length: shards }, () => Array.from({ length: every }, () => 0))
    for (let id = 0; id < 60_000; id++) {
      const location = locationOf(id)
      const place = placed(location)
      const rhythm = rhythmOf(location, place)
      if (!rhythm || rhythm instanceof Rejection) throw new Error('it has a rhythm')
      const load = loads[shardNumber(spreadDigits(place.key)) % shards]
      const hour = Math.floor(rhythm.phase / hourMs)
      if (load) load[hour] = (load[hour] ?? 0) + 1
    }
    const mean = 60_000 / shards / every
    // Five standard deviations.
    for (const load of loads.flat()) expect(Math.abs(load - mean)).toBeLessThan(5 * Math.sqrt(mean))
  })
})

test('a field that says no duration rejects the location; an empty one is none', () => {
  const rhythmOf = rhythms({ default: '1h', field: 'every', rules: [], spread: false })
  const of = (every: string) => rhythmOf(locationOf(1, every), placed(locationOf(1)))
  expect(of('soon')).toMatchObject({
    reason: 'every must be a duration from 1s to 3650d, such as 6h, not "soon"',
  })
  for (const never of ['0h', '0d', '3651d', '99999999999d']) expect(of(never)).toBeInstanceOf(Rejection)
  expect(of('')).toEqual({ every: hourMs, phase: 0 })
})
