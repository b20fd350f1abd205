/** `schedule:`: which slots a start serves, and what it reports of those that no start serves. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { RunsResult } from '../../src/commands/runs/index.js'
import type { ScheduleResult } from '../../src/commands/schedule/index.js'
import { owm, owmJson } from '../support/cli.js'
import { at, countIn, folderOf, produce, settings } from '../support/scheduled.js'

describe('a start without --slot', () => {
  test('serves the newest scheduled time; a second one, later or by another scheduler, is the same slot', async () => {
    const cwd = await folderOf()
    const first = await produce(cwd, '2026-11-23T10:00:07Z')
    expect(first, first.stderr).toMatchObject({
      code: 0,
      json: { slot: '2026-11-23T10:00:00Z', sink: { delivered: 3 } },
    })
    const again = await produce(cwd, '2026-11-23T10:50:00Z')
    expect(again, again.stderr).toMatchObject({
      code: 0,
      json: { slot: '2026-11-23T10:00:00Z', sink: { delivered: 0 } },
    })
    const words = await owm(['produce'], at(cwd, '2026-11-23T10:58:00Z'))
    expect(words.stdout).toMatch(/slot 2026-11-23T10:00:00Z: delivered before .*nothing to do/)
    expect(await countIn(cwd)).toBe(3)
  })

  test('up to a minute early serves the coming one', async () => {
    const cwd = await folderOf()
    expect((await produce(cwd, '2026-11-23T09:59:05Z')).json.slot).toBe('2026-11-23T10:00:00Z')
    expect((await produce(cwd, '2026-11-23T10:00:05Z')).json).toMatchObject({
      slot: '2026-11-23T10:00:00Z',
      sink: { delivered: 0 },
    })
    expect((await produce(cwd, '2026-11-23T10:58:00Z')).json.slot).toBe('2026-11-23T10:00:00Z')
  })

  test('finishes what a failed one left, under its slot', async () => {
    const cwd = await folderOf({}, { source: { use: 'static-list', file: './list.csv' } })
    expect((await produce(cwd, '2026-11-23T10:00:00Z')).code).not.toBe(0)
    await writeFile(join(cwd, 'list.csv'), 'city,latitude,longitude\nA,1,2\n')
    expect(await produce(cwd, '2026-11-23T10:05:00Z')).toMatchObject({
      code: 0,
      json: { slot: '2026-11-23T10:00:00Z', sink: { delivered: 1 } },
    })
  })
})

test('a dry run says what a start would send, of all that is due, and of a slot that is served', async () => {
  const cwd = await folderOf({ catchUp: 'all' })
  const dry = async (now: string, ...args: string[]): Promise<string> =>
    (await owm(['produce', '-n', ...args], at(cwd, `2026-11-23T${now}:00Z`))).stdout
  expect(await dry('10:10')).toMatch(/3 tasks would be delivered to jsonl$/m)
  await produce(cwd, '2026-11-23T10:10:00Z')
  expect(await dry('13:10')).toMatch(
    /T13:00.* 3 tasks would be delivered to jsonl, besides .* 2 earlier scheduled times$/m,
  )
  expect((await produce(cwd, '2026-11-23T13:10:00Z')).json.sink.delivered).toBe(9)
  expect(await dry('13:11')).toMatch(/T13:00.* 3 tasks; the slot is served: a start would send none of them$/m)
  expect(await dry('13:11', '--slot', '2026-11-23T10:00:00Z')).toMatch(/would send only those that it has not had$/m)
})

test('a slot that is no scheduled time is served, with a warning that it has ids of its own', async () => {
  const cwd = await folderOf()
  const off = await produce(cwd, '2026-11-23T10:10:00Z', '--slot', '2026-11-23T10:00:07Z')
  expect(off).toMatchObject({ code: 0, json: { sink: { delivered: 3 } } })
  expect(off.stderr).toMatch(/10:00:07Z is no scheduled time, .* before it is 2026-11-23T10:00:00Z/)
  const on = await produce(cwd, '2026-11-23T10:10:00Z', '--slot', '2026-11-23T10:00:00Z')
  expect(on.stderr).not.toContain('scheduled time')
})

describe('after an outage', () => {
  test('latest: one run covers all that is due', async () => {
    const cwd = await folderOf()
    await produce(cwd, '2026-11-23T10:00:00Z')
    const { json, stderr } = await produce(cwd, '2026-11-23T14:20:00Z')
    expect(json).toMatchObject({ slot: '2026-11-23T14:00:00Z', sink: { delivered: 3 } })
    expect(stderr).not.toContain('missed')
    expect((await produce(cwd, '2026-11-23T14:30:00Z')).json.sink.delivered).toBe(0)
    expect(await countIn(cwd)).toBe(6)
  })

  test('runs, runs show, doctor and the start itself, but for -q, say for how many times it stands in', async () => {
    const cwd = await folderOf()
    await produce(cwd, '2026-11-23T10:00:00Z')
    const said = async (now: string, ...args: string[]) => {
      const { stdout, stderr } = await owm(args, at(cwd, `2026-11-23T${now}:00Z`))
      return stdout + stderr
    }
    expect(await said('14:20', 'produce')).toMatch(/^slot 2026-11-23T14:00:00Z: .*covers 3 scheduled times before/m)
    expect(await said('15:00', 'produce', '-q')).not.toContain('slot')
    expect(await said('15:10', 'runs')).toMatch(/COVERS[\s\S]*T15:00:00Z .* 0 .*\n.*T14:00:00Z .* 3 /)
    expect(await said('15:59', 'runs')).not.toContain('due')
    expect(await said('16:01', 'runs')).toMatch(/\n2026-11-23T16:00:00Z {2}due: `owm produce` serves it\nSLOT/)
    const { json } = await owmJson<RunsResult>(['runs'], at(cwd, '2026-11-23T18:01:00Z'))
    const [from, to] = ['2026-11-23T16:00:00Z', '2026-11-23T18:00:00Z']
    expect(json.pipelines[0]).toMatchObject({ due: { from, to, count: 3 }, missed: [], matching: 3 })
    expect(await said('15:10', 'runs', 'show', '2026-11-23T12:00:00Z')).toContain(
      'run of 2026-11-23T14:00:00Z stands in',
    )
    expect(await said('15:10', 'doctor')).toMatch(/fine +schedule-missed: .*stands in for 3, .*T14:00/)
  })

  test('all: a run for each, the newest first', async () => {
    const cwd = await folderOf({ catchUp: 'all' })
    await produce(cwd, '2026-11-23T10:00:00Z')
    const { json } = await produce(cwd, '2026-11-23T13:20:00Z')
    expect(json).toMatchObject({ slot: '2026-11-23T13:00:00Z', sink: { delivered: 9 } })
    expect(json.served.map(({ slot }) => slot).sort()).toEqual(
      ['11', '12', '13'].map((hour) => `2026-11-23T${hour}:00:00Z`),
    )
  })

  test('all: what exceeds maxCatchUp, and what is too old, is missed and reported', async () => {
    const cwd = await folderOf({ catchUp: 'all', maxCatchUp: 2, maxAge: '6h' })
    await produce(cwd, '2026-11-22T10:00:00Z')
    const { json, stderr, code } = await produce(cwd, '2026-11-23T10:10:00Z')
    expect(code).toBe(0)
    expect(json.sink.delivered).toBe(6)
    expect(stderr).toMatch(/18 scheduled times \(2026-11-22T11:00:00Z to 2026-11-23T04:00:00Z\) are missed: older/)
    expect(stderr).toMatch(/4 scheduled times \(2026-11-23T05:00:00Z to 2026-11-23T08:00:00Z\) are missed: more than/)
  })

  test('all: an hour whose start failed has its run, too', async () => {
    const cwd = await folderOf({ catchUp: 'all' }, { source: { use: 'static-list', file: './list.csv' } })
    expect((await produce(cwd, '2026-11-23T10:00:00Z')).code).not.toBe(0)
    await writeFile(join(cwd, 'list.csv'), 'city,latitude,longitude\nA,1,2\n')
    expect((await produce(cwd, '2026-11-23T11:00:00Z')).json.sink.delivered).toBe(2)
  })

  test('runs that stored nothing are covered by the one that did', async () => {
    const cwd = await folderOf({}, { source: { use: 'static-list', file: './list.csv' } })
    for (const hour of ['10', '11', '12']) expect((await produce(cwd, `2026-11-23T${hour}:00:00Z`)).code).not.toBe(0)
    await writeFile(join(cwd, 'list.csv'), 'city,latitude,longitude\nA,1,2\n')
    const { json, stderr } = await produce(cwd, '2026-11-23T13:00:00Z')
    expect(json).toMatchObject({ slot: '2026-11-23T13:00:00Z', sink: { delivered: 1 } })
    expect(stderr).not.toContain('missed')
  })
})

test('another expression neither repeats nor loses what was served', async () => {
  const cwd = await folderOf()
  await produce(cwd, '2026-11-23T10:00:00Z')
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(settings({ cron: '*/10 * * * *', catchUp: 'all' })))
  const { json } = await produce(cwd, '2026-11-23T10:21:00Z')
  expect(json.served.map(({ slot }) => slot).sort()).toEqual(['2026-11-23T10:10:00Z', '2026-11-23T10:20:00Z'])
})

