import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { filtersOf } from '../../src/config/filters.js'
import { loadConfig } from '../../src/config/load.js'
import type { Overrides } from '../../src/config/values/overrides.js'
import { ConfigurationError, UsageError } from '../../src/errors/index.js'
import type { Filters } from '../../src/pipeline/input/filters/filters.js'
import { folderWith, owm, owmJson, type RunOptions, root, temporaryFolder } from '../support/cli.js'
import { startRedisProcess } from '../support/redis.js'

const slot = '2026-11-23T10:00:00Z'

interface Counts {
  source: { read: number; rejected: number; duplicates: number; leftOut?: number; limitReached?: boolean }
  outbox: { pending: number }
  sink: { delivered: number }
  error?: { code: string; message: string; hint: string }
}

const produce = (args: string[], options: RunOptions) => owmJson<Counts>(['produce', '--slot', slot, ...args], options)

interface Task {
  /** simulated-db counts its places from 1. */
  location_id: number
  city: string
}

async function tasksIn(folder: string): Promise<Task[]> {
  const lines = (await readFile(join(folder, 't.jsonl'), 'utf8')).split('\n').slice(0, -1)
  return lines.map((line): Task => JSON.parse(line))
}

const idsIn = async (folder: string): Promise<number[]> => (await tasksIn(folder)).map(({ location_id: id }) => id)
const sorted = (ids: readonly number[]): number[] => ids.toSorted((a, b) => a - b)
const ids = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1)
const crashAt = (step: string): RunOptions => ({
  node: ['--import', join(root, 'test', 'support', 'crash.mjs')],
  env: { OWM_CRASH_AT: step },
})

it('a filter that keeps nothing does not trip over source.timeoutMs', async () => {
  const cwd = await folderWith({
    source: {
      use: 'simulated-db',
      count: 60,
      pageSize: 10,
      latencyMs: 250,
      timeoutMs: 700,
      where: { state: 'nowhere' },
    },
    sink: { use: 'jsonl', path: 't.jsonl' },
    outbox: { path: 'o.db' },
  })
  const { code, json } = await owmJson<Counts>(['produce'], { cwd })
  expect({ code, ...json }).toMatchObject({ code: 0, source: { read: 0, leftOut: 60, limitReached: false } })
})

it('three producers at once fill one stream with each location exactly once', async () => {
  const redis = await startRedisProcess()
  onTestFinished(() => redis.stop())
  const cwd = await folderWith({
    source: { use: 'simulated-db', count: 3_000 },
    sink: { use: 'redis-stream', url: redis.url },
  })
  const ran = await Promise.all(
    ['0/3', '1/3', '2/3'].map((shard, index) => produce(['--shard', shard, '--outbox', `o${index}.db`], { cwd })),
  )
  expect(ran.map(({ code }) => code)).toEqual([0, 0, 0])
  expect(ran.reduce((sum, { json }) => sum + json.source.read, 0)).toBe(3_000)
  const admin = new Redis(redis.url)
  onTestFinished(() => admin.disconnect())
  const entries = await admin.xrange('owm-ingestion-stream', '-', '+')
  const delivered = entries.map(([, [, task = '']]): number => JSON.parse(task).location_id)
  expect(sorted(delivered)).toEqual(ids(3_000))
})

