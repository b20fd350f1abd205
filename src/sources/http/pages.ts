/** Reads a list page by page; each page is one request under owm's retries. */
import { ConfigurationError, ResumePointError, TransientError } from '../../errors/index.js'
import { type Location, type LocationBatch, Malformed, type PluginContext } from '../../plugin.js'
import { fieldMapper } from '../fields/mapper.js'
import type { Reader } from './answer.js'
import { type Checkpoint, identityOf, parseCheckpoint } from './checkpoint.js'
import { circle } from './circle.js'
import { NoSuchPage } from './errors.js'
import type { Options } from './options.js'
import type { Page, Pagination, Place } from './pagination/index.js'
import type { Client } from './request.js'
import { excerpt, isTree } from './tree.js'

export interface Api {
  readonly given: Options
  readonly pagination: Pagination
  readonly client: Client
  readonly reader: Reader
}

export class Pages {
  readonly #api: Api
  readonly #context: PluginContext
  readonly #identity: string
  readonly #mapped: (record: Location) => Location
  readonly #itemsRepeat = circle()
  readonly #nextRepeats = circle()
  #place: Place
  #total: number | undefined
  /** Items before this page. */
  #count: number
  #isFirst = true
  #isResumed = false
  #hasChanged = false
  /** The next page, which is asked for while this one is taken. */
  #ahead: Promise<Page> | undefined

  constructor(api: Api, context: PluginContext) {
    this.#api = api
    this.#context = context
    this.#identity = identityOf(api.given)
    this.#mapped = fieldMapper(api.given.fields)
    this.#place = api.pagination.start
    this.#count = api.pagination.before
  }

  async *read(resume: string | undefined): AsyncGenerator<LocationBatch> {
    if (resume !== undefined && !this.#resume(parseCheckpoint(resume, this.#identity))) return
    for (;;) {
      const here = this.#place
      const page = await this.#page(here)
      const before = this.#count
      this.#count += page.items.length
      this.#countTotal(page, here, before)
      const next = this.#after(here, page, before)
      this.#goesOn(here, page, next)
      this.#context.log.debug(
        { page: this.#named(here), items: page.items.length, count: this.#count, total: this.#total },
        'a page was read',
      )
      this.#isFirst = false
      this.#isResumed = false
      this.#place = next
      if (next !== undefined) {
        this.#ahead = this.#ask(next)
        this.#ahead.catch(() => undefined) // heard when it is asked for
      }
      yield this.#batch(page, here, next, before)
      if (next === undefined) return this.#isWhole()
    }
  }

  /** Goes on at a checkpoint; false where the list was read to its end. */
  #resume({ next, count, total }: Checkpoint): boolean {
    this.#place = next ?? undefined
    this.#count = count
    this.#total = total
    this.#isFirst = false
    this.#isResumed = true
    if (next !== null) return true
    if (total !== undefined && !this.#isReached)
      throw new ResumePointError(`the list ended after ${count} of ${total} items`)
    return false
  }

  get #isReached(): boolean {
    return this.#total !== undefined && this.#count >= this.#total
  }

  #named(place: Place): string {
    const { origin, pathname } = new URL(this.#api.given.url)
    const { type } = this.#api.pagination
    const which = type === 'link' || place === undefined ? '' : ` (${type} ${excerpt(String(place))})`
    return `${origin}${pathname}${which}`
  }

  async #ask(place: Place): Promise<Page> {
    const { client, pagination, reader } = this.#api
    const where = this.#named(place)
    return reader.pageOf(await client.get(pagination.urlOf(place), where), where, this.#isFirst)
  }

