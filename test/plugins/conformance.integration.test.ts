import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { defineSource } from '../../src/plugin.js'
import { type Check, type Fault, sinkChecks, sourceChecks } from '../../src/plugins/conformance/index.js'
import { loadSink, loadSource } from '../../src/plugins/load.js'
import jsonl from '../../src/sinks/jsonl/index.js'
import redisStream from '../../src/sinks/redis-stream/index.js'
import simulatedDb from '../../src/sources/simulated-db/index.js'
import staticList from '../../src/sources/static-list/index.js'
import { root } from '../support/cli.js'
import { isLong } from '../support/conditions.js'
import { gone } from '../support/gone.js'
import { startRedis, type TestRedis } from '../support/redis.js'

// Through the door that a configuration uses.
const examples = join(root, 'examples', 'plugins')
const [capitalsModule, folderModule] = [join(examples, 'capitals-source.mjs'), join(examples, 'folder-sink.mjs')]
const capitals = await loadSource(capitalsModule, examples)
const folder = await loadSink(folderModule, examples)
const chainModule = join(root, 'test', 'plugins', 'chain-sink.mjs')
const chain = await loadSink(chainModule, root)

const places = Array.from({ length: 1_234 }, (_, index) => ({
  id: index + 1,
  city: `place ${index}, "quoted"`,
  state: '',
  latitude: index % 90,
  longitude: index % 180,
}))
const csv = [
  'id,city,state,lat,lon',
  ...places.map(
    ({ id, city, latitude, longitude }) => `${id},"${city.replaceAll('"', '""')}",,${latitude},${longitude}`,
  ),
].join('\r\n')
const features = places.map(({ latitude, longitude, ...properties }) => ({
  type: 'Feature',
  geometry: { type: 'Point', coordinates: [longitude, latitude] },
  properties,
}))
const ndjson = (records: readonly object[]): string => records.map((record) => JSON.stringify(record)).join('\n')
const lists = {
  'list.csv': `\ufeff${csv}`,
  'list.tsv': csv.replaceAll(',', '\t'),
  'list.json': JSON.stringify(places, null, 1),
  'object.json': JSON.stringify({ total: places.length, cities: places }),
  'list.ndjson': ndjson(places),
  'list.geojson': JSON.stringify({ type: 'FeatureCollection', features }),
  'list.geojsonl': ndjson(features),
  'list.yaml': places.map((place) => `- ${JSON.stringify(place)}\n`).join(''),
}

let baseDir = ''
let redis: TestRedis | undefined

beforeAll(async () => {
  baseDir = await mkdtemp(join(tmpdir(), 'owm-test-'))
  for (const [name, content] of Object.entries(lists)) {
    await writeFile(join(baseDir, name), content)
    await writeFile(join(baseDir, `${name}.gz`), gzipSync(content))
  }
  redis = await startRedis()
})
afterAll(async () => {
  await redis?.stop()
  await rm(baseDir, { recursive: true, force: true })
})

/** All keys of a server; the function brings them back. */
async function snapshotOf(url: string): Promise<() => Promise<void>> {
  const on = async <T>(use: (client: Redis) => Promise<T>): Promise<T> => {
    const client = new Redis(url)
    return use(client).finally(() => client.disconnect())
  }
  const kept = await on(async (client) => {
    const keys = await client.keys('*')
    return Promise.all(keys.map(async (key) => ({ key, value: await client.dumpBuffer(key) })))
  })
  return () =>
    on(async (client) => {
      await client.flushall()
      for (const { key, value } of kept) if (value) await client.restore(key, 0, value)
    })
}

/** The folder and the server are only known inside of a test. */
function suite(name: string, checks: () => Check[]): void {
  describe(name, () => {
    for (const [index, { name }] of checks().entries()) test(name, () => checks()[index]?.run())
  })
}

/** The others are read on, or delivered, by the same code as one of these: the long form kills them, too. */
const killed = ['list.csv', 'list.csv.gz', 'list.json']
const isWanted = (given: string, { name }: Check): boolean =>
  isLong || killed.includes(given) || !/is killed|this happens/.test(name)

