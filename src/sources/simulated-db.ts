/** A database of places that doesn't exist: for trying owm, for tests and for benchmarks. */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { TransientError } from '../errors.js'
import { defineSource, type Location, type LocationBatch } from '../plugin.js'

const options = z.strictObject({
  count: z.number().int().min(0).default(1_000).describe('how many locations there are'),
  pageSize: z.number().int().min(1).max(100_000).default(500).describe('locations that one query gives'),
  seed: z.number().int().min(0).max(0xffffffff).default(1).describe('the same seed gives the same locations'),
  latencyMs: z.number().min(0).default(0).describe('how long a query takes, in milliseconds'),
  failureRate: z.number().min(0).max(1).default(0).describe('probability that a query fails, 0 to 1; a failed one is tried again'),
})

export default defineSource({
  name: 'simulated-db',
  description: 'pages of made-up places, the same ones for the same seed',
  options,
  open({ count, pageSize, seed, latencyMs, failureRate }, { signal, attempt }) {
    let queries = 0

    async function page(first: number): Promise<Location[]> {
      if (latencyMs > 0) await sleep(latencyMs, undefined, { signal })
      if (mix(seed + first, ++queries) / 2 ** 32 < failureRate)
        throw new TransientError(`the simulated query of locations ${first} to ${first + pageSize} failed`)
      return Array.from({ length: Math.min(pageSize, count - first) }, (_, index) => place(first + index, seed))
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

/** A place by its number: pure arithmetic, so that any page can be made at once. */
function place(number: number, seed: number): Location {
  return {
    id: number + 1,
    latitude: ((mix(number, seed) % 18_001) - 9_000) / 100,
    longitude: ((mix(number, seed + 1) % 36_001) - 18_000) / 100,
    city: `city-${number + 1}`,
    state: `state-${mix(number, seed + 2) % 50}`,
  }
}

/** Two numbers to 32 evenly spread bits (the finaliser of MurmurHash3, public domain). */
function mix(a: number, b: number): number {
  let h = (Math.imul(a | 0, 0x9e3779b1) ^ Math.imul(b | 0, 0x85ebca6b)) >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
