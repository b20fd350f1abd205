/** Reads a list page by page; each page is one request under owm's retries. */
import { ConfigurationError, isOwmError, type OwmError, ResumePointError, TransientError } from '../../errors/index.js'
import type { LocationBatch, PluginContext } from '../../plugin.js'
import type { Mapping } from '../fields/mapping.js'
import { oneLine } from '../signs/tree.js'
import type { Reader } from './answer/index.js'
import { type Checkpoint, identityOf, type LastPage, parseCheckpoint } from './checkpoint.js'
import { Headless, NoSuchPage } from './errors.js'
import type { Options } from './options.js'
import { emptyPage, type Page, type Pagination, type Place, paginationOf } from './pagination/index.js'
import type { Client } from './request.js'
import { Tally } from './tally/index.js'
import { hashOf } from './tally/places.js'

interface Api {
  readonly given: Options
  readonly client: Client
  readonly reader: Reader
  readonly mapping: Mapping
}

export class Pages {
  readonly #api: Api
  readonly #context: PluginContext
  readonly #identity: string
  readonly #tally: Tally
  #pagination: Pagination
  #place: Place
  #isFirst = true
  #isResumed = false
  /** Whether the read is resumed right behind page 0. */
  #isBehindZero = false
  /** The next page, which is requested while this one is processed. */
  #ahead: Promise<Page> | undefined

  constructor(api: Api, context: PluginContext) {
    this.#api = api
    this.#context = context
    this.#identity = identityOf(api.given)
    this.#pagination = paginationOf(api.given)
    this.#place = this.#pagination.start
    this.#tally = new Tally(api.given, this.#pagination.before, context.log)
  }

  async *read(resume: string | undefined): AsyncGenerator<LocationBatch> {
    const { mapping } = this.#api
    if (resume !== undefined && !(await this.#resume(parseCheckpoint(resume, this.#identity)))) return
    const isWholeRead = !this.#isResumed
    let trouble: OwmError | undefined
    let hasAskedPastEnd = false
    for (;;) {
      this.#tally.mustBeAllowed()
      const page = await this.#page(this.#place)
      hasAskedPastEnd = page === 'end'
      if (page === 'end') {
        trouble = this.#tally.trouble(this.#pageInWords(this.#place), this.#pagination)
        break
      }
      const here = this.#place // may have moved on, if pages count from 1
      const before = this.#tally.count
      const isFirst = this.#isFirst
      const next = this.#take(page, here)
      trouble = next === undefined ? this.#tally.trouble(this.#pageInWords(here), this.#pagination) : undefined
      // If the configuration is wrong from the start, nothing is delivered.
      if (isFirst && trouble instanceof ConfigurationError) throw trouble
      mapping.count(page.records)
      mapping.judge(false)
      this.#place = next
      if (next !== undefined && this.#tally.pages < (this.#api.given.maxPages ?? Number.POSITIVE_INFINITY)) {
        this.#ahead = this.#ask(next)
        this.#ahead.catch(() => undefined) // handled when the page is awaited
      }
      yield this.#batch(page, here, { next, before, doubt: next === undefined ? trouble?.message : this.#tally.doubt })
      if (next === undefined) break
    }
    if (isWholeRead) mapping.judge(true)
    if (isWholeRead && this.#tally.isEmpty) {
      const first = this.#pageInWords(this.#pagination.start)
      this.#context.log.warn(
        { event: 'page-empty', page: first },
        `the first page of ${first} is empty: there is nothing to read`,
      )
    }
    if (trouble) throw trouble
    this.#tally.warnOfOverlap()
    if (isWholeRead && !hasAskedPastEnd && this.#tally.isRound)
      this.#context.log.warn({ event: 'count-round', items: this.#tally.count }, roundWarning(this.#tally.count))
  }

  /** Resumes at a checkpoint; false if the list was read to its end. */
  async #resume(checkpoint: Checkpoint): Promise<boolean> {
    const { next, last } = checkpoint
    this.#tally.resume(checkpoint)
    this.#isFirst = false
    this.#isResumed = true
    if (next === null) return false
    this.#isBehindZero = last?.at === 0
    const page = last && (await this.#inPlace(last))
    const kept = this.#withLinks(next)
    this.#place = this.#pagination.isCounted ? kept : this.#freshNext(page, last?.at ?? undefined)
    return true
  }

  /**
   * Requests the last page that was read again. Throws ResumePointError if it has changed: the pages have shifted, and
   * unread items may be before it.
   */
  async #inPlace({ at, hash }: LastPage): Promise<Page> {
    const here = this.#withLinks(at ?? undefined)
    const page = await this.#context.attempt(() =>
      this.#ask(here).catch((refusal: unknown) => this.#orStale(here, refusal)),
    )
    if (page instanceof ResumePointError) throw page
    const { total } = this.#tally
    if (total !== undefined && page.total !== undefined && page.total !== total)
      throw new ResumePointError(`the list has ${page.total} items by now, not ${total}`)
    // guard: pages-in-place
    if (hashOf(page) !== hash)
      throw new ResumePointError(`the pages have shifted: ${this.#pageInWords(here)} has other places now`)
    this.#tally.continueAfter(page, this.#pagination.isCounted ? here : undefined)
    return page
  }

