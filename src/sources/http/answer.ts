/** What an answer says: its items, the total, and where the next page is. */
import { ConfigurationError, TransientError, toError } from '../../errors/index.js'
import { masked } from './credentials.js'
import { refused } from './errors.js'
import type { Options } from './options.js'
import type { Page, Pagination } from './pagination/index.js'
import { linkTo } from './pagination/link-header.js'
import { type Answer, headerOf, isGood } from './request.js'
import { excerpt, type Found, find, isTree, nextOf, shapeOf, valueAt, wholeOf } from './tree.js'

const totalNames = /^(total(_?(count|items|results|elements|records|rows|hits))?|@odata\.count)$/i
const nextNames = {
  cursor: /^next(_?(cursor|token|page_?token))?$/i,
  link: /^(next(_?(url|uri|link|page_?url))?|@odata\.nextLink)$/i,
}

/** What doesn't fit in an answer is the configuration's fault while nothing has come, else a server's bad moment. */
type Wrong = (what: string, hint: string) => Error

export class Reader {
  readonly #given: Options
  readonly #type: Pagination['type']
  readonly #secrets: readonly string[]
  /** Where the items were found in an earlier answer. */
  #itemsAt: string | undefined

  constructor(given: Options, secrets: readonly string[]) {
    this.#given = given
    this.#type = given.pagination.type
    this.#secrets = secrets
    this.#itemsAt = given.items
  }

  /**
   * @param where the page, in words
   * @param isFirst nothing has come yet
   */
  pageOf(answer: Answer, where: string, isFirst: boolean): Page {
    const text = answer.body.toString()
    if (!isGood(answer.status)) throw refused(answer, where, masked(excerpt(text), this.#secrets))
    if (answer.status === 204) return { items: [], total: undefined, next: undefined }
    const json = this.#json(answer, text, where)
    const Class = isFirst ? ConfigurationError : TransientError
    const wrong: Wrong = (what, hint) => new Class(`The answer of ${where} ${what}.`, { hint })
    return {
      items: this.#items(json, wrong),
      total: this.#total(json, answer, isFirst, wrong),
      next: this.#type === 'cursor' || this.#type === 'link' ? this.#next(json, answer, this.#type, wrong) : undefined,
    }
  }

  #json({ headers }: Answer, text: string, where: string): unknown {
    try {
      return JSON.parse(text.replace(/^\ufeff/, ''))
    } catch (error) {
      const kind = headerOf(headers, 'content-type') || 'no content type'
      throw new TransientError(`${where} gave no JSON (${kind}): ${masked(toError(error).message, this.#secrets)}`)
    }
  }

  #items(json: unknown, wrong: Wrong): readonly unknown[] {
    if (this.#itemsAt === undefined && !Array.isArray(json)) {
      const lists = find(json, (value) => Array.isArray(value) && value.some(isTree))
      const empty = (): Found[] => find(json, (value) => Array.isArray(value) && value.length === 0)
      this.#itemsAt = only('items', lists.length > 0 ? lists : empty(), wrong)?.at
      if (this.#itemsAt === undefined)
        throw wrong(`has no list of objects; ${shapeOf(json)}`, 'Name where the items are in source.items.')
    }
    const list = this.#itemsAt === undefined ? json : valueAt(json, this.#itemsAt)
    const items: unknown = list === null ? [] : list // as some servers write an empty list
    if (!Array.isArray(items)) throw wrong(`has no list at ${this.#itemsAt}; ${shapeOf(json)}`, 'Correct source.items.')
    return items
  }

  #total(json: unknown, { headers }: Answer, isFirst: boolean, wrong: Wrong): number | undefined {
    const { total: path } = this.#given
    if (path === false) return undefined
    if (path !== undefined) {
      const total = wholeOf(valueAt(json, path))
      // Some servers count for the first page only.
      if (total === undefined && isFirst)
        throw wrong(`has no whole number at ${path}; ${shapeOf(json)}`, 'Correct source.total.')
      return total
    }
    const counted = (value: unknown): boolean => wholeOf(value) !== undefined
    return (
      wholeOf(headerOf(headers, 'x-total-count')) ??
      wholeOf(only('total', find(json, counted, totalNames), wrong)?.value)
    )
  }

  #next(json: unknown, { headers, url }: Answer, type: 'cursor' | 'link', wrong: Wrong): string | undefined {
    const { next: path } = this.#given
    const header = type === 'link' && path === undefined ? linked(headerOf(headers, 'link'), wrong) : undefined
    const leadsOn = (value: unknown): boolean => nextOf(value) !== undefined
    const found =
      path === undefined
        ? (header ?? only('next', find(json, leadsOn, nextNames[type]), wrong)?.value)
        : valueAt(json, path)
    const next = nextOf(found)
    return type === 'link' && next !== undefined ? new URL(next, url).href : next
  }
}

/** The target of `rel="next"` in a `Link` header. */
function linked(header: string, wrong: Wrong): string | undefined {
  try {
    return linkTo('next', header)
  } catch (error) {
    throw wrong(
      `has a Link header that can't be read: ${toError(error).message}`,
      'Name in source.next where the answer itself has its next link.',
    )
  }
}

/** The one candidate for an option. Throws where there are several, with different values. */
function only(option: 'items' | 'total' | 'next', found: readonly Found[], wrong: Wrong): Found | undefined {
  if (new Set(found.map(({ value }) => value)).size <= 1) return found[0]
  throw wrong(
    `has more than one that may be its ${option}: ${found.map(({ at }) => at).join(', ')}`,
    `Name the right one in source.${option}.`,
  )
}
