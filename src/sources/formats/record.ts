/** Reads a record of JSON, NDJSON or YAML as a location. */
import { type Location, Malformed } from '../../plugin.js'
import { exactJson, RepeatedKey } from '../../tasks/json/exact.js'
import { isTree } from '../../tasks/json/tree.js'
import { Unreadable } from '../fields/degrees.js'
import type { Mapping, Plan } from '../fields/mapping.js'
import { freeName, normal, typed } from '../fields/names.js'
import type { FieldOptions } from '../fields/options.js'
import { foreignProjection, projected, refuseGrid } from '../fields/projection.js'
import { partIn } from '../signs/partial.js'
import { columnName, Headers, isHeader, mustDiffer, OtherHeader, sameHeader, titles } from './header.js'
import type { Entry, Layout } from './layout.js'
import { damaged } from './records.js'

export interface RecordOptions extends FieldOptions {
  readonly layout?: Layout | undefined
  readonly header?: readonly string[] | undefined
  readonly whole?: boolean | undefined
}

interface RecordTerms {
  /** The list, at the start of messages: `The list /a.csv`. */
  readonly title: string
  /** Whether every record must be a GeoJSON feature. */
  readonly isGeoJson: boolean
}

/** Reads the records of one list. */
export class RecordReader {
  readonly #options: RecordOptions
  readonly #mapping: Mapping
  readonly #terms: RecordTerms
  /** The columns, if records are rows. */
  #columns: Plan | undefined
  /** The cells of the header, which later pages may repeat. */
  #header: readonly unknown[] = []
  #headers: Headers | undefined
  /** Whether a row was read. */
  #hasRows = false
  /** How many rows were left out as headers. */
  headers = 0

  constructor(options: RecordOptions, mapping: Mapping, terms: RecordTerms) {
    this.#options = options
    this.#mapping = mapping
    this.#terms = terms
  }

