import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { filtersOf } from '../../src/config/filters.js'
import { loadConfig, type Overrides } from '../../src/config/load.js'
import { ConfigurationError, UsageError } from '../../src/errors/index.js'
import { type Filters, filtered, type Tally } from '../../src/pipeline/input/filters.js'
import { type Location, type LocationBatch, Malformed, type Source } from '../../src/plugin.js'
import { taskMaker } from '../../src/tasks/encode.js'
import { taskIdOf } from '../../src/tasks/id.js'
import { folderWith, owm, owmJson, type RunOptions, root, temporaryFolder } from '../support/cli.js'
import { startRedisProcess } from '../support/redis.js'

const slot = '2026-11-23T10:00:00Z'
type Entry = Location | Malformed

/** A source of these records, in batches of `size`. */
function sourceOf(records: readonly Entry[], size: number): Source {
  return {
    async *read(resume): AsyncGenerator<LocationBatch> {
      for (let first = Number(resume ?? 0); first < records.length; first += size)
        yield {
          locations: records.slice(first, first + size),
          resume: String(Math.min(records.length, first + size)),
          position: (index) => String(first + index),
        }
    },
  }
}

interface Read {
  records: Entry[]
  /** Where each one stood in the source. */
  positions: number[]
  batches: LocationBatch[]
  tally: Tally
  warnings: object[]
}

async function read(
  source: Source,
  filters: Partial<Filters>,
  { resume, maxLocations = 1e9 }: { resume?: string; maxLocations?: number } = {},
): Promise<Read> {
  const found: Read = {
    records: [],
    positions: [],
    batches: [],
    tally: { leftOut: 0, limitReached: false },
    warnings: [],
  }
  const quiet = {
    debug: () => undefined,
    info: () => undefined,
    error: () => undefined,
    warn: (fields: object) => void found.warnings.push(fields),
  }
  for await (const batch of filtered(
    source,
    { fields: {}, ...filters },
    { name: 'list', maxLocations, tally: found.tally, log: quiet },
  ).read(resume)) {
    found.batches.push(batch)
    found.records.push(...batch.locations)
    found.positions.push(...batch.locations.map((_, index) => Number(batch.position(index))))
  }
  return found
}

const place: fc.Arbitrary<Entry> = fc.oneof(
  // The same few places in different spellings.
  fc.record({
    latitude: fc.constantFrom(1, '1', ' 1.0', 2.5, '25e-1', -0, 0),
    longitude: fc.constantFrom(3, '3.000', -170),
    city: fc.constantFrom('A', 'B'),
    state: fc.constantFrom(undefined, null, '', 'S'),
  }),
  fc.record({
    id: fc.constantFrom(1, '1', 2, 'x'),
    latitude: fc.integer({ min: -90, max: 90 }),
    longitude: fc.constant(0),
    city: fc.string({ minLength: 1 }),
  }),
  fc.record({ latitude: fc.anything(), longitude: fc.anything(), city: fc.anything() }),
  fc.string().map((text) => new Malformed(text, 'not a record')),
)
const size = fc.integer({ min: 1, max: 9 })

