/** What scheduled starts report, and what they do after a wrong clock, an operator or another outbox. */
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { BackfillResult } from '../../src/commands/backfill.js'
import type { PlanResult } from '../../src/commands/plan.js'
import type { RunsResult } from '../../src/commands/runs/index.js'
import type { ScheduleResult } from '../../src/commands/schedule/index.js'
import { tasksIn } from '../cli/scene.js'
import { owm, owmJson } from '../support/cli.js'
import { redisScene, stream } from '../support/redis-scene.js'
import { at, countIn, folderOf, produce } from '../support/scheduled.js'

const scheduleIn = async (cwd: string, now: string): Promise<ScheduleResult> =>
  (await owmJson<ScheduleResult>(['schedule'], at(cwd, now))).json

test('a start that was refused its list covers nothing, until a later one covers its time', async () => {
  const cwd = await folderOf()
  await produce(cwd, '2026-11-23T10:00:10Z')
  const refused = ['produce', '--set', 'source.minLocations=9']
  const { code, stdout } = await owm(refused, at(cwd, '2026-11-23T12:00:10Z'))
  expect({ code, stdout }).toEqual({ code: 65, stdout: expect.not.stringContaining('covers') })
  const states = async () => (await scheduleIn(cwd, '2026-11-23T13:00:20Z')).slots.map(({ state }) => state)
  expect(await states()).toEqual(['missed', 'done'])
  expect((await produce(cwd, '2026-11-23T13:00:10Z')).json.covered).toBe(2)
  expect(await states()).toEqual(['done', 'covered', 'done'])
})

