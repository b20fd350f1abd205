/** Reads an answer as a page: its records, the total, and what leads to the next page. */
import { ConfigurationError, isOwmError, TransientError } from '../../../errors/index.js'
import { Malformed } from '../../../plugin.js'
import { exactJson } from '../../../tasks/json/exact.js'
import { isTree } from '../../../tasks/json/tree.js'
import type { Mapping } from '../../fields/mapping.js'
import { projected } from '../../fields/projection.js'
import { readCsv } from '../../formats/csv/index.js'
import { type Entry, entriesIn, hintTo, listsIn, mustBeEmpty } from '../../formats/layout.js'
import { readNdjson } from '../../formats/ndjson.js'
import { checkProjection, RecordReader } from '../../formats/record.js'
import { brokenIn, Placed, type Records, type TextList } from '../../formats/records.js'
import { saidBefore } from '../../signs/earlier.js'
import { deepest, hasMore, pagesIn } from '../../signs/marks.js'
import { type Member, membersOf } from '../../signs/members.js'
import { type Refusal, refusalIn, whatIsThere, wordsIn } from '../../signs/refusal.js'
import { Ending, errorInLastComment } from '../../signs/trailing-error.js'
import { find, memberAt, oneLine } from '../../signs/tree.js'
import { masked } from '../credentials.js'
import { Headless, noSuchPage, refused } from '../errors.js'
import type { Options } from '../options.js'
import type { Page } from '../pagination/index.js'
import { type About, only, type Wrong } from './candidates.js'
import { bytesOf, encodedAs, jsonOf, textOf, WrongContent } from './content.js'
import { Endings } from './empty.js'
import { isHeadless, isRow, oddIn } from './lines.js'
import { signsOf } from './more.js'
import { linkedNext, nextIn } from './next.js'
import { type Answer, headerOf, isGood } from './received.js'
import { totalIn } from './total.js'

export class Reader {
  readonly #given: Options
  readonly #secrets: readonly string[]
  readonly #mapping: Mapping
  readonly #records: RecordReader
  /** Where the items were found in an earlier answer. */
  #itemsAt: string | undefined
  readonly #endings: Endings

  constructor(given: Options, secrets: readonly string[], mapping: Mapping) {
    this.#given = given
    this.#secrets = secrets
    this.#mapping = mapping
    this.#records = new RecordReader(given, mapping, { title: 'The list', isGeoJson: false })
    this.#itemsAt = given.items
    this.#endings = new Endings(given)
  }

