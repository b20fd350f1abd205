/**
 * A paginated JSON API. Each page is one request under owm's retries; its place
 * is the resume point, so a run that died asks for no page again that it stored.
 *
 * A list that changes while it is read by page number or offset shifts: what
 * comes twice owm notices, what was skipped nobody can see but by the total.
 * So a total that changes is logged, and a list that ends before its total is
 * reached fails: what came is stored, and the next start reads the list anew.
 */
import { hash } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import { promisify } from 'node:util'
import { unzip } from 'node:zlib'
import { z } from 'zod'
import {
  ConfigurationError,
  codeOf,
  isDistrusted,
  OwmError,
  ResumePointError,
  TransientError,
  toError,
} from '../../errors/index.js'
import { defineSource, type LocationBatch, Malformed, type Source } from '../../plugin.js'
import { fieldMapper, fields } from '../fields.js'

const name = z.string().min(1)
const path = z.string().min(1).optional()
const secret = { secret: true }

const pagination = z
  .strictObject({
    type: z
      .enum(['page', 'offset', 'cursor', 'link'])
      .default('page')
      .describe(
        'how the next page is asked for: by its number, by the items before it, by a cursor or a link that the answer gives (no link: all in one answer)',
      ),
    limit: z
      .int()
      .min(1)
      .max(100_000)
      .optional()
      .describe('items to ask for at once; 100, or with links what the server gives by itself')
      .meta({ unit: 'items' }),
    start: z
      .union([z.int().min(0), z.string().min(1)])
      .optional()
      .describe('number of the first page, or first offset (0); cursor of the first page (none)'),
    parameters: z
      .strictObject({
        page: name.default('page').describe("query parameter for the page's number"),
        offset: name.default('offset').describe('query parameter for the offset'),
        cursor: name.default('cursor').describe('query parameter for the cursor'),
        limit: name.default('limit').describe('query parameter for the limit'),
      })
      .prefault({})
      .describe("the server's own names of the query parameters"),
  })
  .refine(
    ({ type, start }) => start === undefined || type === 'cursor' || (typeof start === 'number' && type !== 'link'),
    {
      path: ['start'],
      message: 'a whole number is expected; text only for a cursor, nothing for links',
    },
  )
  .prefault({})
  .describe('how the list is cut into pages')

const options = z
  .strictObject({
    url: z
      .string()
      .refine(isPlainUrl, 'http://host/path or https://host/path is expected; user and password belong into `auth`')
      .describe("the list, with whatever query it needs beside the pagination's")
      .meta(secret),
    pagination,
    items: path.describe(
      'path in the answer to the list of items, such as data.cities; found where there is only one list of objects',
    ),
    total: z
      .union([z.literal(false), z.string().min(1)])
      .optional()
      .describe(
        'path in the answer to the number of all items; usual names and the header X-Total-Count are known; false: there is none to rely on',
      ),
    next: path.describe('path in the answer to the next cursor or link; usual names and the header Link are known'),
    headers: z
      .record(name, z.string())
      .refine(areHeaders, 'names and values of HTTP headers are expected')
      .optional()
      .describe('more request headers; like `auth` they go to the origin of `url` only')
      .meta(secret),
    auth: z
      .strictObject({
        bearer: z
          .string()
          .min(1)
          .optional()
          .describe('token of the bearer scheme: better the name of an environment variable than itself')
          .meta(secret),
        user: z.string().min(1).optional().describe('user of the basic scheme'),
        password: z.string().optional().describe('password of the basic scheme: likewise').meta(secret),
      })
      .refine(
        ({ bearer, user, password }) => (bearer === undefined) === (user !== undefined && password !== undefined),
        'give `bearer`, or `user` and `password`',
      )
      .optional()
      .describe('who asks')
      .meta(secret),
    fields,
    requestTimeoutMs: z
      .int()
      .min(1)
      .max(3_600_000)
      .default(10_000)
      .describe('longest time for a whole answer, in milliseconds')
      .meta({ unit: 'ms' }),
    maxBodyBytes: z
      .int()
      .min(1)
      .max(256 * 2 ** 20)
      .default(16 * 2 ** 20)
      .describe('longest answer that is read, in bytes after decompression')
      .meta({ unit: 'bytes' }),
  })
  .meta({
    examples: [
      {
        url: 'https://api.example.com/v1/cities/',
        pagination: { type: 'page', limit: 100 },
        auth: { bearer: '${API_TOKEN}' },
      },
    ],
  })