  /** A record's location; undefined for a header, and for a record without any value. */
  read({ value, key }: Entry): Location | Malformed | undefined {
    const raw = (): string => exactJson(value) ?? ''
    if (this.#options.layout === 'rows')
      return Array.isArray(value) ? this.#row(value, raw) : new Malformed(raw(), 'a row must be an array')
    if (!isTree(value)) return new Malformed(raw(), 'a location must be an object')
    if (value['type'] === 'Feature' && 'geometry' in value) {
      checkProjection(value, this.#terms.title)
      const flat = this.#flattened(value)
      return flat instanceof Unreadable ? new Malformed(raw(), flat.reason) : this.#mapping.fromRecord(flat, raw, key)
    }
    if (this.#terms.isGeoJson) return new Malformed(raw(), 'it is no GeoJSON feature')
    if (value['type'] === 'FeatureCollection' && Array.isArray(value['features']))
      return new Malformed(raw(), 'it is a whole GeoJSON list, not one place: set source.format to geojson')
    // In Esri's JSON, each point may name its projection.
    if (isTree(value['geometry'])) checkProjection(value['geometry'], this.#terms.title)
    const { spatialReference } = value
    if (isTree(spatialReference)) checkProjection({ spatialReference }, this.#terms.title)
    return this.#mapping.fromRecord(value, raw, key)
  }

  #row(cells: readonly unknown[], raw: () => string): Location | Malformed | undefined {
    if (!this.#columns) {
      const { header } = this.#options
      const where = header ? ', in source.header' : ', in its first row'
      const names = header ?? cells.map(columnName)
      mustDiffer(names, this.#terms.title, where)
      this.#columns = this.#mapping.declare(names, where, header ? cells : [])
      this.#header = !header || isHeader(cells, this.#columns) ? cells : names
      this.#headers = new Headers(this.#header.map(columnName), this.#columns, this.#mapping)
    }
    const { names } = this.#columns
    // Each page of an API may begin with it.
    if (cells.length === this.#header.length && this.#header.every((name, index) => cells[index] === name)) {
      this.headers++
      return undefined
    }
    const again = this.#headers?.again(cells)
    if (again === 'the same') return new Malformed(raw(), sameHeader)
    if (again === 'moved' || (again && this.#hasRows)) throw new OtherHeader(this.#terms.title, raw())
    if (again) return new Malformed(raw(), titles)
    this.#hasRows = true
    if (cells.length !== names.length)
      return new Malformed(raw(), `the row has ${cells.length} values, the header ${names.length} names`)
    return this.#mapping.fromRow(this.#columns, cells, raw)
  }

  /** A feature's properties together with its coordinates (RFC 7946), or why they can't be read. */
  #flattened({ id, geometry, properties }: Readonly<Record<string, unknown>>): Record<string, unknown> | Unreadable {
    const point = properties instanceof RepeatedKey ? isTwice('properties') : this.#point(geometry)
    if (point instanceof Unreadable) return point
    const flat: Record<string, unknown> = {}
    const put = (wanted: string, value: unknown): string => {
      const name = freeName(wanted, flat)
      Object.defineProperty(flat, name, { value, enumerable: true })
      return name
    }
    if (isTree(properties))
      for (const [name, value] of Object.entries(properties)) {
        const axis = this.#axisOf(name, point)
        const as = put(axis === undefined ? name : `original_${axis}`, value)
        if (axis !== undefined) this.#mapping.warnRenamed([{ name, as, why: `the geometry has the ${axis}` }])
      }
    if (id !== undefined) put(Object.hasOwn(flat, 'id') ? 'feature_id' : 'id', id)
    for (const [name, value] of Object.entries(point)) put(name, value)
    return flat
  }

  /** The coordinate of the geometry that a property is called like, `LATITUDE`; one that is chosen keeps its name. */
  #axisOf(name: string, point: object): string | undefined {
    if (Object.hasOwn(point, name)) return name
    if (!looksLikeAxis.test(name)) return undefined // most are not, and this is cheaper than what follows
    const { fields = {} } = this.#options
    const isChosen = Object.values(fields).some((own) => typed(own) === typed(name))
    // If one coordinate is chosen among the properties, the other one belongs to it.
    const own = fields['latitude'] ?? fields['longitude'] ?? fields['coordinates']
    const isBesideChosen = own !== undefined && !Object.hasOwn(point, own.trim())
    return !isChosen && !isBesideChosen && Object.hasOwn(point, normal(name)) ? normal(name) : undefined
  }

  #point(geometry: unknown): { longitude?: unknown; latitude?: unknown } | Unreadable {
    const { fields = {} } = this.#options
    // The coordinates come from the properties, whatever the geometry is.
    if ('latitude' in fields && 'longitude' in fields) return {}
    if (geometry instanceof RepeatedKey) return isTwice('geometry')
    if (!isTree(geometry)) return new Unreadable('the feature has no geometry')
    checkProjection(geometry, this.#terms.title)
    const { type, coordinates } = geometry
    if (type instanceof RepeatedKey || coordinates instanceof RepeatedKey)
      return isTwice(type instanceof RepeatedKey ? 'type' : 'coordinates')
    const only: unknown =
      type === 'MultiPoint' && Array.isArray(coordinates) && coordinates.length === 1 ? coordinates[0] : undefined
    if (type === undefined) return new Unreadable("the feature's geometry has no type: it must be a Point")
    if (type !== 'Point' && only === undefined)
      return new Unreadable(`the feature's geometry must be a Point, not a ${String(type)}`)
    const [longitude, latitude]: unknown[] = [only ?? coordinates].flat()
    if (longitude === undefined || latitude === undefined)
      return new Unreadable('the Point has no longitude and latitude')
    return { longitude, latitude }
  }
}

const looksLikeAxis = /l.*t.*u.*d.*e/i

const isTwice = (key: string): Unreadable => new Unreadable(`the key "${key}" is there twice, with two values`)

/**
 * Throws ConfigurationError if a saved answer says that it isn't the whole list.
 *
 * @param path where in the answer the list is
 */
export function mustBeWhole(
  document: unknown,
  items: number,
  { list, path }: { list: string; path: string | undefined },
  { whole }: RecordOptions,
): void {
  const why = whole ? undefined : partIn(document, items, path || undefined)
  if (why === undefined) return
  throw damaged(
    list,
    why,
    'Fetch all of it, or let owm do that with the source http; if this is the whole list, set source.whole to true.',
  )
}

/** Throws ConfigurationError if a document says that its coordinates aren't degrees of WGS 84. */
export function checkProjection(document: unknown, title: string): void {
  refuseGrid(document, title)
  const foreign = foreignProjection(document)
  if (foreign !== undefined) throw projected(title, foreign)
}
