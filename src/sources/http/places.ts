/** Compares pages by their places: the rest of an item, such as a temperature, may differ in each answer. */
import { hash } from 'node:crypto'
import { isMalformed } from '../../plugin.js'
import { exactJson } from '../../tasks/json/exact.js'
import { placeOf } from '../../tasks/place.js'
import { Rejection } from '../../tasks/rejection.js'
import type { Page } from './pagination/index.js'

type Item = Page['records'][number]

/** Undefined for an invalid place. */
function keyOf(item: Item): string | undefined {
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
