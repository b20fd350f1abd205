/**
 * Location -> task: pure, no clock, no randomness.
 */
import { hash } from 'node:crypto'
import type { Location } from '../plugin.js'
import { Utf8 } from './bytes.js'

/** What workers read, key by key; extra snake_case keys of the location may follow. */
export interface Task {
  /** UUIDv5 of slot and location, lower case. */
  task_id: string
  /** Degrees, -90..90. */
  latitude_deg: number
  /** Degrees, -180..180. */
  longitude_deg: number
  /** 1..200 characters. */
  city: string
  /** 0..200 characters: state, province or first-level region. */
  state: string
  /** Hours, whole, 0 or more. */
  forecast_duration_hours: number
  /** Hours, whole, 0 or more. */
  historical_duration_hours: number
  [extra: string]: unknown
}

/** A task's JSON text begins with `{"task_id":"…"`. */
export const taskIdOf = (payload: string): string => payload.slice(12, 48)

/** The 32 hexadecimal digits of a task's id. */
export const taskDigitsOf = (payload: string): string => taskIdOf(payload).replaceAll('-', '')

/** A task as its JSON text, or why the location can't be one. */
export type Made = { readonly payload: string } | { readonly reason: string }

const defaultHours = 72
const maxExtraChars = 64 * 1024
/** The extras and, with room to spare, all the rest: three bytes a character, six characters for one that JSON escapes. */
export const maxTaskBytes = 3 * (maxExtraChars + 8 * 1024)
/** SQLite's JSON functions read 1,000 levels, Python's decoder about as many: nobody means that. */
const maxExtraDepth = 64

/** UUIDv5 (RFC 9562, 5.5) of `urn:owm:task` in the URL namespace. */
const namespace = Buffer.from('5c4d551c4dc75f888a0195d89657767d', 'hex')

/** What `taskWriter` says of a task: 32 hexadecimal digits that are its id's but for version and variant; or why there is none. */
export type Written = { readonly digits: string } | { readonly reason: string }

/**
 * Makes the function that writes a location's task, for one slot, as JSON text
 * of up to `maxTaskBytes`. What it wrote before it found a reason is left there.
 *
 * `task_id` = UUIDv5(owm's namespace, slot + location key), where the key is
 * the location's `id` if it has one, else its coordinates, city and state. So
 * one location gives one id a slot, on every machine.
 *
 * @param slot the scheduled time, as `normalSlot` writes it
 */
export function taskWriter(slot: string): (location: Location, task: Utf8) => Written {
  const name = new Utf8(8 * 1024)
  name.put(namespace)
  name.text(`${slot}\n`)
  const nameStart = name.end
  /** The name's first bytes by their number: to make such a view anew takes as long as to hash it. */
  const views: Uint8Array[] = []

  function write(location: Location, task: Utf8): string {
    const latitude = degrees(location['latitude'] ?? location['latitude_deg'], 'latitude', 90)
    const longitude = degrees(location['longitude'] ?? location['longitude_deg'], 'longitude', 180)
    const city = text(location['city'], 'city', 1)
    const state = text(location['state'] ?? '', 'state', 0)
    const forecast = hours(location['forecast_duration_hours'], 'forecast_duration_hours')
    const historical = hours(location['historical_duration_hours'], 'historical_duration_hours')
    const own = ownId(location['id'])
    name.end = nameStart
    if (own === undefined) {
      name.text('at\n')
      name.number(latitude)
      name.text('\n')
      name.number(longitude)
      name.text(`\n${city}\n${state}`)
    } else {
      name.text('id\n')
      name.text(own)
    }
    let view = views[name.end]
    if (!view) {
      view = name.written()
      views[name.end] = view
    }
    const digits = hash('sha1', view, 'hex')
    task.put(startOfTask)
    task.uuid(digits)
    task.put(latitudeKey)
    task.number(latitude)
    task.put(longitudeKey)
    task.number(longitude)
    task.put(cityKey)
    task.json(city)
    task.put(stateKey)
    task.json(state)
    if (forecast === defaultHours && historical === defaultHours) task.put(defaultDurations)
    else {
      task.put(forecastKey)
      task.number(forecast)
      task.put(historicalKey)
      task.number(historical)
    }
    if (own !== undefined) {
      task.put(locationIdKey)
      if (typeof location['id'] === 'string') task.json(own)
      else task.text(own)
    }
    writeExtras(location, task)
    task.put(endOfTask)
    return digits
  }

  return (location, task) => {
    try {
      return { digits: write(location, task) }
    } catch (error) {
      if (error instanceof Unfit) return { reason: error.message }
      throw error
    }
  }
}

const keyOf = (name: string): Uint8Array => Buffer.from(`,${JSON.stringify(name)}:`)
const startOfTask = Buffer.from('{"task_id":"')
const latitudeKey = Buffer.concat([Buffer.from('"'), keyOf('latitude_deg')])
const longitudeKey = keyOf('longitude_deg')
const cityKey = keyOf('city')
const stateKey = keyOf('state')
const forecastKey = keyOf('forecast_duration_hours')
const historicalKey = keyOf('historical_duration_hours')
const defaultDurations = Buffer.concat([
  forecastKey,
  Buffer.from(String(defaultHours)),
  historicalKey,
  Buffer.from(String(defaultHours)),
])
const locationIdKey = keyOf('location_id')
const endOfTask = Buffer.from('}')

/** Makes the function that turns a location into the task of one slot. See `taskWriter`. */
export function taskMaker(slot: string): (location: Location) => Made {
  const write = taskWriter(slot)
  const task = new Utf8(maxTaskBytes)
  return (location) => {
    task.end = 0
    const written = write(location, task)
    return 'reason' in written ? written : { payload: task.toString() }
  }
}

