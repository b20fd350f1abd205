/** The minimum of locations that a list must have before any is delivered, and the errors of a list with fewer. */
import { InputRejectedError, type OwmError } from '../../errors/index.js'
import type { RunRow } from '../../outbox/outbox.js'
import type { LocationBatch } from '../../plugin.js'
import { count, plural } from '../../words.js'
import type { SourceDeps } from '../parts.js'
import { Rejects, rejectsIn } from './rejects.js'

/** What a source has given, before a shard is taken. */
export interface Given {
  /** Locations, including rejected ones. */
  read: number
  /** Locations that can be tasks. */
  usable: number
  /** Locations that `where` and other filters left out before. */
  leftOut?: number
}

export interface Minimum {
  /** For the whole list, before a shard is taken. */
  readonly locations: number
  /** For what the run itself reads: `least` is a share of what the last one read, which was the same shard. */
  readonly share?: { readonly least: number; readonly of: number; readonly share: number } | undefined
}

/** @param last the last run that was delivered; undefined if there is none to compare with */
export function minimumOf(
  { minLocations = 0, minShare }: SourceDeps,
  last: Pick<RunRow, 'read' | 'rejected'> | undefined,
): Minimum {
  if (minShare === undefined || !last) return { locations: minLocations }
  const of = last.read - last.rejected
  return { locations: minLocations, share: { least: Math.ceil(minShare * of), of, share: minShare } }
}

/** The minimum that isn't reached; the greater one if neither is. */
function lackIn(given: Given, own: Given, { locations, share }: Minimum): 'minShare' | 'minLocations' | undefined {
  const isFew = given.usable < locations
  if (share && own.usable < share.least && (!isFew || share.least > locations)) return 'minShare'
  return isFew ? 'minLocations' : undefined
}

export const isEnough = (given: Given, own: Given, minimum: Minimum): boolean =>
  lackIn(given, own, minimum) === undefined

/**
 * The error of a list that gave too little; undefined if it gave enough.
 *
 * @param own what the run itself has read: with a shard, a part of it
 * @param inOutbox whether rejected locations are stored
 */
export function tooFew(
  name: string,
  { given, own = given }: { given: Given; own?: Given },
  minimum: Minimum,
  rejects: Rejects,
  inOutbox: boolean,
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
  const lack = lackIn(given, own, minimum)
  if (lack === undefined) return undefined
  const { locations, share } = minimum
  const [gave, wanted] =
    lack === 'minShare' && share
      ? [own.usable, `${count(share.least)} (${share.share} of the ${count(share.of)} of the last run)`]
      : [usable, count(locations)]
  return new InputRejectedError(
    `The source ${name} gave ${plural(gave, 'location')} that can be used, not ${wanted}: ` +
      `nothing of this run is delivered${leftOut > 0 ? ` (filters left out ${count(leftOut)})` : ''}.`,
    { hint: `Correct the list; if it is right, lower source.${lack}.` },
  )
}

function whyOf(rejects: Rejects): string {
  return rejects.count === 0 ? 'see their reasons.' : `${rejects.inWords()}.`
}

/** A sentence about a list that gave nothing; undefined for other lists. */
export function nothingGiven(name: string, { read, leftOut = 0 }: Given): string | undefined {
  if (read > 0) return undefined
  const why = leftOut > 0 ? `: filters left out all ${leftOut} (source.where and the like)` : ''
  return `the source ${name} gave no location${why}`
}

/**
 * The rejected locations of a first page, in words. Throws InputRejectedError if none can be used.
 *
 * @param page undefined if there is none
 */
export function judgePage(source: SourceDeps, page: LocationBatch | undefined): string {
  const rejects = page ? rejectsIn(page) : new Rejects()
  const read = page?.locations.length ?? 0
  // One page says nothing about the total.
  const minimum = page ? { locations: 0 } : minimumOf(source, undefined)
  const error = tooFew(source.name, { given: { read, usable: read - rejects.count } }, minimum, rejects, false)
  if (error) throw error
  return rejects
    .commonest()
    .map(({ reason, count, position }) => `; ${count} rejected: ${reason} (${position})`)
    .join('')
}
