/** `owm plan`: what it says of the coming slots is what `owm produce` then delivers; calls, money and limits. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { PlanResult } from '../../src/commands/plan.js'
import type { ReportResult } from '../../src/commands/report.js'
import { folderWith, owm, owmJson, type Ran } from '../support/cli.js'
import { at, folderOf, produce, settings } from '../support/scheduled.js'

const planned = (cwd: string, now: string, ...args: string[]): Promise<Ran & { json: PlanResult }> =>
  owmJson<PlanResult>(['plan', ...args], at(cwd, now))

/** 1,500 places, as the price list's example has them. */
const cities = (every: (index: number) => string | undefined) =>
  Array.from({ length: 1_500 }, (_, index) => ({
    id: index,
    city: `C${index}`,
    state: index % 2 ? 'A' : 'B',
    latitude: 1,
    longitude: 2,
    every: every(index),
  }))
const mixed = cities((index) => (index < 100 ? '1h' : index < 500 ? '6h' : '1d'))
const listOf = (locations: unknown, more: object = {}) => ({ source: { use: 'static-list', locations }, ...more })
const prices = { freeCallsPerDay: 1_000, pricePerCall: 0.0012, currency: 'GBP' }

test.each([
  ['every 20 minutes, spread', { cron: '*/20 * * * *' }, { spread: true, default: '1h', field: 'every' }, {}],
  ['unspread, with locations of each run', { cron: '0 * * * *' }, { field: 'every' }, {}],
  [
    'at odd times of another zone, a shard',
    { cron: '7 3,9,10 * * *', timezone: 'Asia/Kolkata' },
    { default: '5h' },
    {},
  ],
  ['through filters', { cron: '30 * * * *' }, { default: '3h', spread: true }, { where: { state: 'A' }, sample: 0.5 }],
])('says what produce then delivers: %s', async (name, schedule, cadence, filters) => {
  const some = mixed.slice(90, 130).map((one, index) => ({ ...one, every: index % 3 ? one.every : '' }))
  const twice = [...some, ...some.slice(0, 2), { id: 1, city: '' }]
  const more = listOf(twice, { cadence, outbox: { path: './outbox.db' } })
  const cwd = await folderOf(schedule, { ...more, source: { ...more.source, ...filters } })
  const shard = name.endsWith('shard') ? ['--shard', '1/2'] : []
  const { code, json } = await planned(cwd, '2026-11-23T02:10:00Z', '--hours', '30', ...shard)
  expect(code).toBe(0)
  await expect(access(join(cwd, 'outbox.db'))).rejects.toThrow()
  await expect(access(join(cwd, 'tasks.jsonl'))).rejects.toThrow()
  const slots = json.slots.slice(0, 5)
  expect(slots).toHaveLength(5)
  for (const { slot, tasks, byCadence } of slots) {
    const run = await produce(cwd, new Date(Date.parse(slot) + 61_000).toISOString(), ...shard)
    expect({ slot: run.json.slot, tasks: run.json.sink.delivered }).toEqual({ slot, tasks })
    expect(Object.values(byCadence).reduce((sum, each) => sum + each, 0)).toBe(tasks)
    const { read, rejected, leftOut } = json.source
    expect(run.json.source).toMatchObject({ read, rejected, ...(leftOut === undefined ? {} : { leftOut }) })
  }
})

test('counts calls and money of the day, exactly', async () => {
  const now = '2026-11-23T02:10:00Z'
  const hourly = await planned(
    await folderOf(
      {},
      listOf(
        cities(() => undefined),
        { plan: prices },
      ),
    ),
    now,
  )
  expect(hourly.json).toMatchObject({ day: { tasks: 36_000, calls: 36_000, cost: 42 }, month: { cost: 1260 } })
  const cadence = { field: 'every', spread: true }
  const folder = await folderOf({}, listOf(mixed, { cadence, plan: { ...prices, callsPerTask: 2 } }))
  const { json } = await planned(folder, now, '--hours', '1')
  expect(json).toMatchObject({
    day: { tasks: 5_000, byCadence: { '1h': 2_400, '6h': 1_600, '1d': 1_000 }, calls: 10_000, cost: 10.8 },
    currency: 'GBP',
    hours: 1,
    over: [],
  })
  expect(json.slots).toHaveLength(1)
  const { stdout } = await owm(['plan', '--set', 'plan.callsPerTask=1'], at(folder, now))
  expect(stdout).toContain('24 h: 5,000 calls, 4,000 beyond the 1,000 free ones: 4.80 GBP; 30 such days: 144.00 GBP')
})

test('fits 80 columns, and tells long plans by the hour or the day', async () => {
  const odd = mixed.map((one, index) => ({ ...one, every: `${(index % 40) + 1}h` }))
  const plan = { callsPerTask: 1_000_000, limitPerMinute: 1 }
  const cwd = await folderOf({ cron: '*/10 * * * *' }, listOf(odd, { cadence: { field: 'every' }, plan }))
  const now = '2026-11-23T02:00:00Z'
  const { code, stdout } = await owm(['plan'], at(cwd, now))
  const lines = stdout.split('\n')
  const table = lines.slice(
    lines.findIndex((line) => line.startsWith('hour ')),
    lines.findLastIndex((line) => /^24 h /.test(line)),
  )
  expect(code).toBe(0)
  expect(table).toHaveLength(26)
  expect(table[0]).toMatch(/^hour +tasks .* others +calls +most\/min$/)
  for (const line of table) expect(line.length).toBeLessThanOrEqual(80)
  expect((await planned(cwd, now)).json.slots).toHaveLength(144)
  const week = await owm(['plan', '--hours', '168'], at(cwd, now))
  expect(week.stdout).toMatch(/^day \(UTC\) +tasks/m)
  expect(week.stdout).toMatch(/^2026-11-24 +[\d,]+ /m)
})

