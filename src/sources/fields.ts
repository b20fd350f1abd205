/** From a list's own columns and keys to what a location needs. */
import { z } from 'zod'
import type { Location } from '../plugin.js'

/**
 * Under which names lists of places usually keep what a location needs, in lower case and without spaces, `_` and `-`;
 * a dot leads into a nested object or array.
 */
const synonyms: Readonly<Record<string, readonly string[]>> = {
  id: ['id', 'geonameid', 'cityid', 'locationid', 'stationid'],
  latitude: [
    ...['latitude', 'lat', 'latitudedeg', 'latdeg', 'latitudedegrees', 'latitudewgs84', 'geolat', 'decimallatitude'],
    ...[
      'coord.lat',
      'coords.lat',
      'coordinates.lat',
      'coordinates.latitude',
      'location.lat',
      'location.latitude',
      'position.lat',
      'geo.lat',
    ],
    ...['location.coordinates.1', 'geometry.coordinates.1'],
  ],
  longitude: [
    ...[
      'longitude',
      'lon',
      'lng',
      'long',
      'longitudedeg',
      'londeg',
      'longitudedegrees',
      'longitudewgs84',
      'geolon',
      'geolng',
      'decimallongitude',
    ],
    ...[
      'coord.lon',
      'coords.lon',
      'coordinates.lon',
      'coordinates.lng',
      'coordinates.longitude',
      'location.lon',
      'location.lng',
      'location.longitude',
    ],
    ...['position.lon', 'position.lng', 'geo.lon', 'geo.lng', 'location.coordinates.0', 'geometry.coordinates.0'],
  ],
  city: ['city', 'name', 'cityname', 'town', 'place', 'placename', 'locationname', 'stationname'],
  state: [
    'state',
    'statename',
    'province',
    'region',
    'admin1',
    'admin1name',
    'adminname',
    'adminname1',
    'admin1code',
    'statecode',
    'subdivision1name',
  ],
}

const normal = (name: string): string => name.toLowerCase().replace(/[\s_-]+/g, '')

/** The option `fields:` of every source that reads somebody's own columns. */
export const fields = z
  .record(z.string().min(1), z.string().min(1))
  .optional()
  .describe(
    "which column or key holds what, `latitude: geo.lat`: owm's name on the left, the source's own on the right; usual names are known",
  )

/**
 * An object that inherits no names, so that a column may be called `__proto__`; V8 keeps
 * these several times as fast as `Object.create(null)`.
 */
export class Bare {
  [name: string]: unknown
}
Object.setPrototypeOf(Bare.prototype, null)

/**
 * What each of a list's column names means to owm; a name that means nothing
 * special stays itself. What `chosen` says wins, then the first synonym that
 * occurs. A column in whose name another one was chosen becomes `original_…`.
 *
 * @param chosen owm's name -> column
 */
export function meaningOf(names: readonly string[], chosen: Readonly<Record<string, string>> = {}): string[] {
  const meant = names.map((name) => name.trim())
  const lower = meant.map((name) => name.toLowerCase())
  const found = new Map<number, string>()
  for (const [key, column] of Object.entries(chosen)) {
    const exact = meant.indexOf(column.trim())
    const index = exact >= 0 ? exact : lower.indexOf(column.trim().toLowerCase())
    if (index >= 0) found.set(index, key)
  }
  const normalised = meant.map(normal)
  for (const [key, known] of Object.entries(synonyms)) {
    if (Object.hasOwn(chosen, key)) continue
    const index = known
      .map((name) => normalised.findIndex((column, at) => column === name && !found.has(at)))
      .find((at) => at >= 0)
    if (index !== undefined) found.set(index, key)
  }
  const taken = new Set(found.values())
  return meant.map((name, index) => found.get(index) ?? (taken.has(name.toLowerCase()) ? `original_${name}` : name))
}

interface Plan {
  /** A name each: of the record's own keys, then of the paths that led to something. */
  readonly meanings: readonly (string | undefined)[]
  /** How many values were taken out of the object under each own key. */
  readonly taken: readonly number[]
}

/**
 * Makes locations of objects: renames their keys, and takes what `chosen` or a
 * synonym finds inside of nested ones (`coord.lat`). A nested object of which
 * nothing is left goes.
 */
export function fieldMapper(
  chosen: Readonly<Record<string, string>> = {},
): (record: Readonly<Record<string, unknown>>) => Location {
  const paths = [...new Set([...Object.values(chosen), ...Object.values(synonyms).flat()])].filter((name) =>
    name.includes('.'),
  )
  const nested = paths.map((name) => ({ name, parts: name.split('.') }))
  const roots = new Set(nested.map(({ parts }) => parts[0]))
  // A list's records have few shapes, however many there are of them.
  const plans = new Map<string, Plan>()

  function planFor(names: readonly string[], own: number): Plan {
    const shape = `${own}\0${names.join('\0')}`
    const known = plans.get(shape)
    if (known) return known
    const all = meaningOf(names, chosen)
    // What a path found is either a known field now, or no field at all.
    const meanings = all.map((meaning, index) => (index < own || meaning !== names[index] ? meaning : undefined))
    const used = names.slice(own).filter((_, index) => meanings[own + index] !== undefined)
    const taken = names
      .slice(0, own)
      .map((name) => used.filter((path) => path.startsWith(`${name}.`) && path.split('.').length === 2).length)
    const plan = { meanings, taken }
    if (plans.size >= 1_000) plans.clear()
    plans.set(shape, plan)
    return plan
  }

  return (record) => {
    const names = Object.keys(record)
    const own = names.length
    const values = names.map((name) => record[name])
    if (names.some((name) => roots.has(name) && isObject(record[name])))
      for (const { name, parts } of nested) {
        const value = parts.reduce<unknown>((inner, part) => (isObject(inner) ? inner[part] : undefined), record)
        if (value === undefined || Object.hasOwn(record, name)) continue
        names.push(name)
        values.push(value)
      }
    const { meanings, taken } = planFor(names, own)
    const location = new Bare()
    for (let index = 0; index < names.length; index++) {
      const meaning = meanings[index]
      const value = values[index]
      const out = taken[index] ?? 0
      if (meaning !== undefined && !(out > 0 && isObject(value) && Object.keys(value).length === out))
        location[meaning] = value
    }
    return location
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