test('one start with a clock that was a day ahead does not silence those after it', async () => {
  const cwd = await folderOf()
  expect((await produce(cwd, '2026-11-23T10:20:00Z')).code).toBe(0)
  expect((await produce(cwd, '2026-11-24T10:20:00Z')).code).toBe(0)
  expect((await scheduleIn(cwd, '2026-11-23T13:20:00Z')).now.runs).toEqual(['2026-11-23T13:00:00Z'])
  const right = await produce(cwd, '2026-11-23T13:20:00Z')
  expect(right).toMatchObject({ code: 0, json: { slot: '2026-11-23T13:00:00Z', sink: { delivered: 3 } } })
  expect(right.stderr).toMatch(/2026-11-24T10:00:00Z was served, which this clock hasn't reached/)
  expect((await produce(cwd, '2026-11-23T13:40:00Z')).json.sink.delivered).toBe(0)
  expect(await countIn(cwd)).toBe(9)
})

test('a start serves the newest time however late it comes, and does not call it missed', async () => {
  const cwd = await folderOf({ cron: '@weekly' })
  expect((await produce(cwd, '2026-11-15T00:10:00Z')).code).toBe(0)
  const late = await produce(cwd, '2026-11-23T09:20:00Z')
  expect(late).toMatchObject({ code: 0, json: { slot: '2026-11-22T00:00:00Z', sink: { delivered: 3 } } })
  expect(late.stderr).not.toMatch(/missed/)
  expect((await scheduleIn(cwd, '2026-11-23T09:30:00Z')).missed).toEqual([])
})

test('a slot that was read twice has what its last run read', async () => {
  const cwd = await folderOf()
  const slot = '2026-11-23T10:00:00Z'
  for (const again of [[], ['--slot', slot]])
    expect((await produce(cwd, '2026-11-23T10:20:00Z', ...again)).code).toBe(0)
  const { slots } = await scheduleIn(cwd, '2026-11-23T10:30:00Z')
  expect(slots).toMatchObject([{ slot, read: 3, rejected: 0, persisted: 3 }])
})

test('--dry-run shows the slot and the tasks that a start sends', async () => {
  const cwd = await folderOf()
  const dry = await produce(cwd, '2026-11-23T09:20:00Z', '--dry-run')
  expect(dry.json.slot).toBe('2026-11-23T09:00:00Z')
  const ids = dry.json.tasks?.map((task) => JSON.stringify(task))
  expect((await produce(cwd, '2026-11-23T09:21:00Z')).json.slot).toBe('2026-11-23T09:00:00Z')
  const delivered = await owmJson<{ tasks: { task: unknown }[] }>(['outbox', 'inspect', '--state', 'delivered'], {
    cwd,
  })
  expect(delivered.json.tasks.map(({ task }) => JSON.stringify(task)).sort()).toEqual(ids?.sort())
})

test.each([
  ['latest', [['08'], ['14', '--slot', '2026-11-23T14:00:00Z'], ['14', '--slot', '2026-11-23T12:00:00Z']]],
  ['all', [['08'], ['13', '--slot', '2026-11-23T13:00:00Z'], ['13', '--slot', '2026-11-23T04:00:00Z']]],
] as const)('with a cadence a dry run shows the tasks of the slot that a start sends: %s', async (catchUp, starts) => {
  const locations = ['1h', '2h', '3h', '6h', ''].map((every, id) => ({
    id,
    city: 'A',
    latitude: 1,
    longitude: id,
    every,
  }))
  const source = { use: 'static-list', locations }
  const cwd = await folderOf({ catchUp }, { source, cadence: { field: 'every', spread: false } })
  expect((await produce(cwd, '2026-11-23T05:10:00Z')).code).toBe(0)
  for (const [hour, ...args] of starts) {
    const before = await tasksIn(cwd)
    const now = `2026-11-23T${hour}:10:00Z`
    const dry = await owmJson<{ tasks: { task_id: string }[] }>(['produce', '--dry-run', ...args], at(cwd, now))
    const ran = await produce(cwd, now, ...args)
    const foretold = dry.json.tasks.map(({ task_id }) => task_id)
    expect({ start: args, tasks: foretold.length }).toEqual({ start: args, tasks: ran.json.outbox.persisted })
    const sent = (await tasksIn(cwd)).slice(before.length).map(({ task_id }) => task_id)
    expect(sent).toEqual(expect.arrayContaining(foretold))
  }
})

test('a start that delivers what was left does not say that there is nothing to do', async () => {
  const cwd = await folderOf()
  expect((await produce(cwd, '2026-11-23T09:20:00Z', '--no-flush')).code).toBe(0)
  expect((await scheduleIn(cwd, '2026-11-23T09:21:00Z')).open).toBe(1)
  const words = await owm(['produce'], at(cwd, '2026-11-23T09:22:00Z'))
  expect(words.stdout).toMatch(/^slot 2026-11-23T09:00:00Z: read before .*3 tasks delivered/)
})

test('what a start delivers of another slot is reported under that one', async () => {
  const cwd = await folderOf()
  expect((await produce(cwd, '2026-11-23T10:20:00Z')).code).toBe(0)
  expect((await produce(cwd, '2026-11-23T10:21:00Z', '--slot', '2026-11-23T09:00:00Z', '--no-flush')).code).toBe(0)
  const words = await owm(['produce'], at(cwd, '2026-11-23T10:22:00Z'))
  const other = String.raw`slot 2026-11-23T09:00:00Z \(3 .*done\), 3 tasks delivered`
  expect(words.stdout).toMatch(new RegExp(`^slot 2026-11-23T10:00:00Z: delivered before .*nothing to do; ${other}`))
})

test('a slot that was discarded is no fault of the next start', async () => {
  const cwd = await folderOf()
  expect((await produce(cwd, '2026-11-23T09:20:00Z', '--no-flush')).code).toBe(0)
  expect((await owm(['outbox', 'discard', '--pending', '--yes'], { cwd })).code).toBe(0)
  const words = await owm(['produce'], at(cwd, '2026-11-23T09:22:00Z'))
  expect(words).toMatchObject({ code: 0, stdout: expect.stringMatching(/^slot 2026-11-23T09:00:00Z: discarded/) })
  expect((await produce(cwd, '2026-11-23T10:00:10Z')).json.sink.delivered).toBe(3)
})

test('what a run covers is reported by it and shown by `owm schedule`', async () => {
  const cwd = await folderOf()
  expect((await produce(cwd, '2026-11-23T05:20:00Z')).code).toBe(0)
  expect((await produce(cwd, '2026-11-23T10:20:00Z')).json.covered).toBe(4)
  const { slots } = await scheduleIn(cwd, '2026-11-23T10:30:00Z')
  expect(slots[0]).toMatchObject({ slot: '2026-11-23T10:00:00Z', from: '2026-11-23T05:00:00Z', covers: 4 })
  // A second run of the slot finds all of it stored, and doesn't change what the first one counted.
  await produce(cwd, '2026-11-23T10:31:00Z', '--slot', '2026-11-23T10:00:00Z')
  const again = (await scheduleIn(cwd, '2026-11-23T10:32:00Z')).slots[0]
  expect(again).toMatchObject({ state: 'done', persisted: 3, from: '2026-11-23T05:00:00Z', covers: 4 })
  // Times that were too old lie in its interval, but it doesn't cover them.
  const strict = await folderOf({ maxAge: '2h' })
  await produce(strict, '2026-11-23T05:20:00Z')
  await produce(strict, '2026-11-23T10:20:00Z')
  const told = await scheduleIn(strict, '2026-11-23T10:30:00Z')
  expect(told).toMatchObject({ slots: [{ covers: 1 }, {}], missed: [{ count: 3 }] })
})

const twelve = '2026-11-23T12:00:00Z'

test('what a failed start was for is counted alike by the one that covers it, `owm runs` and beforehand', async () => {
  const more = { source: { use: 'static-list', file: './list.csv' }, cadence: { default: '9h' } }
  const cwd = await folderOf({ maxAge: '8h' }, more)
  const list = join(cwd, 'list.csv')
  await writeFile(list, 'city,latitude,longitude\nA,1,2\n')
  expect((await produce(cwd, '2026-11-23T00:20:00Z')).code).toBe(0)
  await rm(list)
  // It misses 1:00 and 2:00, would cover 3:00 to 9:00, and reads nothing.
  expect((await produce(cwd, '2026-11-23T10:20:00Z')).code).not.toBe(0)
  await writeFile(list, 'city,latitude,longitude\nA,1,2\n')
  expect((await scheduleIn(cwd, '2026-11-23T12:20:00Z')).now).toMatchObject({ covered: 9, runs: [twelve] })
  const dry = await owm(['produce', '--dry-run'], at(cwd, '2026-11-23T12:20:00Z'))
  expect(dry.stdout).toContain('1 task would be delivered')
  const { stdout } = await owm(['produce'], at(cwd, '2026-11-23T12:20:00Z'))
  expect(stdout).toContain(`slot ${twelve}: 1 location read, covers 9 scheduled times before it`)
  for (const limit of ['1', '9']) {
    const runs = await owmJson<RunsResult>(['runs', '--limit', limit], at(cwd, '2026-11-23T12:30:00Z'))
    expect(runs.json.pipelines[0]?.runs[0]).toMatchObject({ slot: twelve, covers: 9 })
  }
})

test('a backfill delivers what is pending of its range; a slot by hand repairs no scheduled one', async () => {
  const cwd = await folderOf({ catchUp: 'all', maxCatchUp: 1 })
  const range = ['--from', '2026-11-23T09:00:00Z', '--to', '2026-11-23T09:00:00Z']
  expect((await produce(cwd, '2026-11-23T09:20:00Z', '--no-flush')).code).toBe(0)
  const ran = await owmJson<BackfillResult>(['backfill', ...range], at(cwd, '2026-11-23T09:30:00Z'))
  expect(ran, ran.stderr).toMatchObject({ code: 0, json: { sink: { delivered: 3 }, alreadyServed: 0 } })
  expect((await produce(cwd, '2026-11-23T13:20:00Z')).code).toBe(0)
  expect((await produce(cwd, '2026-11-23T13:21:00Z', '--slot', '2026-11-23T11:11:00Z')).code).toBe(0)
  const [gap] = (await scheduleIn(cwd, '2026-11-23T13:30:00Z')).missed
  expect(gap).toMatchObject({ count: 3 })
  expect(gap?.served).toBeUndefined()
})

test('a backfill of thousands of years is a slip', async () => {
  const cwd = await folderOf()
  const range = ['--from', '0001-01-01T00:00:00Z', '--to', '2026-11-23T09:00:00Z', '--dry-run']
  expect(await owm(['backfill', ...range], at(cwd, '2026-11-23T09:30:00Z'))).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/More than 10000 scheduled times/),
  })
})