/** Where a page is: its number, its offset, its cursor or its link; undefined before the first cursor or link. */
type Place = number | string | undefined

interface Page {
  items: readonly unknown[]
  total: number | undefined
  /** Where the next page is, as far as the answer itself says it. */
  next: string | undefined
}

interface Answer {
  status: number
  headers: Readonly<Record<string, string | string[] | undefined>>
  body: Buffer
  /** Where it came from in the end. */
  url: URL
}

/** The server doesn't know this page; where it knew it before a crash, the list is read anew. */
class NoSuchPage extends ConfigurationError {}

export default defineSource({
  name: 'http',
  description: 'a paginated JSON API',
  options,
  async open(settings, { attempt, log, signal }): Promise<Source> {
    const { requestTimeoutMs, maxBodyBytes } = settings
    const { type, parameters } = settings.pagination
    const base = new URL(settings.url)
    const limit = settings.pagination.limit ?? (type === 'link' ? undefined : 100)
    /** Whether the next place follows from counting, not from the answer. */
    const isCounted = type === 'page' || type === 'offset'
    const start = settings.pagination.start ?? (isCounted ? 0 : undefined)
    const identity = hash('sha256', JSON.stringify([settings.url, settings.pagination, settings.items])).slice(0, 16)
    const mapped = fieldMapper(settings.fields)
    const { own, secrets } = credentials(settings)

    const { EnvHttpProxyAgent, request } = (await import('undici')).default
    // Each request has its own time-out, around all of it.
    const dispatcher = new EnvHttpProxyAgent({ headersTimeout: 0, bodyTimeout: 0 })
    const closing = new AbortController()
    const ended = AbortSignal.any([signal, closing.signal])

    const named = (place: Place): string => {
      const which = type === 'link' || place === undefined ? '' : ` (${type} ${excerpt(String(place))})`
      return `${base.origin}${base.pathname}${which}`
    }

    function urlOf(place: Place): URL {
      const linked = type === 'link' && place !== undefined
      const url = linked ? new URL(String(place), base) : new URL(base)
      if (linked && url.origin === base.origin) {
        const missing = [...base.searchParams].filter(([key]) => !url.searchParams.has(key))
        for (const [key, value] of missing) url.searchParams.append(key, value)
      }
      if (!linked && limit !== undefined) url.searchParams.set(parameters.limit, String(limit))
      if (type !== 'link' && place !== undefined) url.searchParams.set(parameters[type], String(place))
      return url
    }

    /** A link for the resume point, without the configured parameters: one of them may be a key, and that doesn't belong into the outbox. */
    function bare(link: string): string {
      const url = new URL(link)
      const valuesIn = (of: URL, key: string): string => JSON.stringify(of.searchParams.getAll(key))
      if (url.origin === base.origin)
        for (const key of base.searchParams.keys())
          if (valuesIn(url, key) === valuesIn(base, key)) url.searchParams.delete(key)
      return url.href
    }

    /** One request, and where it is redirected to. */
    async function get(place: Place): Promise<Answer> {
      const stop = new AbortController()
      const late = setTimeout(
        () =>
          stop.abort(new TransientError(`${named(place)} gave no whole answer within ${requestTimeoutMs / 1000} s`)),
        requestTimeoutMs,
      )
      const end = (): void => stop.abort(ended.reason)
      ended.addEventListener('abort', end)
      try {
        ended.throwIfAborted()
        let url = urlOf(place)
        for (let hops = 0; hops <= 5; hops++) {
          if (!isPlainUrl(url.href))
            throw new ConfigurationError(`${named(place)} leads to what isn't a plain http or https URL.`, {
              hint: 'Correct source.url.',
            })
          const response = await request(url, {
            dispatcher,
            signal: stop.signal,
            // Another origin than the configured one gets no secrets, whether a redirect or a link leads there.
            headers: { ...commonHeaders, ...(url.origin === base.origin ? own : {}) },
          })
          const { statusCode: status, headers, body } = response
          const location = headerOf(headers, 'location')
          if (![301, 302, 303, 307, 308].includes(status) || location === '') {
            // What is wrong says the status; what stands in the body only helps.
            const read = bodyOf(body, headers, maxBodyBytes)
            return { status, headers, url, body: await (isGood(status) ? read : read.catch(() => Buffer.alloc(0))) }
          }
          await body.dump()
          url = new URL(location, url)
        }
        throw new ConfigurationError(`${named(place)} is redirected again and again.`, { hint: 'Correct source.url.' })
      } catch (error) {
        throw classed(error, named(place))
      } finally {
        clearTimeout(late)
        ended.removeEventListener('abort', end)
      }
    }

    /** Where the items were found in an earlier answer. */
    let itemsAt = settings.items

    /** @param isFirst nothing has come yet: what doesn't fit is the configuration's fault, not a server's bad moment */
    async function ask(place: Place, isFirst: boolean): Promise<Page> {
      const answer = await get(place)
      const { status, headers, body } = answer
      const text = body.toString()
      if (!isGood(status)) throw refused(answer, named(place), masked(excerpt(text), secrets))
      if (status === 204) return { items: [], total: undefined, next: undefined }
      const unfit = (what: string, hint: string): Error => {
        const Unfit = isFirst ? ConfigurationError : TransientError
        return new Unfit(`The answer of ${named(place)} ${what}.`, { hint })
      }
      const only = (what: 'items' | 'total' | 'next', found: readonly Found[]): Found | undefined => {
        if (new Set(found.map(({ value }) => value)).size <= 1) return found[0]
        throw unfit(
          `has more than one that may be its ${what}: ${found.map(({ at }) => at).join(', ')}`,
          `Name the right one in source.${what}.`,
        )
      }

      let json: unknown
      try {
        json = JSON.parse(text.replace(/^\ufeff/, ''))
      } catch (error) {
        const kind = headerOf(headers, 'content-type') || 'no content type'
        throw new TransientError(`${named(place)} gave no JSON (${kind}): ${masked(toError(error).message, secrets)}`)
      }

      if (itemsAt === undefined && !Array.isArray(json)) {
        const lists = find(json, (value) => Array.isArray(value) && value.some(isTree))
        itemsAt = only(
          'items',
          lists.length > 0 ? lists : find(json, (value) => Array.isArray(value) && value.length === 0),
        )?.at
        if (itemsAt === undefined)
          throw unfit(`has no list of objects; ${shapeOf(json)}`, 'Name where the items are in source.items.')
      }
      const list = itemsAt === undefined ? json : valueAt(json, itemsAt)
      const items: unknown = list === null ? [] : list // as some servers write an empty list
      if (!Array.isArray(items)) throw unfit(`has no list at ${itemsAt}; ${shapeOf(json)}`, 'Correct source.items.')

      let total: number | undefined
      if (typeof settings.total === 'string') {
        total = wholeOf(valueAt(json, settings.total))
        // Some servers count for the first page only.
        if (total === undefined && isFirst)
          throw unfit(`has no whole number at ${settings.total}; ${shapeOf(json)}`, 'Correct source.total.')
      } else if (settings.total === undefined) {
        const counted = (value: unknown): boolean => wholeOf(value) !== undefined
        total =
          wholeOf(headerOf(headers, 'x-total-count')) ?? wholeOf(only('total', find(json, counted, totalNames))?.value)
      }

      let next: string | undefined
      if (type === 'cursor' || type === 'link') {
        const header = type === 'link' ? nextLink(headerOf(headers, 'link')) : undefined
        const leadsOn = (value: unknown): boolean => nextIn(value) !== undefined
        const found =
          settings.next === undefined
            ? (header ?? only('next', find(json, leadsOn, nextNames[type]))?.value)
            : valueAt(json, settings.next)
        next = nextIn(found)
        if (type === 'link' && next !== undefined) next = new URL(next, answer.url).href
      }
      return { items, total, next }
    }

    /** The place after a page; undefined after the last one. */
    function after(place: Place, { items, next }: Page): Place {
      if (!isCounted || typeof place !== 'number') return next
      if (items.length === 0) return undefined
      return place + (type === 'page' ? 1 : items.length)
    }

    async function* read(resume: string | undefined): AsyncGenerator<LocationBatch> {
      const point = resume === undefined ? undefined : parsePoint(resume, identity)
      let place: Place = point ? (point.next ?? undefined) : start
      let total = point?.total
      /** Items before this page: an offset counts those that `start` leaves out, too. */
      let count = point?.count ?? (type === 'offset' && typeof start === 'number' ? start : 0)
      const isReached = (): boolean => total !== undefined && count >= total
      if (point?.next === null) {
        if (total !== undefined && !isReached())
          throw new ResumePointError(`the list ended after ${count} of ${total} items`)
        return
      }
      let isFirst = point === undefined
      let isResumed = !isFirst
      let hasChanged = false
      let ahead: Promise<Page> | undefined
      const [itemsRepeat, nextRepeats] = [circle(), circle()]

      for (;;) {
        const here = place
        const page = await attempt(async () => {
          const asked = ahead ?? ask(here, isFirst)
          ahead = undefined
          const page = await asked
          const most = page.total ?? total ?? 0
          if (page.items.length > 0 || page.next !== undefined || count >= most) return page
          const message = `${named(here)} is empty, although only ${count} of ${most} items have come; if that is no total, set source.total to false`
          throw isResumed ? new NoSuchPage(message) : new TransientError(message)
        }).catch((error: unknown): Page => {
          if (!(error instanceof NoSuchPage)) throw error
          if (isResumed) throw new ResumePointError(error.message, { cause: error })
          if (!isCounted || !isReached()) throw error
          return { items: [], total, next: undefined }
        })
        const { items } = page
        const before = count
        count += items.length
        if (total !== undefined && page.total !== undefined && page.total !== total) {
          if (!hasChanged)
            log.warn(
              { before: total, now: page.total },
              'the total of the list changed while it was read: places may be missing until the next run',
            )
          hasChanged = true
        }
        total = page.total ?? total
        if (isCounted && !hasChanged && total !== undefined && count > total && (isFirst || before >= total))
          throw new ConfigurationError(
            `${named(here)} says that there are ${total} items in all, but ${count} have come.`,
            {
              hint: 'Name the right number in source.total, or set it to false.',
            },
          )
        // A total that moves, or that may count just the one page, ends no list: the page after it must be empty, or not be there.
        const isDoubtful = hasChanged || (settings.total === undefined && before === 0 && count === total)
        const next = isCounted && isReached() && !isDoubtful ? undefined : after(here, page)
        const ends = JSON.stringify([items.length, items[0], items.at(-1)])
        if ((items.length > 0 && itemsRepeat(ends)) || (!isCounted && next !== undefined && nextRepeats(String(next))))
          throw new ConfigurationError(`${named(here)} gives what was there before: the pages go round in a circle.`, {
            hint: `Does the server know the parameter by this name (source.pagination.parameters)${type === 'page' ? ', and is its first page 0 or 1 (source.pagination.start)' : ''}?`,
          })
        if (isFirst && !isCounted && next === undefined && total === undefined && items.length === limit)
          throw new ConfigurationError(`The first page of ${named(here)} is full, but says nothing of a next one.`, {
            hint: `Name in source.next where the answer has its next ${type}; if the list ends there, ask for more with source.pagination.limit.`,
          })
        log.debug({ page: named(here), items: items.length, count, total }, 'a page was read')
        isFirst = false
        isResumed = false
        place = next
        if (next !== undefined) {
          // The next page is under way while this one is taken. That it failed is heard when it's asked for.
          ahead = ask(next, false)
          ahead.catch(() => undefined)
        }
        const resume: Point = {
          of: identity,
          next: (type === 'link' && typeof next === 'string' ? bare(next) : next) ?? null,
          count,
          total,
        }
        yield {
          locations: items.map((item) =>
            isTree(item) && isText(item) ? mapped(item) : new Malformed(JSON.stringify(item), whyNot(item)),
          ),
          resume: JSON.stringify(resume),
          position: (index) => (type === 'page' ? `page ${here}, item ${index + 1}` : `item ${before + index + 1}`),
        }
        if (next !== undefined) continue
        if (total === undefined || isReached()) return
        throw new TransientError(
          `the list ended after ${count} of ${total} items; if that is no total of them, set source.total to false`,
        )
      }
    }

    return {
      read,
      async close() {
        closing.abort()
        await dispatcher.destroy()
      },
    }
  },
})

