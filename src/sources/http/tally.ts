/**
 * How far a list was read, by what its pages say of it: whether it is over, and whether that can be.
 *
 * A list ends where its total is reached, where an answer says that nothing follows, or behind which there is an
 * empty page. What else may end one, a short page, a page that isn't there or the last page once more, is taken for
 * its end only where it can be nothing else, or where source.pagination.end says so.
 */
import { ConfigurationError, type OwmError, ResumePointError, TransientError } from '../../errors/index.js'
import { isMalformed, type Logger } from '../../plugin.js'
import { placeOf } from '../../tasks/place.js'
import { Rejection } from '../../tasks/rejection.js'
import { anyWay, type Sign } from '../signs/signs.js'
import type { Checkpoint } from './checkpoint.js'
import { circle } from './circle.js'
import { nextHints } from './errors.js'
import type { Options } from './options.js'
import { emptyPage, type Page, type Pagination, type Place } from './pagination/index.js'
import { hasNew } from './places.js'

/** Pages in a row, and items in them, in which nothing is usable: no list of places is like that. */
const mostUseless = { pages: 3, items: 20, ofAnySize: 10 }

/** Empty pages in a row, each with a next one. */
const mostEmpty = 10

const pagesHint = `${anyWay} If that is no number of its pages, set source.next to false.`
const totalHint = 'Name the right number in source.total, or set it to false.'

export class Tally {
  readonly #given: Options
  readonly #log: Logger
  /** Items before the page that is read next. */
  count: number
  total: number | undefined
  /** Pages that were read. */
  #pages = 0
  #arePagesKnown = true
  #pagesInAll: number | undefined
  #largest = 0
  #hasChanged = false
  readonly #marks = circle()
  readonly #places = circle()
  /** The first page that has anything in it; undefined where reading goes on behind it. */
  #first: Page | undefined
  #last = emptyPage
  #useless = { pages: 0, items: 0 }
  #wasUseful = false
  /** Empty pages since the last one that wasn't. */
  #empty = 0
  /** What the last page says of the list; of an empty one also how many the one before it said there are. */
  #signs: readonly Sign[] = []

  constructor(given: Options, before: number, log: Logger) {
    this.#given = given
    this.#log = log
    this.count = before
  }

  resume({ count, total, next, pages, doubt }: Checkpoint): void {
    this.count = count
    this.total = total
    // A checkpoint of an older version doesn't say it.
    this.#arePagesKnown = pages !== undefined
    this.#pages = pages ?? 0
    if (doubt !== undefined) throw new ResumePointError(doubt)
    if (next === null && total !== undefined && count < total)
      throw new ResumePointError(`the list ended after ${count} of ${total} items`)
  }

  /** Takes in what the last page that was read says, where reading goes on behind it. */
  goOnBehind(page: Page): void {
    this.#last = page
    this.#signs = page.signs
    this.#largest = page.count
    this.#pagesInAll = page.pages
  }

  get pages(): number {
    return this.#pages
  }

  /** Whether no page has had anything in it. */
  get isEmpty(): boolean {
    return this.#largest === 0
  }

  get isReached(): boolean {
    return this.total !== undefined && this.count >= this.total
  }

  /** Whether a page is the one before it once more. */
  isRepeated({ mark, count }: Page): boolean {
    return count > 0 && mark === this.#last.mark
  }

