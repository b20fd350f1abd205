/** From a list's own columns and keys to what a location needs. */
import { z } from 'zod'
import type { Location } from './plugin.js'

/** Under which names lists of places usually keep what a location needs; a dot leads into a nested object. */
const synonyms: Readonly<Record<string, readonly string[]>> = {
  id: ['id', 'geonameid', 'geoname_id', 'city_id', 'location_id'],
  latitude: ['latitude', 'lat', 'latitude_deg', 'coord.lat', 'coordinates.lat', 'location.lat'],
  longitude: ['longitude', 'lon', 'lng', 'long', 'longitude_deg', 'coord.lon', 'coordinates.lon', 'location.lon', 'location.lng'],
  city: ['city', 'name', 'city_name'],
  state: ['state', 'state_name', 'province', 'region', 'admin1'],
}

/** The option `fields:` of every source that reads somebody's own columns. */
export const fields = z
  .record(z.string().min(1), z.string().min(1))
  .optional()
  .describe("which column or key holds what, `latitude: geo.lat`: owm's name on the left, the source's own on the right; usual names are known")

/**
 * What each of a list's column names means to owm; a name that means nothing
 * special stays itself. What `chosen` says wins, then the first synonym that occurs.
 *
 * @param chosen owm's name -> column
 */
export function meaningOf(names: readonly string[], chosen: Readonly<Record<string, string>> = {}): string[] {
  const lower = names.map((name) => name.trim().toLowerCase())
  const meant = names.map((name) => name.trim())
  for (const [key, column] of Object.entries(chosen)) {
    const index = lower.indexOf(column.trim().toLowerCase())
    if (index >= 0) meant[index] = key
  }
  for (const [key, known] of Object.entries(synonyms)) {
    if (key in chosen) continue
    const found = known.find((name) => lower.includes(name))
    if (found !== undefined) meant[lower.indexOf(found)] = key
  }
  return meant
}

/**
 * Makes locations of objects: renames their keys, and takes what `chosen` or a
 * synonym finds inside of nested ones (`coord.lat`).
 */
export function fieldMapper(chosen: Readonly<Record<string, string>> = {}): (record: Readonly<Record<string, unknown>>) => Location {
  const nested = [...Object.values(chosen), ...Object.values(synonyms).flat()].filter((name) => name.includes('.'))
  return (record) => {
    const flat: Record<string, unknown> = { ...record }
    for (const path of nested) {
      const value = path.split('.').reduce<unknown>((inner, part) => (isObject(inner) ? inner[part] : undefined), record)
      if (value !== undefined && !(path in flat)) flat[path] = value
    }
    const names = Object.keys(flat)
    const meanings = meaningOf(names, chosen)
    const location: Record<string, unknown> = Object.create(null)
    names.forEach((name, index) => {
      const meaning = meanings[index] ?? name
      // What a path found is either a known field now, or no field at all.
      if (meaning !== name || name in record) location[meaning] = flat[name]
    })
    return location
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
