/** Locations as columns: 100,000 of them take a few megabytes. */
import { degreesScale, nowhere, type PlaceColumns, type PlaceState, placeStates } from './data.js'

export interface MapPlace {
  state: PlaceState
  /** Degrees; NaN where it isn't known. */
  latitude: number
  longitude: number
  city: string
  region: string
  /** '' where it isn't known. */
  slot: string
  reason: string
}

/** Bytes of all texts of a column together, as they stand in the page. */
const most = { cities: 2_000_000, regions: 700_000, reasons: 700_000 }

/** Characters to which texts are cut: the most with which they fit. */
const lengths = [200, 100, 50, 25, 12, 6, 3] as const

/** Texts that come again and again, each once. */
class Dictionary {
  readonly texts: string[] = []
  readonly #numbers = new Map<string, number>()

  numberOf(text: string): number {
    const known = this.#numbers.get(text)
    if (known !== undefined) return known
    this.#numbers.set(text, this.texts.length)
    return this.texts.push(text) - 1
  }
}

export function columnsOf(places: readonly MapPlace[]): PlaceColumns {
  const [slots, regions, reasons] = [new Dictionary(), new Dictionary(), new Dictionary()]
  const degrees = (of: (place: MapPlace) => number): string =>
    base64(
      Int32Array.from(places, (place) => (Number.isNaN(of(place)) ? nowhere : Math.round(of(place) * degreesScale))),
    )
  const numbers = (of: (place: MapPlace) => number): string => base64(Uint32Array.from(places, of))
  return {
    count: places.length,
    latitude: degrees(({ latitude }) => latitude),
    longitude: degrees(({ longitude }) => longitude),
    state: base64(Uint8Array.from(places, ({ state }) => placeStates.indexOf(state))),
    slot: numbers(({ slot }) => slots.numberOf(slot)),
    region: numbers(({ region }) => regions.numberOf(region)),
    reason: numbers(({ reason }) => reasons.numberOf(reason)),
    slots: slots.texts,
    regions: fitting(regions.texts, most.regions),
    reasons: fitting(reasons.texts, most.reasons),
    cities: fitting(
      places.map(({ city }) => city),
      most.cities,
    ),
  }
}

function fitting(texts: readonly string[], bytes: number): string[] {
  for (const length of lengths) {
    const some = texts.map((text) => cut(text, length))
    if (Buffer.byteLength(escaped(JSON.stringify(some))) <= bytes || length === lengths.at(-1)) return some
  }
  return []
}

/** JSON that ends no script, whatever texts are in it. */
export const escaped = (json: string): string => json.replaceAll('<', '\\u003c')

/** By code points: half of one would be no text. */
const cut = (text: string, length: number): string =>
  text.length <= length ? text : `${[...text.slice(0, 2 * length)].slice(0, length - 1).join('')}…`

/** Typed arrays are in the machine's byte order, which is little-endian wherever Node runs but on s390x. */
const base64 = ({ buffer }: Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>): string =>
  Buffer.from(buffer).toString('base64')
