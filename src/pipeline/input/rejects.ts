/** Rejected locations by their reasons: how many, and an example of each. */
import { sumOf } from '../../lists.js'
import type { LocationBatch } from '../../plugin.js'
import { clipped } from '../../words.js'
import { checkedIn, rejectionOf, type Told } from './judge.js'

/** One of the commonest reasons in `owm produce --json`. */
export interface RejectedFor {
  reason: string
  count: number
  /** Of the first location that was rejected for it. */
  position: string
  value: string
}

/** Locations that are the same place as an earlier one although their records differ. */
export interface Merged {
  count: number
  /** Of the first of them. */
  position: string
  /** The keys whose values differ there, and both values of the first key; empty if they aren't known. */
  keys: readonly string[]
  values: readonly [before: string, here: string]
}

/** The most reasons that are counted separately; the rest are counted together. */
const mostReasons = 100

/** The most characters of an example. */
const exampleLength = 120

export class Rejects {
  /** The number of those whose id belongs to another place in the slot. */
  conflicts = 0
  /** Undefined if there was none. */
  merged: Merged | undefined
  readonly #byKind = new Map<string, RejectedFor>()

  /**
   * @param of the reason without what differs from record to record
   * @param times how many there are
   */
  add({ reason, position, value }: Told, of = kindOf(reason), times = 1): void {
    const kind = this.#byKind.has(of) || this.#byKind.size < mostReasons ? of : 'others'
    const known = this.#byKind.get(kind)
    if (known) known.count += times
    else this.#byKind.set(kind, { reason, count: times, position, value: clipped(value, exampleLength) })
  }

  merge(found: Omit<Merged, 'count'>): void {
    if (this.merged) this.merged.count++
    else this.merged = { ...found, count: 1 }
  }

  /** Adds the rejects of another one. */
  include(other: Rejects): void {
    for (const [kind, found] of other.#byKind) this.add(found, kind, found.count)
  }

  get count(): number {
    return sumOf([...this.#byKind.values()], ({ count }) => count)
  }

  /** The commonest reasons. */
  inWords(): string {
    return this.commonest(3)
      .map(({ reason, count, position }) => `${reason} (${count}, first ${position})`)
      .join('; ')
  }

  commonest(most = 5): RejectedFor[] {
    return [...this.#byKind.values()].toSorted((a, b) => b.count - a.count).slice(0, most)
  }
}

/** The locations of a page that can't be tasks. */
export function rejectsIn(page: LocationBatch): Rejects {
  const rejects = new Rejects()
  for (const index of page.locations.keys()) {
    const place = checkedIn(page, index)
    if ('reason' in place) rejects.add(rejectionOf(page, index, place))
  }
  return rejects
}

/** A reason without what differs from record to record. */
const kindOf = (reason: string): string => reason.replace(/"(?:[^"\\]|\\.)*"|\d+(\.\d+)?/g, '…').slice(0, 300)
