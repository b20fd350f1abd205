/** What an answer says of the list as a whole: how long it is, and whether it goes on. */
import { type Found, find, wholeOf } from './tree.js'

const totalNames =
  /^(total_?(count|items|results|elements|records|rows|hits|features)?|number_?matched|records_?total|@odata\.count)$/i
const pagesNames = /^(total_?pages|page_?count|num_?pages|last_?page)$/i
const moreNames = /^(has_?more|has_?next(_?page)?|more(_?(items|results|data))?|exceeded_?transfer_?limit)$/i
const lastNames = /^(is_?last(_?page)?|last)$/i

/** Under which names an answer has where its list goes on. */
export const nextNames = {
  cursor: /^(next(_?(cursor|token|page_?token|page_?cursor))?|end_?cursor|continuation(_?token)?)$/i,
  link: /^(next(_?(url|uri|link|page|page_?url|page_?link|records_?url))?|@odata\.nextLink)$/i,
}

/** The numbers that may be that of all items. */
export const totalsIn = (json: unknown): Found[] => told(json, isCount, totalNames)

const isCount = (value: unknown): boolean => wholeOf(value) !== undefined

/** Levels of objects in which something is looked for: `meta.pagination.links.next`. */
export const deepest = 4

/** What an answer says of itself: at its two outermost levels, or deeper inside of `meta`, `pagination` or the like. */
function told(json: unknown, fits: (value: unknown) => boolean, names: RegExp): Found[] {
  const near = find(json, fits, names)
  if (near.length > 0) return near
  return find(json, fits, names, deepest).filter(({ at }) => /meta|pagi|page_?info/i.test(at))
}

/** The number of all pages. */
export function pagesIn(json: unknown): number | undefined {
  const found = told(json, isCount, pagesNames)
  return found.length === 1 ? wholeOf(found[0]?.value) : undefined
}

/** Whether the answer says that more follows, or that nothing does. */
export function hasMore(json: unknown): boolean | undefined {
  const isFlag = (value: unknown): boolean => typeof value === 'boolean'
  const [more, ...others] = told(json, isFlag, moreNames)
  if (more && others.length === 0) return more.value === true
  const [last, ...another] = told(json, isFlag, lastNames)
  return last && another.length === 0 ? last.value !== true : undefined
}
