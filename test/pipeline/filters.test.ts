import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigurationError } from '../../src/errors/index.js'
import { type FilterCounts, type Filters, filtered, zeroCounts } from '../../src/pipeline/input/filters/filters.js'
import { bounded } from '../../src/pipeline/input/pages.js'
import { type Location, type LocationBatch, Malformed, type Source } from '../../src/plugin.js'
import { taskMaker } from '../../src/tasks/encode.js'
import { taskIdOf } from '../../src/tasks/id.js'

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
  /** The position of each one in the source. */
  positions: number[]
  batches: LocationBatch[]
  counts: FilterCounts
  warnings: object[]
}

async function read(source: Source, filters: Partial<Filters>, { resume }: { resume?: string } = {}): Promise<Read> {
  const found: Read = {
    records: [],
    positions: [],
    batches: [],
    counts: zeroCounts(),
    warnings: [],
  }
  const quiet = {
    debug: () => undefined,
    info: () => undefined,
    error: () => undefined,
    warn: (fields: object) => void found.warnings.push(fields),
  }
  for await (const batch of filtered(source, { fields: {}, ...filters }, { counts: found.counts, log: quiet }).read(
    resume,
  )) {
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
/** Lists for filters by city. One in which no location has a city is refused, which isn't tested here. */
const listWithCities = fc
  .array(place, { maxLength: 60 })
  .map((rest): Entry[] => [{ latitude: 1, longitude: 3, city: 'B' }, ...rest])
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
            expect(share.counts.leftOut).toBe(records.length - share.records.length)
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
        listWithCities,
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

it('from each checkpoint comes exactly the rest, whatever the filters', async () => {
  await fc.assert(
    fc.asyncProperty(
      listWithCities,
      size,
      fc.record({
        fields: fc.constantFrom<Filters['fields'][]>({}, { city: ['A'] }),
        sample: fc.constantFrom(undefined, 0.7),
        limit: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
        shard: fc.constantFrom(undefined, { index: 1, count: 2 }),
      }),
      async (records, batchSize, filters) => {
        const { batches, positions, counts } = await read(sourceOf(records, batchSize), filters)
        let before = 0
        for (const { locations, resume } of batches) {
          before += locations.length
          const rest = await read(sourceOf(records, batchSize), filters, { resume })
          expect(rest.positions).toEqual(positions.slice(before))
          expect(rest.counts).toEqual({ ...counts, given: rest.counts.given })
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

  it('lets through what cannot be decided, so that it is rejected', async () => {
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
  it('still moves the checkpoint with every batch', async () => {
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
    const list = bounded(endless, 'list', 1_000)
    await expect(read(list, { fields: { city: ['D'] } })).rejects.toThrow(ConfigurationError)
  })
})
