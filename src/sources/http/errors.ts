/** Maps failed requests and HTTP statuses to owm's classes of errors. */
import { STATUS_CODES } from 'node:http'
import {
  ConfigurationError,
  codeOf,
  isDistrusted,
  isOwmError,
  type OwmError,
  TransientError,
  toError,
} from '../../errors/index.js'
import { countInWords, type Sign } from '../signs/more.js'
import { oneLine } from '../signs/tree.js'
import { type Answer, headerOf } from './answer/received.js'
import type { Options } from './options.js'

/** The server doesn't know this page; if a checkpoint named it, the list is read again. */
export class NoSuchPage extends ConfigurationError {}

/** A later page begins with a row, though the first one had a header. */
export class Headless extends ConfigurationError {}

/** Hints for a wrong cursor or link to the next page. */
export const nextHints = {
  cursor:
    'Name in source.next where the answer has its next cursor, ' +
    'and in source.pagination.parameters.cursor what the server calls it in a request.',
  link: 'Name in source.next where the answer has the link to its next page.',
}

/** @param counted the hint if pages are counted */
const hintFor = ({ pagination: { type } }: Options, counted: string): string =>
  type === 'cursor' || type === 'link' ? `${nextHints[type]} Or correct source.url.` : counted

export const noSuchPage = (message: string, given: Options): NoSuchPage =>
  new NoSuchPage(message, {
    hint: hintFor(
      given,
      'Correct source.url and source.pagination: are its parameters named so, ' +
        'and does it count from 0? If from 1, set source.pagination.start to 1.',
    ),
  })

/** An answer is too long; the caller adds its page. */
export class TooLong extends Error {
  constructor(most: number) {
    super(`longer than ${most} bytes`)
  }
}

/** A page in words, with the server if that isn't the configured one. */
export const reached = (where: string, { origin }: URL, own: string): string =>
  origin === own ? where : `${origin}, to which ${where} leads,`

/**
 * A failed request.
 *
 * @param isOwn whether it went to the configured server, not to another that a link or a redirect leads to
 * @param proxy the variable of the proxy that it may have taken
 */
export function classed(
  thrown: unknown,
  where: string,
  { isOwn, proxy }: { isOwn: boolean; proxy: string | undefined },
): Error {
  const error = toError(thrown)
  if (isOwmError(error)) return error
  const isPlain = codeOf(error) === 'ERR_SSL_WRONG_VERSION_NUMBER'
  const why = isPlain ? 'it speaks no TLS there, as http:// does' : oneLine(error.message) || codeOf(error)
  if (error instanceof TooLong)
    return new ConfigurationError(`The answer of ${where} is ${why}.`, {
      hint: 'Ask for fewer items at once (source.pagination.limit), or raise source.maxBodyBytes.',
    })
  if (isDistrusted(error))
    return new ConfigurationError(`The TLS certificate of ${where} is not trusted: ${why}`, {
      hint: 'Name its authority in NODE_EXTRA_CA_CERTS, or correct the host name.',
      cause: error,
    })
  // undici has no code for this.
  const tunnel = /^Proxy response \((\d+)\)/.exec(error.message)?.[1]
  if (tunnel !== undefined) return refusedByProxy(Number(tunnel), where, proxy)
  const server = isOwn
    ? 'Check that the server runs and that source.url is right.'
    : 'Check that this server runs, and that the link or redirect to it is right. ' +
      'It gets neither source.auth nor source.headers.'
  const byProxy = `Requests go through the proxy of ${proxy}, unless NO_PROXY names the host: check that it runs.`
  return new TransientError(`${where} can't be read: ${why}`, {
    hint: proxy === undefined ? server : `${byProxy} ${server}`,
    cause: error,
  })
}

/** @param variable that names the proxy */
function refusedByProxy(status: number, where: string, variable = 'HTTP_PROXY'): Error {
  const message = `${where} can't be read: the proxy of ${variable} answered ${status} ${STATUS_CODES[status] ?? ''}`
  if (status >= 500 || status === 429)
    return new TransientError(message, { hint: 'Look at the proxy, or name the host in NO_PROXY.' })
  return new ConfigurationError(message, {
    hint:
      status === 407
        ? `Give user and password in ${variable} (http://user:password@host:port), or name the host in NO_PROXY.`
        : 'Let the proxy allow this host, or name the host in NO_PROXY.',
  })
}

interface RefusalTerms {
  /** What the server said, shortened. */
  readonly said: string
  readonly given: Options
}

