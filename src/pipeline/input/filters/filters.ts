/**
 * Which locations of a source are taken: a filtered source is a source again,
 * so that nothing behind it knows. Pure: the same locations each time, on every
 * machine.
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
import { shardNameIn, withShard } from '../../../tasks/slot.js'
import { type Checked, checked } from '../judge.js'
import type { Given } from '../minimum.js'
import type { BoundedSource, PlacedBatch } from '../pages.js'
import { sampleShare, shardNumber, spreadDigits } from '../spread.js'
import { FieldCheck } from './field-check.js'
import { type Conditions, isInside, matcher } from './where.js'

export interface ChosenShard {
  /** 0..count-1. */
  readonly index: number
  readonly count: number
}

/** All of them must be met; the shard comes last, so that the shards together are what a single producer takes. */
export interface Filters extends Conditions {
  /** 0..1. */
  readonly sample?: number | undefined
  /** Locations, 1 or more. */
  readonly limit?: number | undefined
  readonly shard?: ChosenShard | undefined
}

/** What was left out, since the last reading began. */
export interface FilterCounts {
  leftOut: number
  /** Nothing behind the limit was read. */
  limitReached: boolean
  /** What the filters let through, before the shard takes its part. */
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

/** A source that gives only what the filters let through; its batches may be empty, for they move the checkpoint. */
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

/** The filters on their way through a source. */
class Filter {
  /** The source's own checkpoint, from which it is to be read. */
  readonly inner: string | undefined
  /** Undefined where the source is read on: who read its beginning has judged. */
  readonly check: FieldCheck | undefined
  readonly #filters: Filters
  readonly #context: FilterContext
  readonly #matches: (location: Location) => boolean
  /** Locations that were read. */
  read: number
  /** Those that were let through, which the limit counts. */
  #through: number
  /** Of those, the ones in this shard. */
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
    // One start may read several runs: each is judged by itself.
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

  /** The location, checked, where it is taken; undefined where it is left out. */
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

/** Which filter leaves a location out; or what it is, and the digits that say in which shard. */
type Looked =
  | { readonly by: 'where' | 'bbox' | 'sample' }
  | { readonly by?: undefined; readonly place: Checked; readonly digits: string; readonly isPlace: boolean }

/** What the filters make of a location, but for the limit and the shard, which come last. */
export function throughFilters(
  location: Location | Malformed,
  { fields, bbox, sample, shard }: Filters,
  matches = matcher(fields),
): Looked {
  if (!isMalformed(location) && !matches(location)) return { by: 'where' }
  const place = checked(location)
  // Of what can't be read nobody knows whether it's meant: it goes on, and is rejected.
  const isPlace = !('reason' in place)
  if (bbox && isPlace && !isInside(place, bbox)) return { by: 'bbox' }
  const digits = sample === undefined && !shard ? '' : identityOf(location, place)
  // Other digits than the shard's: a sample is spread evenly over the shards.
  if (sample !== undefined && sampleShare(digits) >= sample) return { by: 'sample' }
  return { place, digits, isPlace }
}

/**
 * Hexadecimal digits, evenly spread, the same for two spellings of a location that would be the same task. What can't
 * be a task has those of its content: it's in one shard as well, and rejected there.
 */
function identityOf(location: Location | Malformed, place: Checked): string {
  if (isMalformed(location)) return hash('sha1', location.value, 'hex')
  return 'reason' in place ? hash('sha1', inspect(location, { depth: 5 }), 'hex') : spreadDigits(place.key)
}

/** What a checkpoint belongs to. */
export function sourceDigest(use: string, options: unknown, filters: Filters | undefined): string {
  const digest = hash('sha1', exactJson(filters ? [use, options, filters] : [use, options]) ?? '', 'hex')
  return withShard(digest, filters?.shard)
}

/**
 * The shard, as `i/n` ('' where it's the whole), that a run stands for, where
 * this producer reads another one. Undefined where it reads at least as much.
 */
export function otherShard(runDigest: string, digest: string): string | undefined {
  const [own, other] = [shardNameIn(digest), shardNameIn(runDigest)]
  return own === '' || own === other ? undefined : other
}