test('a slot that is named is served, if it is not later than the next scheduled time', async () => {
  const cwd = await folderOf()
  await produce(cwd, '2026-11-23T10:00:00Z')
  expect(await produce(cwd, '2026-11-23T10:05:00Z', '--slot', '2026-11-23T11:00:00Z')).toMatchObject({ code: 0 })
  expect((await produce(cwd, '2026-11-23T10:30:00Z')).json.sink.delivered).toBe(0)
  expect((await produce(cwd, '2026-11-23T11:01:00Z')).json).toMatchObject({
    slot: '2026-11-23T11:00:00Z',
    sink: { delivered: 0 },
  })
  // It would cover 12:00, which is still to come.
  for (const slot of ['2026-11-23T12:00:01Z', '2026-11-23T12:59:59Z', '2026-11-23T13:00:00Z'])
    expect(await produce(cwd, '2026-11-23T11:05:00Z', '--slot', slot)).toMatchObject({ code: 2 })
  expect(await produce(cwd, '2026-11-23T11:05:00Z', '--slot', '2026-11-23T11:59:59Z')).toMatchObject({ code: 0 })
  expect((await produce(cwd, '2026-11-23T12:01:00Z')).json.slot).toBe('2026-11-23T12:00:00Z')
  expect(await countIn(cwd)).toBe(12)
})

