/** A simulated database of places, for trying owm, for tests and for benchmarks. */
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { TransientError } from '../../errors/index.js'
import { defineSource, type Location, type LocationBatch } from '../../plugin.js'
import { mix } from './mix.js'
import { placesOf } from './places.js'

const probability = z.number().min(0).max(1).default(0)
/** These options change how the locations arrive, but no location. */
const trouble = { keepsCheckpoint: true }
const options = z.strictObject({
  count: z.number().int().min(0).default(1_000).describe('how many locations there are'),
  pageSize: z.number().int().min(1).max(100_000).default(500).describe('locations that one query gives').meta(trouble),
  seed: z.number().int().min(0).max(0xffffffff).default(1).describe('the same seed gives the same locations'),
  latencyMs: z
    .number()
    .min(0)
    .default(0)
    .describe('how long a query takes')
    .meta({ unit: 'ms', ...trouble }),
  failureRate: probability
    .describe('probability that a query fails, 0 to 1; a failed one is tried again')
    .meta(trouble),
  hangRate: probability
    .describe('probability that a query is never answered, 0 to 1: source.timeoutMs ends it')
    .meta(trouble),
  duplicateRate: probability.describe('probability that a row has the location of an earlier one, 0 to 1'),
  invalidRate: probability.describe('probability that a row is no location, 0 to 1: it is rejected'),
})

export default defineSource({
  name: 'simulated-db',
  description: 'pages of made-up places, clustered as real ones are, the same ones for the same seed',
  options,
  open({ count, pageSize, seed, latencyMs, failureRate, hangRate, duplicateRate, invalidRate }, { signal, attempt }) {
    const place = placesOf(seed)
    let queries = 0
    const chance = (number: number, what: number, rate: number): boolean =>
      rate > 0 && mix(number, seed + what) / 2 ** 32 < rate
    // The first row is valid, so that there is one to repeat.
    const repeats = (number: number): boolean => number > 0 && chance(number, 11, duplicateRate)
    const isInvalid = (number: number): boolean => number > 0 && chance(number, 12, invalidRate)

    function row(number: number): Location {
      if (isInvalid(number)) return { ...place(number), latitude: 90 + ((number % 100) + 1) / 10 }
      let same = number
      while (repeats(same) || isInvalid(same)) same = mix(same, seed + 13) % same
      return place(same)
    }
    const rowOf = duplicateRate > 0 || invalidRate > 0 ? row : place

    async function page(first: number): Promise<Location[]> {
      if (latencyMs > 0) await sleep(latencyMs, undefined, { signal })
      const query = ++queries
      if (mix(seed + first, query) / 2 ** 32 < failureRate)
        throw new TransientError(`The simulated query of locations ${first} to ${first + pageSize} failed.`)
      if (chance(seed + first, 14 + query, hangRate)) await sleep(2 ** 31 - 1, undefined, { signal, ref: false })
      const rows: Location[] = []
      for (let number = first; number < Math.min(count, first + pageSize); number++) rows.push(rowOf(number))
      return rows
    }

    return {
      total: count,
      async *read(resume): AsyncGenerator<LocationBatch> {
        for (let first = resume === undefined ? 0 : Number(resume); first < count; first += pageSize) {
          const locations = await attempt(() => page(first))
          yield { locations, resume: String(first + locations.length), position: (index) => `row ${first + index + 1}` }
        }
      },
    }
  },
})
