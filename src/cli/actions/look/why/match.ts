/** Which places a text means: by their name, their id in the source, their coordinates. Pure. */
/** What is known of a place, from the source or from a task. */
export interface Spot {
  readonly city: string
  readonly state: string
  readonly latitude: number
  readonly longitude: number
  readonly id: string | null
}

/** How well a text fits: `exact` ones leave out all others. */
export type Fit = 'exact' | 'part' | undefined

export interface Matcher {
  ofSpot(spot: Spot): Fit
  /** Of what is no place: whether the text stands in it; one without a letter, as its id or as a whole field. */
  ofText(text: string): Fit
}

/** Without case and diacritics. */
export const folded = (text: string): string => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()

export function matcherOf(text: string): Matcher {
  const wanted = folded(text.trim())
  const near = nearCoordinates(text)
  return {
    ofSpot(spot) {
      const { city, state, id } = spot
      const [name, whole] = [folded(city), folded(`${city}, ${state}`)]
      if (id === text || name === wanted || whole === wanted) return 'exact'
      return whole.includes(wanted) || near?.(spot) ? 'part' : undefined
    },
    ofText(record) {
      if (idIn(record) === text || fieldsOf(record).includes(text)) return 'part'
      // A number is a part of many coordinates, ids and dates.
      return /\p{L}/u.test(wanted) && folded(record).includes(wanted) ? 'part' : undefined
    },
  }
}

/** The id in the JSON of a location; undefined where there is none. */
export function idIn(record: string): string | undefined {
  try {
    const location: Readonly<Record<string, unknown>> | null = JSON.parse(record)
    const id = location?.['id']
    return id === undefined || id === null ? undefined : String(id)
  } catch {
    return undefined
  }
}

/** The fields of a line that is no JSON. */
const fieldsOf = (record: string): string[] =>
  /^\s*[[{]/.test(record) ? [] : record.split(/[,;\t|]/).map((field) => field.trim().replace(/^"(.*)"$/, '$1'))

/** `6.45, 3.39`: degrees north and east, as exact as they are written. Undefined where the text is something else. */
function nearCoordinates(text: string): ((spot: Spot) => boolean) | undefined {
  const number = String.raw`([+-]?\d+(?:\.(\d+))?)`
  const found = new RegExp(`^\\s*${number}\\s*[,; ]\\s*${number}\\s*$`).exec(text)
  if (!found) return undefined
  const [, north = '', ofNorth = '', east = '', ofEast = ''] = found
  const isNear = (given: number, wanted: string, digits: string): boolean =>
    Math.abs(given - Number(wanted)) <= 0.5000001 * 10 ** -digits.length
  return ({ latitude, longitude }) => isNear(latitude, north, ofNorth) && isNear(longitude, east, ofEast)
}

export const spotOfTask = (task: Readonly<Record<string, unknown>>): Spot => ({
  ...{ city: String(task['city'] ?? ''), state: String(task['state'] ?? '') },
  ...{ latitude: Number(task['latitude_deg']), longitude: Number(task['longitude_deg']) },
  id: task['location_id'] === undefined ? null : String(task['location_id']),
})

/** Two tasks of one place have the same: its id in the source, or else where it is and how it is called. */
export const keyOf = ({ id, latitude, longitude, city, state }: Spot): string =>
  id === null ? JSON.stringify([latitude, longitude, city, state]) : JSON.stringify(id)
