/** How many locations a list must give before any of them is delivered, and what is wrong with one that gives fewer. */
import { InputRejectedError, type OwmError } from '../../errors/index.js'
import type { LocationBatch } from '../../plugin.js'
import { count, plural } from '../../words.js'
import type { SourceDeps } from '../parts.js'
import { Rejects, rejectsIn } from './rejects.js'

/** What a source has given, before a shard is taken of it. */
export interface Given {
  /** Locations, those that were rejected included. */
  read: number
  /** Those that can be tasks. */
  usable: number
  /** Locations that `where` and other filters left out, before. */
  leftOut?: number
}

export interface Minimum {
  readonly locations: number
  /** Why it isn't `source.minLocations` itself. */
  readonly share: { readonly of: number; readonly share: number } | undefined
}

/** @param last what the last run gave that was delivered; undefined where none can be compared */
export function minimumOf({ minLocations = 0, minShare }: SourceDeps, last: number | undefined): Minimum {
  const least = minShare === undefined || last === undefined ? 0 : Math.ceil(minShare * last)
  const share = least > minLocations ? { of: last ?? 0, share: minShare ?? 0 } : undefined
  return { locations: Math.max(least, minLocations), share }
}

/**
 * Undefined where the list gave enough.
 *
 * @param inOutbox whether what is rejected is stored
 */
export function tooFew(
  name: string,
  given: Given,
  minimum: Minimum,
  rejects: Rejects,
  inOutbox = true,
): OwmError | undefined {
  const { read, usable, leftOut = 0 } = given
  if (read > 0 && usable === 0)
    return new InputRejectedError(
      `None of the ${read} locations of the source ${name} can be used: ${whyOf(rejects)}`,
      {
        hint:
          'Correct the list, or the options that its reasons name' +
          (inOutbox ? '; `owm outbox inspect --state rejected` shows all.' : '.'),
      },
    )
  if (usable >= minimum.locations) return undefined
  const { share } = minimum
  const [wanted, key] = share
    ? [`${count(minimum.locations)} (${share.share} of the ${count(share.of)} of the last run)`, 'source.minShare']
    : [count(minimum.locations), 'source.minLocations']
  return new InputRejectedError(
    `The source ${name} gave ${plural(usable, 'location')} that can be used, not ${wanted}: ` +
      `nothing of this run is delivered${leftOut > 0 ? ` (filters left out ${count(leftOut)})` : ''}.`,
    { hint: `Correct the list; if it is right, lower ${key}.` },
  )
}

function whyOf(rejects: Rejects): string {
  return rejects.count === 0 ? 'see their reasons.' : `${rejects.inWords()}.`
}

/** What is told of a list that gave nothing; undefined of any other. */
export function nothingGiven(name: string, { read, leftOut = 0 }: Given): string | undefined {
  if (read > 0) return undefined
  const why = leftOut > 0 ? `: filters left out all ${leftOut} (source.where and the like)` : ''
  return `the source ${name} gave no location${why}`
}

/**
 * What of a first page is rejected, in words. Throws InputRejectedError where nothing can be used.
 *
 * @param page undefined where there is none
 */
export function judgePage(source: SourceDeps, page: LocationBatch | undefined): string {
  const { name } = source
  const rejects = page ? rejectsIn(page) : new Rejects()
  if (!page) {
    const error = tooFew(name, { read: 0, usable: 0 }, minimumOf(source, undefined), rejects, false)
    if (error) throw error
    return ''
  }
  const read = page.locations.length
  const error = tooFew(name, { read, usable: read - rejects.count }, { locations: 0, share: undefined }, rejects, false)
  if (error) throw error
  return rejects
    .commonest()
    .map(({ reason, count, position }) => `; ${count} rejected: ${reason} (${position})`)
    .join('')
}
