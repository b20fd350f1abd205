/** `owm runs`, `owm runs show` and `owm runs diff`: what a run did, and what to do about it. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DiffResult } from '../../src/commands/runs/diff.js'
import type { RunsResult } from '../../src/commands/runs/index.js'
import type { ShowResult } from '../../src/commands/runs/show.js'
import { folderWith, owm, owmJson, type Ran } from '../support/cli.js'
import { startRedis, type TestRedis } from '../support/redis.js'
import { folderOf, produce as produceAt } from '../support/scheduled.js'
import { base, jsonl, list, outbox, retry, snapshot } from './scene.js'

const slotAt = (hour: number): string => `2026-11-23T0${hour}:00:00Z`
const place = (city: string, latitude: number): object => ({ city, latitude, longitude: 2 })
const produce = (cwd: string, hour: number, ...args: string[]): Promise<Ran> =>
  owm(['produce', '--slot', slotAt(hour), ...args], { cwd })
const runs = (cwd: string, ...args: string[]): Promise<Ran & { json: RunsResult }> =>
  owmJson<RunsResult>(['runs', ...args], { cwd })
const show = (cwd: string, run: string): Promise<Ran & { json: ShowResult }> =>
  owmJson<ShowResult>(['runs', 'show', run], { cwd })

/** A sink that refuses some cities for good, and fails at others; it tells its secrets. */
const picky = `import { defineSink, z } from 'owm-producer'
  export default defineSink({ name: 'picky', description: 'picky', 
    options: z.object({ token: z.string(), pin: z.string().meta({ secret: true }) }),
    open: ({ token, pin }) => ({ guarantee: 'at-least-once', deliver: async ({ tasks }) => {
      if (tasks.some((task) => task.includes('Down'))) throw new Error('it is down ' + token + pin)
      return tasks.map((task) =>
        task.includes('Bad') ? { refused: 'no such place ' + task.length + token + pin } : 'delivered') } }) })\n`