/** The error for a bad status. */
export function refused(answer: Answer, where: string, { said, given }: RefusalTerms): Error {
  const { status, headers } = answer
  const asked = reached(where, answer.url, new URL(given.url).origin)
  const message = `${asked} answered ${status} ${STATUS_CODES[status] ?? ''}${said === '' ? '' : `: ${said}`}`
  // No request is conditional, so 304 means that a cache on the way is broken.
  const isTransient = status === 304 || status === 408 || status === 425 || status === 429 || status >= 500
  if (isTransient || (status === 403 && isLimited(headers))) {
    const wait = waitOf(headers)
    const again = wait === undefined ? '' : ` (try again in ${Math.ceil(wait / 1000)} s)`
    // A 429 doesn't always say how long to wait.
    return new TransientError(`${message}${again}`, { retryAfterMs: wait ?? (status === 429 ? 0 : undefined) })
  }
  if (status === 401 || status === 403) return withheld(answer, message, given)
  if (status === 404 || status === 410)
    return new NoSuchPage(message, {
      hint: hintFor(
        given,
        'Correct source.url. If pages count from 1, set source.pagination.start to 1; ' +
          'if the list ends so, set source.pagination.end to not-found.',
      ),
    })
  if (status === 400 || status === 416 || status === 422) return noSuchPage(message, given)
  return new ConfigurationError(message, { hint: 'Correct source.url.' })
}

/** The error for missing or wrong credentials, which go to the configured server only. */
function withheld({ url }: Answer, message: string, { url: own, auth, headers }: Options): ConfigurationError {
  const { origin } = new URL(own)
  if (url.origin === origin || (!auth && !headers))
    return new ConfigurationError(message, {
      hint: 'Correct source.auth (bearer, or user and password), or the environment variable that it names.',
    })
  return new ConfigurationError(message, {
    hint:
      `The credentials were withheld: source.auth and source.headers go to ${origin} only. ` +
      `To send them to ${url.origin}, let source.url begin with it.`,
  })
}

/** Names of the header that says when a limit is lifted: seconds from now, or since 1970. */
const resets = ['x-ratelimit-reset', 'x-rate-limit-reset', 'ratelimit-reset', 'x-ratelimit-reset-requests']
const remainings = ['x-ratelimit-remaining', 'x-rate-limit-remaining', 'ratelimit-remaining']

/** Whether a rate limit was reached: GitHub says so with 403. */
const isLimited = (headers: Answer['headers']): boolean =>
  headerOf(headers, 'retry-after') !== '' || remainings.some((name) => headerOf(headers, name) === '0')

/** How long the server wants owm to wait, in milliseconds, by its own clock. */
function waitOf(headers: Answer['headers']): number | undefined {
  const retryAfter = headerOf(headers, 'retry-after')
  const now = Date.parse(headerOf(headers, 'date')) || Date.now()
  const wait = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - now
  if (!Number.isNaN(wait)) return Math.max(0, wait)
  const reset = resets.map((name) => headerOf(headers, name)).find((value) => /^\d+(\.\d+)?$/.test(value))
  if (reset === undefined) return undefined
  const seconds = Number(reset) > 1e11 ? Number(reset) / 1000 : Number(reset)
  return Math.max(0, seconds > 1e9 ? seconds * 1000 - now : seconds * 1000)
}

const off = 'If it means something else, set source.next to false.'

/** The error for a page that says that some of it is missing. */
export const lackError = ({ at, said }: Sign, named: string, hint = off): TransientError =>
  new TransientError(`${named} says that something is missing: ${at} is ${said}.`, { hint })

/** The error for a list that ended though a sign says that there is more. */
export function missedError(sign: Sign, named: string, read: { count: number; pages: number }): OwmError {
  const { kind, at, said, hint } = sign
  if (kind === 'items')
    return new TransientError(`The list ended after ${read.count} of ${countInWords(sign)} items, as ${at} says.`, {
      hint: `${hint} If that is no total of its items, set source.total to false.`,
    })
  if (kind === 'pages')
    return new TransientError(`The list ended after ${read.pages} of ${countInWords(sign)} pages, as ${at} says.`, {
      hint: `${hint} ${off}`,
    })
  if (kind === 'lacking') return lackError(sign, named)
  if (kind === 'next')
    return new ConfigurationError(`${named} names a next page that isn't asked for: ${at} is ${said}.`, {
      hint: `${hint} ${off}`,
    })
  return new ConfigurationError(`${named} says that more follows, but not where: ${at} is ${said}.`, {
    hint: `Name in source.next where the answer has its next cursor or link. ${hint} ${off}`,
  })
}
