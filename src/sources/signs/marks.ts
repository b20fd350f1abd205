/** What an answer reliably says of its whole list: how long it is, and whether it goes on. */
import { isTree } from '../../tasks/json/tree.js'
import { exactnessOf } from './exactness.js'
import type { Member } from './members.js'
import { wholeOf } from './tree.js'

const totalNames =
  /^(total_?(count|(item|result|element|record|row|hit|feature)s)?|number_?matched|records_?total|(__|@\w+\.)count)$/i
const pagesNames = /^(total_?pages|page_?count|num_?pages|last_?page)$/i
const moreNames = /^(has_?more|has_?next(_?page)?|more(_?(items|results|data))?|exceeded_?transfer_?limit)$/i
const lastNames = /^(is_?last(_?page)?|last)$/i

/** Names of members that lead to the next page. */
export const nextNames = {
  cursor: /^(next(_?(cursor|token|page_?token|page_?cursor))?|end_?cursor|continuation(_?token)?)$/i,
  link: /^(next(_?(url|uri|link|page|page_?url|page_?link|records_?url))?|(@\w+|odata)\.nextLink|__next)$/i,
}

/** How many levels of objects are searched: `meta.pagination.links.next`. */
export const deepest = 4

/** The members that may be the number of all items. */
export function totalsIn(members: readonly Member[]): readonly Member[] {
  // Elasticsearch has {"total": {"value": 250}}, which may be a lower bound: no other number is its total.
  return closest(members, (value) => wholeOf(value) !== undefined || isTree(value), totalNames)
}

/** What such objects count is none of the list's, unless it's in them. */
const ofOthers = /(^|\.)(_?shards|_?clusters|nodes|hosts|rate(_?limits?)?)\./i

/** The members that fit: the outermost of those near the list; without such, any. */
function closest(members: readonly Member[], fits: (value: unknown) => boolean, names: RegExp): readonly Member[] {
  const found = members.filter(({ key = '', value }) => names.test(key) && fits(value))
  const near = found.filter(({ isNear }) => isNear)
  const outermost = Math.min(...near.map(({ level }) => level))
  return near.length > 0
    ? near.filter(({ level }) => level === outermost)
    : found.filter(({ at }) => !ofOthers.test(at))
}

/** The number of all pages. */
export function pagesIn(members: readonly Member[]): number | undefined {
  const [only, ...others] = closest(members, (value) => wholeOf(value) !== undefined, pagesNames)
  return only && others.length === 0 && exactnessOf(only) === 'exact' ? wholeOf(only.value) : undefined
}

/** Whether the answer says that more follows, or that nothing does. */
export function hasMore(members: readonly Member[]): boolean | undefined {
  const isFlag = (value: unknown): boolean => typeof value === 'boolean'
  const more = closest(members, isFlag, moreNames).map(({ value }) => value === true)
  const last = closest(members, isFlag, lastNames).map(({ value }) => value !== true)
  const [first, ...others] = more.length > 0 ? more : last
  return others.every((other) => other === first) ? first : undefined
}