/** Why a location can't be a task; never leaves this file. */
class Unfit extends Error {}

/** Keys that owm itself reads or writes: no extra may take their place. */
const ownKeys = new Set([
  'id',
  'task_id',
  'location_id',
  'latitude',
  'longitude',
  'latitude_deg',
  'longitude_deg',
  'city',
  'state',
  'forecast_duration_hours',
  'historical_duration_hours',
])

function shown(value: unknown): string {
  // Not String(value): an object's own toString may throw, or be none.
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'an object'
  const textual = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return textual.length > 60 ? `${textual.slice(0, 60)}…` : textual
}

/** CSV and databases give numbers as text: a plain decimal is one, `''`, `0x10` and `1,5` aren't. */
function number(value: unknown): number {
  if (typeof value === 'number') return value
  if (typeof value === 'string' && /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/.test(value)) return Number(value)
  return Number.NaN
}

function degrees(given: unknown, key: string, limit: number): number {
  if (given === undefined || given === null || given === '') throw new Unfit(`${key} is missing`)
  const value = number(given)
  if (!(value >= -limit && value <= limit))
    throw new Unfit(`${key} must be a number of degrees from -${limit} to ${limit}, not ${shown(given)}`)
  return value + 0 // -0 is 0: one place, one id
}

function text(value: unknown, key: string, least: number): string {
  if (value === undefined || value === null) throw new Unfit(`${key} is missing`)
  if (typeof value !== 'string') throw new Unfit(`${key} must be text, not ${shown(value)}`)
  // Workers count characters, not UTF-16 units.
  if (value.length > 200 && (value.length > 400 || [...value].length > 200))
    throw new Unfit(`${key} has more than 200 characters`)
  if (least > 0 && value.trim() === '') throw new Unfit(`${key} is empty`)
  if (!value.isWellFormed()) throw new Unfit(`${key} has a lone surrogate: it isn't valid Unicode`)
  return value
}

function hours(given: unknown, key: string): number {
  if (given === undefined || given === null || given === '') return defaultHours
  const value = number(given)
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Unfit(`${key} must be a whole number of hours, 0 or more, not ${shown(given)}`)
  return value
}

function ownId(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string' && !Number.isFinite(value))
    throw new Unfit(`id must be text or a number, not ${shown(value)}`)
  return text(String(value), 'id', 1)
}

/** Appends the location's other keys, snake_case, empty ones left out. */
function writeExtras(location: Location, task: Utf8): void {
  const { extras, mayClash } = shapeOf(location)
  const taken: string[] | undefined = mayClash ? [] : undefined
  let length = 0
  for (const key of extras) {
    const value = location[key]
    if (value === undefined || value === null || value === '') continue
    const { name, start } = extraOf(key)
    if (name === '' || ownKeys.has(name) || taken?.includes(name))
      throw new Unfit(`the key ${shown(key)} can't be a task's: its name is empty or taken`)
    taken?.push(name)
    const encoded = jsonOf(value, name)
    if (encoded === undefined) continue
    const added = name.length + encoded.length
    if (length + added > maxExtraChars) throw new Unfit(`its extra keys are longer than ${maxExtraChars} characters`)
    // JSON.stringify escapes surrogates only where they stand alone.
    if (typeof value === 'string' ? !value.isWellFormed() : /(?<!\\)(\\\\)*\\ud[89a-f]/.test(encoded))
      throw new Unfit(`${name} has a lone surrogate: it isn't valid Unicode`)
    task.put(start)
    task.text(encoded)
    length += added + ',"":'.length
  }
}

interface Shape {
  readonly keys: readonly string[]
  readonly extras: readonly string[]
  /** Whether two of the extras may have one name in a task. */
  readonly mayClash: boolean
}

/** Of the latest location: a source mostly has the same keys in all of its rows. */
let latest: Shape = { keys: [], extras: [], mayClash: false }

function shapeOf(location: Location): Shape {
  const keys = Object.keys(location)
  if (keys.length === latest.keys.length && keys.every((key, index) => key === latest.keys[index])) return latest
  const extras = keys.filter((key) => !ownKeys.has(key))
  latest = { keys, extras, mayClash: extras.some((key) => snakeCase(key) !== key) }
  return latest
}

/** Keys that came lately. */
const extraKeys = new Map<string, { name: string; start: Uint8Array }>()

/** What a key is called in a task, and how it begins there: `,"name":`. */
function extraOf(key: string): { name: string; start: Uint8Array } {
  const known = extraKeys.get(key)
  if (known) return known
  const name = snakeCase(key)
  const extra = { name, start: keyOf(name) }
  if (extraKeys.size === 1_000) extraKeys.clear()
  extraKeys.set(key, extra)
  return extra
}

/** Undefined for what JSON leaves out, such as a function. */
function jsonOf(value: unknown, name: string): string | undefined {
  if (isDeeperThan(maxExtraDepth, value)) throw new Unfit(`${name} is nested deeper than ${maxExtraDepth} levels`)
  try {
    return JSON.stringify(value)
  } catch {
    throw new Unfit(`${name} has no form in JSON`) // a bigint, say
  }
}

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(levels - 1, inner))
}

const snakeCase = (key: string): string =>
  /^[a-z][a-z0-9_]*$/.test(key)
    ? key
    : key
        .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
        .replace(/[^\p{L}\p{N}]+/gu, '_')
        .replace(/^_+|_+$/g, '')
        .toLowerCase()

/**
 * A slot in the one way that owm writes it: UTC, seconds, and milliseconds only where there are any.
 *
 * @returns undefined where the text isn't an ISO 8601 time with a zone
 */
export function normalSlot(given: string): string | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$/.test(given)) return undefined
  const time = new Date(given)
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString().replace('.000Z', 'Z')
}