test('--check exits 65 over a limit, and says which, where, how much and what helps', async () => {
  const now = '2026-11-23T02:10:00Z'
  const cadence = { default: '1d' }
  const cwd = await folderOf({}, listOf(mixed, { cadence, plan: { limitPerMinute: 20, limitPerDay: 1_500 } }))
  const { code, json, stderr } = await planned(cwd, now, '--check')
  expect({ code, over: json.over }).toEqual({
    code: 65,
    over: [{ limit: 'limitPerMinute', allowed: 20, at: '2026-11-24T00:00:00Z', calls: 1_500, callsPerMinute: 25 }],
  })
  expect(json).toMatchObject({ error: { code: 'OVER_LIMIT', hint: expect.stringContaining('cadence.spread: true') } })
  expect(JSON.stringify(json) + stderr).toContain(
    'The slot 2026-11-24T00:00:00Z brings 1,500 calls, 25 a minute until the next; plan.limitPerMinute is 20.',
  )
  expect((await owm(['plan'], at(cwd, now))).code).toBe(0)
  expect((await owm(['plan', '--check', '--set', 'cadence.spread=true'], at(cwd, now))).code).toBe(0)
  const day = await planned(cwd, now, '--check', '--set', 'cadence.default=1h', '--set', 'plan.limitPerMinute=25')
  expect({ code: day.code, over: day.json.over }).toEqual({
    code: 65,
    over: [{ limit: 'limitPerDay', allowed: 1_500, at: expect.stringMatching(/^2026-11-23T02:1/), calls: 36_000 }],
  })
})

test('limits and prices are those of all shards, whichever one the configuration reads', async () => {
  const now = '2026-11-23T02:10:00Z'
  const plan = { ...prices, limitPerDay: 20_000 }
  const folderWithShards = (own: object): Promise<string> =>
    folderOf({}, { source: { use: 'static-list', locations: cities(() => undefined), ...own }, plan })
  const cwd = await folderWithShards({ shards: 2 })
  for (const each of [cwd, await folderWithShards({ shard: '0/2' })]) {
    const whole = await planned(each, now, '--check')
    expect(whole, whole.stderr).toMatchObject({ code: 65, json: { day: { calls: 36_000, cost: 42 } } })
  }
  const parts = await Promise.all(['0/2', '1/2'].map((shard) => planned(cwd, now, '--shard', shard)))
  const uncompared = { code: 0, json: { over: [], day: { cost: null }, month: { cost: null } } }
  expect(parts).toMatchObject([uncompared, uncompared])
  expect(parts.reduce((sum, { json }) => sum + (json.day.calls ?? 0), 0)).toBe(36_000)
  const inWords = await owm(['plan', '--shard', '1/2'], at(cwd, now))
  expect(inWords.stdout).toMatch(/calls, of one shard of 2; limits, free calls and prices are for all of them/)
  expect(inWords.stdout).not.toMatch(/within|beyond|GBP/)
  const hint = expect.stringContaining('Leave --shard out')
  expect(await owm(['plan', '--check', '--shard', '0/2'], at(cwd, now))).toMatchObject({ code: 2, stderr: hint })
})

test('a report needs no number of a shard', async () => {
  const locations = Array.from({ length: 20 }, (_, id) => ({ id, city: `C${id}`, latitude: id, longitude: id }))
  const cwd = await folderOf({}, { source: { use: 'static-list', locations, shards: 2 } })
  const [whole, ...parts] = await Promise.all(
    [[], ['--shard', '0/2'], ['--shard', '1/2']].map((args, index) =>
      owmJson<ReportResult>(['report', '--out', `${index}.html`, ...args], at(cwd, '2026-11-23T02:10:00Z')),
    ),
  )
  expect(whole, whole?.stderr).toMatchObject({ code: 0, json: { locations: 20 } })
  expect(parts.reduce((sum, { json }) => sum + json.locations, 0)).toBe(20)
})

test('what is wrong is reported, and nothing is planned', async () => {
  const { schedule, ...unscheduled } = settings({})
  expect(schedule.cron).toBe('0 * * * *')
  const run = async (config: unknown, ...args: string[]) => owm(['plan', ...args], { cwd: await folderWith(config) })
  expect(await run(unscheduled)).toMatchObject({ code: 78, stderr: expect.stringContaining('No schedule') })
  expect(await run(settings({}), '--check')).toMatchObject({ code: 78, stderr: expect.stringContaining('no limit') })
  expect(await run(settings({}), '--hours', '0')).toMatchObject({ code: 2 })
  for (const [plan, told] of [
    [{ limitPerMinuet: 60 }, 'limitPerMinute'],
    [{ pricePerCall: -1 }, 'plan.pricePerCall'],
    [{ callsPerTask: 0 }, 'plan.callsPerTask'],
    [{ limitPerDay: 1.5 }, 'plan.limitPerDay'],
  ] as const)
    expect(await run(settings({}, { plan }))).toMatchObject({ code: 78, stderr: expect.stringContaining(told) })
  const empty = await run(settings({}, listOf([{ id: 1, city: '', latitude: 1, longitude: 2 }])))
  expect(empty).toMatchObject({ code: 65, stderr: expect.stringContaining('can be used') })
  const none = await owm(['plan'], at(await folderOf({ cron: '0 0 1 1 *' }), '2026-11-23T02:10:00Z'))
  expect(none).toMatchObject({ code: 0, stdout: expect.stringContaining('no time is scheduled in the next 24 hours') })
})