// --- the request ---

const commonHeaders = { accept: 'application/json', 'accept-encoding': 'gzip', 'user-agent': 'owm' }

const isGood = (status: number): boolean => status >= 200 && status < 300

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === ''
}

function areHeaders(headers: Readonly<Record<string, string>>): boolean {
  try {
    new Headers(headers)
    return true
  } catch {
    return false
  }
}

/** The configured headers, with lower-case names, and what of them must not be shown. */
function credentials({ auth, headers }: z.output<typeof options>): { own: Record<string, string>; secrets: string[] } {
  const own = new Headers(headers)
  const secrets = [...own.values()]
  if (auth) {
    const basic = Buffer.from(`${auth.user}:${auth.password}`).toString('base64')
    own.set('authorization', auth.bearer === undefined ? `Basic ${basic}` : `Bearer ${auth.bearer}`)
    secrets.push(basic, auth.bearer ?? '', auth.password ?? '')
  }
  return { own: Object.fromEntries(own), secrets: secrets.filter((secret) => secret !== '') }
}

const headerOf = (headers: Answer['headers'], name: string): string => [headers[name] ?? []].flat().join(', ')

/** The whole body, decompressed; never more than `most` bytes of it. */
async function bodyOf(stream: AsyncIterable<Buffer>, headers: Answer['headers'], most: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > most) throw new TooLong(most)
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks)
  if (!/^(x-)?gzip$|^deflate$/i.test(headerOf(headers, 'content-encoding'))) return body
  return promisify(unzip)(body, { maxOutputLength: most }).catch((error: unknown) => {
    throw codeOf(error) === 'ERR_BUFFER_TOO_LARGE' ? new TooLong(most) : error
  })
}

