/** Whether pages have places in them, and whether a page without any is one of the list at all. */
import { ConfigurationError, TransientError } from '../../../errors/index.js'
import { isMalformed } from '../../../plugin.js'
import { placeOf } from '../../../tasks/place.js'
import { Rejection } from '../../../tasks/rejection.js'
import { isRow } from '../answer/lines.js'
import type { Page } from '../pagination/index.js'
import { keyOf } from './places.js'

type Item = Page['records'][number]

/** The most pages in a row, and items in them, without anything usable: no list of places has more. */
const maxUseless = { pages: 3, items: 20, ofAnySize: 10 }

export class Usefulness {
  #useless = { pages: 0, items: 0 }
  /** The names in places so far, and in a record of sums before or behind them. */
  readonly #names = new Set<string>()

  /** Whether any page had a place. */
  get wasUseful(): boolean {
    return this.#names.size > 0
  }

  /** Throws if there were too many pages without a place in a row. */
  add(page: Page, named: string): void {
    const { records, count } = page
    const place = records.find(isPlace)
    if (place !== undefined || count === 0) {
      this.#useless = { pages: 0, items: 0 }
      for (const item of place ? [place, records[0], records.at(-1)] : [])
        if (item && !isMalformed(item)) for (const name of Object.keys(item)) this.#names.add(name)
      return
    }
    const { pages, items } = this.#useless
    this.#useless = { pages: pages + 1, items: items + count }
    const isEnough = pages + 1 >= maxUseless.pages && items + count >= maxUseless.items
    if (!isEnough && pages + 1 < maxUseless.ofAnySize) return
    const message = `${named} and ${pages} before it have nothing usable in them: ${reasonIn(records)}.`
    const hint = 'Correct source.items, source.fields or source.pagination.'
    throw this.wasUseful ? new TransientError(message, { hint }) : new ConfigurationError(message, { hint })
  }

  /**
   * Whether a page has items, but none that is anything like the places before it: `[{"message": "come back later"}]`,
   * or a gateway's text. A place without its coordinates has at least a name or an id, as others have.
   */
  isForeign({ count, records }: Page): boolean {
    return this.wasUseful && count > 0 && !records.some((item) => this.#isLikePlaces(item))
  }

  #isLikePlaces(item: Item): boolean {
    if (!isMalformed(item)) return Object.keys(item).some((name) => this.#names.has(name))
    // A row with too few or too many values, or an object or an array that can't be read.
    return item.field !== undefined || /^\s*[{[].*\w/s.test(item.value) || isRow(item.value.split(/[,;\t|]/))
  }
}

const isPlace = (item: Item): boolean => keyOf(item) !== undefined

export function reasonIn([first]: readonly Item[]): string {
  if (first === undefined) return 'its items are empty'
  if (isMalformed(first)) return first.reason
  const place = placeOf(first)
  return place instanceof Rejection ? place.reason : ''
}
