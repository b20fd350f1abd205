/** The length of the whole list, as an answer states it. */
import { namesItems } from '../../signs/counts.js'
import { exactnessOf } from '../../signs/exactness.js'
import { totalsIn } from '../../signs/marks.js'
import type { Member } from '../../signs/members.js'
import { memberAt, shapeOf, wholeOf } from '../../signs/tree.js'
import type { Options } from '../options.js'
import { type About, only } from './candidates.js'
import { type Answer, headerOf } from './received.js'

/**
 * The number of all items; undefined if the server stopped counting there, or estimates: that ends no list.
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
    return beside.some((each) => isOf(each, path) && exactnessOf(each) === 'at least') ? undefined : total
  }
  const totals = totalsIn(beside)
  const stated = wholeOf(only('total', totals, wrong)?.value)
  return wholeOf(headerOf(headers, 'x-total-count')) ?? (totals.every(isExact) ? stated : undefined)
}

const isExact = (member: Member): boolean => exactnessOf(member) === 'exact'

/** Whether a path leads to a count, or to the number in it: `total.value`, but not `meta.total`. */
const isOf = ({ at, name }: Member, path: string): boolean =>
  path === at || (namesItems(name) && path.replace(/\.[^.]*$/, '') === at)