describe('one outbox with all that can happen', () => {
  const places = ['A', 'B', 'C'].map((city, index) => place(city, index))
  const sink = { use: './sink.mjs', token: 'hush-hush', pin: 'open-sesame' }
  const bad = [place('Bad 1', 10), place('Bad 22', 11), place('X', 91), place('Y', 92)]

  async function eventful(): Promise<string> {
    const cwd = await folderWith({ source: list(...places), sink, outbox, retry })
    await writeFile(join(cwd, 'sink.mjs'), picky)
    expect((await produce(cwd, 1)).code).toBe(0)
    const config = { source: list(...places.slice(1), ...bad), sink, outbox, retry }
    await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(config))
    expect((await produce(cwd, 2)).code).toBe(75)
    const down = { ...config, source: list(place('Down', 3)) }
    await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(down))
    expect((await produce(cwd, 3)).code).toBe(75)
    return cwd
  }

  it('a line a run, details of one, and the difference between two; all of it reads only', async () => {
    const cwd = await eventful()
    const before = await snapshot(cwd)
    const { code, json, stdout } = await runs(cwd)
    expect(code).toBe(0)
    expect(stdout).not.toMatch(/hush|sesame/)
    expect(json.pipelines).toMatchObject([
      {
        pipeline: null,
        outbox: join(cwd, 'o.db'),
        missed: [],
        matching: 3,
        runs: [
          {
            slot: slotAt(3),
            state: 'read',
            read: 1,
            pending: 1,
            failures: 1,
            lastError: expect.stringContaining('it is down'),
          },
          { slot: slotAt(2), state: 'done', read: 6, rejected: 2, delivered: 2, dead: 2, pending: 0 },
          { slot: slotAt(1), state: 'done', read: 3, rejected: 0, delivered: 3, dead: 0, failures: 0 },
        ],
      },
    ])
    const all = json.pipelines.flatMap((one) => one.runs)
    for (const run of all) {
      const { rejected, duplicates, notDue, delivered, pending, dead, discarded, lost } = run
      expect(run.read).toBe(rejected + duplicates + notDue + delivered + pending + dead + discarded + lost)
      expect(run).toMatchObject({ isAccounted: true, durationMs: expect.toBeOneOf([null, expect.any(Number)]) })
      expect(run.readingMs).toBeGreaterThanOrEqual(0)
    }

    const id = all[1]?.runId ?? ''
    const [one] = (await show(cwd, id.slice(0, 9))).json.runs
    expect(one).toMatchObject({
      runId: id,
      reasons: {
        rejected: [{ count: 2, reason: expect.stringContaining('not 91'), value: expect.stringContaining('X') }],
        dead: [{ count: 2, reason: expect.stringContaining('no such place'), value: expect.stringContaining('Bad 1') }],
      },
      next: expect.stringContaining(`owm outbox retry --run ${id.slice(0, 8)}`),
    })
    const words = (await owm(['runs', 'show', slotAt(2)], { cwd, env: { COLUMNS: '80' } })).stdout
    expect(words).not.toMatch(/hush|sesame/)
    expect(words).toContain('6 read = 2 rejected + 2 delivered + 2 dead')
    for (const line of words.split('\n')) expect(line.length).toBeLessThanOrEqual(80)

    for (const width of [80, 50]) {
      const narrow = (await owm(['runs'], { cwd, env: { COLUMNS: String(width) } })).stdout
      expect(narrow).not.toMatch(/…|hush|sesame/)
      expect(narrow).toMatch(new RegExp(`^${slotAt(3)}  \\w{8}  read `, 'm'))
      expect(narrow).toContain(`${id.slice(0, 8)}: ${width === 80 ? '' : '2 delivered; '}2 rejected`)
      for (const line of narrow.split('\n').slice(1)) expect(line.length).toBeLessThanOrEqual(width)
    }

    const { json: difference } = await owmJson<DiffResult>(['runs', 'diff', slotAt(1), id], { cwd })
    expect(difference).toMatchObject({
      a: { slot: slotAt(1), read: 3 },
      b: { slot: slotAt(2), read: 6, runs: [id] },
      differences: { read: 3, rejected: 2, delivered: -1, dead: 2 },
      reasons: { rejected: { onlyA: [], onlyB: [{ count: 2 }] }, dead: { onlyA: [], onlyB: [{ count: 2 }] } },
      locations: { both: 2, onlyA: { count: 1, examples: ['A (0, 2)'] }, onlyB: { count: 2 } },
    })
    expect((await owm(['runs', 'diff', slotAt(1), slotAt(2)], { cwd })).stdout).toContain(
      '1 location only in A: A (0, 2)',
    )
    expect(await snapshot(cwd)).toEqual(before)
  })

  it('says what is not there, or not one', async () => {
    const cwd = await folderWith(base)
    expect((await runs(cwd)).json.pipelines).toMatchObject([{ runs: [], matching: 0 }])
    await produce(cwd, 1)
    const usage = { code: 2, stderr: expect.stringContaining('`owm runs` shows') }
    expect(await owm(['runs', 'show', 'ffffffff-0000'], { cwd })).toMatchObject(usage)
    expect(await owm(['runs', 'show', slotAt(2)], { cwd })).toMatchObject(usage)
    expect(await owm(['runs', 'diff', slotAt(1), slotAt(2)], { cwd })).toMatchObject(usage)
    expect(await owm(['runs', 'show', ''], { cwd })).toMatchObject(usage)
    expect((await owm(['runs', '--since', 'yesterday'], { cwd })).code).toBe(2)
    expect((await owm(['runs', '--limit', '99999999999999999999'], { cwd })).code).toBe(2)
    expect((await runs(cwd, '--since', '0s')).json.pipelines).toMatchObject([{ runs: [] }])
    expect((await runs(cwd, '--since', slotAt(1))).json.pipelines).toMatchObject([{ matching: 1 }])
  })
})

it('all pipelines of a file at once, one of which cannot be looked at; also what was missed', async () => {
  const schedule = { cron: '0 * * * *', catchUp: 'all', maxAge: '3h' }
  const good = { source: { use: 'simulated-db', count: 5 }, sink: jsonl, outbox: { path: 'good.db' }, schedule }
  const cwd = await folderWith({ pipelines: { good, broken: { ...good, outbox: { path: 'broken.db' } } } })
  await writeFile(join(cwd, 'broken.db'), 'this is no database, but long enough to be one'.repeat(50))
  const early = `${new Date(Date.now() - 9 * 3_600_000).toISOString().slice(0, 13)}:00:00Z`
  expect((await owm(['produce', '--pipeline', 'good', '--slot', early], { cwd })).code).toBe(0)
  expect((await owm(['produce', '--pipeline', 'good'], { cwd })).code).toBe(0)
  const { code, json } = await runs(cwd)
  expect(code).toBe(74)
  const [first, second] = json.pipelines
  expect(first).toMatchObject({ pipeline: 'good', missed: [{ reason: 'maxAge' }] })
  expect(second).toMatchObject({ pipeline: 'broken', runs: [], error: { code: expect.any(String) } })
  const { stdout } = await owm(['runs', '--pipeline', 'good'], { cwd })
  expect(stdout).toMatch(/missed: .*\(maxAge\)/)
})

