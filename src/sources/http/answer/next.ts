/** Finds what leads to the next page: a cursor, a link in the body, or one in the header `Link`. */
import { ConfigurationError, toError } from '../../../errors/index.js'
import { type Link, leadsToNext, linksIn, nextOf } from '../../signs/links.js'
import { deepest, nextNames } from '../../signs/marks.js'
import { find, memberAt } from '../../signs/tree.js'
import type { Options } from '../options.js'
import { nextLink } from '../pagination/link-header.js'
import { only, type Wrong } from './candidates.js'
import { type Answer, headerOf } from './received.js'

interface Next {
  /** The cursor or the link; undefined if there is none. */
  readonly next: string | undefined
  /** Whether the answer has a list of links that includes the next page. */
  readonly hasLinks: boolean
}

/** What leads to the next page, if the answer says so. */
export function nextIn(
  json: unknown,
  answer: Answer,
  { next: path, pagination: { type } }: Options,
  wrong: Wrong,
): Next {
  const withoutLinks = (next: string | undefined): Next => ({ next, hasLinks: false })
  if (path === false) return withoutLinks(undefined)
  if (type === 'cursor')
    return withoutLinks(path === undefined ? inBody(json, 'cursor', wrong) : nextOf(memberAt(json, path)))
  if (type === 'link') return withoutLinks(linkIn(json, answer, path, wrong))
  if (type !== undefined || path !== undefined) return withoutLinks(undefined)
  // Without source.pagination.type, only a list of links leads on.
  const related = relatedNext(json, wrong)
  return { next: absolute(related?.href, answer.url, wrong), hasLinks: related !== undefined }
}

function linkIn(json: unknown, { headers, url }: Answer, path: string | undefined, wrong: Wrong): string | undefined {
  if (path !== undefined) return absolute(nextOf(memberAt(json, path)), url, wrong)
  return (
    linkedNext(headerOf(headers, 'link'), url, wrong) ??
    absolute(relatedNext(json, wrong)?.href ?? inBody(json, 'link', wrong), url, wrong)
  )
}

const inBody = (json: unknown, type: 'cursor' | 'link', wrong: Wrong): string | undefined => {
  const fits = (value: unknown): boolean => leadsOn(value) && (type === 'cursor' ? !isLink(value) : !isNumber(value))
  return nextOf(
    only(
      'next',
      find(json, (value, key) => nextNames[type].test(key) && fits(value), deepest),
      wrong,
    )?.value,
  )
}

const leadsOn = (value: unknown): boolean => nextOf(value) !== undefined

/** Whether a value is clearly a link, and so no cursor. */
const isLink = (value: unknown): boolean => /^(https?:\/\/|\?|\/[^?]*\?)/.test(nextOf(value) ?? '')

const isNumber = (value: unknown): boolean => typeof value === 'number' || typeof value === 'bigint'

/** The target of `rel="next"` in a `Link` header. */
export function linkedNext(header: string, base: URL, wrong: Wrong): string | undefined {
  try {
    return absolute(nextOf(nextLink(header)), base, wrong)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw wrong(
      `has a Link header that can't be read: ${toError(error).message}`,
      'Name in source.next where the answer itself has its next link.',
    )
  }
}

function absolute(link: string | undefined, base: URL, wrong: Wrong): string | undefined {
  if (link === undefined) return undefined
  if (!URL.canParse(link, base.href))
    throw wrong(`has a next link that is no URL: ${link.slice(0, 100)}`, 'Correct source.next.')
  return new URL(link, base).href
}

/** The link with the relation `next` in a list of links; of several, the one to JSON. */
function relatedNext(json: unknown, wrong: Wrong): Link | undefined {
  const lists = find(json, (value, key) => /^_?links?$/i.test(key) && linksIn(value).length > 0)
  const found = lists.flatMap(({ value }) => linksIn(value)).filter(leadsToNext)
  const [next, ...others] = found.length > 1 ? found.filter(({ type }) => /json/i.test(type)) : found
  if (next && others.some(({ href }) => href !== next.href))
    throw wrong('has more than one link to its next page', 'Name the right one in source.next.')
  if (next && next.method.toUpperCase() !== 'GET')
    throw new ConfigurationError(`The next page must be asked for by ${next.method}; owm asks by GET only.`, {
      hint: 'Use an address of the list that is paged by GET, or ask for all of it in one page.',
    })
  return next ?? found[0]
}
