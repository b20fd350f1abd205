/** Both coordinates in one value: "lat, lon", [lon, lat], WKT or a GeoJSON point. */
import { ConfigurationError } from '../../errors/index.js'
import { HexBytes } from '../../tasks/json/hex.js'
import { parsedOr } from '../../tasks/json/parse.js'
import { isTree } from '../../tasks/json/tree.js'
import { isOneCoordinate, Unreadable } from './degrees.js'
import type { FieldOptions } from './options.js'
import { foreignProjection, projected } from './projection.js'

interface Pair {
  readonly latitude: unknown
  readonly longitude: unknown
}

const number = '[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:e[+-]?\\d+)?'
const wktPoint = new RegExp(
  '^(?:SRID=(\\d+);)?\\s*(?:MULTI)?POINT\\s*(?:ZM|Z|M)?\\s*' +
    `\\(\\s*\\(?\\s*(${number})\\s+(${number})(?:\\s+${number})*\\s*\\)?\\s*\\)$`,
  'i',
)
const wkt = /^(?:SRID=\d+;)?\s*([A-Z]+)\s*(?:ZM|Z|M)?\s*(?:\(|EMPTY)/i
/**
 * The pair in a value, or why there is none. Throws ConfigurationError if its order isn't known, or its projection
 * is another one: that goes for the whole list.
 *
 * @param title the list, for messages
 */
export function pairOf(value: unknown, options: FieldOptions, title: string): Pair | Unreadable {
  if (typeof value === 'string') return inText(value, options, title)
  if (Array.isArray(value)) return ordered(value, options, title)
  if (value instanceof HexBytes)
    return new Unreadable('coordinates are bytes: let the query give text, or ST_AsText(…) of a geometry')
  return inObject(value, title)
}

function inObject(value: unknown, title: string): Pair | Unreadable {
  if (isTree(value) && Array.isArray(value['coordinates'])) {
    const foreign = foreignProjection(value)
    if (foreign !== undefined) throw projected(title, foreign)
    const [longitude, latitude]: unknown[] = value['coordinates']
    if (Array.isArray(longitude)) return new Unreadable(`coordinates must be one Point, not a ${String(value['type'])}`)
    return { latitude, longitude }
  }
  // MySQL and PostgreSQL don't say which of the two is the longitude.
  if (isTree(value) && 'x' in value && 'y' in value)
    return new Unreadable(
      'coordinates are an x and a y: let the query give ST_AsText(…), or map both, fields: {longitude: ….x, …}',
    )
  return new Unreadable('coordinates must be "lat, lon", WKT or a GeoJSON point')
}

function inText(text: string, options: FieldOptions, title: string): Pair | Unreadable {
  const point = wktPoint.exec(text)
  if (point) {
    const [, srid, longitude, latitude] = point
    if (srid !== undefined && srid !== '4326') throw projected(title, `EPSG:${srid}`)
    return { latitude, longitude }
  }
  if (text.startsWith('{')) return inObject(parsedOr(text, undefined), title)
  const kind = wkt.exec(text)?.[1]
  if (kind?.toUpperCase() === 'POINT') return new Unreadable('the POINT has no longitude and latitude')
  if (kind) return new Unreadable(`coordinates must be one POINT, not a ${kind.toUpperCase()}`)
  if (isBinary(text)) return new Unreadable('coordinates are binary (WKB): let the query give ST_AsText(…) of them')
  return ordered(splitPair(text, options), options, title)
}

/** Whether a text is WKB or EWKB in hex digits: PostGIS gives geometries so, unless a function formats them. */
function isBinary(text: string): boolean {
  if (!/^0[01](?:[0-9a-f]{2}){8,}$/i.test(text)) return false
  const head = Buffer.from(text.slice(0, 10), 'hex')
  // EWKB flags Z, M and SRID in the three highest bits; ISO's WKB adds thousands for Z and M.
  const type = (head[0] === 1 ? head.readUInt32LE(1) : head.readUInt32BE(1)) & 0x1fffffff
  return type < 4000 && type % 1000 >= 1 && type % 1000 <= 17
}

/** The two parts of a text, whatever separates them. */
function splitPair(text: string, { decimal }: FieldOptions): string[] {
  const bare = text.replace(/^[([]\s*|\s*[)\]]$/g, '')
  const separator = [';', ...(decimal === ',' ? [] : [',']), '|', '/'].find((candidate) => bare.includes(candidate))
  if (separator) return bare.split(separator).map((part) => part.trim())
  const hemispheres = /^(.*[NSEW])\s+(.*[NSEW])$|^([NSEW].*?)\s+([NSEW].*)$/i.exec(bare)
  return (hemispheres ? hemispheres.slice(1) : bare.split(/\s+/)).filter((part) => part !== undefined && part !== '')
}

function ordered(parts: readonly unknown[], { coordinates }: FieldOptions, title: string): Pair | Unreadable {
  const [first, second] = parts
  if (parts.length < 2 || (parts.length > 2 && typeof first === 'string'))
    return new Unreadable('coordinates must be two numbers, such as "46.9, 7.4"')
  const order = coordinates ?? orderOf(first, second)
  if (order === undefined)
    throw new ConfigurationError(`${title}: both coordinates are in one value, but their order isn't known.`, {
      hint: 'Set source.coordinates to lat-lon or to lon-lat.',
    })
  return order === 'lat-lon' ? { latitude: first, longitude: second } : { latitude: second, longitude: first }
}

/** The order, if N, S, E or W reveal it. */
function orderOf(first: unknown, second: unknown): FieldOptions['coordinates'] {
  if (typeof first !== 'string' || typeof second !== 'string') return undefined
  if (/[NS]/i.test(first) && /[EW]/i.test(second)) return 'lat-lon'
  return /[EW]/i.test(first) && /[NS]/i.test(second) ? 'lon-lat' : undefined
}

/** What a value seems to hold: for hints only, never to read it. */
export function looksLikePair(value: unknown): 'a pair' | 'WKT' | 'WKB' | 'GeoJSON' | undefined {
  if (Array.isArray(value))
    return value.length >= 2 && value.every((each) => typeof each === 'number') ? 'a pair' : undefined
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  if (wktPoint.test(text)) return 'WKT'
  if (isBinary(text)) return 'WKB'
  if (/^\{.*"coordinates"/s.test(text)) return 'GeoJSON'
  return pair.test(text) && !isOneCoordinate(text) ? 'a pair' : undefined
}

const part = `[+-]?\\d+(?:[.,]\\d+)?[°'"′″\\d\\s.]*[NSEW]?`
const pair = new RegExp(`^[([]?\\s*${part}\\s*[,;/|\\s]\\s*${part}\\s*[)\\]]?$`, 'i')