  async #page(here: Place): Promise<Page> {
    const total = this.#total
    try {
      return await this.#context.attempt(async () => {
        const asked = this.#ahead ?? this.#ask(here)
        this.#ahead = undefined
        const page = await asked
        const most = page.total ?? total ?? 0
        if (page.items.length > 0 || page.next !== undefined || this.#count >= most) return page
        const message =
          `${this.#named(here)} is empty, although only ${this.#count} of ${most} items have come; ` +
          'if that is no total, set source.total to false'
        throw this.#isResumed ? new NoSuchPage(message) : new TransientError(message)
      })
    } catch (error) {
      if (!(error instanceof NoSuchPage)) throw error
      if (this.#isResumed) throw new ResumePointError(error.message, { cause: error })
      if (!this.#api.pagination.isCounted || !this.#isReached) throw error
      return { items: [], total, next: undefined }
    }
  }

  #countTotal(page: Page, here: Place, before: number): void {
    if (this.#total !== undefined && page.total !== undefined && page.total !== this.#total) {
      if (!this.#hasChanged)
        this.#context.log.warn(
          { before: this.#total, now: page.total },
          'the total of the list changed while it was read: places may be missing until the next run',
        )
      this.#hasChanged = true
    }
    this.#total = page.total ?? this.#total
    const { isCounted } = this.#api.pagination
    const isTooMany = this.#total !== undefined && this.#count > this.#total
    if (isCounted && !this.#hasChanged && isTooMany && (this.#isFirst || before >= (this.#total ?? 0)))
      throw new ConfigurationError(
        `${this.#named(here)} says that there are ${this.#total} items in all, but ${this.#count} have come.`,
        { hint: 'Name the right number in source.total, or set it to false.' },
      )
  }

  #after(here: Place, page: Page, before: number): Place {
    const { given, pagination } = this.#api
    // A total that moves, or that may count just the one page, ends no list: the page after it must be empty, or
    // not be there.
    const mayCountOnePage = given.total === undefined && before === 0 && this.#count === this.#total
    const isOver = pagination.isCounted && this.#isReached && !this.#hasChanged && !mayCountOnePage
    return isOver ? undefined : pagination.after(here, page)
  }

  /** Throws ConfigurationError where the pages go round in a circle, or where the first one leads nowhere. */
  #goesOn(here: Place, { items }: Page, next: Place): void {
    const { isCounted, limit, type } = this.#api.pagination
    const ends = JSON.stringify([items.length, items[0], items.at(-1)])
    const isRepeated = items.length > 0 && this.#itemsRepeat(ends)
    if (isRepeated || (!isCounted && next !== undefined && this.#nextRepeats(String(next)))) {
      const start = type === 'page' ? ', and is its first page 0 or 1 (source.pagination.start)' : ''
      throw new ConfigurationError(
        `${this.#named(here)} gives what was there before: the pages go round in a circle.`,
        { hint: `Does the server know the parameter by this name (source.pagination.parameters)${start}?` },
      )
    }
    if (this.#isFirst && !isCounted && next === undefined && this.#total === undefined && items.length === limit)
      throw new ConfigurationError(`The first page of ${this.#named(here)} is full, but says nothing of a next one.`, {
        hint:
          `Name in source.next where the answer has its next ${type}; ` +
          'if the list ends there, ask for more with source.pagination.limit.',
      })
  }

  #batch({ items }: Page, here: Place, next: Place, before: number): LocationBatch {
    const { pagination } = this.#api
    const checkpoint: Checkpoint = {
      of: this.#identity,
      next: pagination.kept(next) ?? null,
      count: this.#count,
      total: this.#total,
    }
    return {
      locations: items.map((item) =>
        isTree(item) && isText(item) ? this.#mapped(item) : new Malformed(JSON.stringify(item), whyNot(item)),
      ),
      resume: JSON.stringify(checkpoint),
      position: (index) => pagination.position(here, before, index),
    }
  }

  /** Throws TransientError where the list ended before its total was reached. */
  #isWhole(): void {
    if (this.#total === undefined || this.#isReached) return
    throw new TransientError(
      `the list ended after ${this.#count} of ${this.#total} items; ` +
        'if that is no total of them, set source.total to false',
    )
  }
}

/** What isn't UTF-8 was decoded to U+FFFD; wherever it stands, the item isn't what somebody wrote. */
const isText = (item: unknown): boolean => !JSON.stringify(item).includes('\ufffd')
const whyNot = (item: unknown): string => (isTree(item) ? "the item isn't valid UTF-8" : 'an item must be an object')