test('a clock that goes back repeats nothing', async () => {
  const cwd = await folderOf()
  await produce(cwd, '2026-11-23T10:00:00Z')
  await produce(cwd, '2026-11-23T13:00:00Z')
  // It isn't known which clock is right: the hour that was only covered is served by itself.
  const back = await produce(cwd, '2026-11-23T11:30:00Z')
  expect(back.json).toMatchObject({ slot: '2026-11-23T11:00:00Z', sink: { delivered: 3 } })
  expect((await produce(cwd, '2026-11-23T11:40:00Z')).json.sink.delivered).toBe(0)
  expect((await produce(cwd, '2026-11-23T10:30:00Z')).json.sink.delivered).toBe(0)
  expect((await produce(cwd, '2026-11-23T13:30:00Z')).json.sink.delivered).toBe(0)
  expect(await countIn(cwd)).toBe(9)
})

test('owm schedule says what was served, what is missed, what a start would do, and what comes next', async () => {
  const cwd = await folderOf({ catchUp: 'all', maxCatchUp: 2 })
  await produce(cwd, '2026-11-23T10:00:00Z')
  await produce(cwd, '2026-11-23T14:00:00Z')
  const { json, code } = await owmJson<ScheduleResult>(['schedule'], at(cwd, '2026-11-23T15:30:00Z'))
  expect(code).toBe(0)
  expect(json).toMatchObject({
    slots: ['14', '13', '10'].map((hour) => ({ slot: `2026-11-23T${hour}:00:00Z`, state: 'done', persisted: 3 })),
    missed: [{ from: '2026-11-23T11:00:00Z', to: '2026-11-23T12:00:00Z', count: 2, reason: 'maxCatchUp' }],
    now: { slot: '2026-11-23T15:00:00Z', runs: ['2026-11-23T15:00:00Z'], covered: 0, missed: [] },
    next: '2026-11-23T16:00:00Z',
  })
  const { stdout } = await owm(['schedule'], at(cwd, '2026-11-23T15:30:00Z'))
  expect(stdout).toMatch(/a start now: 1 slot \(2026-11-23T15:00:00Z\)\nnext: 2026-11-23T16:00:00Z/)
  expect(stdout).toMatch(/missed: 2 scheduled times, 2026-11-23T11:00:00Z to 2026-11-23T12:00:00Z \(maxCatchUp\)/)
  expect((await owm(['schedule', '--set', 'schedule=null'], { cwd })).code).toBe(78)
})

test.each([
  [{ cron: '61 * * * *' }, /schedule\.cron/],
  [{ cron: '* * * * * *' }, /schedule\.cron/],
  [{ cron: '0 0 30 2 *' }, /schedule\.cron/],
  [{ timezone: 'Mars/Base' }, /schedule\.timezone/],
  [{ maxAge: '1 day' }, /schedule\.maxAge/],
])('%j is a mistake', async (schedule, key) => {
  const cwd = await folderOf(schedule)
  const { code, stderr } = await owm(['produce'], { cwd })
  expect(code).toBe(78)
  expect(stderr).toMatch(key)
})
