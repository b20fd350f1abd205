/** What every way of cutting a list into pages has to say. */
import type { Location, Malformed } from '../../../plugin.js'
import type { Doubt } from '../../signs/doubt.js'
import type { Sign } from '../../signs/signs.js'

/** Where a page is: its number, its offset, its cursor or its link; undefined before the first cursor or link. */
export type Place = number | string | undefined

/** A page: its records, and what it says of the list. */
export interface Page {
  /** Items in it, those without any value included. */
  readonly count: number
  /** Items and headers, since a server's limit may count both. */
  readonly rows: number
  readonly records: readonly (Location | Malformed)[]
  /** Where a record stands in the page: the index of its item, or words to be put behind the page's own. */
  position(index: number, field?: string): number | string
  /** Tells two pages apart. */
  readonly mark: string
  /** Items in the whole list. */
  readonly total: number | undefined
  /** Pages in the whole list. */
  readonly pages: number | undefined
  /** Where the next page is, as far as the answer itself says it. */
  readonly next: string | undefined
  /** Whether the answer says that more follows, or that nothing does. */
  readonly hasMore: boolean | undefined
  /** Whether the next page is named in a list of links. */
  readonly hasLinks: boolean
  /** What says that the list has more than this page, followed or not. */
  readonly signs: readonly Sign[]
  /** Whether it says nothing of that, nor that there is no more. */
  readonly isSilent: boolean
  /** Why an empty page may be a failure, and not the end. */
  readonly doubt: Doubt | undefined
}

export const emptyPage: Page = {
  count: 0,
  rows: 0,
  records: [],
  position: (index) => index,
  mark: '',
  total: undefined,
  pages: undefined,
  next: undefined,
  hasMore: undefined,
  hasLinks: false,
  signs: [],
  isSilent: true,
  doubt: undefined,
}

export interface Pagination {
  readonly type: 'page' | 'offset' | 'cursor' | 'link'
  /** Whether the next place follows from counting, not from the answer. */
  readonly isCounted: boolean
  /** Items that are asked for at once; undefined where the server decides. */
  readonly limit: number | undefined
  readonly start: Place
  /** Items before the first page. */
  readonly before: number
  urlOf(place: Place): URL
  /** The place after a page; undefined after the last one. */
  after(place: Place, page: Page): Place
  /** A place as the checkpoint keeps it. */
  kept(place: Place): Place
  /** Where a record of a page stands; `before` items came before that page. */
  position(place: Place, before: number, at: number | string): string
}

/** Where a record stands in a list whose pages have no numbers: `before` items came before its page. */
export function positionBehind(before: number, at: number | string): string {
  if (typeof at === 'number') return `item ${before + at + 1}`
  return `${before === 0 ? 'the first page' : `the page behind item ${before}`}${at}`
}
