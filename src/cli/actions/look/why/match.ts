/** Which places a text names: by name, by id in the source, or by coordinates. Pure. */
import { parseTexts } from '../../../../tasks/json/parse.js'

/** What is known of a place, from the source or from a task. */
export interface Spot {
  readonly city: string
  readonly state: string
  /** As written if the record can't be a place; null if that isn't a number. */
  readonly latitude: number | null
  readonly longitude: number | null
  readonly id: string | null
}

/** How well a text fits: if anything fits exactly, only that counts. */
export type Fit = 'exact' | 'part' | undefined

export interface Matcher {
  ofSpot(spot: Spot): Fit
  /** For a record that can't be a place: by its own text. */
  ofRecord(record: string): Fit
  /** By position in the list, as owm's messages give it. */
  ofPosition(position: string | null): Fit
}

/** In lower case and without diacritics. */
const folded = (text: string): string => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()

export function matcherOf(text: string): Matcher {
  const wanted = folded(text.trim())
  const id = withoutWord(text)
  const near = nearCoordinates(text)
  const ofSpot = (spot: Spot): Fit => {
    const [name, whole] = [folded(spot.city), folded(`${spot.city}, ${spot.state}`)]
    if (spot.id === text || spot.id === id || name === wanted || whole === wanted) return 'exact'
    return whole.includes(wanted) || near?.(spot) ? 'part' : undefined
  }
  return {
    ofSpot,
    // `line 3` also matches `line 3, column lat`.
    ofPosition: (position) => (`${position?.toLowerCase()},`.startsWith(`${wanted},`) ? 'exact' : undefined),
    ofRecord(record) {
      const own = spotOfRecord(record)
      const fit = own && ofSpot(own)
      if (fit) return fit
      // A text without letters would fit many coordinates, ids and dates.
      const isName = /\p{L}/u.test(wanted)
      if (fieldsOf(record).some((field) => folded(field) === wanted)) return isName ? 'exact' : 'part'
      return isName && folded(record).includes(wanted) ? 'part' : undefined
    },
  }
}

/** Strips the word with which owm's messages name a place: `id = 100`, `id 100`, `task 245aeca7-…`. */
export const withoutWord = (text: string): string => text.trim().replace(/^(id|task)( *= *| +)(?=\S)/i, '')

/** What a record that can't be a place says of itself; undefined if it has neither a name nor an id. */
export function spotOfRecord(record: string): Spot | undefined {
  const location = objectIn(record)
  const { city = '', state = '', id = null, latitude = null, longitude = null } = location ?? {}
  if (city === '' && id === null) return undefined
  const [north, east] = [latitude, longitude].map((text) => (text?.trim() ? Number(text) : Number.NaN))
  return { city, state, id, latitude: finite(north), longitude: finite(east) }
}

const finite = (degrees = Number.NaN): number | null => (Number.isFinite(degrees) ? degrees : null)

/** The texts and numbers of a JSON object, as written; undefined if it isn't one. */
function objectIn(json: string): Readonly<Record<string, string>> | undefined {
  try {
    const value = parseTexts(json)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    const texts = Object.entries(value).flatMap(([name, own]) => (typeof own === 'string' ? [[name, own]] : []))
    return Object.fromEntries(texts)
  } catch {
    return undefined
  }
}

/** The fields of a JSON object, or of a line of a delimited file. */
const fieldsOf = (record: string): string[] =>
  Object.values(objectIn(record) ?? record.split(/[,;\t|]/).map((field) => field.trim().replace(/^"(.*)"$/, '$1')))

/** `6.45, 3.39`: degrees north and east, to the precision given. Undefined if the text is something else. */
function nearCoordinates(text: string): ((spot: Spot) => boolean) | undefined {
  const number = String.raw`([+-]?\d+(?:\.(\d+))?)`
  const found = new RegExp(`^\\s*${number}\\s*[,; ]\\s*${number}\\s*$`).exec(text)
  if (!found) return undefined
  const [, north = '', ofNorth = '', east = '', ofEast = ''] = found
  const isNear = (given: number, wanted: string, digits: string): boolean =>
    Math.abs(given - Number(wanted)) <= 0.5000001 * 10 ** -digits.length
  return ({ latitude, longitude }) =>
    latitude !== null && longitude !== null && isNear(latitude, north, ofNorth) && isNear(longitude, east, ofEast)
}

export const spotOfTask = (task: Readonly<Record<string, unknown>>): Spot => ({
  city: String(task['city'] ?? ''),
  state: String(task['state'] ?? ''),
  latitude: Number(task['latitude_deg']),
  longitude: Number(task['longitude_deg']),
  id: task['location_id'] === undefined ? null : String(task['location_id']),
})

/** Identifies a place: its id in the source, or else its coordinates and name. */
export const keyOf = ({ id, latitude, longitude, city, state }: Spot): string =>
  id === null ? JSON.stringify([latitude, longitude, city, state]) : JSON.stringify(id)

/** Each place once. A record that can't be a place belongs to the place with its id or, without an id, its name. */
export function distinct(places: readonly Spot[], records: readonly Spot[]): Spot[] {
  const found = new Map(places.map((spot) => [keyOf(spot), spot]))
  const nameOf = ({ city, state }: Spot): string => JSON.stringify([city, state])
  const names = new Set(places.map(nameOf))
  for (const own of records) {
    if (own.id === null ? names.has(nameOf(own)) : found.has(keyOf(own))) continue
    names.add(nameOf(own))
    found.set(keyOf(own), own)
  }
  return [...found.values()]
}
