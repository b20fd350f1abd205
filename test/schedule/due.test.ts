/** Scheduled times, and which of them are due; without a clock or an outbox. */
import { describe, expect, it } from 'vitest'
import { type Due, due } from '../../src/schedule/due.js'
import { isZone, mistakeIn, timetable } from '../../src/schedule/timetable.js'

const ms = (text: string): number => Date.parse(text)
const iso = (time: number): string => new Date(time).toISOString()
const hourly = timetable({ cron: '0 * * * *', timezone: 'UTC' })
const day = 86_400_000

function dueAt(now: string, coveredTo: string | null, more: object = {}): Due {
  const policy = { timetable: hourly, catchUp: 'latest', maxCatchUp: 24, maxAgeMs: day, ...more } as const
  return due(policy, coveredTo === null ? null : ms(coveredTo), ms(now))
}

describe('a timetable', () => {
  it('knows the times around a time, its own included', () => {
    expect(iso(hourly.at(ms('2026-03-01T10:00:00Z')) ?? 0)).toBe('2026-03-01T10:00:00.000Z')
    expect(iso(hourly.at(ms('2026-03-01T10:59:59.999Z')) ?? 0)).toBe('2026-03-01T10:00:00.000Z')
    expect(iso(hourly.after(ms('2026-03-01T10:00:00Z')) ?? 0)).toBe('2026-03-01T11:00:00.000Z')
  })

  // 02:30 is at 03:00 where clocks are put forward, and once where they are put back; of a list and a range, too.
  it.each([
    ['30 2 * * *', ['01:00'], ['00:30']],
    ['30 2,4 * * *', ['01:00', '02:30'], ['00:30', '03:30']],
    ['30 2-3 * * *', ['01:00', '01:30'], ['00:30', '02:30']],
    ['15,45 2,14 * * *', ['01:00'], ['00:15', '00:45']],
    ['30 */2 * * *', ['02:30'], ['00:30', '01:30', '03:30']],
  ])('with the clocks in Berlin, %s is at %j in spring, at %j in autumn', (cron, spring, autumn) => {
    const berlin = timetable({ cron, timezone: 'Europe/Berlin' })
    const night = (date: string): string[] => {
      const [from, to] = [ms(`${date}T00:00:00Z`), ms(`${date}T03:59:00Z`)]
      const times = [...berlin.between(from, to)]
      const back: number[] = []
      for (let time = berlin.at(to); time !== undefined && time > from; time = berlin.at(time - 1)) back.unshift(time)
      expect(back).toEqual(times)
      return times.map((time) => iso(time).slice(11, 16))
    }
    expect(night('2026-03-29')).toEqual(spring)
    expect(night('2026-10-25')).toEqual(autumn)
  })

  it('has each hour of a day of 25 hours, in zones with half hours, too', () => {
    const berlin = timetable({ cron: '0 * * * *', timezone: 'Europe/Berlin' })
    expect([...berlin.between(ms('2026-10-24T22:00:00Z'), ms('2026-10-25T23:00:00Z'))]).toHaveLength(25)
    const delhi = timetable({ cron: '0 * * * *', timezone: 'Asia/Kolkata' })
    expect(iso(delhi.after(ms('2026-10-25T10:00:00Z')) ?? 0)).toBe('2026-10-25T10:30:00.000Z')
  })

  it('tells mistakes', () => {
    expect(mistakeIn('@daily')).toBeUndefined()
    for (const cron of ['61 * * * *', '* * * * * *', 'soon', '0 0 30 2 *']) expect(mistakeIn(cron)).toBeTypeOf('string')
    for (const cron of ['@every 5m', '@reboot']) expect(mistakeIn(cron)).toMatch(/it may be @hourly/)
    expect(isZone('Europe/Berlin')).toBe(true)
    expect(isZone('Mars/Base')).toBe(false)
  })
})

describe('due', () => {
  it('is the newest time at the first start, and nothing older', () => {
    expect(dueAt('2026-03-01T10:20:00Z', null)).toEqual({
      slot: ms('2026-03-01T10:00:00Z'),
      runs: [{ slot: ms('2026-03-01T10:00:00Z'), from: ms('2026-03-01T09:00:00Z') }],
      gaps: [],
    })
  })

  it('is nothing where it was served', () => {
    expect(dueAt('2026-03-01T10:20:00Z', '2026-03-01T10:00:00Z').runs).toEqual([])
    expect(dueAt('2026-03-01T10:20:00Z', '2026-03-01T12:00:00Z').runs).toEqual([])
  })

  it('is one run for all, or a run each whose intervals follow one another', () => {
    const latest = dueAt('2026-03-01T13:20:00Z', '2026-03-01T10:00:00Z')
    expect(latest.runs).toEqual([{ slot: ms('2026-03-01T13:00:00Z'), from: ms('2026-03-01T10:00:00Z') }])
    const all = dueAt('2026-03-01T13:20:00Z', '2026-03-01T10:00:00Z', { catchUp: 'all', maxCatchUp: 2 })
    expect(all.runs.map(({ slot, from }) => [iso(from).slice(11, 13), iso(slot).slice(11, 13)])).toEqual([
      ['10', '12'],
      ['12', '13'],
    ])
    expect(all.gaps).toMatchObject([{ count: 1, reason: 'maxCatchUp' }])
  })

  it('leaves out what is too old, in one row: a month at ten minutes', () => {
    const table = timetable({ cron: '*/10 * * * *', timezone: 'UTC' })
    const { runs, gaps } = dueAt('2026-03-31T00:05:00Z', '2026-03-01T00:00:00Z', { timetable: table })
    expect(runs).toHaveLength(1)
    expect(gaps).toMatchObject([{ count: 29 * 144, reason: 'maxAge' }])
  })

  it('is the coming one where a start is a little early: 60 s, or a tenth of the way', () => {
    expect(dueAt('2026-03-01T09:59:01Z', null).slot).toBe(ms('2026-03-01T10:00:00Z'))
    expect(dueAt('2026-03-01T09:58:59Z', null).slot).toBe(ms('2026-03-01T09:00:00Z'))
    const table = timetable({ cron: '* * * * *', timezone: 'UTC' })
    expect(dueAt('2026-03-01T09:59:53Z', null, { timetable: table }).slot).toBe(ms('2026-03-01T09:59:00Z'))
    expect(dueAt('2026-03-01T09:59:55Z', null, { timetable: table }).slot).toBe(ms('2026-03-01T10:00:00Z'))
  })
})
