/** How long an answer says that its list is. */
import { type Found, shapeOf, valueAt, wholeOf } from '../../signs/tree.js'
import type { Options } from '../options.js'
import { type Answer, headerOf } from '../request.js'
import { only, type Wrong } from './index.js'

/**
 * The number of all items.
 *
 * @param totals what may be it, by its name
 */
export function totalIn(
  json: unknown,
  totals: readonly Found[],
  headers: Answer['headers'],
  { total: path }: Options,
  isFirst: boolean,
  wrong: Wrong,
): number | undefined {
  if (path === false) return undefined
  if (path !== undefined) {
    const total = wholeOf(valueAt(json, path))
    // Some servers count for the first page only.
    if (total === undefined && isFirst)
      throw wrong(`has no whole number at ${path}; ${shapeOf(json)}`, 'Correct source.total.')
    return total
  }
  return wholeOf(headerOf(headers, 'x-total-count')) ?? wholeOf(only('total', totals, wrong)?.value)
}
