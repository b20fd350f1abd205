/**
 * How far a list was read, by what its pages say of it: whether it is over, and whether that can be.
 *
 * A list ends where its total is reached, where an answer says that nothing follows, or behind which there is an
 * empty page. What else may end one, a short page, a page that isn't there or the last page once more, is taken for
 * its end only where it can be nothing else, or where source.pagination.end says so.
 */
import { ConfigurationError, ResumePointError, TransientError } from '../../errors/index.js'
import { isMalformed, type Logger } from '../../plugin.js'
import { placeOf } from '../../tasks/place.js'
import { Rejection } from '../../tasks/rejection.js'
import type { Checkpoint } from './checkpoint.js'
import { circle } from './circle.js'
import type { Options } from './options.js'
import type { Page, Pagination, Place } from './pagination/index.js'

/** Pages in a row, and items in them, in which nothing is usable: no list of places is like that. */
const mostUseless = { pages: 3, items: 20, ofAnySize: 10 }

const totalHint = 'Name the right number in source.total, or set it to false.'

export class Tally {
  readonly #given: Options
  readonly #log: Logger
  /** Items before the page that is read next. */
  count: number
  total: number | undefined
  /** Pages that were read. */
  #pages = 0
  #pagesInAll: number | undefined
  #largest = 0
  #hasChanged = false
  readonly #marks = circle()
  readonly #places = circle()
  #lastMark: string | undefined
  #lastCount = 0
  #useless = { pages: 0, items: 0 }
  #wasUseful = false
  #isUnfollowed = false
  #isResumed = false

  constructor(given: Options, before: number, log: Logger) {
    this.#given = given
    this.#log = log
    this.count = before
  }

  resume({ count, total, next }: Checkpoint): void {
    this.count = count
    this.total = total
    this.#isResumed = true
    if (next === null && total !== undefined && count < total)
      throw new ResumePointError(`the list ended after ${count} of ${total} items`)
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
    return count > 0 && mark === this.#lastMark
  }

  /** Whether a page that comes once more, or one that isn't there, can be nothing but the end of the list. */
  isPlainEnd(kind: 'not-found' | 'repeat', limit: number | undefined): boolean {
    if (this.isReached || this.#given.pagination.end === kind) return true
    const isShort = this.#lastCount < (kind === 'not-found' ? (limit ?? 0) : this.#largest)
    return this.#pages > 0 && isShort
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
    this.#lastMark = page.mark
    this.#lastCount = page.count
    this.#isUnfollowed ||= page.isUnfollowed
    this.#judge(page, named)
  }

  #compare(total: number | undefined): void {
    if (this.total !== undefined && total !== undefined && total !== this.total) {
      if (!this.#hasChanged)
        this.#log.warn(
          { before: this.total, now: total },
          'the total of the list changed while it was read: places may be missing until the next run',
        )
      this.#hasChanged = true
    }
    this.total = total ?? this.total
  }

  /** Takes back a first page that was empty or of no use: where pages count from 1, page 0 is none of them. */
  takeBackUseless(): void {
    if (this.#wasUseful || this.#pages !== 1) return
    this.count -= this.#lastCount
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
    const Class = this.#wasUseful ? TransientError : ConfigurationError
    throw new Class(`${named} and ${pages} before it have nothing usable in them: ${reasonIn(records)}.`, {
      hint: 'Correct source.items, source.fields or source.pagination.',
    })
  }

  /** Whether the list is over behind a page, of a list whose pages are counted. */
  isOver({ count, hasMore }: Page, limit: number | undefined): boolean {
    if (hasMore !== undefined) return !hasMore
    if (this.#pagesInAll !== undefined && this.#pages >= this.#pagesInAll && !this.#hasChanged) return true
    if (this.#given.pagination.end === 'short' && count < (limit ?? 0)) return true
    // A total that moves, or that may count just the one page, ends no list: the page after it must be empty, or
    // not be there.
    const mayCountOnePage = this.#given.total === undefined && this.#pages === 1 && count === this.total
    return this.isReached && !this.#hasChanged && !mayCountOnePage
  }

  /** Throws ConfigurationError where the pages go round in a circle, or never end. */
  goesOn({ mark, count }: Page, next: Place, named: string, { isCounted, type }: Pagination): void {
    const isRepeated = count > 0 && this.#marks(mark)
    if (isRepeated || (!isCounted && next !== undefined && this.#places(String(next)))) {
      const start = type === 'page' ? ', and is its first page 0 or 1 (source.pagination.start)' : ''
      const link = this.#isUnfollowed
        ? 'Its answers have a link to the next page: set source.pagination.type to link. '
        : ''
      throw new ConfigurationError(`${named} gives what was there before: the pages go round in a circle.`, {
        hint:
          `${link}Does the server know the parameter by this name (source.pagination.parameters)${start}? ` +
          'If all of the list is in one answer, set source.pagination.type to link; ' +
          'if the server gives its last page again and again, set source.pagination.end to repeat.',
      })
    }
    const { maxPages } = this.#given
    if (maxPages !== undefined && next !== undefined && this.#pages >= maxPages)
      throw new ConfigurationError(`The list goes on behind ${maxPages} pages, which source.maxPages allows.`, {
        hint: 'If it is really so long, raise source.maxPages; what was read is safe in the outbox.',
      })
  }

  /** Throws where the list ended, but its length isn't the one that it says. */
  isWhole(): void {
    const { total, count } = this
    if (total !== undefined && count < total)
      throw new TransientError(
        `the list ended after ${count} of ${total} items; if that is no total of them, set source.total to false`,
      )
    if (total !== undefined && count > total && !this.#hasChanged)
      throw new ConfigurationError(`The list says that it has ${total} items, but ${count} have come.`, {
        hint: totalHint,
      })
    if (this.#pagesInAll !== undefined && this.#pages < this.#pagesInAll && total === undefined && !this.#isResumed)
      throw new TransientError(`the list ended after ${this.#pages} of ${this.#pagesInAll} pages`)
  }
}

function reasonIn(records: Page['records']): string {
  const [first] = records
  if (first === undefined) return 'its items are empty'
  if (isMalformed(first)) return first.reason
  const place = placeOf(first)
  return place instanceof Rejection ? place.reason : ''
}