test('a slot by hand that another outbox has served does not come again', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule: { cron: '0 * * * *', catchUp: 'all' } } })
  for (const hour of ['09', '10', '11']) expect((await produce(scene.folder, `2026-11-23T${hour}:20:00Z`)).code).toBe(0)
  await rm(join(scene.folder, 'outbox.db'))
  for (const hour of ['10', '11']) {
    const again = await produce(scene.folder, '2026-11-23T11:30:00Z', '--slot', `2026-11-23T${hour}:00:00Z`)
    expect(again, again.stderr).toMatchObject({ code: 0, json: { sink: { delivered: 0 } } })
  }
  expect(await scene.admin.xlen(stream)).toBe(30)
})

test('a cadence that is shorter than the gaps of the schedule is reported, and refused by a check', async () => {
  const short = await folderOf({}, { cadence: { default: '10m' } })
  const ran = await produce(short, '2026-11-23T09:20:00Z')
  expect(ran).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/cadence.default \(10m\) is shorter than the 60 minutes/),
  })
  const check = await owm(['config', 'check'], { cwd: short })
  expect(check).toMatchObject({ code: 78, stdout: expect.stringMatching(/cadence.default \(10m\) is shorter/) })
  const nights = await folderOf({ cron: '0 6-22 * * *' }, { cadence: { default: '6h', rules: [] } })
  expect(await owm(['config', 'check'], { cwd: nights })).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/cadence.default \(6h\) is shorter than some gaps .* \(up to 480 minutes\)/),
  })
})

test("a location's period that is shorter than the schedule's gaps is told by a plan and by each run", async () => {
  const place = { city: 'C', latitude: 1, longitude: 2 }
  const locations = ['10m', '10m', '15m', '1h', ''].map((every, id) => ({ ...place, id, every }))
  const cwd = await folderOf({}, { source: { use: 'static-list', locations }, cadence: { field: 'every' } })
  const planned = await owmJson<PlanResult>(['plan'], at(cwd, '2026-11-23T08:50:00Z'))
  expect(planned).toMatchObject({ code: 0, json: { tooOften: { '10m': 2, '15m': 1 } } })
  expect(planned.stderr).toMatch(/2 locations are due every 10m, and scheduled times are 60 minutes apart or more/)
  const ran = await owm(['produce'], at(cwd, '2026-11-23T10:00:00Z'))
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringMatching(/5 locations read.*, 13 older windows skipped/) })
})

test('a cadence needs a schedule', async () => {
  const cwd = await folderOf({}, { schedule: undefined, cadence: { default: '6h' } })
  for (const command of [['produce'], ['config', 'check']]) {
    const { code, stdout, stderr } = await owm(command, { cwd })
    expect([code, stdout + stderr]).toEqual([78, expect.stringMatching(/needs a schedule/)])
  }
  expect(await readdir(cwd)).not.toContain('outbox.db')
})
