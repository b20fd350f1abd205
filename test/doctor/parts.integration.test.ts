/** Faults of the configuration, the source, the sink and the schedule, each made for real. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { owm } from '../support/cli.js'
import { at, doctor, expectFound, folderOf, healthy, longList, wrongIn } from './scene.js'

const list = (count: number): string =>
  ['id,name,lat,lon', ...Array.from({ length: count }, (_, index) => `${index},city ${index},46.9,7.4`)].join('\n')

it('a wrong configuration hides nothing of what else is wrong', async () => {
  const cwd = await folderOf({
    ...healthy,
    flush: { batchSiz: 3 },
    source: { use: 'static-list', file: './gone.csv' },
    sink: { use: 'jsonl', path: './gone/tasks.jsonl' },
  })
  const ran = await doctor(cwd)
  expectFound(ran, 78, 'configuration', 'source-options', 'sink-options')
  expect(ran.json.checks.find(({ code }) => code === 'configuration')?.found).toMatch(/batchSiz.*batchSize/)
  const words = await owm(['doctor', '--quiet'], { cwd })
  expect(words.stdout.match(/^wrong /gm)).toHaveLength(3)
  expect(words.stdout).not.toMatch(/^fine/m)
})

it('a file that cannot be read is a finding, too', async () => {
  expectFound(await doctor(await folderOf(healthy), ['--config', 'gone.json']), 78, 'configuration')
})

it('another configuration beside the one that counts', async () => {
  const cwd = await folderOf(healthy)
  await writeFile(join(cwd, 'owm.config.mjs'), 'export default {}')
  const ran = await doctor(cwd)
  expectFound(ran, 0, 'configuration-beside')
  expect(ran.json.checks.find(({ code }) => code === 'configuration-beside')?.found).toContain('owm.config.mjs')
})

it('a cadence that the schedule is too slow for, now and then; pipelines that share a stream', async () => {
  const one = { source: { use: 'static-list', file: './a.csv' }, outbox: { path: './a.db' } }
  const other = { source: { use: 'static-list', file: './b.csv' }, outbox: { path: './b.db' } }
  const cwd = await folderOf(
    {
      sink: healthy.sink,
      schedule: { cron: '0 6-22 * * *' },
      cadence: { default: '1h' },
      pipelines: { one, other },
    },
    { 'a.csv': list(3), 'b.csv': list(4) },
  )
  const ran = await doctor(cwd)
  expectFound(ran, 0, 'configuration-cadence', 'configuration-cadence', 'configuration-stream')
  expect(new Set(ran.json.checks.map(({ pipeline }) => pipeline))).toEqual(new Set(['one', 'other', null]))
  expect(wrongIn(await doctor(cwd, ['--pipeline', 'one']))).toEqual(['configuration-cadence'])
})

it('a cadence that the schedule is always too slow for: a start warns of it, too', async () => {
  const cwd = await folderOf({ ...scheduled, cadence: { default: '10m' } })
  const ran = await doctor(cwd)
  expectFound(ran, 0, 'configuration-cadence')
  expect(ran.json.checks.find(({ code }) => code === 'configuration-cadence')?.found).toContain('(10m) is shorter than')
  expect(await owm(['produce'], { cwd })).toMatchObject({ code: 0, stderr: expect.stringContaining('most windows') })
})

it('a list that shrank, and one of which much is rejected', async () => {
  const cwd = await folderOf({ ...healthy, source: { use: 'static-list', file: './a.csv' } }, { 'a.csv': list(10) })
  expect((await owm(['produce'], { cwd })).stderr).toBe('')
  await writeFile(join(cwd, 'a.csv'), `${list(3)}\n3,far,99,7\n`)
  const ran = await doctor(cwd)
  expectFound(ran, 75, 'source-count', 'source-rejects')
  expect(ran.json.checks.find(({ code }) => code === 'source-rejects')?.found).toMatch(/^1 of 4: .*\(1, first line 5/)
})

it.each([
  ['minLocations', 5, '5 locations, 1 of them rejected; source.minLocations is 5'],
  ['minShare', 0.9, '5 locations, 1 of them rejected; the last run read 5 that could be used, and source.minShare'],
])('for %s: %d, rejected locations count no more than at a start', async (key, value, told) => {
  const source = { use: 'static-list', file: './a.csv', [key]: value }
  const cwd = await folderOf({ ...healthy, source }, { 'a.csv': `${list(5)}\n5,far,99,7\n` })
  expect((await owm(['produce', '--slot', '2026-11-23T10:00:00Z'], { cwd })).code).toBe(0)
  await writeFile(join(cwd, 'a.csv'), `${list(4)}\n5,far,99,7\n`)
  const ran = await doctor(cwd)
  expect(ran.json.checks.find(({ code }) => code === 'source-count')).toMatchObject({
    found: expect.stringContaining(told),
    verdict: 'wrong',
  })
  expect((await owm(['produce', '--slot', '2026-11-23T11:00:00Z'], { cwd })).code).toBe(65)
})

it.each([
  ['minLocations', 5, 3, 'source.minLocations is 5'],
  ['minShare', 0.9, 8, 'the last run read 9 that could be used, and source.minShare is 0.9'],
])('a list that %s: %d refuses, which each start ends with', async (key, value, places, told) => {
  const source = { use: 'static-list', file: './a.csv', [key]: value }
  const cwd = await folderOf({ ...healthy, source }, { 'a.csv': list(9) })
  expect((await owm(['produce', '--slot', '2026-11-23T10:00:00Z'], { cwd })).code).toBe(0)
  await writeFile(join(cwd, 'a.csv'), list(places))
  expect(wrongIn(await doctor(cwd))).toEqual(['source-count'])
  expect((await owm(['produce', '--slot', '2026-11-23T11:00:00Z'], { cwd })).code).toBe(65)
  const ran = await doctor(cwd)
  expectFound(ran, 75, 'outbox-runs', 'source-count')
  expect(ran.json.checks.find(({ code }) => code === 'source-count')).toMatchObject({
    found: expect.stringContaining(told),
    todo: `Correct the list; if it is right, lower source.${key}.`,
  })
  // A list that is whole again is the last word.
  await writeFile(join(cwd, 'a.csv'), list(9))
  expect((await owm(['produce', '--slot', '2026-11-23T12:00:00Z'], { cwd })).code).toBe(0)
  expectFound(await doctor(cwd), 0)
})

it('a list that shrank, and is too long to be counted', async () => {
  const cwd = await folderOf({ ...healthy, source: { use: './long.mjs' } }, { 'long.mjs': longList(9) })
  expect((await owm(['produce', '--slot', '2026-11-23T10:00:00Z'], { cwd })).code).toBe(0)
  expectFound(await doctor(cwd), 0)
  await writeFile(join(cwd, 'long.mjs'), longList(4))
  await owm(['produce', '--slot', '2026-11-23T11:00:00Z'], { cwd })
  const ran = await doctor(cwd)
  expectFound(ran, 0, 'source-shrunk')
  const found = 'the newest run read 4 locations, the one before it 9'
  expect(ran.json.checks.find(({ code }) => code === 'source-shrunk')).toMatchObject({ found })
})

it('a maxAge that is over before the next scheduled time comes', async () => {
  const schedule = { cron: '0 6 * * *', timezone: 'Europe/Berlin' }
  const cwd = await folderOf({ ...healthy, schedule })
  expectFound(await doctor(cwd), 0, 'schedule-age')
  const checked = await owm(['config', 'check'], { cwd })
  expect(checked).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/1d apart.*maxAge is 24h[\s\S]*maxAge to 50h/),
  })
  // What the line says.
  expectFound(await doctor(cwd, ['--set', 'schedule.maxAge=50h']), 0)
})

const hanging = `export default {
  kind: 'sink', name: 'hanging', description: 'hangs', options: { safeParse: (data) => ({ success: true, data }) },
  checks: { 'far-side': { about: 'a', why: 'b', todo: 'c', exitCode: 74 } },
  open: () => ({
    guarantee: 'at-least-once', deliver: async () => [],
    doctor: ({ pending }) => HOW,
  }),
}`

it('what plugins find: under codes that they declare, in their time', async () => {
  const how = (text: string) => hanging.replace('HOW', text)
  const files = {
    'finds.mjs': how(`[{ code: 'far-side', verdict: 'wrong', found: pending + ' far' }]`),
    'hangs.mjs': how('new Promise(() => undefined)'),
    'strays.mjs': how(`[{ code: 'else', verdict: 'wrong', found: 'x' }]`),
  }
  const cwd = await folderOf({ ...healthy, sink: { use: './finds.mjs', timeoutMs: 300 } }, files)
  const found = await doctor(cwd)
  expectFound(found, 74, 'far-side')
  expect(found.json.checks.find(({ code }) => code === 'far-side')).toMatchObject({ found: '0 far', todo: 'c' })
  expectFound(await doctor(cwd, ['--set', 'sink.use=./hangs.mjs']), 75, 'sink-answers')
  expectFound(await doctor(cwd, ['--set', 'sink.use=./strays.mjs']), 78, 'sink-options')
})

it("a file of somebody else's, and receipts that are none", async () => {
  const cwd = await folderOf(healthy, { 'tasks.jsonl': 'dear diary\n', 'tasks.jsonl.receipts': 'dear diary\n' })
  expectFound(await doctor(cwd), 78, 'jsonl-file', 'jsonl-receipts')
})

const scheduled = { ...healthy, schedule: { cron: '0 * * * *', maxAge: '3h' } }

it('runs that do not start, and scheduled times that nobody serves', async () => {
  const cwd = await folderOf(scheduled)
  const started = async (now: string): Promise<void> => {
    const { code, stderr } = await owm(['produce'], { cwd, ...at(now) })
    expect({ code }, stderr).toEqual({ code: 0 })
  }
  await started('2026-11-23T10:00:10Z')
  expectFound(await doctor(cwd, [], at('2026-11-23T11:00:10Z')), 0)
  const alone = await doctor(cwd, [], at('2026-11-23T11:40:00Z'))
  expectFound(alone, 75, 'schedule-started')
  const { found } = alone.json.checks.find(({ code }) => code === 'schedule-started') ?? {}
  expect(found).toMatch(/2026-11-23T11:00:00Z is due since 40 min( \d+ s)?, and nobody has served it$/)
  const late = await doctor(cwd, [], at('2026-11-23T12:00:10Z'))
  expectFound(late, 75, 'schedule-started')
  expect(late.json.checks.find(({ code }) => code === 'schedule-started')?.found).toMatch(/2 scheduled times passed/)
  await started('2026-11-23T18:00:10Z')
  const missed = await doctor(cwd, [], at('2026-11-23T18:30:00Z'))
  expectFound(missed, 0, 'schedule-missed')
  expectFound(await doctor(cwd, [], at('2026-12-03T18:30:00Z')), 75, 'schedule-started')
})

it('what comes on standard input is left to the run', async () => {
  const ran = await doctor(await folderOf({ ...healthy, source: { use: 'static-list', file: '-', format: 'csv' } }))
  expectFound(ran, 0)
  expect(ran.json.checks).toContainEqual(expect.objectContaining({ code: 'source-answers', verdict: 'unknown' }))
})

it('changes nothing and makes nothing, also where there is nothing yet', async () => {
  const cwd = await folderOf(scheduled)
  expectFound(await doctor(cwd), 0)
  expect(await readdir(cwd)).toEqual(['.owmrc.json'])
})
