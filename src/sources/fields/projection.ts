/** The projections that lists name: owm reads longitude and latitude of WGS 84 only, and assumes no other. */
import { ConfigurationError } from '../../errors/index.js'
import { exactJson } from '../../tasks/json/exact.js'
import { isObject } from '../../tasks/json/tree.js'

/** The error for a list in another projection. */
export const projected = (title: string, name: string): ConfigurationError =>
  new ConfigurationError(`${title} has the projection ${name}, not longitude and latitude of WGS 84 (EPSG:4326).`, {
    hint: 'Reproject it: `ogr2ogr -t_srs EPSG:4326 new.geojson old.geojson`; in PostGIS, ST_Transform(geom, 4326).',
  })

/**
 * Throws ConfigurationError for coordinates that are whole numbers on a grid, as TopoJSON and ArcGIS write them to save
 * space.
 */
export function refuseGrid(document: unknown, title: string): void {
  const { transform }: { transform?: unknown } = Object(document)
  const { scale, translate }: { scale?: unknown; translate?: unknown } = Object(transform)
  if (!Array.isArray(scale) || !Array.isArray(translate)) return
  throw new ConfigurationError(
    `${title} has coordinates on a grid of its own (transform.scale, transform.translate), not degrees: ` +
      'TopoJSON has such.',
    { hint: 'Convert it: `ogr2ogr new.geojson old.json`. Ask ArcGIS without quantizationParameters.' },
  )
}

const degrees = [
  /^(urn:ogc:def:crs:)?OGC:(1\.3|2|0)?:?CRS84h?$/i,
  /^https?:\/\/www\.opengis\.net\/def\/crs\/OGC\/[\d.]+\/CRS84h?$/i,
  /^(urn:ogc:def:crs:)?EPSG:{1,2}[\d.]*:?4326$/i,
  /^https?:\/\/www\.opengis\.net\/def\/crs\/EPSG\/[\d.]+\/4326$/i,
  /^(WGS ?84|CRS84|4326)$/i,
]

/**
 * The projection that a JSON object names, in GeoJSON's old member `crs` or Esri's `spatialReference`, unless it is
 * WGS 84.
 */
export function foreignProjection(value: unknown): string | undefined {
  if (!isObject(value)) return undefined
  const { crs, spatialReference }: { crs?: unknown; spatialReference?: unknown } = value
  const name = crs === undefined || crs === null ? wkidOf(spatialReference) : nameOf(crs)
  return name === undefined || degrees.some((known) => known.test(name)) ? undefined : name
}

/** The name in `{"type": "name", "properties": {"name": "…"}}`, or in looser forms. */
function nameOf(crs: unknown): string {
  if (typeof crs === 'string') return crs
  const { properties, name }: { properties?: unknown; name?: unknown } = Object(crs)
  const inside: { name?: unknown; code?: unknown; href?: unknown } = Object(properties)
  const found = inside.name ?? inside.code ?? inside.href ?? name
  return found === undefined ? (exactJson(crs) ?? '') : String(found)
}

function wkidOf(reference: unknown): string | undefined {
  if (!isObject(reference)) return undefined
  const { wkid, latestWkid, wkt }: { wkid?: unknown; latestWkid?: unknown; wkt?: unknown } = reference
  const id = latestWkid ?? wkid
  if (id === undefined) return wkt === undefined ? undefined : String(wkt)
  return `EPSG:${String(id)}`
}
