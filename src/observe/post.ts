/** One HTTP request with Node's own client: it loads in some 10 ms, a library in 40. */
import { percentDecoded } from '../words.js'

interface PostOptions {
  readonly body: string
  readonly type: string
  readonly signal: AbortSignal
}

/**
 * A signal that aborts after a time, or with another signal. Not `AbortSignal.any` with `timeout`: Node 20 may
 * garbage-collect such a signal while it is still awaited.
 */
export function abortedAfter(timeoutMs: number, signal: AbortSignal): AbortSignal {
  const controller = new AbortController()
  const stop = (): void => controller.abort()
  setTimeout(stop, timeoutMs).unref()
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  return controller.signal
}

/** Posts a text. Throws if there is no answer, or one other than 2xx. */
export function post(address: string, { body, type, signal }: PostOptions): Promise<void> {
  const url = new URL(address)
  const credentials = `${percentDecoded(url.username)}:${percentDecoded(url.password)}`
  // They go into the header. Node would decode them as well, and throws if it can't.
  url.username = url.password = ''
  const headers = {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'user-agent': 'owm',
    ...(credentials === ':' ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }),
  }
  return new Promise((resolve, reject) => {
    // Not imported: Node 24 would read every name of the module, and one of them loads a client, which takes 40 ms.
    const { request: send } = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http')
    // No keep-alive agent: owm exits afterwards.
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
