/** `owm why`: one place's story, beside a real Redis. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import type { WhyResult } from '../../src/commands/why.js'
import { snapshot, startAndStopAt, untilStopped } from '../cli/scene.js'
import { folderWith, owm, owmJson, root } from '../support/cli.js'
import { redisHere } from '../support/redis-here.js'

const redis = redisHere()
beforeEach(() => redis().client.flushall())

const stream = 'owm-ingestion-stream'
const [ten, eleven] = ['2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z']
const evil = 'Evil\u001b[31m\u202eTown\nforged'
const places = [
  { id: 1, city: 'Lagos', latitude: 6.45, longitude: 3.39, country: 'NG', every: '1d' },
  { id: 2, city: 'Córdoba', latitude: -31.4, longitude: -64.2, country: 'AR', every: '1h' },
  { id: 3, city: 'Cordoba', latitude: 37.9, longitude: -4.8, country: 'ES', every: '1h' },
  { id: 1, city: 'Lagos', latitude: 6.45, longitude: 3.39, country: 'NG', every: '1d' },
  { id: 4, city: 'Nowhere', latitude: 91, longitude: 2, country: 'NG', every: '1h' },
  { id: 5, city: evil, latitude: 9, longitude: 7, country: 'NG', every: '1h' },
]

async function folder(more: object = {}): Promise<string> {
  const cwd = await folderWith({
    source: { use: 'static-list', file: 'places.json', where: { country: ['NG', 'AR'] } },
    sink: { use: 'redis-stream', url: redis().server.url },
    outbox: { path: 'o.db' },
    retry: { attempts: 1 },
    ...more,
  })
  await writeFile(join(cwd, 'places.json'), JSON.stringify(places))
  return cwd
}
const produce = (cwd: string, slot: string, ...args: string[]) => owm(['produce', '--slot', slot, ...args], { cwd })
async function why(cwd: string, ...args: string[]) {
  const { code, json } = await owmJson<WhyResult>(['why', ...args], { cwd })
  return { code, ...json, whats: json.runs.map(({ what }) => what) }
}

it('tells of a task who has it, of a line why it has none, and harms no terminal', async () => {
  const cwd = await folder()
  await redis().client.xgroup('CREATE', stream, 'workers', '$', 'MKSTREAM')
  await redis().client.xgroup('CREATE', stream, 'archive', '$')
  expect((await produce(cwd, ten)).code).toBe(0)
  expect((await produce(cwd, eleven)).code).toBe(0)
  await redis().client.xreadgroup('GROUP', 'workers', 'ann', 'COUNT', 4, 'STREAMS', stream, '>')
  const entries = await redis().client.xrange(stream, '-', '+')
  await redis().client.xack(stream, 'workers', entries[0]?.[0] ?? '')
  const before = await snapshot(cwd)

  const lagos = await why(cwd, 'LAGOS')
  expect(lagos).toMatchObject({ code: 0, places: [{ city: 'Lagos', id: '1' }], whats: ['delivered', 'delivered'] })
  expect(lagos.lines).toMatchObject([{ leftOutBy: null, duplicateOf: null }, { duplicateOf: lagos.lines[0]?.position }])
  expect(lagos.runs).toMatchObject([
    { slot: eleven, seq: 4, batch: 4, attempts: 1, entries: [{ id: entries[3]?.[0] }] },
    { slot: ten, seq: 1, batch: 1, attempts: 1, entries: [{ id: entries[0]?.[0], at: expect.any(String) }] },
  ])
  const readings = lagos.runs.map(({ entries: [entry] }) => entry?.readings)
  expect(readings).toEqual([
    [
      { group: 'archive', state: 'waiting' },
      { group: 'workers', state: 'held', holder: { consumer: 'ann', idleMs: expect.any(Number), deliveries: 1 } },
    ],
    [
      { group: 'archive', state: 'waiting' },
      { group: 'workers', state: 'acknowledged' },
    ],
  ])
  expect((await why(cwd, lagos.runs[1]?.taskId ?? '')).runs).toEqual(
    lagos.runs.map((run) => ({
      ...run,
      entries: run.entries.map((entry) => ({ ...entry, readings: expect.any(Array) })),
    })),
  )

  expect(await why(cwd, 'cordoba')).toMatchObject({
    code: 0,
    places: [{ city: 'Córdoba' }, { city: 'Cordoba' }],
    runs: [],
  })
  expect((await why(cwd, '3')).lines).toMatchObject([{ leftOutBy: 'where.country' }])
  expect(await why(cwd, '37.9, -4.8', '--set', 'source.limit=1')).toMatchObject({ places: [{ id: '3' }] })
  expect((await why(cwd, '2', '--set', 'source.limit=1')).lines).toMatchObject([{ leftOutBy: 'limit' }])
  const shards = await Promise.all(['0/2', '1/2'].map((shard) => why(cwd, '2', '--shard', shard)))
  expect(shards.map(({ lines }) => lines[0]?.leftOutBy).toSorted()).toEqual(['shard', null].toSorted())
  const nowhere = await why(cwd, 'nowhere')
  expect(nowhere).toMatchObject({ code: 0, whats: ['rejected', 'rejected'] })
  expect(nowhere.lines[0]?.rejected).toContain('latitude must be')
  expect(await why(cwd, 'Lagoss')).toMatchObject({ code: 0, places: [], runs: [], near: 'Lagos' })
  const { stdout } = await owm(['why', 'evil'], { cwd, env: { COLUMNS: '80' } })
  expect(stdout).toContain('ann has held it for')
  for (const obeyed of ['\u001b', '\u202e', '\nforged']) expect(stdout).not.toContain(obeyed)
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  expect(await snapshot(cwd)).toEqual(before)
})

it('tells what is left where the history was purged, the stream trimmed, source or sink is away', async () => {
  const cwd = await folder()
  await redis().client.xgroup('CREATE', stream, 'late', '$', 'MKSTREAM')
  expect((await produce(cwd, ten)).code).toBe(0)
  expect((await owm(['outbox', 'purge', '--older-than', '0s', '--yes'], { cwd })).code).toBe(0)
  expect(await why(cwd, 'lagos')).toMatchObject({ whats: ['delivered'], runs: [{ seq: null, entries: [{}] }] })
  const [, [, fields] = ['', []]] = await redis().client.xrange(stream, '-', '+')
  const id: string = JSON.parse(fields[1] ?? '').task_id
  expect(await why(cwd, id)).toMatchObject({ places: [{ id: '2' }], runs: [{ taskId: id, entries: [{}] }] })
  expect((await produce(cwd, eleven)).code).toBe(0)
  await redis().client.xtrim(stream, 'MAXLEN', 1)
  expect((await why(cwd, 'lagos')).runs[0]).toMatchObject({ entries: [], gone: { how: 'missing' } })
  expect((await why(cwd, 'lagos', '--set', 'sink.maxLength=1')).runs[0]).toMatchObject({
    slot: eleven,
    what: 'delivered',
    entries: [],
    gone: { how: 'trimmed', unreadBy: ['late'], passedBy: [] },
  })
  const away = ['--set', 'sink.url=redis://127.0.0.1:1']
  await rm(join(cwd, 'places.json'))
  const rest = await why(cwd, 'lagos', ...away)
  expect(rest).toMatchObject({
    code: 0,
    source: null,
    whats: ['delivered', 'duplicate'],
    notes: [expect.any(String), expect.any(String)],
  })
  expect((await why(cwd, 'nothing-like-it', ...away)).code).toBeGreaterThan(0)
  expect((await why(cwd, 'nothing-like-it', '--no-source')).code).toBe(0)
})

it('of a short id it tells what its own place has, not what was rejected of others that have it in them', async () => {
  const source = { use: 'simulated-db', count: 3000, invalidRate: 0.01 }
  const cwd = await folder({ source, schedule: { cron: '0 * * * *' }, cadence: { default: '6h', spread: true } })
  expect((await produce(cwd, ten)).code).toBe(0)
  // Row 41 is rejected, and its coordinates have the others' ids in them.
  expect((await why(cwd, '10')).whats).toEqual(['not due'])
  expect((await why(cwd, '3')).whats).not.toContain('rejected')
  expect(await why(cwd, '41')).toMatchObject({ whats: ['rejected'], runs: [{ position: 'row 41' }] })
})

it('of a rejected place it tells its own story, and lists it beside others that fit', async () => {
  const rows = ['1000,Station 1000,50,-130', '100,Station 100,95,-130', '7,Bad Town,,3', '8,"Half Town"x,1,2']
  const csv = ['id,city,latitude,longitude', ...rows, ''].join('\n')
  const cwd = await folder({ source: { use: 'static-list', file: 'places.csv' } })
  await writeFile(join(cwd, 'places.csv'), csv)
  for (const slot of [ten, eleven]) expect((await produce(cwd, slot)).code).toBe(0)
  const rejected = ['rejected', 'rejected']
  const own = { places: [{ city: 'Station 100', id: '100', latitude: 95 }], whats: rejected, code: 0 }
  for (const text of ['station 100', 'id = 100', 'line 3']) expect(await why(cwd, text)).toMatchObject(own)
  expect(await why(cwd, '100', '--no-source')).toMatchObject(own)
  expect(await why(cwd, 'id 1000')).toMatchObject({ places: [{ id: '1000' }], whats: ['delivered', 'delivered'] })
  const several = await why(cwd, 'station')
  expect(several).toMatchObject({ places: [{ id: '1000' }, { id: '100' }], lines: [], runs: [] })
  expect(await why(cwd, '95,-130')).toMatchObject({ ...own, lines: [{ position: 'line 3', duplicateOf: null }] })
  expect(await why(cwd, 'bad town')).toMatchObject({ places: [{ id: '7', latitude: null }], whats: rejected })
  // Once it is repaired it is one place with what was rejected before.
  await writeFile(join(cwd, 'places.csv'), csv.replace(',95,', ',9.5,'))
  expect((await produce(cwd, '2026-11-23T12:00:00Z')).code).toBe(0)
  const repaired = { places: [{ id: '100', latitude: 9.5 }], whats: ['delivered', ...rejected] }
  expect(await why(cwd, 'Station 100')).toMatchObject(repaired)
})

it('tells of a run that is under way, and of a place that is not due in it', async () => {
  const cwd = await folder({
    schedule: { cron: '0 * * * *' },
    cadence: { field: 'every' },
  })
  expect((await produce(cwd, ten)).code).toBe(0)
  const { child, ended } = startAndStopAt('intake:persisted', ['produce', '--slot', eleven], cwd)
  await untilStopped(child.pid)
  expect((await why(cwd, '2')).runs[0]).toMatchObject({ what: 'pending', state: 'reading' })
  const lagos = await why(cwd, 'lagos')
  expect(lagos.whats[0]).toBe('not due')
  expect(lagos.lines[0]?.cadence).toEqual({
    every: '1d',
    window: expect.stringMatching(/T00:00:00Z$/),
    next: expect.stringMatching(/T00:00:00Z$/),
  })
  child.kill('SIGKILL')
  await ended
  expect((await why(cwd, '2')).runs[0]).toMatchObject({ what: 'pending', state: 'interrupted' })
})

it('tells that a line is rejected for its cadence', async () => {
  const cwd = await folder({ schedule: { cron: '0 * * * *' }, cadence: { field: 'every' } })
  await writeFile(join(cwd, 'places.json'), JSON.stringify([{ ...places[0], every: '99999d' }]))
  const { lines } = await why(cwd, 'lagos')
  expect(lines).toMatchObject([{ rejected: expect.stringContaining('every must be a duration'), cadence: null }])
})

it('tells why a task is dead', async () => {
  const fixture = (name: string): string => join(root, 'test', 'outbox', 'fixtures', name)
  const cwd = await folderWith({
    source: { use: fixture('source.mjs') },
    sink: { use: fixture('sink.mjs') },
    outbox: { path: 'o.db' },
  })
  expect((await produce(cwd, ten)).code).toBe(75)
  const { places: found } = await why(cwd, 'bad')
  expect(found).toHaveLength(4)
  expect(await why(cwd, found[0]?.city ?? '', '--no-source')).toMatchObject({
    code: 0,
    lines: [],
    whats: ['dead'],
    runs: [{ reason: 'it is bad', attempts: 1, seq: expect.any(Number) }],
  })
})
