/** Requests, and the redirects that they follow. */
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { unzip } from 'node:zlib'
import type { Dispatcher } from 'undici'
import { ConfigurationError, codeOf, TransientError } from '../../errors/index.js'
import { isGzip } from '../formats/text.js'
import { type Answer, headerOf, isGood } from './answer/received.js'
import { classed, reached, TooLong } from './errors.js'
import { isPlainUrl, type Options } from './options.js'
import { type Proxies, proxyVariable } from './proxy.js'

/** The header Accept, by the format of the answers. */
const accepted = {
  json: 'application/json',
  ndjson: 'application/x-ndjson, application/json;q=0.9, */*;q=0.1',
  csv: 'text/csv, */*;q=0.1',
  tsv: 'text/tab-separated-values, text/csv;q=0.9, */*;q=0.1',
}
const redirects = [301, 302, 303, 307, 308]
const maxRedirects = 5

export class Client {
  readonly #given: Options
  readonly #origin: string
  /** The configured headers, including the credentials. */
  readonly #own: Readonly<Record<string, string>>
  readonly #common: Readonly<Record<string, string>>
  readonly #dispatcher: Dispatcher
  readonly #proxies: Proxies
  /** When the latest request began, in milliseconds of a monotonic clock. */
  #began = Number.NEGATIVE_INFINITY
  readonly #closing = new AbortController()
  readonly #ended: AbortSignal

  constructor(
    given: Options,
    own: Readonly<Record<string, string>>,
    { dispatcher, proxies }: { dispatcher: Dispatcher; proxies: Proxies },
    signal: AbortSignal,
  ) {
    this.#given = given
    this.#origin = new URL(given.url).origin
    this.#own = own
    this.#common = { accept: accepted[given.format ?? 'json'], 'accept-encoding': 'gzip', 'user-agent': 'owm' }
    this.#dispatcher = dispatcher
    this.#proxies = proxies
    this.#ended = AbortSignal.any([signal, this.#closing.signal])
  }

  /**
   * Requests a page, and returns the answer whatever its status. Throws TransientError or ConfigurationError.
   *
   * @param where the page, in words
   */
  async get(url: URL, where: string): Promise<Answer> {
    const { requestTimeoutMs } = this.#given
    await this.#pause()
    const stop = new AbortController()
    const hint = 'Look at the server, or raise source.requestTimeoutMs.'
    let at = url
    const asked = (): string => reached(where, at, this.#origin)
    const tooSlow = () =>
      new TransientError(`${asked()} gave no whole answer within ${requestTimeoutMs / 1000} s`, { hint })
    const late = setTimeout(() => stop.abort(tooSlow()), requestTimeoutMs)
    const end = (): void => stop.abort(this.#ended.reason)
    this.#ended.addEventListener('abort', end)
    try {
      this.#ended.throwIfAborted()
      return await this.#follow(url, where, stop.signal, (next) => {
        at = next
      })
    } catch (error) {
      throw classed(error, asked(), { isOwn: at.origin === this.#origin, proxy: proxyVariable(this.#proxies, at) })
    } finally {
      clearTimeout(late)
      this.#ended.removeEventListener('abort', end)
    }
  }

  /** Waits until the next request may begin. */
  async #pause(): Promise<void> {
    const next = this.#began + (this.#given.minIntervalMs ?? 0)
    const now = performance.now()
    this.#began = Math.max(next, now)
    if (next > now) await sleep(next - now, undefined, { signal: this.#ended })
  }

  /** @param asking is called for each redirect that is followed */
  async #follow(first: URL, where: string, signal: AbortSignal, asking: (url: URL) => void): Promise<Answer> {
    let url = first
    for (let hops = 0; hops <= maxRedirects; hops++) {
      if (!isPlainUrl(url.href))
        throw new ConfigurationError(`${where} leads to something other than a plain http or https URL.`, {
          hint: 'Correct source.url.',
        })
      const {
        statusCode: status,
        headers,
        body,
      } = await this.#dispatcher.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: 'GET',
        signal,
        // Only the configured origin gets secrets, not one that a redirect or a link leads to.
        headers: { ...this.#common, ...(url.origin === this.#origin ? this.#own : {}) },
      })
      const location = headerOf(headers, 'location')
      if (!redirects.includes(status) || location === '') {
        // With a bad status, the body is optional.
        const read = decoded(body, headers, { most: this.#given.maxBodyBytes, where })
        const none = { body: Buffer.alloc(0), encodings: [] }
        const isElsewhere = lastOf(url) !== lastOf(first)
        return { status, headers, url, isElsewhere, ...(await (isGood(status) ? read : read.catch(() => none))) }
      }
      await body.dump()
      url = new URL(location, url)
      asking(url)
    }
    throw new ConfigurationError(`${where} is redirected again and again.`, { hint: 'Correct source.url.' })
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#dispatcher.destroy()
  }
}

/** The last name in a path: another server or version, or a slash behind it, gives the same list. */
const lastOf = ({ pathname }: URL): string | undefined => /[^/]+(?=\/*$)/.exec(pathname)?.[0]

/**
 * The whole body, decoded as far as owm can. Throws TooLong if it has more than `most` bytes, and TransientError if it
 * isn't in the encoding that its header names.
 */
async function decoded(
  stream: AsyncIterable<Buffer>,
  headers: Answer['headers'],
  { most, where }: { most: number; where: string },
): Promise<Pick<Answer, 'body' | 'encodings'>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > most) throw new TooLong(most)
    chunks.push(chunk)
  }
  let body: Buffer = Buffer.concat(chunks)
  // Encodings are listed in the order of their application.
  const encodings = headerOf(headers, 'content-encoding')
    .split(/[\s,]+/)
    .filter((name) => !/^(identity)?$/i.test(name))
  for (; /^(x-)?gzip$|^deflate$/i.test(encodings.at(-1) ?? ''); encodings.pop()) {
    if (!mayBeZipped(body))
      throw new TransientError(
        `${where} can't be read: it says content-encoding: ${encodings.at(-1)}, but its body is something else`,
        { hint: 'Look at the server, or at the proxy before it.' },
      )
    body = await unzipped(body, most)
  }
  return { body, encodings }
}

/** Whether bytes begin as gzip and zlib do; of one that ends before that, nothing is known. */
const mayBeZipped = (body: Buffer): boolean =>
  body.length < 2 || isGzip(body) || ((body[0] ?? 0) % 16 === 8 && body.readUInt16BE(0) % 31 === 0)

const unzipped = (body: Buffer, most: number): Promise<Buffer> =>
  promisify(unzip)(body, { maxOutputLength: most }).catch((error: unknown) => {
    throw codeOf(error) === 'ERR_BUFFER_TOO_LARGE' ? new TooLong(most) : error
  })
