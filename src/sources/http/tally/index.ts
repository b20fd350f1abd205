/**
 * Keeps count of the pages that were read, and decides whether the list is over, and whether that is plausible.
 *
 * A list ends when its total is reached, when an answer says that nothing follows, or at an empty page. A short page, a
 * missing one, or the last page again ends a list only if it can mean nothing else, or if source.pagination.end says
 * so.
 */
import { ConfigurationError, type OwmError, ResumePointError, TransientError } from '../../../errors/index.js'
import type { Logger } from '../../../plugin.js'
import { anyWay, type Sign } from '../../signs/more.js'
import type { Checkpoint } from '../checkpoint.js'
import { missedError, type NoSuchPage, nextHints } from '../errors.js'
import type { Options } from '../options.js'
import { circle } from '../pagination/circle.js'
import { emptyPage, type Page, type Pagination, type Place } from '../pagination/index.js'
import { Lack } from './lack.js'
import { hashOf, hasNew, Overlap } from './places.js'
import { reasonIn, Usefulness } from './useful.js'

/** The most empty pages in a row, each with a next one. */
const maxEmpty = 10

const pagesHint = `${anyWay} If that is no number of its pages, set source.next to false.`
const orderHint = 'Name an order in source.url, with the parameter that the server has for it ($order, sort, orderby).'
const totalHint = 'Name the right number in source.total, or set it to false.'

export class Tally {
  readonly #given: Options
  readonly #log: Logger
  /** Items before the next page. */
  count: number
  total: number | undefined
  /** How many pages were read. */
  #pages = 0
  #arePagesKnown = true
  #pagesInAll: number | undefined
  #largest = 0
  #hasChanged = false
  /** Whether a changed total was told, of items or of pages. */
  #isWarned = false
  readonly #marks = circle()
  readonly #places = circle()
  readonly #overlap = new Overlap()
  /** The first page with items; undefined in a read that resumes after it. */
  #first: Page | undefined
  #last = emptyPage
  readonly #usefulness = new Usefulness()
  /** Empty pages since the last one that wasn't. */
  #empty = 0
  /** The signs of the last page; if it is empty, also the counts of the one before it. */
  #signs: readonly Sign[] = []
  readonly #lack = new Lack()

  constructor(given: Options, before: number, log: Logger) {
    this.#given = given
    this.#log = log
    this.count = before
  }

  resume({ count, total, next, pages, doubt }: Checkpoint): void {
    this.count = count
    this.total = total
    // Checkpoints of older versions lack it.
    this.#arePagesKnown = pages !== undefined
    this.#pages = pages ?? 0
    if (doubt !== undefined) throw new ResumePointError(doubt)
    if (next === null && total !== undefined && count < total)
      throw new ResumePointError(`the list ended after ${count} of ${total} items`)
  }

  /**
   * Notes the last page that was read, when reading resumes after it.
   *
   * @param here where it is, if pages are counted
   */
  continueAfter(page: Page, here: Place): void {
    if (here !== undefined) this.#overlap.add(page, here)
    this.#last = page
    this.#signs = page.signs
    this.#largest = page.count
    this.#pagesInAll = page.pages
    this.#usefulness.add(page, '')
  }

  get pages(): number {
    return this.#pages
  }

  /** Whether no page had any items. */
  get isEmpty(): boolean {
    return this.#largest === 0
  }

  get isReached(): boolean {
    return this.total !== undefined && this.count >= this.total
  }

  /** Whether a page equals the one before it. */
  isRepeated({ mark, count }: Page): boolean {
    return count > 0 && mark === this.#last.mark
  }

