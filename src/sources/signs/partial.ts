/** Whether an answer that was saved as a file is the whole list, by what it says itself. */
import { exactJson } from '../../tasks/json/exact.js'
import { laterPage, limitIn } from './earlier.js'
import { hasMore, totalsIn } from './marks.js'
import { membersOf } from './members.js'
import { countInWords, isSilent, type Sign, signsIn } from './more.js'
import { refusalIn } from './refusal.js'
import { oneLine } from './tree.js'

/**
 * Why a document isn't the whole list: `says that more follows`. Undefined if it says nothing of the kind.
 *
 * @param items how many items it has
 * @param list the path of its list
 */
export function partIn(document: unknown, items: number, list?: string): string | undefined {
  const refusal = refusalIn(document)
  if (refusal) return `says that it is an error: ${refusal.said}`
  const members = membersOf(document, list)
  const more = hasMore(members)
  if (more) return 'says that more follows'
  const signs = signsIn(members)
  for (const kind of ['next', 'more', 'lacking', 'pages', 'items'] as const) {
    const most = { next: 0, more: 0, lacking: 0, pages: 1, items }[kind]
    const sign = signs.find((each) => each.kind === kind && (most === 0 || each.atLeast > most))
    if (sign && (kind !== 'next' || more === undefined)) return signInWords(sign, items)
  }
  const later = laterPage(members)
  if (later) return `says that it isn't the first page: ${later.at} is ${oneLine(exactJson(later.value) ?? '')}`
  const limit = isSilent(members) && totalsIn(members).length === 0 ? limitIn(members, items) : undefined
  return limit && `has ${items} items, the most that ${limit.at} allows, and doesn't say that these are all`
}

function signInWords(sign: Sign, items: number): string {
  const { kind, at, said } = sign
  if (kind === 'next') return `says that it goes on at ${oneLine(said)}`
  if (kind === 'more') return `says that more follows: ${at} is ${said}`
  if (kind === 'lacking') return `says that something is missing: ${at} is ${said}`
  if (kind === 'pages') return `says that it is one of ${countInWords(sign)} pages`
  return `says that it has ${countInWords(sign)} items, but ${items} are in it`
}
