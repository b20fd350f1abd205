/** Checks a location of a source and turns it into a place. Pure: no clock, no randomness. */
import type { Location } from '../plugin.js'
import { ExactNumber } from './json/exact.js'
import { HexBytes } from './json/hex.js'
import { mustBeReadable, orRejection, Rejection, shown } from './rejection.js'
import type { Task } from './task.js'

/** The fields of a location that owm itself reads, checked. */
export interface Place {
  /** Degrees, -90..90. */
  readonly latitude: number
  /** Degrees, -180..180. */
  readonly longitude: number
  /** 1..200 characters. */
  readonly city: string
  /** 0..200 characters. */
  readonly state: string
  /** Hours, whole, 0 or more. */
  readonly forecastHours: number
  /** Hours, whole, 0 or more. */
  readonly historicalHours: number
  /** The source's own id; undefined if it has none. A number stays a number in the task. */
  readonly id: string | number | bigint | undefined
  /** The place's identity: its id if it has one, else its coordinates, city and state. */
  readonly key: string
}

export const defaultHours = 72

export const placeOf = (location: Location): Place | Rejection => orRejection(() => checkedPlace(location))

function checkedPlace(location: Location): Place {
  const latitude = degrees(location['latitude'] ?? location['latitude_deg'], 'latitude', 90)
  const longitude = degrees(location['longitude'] ?? location['longitude_deg'], 'longitude', 180)
  const city = text(location['city'], 'city', 1)
  const state = text(location['state'] ?? '', 'state', 0)
  const forecastHours = hours(location['forecast_duration_hours'], 'forecast_duration_hours')
  const historicalHours = hours(location['historical_duration_hours'], 'historical_duration_hours')
  const id = idOf(location['id'])
  const key = id === undefined ? `at\n${latitude}\n${longitude}\n${city}\n${state}` : `id\n${id}`
  return { latitude, longitude, city, state, forecastHours, historicalHours, id, key }
}

/** The value of a number or, for CSV and databases, of a plain decimal as text; else NaN: `''`, `0x10`, `1,5`. */
export function numberIn(value: unknown): number {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint' || value instanceof ExactNumber) return Number(value)
  if (typeof value === 'string' && /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/.test(value)) return Number(value)
  return Number.NaN
}

function degrees(given: unknown, key: string, limit: number): number {
  if (given === undefined || given === null || given === '') throw new Rejection(`${key} is missing`, key)
  mustNotBeBytes(given, key)
  const value = numberIn(given)
  if (!(value >= -limit && value <= limit))
    throw new Rejection(`${key} must be a number of degrees from -${limit} to ${limit}, not ${shown(given)}`, key)
  return value + 0 // -0 becomes 0: the same place has the same id
}

function text(given: unknown, key: string, least: number): string {
  if (given === undefined || given === null) throw new Rejection(`${key} is missing`, key)
  mustNotBeBytes(given, key)
  // In JSON the name of a place called 1770 may be a number.
  const value = isNumber(given) ? String(given) : given
  if (typeof value !== 'string') throw new Rejection(`${key} must be text, not ${shown(value)}`, key)
  mustFit(value, key)
  if (least > 0 && value.trim() === '') throw new Rejection(`${key} is empty`, key)
  mustBeReadable(value, key, key)
  return value
}

/** As hex digits, bytes would be another name or number than the one they spell. */
function mustNotBeBytes(given: unknown, key: string): void {
  if (given instanceof HexBytes)
    throw new Rejection(
      `${key} is bytes: let the query give text, with CAST(… AS CHAR), in SQLite CAST(… AS TEXT), ` +
        "in PostgreSQL convert_from(…, 'UTF8')",
      key,
    )
}

function mustFit(value: string, key: string): void {
  // Workers count characters, not UTF-16 units.
  if (value.length > 200 && (value.length > 400 || [...value].length > 200))
    throw new Rejection(`${key} has more than 200 characters`, key)
}

function hours(given: unknown, key: string): number {
  if (given === undefined || given === null || given === '') return defaultHours
  mustNotBeBytes(given, key)
  const value = numberIn(given)
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Rejection(`${key} must be a whole number of hours, 0 or more, not ${shown(given)}`, key)
  return value
}

const isNumber = (value: unknown): boolean =>
  Number.isFinite(value) || typeof value === 'bigint' || value instanceof ExactNumber

function idOf(value: unknown): string | number | bigint | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (typeof value === 'bigint' || value instanceof ExactNumber) {
    mustFit(String(value), 'id')
    return typeof value === 'bigint' ? value : value.text
  }
  if (value instanceof HexBytes) return text(String(value), 'id', 1)
  if (typeof value !== 'string') throw new Rejection(`id must be text or a number, not ${shown(value)}`, 'id')
  return text(value, 'id', 1)
}

/** What a place asks the weather for: tasks with the same id but another such text are other places. */
export const placeText = ({ latitude, longitude, city, state, forecastHours, historicalHours }: Place): string =>
  JSON.stringify([latitude, longitude, city, state, forecastHours, historicalHours])

/** The `placeText` of a task, from its JSON text. */
export function placeIn(text: string): string {
  const task: Partial<Task> = JSON.parse(text)
  return placeOfTask(task)
}

/** The `placeText` of a task. */
export function placeOfTask(task: Partial<Task>): string {
  const { latitude_deg, longitude_deg, city, state, forecast_duration_hours, historical_duration_hours } = task
  return JSON.stringify([latitude_deg, longitude_deg, city, state, forecast_duration_hours, historical_duration_hours])
}

/** The identity of a place on a map, which knows no ids. */
export const mapKey = (place: { latitude: number; longitude: number; city: string; region: string }): string =>
  [place.latitude, place.longitude, place.city, place.region].join('\n')
