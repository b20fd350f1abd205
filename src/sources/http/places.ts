/** What tells the places of a page apart: the rest of an item may be another in each answer, such as a temperature. */
import { hash } from 'node:crypto'
import { isMalformed } from '../../plugin.js'
import { exactJson } from '../../tasks/json/exact.js'
import { placeOf } from '../../tasks/place.js'
import { Rejection } from '../../tasks/rejection.js'
import type { Page } from './pagination/index.js'

type Item = Page['records'][number]

/** Undefined for what is no place. */
function keyOf(item: Item): string | undefined {
  const place = isMalformed(item) ? undefined : placeOf(item)
  return place === undefined || place instanceof Rejection ? undefined : place.key
}

const textOf = (item: Item): string => keyOf(item) ?? (isMalformed(item) ? item.value : (exactJson(item) ?? ''))

/** Whether a page has a place that none of the others has: at the end of a list servers give their pages once more. */
export function hasNew({ records }: Page, others: readonly Page[]): boolean {
  const known = new Set(others.flatMap((page) => page.records.map(keyOf)))
  return records.map(keyOf).some((key) => key !== undefined && !known.has(key))
}

/** The same for a page with the same places in the same order. */
export const hashOf = ({ records }: Page): string => hash('sha256', JSON.stringify(records.map(textOf))).slice(0, 16)
