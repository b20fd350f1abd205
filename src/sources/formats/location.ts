/** From one record of JSON or YAML to a location. */
import { type Location, Malformed } from '../../plugin.js'
import { fieldMapper } from '../fields/mapper.js'
import type { Fields } from '../fields/options.js'
import { type Format, isObject } from './records.js'

/** Makes a location of a record; of a GeoJSON feature, too. */
export function locationMaker(
  { fields }: { readonly fields?: Fields },
  format?: Format,
): (value: unknown) => Location | Malformed {
  const named = fieldMapper(fields)
  return (value) => {
    const wrong = (reason: string): Malformed => new Malformed(JSON.stringify(value) ?? '', reason)
    if (!isObject(value)) return wrong('a location must be an object')
    if (value['type'] === 'Feature' && 'geometry' in value) {
      const flat = flattened(value)
      return typeof flat === 'string' ? wrong(flat) : named(flat)
    }
    return format === 'geojson' ? wrong('it is no GeoJSON feature') : named(value)
  }
}

/** A feature's properties beside its coordinates (RFC 7946), or why that can't be. */
function flattened({ id, geometry, properties }: Readonly<Record<string, unknown>>): Location | string {
  if (!isObject(geometry)) return 'the feature has no geometry'
  const { type, coordinates } = geometry
  if (type !== 'Point') return `the feature's geometry must be a Point, not a ${String(type)}`
  const [longitude, latitude]: unknown[] = Array.isArray(coordinates) ? coordinates : []
  if (longitude === undefined || latitude === undefined) return 'the Point has no longitude and latitude'
  return { ...(id === undefined ? {} : { id }), ...(isObject(properties) ? properties : {}), longitude, latitude }
}
