/** Signs in an answer and its headers that its list has more than was read. */
import { nextOf } from '../../signs/links.js'
import type { Member } from '../../signs/members.js'
import { anyWay, isSilent, linkHint, type Sign, signsIn } from '../../signs/more.js'
import type { Options } from '../options.js'
import type { Page } from '../pagination/index.js'
import { nextLink } from '../pagination/link-header.js'
import { membersOfHeader } from './headers.js'
import { limitsIn } from './limits.js'
import { type Answer, headerOf } from './received.js'

/**
 * @param beside the members beside the list
 * @param others signs that only the answers before show
 */
export function signsOf(
  beside: readonly Member[],
  { headers, url, status }: Answer,
  given: Options,
  others: readonly Sign[],
): Pick<Page, 'signs' | 'isSilent' | 'limits'> {
  const headerMembers = Object.keys(headers).flatMap((name) => membersOfHeader(name, headerOf(headers, name)))
  const members = [...beside, ...headerMembers]
  const inHeaders = [...linkHeader(headers), ...range(headers, status, given.pagination.type)]
  const signs = [...signsIn(members, new Set(url.searchParams.values())), ...inHeaders, ...others]
  return {
    signs: signs.filter((sign) => (sign.kind === 'items' ? isOpen(sign, given) : given.next !== false)),
    isSilent: inHeaders.length === 0 && isSilent(members),
    limits: limitsIn(members, new URL(given.url)),
  }
}

/** Whether a sign of more items counts: source.total settles it, unless the answer says that its number is none. */
const isOpen = ({ at, exactness }: Sign, { total }: Options): boolean =>
  total === undefined || (exactness === 'at least' && (total === at || `${total}`.startsWith(`${at}.`)))

function linkHeader(headers: Answer['headers']): Sign[] {
  try {
    const said = nextOf(nextLink(headerOf(headers, 'link')))
    return said === undefined ? [] : [{ at: 'the header link', said, kind: 'next', atLeast: 0, hint: linkHint }]
  } catch {
    return [] // if it is followed, that was an error already
  }
}

/**
 * Content-Range: items 0-99/250. Without a total, 206 says that the first items aren't all, and, for links and cursors,
 * that the last answer isn't the end.
 */
function range(headers: Answer['headers'], status: number, type: Options['pagination']['type']): Sign[] {
  const isPart = status === 206
  const said = headerOf(headers, 'content-range')
  if (said === '' || /^bytes\b/i.test(said)) {
    const isLast = type === 'link' || type === 'cursor'
    return isPart && isLast
      ? [{ at: 'its status', said: '206 Partial Content', kind: 'more', atLeast: 0, hint: anyWay }]
      : []
  }
  const sign = { at: 'the header content-range', said, hint: anyWay }
  const total = { at: sign.at, key: undefined, name: 'total', value: said.replace(/^.*\//, '') }
  const counts = signsIn([{ ...total, beside: {}, isNear: true, level: 0 }])
  if (counts.length > 0) return counts.map((each) => ({ ...each, said }))
  return isPart && /\b0-/.test(said) ? [{ ...sign, kind: 'more', atLeast: 0 }] : []
}