  /** Whether a page that comes once more, or one that isn't there, can be nothing but the end of the list. */
  isPlainEnd(kind: 'not-found' | 'repeat', limit: number | undefined): boolean {
    if (this.isReached || this.#given.pagination.end === kind) return true
    // The first page may be short, since the server gives fewer than it is asked for; then the others are like it.
    const full =
      this.#pages > 1 || (kind === 'repeat' && this.#given.pagination.end !== 'short') ? this.#largest : limit
    const come = this.#pages > 1 ? this.#last.count : this.#last.rows
    return come < (full ?? 0) || this.#isSaidToEnd
  }

  /** Whether an answer said how much there is, and all of it came. */
  get #isSaidToEnd(): boolean {
    const counts = this.#signs.filter(
      ({ kind, atLeast }) => isCount(kind) && atLeast > (kind === 'items' ? this.#last.count : 1),
    )
    return counts.length > 0 && !counts.some((sign) => this.#isMissed(sign))
  }

  /** Counts a page. Throws where it can't belong to the list. */
  add(page: Page, named: string, { isFirst, isCounted }: { isFirst: boolean; isCounted: boolean }): void {
    const before = this.count
    this.count += page.count
    this.#pages++
    this.#pagesInAll = page.pages ?? this.#pagesInAll
    this.#compare(page.total)
    const isTooMany = this.total !== undefined && this.count > this.total
    if (isCounted && !this.#hasChanged && isTooMany && (isFirst || before >= (this.total ?? 0)))
      throw new ConfigurationError(
        `${named} says that there are ${this.total} items in all, but ${this.count} have come.`,
        { hint: totalHint },
      )
    this.#largest = Math.max(this.#largest, page.count)
    this.#last = page
    if (isFirst || this.#first?.count === 0) this.#first = page
    this.#signs = page.count > 0 ? page.signs : [...page.signs, ...this.#signs.filter(({ kind }) => isCount(kind))]
    this.#empty = page.count > 0 ? 0 : this.#empty + 1
    this.#judge(page, named)
  }

  #compare(total: number | undefined): void {
    if (this.total !== undefined && total !== undefined && total !== this.total) {
      if (!this.#hasChanged)
        this.#log.warn(
          { event: 'total-changed', before: this.total, now: total },
          'the total of the list changed while it was read: places may be missing until the next run',
        )
      this.#hasChanged = true
    }
    this.total = total ?? this.total
  }

  /** Takes back a first page that was empty or of no use: where pages count from 1, page 0 is none of them. */
  takeBackUseless(): void {
    if (this.#wasUseful || this.#pages !== 1) return
    this.count -= this.#last.count
    this.#pages = 0
  }

  #judge({ records, count }: Page, named: string): void {
    const isUseful = records.some((record) => !isMalformed(record) && !(placeOf(record) instanceof Rejection))
    if (isUseful || count === 0) {
      this.#useless = { pages: 0, items: 0 }
      this.#wasUseful ||= isUseful
      return
    }
    const { pages, items } = this.#useless
    this.#useless = { pages: pages + 1, items: items + count }
    const isEnough = pages + 1 >= mostUseless.pages && items + count >= mostUseless.items
    if (!isEnough && pages + 1 < mostUseless.ofAnySize) return
    const message = `${named} and ${pages} before it have nothing usable in them: ${reasonIn(records)}.`
    const hint = 'Correct source.items, source.fields or source.pagination.'
    throw this.#wasUseful ? new TransientError(message, { hint }) : new ConfigurationError(message, { hint })
  }

  /** Whether the list is over behind the last page, of a list whose pages are counted. */
  isOver(limit: number | undefined): boolean {
    const { count, hasMore } = this.#last
    if (hasMore !== undefined) return !hasMore
    if (this.#pagesInAll !== undefined && this.#pages >= this.#pagesInAll && !this.#hasChanged) return true
    // The first page may be short, since the server gives fewer than it is asked for.
    if (this.#given.pagination.end === 'short' && count < Math.min(limit ?? 0, this.#largest)) return true
    // A total that moves, or that may count just the one page, ends no list: the page after it must be empty, or
    // not be there.
    return this.isReached && !this.#hasChanged && !this.#mayCountOnePage && !this.isUnsure(limit)
  }

  get #mayCountOnePage(): boolean {
    return this.#given.total === undefined && this.#pages === 1 && this.#last.count === this.total
  }

  /**
   * Whether full pages have just reached the total, and no answer says itself that the list is over: the total may be
   * the number of pages, or the most that a server counts. So one page more is asked for.
   */
  isUnsure(limit: number | undefined): boolean {
    const { count, rows, isSilent, hasMore } = this.#last
    const isFull = count > 0 && (count === limit || rows === limit || (this.#pages > 1 && count === this.#largest))
    const isAllowed = this.#pages < (this.#given.maxPages ?? Number.POSITIVE_INFINITY)
    const isExact = this.count === this.total && !this.#hasChanged && !this.#mayCountOnePage
    return isExact && isFull && isAllowed && hasMore === undefined && (isSilent || this.saysMore)
  }

  /** Whether the last page says that more follows than was read. */
  get saysMore(): boolean {
    return this.#signs.some((sign) => this.#isMissed(sign))
  }

  /** Whether a page has what isn't on the last page, nor on the first: it isn't one of these once more. */
  isNew(page: Page): boolean {
    const isNew = hasNew(page, [this.#first ?? emptyPage, this.#last])
    if (isNew && !this.#first) throw new ResumePointError(`there is more behind the ${this.total} items of its total`)
    return isNew
  }

  /** Whether a list that isn't counted is over, though an answer names a next page: it does so for ever. */
  isOverAtLast({ count }: Page): boolean {
    const { end } = this.#given.pagination
    return count === 0 && (end === 'empty' || (this.isReached && !this.#hasChanged))
  }

  /** Throws ConfigurationError where the pages go round in a circle, or are empty for ever. */
  goesOn({ mark, count }: Page, next: Place, named: string, { isCounted, type }: Pagination): void {
    const isRepeated = count > 0 && this.#marks(mark)
    if (isRepeated || (!isCounted && next !== undefined && this.#places(String(next)))) {
      const message = `${named} gives what was there before: the pages go round in a circle.`
      if (type === 'cursor' || type === 'link')
        throw new ConfigurationError(message, {
          hint: `${nextHints[type]} If all of the list is in one answer, set source.next to false.`,
        })
      const start = type === 'page' ? ', and is its first page 0 or 1 (source.pagination.start)' : ''
      const sign = this.#signs.find(({ kind }) => kind === 'next')
      throw new ConfigurationError(message, {
        hint:
          (sign ? `Its answers name a next page (${sign.at}). ${sign.hint} ` : '') +
          `Does the server know the parameter by this name (source.pagination.parameters)${start}? ` +
          'If all of the list is in one answer, set source.pagination.type to link; ' +
          'if the server gives its last page again and again, set source.pagination.end to repeat.',
      })
    }
    if (next !== undefined && !isCounted && this.#empty >= mostEmpty && this.#given.maxPages === undefined)
      throw new ConfigurationError(`${named} and ${this.#empty - 1} before it are empty, but each names a next page.`, {
        hint:
          'If an empty page is the end of this list, set source.pagination.end to empty; ' +
          'if it really has so many of them, set source.maxPages.',
      })
  }

  /** Throws ConfigurationError where no more pages may be read. */
  mayGoOn(): void {
    const { maxPages } = this.#given
    if (maxPages !== undefined && this.#pages >= maxPages)
      throw new ConfigurationError(`The list goes on behind ${maxPages} pages, which source.maxPages allows.`, {
        hint: 'If it is really so long, raise source.maxPages; what was read is safe in the outbox.',
      })
  }

  /** Why what came isn't the whole list, where that ends here. */
  trouble(named: string, pagination: Pagination): OwmError | undefined {
    const { total, count } = this
    if (total !== undefined && count < total)
      return new TransientError(
        `The list ended after ${count} of ${total} items; if that is no total of them, set source.total to false.`,
        { hint: anyWay },
      )
    if (total !== undefined && count > total && !this.#hasChanged)
      return new ConfigurationError(`The list says that it has ${total} items, but ${count} have come.`, {
        hint: totalHint,
      })
    if (this.#arePagesKnown && this.#pages < (this.#pagesInAll ?? 0) && total === undefined)
      return new TransientError(`The list ended after ${this.#pages} of ${this.#pagesInAll} pages.`, {
        hint: pagesHint,
      })
    const sign = this.#signs.find((each) => this.#isMissed(each) && !this.#isKnownToEnd(each, pagination))
    return sign && missed(sign, named, { count, pages: this.#pages })
  }

  /** Whether the one page that there is has so many items as servers give at most, and doesn't say that it is all. */
  get isRound(): boolean {
    const isTold = !this.#last.isSilent || this.total !== undefined || this.#given.total === false
    return !isTold && this.#pages === 1 && [this.#last.count, this.#last.rows].some(isUsual)
  }

  #isMissed({ kind, atLeast }: Sign): boolean {
    if (kind === 'items') return atLeast > this.count
    return kind !== 'pages' || (this.#arePagesKnown && atLeast > this.#pages)
  }

  /** Whether the list is over, though its last answer names a next page: some do so for ever. */
  #isKnownToEnd({ kind, at }: Sign, { isCounted }: Pagination): boolean {
    const { total, next, pagination } = this.#given
    const isEmpty = this.#last.count === 0
    if (isCount(kind)) return isEmpty && /estimat|approx/i.test(at)
    if (isEmpty && pagination.end === 'empty') return true
    if (this.isReached && (isEmpty || (isCounted && (this.#pages > 1 || total !== undefined)))) return true
    return kind === 'next' && (this.#last.hasMore === false || (!isCounted && next !== undefined && this.#pages > 1))
  }
}

/** Whether a limit may be this number: 20, 25, 50, 100, 1000. */
const isUsual = (count: number): boolean => /^(25|[235]0|100)0*$/.test(String(count))

const isCount = (kind: Sign['kind']): boolean => kind === 'items' || kind === 'pages'

function missed(
  { kind, at, said, atLeast, hint }: Sign,
  named: string,
  come: { count: number; pages: number },
): OwmError {
  if (kind === 'items')
    return new TransientError(`The list ended after ${come.count} of ${atLeast} items, as ${at} says.`, {
      hint: `${hint} If that is no total of its items, set source.total to false.`,
    })
  const off = 'If it means something else, set source.next to false.'
  if (kind === 'pages')
    return new TransientError(`The list ended after ${come.pages} of ${atLeast} pages, as ${at} says.`, {
      hint: `${hint} ${off}`,
    })
  if (kind === 'lacking')
    return new TransientError(`${named} says that something is missing: ${at} is ${said}.`, { hint: off })
  if (kind === 'next')
    return new ConfigurationError(`${named} names a next page that isn't asked for: ${at} is ${said}.`, {
      hint: `${hint} ${off}`,
    })
  return new ConfigurationError(`${named} says that more follows, but not where: ${at} is ${said}.`, {
    hint: `Name in source.next where the answer has its next cursor or link. ${hint} ${off}`,
  })
}

function reasonIn(records: Page['records']): string {
  const [first] = records
  if (first === undefined) return 'its items are empty'
  if (isMalformed(first)) return first.reason
  const place = placeOf(first)
  return place instanceof Rejection ? place.reason : ''
}