  /**
   * After a stored place was refused: its page after all, or why the list must be read from its start. A link may be
   * signed for an hour, a cursor kept for minutes, and servers report that in many ways. So the place is stale if the
   * first page can be read, and this one is refused before and after that. If the first page can't be read either,
   * throws the original error.
   */
  async #orStale(here: Place, error: unknown): Promise<Page | ResumePointError> {
    if (isUnknown(error)) return new ResumePointError(error.message, { cause: error })
    const first = paginationOf(this.#api.given)
    if (here === first.start || !this.#mayBeStale(error)) throw error
    const { count } = await this.#ask(first.start, first).catch(() => emptyPage)
    if (count === 0) throw error
    return this.#ask(here).catch((again: unknown) => {
      if (!this.#mayBeStale(again)) throw again
      const what = `the ${this.#pagination.type} where reading stopped is valid no more`
      return new ResumePointError(`${what}: ${again.message}`, { cause: again })
    })
  }

  /** Whether a refusal may be about the place: a request to wait isn't. */
  #mayBeStale(refusal: unknown): refusal is OwmError {
    const isWait = refusal instanceof TransientError && refusal.retryAfterMs !== undefined
    return isOwmError(refusal) && !isWait && !this.#context.signal.aborted
  }

  /**
   * The next cursor or link, as the last page names it now: an expired one may give an empty page, which would look
   * like the end of the list. Throws ResumePointError if there is none.
   */
  #freshNext(page: Page | undefined, here: Place): Place {
    const { type } = this.#pagination
    if (!page) throw new ResumePointError(`an older version of owm kept only a ${type}, which may be valid no more`)
    const next = this.#after(here, page)
    if (next === undefined) throw new ResumePointError(`the last page that was read names no next ${type} by now`)
    return next
  }

  /** Without source.pagination.type, a place that is text is a link: the first answer had a list of links. */
  #withLinks(place: Place): Place {
    if (this.#api.given.pagination.type === undefined && typeof place === 'string')
      this.#pagination = paginationOf(this.#api.given, 'link')
    return place
  }

  #pageInWords(place: Place): string {
    const { origin, pathname } = new URL(this.#api.given.url)
    const { type } = this.#pagination
    const which = type === 'link' || place === undefined ? '' : ` (${type} ${oneLine(String(place))})`
    return `${origin}${pathname}${which}`
  }

  async #ask(place: Place, pagination = this.#pagination): Promise<Page> {
    const { client, reader } = this.#api
    const where = this.#pageInWords(place)
    return reader.pageOf(await client.get(pagination.urlOf(place), where), where, this.#isFirst)
  }

  /**
   * Whether the first request was for page 0, though the configuration doesn't say that pages count from 0, and page 1
   * is still to come.
   */
  get #mayCountFromOne(): boolean {
    const { start } = this.#api.given.pagination
    const isAtStart = !this.#isResumed || this.#isBehindZero
    return this.#pagination.type === 'page' && start === undefined && isAtStart
  }

  async #page(here: Place): Promise<Page | 'end'> {
    const { limit, isCounted } = this.#pagination
    const isUnsure = isCounted && this.#tally.isUnsure(limit)
    if (isUnsure && !this.#tally.saysMore) return this.#afterTotal(here)
    try {
      const page = await this.#context.attempt(() => this.#once(here))
      if (isUnsure) return this.#tally.isNew(page) ? page : 'end'
      if (this.#mayCountFromOne && here === 1 && this.#tally.hasSamePlaces(page)) return this.#fromOneOr(page)
      if (!isCounted || !this.#tally.isRepeated(page)) return page
      if (!this.#tally.isPlainEnd('repeat', limit)) return page
      const isDoubtful = this.#api.given.pagination.end === 'short' || this.#tally.isRound
      if (this.#tally.pages === 1 && !this.#tally.isReached && isDoubtful)
        this.#context.log.warn(
          { event: 'pages-repeat', page: this.#pageInWords(here) },
          repeatWarning(this.#tally.count),
        )
      return 'end'
    } catch (error) {
      if (this.#isResumed && isUnknown(error)) throw new ResumePointError(error.message, { cause: error })
      if (!(error instanceof NoSuchPage)) throw error
      if (this.#mayCountFromOne && here === 0) return this.#orFromOne(error)
      if (this.#isFirst || !this.#pagination.isCounted || !this.#tally.isPlainEnd('not-found', limit))
        throw this.#tally.missing(error)
      return 'end'
    }
  }

  /**
   * The page after the last one by the total. Nothing else says that there is one, so anything but new places is the
   * end, even an error.
   */
  async #afterTotal(here: Place): Promise<Page | 'end'> {
    const page = await this.#takeAhead(here).catch((error: unknown) => {
      if (!isOwmError(error) || this.#context.signal.aborted) throw error
      return emptyPage
    })
    if (this.#tally.isNew(page)) return page
    return this.#mayCountFromOne && here === 1 && this.#tally.isRepeated(page) ? this.#fromOne() : 'end'
  }

  /** A page, perhaps requested already. */
  #takeAhead(here: Place): Promise<Page> {
    const asked = this.#ahead ?? this.#ask(here)
    this.#ahead = undefined
    return asked
  }

  /** Requests a page. Throws if it is empty, but shouldn't be. */
  async #once(here: Place): Promise<Page> {
    const page = this.#tally.asCounted(await this.#takeAhead(here), this.#pageInWords(here))
    const { count, total } = this.#tally
    const most = page.total ?? total ?? 0
    if (page.count > 0 || (this.#mayCountFromOne && here === 0)) return page
    const isWhole = count > 0 && count >= (page.total ?? total ?? Number.POSITIVE_INFINITY)
    if (page.doubt && !isWhole)
      throw new TransientError(
        `${this.#pageInWords(here)} is empty, which may be no end: ${page.doubt.why}`,
        page.doubt,
      )
    if (page.next !== undefined || (count >= most && page.hasMore !== true)) return page
    const { type, start, limit = 0 } = this.#pagination
    // Read from page 1 of a list whose first page is 0.
    const isLate = type === 'page' && start === 1 && most - count <= limit
    const named = this.#pageInWords(here)
    const message =
      page.hasMore === true
        ? `${named} is empty, although it says that more follows; ${nextAdvice}`
        : `${named} is empty, although only ${count} of ${most} items have come; ${isLate ? startAdvice : totalAdvice}`
    throw this.#isResumed ? new NoSuchPage(message) : new TransientError(message)
  }

  /**
   * Goes on from page 1, which has the places of page 0: is it page 0 again, or do the two differ in the rest? That may
   * differ in each answer, a temperature, say: then page 0 has changed by now.
   */
  async #fromOneOr(page: Page): Promise<Page | 'end'> {
    if (this.#tally.isRepeated(page)) return this.#fromOne()
    const again = await this.#context.attempt(() => this.#ask(0))
    return this.#tally.isRepeated(again) ? page : this.#fromOne()
  }

  /** Page 1 is page 0 again: pages count from 1, so page 2 is the second one. */
  async #fromOne(): Promise<Page | 'end'> {
    this.#context.log.debug(
      { event: 'pages-counted', page: this.#pageInWords(1) },
      'page 1 is page 0 again: pages count from 1',
    )
    this.#place = 2
    return this.#tally.isReached ? this.#afterTotal(2) : this.#page(2)
  }

  /** There is no page 0: either page 1 is the first one, or something else is wrong. */
  async #orFromOne(error: NoSuchPage): Promise<Page | 'end'> {
    this.#place = 1
    const page = await this.#context
      .attempt(() => this.#once(1))
      .catch((second: unknown) => {
        throw second instanceof NoSuchPage ? error : second
      })
    this.#context.log.debug(
      { event: 'pages-counted', page: this.#pageInWords(1) },
      'there is no page 0: pages count from 1',
    )
    return page
  }

  /** Counts a page, and returns the place of the next one. */
  #take(page: Page, here: Place): Place {
    const { given } = this.#api
    if (this.#isFirst && given.pagination.type === undefined && page.hasLinks)
      this.#pagination = paginationOf(given, 'link')
    const { isCounted, limit } = this.#pagination
    const named = this.#pageInWords(here)
    if (here === 1 && this.#mayCountFromOne) this.#tally.takeBackUseless()
    this.#tally.add(page, named, { isFirst: this.#isFirst, here: isCounted ? here : undefined })
    const next = this.#after(here, page)
    this.#tally.mustAdvance(page, next, named, this.#pagination)
    if (this.#isFirst && !isCounted && next === undefined) this.#mustLeadOn(page, named, limit)
    this.#context.log.debug(
      { event: 'page-read', page: named, items: page.count, count: this.#tally.count, total: this.#tally.total },
      'a page was read',
    )
    this.#isFirst = false
    this.#isResumed = false
    return next
  }

  #after(here: Place, page: Page): Place {
    const { isCounted, limit } = this.#pagination
    if (isCounted) {
      // Some servers count from 1, and have nothing at 0.
      if (page.count === 0 && this.#mayCountFromOne && here === 0) return 1
      return this.#tally.isOver(limit) ? undefined : this.#pagination.after(here, page)
    }
    if (page.hasMore === false || this.#tally.isOverAtLast(page)) return undefined
    const next = this.#pagination.after(here, page)
    return page.count === 0 && next === here ? undefined : next
  }

  /** Throws ConfigurationError if the first page is full, and nothing says that the list ends there. */
  #mustLeadOn({ count, rows, hasMore, isSilent, limits }: Page, named: string, limit: number | undefined): void {
    if (this.#tally.total !== undefined || hasMore === false || !isSilent) return
    const other = limits.find(({ isSure, most }) => isSure && (most === count || most === rows))
    if (other && this.#api.given.total !== false)
      throw new ConfigurationError(`${named} gives ${count} items, as many as ${other.at} allows: there may be more.`, {
        hint: `Raise that, or ${pagesHint} If the list really ends there, set source.total to false.`,
      })
    if (count !== limit && rows !== limit) return
    throw new ConfigurationError(`The first page of ${named} is full, but says nothing of a next one.`, {
      hint:
        `Name in source.next where the answer has its next ${this.#pagination.type}; ` +
        'if the list ends there, ask for more with source.pagination.limit.',
    })
  }

  #batch(
    page: Page,
    here: Place,
    { next, before, doubt }: { next: Place; before: number; doubt: string | undefined },
  ): LocationBatch {
    const pagination = this.#pagination
    const checkpoint: Checkpoint = {
      of: this.#identity,
      next: pagination.kept(next) ?? null,
      last: next === undefined ? undefined : { at: pagination.kept(here) ?? null, hash: hashOf(page) },
      count: this.#tally.count,
      total: this.#tally.total,
      pages: this.#tally.pages,
      doubt,
    }
    return {
      locations: page.records,
      resume: JSON.stringify(checkpoint),
      position: (index, field) => pagination.position(here, before, page.position(index, field)),
    }
  }
}

/** Whether the server doesn't know a page, or gives it without a header, which only the first one may have. */
const isUnknown = (error: unknown): error is NoSuchPage | Headless =>
  error instanceof NoSuchPage || error instanceof Headless

const pagesHint = "set source.pagination as the server's pages are asked for."

const nextAdvice = 'if that means something else, set source.next to false'

const totalAdvice = 'if that is no total, set source.total to false'

const startAdvice = `if its first page is 0, set source.pagination.start to 0; ${totalAdvice}`

const roundWarning = (count: number): string =>
  `the whole list came in one answer of exactly ${count} items, and that doesn't say whether there are more: ` +
  'if the server gives no more at once, set source.pagination; if it is the whole list, source.total to false'

const repeatWarning = (count: number): string =>
  `the server gives its first page again and again: its ${count} items are taken for the whole list`
