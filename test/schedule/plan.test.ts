/** The load of coming slots, compared with a count for each slot and location; exact money; limits at their bounds. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { durationMs, durationText } from '../../src/schedule/duration.js'
import { broken, costOf, perMinute } from '../../src/schedule/limits.js'
import { amount } from '../../src/schedule/money.js'
import { coming, dayMs, daysOf, eachRun, Rhythms, tasksIn } from '../../src/schedule/plan.js'
import { timetable } from '../../src/schedule/timetable.js'
import { newestWindow, type Rhythm } from '../../src/schedule/windows.js'

const start = Date.parse('2026-11-20T00:00:00Z')
const periods = ['1s', '10m', '1h', '90m', '7h', '1d', '7d'].map((text) => durationMs(text) ?? 0)

const rhythm = fc.option(
  fc.tuple(fc.constantFrom(...periods), fc.double({ min: 0, max: 0.999999, noNaN: true })).map(([every, share]) => ({
    every,
    phase: Math.floor((share * every) / 1_000) * 1_000,
  })),
  { nil: undefined },
)

function counted(rhythms: readonly (Rhythm | undefined)[]): Rhythms {
  const found = new Rhythms()
  for (const one of rhythms) found.add(one)
  return found
}

test('each span brings the locations of which a window begins in it', () => {
  fc.assert(
    fc.property(
      fc.array(rhythm, { maxLength: 60 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 8 * dayMs }), fc.integer({ min: 0, max: 2 * dayMs })), {
        minLength: 1,
        maxLength: 20,
      }),
      (all, spans) => {
        const dueIn = counted(all).counter()
        for (const [after, length] of spans) {
          const span = { from: start + after, to: start + after + length }
          const load = dueIn(span)
          const due = all.filter((one) => one === undefined || newestWindow(one, span))
          expect(tasksIn(load)).toBe(due.length)
          for (const every of periods) {
            const own = due.filter((one) => one?.every === every).length
            expect(load[durationText(every)] ?? 0).toBe(own)
          }
          expect(load[eachRun] ?? 0).toBe(due.filter((one) => one === undefined).length)
        }
      },
    ),
  )
})

test('a slot has the interval from the one before it, and the days have all slots', () => {
  const table = timetable({ cron: '*/20 * * * *', timezone: 'UTC' })
  const now = start + 61_000
  const slots = coming(counted([undefined, { every: 3_600_000, phase: 0 }]), table, now, now + 2 * dayMs)
  expect(slots).toHaveLength(144)
  expect(slots[0]).toMatchObject({ from: start, slot: start + 1_200_000, next: start + 2_400_000 })
  for (const [index, { from }] of slots.entries()) if (index > 0) expect(from).toBe(slots[index - 1]?.slot)
  expect(daysOf(slots, now, now + 2 * dayMs).map(({ load }) => load)).toEqual([
    { [eachRun]: 72, '1h': 24 },
    { [eachRun]: 72, '1h': 24 },
  ])
})

test.each([
  [35_000, 0.0012, '42.00'],
  [35_001, 0.0012, '42.0012'],
  [0, 0.0012, '0.00'],
  [1, 1e-7, '0.0000001'],
  [3, 0.1, '0.30'],
  [7, 2, '14.00'],
  [2, 1e21, '2000000000000000000000.00'],
  [999_999_999, 0.07, '69999999.93'],
])('%d calls at %d each cost %s', (calls, price, exact) => {
  expect(amount(calls, price)).toBe(exact)
})

test('calls that are free cost nothing, on each day', () => {
  const terms = { callsPerTask: 1, freeCallsPerDay: 1_000, pricePerCall: 0.0012 }
  expect([costOf(36_000, terms), costOf(36_000, terms, 30), costOf(999, terms)]).toEqual(['42.00', '1260.00', '0.00'])
  expect(costOf(1, { ...terms, pricePerCall: undefined })).toBeUndefined()
})

test('a limit holds up to its last call', () => {
  const table = timetable({ cron: '0 * * * *', timezone: 'UTC' })
  const of = (locations: number) => {
    const slots = coming(counted(Array.from({ length: locations }, () => undefined)), table, start, start + dayMs)
    return [slots, daysOf(slots, start, start + dayMs)] as const
  }
  const terms = { callsPerTask: 2, freeCallsPerDay: 0, limitPerMinute: 1, limitPerDay: 24 * 60 }
  expect(broken(...of(30), terms)).toEqual({ minute: undefined, day: undefined })
  const over = broken(...of(31), terms)
  expect([over.minute?.slot, over.day?.from]).toEqual([start + 3_600_000, start])
  // Rounded up, so that what exceeds a limit is seen to exceed it.
  expect(perMinute(3_601, { slot: start, next: start + 3_600_000 })).toBe(60.1)
})
