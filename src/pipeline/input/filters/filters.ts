/**
 * Filters the locations of a source; the result is a source again. Pure: the same
 * locations each time, on every machine.
 */
import { hash } from 'node:crypto'
import { inspect } from 'node:util'
import {
  isMalformed,
  type Location,
  type LocationBatch,
  type Logger,
  type Malformed,
  type Source,
} from '../../../plugin.js'
import { exactJson } from '../../../tasks/json/exact.js'
import { type Shard, shardNameIn, withShard } from '../../../tasks/shard.js'
import { type Checked, checked } from '../judge.js'
import type { Given } from '../minimum.js'
import type { BoundedSource, PlacedBatch } from '../pages.js'
import { sampleShare, shardNumber, spreadDigits } from '../spread.js'
import { FieldCheck } from './field-check.js'
import { type Conditions, isInside, matcher } from './where.js'

/** All of them must be met; the shard comes last, so that the shards together are what a single producer takes. */
export interface Filters extends Conditions {
  /** 0..1. */
  readonly sample?: number | undefined
  /** Locations, 1 or more. */
  readonly limit?: number | undefined
  readonly shard?: Shard | undefined
}

/** What was left out since the current reading began. */
export interface FilterCounts {
  leftOut: number
  /** Nothing after the limit was read. */
  limitReached: boolean
  /** What passed the filters, before the shard was taken. */
  given: Given
}

export const zeroCounts = (): FilterCounts => ({
  leftOut: 0,
  limitReached: false,
  given: { read: 0, usable: 0, leftOut: 0 },
})

interface FilterContext {
  readonly counts: FilterCounts
  readonly log: Logger
}

/** A source that yields only what passes the filters; batches may be empty, as they move the checkpoint. */
export function filtered(source: BoundedSource, filters: Filters, context: FilterContext): Source {
  return {
    async *read(resume): AsyncGenerator<PlacedBatch> {
      const filter = new Filter(filters, context, resume)
      if (filter.isFull) return
      for await (const page of source.read(filter.inner, filter.read)) {
        const taken = filter.take(page)
        filter.check?.judge(false)
        yield taken
        if (filter.isFull) return
      }
      filter.check?.judge(true)
    },
    ...(source.doctor && { doctor: source.doctor.bind(source) }),
    close: async () => source.close?.(),
  }
}

/** The state of the filters during one reading. */
class Filter {
  /** The source's own checkpoint to read from. */
  readonly inner: string | undefined
  /** Undefined when a reading is continued: its beginning has been checked. */
  readonly check: FieldCheck | undefined
  readonly #filters: Filters
  readonly #context: FilterContext
  readonly #matches: (location: Location) => boolean
  /** The number of locations read. */
  read: number
  /** Those that passed the filters, which the limit counts. */
  #through: number
  /** Those of them in this shard. */
  #taken: number

  constructor(filters: Filters, context: FilterContext, resume: string | undefined) {
    this.#filters = filters
    this.#context = context
    this.#matches = matcher(filters.fields)
    const [, read = '0', through = '0', taken = '0', inner] = /^(\d+) (\d+) (\d+) (.*)$/s.exec(resume ?? '') ?? []
    this.read = Number(read)
    this.#through = Number(through)
    this.#taken = Number(taken)
    this.inner = inner
    // One start may read several runs: each has counts of its own.
    Object.assign(context.counts, zeroCounts())
    this.check = resume === undefined ? new FieldCheck(filters.fields, 'source.where', context.log) : undefined
    this.#count()
  }

  /** Whether the limit is reached. */
  get isFull(): boolean {
    return this.#through >= (this.#filters.limit ?? Number.POSITIVE_INFINITY)
  }

  take(page: LocationBatch): PlacedBatch {
    const kept: { location: Location | Malformed; place: Checked; index: number }[] = []
    for (const [index, location] of page.locations.entries()) {
      if (this.isFull) break
      this.read++
      const place = this.#lets(location)
      if (place !== undefined) kept.push({ location, place, index })
    }
    this.#count()
    return {
      locations: kept.map(({ location }) => location),
      places: kept.map(({ place }) => place),
      resume: `${this.read} ${this.#through} ${this.#taken} ${page.resume}`,
      position: (index, field) => page.position(kept[index]?.index ?? 0, field),
    }
  }

  /** The checked location if it is taken; undefined if it is left out. */
  #lets(location: Location | Malformed): Checked | undefined {
    const { shard } = this.#filters
    if (!isMalformed(location)) this.check?.note(location)
    const looked = throughFilters(location, this.#filters, this.#matches)
    if (looked.by !== undefined) return this.#leaveOut()
    const { place, digits, isPlace } = looked
    this.#through++
    const { given } = this.#context.counts
    given.read++
    if (isPlace) given.usable++
    if (shard && shardNumber(digits) % shard.count !== shard.index) return undefined
    this.#taken++
    return place
  }

  #leaveOut(): undefined {
    const { given } = this.#context.counts
    given.leftOut = (given.leftOut ?? 0) + 1
  }

  #count(): void {
    this.#context.counts.leftOut = this.read - this.#taken
    this.#context.counts.limitReached = this.isFull
  }
}

/** The filter that leaves a location out; or the checked location, and the digits that decide its shard. */
type Looked =
  | { readonly by: 'where' | 'bbox' | 'sample' }
  | { readonly by?: undefined; readonly place: Checked; readonly digits: string; readonly isPlace: boolean }

/** Applies the filters to a location, except for the limit and the shard, which come last. */
export function throughFilters(
  location: Location | Malformed,
  { fields, bbox, sample, shard }: Filters,
  matches = matcher(fields),
): Looked {
  if (!isMalformed(location) && !matches(location)) return { by: 'where' }
  const place = checked(location)
  // An unreadable location can't be filtered: it passes, and is rejected.
  const isPlace = !('reason' in place)
  if (bbox && isPlace && !isInside(place, bbox)) return { by: 'bbox' }
  const digits = sample === undefined && !shard ? '' : identityOf(location, place)
  // Other digits than the shard's: a sample is spread evenly over the shards.
  if (sample !== undefined && sampleShare(digits) >= sample) return { by: 'sample' }
  return { place, digits, isPlace }
}

/**
 * Hexadecimal digits, evenly spread, the same for all spellings of a location that make the same task. For what can't
 * be a task they come from its content, so that one shard has it, and rejects it.
 */
function identityOf(location: Location | Malformed, place: Checked): string {
  if (isMalformed(location)) return hash('sha1', location.value, 'hex')
  return 'reason' in place ? hash('sha1', inspect(location, { depth: 5 }), 'hex') : spreadDigits(place.key)
}

/** Identifies what a checkpoint belongs to. */
export function sourceDigest(use: string, options: unknown, filters: Filters | undefined): string {
  const digest = hash('sha1', exactJson(filters ? [use, options, filters] : [use, options]) ?? '', 'hex')
  return withShard(digest, filters?.shard)
}

/**
 * A run's shard, as `i/n` ('' for the whole), if this producer reads another
 * shard. Undefined if this one reads at least as much.
 */
export function otherShard(runDigest: string, digest: string): string | undefined {
  const [own, other] = [shardNameIn(digest), shardNameIn(runDigest)]
  return own === '' || own === other ? undefined : other
}
