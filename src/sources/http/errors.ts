/** What goes wrong on the way to a server, or with a status, as owm's classes. */
import { STATUS_CODES } from 'node:http'
import { ConfigurationError, codeOf, isDistrusted, isOwmError, TransientError, toError } from '../../errors/index.js'
import { type Answer, headerOf } from './request.js'

/** The server doesn't know this page; where it knew the page before a crash, the list is read again. */
export class NoSuchPage extends ConfigurationError {}

/** An answer that is too long; said with its page elsewhere. */
export class TooLong extends Error {
  constructor(most: number) {
    super(`longer than ${most} bytes`)
  }
}

/** A failed request. */
export function classed(thrown: unknown, where: string): Error {
  const error = toError(thrown)
  if (isOwmError(error)) return error
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
    hint: 'Check that the server runs and that source.url is right.',
    cause: error,
  })
}

/** An answer whose status isn't a good one. */
export function refused({ status, headers }: Answer, where: string, body: string): Error {
  const message = `${where} answered ${status} ${STATUS_CODES[status] ?? ''}${body === '' ? '' : `: ${body}`}`
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const retryAfterMs = waitOf(headerOf(headers, 'retry-after'), headerOf(headers, 'date'))
    const again = retryAfterMs === undefined ? '' : ` (try again in ${Math.ceil(retryAfterMs / 1000)} s)`
    return new TransientError(`${message}${again}`, { retryAfterMs })
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