it('a start that stored nothing, and that a later run stands in for, is covered', async () => {
  const cwd = await folderOf({}, { source: { use: 'static-list', file: './list.csv' } })
  expect((await produceAt(cwd, '2026-11-23T09:00:10Z')).code).toBe(78)
  await writeFile(join(cwd, 'list.csv'), 'id,city,latitude,longitude\n1,Oslo,59.9,10.7\n')
  expect((await produceAt(cwd, '2026-11-23T11:00:10Z')).code).toBe(0)
  const { json, stdout } = await show(cwd, slotAt(9))
  const run = { state: 'missed', coveredBy: '2026-11-23T11:00:00Z', durationMs: null }
  expect(json.runs).toMatchObject([run])
  const inWords = await owm(['runs', 'show', slotAt(9)], { cwd })
  expect(inWords.stdout).toMatch(/^state +covered: .*2026-11-23T11:00:00Z stands in for it$/m)
  expect(inWords.stdout).toMatch(/^next +Nothing: /m)
  expect(inWords.stdout).not.toMatch(/^took/m)
  expect(stdout).not.toContain('gave too little')
  for (const list of [['runs'], ['outbox', 'inspect']]) expect((await owm(list, { cwd })).stdout).toMatch(/covered/)
})

describe('with a Redis', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  it('--all-shards tells which are missing, and a replay is told of', async () => {
    const sink = { use: 'redis-stream', url: redis.url, stream: 'runs' }
    const cwd = await folderWith({ pipelines: { p: { ...base, sink, source: { use: 'simulated-db', count: 60 } } } })
    for (const shard of [0, 2]) {
      const own = ['--shard', `${shard}/3`, '--outbox', `${shard}.db`]
      expect((await produce(cwd, 1, ...own)).code).toBe(0)
    }
    const { json } = await runs(cwd, '--all-shards', '--outbox', '0.db')
    expect(json.pipelines[0]?.shards).toMatchObject([{ slot: slotAt(1), shards: 3, there: [0, 2], missing: [1] }])
    const { stdout } = await owm(['runs', '--all-shards', '--outbox', '0.db'], { cwd })
    expect(stdout).toContain('missing: 1/3')

    const admin = new Redis(redis.url)
    await admin.xtrim('runs', 'MAXLEN', '=', 0)
    admin.disconnect()
    const [run] = json.pipelines[0]?.runs ?? []
    const replay = ['outbox', 'replay', '--run', run?.runId ?? '', '--yes', '--outbox', '0.db']
    expect((await owm(replay, { cwd })).stdout).toContain(`${run?.delivered} tasks put back from the history`)
    const [again] = (await owmJson<ShowResult>(['runs', 'show', slotAt(1), '--outbox', '0.db'], { cwd })).json.runs
    expect(again).toMatchObject({ state: 'done', delivered: run?.delivered, sentAgain: { replayed: run?.delivered } })
  })

  it('--all-shards tells what is dead, and misses nothing of a number of shards that was refused', async () => {
    const sink = { use: 'redis-stream', url: redis.url, stream: 'divided' }
    const cwd = await folderWith({ pipelines: { p: { ...base, sink, source: { use: 'simulated-db', count: 60 } } } })
    for (const shard of [0, 1]) {
      const own = ['--shard', `${shard}/2`, '--outbox', `${shard}.db`]
      expect((await produce(cwd, 1, ...own)).code).toBe(0)
    }
    const shown = async (): Promise<string[]> => {
      const { stdout } = await owm(['runs', '--all-shards', '--outbox', '0.db'], { cwd })
      return stdout.split('\n').filter((line) => line.includes('receipts of'))
    }
    expect(await shown()).toEqual([`slot ${slotAt(1)}: receipts of 2 shards of 2, 60 tasks delivered, whole`])
    const admin = new Redis(redis.url)
    const key = '{divided}:owm:receipts:p'
    const [[field = '', text = ''] = []] = Object.entries(await admin.hgetall(key))
    const { delivered } = JSON.parse(text)
    await admin.hset(
      key,
      field,
      JSON.stringify({ ...JSON.parse(text), delivered: delivered - 3, dead: 2, discarded: 1 }),
    )
    admin.disconnect()
    const now = '57 tasks delivered, 2 dead, 1 discarded, no shard missing'
    expect(await shown()).toEqual([`slot ${slotAt(1)}: receipts of 2 shards of 2, ${now}`])
  })

  it('when a lost run was done is not known', async () => {
    const sink = { use: 'redis-stream', url: redis.url, stream: 'lost' }
    const cwd = await folderWith({ ...base, sink, outbox: { path: './o.db', keepTasks: 0 } })
    for (const hour of [1, 2, 3]) expect((await produce(cwd, hour)).code).toBe(0)
    const admin = new Redis(redis.url)
    await admin.flushall()
    admin.disconnect()
    expect((await produce(cwd, 4)).code).toBe(75)
    expect((await show(cwd, slotAt(1))).json.runs).toMatchObject([
      { state: 'lost', finishedAt: expect.any(String), durationMs: null, deliveringMs: null },
    ])
    const { stdout } = await owm(['runs', 'show', slotAt(1)], { cwd })
    expect(stdout).toMatch(/^began .*, the loss found 2/m)
    expect(stdout).not.toMatch(/, done 2|^took/m)
  })
})
