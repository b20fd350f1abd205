/** Which locations a condition means. Pure: the same ones on every machine. */
import type { Location } from '../../../plugin.js'
import { ExactNumber } from '../../../tasks/json/exact.js'
import { HexBytes } from '../../../tasks/json/hex.js'
import { numberIn, type Place } from '../../../tasks/place.js'

/** Values as text; '' is also that of a field which isn't there. */
export type Values = readonly string[]

/** What a field must be; all that is given must hold. */
export interface Test {
  /** Bounds, as doubles. What is neither a finite number nor text with a plain decimal in it lies within none. */
  readonly gte?: number | undefined
  readonly gt?: number | undefined
  readonly lte?: number | undefined
  readonly lt?: number | undefined
  readonly in?: Values | undefined
  /** Exactly the locations that `in` with these values doesn't mean. */
  readonly not?: Values | undefined
  /** Whether there is a value: null and '' are none. */
  readonly exists?: boolean | undefined
}

/** Field -> the values that it may have, or what it must be. All must be met. */
export type Where = Readonly<Record<string, Values | Test>>

/** What `where:` says. */
export interface Conditions {
  readonly fields: Where
  readonly bbox?: Box | undefined
}

/** West, south, east, north in degrees; west may be greater than east, across the antimeridian. */
type Box = readonly [number, number, number, number]

/** Whether a location's fields meet their conditions. */
export function matcher(where: Where): (location: Location) => boolean {
  const tests = Object.entries(where).map(([field, wanted]) => ({ field, meets: meeting(wanted) }))
  return (location) => tests.every(({ field, meets }) => meets(location[field]))
}

/** Whether a location meets all conditions. */
export function meetingAll({ fields, bbox }: Conditions): (location: Location, place: Place) => boolean {
  const meets = matcher(fields)
  return (location, place) => meets(location) && (!bbox || isInside(place, bbox))
}

/** Whether a field's value is what is wanted; undefined and null are those of a field that isn't there. */
export function meeting(wanted: Values | Test): (value: unknown) => boolean {
  const test = testOf(wanted)
  const { gte = -Infinity, gt = -Infinity, lte = Infinity, lt = Infinity, exists } = test
  const allowed = test.in && new Set<string | undefined>(test.in)
  const refused = new Set<string | undefined>(test.not)
  const bounded = isBounded(wanted)
  return (value) => {
    const text = textOf(value)
    if (exists !== undefined && exists !== (text !== '')) return false
    if ((allowed && !allowed.has(text)) || refused.has(text)) return false
    if (!bounded) return true
    const number = numberIn(value)
    return number >= gte && number > gt && number <= lte && number < lt
  }
}

/** Whether numbers are compared. */
export function isBounded(wanted: Values | Test): boolean {
  const { gte, gt, lte, lt } = testOf(wanted)
  return [gte, gt, lte, lt].some((bound) => bound !== undefined)
}

/** Whether bytes may be what is wanted: they are compared as their hex digits. */
export function fitsBytes(wanted: Values | Test): boolean {
  const { in: allowed = [], not = [] } = testOf(wanted)
  return !isBounded(wanted) && [...allowed, ...not].every((value) => /^([0-9a-f]{2})*$/.test(value))
}

const testOf = (wanted: Values | Test): Test => ('length' in wanted ? { in: wanted } : wanted)

/** Undefined for an object or a list, which has no text that it could be equal to. */
function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return ''
  return typeof value !== 'object' || value instanceof ExactNumber || value instanceof HexBytes
    ? String(value)
    : undefined
}

export function isInside({ latitude, longitude }: Place, [west, south, east, north]: Box): boolean {
  const between = (degrees: number): boolean =>
    west <= east ? west <= degrees && degrees <= east : degrees >= west || degrees <= east
  return (
    south <= latitude &&
    latitude <= north &&
    (between(longitude) || (Math.abs(longitude) === 180 && between(-longitude)))
  )
}
