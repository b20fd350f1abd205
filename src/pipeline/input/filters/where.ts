/** Which locations meet a condition. Pure: the same ones on every machine. */
import type { Location } from '../../../plugin.js'
import { ExactNumber } from '../../../tasks/json/exact.js'
import { HexBytes } from '../../../tasks/json/hex.js'
import { numberIn, type Place } from '../../../tasks/place.js'

/** Values as text; a missing field has ''. */
export type Values = readonly string[]

/** What a field must be; all tests that are given must hold. */
export interface Test {
  /** Bounds, as doubles. Only finite numbers, and plain decimals as text, can be within them. */
  readonly gte?: number | undefined
  readonly gt?: number | undefined
  readonly lte?: number | undefined
  readonly lt?: number | undefined
  readonly in?: Values | undefined
  /** The exact opposite of `in` with these values. */
  readonly not?: Values | undefined
  /** Whether there is a value; null and '' are none. */
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

/** The value of a field. `constructor` and the like, which each object inherits, are fields only where given. */
export const fieldOf = (location: Location, field: string): unknown =>
  field in Object.prototype && !Object.hasOwn(location, field) ? undefined : location[field]

/** Whether a location's fields meet their conditions. */
export function matcher(where: Where): (location: Location) => boolean {
  const tests = Object.entries(where).map(([field, wanted]) => ({ field, meets: meeting(wanted) }))
  return (location) => tests.every(({ field, meets }) => meets(fieldOf(location, field)))
}

/** Whether a location meets all conditions. */
export function meetingAll({ fields, bbox }: Conditions): (location: Location, place: Place) => boolean {
  const meets = matcher(fields)
  return (location, place) => meets(location) && (!bbox || isInside(place, bbox))
}

/** Returns the test of a field's value; a missing field has undefined or null. */
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

/** Whether bytes can meet the condition: they are compared as hex digits. */
export function fitsBytes(wanted: Values | Test): boolean {
  const { in: allowed = [], not = [] } = testOf(wanted)
  return !isBounded(wanted) && [...allowed, ...not].every((value) => /^([0-9a-f]{2})*$/.test(value))
}

/** Whether only some values are allowed. */
export const isListed = (wanted: Values | Test): boolean => testOf(wanted).in !== undefined

/** Whether some values are refused; '' is none. */
export const isRefusing = (wanted: Values | Test): boolean => testOf(wanted).not?.some((value) => value !== '') ?? false

/** Whether a value is a list or an object, which equals no text. */
export const isCompound = (value: unknown): boolean => textOf(value) === undefined

const testOf = (wanted: Values | Test): Test => ('length' in wanted ? { in: wanted } : wanted)

/** Undefined for lists and objects. */
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