/** The second half of a file is missing: what is compressed, or ends with a bracket, shows it. */
const halved = (path: string): Fault => ({
  name: 'half of it is missing',
  async begin() {
    const whole = await readFile(path)
    await writeFile(path, whole.subarray(0, whole.length / 2))
    return () => writeFile(path, whole)
  },
})
const showsItsEnd = (file: string): boolean => /json$|gz$/.test(file)
const faultsOf = (file: string): Fault[] => {
  const path = join(baseDir, file)
  return [gone(path), ...(showsItsEnd(file) ? [halved(path)] : [])]
}

/** Every write fails. */
const fullRedis: Fault = {
  name: 'the server has no memory left',
  async begin() {
    const set = async (bytes: number): Promise<void> => {
      const client = new Redis(redis?.url ?? '')
      await client.config('SET', 'maxmemory', bytes).finally(() => client.disconnect())
    }
    await set(1)
    return () => set(0)
  },
}

describe('sources', () => {
  const count = places.length
  suite('static-list, inline', () => sourceChecks({ plugin: staticList, options: { locations: places }, count }))
  // What is compressed is read by the same code once it is unpacked: two stand for all, but in the long form.
  const packed = Object.keys(lists).filter((name) => isLong || name === 'list.csv' || name === 'list.json')
  for (const file of [...Object.keys(lists), ...packed.map((name) => `${name}.gz`)])
    suite(`static-list, ${file}`, () =>
      sourceChecks({ plugin: staticList, options: { file }, count, baseDir, faults: faultsOf(file) }).filter((check) =>
        isWanted(file, check),
      ))
  suite('simulated-db', () =>
    sourceChecks({ plugin: simulatedDb, options: { count: 1_234, pageSize: 100 }, count: 1_234 }))
  suite('simulated-db, with bad rows', () =>
    sourceChecks({
      plugin: simulatedDb,
      options: { count: 1_234, pageSize: 100, duplicateRate: 0.1, invalidRate: 0.1 },
      count: 1_234,
    }))
  suite('examples/plugins/capitals-source.mjs', () =>
    sourceChecks({ plugin: capitals, module: capitalsModule, options: {}, count: 8 }))

  /** simulated-db with something changed; as a module of its own, since some checks load it in another process. */
  async function broken(change: string, check: string): Promise<void> {
    const path = join(baseDir, `broken-${changes++}.mjs`)
    await writeFile(
      path,
      `import { setTimeout as sleep } from 'node:timers/promises'
       import { loadSource } from ${JSON.stringify(pathToFileURL(join(root, 'dist', 'plugins', 'load.js')).href)}
       const good = await loadSource('simulated-db', '.')
       let calls = 0
       export default { ...good, async open(options, context) {
         const source = await good.open(options, context)
         const { attempt, signal } = context
         return { ...source, ${change} }
       } }`,
    )
    const plugin = await loadSource(path, baseDir)
    const checks = sourceChecks({ plugin, module: path, options: { count: 30, pageSize: 10 }, count: 30 })
    await checks.find(({ name }) => name.includes(check))?.run()
  }
  let changes = 0
  const place = '{ city: "x", latitude: 1, longitude: 1 }'

  test.concurrent.each([
    [
      'ignores its checkpoint',
      'read: () => source.read(undefined)',
      'checkpoints',
      /it gave more than its 30|after 10 locations/,
    ],
    [
      'loses a batch when it resumes',
      'read: (from) => source.read(from && String(Number(from) + 10))',
      'killed',
      /deeply equal|deep-equal/,
    ],
    ['remembers in memory where it is', 'read: () => source.read(String(10 * calls++))', 'same order', /30/],
    [
      'never ends',
      `async *read() { for (;;) yield { locations: [${place}], resume: '', position: () => 'x' } }`,
      'all of its locations',
      /does it ever end/,
    ],
    [
      'gives nothing without end',
      "async *read() { for (;;) yield { locations: [], resume: '', position: () => 'x' } }",
      'all of its locations',
      /ever end/,
    ],
    [
      'passes a half of itself for the whole',
      'async *read(from) { try { yield* source.read(from) } catch {} }',
      'fails for good',
      /call 1 failed, and it ended as if it were complete after 0 of 30/,
    ],
    [
      'goes on in spite of an abort',
      "async *read() { for (;;) yield (await sleep(100), { locations: [], resume: '', position: () => 'x' }) }",
      'aborted',
      /ever end|went on/,
    ],
    ['hangs in close', 'close: () => new Promise(() => {})', 'left in the middle', /hangs in `close`/],
    ['miscounts', 'total: 31', 'how many', /31/],
    [
      'yields garbage',
      'async *read() { yield 1 }',
      'all of its locations',
      /broke its contract: it gave 1 instead of a batch/,
    ],
  ])('the suite finds a source that %s', async (_, change, check, message) => {
    await expect(broken(change, check)).rejects.toThrow(message)
  })

  test('without its module, the checks that kill say what they need', async () => {
    const mine = defineSource({ ...simulatedDb, name: 'mine' })
    const check = sourceChecks({ plugin: mine, options: {}, count: 1 }).find(({ name }) => name.includes('killed'))
    await expect(check?.run()).rejects.toThrow(/import\.meta\.resolve/)
  })
})

