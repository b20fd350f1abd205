/** Pages by a cursor, which each answer gives for the next one. */
import type { Options } from '../options.js'
import { type Page, type Pagination, type Place, positionBehind } from './pagination.js'

export class ByCursor implements Pagination {
  readonly type = 'cursor'
  readonly isCounted = false
  readonly before = 0
  readonly limit: number
  readonly start: Place
  readonly #url: URL
  readonly #parameters: Options['pagination']['parameters']

  constructor({ url, pagination: { limit, start, parameters } }: Options) {
    this.limit = limit ?? 100
    this.start = start
    this.#url = new URL(url)
    this.#parameters = parameters
  }

  urlOf(place: Place): URL {
    const url = new URL(this.#url)
    url.searchParams.set(this.#parameters.limit, String(this.limit))
    if (place !== undefined) url.searchParams.set(this.#parameters.cursor, String(place))
    return url
  }

  after(_place: Place, { next }: Page): Place {
    return next
  }

  kept(place: Place): Place {
    return place
  }

  position(_place: Place, before: number, at: number | string): string {
    return positionBehind(before, at)
  }
}
