/** How real APIs page a list of places: 25 places, 10 at most in one answer, whatever is asked for. */
import { type City, cities } from '../api.js'

export const count = 25
export const most = 10
const list: readonly City[] = cities(count)

export interface Said {
  body: unknown
  headers?: Record<string, string | undefined>
  status?: number
}

export interface RealApi {
  name: string
  answer(query: URLSearchParams, path: string): Said
  /** What reads all of it; undefined where owm can't. */
  right: Record<string, unknown> | undefined
  /** Nothing in its answers says whether there are more. */
  isSilent?: true
}

export const slice = (at: number): readonly City[] => list.slice(at, at + most)

/** Where the page behind one begins. */
export const next = (at: number): number | undefined => (at + most < count ? at + most : undefined)

/** The offset that is asked for. */
export const from = (query: URLSearchParams, name: string): number => Math.max(0, Number(query.get(name) ?? 0) || 0)

/** The offset of the page that is asked for; they count from 1, and page 0 is page 1. */
export const paged = (query: URLSearchParams, name = 'page'): number =>
  (Math.max(1, Number(query.get(name) ?? 1)) - 1) * most

/** The number of the page behind one. */
export const nextPage = (at: number): number | undefined => (next(at) === undefined ? undefined : at / most + 2)

export const link = (at: number | undefined, name = 'offset'): string | null =>
  at === undefined ? null : `/places?${name}=${at}`

export const feature = ({ id, name, lat, lon }: City): object => ({
  type: 'Feature',
  id,
  properties: { id, name },
  geometry: { type: 'Point', coordinates: [lon, lat] },
})

/** `name: 'attributes'` as JSON:API has them. */
export const inside = (key: string): Record<string, string> => ({
  city: `${key}.name`,
  latitude: `${key}.lat`,
  longitude: `${key}.lon`,
})
