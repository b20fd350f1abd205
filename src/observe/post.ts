/** One request of HTTP, with Node's own client: what costs a library some 40 ms to load takes 10 here. */
import { request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'

interface Given {
  readonly body: string
  readonly type: string
  readonly signal: AbortSignal
}

/**
 * Aborted after a time, or with another signal. Not `AbortSignal.any` and `timeout`: Node 20 collects such a signal as
 * garbage while it is waited for.
 */
export function abortedAfter(timeoutMs: number, signal: AbortSignal): AbortSignal {
  const late = new AbortController()
  const stop = (): void => late.abort()
  setTimeout(stop, timeoutMs).unref()
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  return late.signal
}

/** What is not well percent-encoded, a `%` of a password, say, is meant as it stands. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Posts a text. Throws where there is no answer, or one that isn't 2xx. */
export function post(address: string, { body, type, signal }: Given): Promise<void> {
  const url = new URL(address)
  const credentials = `${decoded(url.username)}:${decoded(url.password)}`
  // They are in the header. Node would decode them, too, and throws where that can't be done.
  url.username = url.password = ''
  const headers = {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'user-agent': 'owm',
    ...(credentials === ':' ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }),
  }
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? overHttps : overHttp
    // Without an agent that keeps the connection: owm ends after it.
    const request = send(url, { method: 'POST', agent: false, headers, signal }, (response) => {
      response.resume()
      response.once('error', reject)
      response.once('end', () => {
        const { statusCode = 0 } = response
        if (statusCode >= 200 && statusCode < 300) resolve()
        else reject(new Error(`it answered ${statusCode}`))
      })
    })
    request.once('error', reject)
    request.end(body)
  })
}
