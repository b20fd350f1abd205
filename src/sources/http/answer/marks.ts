/** What an answer says of the list as a whole: how long it is, where it goes on, whether it does. */
import { ConfigurationError, toError } from '../../../errors/index.js'
import type { Options } from '../options.js'
import { linkTo } from '../pagination/link-header.js'
import { type Answer, headerOf } from '../request.js'
import { only, type Wrong } from './index.js'
import { type Found, find, type Link, linksIn, nextOf, shapeOf, valueAt, wholeOf } from './tree.js'

const totalNames =
  /^(total_?(count|items|results|elements|records|rows|hits|features)?|number_?matched|records_?total|@odata\.count)$/i
const pagesNames = /^(total_?pages|page_?count|num_?pages|last_?page)$/i
const moreNames = /^(has_?more|has_?next(_?page)?|more(_?(items|results|data))?|exceeded_?transfer_?limit)$/i
const lastNames = /^(is_?last(_?page)?|last)$/i
const nextNames = {
  cursor: /^(next(_?(cursor|token|page_?token|page_?cursor))?|end_?cursor|continuation(_?token)?)$/i,
  link: /^(next(_?(url|uri|link|page|page_?url|page_?link|records_?url))?|@odata\.nextLink)$/i,
}

/** The number of all items. */
export function totalIn(
  json: unknown,
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
  return (
    wholeOf(headerOf(headers, 'x-total-count')) ?? wholeOf(only('total', told(json, isCount, totalNames), wrong)?.value)
  )
}

const isCount = (value: unknown): boolean => wholeOf(value) !== undefined

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

export interface Next {
  /** The cursor or the link; undefined where there is none. */
  readonly next: string | undefined
  /** Whether the answer has a list of links, with one to the next page in it. */
  readonly hasLinks: boolean
  /** Whether it has a link elsewhere, which isn't followed. */
  readonly isUnfollowed: boolean
}

/** Where the next page is, as far as the answer itself says it. */
export function nextIn(
  json: unknown,
  { headers, url }: Answer,
  { next: path, pagination }: Options,
  wrong: Wrong,
): Next {
  const { type } = pagination
  const inList = relatedNext(json, wrong)
  const absolute = (link: string | undefined): string | undefined =>
    link === undefined ? undefined : urlIn(link, url, wrong)
  const leadsOn = (value: unknown): boolean => nextOf(value) !== undefined && (type === 'cursor' || !isNumber(value))
  const named = (of: 'cursor' | 'link'): Found[] => find(json, leadsOn, nextNames[of], deepest)
  const found = (next: string | undefined): Next => ({ next, hasLinks: false, isUnfollowed: false })
  if (type === undefined && path === undefined) {
    const isLinked = named('link').some(({ value }) => /^https?:|^[/?]/.test(nextOf(value) ?? ''))
    const isUnfollowed = !inList && (isLinked || /rel="?next/i.test(headerOf(headers, 'link')))
    return { next: absolute(inList?.href), hasLinks: inList !== undefined, isUnfollowed }
  }
  if (type !== 'cursor' && type !== 'link') return found(undefined)
  if (path !== undefined) {
    const next = nextOf(valueAt(json, path))
    return found(type === 'link' ? absolute(next) : next)
  }
  const inBody = (): string | undefined => nextOf(only('next', named(type), wrong)?.value)
  if (type === 'cursor') return found(inBody())
  return found(linkedNext(headerOf(headers, 'link'), url, wrong) ?? absolute(inList?.href ?? inBody()))
}

/** Levels of objects in which a next page is looked for: `meta.pagination.links.next`. */
const deepest = 4

const isNumber = (value: unknown): boolean => typeof value === 'number' || typeof value === 'bigint'

/** The target of `rel="next"` in a `Link` header. */
export function linkedNext(header: string, base: URL, wrong: Wrong): string | undefined {
  try {
    const target = linkTo('next', header)
    return target === undefined ? undefined : urlIn(target, base, wrong)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw wrong(
      `has a Link header that can't be read: ${toError(error).message}`,
      'Name in source.next where the answer itself has its next link.',
    )
  }
}

function urlIn(link: string, base: URL, wrong: Wrong): string {
  if (!URL.canParse(link, base.href))
    throw wrong(`has a next link that is no URL: ${link.slice(0, 100)}`, 'Correct source.next.')
  return new URL(link, base).href
}

/** The link with the relation `next` in a list of links; of several, the one to JSON. */
function relatedNext(json: unknown, wrong: Wrong): Link | undefined {
  const lists = find(json, (value) => linksIn(value).length > 0, /^_?links?$/i)
  const found = lists.flatMap(({ value }) => linksIn(value)).filter(({ relation }) => relation === 'next')
  const [next, ...others] = found.length > 1 ? found.filter(({ type }) => /json/i.test(type)) : found
  if (next && others.some(({ href }) => href !== next.href))
    throw wrong('has more than one link to its next page', 'Name the right one in source.next.')
  if (next && next.method.toUpperCase() !== 'GET')
    throw new ConfigurationError(`The next page must be asked for by ${next.method}; owm asks by GET only.`, {
      hint: 'Use an address of the list that is paged by GET, or ask for all of it in one page.',
    })
  return next ?? found[0]
}