/** Said with its page elsewhere; never leaves this file. */
class TooLong extends Error {
  constructor(most: number) {
    super(`longer than ${most} bytes`)
  }
}

/** What the way to the server says, as one of owm's classes. */
function classed(thrown: unknown, where: string): Error {
  const error = toError(thrown)
  if (error instanceof OwmError) return error
  const said = error.message || codeOf(error)
  if (error instanceof TooLong)
    return new ConfigurationError(`The answer of ${where} is ${said}.`, {
      hint: 'Ask for fewer items at once (source.pagination.limit), or raise source.maxBodyBytes.',
    })
  if (isDistrusted(error))
    return new ConfigurationError(`The TLS certificate of ${where} is not trusted: ${said}`, {
      hint: 'Name its authority in NODE_EXTRA_CA_CERTS, or correct the host name.',
      cause: error,
    })
  return new TransientError(`${where} can't be read: ${said}`, {
    hint: 'Look whether the server runs and source.url is right.',
    cause: error,
  })
}

/** What a status means that isn't a good one. */
function refused({ status, headers }: Answer, where: string, body: string): Error {
  const message = `${where} answered ${status} ${STATUS_CODES[status] ?? ''}${body === '' ? '' : `: ${body}`}`
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const retryAfterMs = waitOf(headerOf(headers, 'retry-after'), headerOf(headers, 'date'))
    return new TransientError(
      `${message}${retryAfterMs === undefined ? '' : ` (try again in ${Math.ceil(retryAfterMs / 1000)} s)`}`,
      { retryAfterMs },
    )
  }
  if (status === 401 || status === 403)
    return new ConfigurationError(message, {
      hint: 'Correct source.auth (bearer, or user and password), or the environment variable that it names.',
    })
  if (status === 404 || status === 410)
    return new NoSuchPage(message, {
      hint: 'Correct source.url; if only pages after the last one are missing, name source.total.',
    })
  if (status === 400 || status === 422)
    return new NoSuchPage(message, { hint: 'Correct source.url and source.pagination.' })
  return new ConfigurationError(message, { hint: 'Correct source.url.' })
}