  /**
   * Throws ConfigurationError, or TransientError if a retry may help.
   *
   * @param where the page, in words
   * @param isFirst whether no page has been read yet
   */
  async pageOf(answer: Answer, where: string, isFirst: boolean): Promise<Page> {
    const said = (): string =>
      encodedAs(answer.body, answer) === undefined ? masked(oneLine(answer.body.toString()), this.#secrets) : ''
    if (!isGood(answer.status)) throw refused(answer, where, { said: said(), given: this.#given })
    const wrong: Wrong = (what, hint) => {
      const message = masked(`The answer of ${where} ${what}.`, this.#secrets)
      return isFirst ? new ConfigurationError(message, { hint }) : new TransientError(message, { hint })
    }
    try {
      const hasNoBody = answer.status === 204
      const text = hasNoBody ? '' : textOf(bytesOf(answer, this.#given), answer, this.#given.encoding)
      const about: About = { where, isFirst, wrong, isSuspicious: text.includes('\ufffd') }
      if (hasNoBody || (this.#given.format ?? 'json') !== 'json') return await this.#lines(text, answer, about)
      return this.#page(jsonOf(text, answer), answer, about)
    } catch (error) {
      if (!(error instanceof WrongContent)) throw error
      // A good answer that was cut off may be complete next time.
      if (error.isForeign) throw wrong(error.message, error.hint)
      throw new TransientError(masked(`The answer of ${where} ${error.message}.`, this.#secrets), { hint: error.hint })
    }
  }

  /** CSV and NDJSON: only headers say anything of other pages. */
  async #lines(text: string, answer: Answer, about: About): Promise<Page> {
    const { headers, url } = answer
    const { where, wrong } = about
    const { format = 'csv', pagination, next } = this.#given
    async function* all(): AsyncGenerator<string> {
      yield text
    }
    const list = { name: where, format: format === 'json' ? ('ndjson' as const) : format, text: all, again: false }
    const chunks = text.trim() === '' ? [] : await this.#chunks(list, text, about)
    const records = chunks.flatMap((chunk) => [...chunk.records])
    const places = chunks.flatMap((chunk) =>
      chunk.records.map((_, index) => (field?: string) => chunk.position(index, field)),
    )
    this.#mustEndWell(records, about, errorInLastComment(text, this.#given.comment))
    const odd = records.length > 0 ? undefined : oddIn(text, this.#given)
    // Many servers don't end the last line: if it can be read, it is complete.
    const broken = brokenIn(records.at(-1), text, list.format, this.#given)
    if (broken !== undefined)
      throw new TransientError(
        masked(`The answer of ${where} breaks off in its last record: ${broken}.`, this.#secrets),
        { hint: 'Try again later; look at the server.' },
      )
    return {
      count: records.length,
      rows: records.length,
      records,
      position: (index, field) => `, ${places[index]?.(field) ?? ''}`,
      textOf: (index) => (this.#given.columns === undefined ? exactJson(records[index]) : undefined),
      mark: JSON.stringify([text.length, text.slice(0, 500), text.slice(-500)]),
      total: totalIn(undefined, [], headers, this.#given, { ...about, isFirst: false }),
      pages: undefined,
      next:
        pagination.type === 'link' && next !== false ? linkedNext(headerOf(headers, 'link'), url, wrong) : undefined,
      hasMore: undefined,
      hasLinks: false,
      ...signsOf([], answer, this.#given, this.#endings.part(answer, records.length)),
      doubt: this.#endings.doubt(answer, [], records.length, odd),
    }
  }

  /** An error after the first page counts as the server's bad moment, unless the page has no header. */
  async #chunks(list: TextList, text: string, { where, isFirst, wrong }: About): Promise<Records[]> {
    const chunks: Records[] = []
    try {
      const read = list.format === 'ndjson' ? readNdjson : readCsv
      for await (const chunk of read(list, this.#given, this.#mapping)) chunks.push(chunk)
    } catch (error) {
      if (isFirst || !isOwmError(error)) throw error
      if (isHeadless(text, this.#given)) throw this.#headless(where)
      throw wrong(`can't be read as the pages before: ${error.message}`, error.hint ?? '')
    }
    return chunks
  }

  #headless(where: string): Headless {
    return new Headless(masked(`The answer of ${where} has no header: it begins with a row.`, this.#secrets), {
      hint:
        'Name the columns in source.header, in the order of the header in the first page: ' +
        'then pages are read with a header and without.',
    })
  }

  /** Throws the error that the server answered with. */
  #refuse({ said, isLasting }: Refusal, { where, isFirst }: About): void {
    const message = masked(`${where} answered with an error: ${said}`, this.#secrets)
    // There may be no page 0.
    if (isFirst && /\bpage\b/i.test(said)) throw noSuchPage(message, this.#given)
    throw isLasting && isFirst
      ? new ConfigurationError(message, { hint: 'Correct source.url, source.auth or source.pagination.' })
      : new TransientError(message)
  }

  /** Throws if the server failed halfway, and an error is in place of the last items. */
  #mustEndWell(records: Page['records'], about: About, behind?: string): void {
    const ending = new Ending()
    ending.add(records)
    const said = ending.error ?? behind
    if (said === undefined) return
    // After other items, the page exists, whatever the message says.
    this.#refuse({ said, isLasting: false }, { ...about, isFirst: about.isFirst && ending.isAll })
  }

  #page(json: unknown, answer: Answer, about: About): Page {
    const { where, wrong } = about
    const refusal = refusalIn(json, this.#given.ok)
    if (refusal) this.#refuse(refusal, about)
    checkProjection(json, where)
    checkContentCrs(answer, where)
    const { next, hasLinks } = nextIn(json, answer, this.#given, wrong)
    const { entries, isNull } = this.#entries(json, about)
    this.#mustHaveHeader(entries, about)
    const { items, ...page } = this.#recordsOf(entries, about)
    this.#mustEndWell(page.records, about)
    // If the answer is the list itself, or a single place, it has no members about the list.
    const list = this.#itemsAt
    const beside = list === undefined ? [] : membersOf(json, list)
    this.#mustBegin(beside, about)
    const says = hasMore(beside)
    const more = says && this.#given.next === false ? undefined : says
    const isOpen = next === undefined && more !== false
    return {
      ...page,
      mark: exactJson([items.length, items[0]?.value, items.at(-1)?.value]) ?? '',
      total: totalIn(json, beside, answer.headers, this.#given, about),
      pages: this.#given.next === false ? undefined : pagesIn(beside),
      next,
      hasMore: more,
      hasLinks,
      ...signsOf(beside, answer, this.#given, this.#endings.part(answer, items.length)),
      doubt: this.#endings.doubt(answer, beside, items.length, isNull && isOpen ? 'its list is null' : undefined),
    }
  }

  /** Throws if a resumed read begins with a page of rows whose header was in an earlier one. */
  #mustHaveHeader([first]: readonly Entry[], { where, isFirst }: About): void {
    const { layout, header } = this.#given
    if (layout !== 'rows' || header || isFirst || this.#records.headers > 0) return
    if (Array.isArray(first?.value) && isRow(first.value)) throw this.#headless(where)
  }

  /** Throws if pages are configured to count from 1, and there is a page before that. */
  #mustBegin(beside: readonly Member[], { where, isFirst }: About): void {
    const { start } = this.#given.pagination
    const before = isFirst && start === 1 ? saidBefore(beside) : undefined
    if (before === undefined) return
    const message = `${where} says that there is a page before it: ${before.at} is ${String(before.value)}.`
    throw new ConfigurationError(masked(message, this.#secrets), {
      hint: 'Set source.pagination.start to 0.',
    })
  }

  /** A header isn't an item, on whichever page: servers count only the rows after it. */
  #recordsOf(
    entries: readonly Entry[],
    { isSuspicious }: About,
  ): Pick<Page, 'count' | 'rows' | 'records' | 'position' | 'textOf'> & { items: readonly Entry[] } {
    const items: Entry[] = []
    const placed = new Placed<number>()
    for (const entry of entries) {
      const { headers } = this.#records
      const record = this.#recordOf(entry, isSuspicious)
      if (this.#records.headers > headers) continue
      placed.add(record, items.push(entry) - 1)
    }
    const itemAt = (index: number): number => placed.placeOf(index) ?? index
    return {
      items,
      count: items.length,
      rows: entries.length,
      records: placed.records,
      position: itemAt,
      textOf: (index) => exactJson([items[itemAt(index)]?.key, items[itemAt(index)]?.value]),
    }
  }

  #recordOf(entry: Entry, isSuspicious: boolean): Page['records'][number] | undefined {
    // Invalid UTF-8 was decoded to U+FFFD: the item isn't what was written.
    const text = isSuspicious ? (exactJson(entry.value) ?? '') : ''
    if (text.includes('\ufffd')) return new Malformed(text, "the item isn't valid UTF-8")
    if (!isTree(entry.value) && this.#given.layout !== 'rows')
      return new Malformed(exactJson(entry.value) ?? '', `an item must be an object${rowsHint(entry.value)}`)
    return this.#records.read(entry)
  }

  #entries(json: unknown, { wrong, isFirst }: About): { entries: readonly Entry[]; isNull: boolean } {
    const { layout = 'records', pagination } = this.#given
    const isArray = layout === 'records' || layout === 'rows'
    const given = this.#listIn(json)
    // Words in place of the list may be those of an error.
    const isLeftOut = !isFirst && isNothing(given) && (given !== undefined || wordsIn(json) === '')
    if (isLeftOut && pagination.end === 'empty') return { entries: [], isNull: true }
    if (this.#itemsAt === undefined && layout === 'records') this.#itemsAt = itemsAfterHeader(json)
    if (this.#itemsAt === undefined && isArray && !Array.isArray(json)) {
      this.#itemsAt = this.#listPath(json, layout, wrong)
      if (this.#itemsAt === undefined) return { entries: this.#onlyOne(json, wrong), isNull: false }
    }
    const list = this.#listIn(json)
    const isNull = list === null // as some servers write an empty list
    const entries = isNull ? [] : (entriesIn(list, layout) ?? this.#inPlaceOfList(list, isFirst))
    if (!entries)
      throw wrong(
        `has no list at ${this.#itemsAt ?? 'its outermost level'}; ${whatIsThere(json)}`,
        isLeftOut
          ? 'If that is how this server ends a list, set source.pagination.end to empty; else correct source.items.'
          : 'Correct source.items.',
      )
    return { entries, isNull }
  }

  #listIn(json: unknown): unknown {
    return this.#itemsAt === undefined ? json : memberAt(json, this.#itemsAt)
  }

  /** The items in what some servers write for a list: its only item, as from XML, or items by their numbers (PHP). */
  #inPlaceOfList(value: unknown, isFirst: boolean): Entry[] | undefined {
    if (Array.isArray(value)) return value.length === 0 ? [] : undefined
    if ((this.#given.layout ?? 'records') !== 'records' || !isTree(value)) return undefined
    if (this.#isPlace(value)) return [{ value, key: undefined }]
    // On the first page the numbers may be ids.
    const isNumbered = !isFirst && Object.entries(value).every(([key, item]) => /^\d+$/.test(key) && isTree(item))
    return isNumbered && !isNothing(value) ? entriesIn(Object.values(value)) : undefined
  }

  /** The path of the one list. */
  #listPath(json: unknown, layout: 'records' | 'rows', wrong: Wrong): string | undefined {
    const isGeoJson = isTree(json) && json['type'] === 'FeatureCollection' && Array.isArray(json['features'])
    if (isGeoJson && layout === 'records') return 'features'
    const list = only('items', listsIn(json, layout, this.#mapping), wrong)
    if (Array.isArray(list?.value) && list.value.length === 0) mustBeEmpty(json, list.at, this.#mapping, wrong)
    return list?.at
  }

  readonly #isPlace = (value: unknown): boolean => isTree(value) && this.#mapping.seemsPlace(value)

  /** The answer itself, if it is a single place; else throws. */
  #onlyOne(json: unknown, wrong: Wrong): Entry[] {
    if (this.#isPlace(json)) return [{ value: json, key: undefined }]
    const hint = (): string => {
      const [place, ...others] = find(json, this.#isPlace, deepest)
      if (place?.at.includes('.') && others.length === 0)
        return `If ${place.at} is the only place of the list, name it in source.items.`
      return hintTo(json, this.#mapping, 'Name where the items are in source.items.')
    }
    throw wrong(`has no list of objects; ${whatIsThere(json)}`, hint())
  }
}

/** `[{page, pages, total}, [places]]`, as the World Bank answers: the list is the second element. */
const itemsAfterHeader = (json: unknown): string | undefined =>
  Array.isArray(json) && json.length === 2 && isTree(json[0]) && Array.isArray(json[1]) && json[1].every(isTree)
    ? '1'
    : undefined

/** Whether a value stands for an empty list: nothing at all, as Go and protobuf have it, or null, {}, "" or false. */
const isNothing = (value: unknown): boolean =>
  isTree(value) ? Object.keys(value).length === 0 : [undefined, null, '', false].some((each) => each === value)

const rowsHint = (item: unknown): string => (Array.isArray(item) ? ': source.layout: rows reads arrays' : '')

/** OGC API Features names an answer's projection in a header; EPSG:4326 means latitude first there. */
function checkContentCrs({ headers }: Answer, where: string): void {
  const [, crs] = /<([^>]+)>/.exec(headerOf(headers, 'content-crs')) ?? []
  if (crs !== undefined && !/CRS84h?$/.test(crs)) throw projected(where, crs)
}
