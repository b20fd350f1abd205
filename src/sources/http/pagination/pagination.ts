/** What every way of cutting a list into pages has to say. */

/** Where a page is: its number, its offset, its cursor or its link; undefined before the first cursor or link. */
export type Place = number | string | undefined

/** What an answer says of its own place in the list. */
export interface Page {
  readonly items: readonly unknown[]
  readonly total: number | undefined
  /** Where the next page is, as far as the answer itself says it. */
  readonly next: string | undefined
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
  /** Where the item `index` of a page stands; `before` items came before that page. */
  position(place: Place, before: number, index: number): string
}
