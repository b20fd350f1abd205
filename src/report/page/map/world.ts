/** The world in the Equal Earth projection: areas are as large as they are, and no location is far from its place. */
import { geoEqualEarth, geoGraticule10, geoPath } from 'd3-geo'
import { feature, mesh } from 'topojson-client'
import atlas from 'world-atlas/countries-50m.json'

/** The map's own units: what is drawn is scaled from them. */
export const width = 1000
export const height = 487

const margin = 2
const projection = geoEqualEarth().fitExtent(
  [
    [margin, margin],
    [width - margin, height - margin],
  ],
  { type: 'Sphere' },
)

/** Where a place lies in the map's units; undefined where it has none. Degrees. */
export const project = (longitude: number, latitude: number): [x: number, y: number] | null =>
  Number.isNaN(longitude) || Number.isNaN(latitude) ? null : projection([longitude, latitude])

interface World {
  sphere: Path2D
  graticule: Path2D
  land: Path2D
  borders: Path2D
}

/** Coastlines and borders: Natural Earth's, 1:50 million. */
export function world(): World {
  const { countries, land } = atlas.objects
  const draw = geoPath(projection)
  const path = (shape: Parameters<typeof draw>[0]): Path2D => new Path2D(draw(shape) ?? '')
  return {
    sphere: path({ type: 'Sphere' }),
    graticule: path(geoGraticule10()),
    land: path(feature(atlas, land)),
    borders: path(mesh(atlas, countries, (one, other) => one !== other)),
  }
}
