/**
 * Compares pages by their places: the rest of an item, such as a temperature, may differ in each answer. Only an item
 * that is on two pages must be the same in all of it: a list of measurements has each place often.
 */
import { hash } from 'node:crypto'
import { isMalformed } from '../../../plugin.js'
import { exactJson } from '../../../tasks/json/exact.js'
import { placeOf } from '../../../tasks/place.js'
import { Rejection } from '../../../tasks/rejection.js'
import type { Page, Place } from '../pagination/index.js'

type Item = Page['records'][number]

/** What identifies an item's place; undefined for an invalid one. */
export function keyOf(item: Item): string | undefined {
  const place = isMalformed(item) ? undefined : placeOf(item)
  return place === undefined || place instanceof Rejection ? undefined : place.key
}

const itemInText = (item: Item): string => keyOf(item) ?? (isMalformed(item) ? item.value : (exactJson(item) ?? ''))

/** Whether a page has a place that none of the others has: past the end of a list, some servers repeat pages. */
export function hasNew({ records }: Page, others: readonly Page[]): boolean {
  const known = new Set(others.flatMap((page) => page.records.map(keyOf)))
  return records.map(keyOf).some((key) => key !== undefined && !known.has(key))
}

/** Equal for pages with the same places in the same order. */
export const hashOf = ({ records }: Page): string =>
  hash('sha256', JSON.stringify(records.map(itemInText))).slice(0, 16)

/**
 * Items that are on more than one page. With pages by number or offset, that is how a server looks that orders the list
 * differently for each answer: as many items as it has come, but some twice, and others never.
 */
export class Overlap {
  /** Hash of an item -> the first page that it was on. */
  readonly #pages = new Map<number, Place>()
  /** Items of a page that were on an earlier one, in all. */
  shared = 0
  /** Two pages that share items. */
  between: readonly [Place, Place] | undefined
  /** Whether a single page has an item twice: then the list itself has some twice. */
  hasDoubles = false

  add(page: Page, here: Place): void {
    const own = new Set<number>()
    for (const [index, record] of page.records.entries()) {
      const text = keyOf(record) === undefined ? undefined : page.textOf(index)
      if (text === undefined) continue
      const item = Number.parseInt(hash('sha256', text).slice(0, 13), 16)
      if (own.has(item)) this.hasDoubles = true
      else if (this.#pages.has(item)) {
        this.shared++
        this.between ??= [this.#pages.get(item), here]
      }
      own.add(item)
    }
    for (const item of own) if (!this.#pages.has(item)) this.#pages.set(item, here)
  }
}