/** `Retry-After` in milliseconds: seconds, or a date by the server's own clock. */
function waitOf(retryAfter: string, date: string): number | undefined {
  const wait = /^\d+$/.test(retryAfter)
    ? Number(retryAfter) * 1000
    : Date.parse(retryAfter) - (Date.parse(date) || Date.now())
  return Number.isNaN(wait) ? undefined : Math.max(0, wait)
}

/** The start of what a server said, on one line; nothing of a web page. */
function excerpt(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ')
  if (line.startsWith('<')) return ''
  return line.length > 200 ? `${line.slice(0, 200)}…` : line
}

const masked = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((rest, value) => rest.replaceAll(value, '***'), text)

/** The target of rel="next" in a `Link` header (RFC 8288). */
function nextLink(header: string): string | undefined {
  for (const [, target, rest = ''] of header.matchAll(/<([^>]*)>([^<]*)/g)) {
    const relation = /;\s*rel\s*=\s*("[^"]*"|[^\s";,]+)/i.exec(rest)?.[1] ?? ''
    if (relation.toLowerCase().replaceAll('"', '').split(/\s+/).includes('next')) return target
  }
  return undefined
}

// --- the answer ---

type Tree = Readonly<Record<string, unknown>>

interface Found {
  at: string
  value: unknown
}

