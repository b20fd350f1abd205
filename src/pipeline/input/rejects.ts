/** Rejected locations by their reasons: how many, and an example of each. */

import { inspect } from 'node:util'
import { isMalformed, type Location, type LocationBatch } from '../../plugin.js'
import { exactJson } from '../../tasks/json/exact.js'
import { placeOf } from '../../tasks/place.js'

/** What `owm produce --json` says of the commonest reasons. */
export interface RejectedFor {
  reason: string
  count: number
  /** The first location that was rejected so. */
  position: string
  value: string
}

/** Locations that are the same place as one before them, although their records differ. */
export interface Merged {
  count: number
  /** The first of them. */
  position: string
  /** The task's keys whose values differ there, and the values of the two; empty where they aren't known. */
  keys: readonly string[]
  values: readonly [before: string, here: string]
}

/** Reasons that are told apart; more than these are counted together. */
const mostReasons = 100

/** Characters of an example. */
const shown = 120

export class Rejects {
  /** Those of them whose id the slot has given to another place. */
  conflicts = 0
  /** Undefined where there was none. */
  merged: Merged | undefined
  readonly #byKind = new Map<string, RejectedFor>()

  /**
   * @param of the reason without what differs from record to record
   * @param times how many of them there are
   */
  add(
    { reason, position, value }: Pick<RejectedFor, 'reason' | 'position' | 'value'>,
    of = kindOf(reason),
    times = 1,
  ): void {
    const kind = this.#byKind.has(of) || this.#byKind.size < mostReasons ? of : 'others'
    const known = this.#byKind.get(kind)
    if (known) known.count += times
    else this.#byKind.set(kind, { reason, count: times, position, value: excerpt(value) })
  }

  merge(found: Omit<Merged, 'count'>): void {
    if (this.merged) this.merged.count++
    else this.merged = { ...found, count: 1 }
  }

  /** Those of another one, too. */
  include(other: Rejects): void {
    for (const [kind, found] of other.#byKind) this.add(found, kind, found.count)
  }

  get count(): number {
    return [...this.#byKind.values()].reduce((sum, { count }) => sum + count, 0)
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

/** What of a page can't be a task. */
export function rejectsIn(page: LocationBatch): Rejects {
  const rejects = new Rejects()
  for (const [index, location] of page.locations.entries()) {
    const made = isMalformed(location) ? location : placeOf(location)
    if ('reason' in made)
      rejects.add({
        reason: made.reason,
        value: isMalformed(location) ? location.value : wordsOf(location),
        position: page.position(index, made.field),
      })
  }
  return rejects
}

/** A plugin may give what JSON can't hold: that must not keep the record from being set aside. */
export function wordsOf(location: Location): string {
  try {
    return exactJson(location) ?? ''
  } catch {
    return inspect(location, { depth: 2, breakLength: Number.POSITIVE_INFINITY })
  }
}

/** A reason without what differs from record to record. */
const kindOf = (reason: string): string => reason.replace(/"(?:[^"\\]|\\.)*"|\d+(\.\d+)?/g, '…').slice(0, 300)

const excerpt = (value: string): string => (value.length > shown ? `${value.slice(0, shown)}…` : value)