it('rows that cannot be read are rejected in exactly one shard', async () => {
  const cwd = await temporaryFolder()
  const rows = [
    'latitude,longitude,city',
    ...Array.from({ length: 30 }, (_, index) =>
      index % 3 === 0 ? `${index},2` : index % 3 === 1 ? `9${index}1,2,C${index}` : `${index},2,C${index}`,
    ),
  ]
  await writeFile(join(cwd, 'list.csv'), `${rows.join('\n')}\n`)
  await writeFile(
    join(cwd, '.owmrc.json'),
    JSON.stringify({ source: { use: 'static-list', file: 'list.csv' }, sink: { use: 'jsonl', path: 't.jsonl' } }),
  )
  const positions: string[] = []
  for (const shard of ['0/2', '1/2']) {
    const outbox = `o${shard[0]}.db`
    expect((await produce(['--shard', shard, '--outbox', outbox], { cwd })).code).toBe(0)
    const { json } = await owmJson<{ tasks: { position: string }[] }>(
      ['outbox', 'inspect', '--outbox', outbox, '--state', 'rejected'],
      { cwd },
    )
    expect(json.tasks.length).toBeGreaterThan(0)
    positions.push(...json.tasks.map(({ position }) => position))
  }
  expect(positions.toSorted()).toEqual(
    Array.from({ length: 30 }, (_, index) => index)
      .filter((index) => index % 3 !== 2)
      .map((index) => `line ${index + 2}${index % 3 === 0 ? '' : ', column "latitude"'}`)
      .toSorted(),
  )
  expect((await tasksIn(cwd)).map(({ city }) => city).toSorted()).toEqual(
    Array.from({ length: 10 }, (_, index) => `C${3 * index + 2}`).toSorted(),
  )
})

describe('conditions with operators', () => {
  const rows = [
    ['Berlin', 'DE', '3,755,251', '34'],
    ['Hamburg', 'DE', '1892122', ''],
    ['Lyon', 'FR', ' 522250 ', '173'],
    ['Wien', 'AT', '1.982e6', '151'],
  ]
  const list = [
    'city,country,people,elevation,latitude,longitude',
    ...rows.map((row) => [...row, 1, 2].map((value) => `"${value}"`).join(',')),
  ]

  const runWith = async (where: object) => {
    const cwd = await folderWith({
      source: { use: 'static-list', file: 'list.csv', where },
      sink: { use: 'jsonl', path: 't.jsonl' },
      outbox: { path: 'o.db' },
    })
    await writeFile(join(cwd, 'list.csv'), `${list.join('\n')}\n`)
    const ran = await produce([], { cwd })
    return { ...ran, cities: ran.code === 0 ? (await tasksIn(cwd)).map(({ city }) => city) : [] }
  }

  it.each([
    [{ people: { gte: 522_250 } }, ['Hamburg', 'Lyon', 'Wien']],
    [{ people: { gt: 522_250, lt: 1_982_000 } }, ['Hamburg']],
    [{ country: { not: ['FR', 'AT'] }, people: { not: '1892122' } }, ['Berlin']],
    [{ elevation: { exists: false } }, ['Hamburg']],
    [{ elevation: { exists: true, lte: 151 }, country: { in: ['DE', 'AT'] } }, ['Berlin', 'Wien']],
    [{ closed: { exists: false }, open: { not: 'no' }, elevation: { gt: 170 } }, ['Lyon']],
  ])('%j', async (where, cities) => {
    const ran = await runWith(where)
    expect({ code: ran.code, cities: ran.cities, leftOut: ran.json.source.leftOut }).toEqual({
      code: 0,
      cities,
      leftOut: rows.length - cities.length,
    })
  })

  it('tell how many values were no numbers, and show one', async () => {
    const { stderr } = await runWith({ people: { gte: 1 } })
    expect(stderr).toContain('source.where: people is no number in one location, such as \\"3,755,251\\"')
  })

  it('that are met without their field tell of one that seems misspelt', async () => {
    const { stderr } = await runWith({ contry: { not: 'DE' }, closed: { exists: false } })
    expect(stderr).toContain('source.where: no location has contry. All of them meet its condition. Did you mean')
    expect(stderr).not.toContain('closed')
  })

  it('or of one that no name comes near, unless it is to be absent: what was to be left out is delivered', async () => {
    for (const wanted of [{ not: 'X' }, '']) {
      const { code, stderr } = await runWith({ regoin: wanted })
      expect({ code, stderr }).toEqual({
        code: 0,
        stderr: expect.stringMatching(/no location has regoin\. .* They have /),
      })
    }
  })

  it.each([
    [{ country: { gte: 5 } }, 'source.where: country is a number in no location, such as "DE"'],
    [{ peeple: { gte: 5 } }, 'source.where: no location has peeple'],
    [{ closed: { exists: true } }, 'source.where: no location has closed'],
    [{ closed: { not: ['', 'yes'] } }, 'source.where: no location has closed'],
  ])('%j is no condition for this list', async (where, message) => {
    const { code, json } = await runWith(where)
    expect({ code, message: json.error?.message }).toEqual({ code: 78, message: expect.stringContaining(message) })
  })
})

