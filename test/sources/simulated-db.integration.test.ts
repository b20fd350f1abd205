/**
 * simulated-db: the same places for the same seed, by pages of any size; like real ones in names and clusters; faults
 * as often as they are asked for.
 */
import { describe, expect, test } from 'vitest'
import type { ProduceResult } from '../../src/commands/produce.js'
import { TransientError } from '../../src/errors/index.js'
import simulatedDb from '../../src/sources/simulated-db/index.js'
import { taskMaker } from '../../src/tasks/encode.js'
import { taskIdOf } from '../../src/tasks/id.js'
import { folderWith, owm, owmJson } from '../support/cli.js'

interface Place {
  id: number
  latitude: number
  longitude: number
  city: string
  state: string
  country: string
}

async function places(
  options: Record<string, unknown>,
  attempt: <T>(work: () => Promise<T>) => Promise<T> = (work) => work(),
): Promise<Place[]> {
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const source = await simulatedDb.open(simulatedDb.options.parse(options), {
    signal: new AbortController().signal,
    attempt,
    log,
    baseDir: '/',
  })
  const found: Place[] = []
  for await (const { locations } of source.read(undefined)) {
    const page: Place[] = JSON.parse(JSON.stringify(locations))
    found.push(...page)
  }
  return found
}

const shares = (keys: readonly string[]): number[] => {
  const counts = new Map<string, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return [...counts.values()].sort((a, b) => b - a).map((count) => count / keys.length)
}

test('a seed and a number make a place, whatever the page', async () => {
  const first = await places({ count: 3_000, pageSize: 1 })
  expect(await places({ count: 3_000, pageSize: 777 })).toEqual(first)
  expect((await places({ count: 5_000 })).slice(0, 3_000)).toEqual(first)
  expect(await places({ count: 3_000, seed: 2 })).not.toEqual(first)
})

describe.each([1, 2, 0xffffffff])('seed %i', (seed) => {
  test('places are good ones, and lie like real ones: clustered, few large countries, few large towns', async () => {
    const count = 100_000
    const found = await places({ count, seed, pageSize: 10_000 })
    const make = taskMaker('2026-11-23T10:00:00Z')
    const ids = found.map((place) => {
      const made = make({ ...place })
      return typeof made === 'string' ? taskIdOf(made) : made.reason
    })
    expect(new Set(ids).size).toBe(count)
    expect(ids.filter((id) => !/^[0-9a-f-]{36}$/.test(id))).toEqual([])
    expect(new Set(found.map(({ city }) => city)).size).toBeGreaterThan(10_000)
    expect(
      found.filter(
        ({ city, state, country }) =>
          /undefined|NaN|[_-]$|^$/.test(city) || /undefined/.test(state) || !/^[A-Z]{2}$/.test(country),
      ),
    ).toEqual([])

    const ofCountries = shares(found.map(({ country }) => country))
    expect(ofCountries.length).toBeGreaterThan(15)
    expect(ofCountries[0]).toBeGreaterThan(5 * (ofCountries[10] ?? 1))
    // Even ones would fill 64,800 cells of a degree; half of these fill a few dozen.
    const ofCells = shares(found.map(({ latitude, longitude }) => `${Math.floor(latitude)} ${Math.floor(longitude)}`))
    expect(ofCells.slice(0, 100).reduce((sum, share) => sum + share, 0)).toBeGreaterThan(0.5)
    expect(ofCells.length).toBeGreaterThan(500)
  })
})

describe('faults by probability', () => {
  test('duplicates and rows that are none are rejected, as many as there are', async () => {
    const options = { count: 20_000, duplicateRate: 0.05, invalidRate: 0.02 }
    const rows = await places(options)
    const invalid = rows.filter(({ latitude }) => latitude > 90)
    const good = rows.filter(({ latitude }) => latitude <= 90)
    const duplicates = good.length - new Set(good.map(({ id }) => id)).size
    expect(invalid.length / rows.length).toBeCloseTo(0.02, 2)
    expect(duplicates / rows.length).toBeCloseTo(0.05, 2)
    const cwd = await folderWith({
      source: { use: 'simulated-db', ...options },
      sink: { use: 'jsonl', path: 'tasks.jsonl' },
      outbox: { path: 'outbox.db' },
    })
    const { code, json } = await owmJson<ProduceResult>(['produce'], { cwd })
    expect({ code, source: json.source }).toMatchObject({
      code: 0,
      source: { read: 20_000, rejected: invalid.length, duplicates },
    })
  })

  test('queries that fail are tried again: every place once', async () => {
    let failed = 0
    const attempt = async <T>(work: () => Promise<T>): Promise<T> => {
      for (;;)
        try {
          return await work()
        } catch (error) {
          expect(error).toBeInstanceOf(TransientError)
          failed++
        }
    }
    const found = await places({ count: 10_000, pageSize: 20, failureRate: 0.3 }, attempt)
    expect(found.map(({ id }) => id)).toEqual(Array.from({ length: 10_000 }, (_, index) => index + 1))
    expect(failed / (failed + 500)).toBeCloseTo(0.3, 1)
  })

  test.each([['produce'], ['produce', '--dry-run'], ['plan'], ['doctor'], ['config', 'check', '--connect']])(
    'a query that is never answered: the time-out ends it, exit 75: %s %s',
    async (...args) => {
      const cwd = await folderWith({
        source: { use: 'simulated-db', count: 100, pageSize: 10, hangRate: 1, timeoutMs: 300 },
        sink: { use: 'jsonl', path: 'tasks.jsonl' },
        outbox: { path: 'outbox.db' },
        schedule: { cron: '0 * * * *' },
      })
      const { code, stdout, stderr } = await owm(args, { cwd })
      expect(code).toBe(75)
      expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toContain('The source simulated-db gave nothing for 0.3 s.')
    },
  )
})
