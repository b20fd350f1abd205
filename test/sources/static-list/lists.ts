import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigurationError } from '../../../src/errors/index.js'
import { type Location, Malformed } from '../../../src/plugin.js'
import staticList from '../../../src/sources/static-list/index.js'
import { placeOf } from '../../../src/tasks/place.js'
import { temporaryFolder } from '../../support/cli.js'

export type Content = string | Buffer
export type Options = Record<string, unknown>

export interface Read {
  locations: (Location | Malformed)[]
  positions: string[]
  resumes: string[]
  warnings: string[]
}

/** Reads a list in a folder of its own, or what `options` say. */
export async function read(
  name: string,
  content: Content,
  options: Options = {},
  onBatch?: (path: string) => Promise<void>,
): Promise<Read> {
  const path = join(await temporaryFolder(), name)
  await writeFile(path, content)
  return readPath(path, options, onBatch)
}

/** The field that a location is rejected for. */
export function fieldOf(location: Location | Malformed): string | undefined {
  const made = location instanceof Malformed ? location : placeOf(location)
  return 'field' in made ? made.field : undefined
}

export async function readPath(
  path: string,
  options: Options = {},
  onBatch?: (path: string) => Promise<void>,
  resume?: string,
): Promise<Read> {
  const found: Read = { locations: [], positions: [], resumes: [], warnings: [] }
  const log = {
    debug() {},
    info() {},
    error() {},
    warn: (_: object, message: string) => void found.warnings.push(message),
  }
  const context = {
    baseDir: '/',
    signal: new AbortController().signal,
    log,
    attempt: <T>(work: () => Promise<T>) => work(),
  }
  const source = await staticList.open(staticList.options.parse({ file: path, ...options }), context)
  for await (const batch of source.read(resume)) {
    found.locations.push(...batch.locations)
    found.positions.push(...batch.locations.map((location, index) => batch.position(index, fieldOf(location))))
    found.resumes.push(batch.resume)
    await onBatch?.(path)
  }
  return found
}

/** As plain objects, so that nothing but keys and values counts. */
export const plain = (locations: readonly (Location | Malformed)[]): unknown[] =>
  locations.map((location) =>
    location instanceof Malformed ? { malformed: location.reason, value: location.value } : { ...location },
  )

export async function failure(reading: Promise<unknown>): Promise<ConfigurationError> {
  const thrown = await reading.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof ConfigurationError) return thrown
  throw new Error(`no ConfigurationError but ${thrown}`)
}

// --- formats ---

/** Numbers as text, as CSV has them. */
export const texts = [
  { id: '1', city: 'Łódź', state: 'Łódź Voivodeship', latitude: '51.75', longitude: '19.46667', country: 'PL' },
  { id: '2', city: 'Saint-Denis, La "Réunion"', state: '', latitude: '-20.88231', longitude: '55.4504', country: 'RE' },
  { id: '3', city: '東京\n都', state: 'Tōkyō', latitude: '35.6895', longitude: '139.69171', country: 'JP' },
]
export const numbers = texts.map((place) => ({
  ...place,
  id: Number(place.id),
  latitude: Number(place.latitude),
  longitude: Number(place.longitude),
}))
export const named = texts.map(({ id, city, state, latitude, longitude, country }) => ({
  geonameid: id,
  name: city,
  admin1: state,
  lat: latitude,
  lng: longitude,
  country,
}))
export const features = numbers.map(({ id, longitude, latitude, ...properties }) => ({
  type: 'Feature',
  id,
  geometry: { type: 'Point', coordinates: [longitude, latitude, 12] },
  properties,
}))
export const cell = (value: string): string => (/[",\n;\t]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)
export const table = (delimiter: string, end: string): string =>
  [Object.keys(named[0] ?? {}), ...named.map((place) => Object.values(place).map(cell))]
    .map((row) => row.join(delimiter) + end)
    .join('')
export const lines = (records: readonly unknown[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join('')
export const yaml = (place: (typeof numbers)[number]): string =>
  Object.entries(place)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
    .join('\n  ')