describe('sinks', () => {
  suite('jsonl', () =>
    sinkChecks({
      plugin: jsonl,
      options: { path: './tasks.jsonl' },
      baseDir,
      arrived: async () =>
        (await readFile(join(baseDir, 'tasks.jsonl'), 'utf8')).split('\n').filter((line) => line !== ''),
      faults: [gone(join(baseDir, 'tasks.jsonl'))],
    }))
  suite('redis-stream', () =>
    sinkChecks({
      plugin: redisStream,
      options: { url: redis?.url ?? 'redis://127.0.0.1:1' },
      arrived: async () => {
        const client = new Redis(redis?.url ?? '')
        try {
          return (await client.xrange('owm-ingestion-stream', '-', '+')).map(([, fields]) => fields[1] ?? '')
        } finally {
          client.disconnect()
        }
      },
      snapshot: () => snapshotOf(redis?.url ?? ''),
      faults: [fullRedis],
    }))
  /** A sink that appends to a file, as it shouldn't. */
  async function broken(body: string, check: string): Promise<void> {
    const path = join(baseDir, `broken-sink-${changes++}.mjs`)
    const taken = `${path}.taken`
    await writeFile(
      path,
      `import { appendFileSync } from 'node:fs'
       import { defineSink, z } from ${JSON.stringify(pathToFileURL(join(root, 'dist', 'index.js')).href)}
       const take = (task) => (appendFileSync(${JSON.stringify(taken)}, task + '\\n'), 'delivered')
       const about = { name: 'broken', description: 'broken', options: z.strictObject({}) }
       export default defineSink({ ...about, open: (_, { signal }) => ({ ${body} }) })`,
    )
    const arrived = async (): Promise<string[]> =>
      (await readFile(taken, 'utf8').catch(() => '')).split('\n').slice(0, -1)
    const checks = sinkChecks({ plugin: await loadSink(path, baseDir), module: path, options: {}, arrived })
    await checks.find(({ name }) => name.includes(check))?.run()
  }
  let changes = 0
  const two = "guarantee: 'at-least-once', takesTwo: true"
  const naive = 'async deliver({ tasks }) { return tasks.map(take) }'

  test.concurrent.each([
    [
      'lies of exactly-once, to itself',
      `guarantee: 'exactly-once', ${naive}`,
      'comes again, from the same',
      /duplicate/,
    ],
    ['lies of exactly-once, across a kill', `guarantee: 'exactly-once', ${naive}`, 'killed', /more than once/],
    [
      'only keeps in memory until it is closed',
      `guarantee: 'at-least-once', held: [], async close() { this.held.map(take) },
       async deliver({ tasks }) { this.held.push(...tasks); return tasks.map(() => 'delivered') }`,
      'killed',
      /tasks are missing/,
    ],
    [
      'says too little',
      "guarantee: 'at-least-once', async deliver({ tasks }) { tasks.map(take); return [] }",
      'byte by byte',
      /3 tasks were given, 0 outcomes came back/,
    ],
    [
      'hangs in close',
      `guarantee: 'at-least-once', ${naive}, close: () => new Promise(() => {})`,
      'before anything',
      /hangs in `close`/,
    ],
    [
      'takes two batches in any order',
      `${two}, deliver: ({ tasks }) => new Promise((done) => setTimeout(() => done(tasks.map(take)), tasks.length))`,
      'takes several',
      /not the beginning of both/,
    ],
    [
      'takes the second of two batches though the first has failed',
      `${two}, before: undefined, deliver({ tasks }) {
         const isSecond = this.before !== undefined
         const work = () => { if (!isSecond) signal.throwIfAborted(); return tasks.map(take) }
         return this.before = Promise.allSettled([this.before]).then(work)
       }`,
      'takes several',
      /not the beginning of both/,
    ],
    [
      'finds what it has not declared',
      `guarantee: 'at-least-once', ${naive}, doctor: async () => [{ code: 'far', verdict: 'fine', found: 'x' }]`,
      'can be examined',
      /`checks` has no far/,
    ],
    ['promises nothing', naive, 'before anything', /broke its contract: its `guarantee` was undefined/],
  ])('the suite finds a sink that %s', async (_, body, check, message) => {
    await expect(broken(body, check)).rejects.toThrow(message)
  })

  /** The suite for a chain in a file, without one of its parts. */
  function chainChecks(name: string, without = ''): Check[] {
    const file = join(baseDir, `${name}.json`)
    const held = async (): Promise<string> => readFile(file, 'utf8').catch(() => '')
    return sinkChecks({
      plugin: chain,
      module: chainModule,
      options: { file, without },
      arrived: async () => {
        const { tasks = [] }: { tasks?: string[] } = JSON.parse((await held()) || '{}')
        return tasks
      },
      snapshot: async () => {
        const before = await held()
        return () => writeFile(file, before)
      },
      faults: [gone(file)],
    })
  }

  suite('a chain in a file', () => chainChecks('chain').filter((check) => isWanted('chain', check)))

  test.concurrent.each([
    ['epochs', 'refuses an older attachment', /superseded/],
    ['places', 'takes batches only of the attachment that placed', /ChangedError was expected/],
    ['no fence before place', 'never placed', /undefined/],
    ['attach moves nothing', 'also after others have attached', /deeply|deep-equal|equal/],
    ['late places refused', 'late place', /SupersededError was expected/],
    ['chain', 'nowhere else', /ChangedError was expected/],
    ['fence', 'comes again, from the same', /duplicate/],
    ['whole receipts', 'takes a receipt only', /ChangedError was expected/],
    ['an id', 'takes an id', /another id when it is opened again/],
    ['epochs in numbers', 'refuses an older attachment', /superseded/],
    ['former fences', 'tells a copy', /deep-equal|deeply/],
    ['attach before place', 'who has not attached', /ChangedError was expected/],
    ['generations', 'who has not attached', /ChangedError was expected/],
    ['newest ids first', 'gives the ids', /deep-equal|deeply/],
    ['old ids', 'gives the ids', /deep-equal|deeply/],
    ['receipts by pipeline', 'keeps a receipt', /slots of the receipts/],
    ['receipts by slot', 'keeps a receipt', /slots of the receipts/],
    ['receipts by shard', 'keeps a receipt', /slots of the receipts/],
    ['newest receipts', 'keeps a receipt', /isn't among the receipts/],
    ['receipts of one pipeline', 'keeps a receipt', /broke its contract: its `receipts` gave one of the pipeline/],
    ['receipts of one slot', 'keeps a receipt', /slots of the receipts/],
    ['texts as they are', 'byte by byte', /deep-equal|deeply/],
  ])('the suite finds a chain without: %s', async (without, check, message) => {
    const checks = chainChecks(`without ${without}`, without)
    await expect(checks.find(({ name }) => name.includes(check))?.run()).rejects.toThrow(message)
  })

  suite('examples/plugins/folder-sink.mjs', () =>
    sinkChecks({
      plugin: folder,
      module: folderModule,
      options: { folder: './tasks' },
      baseDir,
      arrived: async () => {
        const path = join(baseDir, 'tasks')
        const names = (await readdir(path)).sort()
        return Promise.all(names.map((name) => readFile(join(path, name), 'utf8')))
      },
      faults: [gone(join(baseDir, 'tasks'))],
    }).filter((check) => isWanted('folder', check)))
})