  /** Whether a page equals the one before it, but for values that may differ in each answer. */
  hasSamePlaces(page: Page): boolean {
    return this.isRepeated(page) || (page.count > 0 && hashOf(page) === hashOf(this.#last))
  }

  /** Whether a repeated page, or a missing one, can only be the end of the list. */
  isPlainEnd(kind: 'not-found' | 'repeat', limit: number | undefined): boolean {
    if (this.isReached || this.#given.pagination.end === kind) return true
    // The first page may be short because the server gives fewer items than requested; then the others are, too.
    const full =
      this.#pages > 1 || (kind === 'repeat' && this.#given.pagination.end !== 'short') ? this.#largest : limit
    const size = this.#pages > 1 ? this.#last.count : this.#last.rows
    return size < (full ?? 0) || this.#isSaidToEnd
  }

  /** Whether an answer said how much there is, and all of it was read. */
  get #isSaidToEnd(): boolean {
    const counts = this.#signs.filter(
      ({ kind, atLeast, exactness = 'exact' }) =>
        isCount(kind) && exactness === 'exact' && atLeast > (kind === 'items' ? this.#last.count : 1),
    )
    return counts.length > 0 && !counts.some((sign) => this.#isMissed(sign))
  }

  /**
   * Counts a page. Throws if it can't belong to the list.
   *
   * @param here where it is, if pages are counted
   */
  add(page: Page, named: string, { isFirst, here }: { isFirst: boolean; here: Place }): void {
    const isCounted = here !== undefined
    if (isCounted) this.#overlap.add(page, here)
    const before = this.count
    this.count += page.count
    this.#pages++
    this.#compare(page)
    const isTooMany = this.total !== undefined && this.count > this.total
    if (isCounted && !this.#hasChanged && isTooMany && (isFirst || before >= (this.total ?? 0)))
      throw new ConfigurationError(
        `${named} says that there are ${this.total} items in all, but ${this.count} have come.`,
        { hint: totalHint },
      )
    this.#largest = Math.max(this.#largest, page.count)
    if (isFirst || this.#first?.count === 0) this.#first = page
    this.#signs = page.count > 0 ? page.signs : [...page.signs, ...this.#signs.filter(({ kind }) => isCount(kind))]
    this.#lack.add(page, this.#last, named)
    this.#last = page
    this.#empty = page.count > 0 ? 0 : this.#empty + 1
    this.#usefulness.add(page, named)
  }

  #compare({ total, pages }: Page): void {
    const isOther = (one: number | undefined, other: number | undefined): boolean =>
      one !== undefined && other !== undefined && one !== other
    const hasOtherTotal = isOther(this.total, total)
    const hasOtherPages = isOther(this.#pagesInAll, pages)
    if ((hasOtherTotal || hasOtherPages) && !this.#isWarned)
      this.#log.warn(
        {
          event: 'total-changed',
          before: hasOtherTotal ? this.total : this.#pagesInAll,
          now: hasOtherTotal ? total : pages,
        },
        'the total of the list changed while it was read: places may be missing until the next run',
      )
    this.#isWarned ||= hasOtherTotal || hasOtherPages
    this.#hasChanged ||= hasOtherTotal
    this.total = total ?? this.total
    this.#pagesInAll = pages ?? this.#pagesInAll
  }

  /**
   * A page as it counts. Behind places, one without anything like them isn't of the list, but a server's words: throws
   * TransientError, or takes it for the empty page at the end if the configuration says so.
   */
  asCounted(page: Page, named: string): Page {
    if (!this.#usefulness.isForeign(page)) return page
    if (this.#given.pagination.end === 'empty') return { ...page, count: 0, rows: 0, records: [] }
    throw new TransientError(`${named} has nothing like the places before it: ${reasonIn(page.records)}.`, {
      hint: 'If that is how this server ends a list, set source.pagination.end to empty.',
    })
  }

  /** Uncounts a first page without anything usable: if pages count from 1, page 0 isn't one of them. */
  takeBackUseless(): void {
    if (this.#usefulness.wasUseful || this.#pages !== 1) return
    this.count -= this.#last.count
    this.#pages = 0
  }

  /** For counted pages: whether the last page ends the list. */
  isOver(limit: number | undefined): boolean {
    const { count, hasMore } = this.#last
    if (hasMore !== undefined) return !hasMore
    if (this.#pagesInAll !== undefined && this.#pages >= this.#pagesInAll && !this.#hasChanged) return true
    // The first page may be short because the server gives fewer items than requested.
    if (this.#given.pagination.end === 'short' && count < Math.min(limit ?? 0, this.#largest)) return true
    // A total that changes, or that may be of just this page, ends no list: an empty or missing page must follow.
    return this.isReached && !this.#hasChanged && !this.#mayCountOnePage && !this.isUnsure(limit)
  }

  get #mayCountOnePage(): boolean {
    return this.#given.total === undefined && this.#pages === 1 && this.#last.count === this.total
  }

  /**
   * Whether full pages have exactly reached the total, and no answer says that the list is over. Since the total may be
   * the number of pages, or the most that a server counts, one more page is requested.
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

  /** Whether a page has places that are neither on the last page nor on the first: it repeats neither. */
  isNew(page: Page): boolean {
    const isNew = hasNew(page, [this.#first ?? emptyPage, this.#last])
    if (isNew && !this.#first) throw new ResumePointError(`there is more behind the ${this.total} items of its total`)
    return isNew
  }

  /** For links and cursors: whether the list is over, though the answer names a next page, as some always do. */
  isOverAtLast({ count }: Page): boolean {
    const { end } = this.#given.pagination
    return count === 0 && (end === 'empty' || (this.isReached && !this.#hasChanged))
  }

  /** Throws ConfigurationError if the pages form a cycle, or too many in a row are empty. */
  mustAdvance({ mark, count }: Page, next: Place, named: string, { isCounted, type }: Pagination): void {
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
    if (next !== undefined && !isCounted && this.#empty >= maxEmpty && this.#given.maxPages === undefined)
      throw new ConfigurationError(`${named} and ${this.#empty - 1} before it are empty, but each names a next page.`, {
        hint:
          'If an empty page is the end of this list, set source.pagination.end to empty; ' +
          'if it really has so many of them, set source.maxPages.',
      })
  }

  /** Throws ConfigurationError if source.maxPages allows no more pages. */
  mustBeAllowed(): void {
    const { maxPages } = this.#given
    if (maxPages !== undefined && this.#pages >= maxPages)
      throw new ConfigurationError(`The list goes on behind ${maxPages} pages, which source.maxPages allows.`, {
        hint: 'If it is really so long, raise source.maxPages; what was read is safe in the outbox.',
      })
  }

  /** The error for a page that isn't there; the list may have more than its server gives. */
  missing(error: NoSuchPage): OwmError {
    const sign = this.#signs.find((each) => each.exactness === 'at least' && this.#isMissed(each))
    return sign ? new ConfigurationError(error.message, { hint: sign.hint, cause: error }) : error
  }

  /** Why the list isn't whole, if it ends here. */
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
    if (sign) return missedError(sign, named, { count, pages: this.#pages })
    return (this.isReached ? undefined : this.#lack.error(pagination.isCounted)) ?? this.#overlapError
  }

  /** Why the list can't be whole, whatever follows: a run that stops here must read it from the start. */
  get doubt(): string | undefined {
    return this.#lack.error()?.message ?? this.overlapDoubt
  }

  /** Why the list can't be whole, if it ends here: some of its items came twice, so that as many others are missing. */
  get overlapDoubt(): string | undefined {
    return this.#mayLack && this.#stated !== undefined && !this.#overlap.hasDoubles
      ? `its pages share items (${this.#between})`
      : undefined
  }

  /** Items that are there once or more. */
  get #different(): number {
    return this.count - this.#overlap.shared
  }

  /** Whether items may be missing because others came twice. With `total: false` somebody has settled that. */
  get #mayLack(): boolean {
    const isOpen = this.#overlap.shared > 0 && this.#given.total !== false && !this.#hasChanged
    return isOpen && this.#different < (this.total ?? Number.POSITIVE_INFINITY)
  }

  /** How many items the list has, if an answer says that it has more than there are different ones. */
  get #stated(): number | undefined {
    const sign = this.#signs.find(
      (each) => each.kind === 'items' && !isEstimate(each) && each.atLeast > this.#different,
    )
    return this.total ?? sign?.atLeast
  }

  get #overlapError(): OwmError | undefined {
    if (this.overlapDoubt === undefined) return undefined
    // What was read before may show that the list itself has items twice.
    if (!this.#first) return new ResumePointError(`its pages share items (${this.#between})`)
    return new ConfigurationError(
      `The list says that it has ${this.#stated} items, but only ${this.#different} different ones have come: ` +
        `its pages share items (${this.#between}), so its order may change from one answer to the next.`,
      { hint: `${orderHint} If the list really has items twice, set source.total to false.` },
    )
  }

  warnOfOverlap(): void {
    if (this.#mayLack && this.overlapDoubt === undefined)
      this.#log.warn(
        { event: 'pages-repeat', items: this.#overlap.shared },
        `pages of the list share items (${this.#between}): if its order changes from one answer to the next, ` +
          `others are missing. ${orderHint} If the list really has items twice, set source.total to false`,
      )
  }

  /** For messages: two pages that share items. */
  get #between(): string {
    const [one, other] = this.#overlap.between ?? []
    return `${this.#given.pagination.type ?? 'page'}s ${one} and ${other}`
  }

  /** Whether the only page has as many items as a server's usual limit, and doesn't say that these are all. */
  get isRound(): boolean {
    const { count, rows, limits } = this.#last
    const isTold = !this.#last.isSilent || this.total !== undefined || this.#given.total === false
    return (
      !isTold &&
      this.#pages === 1 &&
      [count, rows].some((each) => isUsual(each) || limits.some(({ most }) => most === each))
    )
  }

  #isMissed({ kind, atLeast }: Sign): boolean {
    if (kind === 'items') return atLeast > this.count
    return kind !== 'pages' || (this.#arePagesKnown && atLeast > this.#pages)
  }

  /** Whether the list is over despite a sign of more: some servers always name a next page. */
  #isKnownToEnd(sign: Sign, { isCounted }: Pagination): boolean {
    const { kind, atLeast } = sign
    const { total, next, pagination } = this.#given
    const isEmpty = this.#last.count === 0
    // No estimate is so bad that only half of it is there.
    if (isCount(kind)) return isEmpty && isEstimate(sign) && atLeast <= 2 * this.count
    if (isEmpty && pagination.end === 'empty') return true
    if (this.isReached && (isEmpty || (isCounted && (this.#pages > 1 || total !== undefined)))) return true
    return kind === 'next' && (this.#last.hasMore === false || (!isCounted && next !== undefined && this.#pages > 1))
  }
}

/** Whether a number is a usual limit: 20, 25, 50, 100, 1000. */
const isUsual = (count: number): boolean => /^(25|[235]0|100)0*$/.test(String(count))

/** Whether a count is an estimate; its path may say so, too. */
const isEstimate = ({ at, exactness }: Sign): boolean => exactness === 'estimated' || /estimat|approx/i.test(at)

const isCount = (kind: Sign['kind']): boolean => kind === 'items' || kind === 'pages'
