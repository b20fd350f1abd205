/** From the page's data blocks to typed arrays and texts. */
import { harmless } from '../../words.js'
import { degreesScale, nowhere, type PlaceState, placeStates, type ReportData } from '../data.js'

/** Locations by their index; each text may be a stranger's, and is only ever shown as text. */
export interface Places {
  readonly count: number
  /** Degrees; NaN where it isn't known. */
  readonly latitude: Float64Array
  readonly longitude: Float64Array
  /** Indices into `placeStates`. */
  readonly states: Uint8Array
  state(index: number): PlaceState
  city(index: number): string
  region(index: number): string
  slot(index: number): string
  reason(index: number): string
}

export function readData(): ReportData {
  return JSON.parse(document.getElementById('data')?.textContent ?? '')
}

export function placesOf({ places }: ReportData): Places {
  const bytes = (base64: string): ArrayBuffer => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer
  const numbers = (base64: string): Uint32Array => new Uint32Array(bytes(base64))
  const degrees = (base64: string): Float64Array =>
    Float64Array.from(new Int32Array(bytes(base64)), (value) => (value === nowhere ? Number.NaN : value / degreesScale))
  const states = new Uint8Array(bytes(places.state))
  const [slots, regions, reasons] = [numbers(places.slot), numbers(places.region), numbers(places.reason)]
  const text = (texts: readonly string[], index: number | undefined): string => harmless(texts[index ?? 0] ?? '')
  return {
    count: places.count,
    latitude: degrees(places.latitude),
    longitude: degrees(places.longitude),
    states,
    state: (index) => placeStates[states[index] ?? 0] ?? 'waiting',
    city: (index) => text(places.cities, index),
    region: (index) => text(places.regions, regions[index]),
    slot: (index) => text(places.slots, slots[index]),
    reason: (index) => text(places.reasons, reasons[index]),
  }
}
