/** Pages by a link, which each answer gives for the next one. */
import type { Options } from '../options.js'
import { type Page, type Pagination, type Place, positionBehind } from './pagination.js'

export class ByLink implements Pagination {
  readonly type = 'link'
  readonly isCounted = false
  readonly before = 0
  readonly limit: number | undefined
  readonly start: Place = undefined
  readonly #url: URL
  readonly #limitParameter: string

  constructor({ url, pagination: { limit, parameters } }: Options) {
    this.limit = limit
    this.#url = new URL(url)
    this.#limitParameter = parameters.limit
  }

  urlOf(place: Place): URL {
    if (place === undefined) {
      const url = new URL(this.#url)
      if (this.limit !== undefined) url.searchParams.set(this.#limitParameter, String(this.limit))
      return url
    }
    const url = new URL(String(place), this.#url)
    if (url.origin !== this.#url.origin) return url
    // As a server's own links lack a key that stands in the configured URL.
    const missing = [...this.#url.searchParams].filter(([key]) => !url.searchParams.has(key))
    for (const [key, value] of missing) url.searchParams.append(key, value)
    return url
  }

  after(_place: Place, { next }: Page): Place {
    return next
  }

  /** Without the configured parameters: one of them may be a key, which doesn't belong in the outbox. */
  kept(place: Place): Place {
    if (typeof place !== 'string') return place // the first page
    const url = new URL(place)
    const valuesIn = (of: URL, key: string): string => JSON.stringify(of.searchParams.getAll(key))
    if (url.origin === this.#url.origin)
      for (const key of this.#url.searchParams.keys())
        if (valuesIn(url, key) === valuesIn(this.#url, key)) url.searchParams.delete(key)
    return url.href
  }

  position(_place: Place, before: number, at: number | string): string {
    return positionBehind(before, at)
  }
}
