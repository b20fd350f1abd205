/** Pages by their number, or by the number of items before them. */
import type { Options } from '../options.js'
import type { Page, Pagination, Place } from './pagination.js'

abstract class Counted implements Pagination {
  abstract readonly type: 'page' | 'offset'
  readonly isCounted = true
  readonly limit: number
  readonly start: number
  readonly #url: URL
  readonly #parameters: Options['pagination']['parameters']

  constructor({ url, pagination: { limit, start, parameters } }: Options) {
    this.limit = limit ?? 100
    this.start = typeof start === 'number' ? start : 0
    this.#url = new URL(url)
    this.#parameters = parameters
  }

  abstract readonly before: number
  protected abstract step(items: number): number
  abstract position(place: Place, before: number, at: number | string): string

  urlOf(place: Place): URL {
    const url = new URL(this.#url)
    url.searchParams.set(this.#parameters.limit, String(this.limit))
    url.searchParams.set(this.#parameters[this.type], String(place))
    return url
  }

  after(place: Place, { count }: Page): Place {
    return typeof place !== 'number' || count === 0 ? undefined : place + this.step(count)
  }

  kept(place: Place): Place {
    return place
  }
}

export class ByPage extends Counted {
  readonly type = 'page'
  readonly before = 0

  protected step(): number {
    return 1
  }

  position(place: Place, _before: number, at: number | string): string {
    return typeof at === 'string' ? `page ${place}${at}` : `page ${place}, item ${at + 1}`
  }
}

export class ByOffset extends Counted {
  readonly type = 'offset'

  /** A total includes the items that `start` skips; with 1, offsets count from 1. */
  get before(): number {
    return this.start === 1 ? 0 : this.start
  }

  protected step(items: number): number {
    return items
  }

  position(place: Place, before: number, at: number | string): string {
    return typeof at === 'string' ? `offset ${place}${at}` : `item ${before + at + 1}`
  }
}