describe('a run that was killed', () => {
  const config = {
    source: { use: 'simulated-db', count: 5_000, pageSize: 100 },
    sink: { use: 'jsonl', path: 't.jsonl' },
    outbox: { path: 'o.db' },
  }

  /** Killed after two stretches are stored. */
  async function killed(source: object, args: string[] = []): Promise<string> {
    const cwd = await folderWith({ ...config, source: { ...config.source, ...source } })
    const { signal } = await owm(['produce', '--slot', slot, '--no-flush', ...args], {
      cwd,
      ...crashAt('intake:persisted:2'),
    })
    expect(signal).toBe('SIGKILL')
    const { json } = await owmJson<{ runs: { state: string; read: number }[] }>(['outbox', 'inspect'], { cwd })
    expect(json.runs).toMatchObject([{ state: 'reading' }])
    expect(json.runs[0]?.read).toBeGreaterThan(0)
    return cwd
  }

  it('reads on up to its limit, and no further', async () => {
    const cwd = await killed({ limit: 2_950 })
    const { code, json } = await produce([], { cwd })
    expect({ code, source: json.source }).toMatchObject({
      code: 0,
      source: { read: 2_950, leftOut: 0, limitReached: true },
    })
    expect(await idsIn(cwd)).toEqual(ids(2_950))
  })

  it('under other filters is read again, each location once', async () => {
    const cwd = await killed({ limit: 2_950 })
    await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(config))
    const { code, stderr } = await produce([], { cwd })
    expect(code).toBe(0)
    expect(stderr).toContain('read again')
    expect(await idsIn(cwd)).toEqual(ids(5_000))
  })

  it('as one shard is not ended by another one in its outbox', async () => {
    const cwd = await killed({}, ['--shard', '0/2'])
    const other = await produce(['--shard', '1/2'], { cwd })
    expect({ code: other.code, error: other.json.error }).toMatchObject({
      code: 75,
      error: { hint: expect.stringMatching(/owm produce --slot \S+ --shard 0\/2`/) },
    })
    for (const shard of ['0/2', '1/2']) expect((await produce(['--shard', shard], { cwd })).code).toBe(0)
    expect(sorted(await idsIn(cwd))).toEqual(ids(5_000))
  })
})

it('two shards of one slot may have one outbox, one after the other', async () => {
  const cwd = await folderWith({
    source: { use: 'simulated-db', count: 1_000 },
    sink: { use: 'jsonl', path: 't.jsonl' },
    outbox: { path: 'o.db' },
  })
  for (const shard of ['0/2', '1/2']) expect((await produce(['--shard', shard], { cwd })).code).toBe(0)
  expect(sorted(await idsIn(cwd))).toEqual(ids(1_000))
  // What was delivered is deleted: whether the other shards are among it is no longer known.
  expect((await owm(['outbox', 'purge'], { cwd })).code).toBe(0)
  expect((await produce(['--shard', '2/3'], { cwd })).code).toBe(75)
})

describe('on the command line', () => {
  const config = { source: { use: 'simulated-db', count: 1_000 }, sink: { use: 'jsonl', path: 't.jsonl' } }

  it('the summary says what was left out', async () => {
    const cwd = await folderWith({
      ...config,
      source: { ...config.source, limit: 10, where: { country: ['CN', 'IN'] } },
    })
    const { stdout, code } = await owm(['produce', '--dry-run'], { cwd })
    expect(code).toBe(0)
    expect(stdout).toMatch(/10 locations read \(\d+ left out by filters, limit reached\)/)
  })

  it.each(['1', '3/3', '0/0', '-1/3', 'a/b', '0/3/4', ' 0/3', '1.5/3'])('--shard %j is a wrong flag', async (shard) => {
    await expect(loadConfig({ shard }, {}, await folderWith(config))).rejects.toThrow(UsageError)
  })

  it('a wrong flag ends with 2', async () => {
    const { code, json } = await produce(['--dry-run', '--shard', '3/3'], { cwd: await folderWith(config) })
    expect({ code, error: json.error?.code }).toEqual({ code: 2, error: 'USAGE' })
  })

  const filtersIn = async (
    source: object,
    overrides: Overrides,
    env: Record<string, string>,
  ): Promise<Filters | undefined> =>
    filtersOf(
      await loadConfig(overrides, env, await folderWith({ ...config, source: { ...config.source, ...source } })),
      env,
    )

  it.each([
    ['shard 3/3', { shard: '3/3' }, {}, 'source.shard'],
    ['shard and shards', { shard: '0/3', shards: 3 }, { JOB_COMPLETION_INDEX: '0' }, 'source.shards'],
    ['no JOB_COMPLETION_INDEX', { shards: 3 }, {}, 'JOB_COMPLETION_INDEX'],
    ['an empty JOB_COMPLETION_INDEX', { shards: 3 }, { JOB_COMPLETION_INDEX: '' }, 'JOB_COMPLETION_INDEX'],
    [
      'a JOB_COMPLETION_INDEX that is no number',
      { shards: 3 },
      { JOB_COMPLETION_INDEX: 'one' },
      'JOB_COMPLETION_INDEX',
    ],
    ['a JOB_COMPLETION_INDEX that is too large', { shards: 3 }, { JOB_COMPLETION_INDEX: '3' }, '0 to 2'],
    ['a box upside down', { where: { bbox: [0, 10, 1, -10] } }, {}, 'source.where.bbox'],
    ['a value that is none', { where: { state: {} } }, {}, 'source.where.state'],
    ['no operator', { where: { size: { gtee: 5 } } }, {}, 'source.where.size.gtee'],
    ['a bound that is no number', { where: { size: { gte: 'abc' } } }, {}, 'source.where.size.gte'],
    ['bounds with nothing between them', { where: { size: { gte: 10, lt: 5 } } }, {}, 'source.where.size'],
    ['half a box', { where: { bbox: [0, 10] } }, {}, 'source.where.bbox'],
    ['a sample of 20', { sample: 20 }, {}, 'source.sample'],
    ['a limit of nothing', { limit: 0 }, {}, 'source.limit'],
  ])('%s is a wrong configuration', async (_, source, env, named) => {
    const wrong = await filtersIn(source, {}, env).catch((error: unknown) => error)
    expect(wrong).toBeInstanceOf(ConfigurationError)
    expect(wrong).toHaveProperty('message', expect.stringContaining(named))
    expect(wrong).toHaveProperty('message', expect.stringMatching(/\.owmrc\.json:1\b/))
  })

  it('a job says its shard in JOB_COMPLETION_INDEX, a flag goes before it', async () => {
    const shardIn = async (overrides: Overrides, env: Record<string, string>): Promise<unknown> =>
      (await filtersIn({ shards: 3 }, overrides, env))?.shard
    expect(await shardIn({}, { JOB_COMPLETION_INDEX: '1' })).toEqual({ index: 1, count: 3 })
    expect(await shardIn({ shard: '0/4' }, { JOB_COMPLETION_INDEX: '1' })).toEqual({ index: 0, count: 4 })
    expect(await shardIn({ shard: '0/1' }, {})).toBeUndefined()
    expect((await filtersIn({ shard: '2/5' }, {}, { JOB_COMPLETION_INDEX: '1' }))?.shard).toEqual({
      index: 2,
      count: 5,
    })
  })

  it('a command that reads no source needs no JOB_COMPLETION_INDEX', async () => {
    const cwd = await folderWith({ ...config, source: { ...config.source, shards: 3 }, outbox: { path: 'o.db' } })
    expect((await owm(['outbox', 'inspect'], { cwd })).code).toBe(0)
  })
})
