/**
 * Which locations of a source are taken: a filtered source is a source again,
 * so that nothing behind it knows. Pure: the same locations each time, on every
 * machine.
 */
import { hash } from 'node:crypto'
import { inspect } from 'node:util'
import { endlessSource } from '../errors/index.js'
import { type Location, type LocationBatch, type Logger, Malformed, type Source } from '../plugin.js'
import { taskIdOf, taskMaker } from '../tasks/task.js'

export interface Shard {
  /** 0..count-1. */
  readonly index: number
  readonly count: number
}

/** All of them must be met; the shard comes last, so that the shares together are what a single producer takes. */
export interface Filters {
  /** Field -> the values that it may have, as text; '' is also that of a field which isn't there. */
  readonly fields: Readonly<Record<string, readonly string[]>>
  /** West, south, east, north in degrees. */
  readonly bbox?: readonly [number, number, number, number] | undefined
  /** 0..1. */
  readonly sample?: number | undefined
  /** Locations, 1 or more. */
  readonly limit?: number | undefined
  readonly shard?: Shard | undefined
}

/** What was left out, since the run began. */
export interface Tally {
  leftOut: number
  /** Nothing behind the limit was read. */
  limitReached: boolean
}

export interface FilterContext {
  readonly name: string
  /** More than this, those that are left out included, are taken for a source that never ends. */
  readonly maxLocations: number
  readonly tally: Tally
  readonly log: Logger
}

/** A source that gives only what the filters let through; its batches may be empty, for they move the resume point. */
export function filtered(source: Source, filters: Filters, { name, maxLocations, tally, log }: FilterContext): Source {
  const { limit = Number.POSITIVE_INFINITY } = filters
  const [wanted, ours] = [chooser(filters), filters.shard ? sharer(filters.shard) : () => true]
  return {
    async *read(resume): AsyncGenerator<LocationBatch> {
      // Records read, let through (which the limit counts), taken (of those, in this shard); then the source's own.
      const [, was = '0', had = '0', gave = '0', inner] = /^(\d+) (\d+) (\d+) (.*)$/s.exec(resume ?? '') ?? []
      let [seen, through, taken] = [Number(was), Number(had), Number(gave)]
      const unseen = new Set(resume === undefined ? Object.keys(filters.fields) : [])
      const count = (): void => {
        tally.leftOut = seen - taken
        tally.limitReached = through >= limit
      }
      count()
      if (tally.limitReached) return
      for await (const batch of source.read(inner)) {
        const kept: { location: Location | Malformed; index: number }[] = []
        for (const [index, location] of batch.locations.entries()) {
          if (through >= limit) break
          if (++seen > maxLocations) throw endlessSource(name, maxLocations)
          for (const field of unseen)
            if (!(location instanceof Malformed) && location[field] !== undefined) unseen.delete(field)
          if (!wanted(location)) continue
          through++
          if (!ours(location)) continue
          taken++
          kept.push({ location, index })
        }
        count()
        yield {
          locations: kept.map(({ location }) => location),
          resume: `${seen} ${through} ${taken} ${batch.resume}`,
          position: (index) => batch.position(kept[index]?.index ?? 0),
        }
        if (tally.limitReached) return
      }
      if (seen > 0)
        for (const field of unseen) log.warn({ field: `source.where.${field}` }, 'no location has this field')
    },
    close: async () => source.close?.(),
  }
}

/** No slot: the shares stay the same from run to run. */
const make = taskMaker('shard')

/**
 * Hexadecimal digits, evenly spread, the same for two spellings of a location
 * that would be the same task. What can't be a task has those of its content:
 * it's in one share as well, and quarantined there.
 */
function identityOf(location: Location | Malformed): string {
  const made = location instanceof Malformed ? undefined : make(location)
  if (made && 'payload' in made) return taskIdOf(made.payload)
  return hash('sha1', location instanceof Malformed ? location.value : inspect(location, { depth: 5 }), 'hex')
}

const sharer =
  ({ index, count }: Shard) =>
  (location: Location | Malformed): boolean =>
    Number.parseInt(identityOf(location).slice(0, 8), 16) % count === index

function chooser({ fields, bbox, sample }: Filters): (location: Location | Malformed) => boolean {
  const matches = Object.entries(fields).map(([field, values]) => ({ field, values: new Set(values) }))
  const matched = (location: Location): boolean =>
    matches.every(({ field, values }) => {
      const own = location[field] ?? ''
      return typeof own !== 'object' && values.has(String(own))
    })
  return (location) => {
    // Of what can't be read nobody knows whether it's meant: it goes on, into the quarantine.
    if (!(location instanceof Malformed)) {
      if (!matched(location)) return false
      if (bbox && !isInside(location, bbox) && 'payload' in make(location)) return false
    }
    // Other digits than the shard's: a sample is spread evenly over the shards.
    return sample === undefined || Number.parseInt(identityOf(location).slice(24, 36), 16) / 16 ** 12 < sample
  }
}

function isInside(location: Location, [west, south, east, north]: NonNullable<Filters['bbox']>): boolean {
  const latitude = Number(location['latitude'] ?? location['latitude_deg'])
  const longitude = Number(location['longitude'] ?? location['longitude_deg'])
  const between = (degrees: number): boolean =>
    west <= east ? west <= degrees && degrees <= east : degrees >= west || degrees <= east
  return (
    south <= latitude &&
    latitude <= north &&
    (between(longitude) || (Math.abs(longitude) === 180 && between(-longitude)))
  )
}

/** What a resume point belongs to. The shard stands behind the hash as words: see `otherShare`. */
export function sourceDigest(use: string, options: unknown, filters: Filters | undefined): string {
  const digest = hash('sha1', JSON.stringify(filters ? [use, options, filters] : [use, options]), 'hex')
  return filters?.shard ? `${digest} ${filters.shard.index}/${filters.shard.count}` : digest
}

/**
 * The share, as `i/n` ('' where it's the whole), that a run stands for, where
 * this producer reads another one. Undefined where it reads at least as much.
 */
export function otherShare(runDigest: string, digest: string): string | undefined {
  const [own = '', other = ''] = [digest, runDigest].map((text) => text.split(' ')[1])
  return own === '' || own === other ? undefined : other
}
