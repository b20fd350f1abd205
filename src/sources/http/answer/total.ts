/** The length of the whole list, as an answer states it. */
import { totalsIn } from '../../signs/marks.js'
import type { Member } from '../../signs/members.js'
import { memberAt, shapeOf, wholeOf } from '../../signs/tree.js'
import type { Options } from '../options.js'
import { type Answer, headerOf } from '../request.js'
import { type About, only } from './index.js'

/**
 * The number of all items.
 *
 * @param beside the members beside the list
 */
export function totalIn(
  json: unknown,
  beside: readonly Member[],
  headers: Answer['headers'],
  { total: path }: Options,
  { isFirst, wrong }: About,
): number | undefined {
  if (path === false) return undefined
  if (path !== undefined) {
    const total = wholeOf(memberAt(json, path))
    // Some servers give a total with the first page only.
    if (total === undefined && isFirst)
      throw wrong(`has no whole number at ${path}; ${shapeOf(json)}`, 'Correct source.total.')
    return total
  }
  return wholeOf(headerOf(headers, 'x-total-count')) ?? wholeOf(only('total', totalsIn(beside), wrong)?.value)
}
