/** Answers that were saved as a file: whether one is the whole list, by what it says itself. */
import { deepest, hasMore, nextNames, pagesIn, totalsIn } from './marks.js'
import { refusalIn } from './refusal.js'
import { excerpt, find, linksIn, nextOf, wholeOf } from './tree.js'

/** Numbers that may be those of the items in the answer itself: there are no more than that in all. */
const countNames = /^(count|number_?returned|number_?of_?elements|results?_?count|num_?(found|results)|n?hits)$/i

/**
 * Why a document isn't the whole list: `says that more follows`. Undefined where it says nothing of the kind.
 *
 * @param items how many items it has
 */
export function partIn(document: unknown, items: number): string | undefined {
  const refusal = refusalIn(document)
  if (refusal) return `says that it is an error: ${refusal.said}`
  const more = hasMore(document)
  if (more) return 'says that more follows'
  const next = more === undefined ? nextPlace(document) : undefined
  if (next !== undefined) return `says that it goes on at ${excerpt(next)}`
  const pages = pagesIn(document) ?? 1
  if (pages > 1) return `says that it is one of ${pages} pages`
  const counts = [...totalsIn(document), ...find(document, isCount, countNames)]
  const most = Math.max(0, ...counts.map(({ value }) => wholeOf(value) ?? 0))
  return most > items ? `says that it has ${most} items, but ${items} are in it` : undefined
}

const isCount = (value: unknown): boolean => wholeOf(value) !== undefined

/** Where it goes on: a link, a cursor, or one in a list of links. */
function nextPlace(document: unknown): string | undefined {
  const leadsOn = (value: unknown): boolean => nextOf(value) !== undefined
  const [next] = [nextNames.link, nextNames.cursor].flatMap((names) => find(document, leadsOn, names, deepest))
  if (next) return nextOf(next.value)
  const links = find(document, (value) => linksIn(value).length > 0, /^_?links?$/i)
  return links.flatMap(({ value }) => linksIn(value)).find(({ relation }) => relation === 'next')?.href
}