const totalNames = /^(total(_?(count|items|results|elements|records|rows|hits))?|@odata\.count)$/i
const nextNames = {
  cursor: /^next(_?(cursor|token|page_?token))?$/i,
  link: /^(next(_?(url|uri|link|page_?url))?|@odata\.nextLink)$/i,
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What isn't UTF-8 was decoded to U+FFFD; wherever it stands, the item isn't what somebody wrote. */
const isText = (item: unknown): boolean => !JSON.stringify(item).includes('\ufffd')
const whyNot = (item: unknown): string => (isTree(item) ? "the item isn't valid UTF-8" : 'an item must be an object')

/** The entries that fit among an answer's own, else among those one level below. */
function find(answer: unknown, fits: (value: unknown) => boolean, names = /^/): Found[] {
  if (!isTree(answer)) return []
  const entriesOf = (tree: Tree, prefix: string): Found[] =>
    Object.entries(tree).flatMap(([key, value]) =>
      names.test(key) && fits(value) ? [{ at: `${prefix}${key}`, value }] : [],
    )
  const here = entriesOf(answer, '')
  return here.length > 0
    ? here
    : Object.entries(answer).flatMap(([key, inner]) => (isTree(inner) ? entriesOf(inner, `${key}.`) : []))
}

/** The value at `a.b.0`; a key that has the dot in itself wins. */
function valueAt(value: unknown, path: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  const tree: Tree = { ...value }
  if (Object.hasOwn(tree, path)) return tree[path]
  const dot = path.indexOf('.')
  return dot < 0 ? undefined : valueAt(tree[path.slice(0, dot)], path.slice(dot + 1))
}

/** A count, which some servers write as text. */
function wholeOf(value: unknown): number | undefined {
  if (typeof value === 'string' && !/^\d+$/.test(value)) return undefined
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}

/** A cursor or a link, as it is or as {href}; undefined for null, '' and whatever else says that there is none. */
function nextIn(value: unknown): string | undefined {
  const given = isTree(value) ? value['href'] : value
  return (typeof given === 'string' && given !== '') || typeof given === 'number' ? String(given) : undefined
}

const shapeOf = (answer: unknown): string =>
  isTree(answer)
    ? `its keys are ${excerpt(Object.keys(answer).join(', ')) || 'none'}`
    : `it is ${Array.isArray(answer) ? 'a list' : 'no object'}`

/** Notices that a sequence goes round in a circle, in constant memory (Brent); at once where a value follows itself. */
function circle(): (value: string) => boolean {
  let anchor: string | undefined
  let previous: string | undefined
  let steps = 0
  let power = 1
  return (value) => {
    if (value === anchor || value === previous) return true
    previous = value
    if (++steps === power) {
      anchor = value
      power *= 2
      steps = 0
    }
    return false
  }
}

// --- the resume point ---

const pointSchema = z.strictObject({
  /** Hash of what the list is. */
  of: z.string(),
  /** Null after the last page. */
  next: z.union([z.number(), z.string(), z.null()]),
  count: z.number(),
  total: z.number().optional(),
})
type Point = z.output<typeof pointSchema>

function parsePoint(resume: string, identity: string): Point {
  try {
    const point = pointSchema.parse(JSON.parse(resume))
    if (point.of === identity) return point
  } catch {
    // It is another source's.
  }
  throw new ResumePointError('the list is another one now')
}
