/** What all kinds of pagination have in common. */
import type { Location, Malformed } from '../../../plugin.js'
import type { Doubt } from '../../signs/doubt.js'
import type { Sign } from '../../signs/more.js'
import type { Limit } from '../answer/limits.js'

/** Where a page is: its number, offset, cursor or link; undefined for the first page of cursors and links. */
export type Place = number | string | undefined

/** A page: its records, and what it says of the list. */
export interface Page {
  /** Its items, including those without any value. */
  readonly count: number
  /** Its items and headers, since a server's limit may count both. */
  readonly rows: number
  readonly records: readonly (Location | Malformed)[]
  /** Where a record is in the page: the index of its item, or words that follow those for the page. */
  position(index: number, field?: string): number | string
  /** All of a record's item as text; undefined if some of it wasn't kept. */
  textOf(index: number): string | undefined
  /** Differs from one page to the next. */
  readonly mark: string
  /** Items in the whole list. */
  readonly total: number | undefined
  /** Pages in the whole list. */
  readonly pages: number | undefined
  /** What leads to the next page, if the answer says so. */
  readonly next: string | undefined
  /** Whether the answer says that more follows, or that nothing does. */
  readonly hasMore: boolean | undefined
  /** Whether the next page is named in a list of links. */
  readonly hasLinks: boolean
  /** Signs that the list has more than this page, whether they are followed or not. */
  readonly signs: readonly Sign[]
  /** Whether it says neither that there is more nor that there is none. */
  readonly isSilent: boolean
  /** The most items that it could have, by its request or by itself. */
  readonly limits: readonly Limit[]
  /** Why an empty page may be a failure, not the end. */
  readonly doubt: Doubt | undefined
}

export const emptyPage: Page = {
  count: 0,
  rows: 0,
  records: [],
  position: (index) => index,
  textOf: () => undefined,
  mark: '',
  total: undefined,
  pages: undefined,
  next: undefined,
  hasMore: undefined,
  hasLinks: false,
  signs: [],
  isSilent: true,
  limits: [],
  doubt: undefined,
}

export interface Pagination {
  readonly type: 'page' | 'offset' | 'cursor' | 'link'
  /** Whether the next place follows from counting, not from the answer. */
  readonly isCounted: boolean
  /** Items per request; undefined if the server decides. */
  readonly limit: number | undefined
  readonly start: Place
  /** Items before the first page. */
  readonly before: number
  urlOf(place: Place): URL
  /** The place after a page; undefined after the last one. */
  after(place: Place, page: Page): Place
  /** A place as the checkpoint stores it. */
  kept(place: Place): Place
  /** A record's position in the list; `before` items came before its page. */
  position(place: Place, before: number, at: number | string): string
}
