import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadSink, loadSource } from '../src/load-plugin.js'
import { defineSource } from '../src/plugin.js'
import jsonl from '../src/sinks/jsonl.js'
import redisStream from '../src/sinks/redis-stream.js'
import simulatedDb from '../src/sources/simulated-db.js'
import staticList from '../src/sources/static-list.js'
import { type Check, sinkChecks, sourceChecks } from '../src/testing.js'
import { startRedis, type TestRedis } from './support/redis.js'

// Through the door that a configuration uses.
const examples = join(import.meta.dirname, '..', 'examples', 'plugins')
const capitals = await loadSource('./capitals-source.mjs', examples)
const folder = await loadSink('./folder-sink.mjs', examples)

const places = Array.from({ length: 1_234 }, (_, index) => ({
  id: index + 1,
  city: `place ${index}, "quoted"`,
  state: '',
  latitude: index % 90,
  longitude: index % 180,
}))
const csv = [
  'id,city,state,lat,lon',
  ...places.map(({ id, city, latitude, longitude }) => `${id},"${city.replaceAll('"', '""')}",,${latitude},${longitude}`),
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

/** The folder and the server are only known inside of a test. */
function suite(name: string, checks: () => Check[]): void {
  describe(name, () => {
    for (const [index, { name }] of checks().entries()) test(name, () => checks()[index]?.run())
  })
}

describe('sources', () => {
  const count = places.length
  suite('static-list, inline', () => sourceChecks({ plugin: staticList, options: { locations: places }, count }))
  for (const file of Object.keys(lists).flatMap((name) => [name, `${name}.gz`]))
    suite(`static-list, ${file}`, () => sourceChecks({ plugin: staticList, options: { file }, count, baseDir }))
  suite('simulated-db', () => sourceChecks({ plugin: simulatedDb, options: { count: 1_234, pageSize: 100 }, count: 1_234 }))
  suite('simulated-db, with bad rows', () =>
    sourceChecks({ plugin: simulatedDb, options: { count: 1_234, pageSize: 100, duplicateRate: 0.1, invalidRate: 0.1 }, count: 1_234 }))
  suite('examples/plugins/capitals-source.mjs', () => sourceChecks({ plugin: capitals, options: {}, count: 8 }))

  test('the suite finds a source that ignores its resume point', async () => {
    const forgetful = defineSource({
      ...simulatedDb,
      async open(options, context) {
        const source = await simulatedDb.open(options, context)
        return { read: () => source.read(undefined) }
      },
    })
    const checks = sourceChecks({ plugin: forgetful, options: { count: 30, pageSize: 10 }, count: 30 })
    await expect(checks.find(({ name }) => name.includes('resume points'))?.run()).rejects.toThrow('after 10 locations')
  })
})

describe('sinks', () => {
  suite('jsonl', () =>
    sinkChecks({
      plugin: jsonl,
      options: { path: './tasks.jsonl' },
      baseDir,
      arrived: async () => (await readFile(join(baseDir, 'tasks.jsonl'), 'utf8')).split('\n').filter((line) => line !== ''),
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
    }))
  suite('examples/plugins/folder-sink.mjs', () =>
    sinkChecks({
      plugin: folder,
      options: { folder: './tasks' },
      baseDir,
      arrived: async () => {
        const path = join(baseDir, 'tasks')
        const names = (await readdir(path)).sort()
        return Promise.all(names.map((name) => readFile(join(path, name), 'utf8')))
      },
    }))
})
