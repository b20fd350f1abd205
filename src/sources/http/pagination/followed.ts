/** Pages whose answers lead to the next one: by a cursor, or by a link. */
import type { Options } from '../options.js'
import type { Page, Pagination, Place } from './pagination.js'

abstract class Followed implements Pagination {
  abstract readonly type: 'cursor' | 'link'
  readonly isCounted = false
  readonly before = 0
  abstract readonly limit: number | undefined
  abstract readonly start: Place
  /** The configured URL, which is that of the first page. */
  protected readonly url: URL
  readonly #limitParameter: string

  constructor({ url, pagination: { parameters } }: Options) {
    this.url = new URL(url)
    this.#limitParameter = parameters.limit
  }

  abstract urlOf(place: Place): URL
  abstract kept(place: Place): Place

  protected firstUrl(): URL {
    const url = new URL(this.url)
    if (this.limit !== undefined) url.searchParams.set(this.#limitParameter, String(this.limit))
    return url
  }

  after(_place: Place, { next }: Page): Place {
    return next
  }

  position(_place: Place, before: number, at: number | string): string {
    if (typeof at === 'number') return `item ${before + at + 1}`
    return `${before === 0 ? 'the first page' : `the page behind item ${before}`}${at}`
  }
}

export class ByCursor extends Followed {
  readonly type = 'cursor'
  readonly limit: number
  readonly start: Place
  readonly #parameter: string

  constructor(options: Options) {
    super(options)
    const { limit, start, parameters } = options.pagination
    this.limit = limit ?? 100
    this.start = start
    this.#parameter = parameters.cursor
  }

  urlOf(place: Place): URL {
    const url = this.firstUrl()
    if (place !== undefined) url.searchParams.set(this.#parameter, String(place))
    return url
  }

  kept(place: Place): Place {
    return place
  }
}

export class ByLink extends Followed {
  readonly type = 'link'
  readonly limit: number | undefined
  readonly start: Place = undefined

  constructor(options: Options) {
    super(options)
    this.limit = options.pagination.limit
  }

  urlOf(place: Place): URL {
    if (place === undefined) return this.firstUrl()
    const url = new URL(String(place), this.url)
    if (url.origin !== this.url.origin) return url
    // A server's own links may lack a key that is in the configured URL, or write it in capitals.
    const there = new Set([...url.searchParams.keys()].map((key) => key.toLowerCase()))
    const missing = this.#carried.filter(([key]) => !there.has(key.toLowerCase()))
    for (const [key, value] of missing) url.searchParams.append(key, value)
    return url
  }

  /** The configured parameters that go along with each link: all but those that ask for the first page. */
  get #carried(): readonly (readonly [key: string, value: string])[] {
    return [...this.url.searchParams].filter(([key, value]) => !placeNames.has(plain(key)) || !firstPlace.test(value))
  }

  /** Without the configured parameters: one of them may be a key, which doesn't belong in the outbox. */
  kept(place: Place): Place {
    if (typeof place !== 'string') return place // the first page
    const url = new URL(place)
    if (url.origin !== this.url.origin) return url.href
    const valuesIn = (of: URL, key: string): string => JSON.stringify(of.searchParams.getAll(key))
    for (const [own] of this.#carried)
      for (const key of [...url.searchParams.keys()].filter((each) => each.toLowerCase() === own.toLowerCase()))
        if (valuesIn(url, key) === valuesIn(this.url, own)) url.searchParams.delete(key)
    return url.href
  }
}

/** `$skip` and `page[number]` as `skip` and `pagenumber`. */
const plain = (key: string): string => key.toLowerCase().replace(/[^a-z]/g, '')

/** What parameters are called that say where a page begins; the link to the next page may call its own otherwise. */
const placeNames = new Set(
  (
    'page p pageno pagenum pagenumber pageindex currentpage pageoffset pagecursor pageafter ' +
    'offset resultoffset start startindex startat startrow startrecord startposition displaystart idisplaystart skip ' +
    'from first firstresult cursor cursormark after marker'
  ).split(' '),
)
const firstPlace = /^(0|1|\*|)$/