describe('shards', () => {
  it('of any number take each record of any list exactly once, and in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(place, { maxLength: 60 }),
        size,
        fc.integer({ min: 2, max: 7 }),
        async (records, batchSize, count) => {
          const shares = await Promise.all(
            Array.from({ length: count }, (_, index) =>
              read(sourceOf(records, batchSize), { shard: { index, count } }),
            ),
          )
          expect(shares.flatMap(({ positions }) => positions).sort((a, b) => a - b)).toEqual(
            records.map((_, index) => index),
          )
          for (const share of shares) {
            expect(share.positions).toEqual(share.positions.toSorted((a, b) => a - b))
            expect(share.records).toEqual(share.positions.map((position) => records[position]))
            expect(share.tally.leftOut).toBe(records.length - share.records.length)
          }
          // Two spellings of a place that are one task are in one share: whether it's a duplicate is seen there.
          const make = taskMaker(slot)
          const taskIds = shares.flatMap(({ records: own }) => [
            ...new Set(
              own
                .flatMap((record) => (record instanceof Malformed ? [] : [make(record)]))
                .flatMap((made) => (typeof made === 'string' ? [taskIdOf(made)] : [])),
            ),
          ])
          expect(new Set(taskIds).size).toBe(taskIds.length)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('together are what one producer with the same filters takes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(place, { maxLength: 60 }),
        size,
        fc.integer({ min: 1, max: 30 }),
        fc.constantFrom(undefined, 0.5),
        async (records, batchSize, limit, sample) => {
          const filters = { fields: { city: ['A'] }, limit, sample }
          const whole = await read(sourceOf(records, batchSize), filters)
          const shares = await Promise.all(
            [0, 1, 2].map((index) => read(sourceOf(records, batchSize), { ...filters, shard: { index, count: 3 } })),
          )
          expect(shares.flatMap(({ positions }) => positions).sort((a, b) => a - b)).toEqual(whole.positions)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('are about equally large', async () => {
    const records = Array.from({ length: 9_000 }, (_, id) => ({ id, latitude: 1, longitude: 2, city: 'C' }))
    for (const index of [0, 1, 2]) {
      const share = (await read(sourceOf(records, 500), { shard: { index, count: 3 } })).records.length
      expect(share).toBeGreaterThan(2_800)
      expect(share).toBeLessThan(3_200)
    }
  })
})

it('from each resume point comes exactly the rest, whatever the filters', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(place, { maxLength: 60 }),
      size,
      fc.record({
        fields: fc.constantFrom<Filters['fields'][]>({}, { city: ['A'] }),
        sample: fc.constantFrom(undefined, 0.7),
        limit: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
        shard: fc.constantFrom(undefined, { index: 1, count: 2 }),
      }),
      async (records, batchSize, filters) => {
        const { batches, positions, tally } = await read(sourceOf(records, batchSize), filters)
        let before = 0
        for (const { locations, resume } of batches) {
          before += locations.length
          const rest = await read(sourceOf(records, batchSize), filters, { resume })
          expect(rest.positions).toEqual(positions.slice(before))
          expect(rest.tally).toEqual(tally)
        }
      },
    ),
    { numRuns: 100 },
  )
})

describe('where', () => {
  const at = (latitude: unknown, longitude: unknown, more: object = {}): Entry => ({
    latitude,
    longitude,
    city: 'C',
    ...more,
  })
  const kept = async (records: Entry[], filters: Partial<Filters>): Promise<Entry[]> =>
    (await read(sourceOf(records, 2), filters)).records

  it('keeps locations whose fields have one of the values, numbers as text', async () => {
    const [german, austrian, french, unknown] = [
      at(1, 1, { country: 'DE', size: 5 }),
      at(1, 1, { country: 'AT', size: '5' }),
      at(1, 1, { country: 'FR', size: 5 }),
      at(1, 1),
    ]
    const records = [german, austrian, french, unknown].map((record) => record ?? {})
    expect(await kept(records, { fields: { country: ['DE', 'AT'] } })).toEqual([german, austrian])
    expect(await kept(records, { fields: { country: ['AT', 'FR'], size: ['5'] } })).toEqual([austrian, french])
    expect(await kept(records, { fields: { country: [''] } })).toEqual([unknown])
  })

  it.each([
    [
      'a box',
      [5, 45, 15, 55],
      [
        [50, 10],
        [45, 5],
        ['55', ' 15'],
      ],
      [
        [44.9, 10],
        [50, 15.1],
        [50, -170],
      ],
    ],
    [
      'a box across the antimeridian',
      [170, -20, -170, 10],
      [
        [0, 175],
        [0, -175],
        [0, 180],
        [0, -180],
        [-20, 170],
      ],
      [
        [0, 0],
        [0, 169],
        [0, -169],
        [11, 175],
      ],
    ],
    [
      'a box that ends at the antimeridian',
      [170, -10, 180, 10],
      [
        [0, 180],
        [0, -180],
      ],
      [[0, -179]],
    ],
  ] as const)('keeps what lies in %s', async (_, [west, south, east, north], inside, outside) => {
    const records = [...inside, ...outside].map(([latitude, longitude]) => at(latitude, longitude))
    expect(await kept(records, { bbox: [west, south, east, north] })).toEqual(records.slice(0, inside.length))
  })

  it('lets through what nobody can decide, so that it is quarantined', async () => {
    const records = [
      new Malformed('x', 'not a record'),
      at('north', 10, { country: 'DE' }),
      at(91, 10, { country: 'DE' }),
    ]
    expect(await kept(records, { fields: { country: ['DE'] }, bbox: [0, 0, 1, 1] })).toEqual(records)
  })
})

it('sample keeps about its share, the same ones in any order, spread over the shards', async () => {
  const records = Array.from({ length: 4_000 }, (_, id) => ({ id, latitude: 1, longitude: 2, city: 'C' }))
  const first = await read(sourceOf(records, 100), { sample: 0.25 })
  expect(first.records.length).toBeGreaterThan(850)
  expect(first.records.length).toBeLessThan(1_150)
  const again = await read(sourceOf(records.toReversed(), 7), { sample: 0.25 })
  expect(again.records.toReversed()).toEqual(first.records)
  const half = await read(sourceOf(records, 100), { sample: 0.25, shard: { index: 0, count: 2 } })
  expect(half.records.length).toBeGreaterThan(first.records.length * 0.4)
  expect((await read(sourceOf(records, 100), { sample: 0 })).records).toEqual([])
})

describe('a filter that keeps nothing', () => {
  it('still moves the resume point with every batch', async () => {
    const records = Array.from({ length: 10 }, () => ({ latitude: 1, longitude: 2, city: 'C' }))
    const { batches, records: kept } = await read(sourceOf(records, 3), { fields: { city: ['D'] } })
    expect(kept).toEqual([])
    expect(batches.map(({ resume }) => resume)).toEqual(['3 0 0 3', '6 0 0 6', '9 0 0 9', '10 0 0 10'])
  })

  it('does not hide that a source never ends', async () => {
    const endless: Source = {
      async *read() {
        for (;;) yield { locations: [{ latitude: 1, longitude: 2, city: 'C' }], resume: '', position: String }
      },
    }
    await expect(read(endless, { fields: { city: ['D'] } }, { maxLocations: 1_000 })).rejects.toThrow(
      ConfigurationError,
    )
  })

  it('does not trip over source.timeoutMs', async () => {
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
})

// --- whole processes ---

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

it('rows that cannot be read are quarantined in exactly one shard', async () => {
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

  it('under other filters is read anew, each location once', async () => {
    const cwd = await killed({ limit: 2_950 })
    await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(config))
    const { code, stderr } = await produce([], { cwd })
    expect(code).toBe(0)
    expect(stderr).toContain('read anew')
    expect(await idsIn(cwd)).toEqual(ids(5_000))
  })

  it('as one shard is not ended by another one in its outbox', async () => {
    const cwd = await killed({}, ['--shard', '0/2'])
    const other = await produce(['--shard', '1/2'], { cwd })
    expect({ code: other.code, error: other.json.error }).toMatchObject({
      code: 75,
      error: { hint: expect.stringContaining('owm produce --shard 0/2') },
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
  // What was delivered is forgotten: whether the other shards are among it, nobody can say any more.
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
