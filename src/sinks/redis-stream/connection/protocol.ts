/** Recognises a port that speaks no TLS although the configuration says so: it looks like a dead server. */
import { connect } from 'node:net'
import { ConfigurationError, codeOf, toError } from '../../../errors/index.js'
import type { Settings } from '../options.js'
import { addressOfEndpoint, type Endpoint } from '../way.js'

/** Whether a connection was ended without an answer. */
const isReset = (cause: unknown): boolean =>
  cause instanceof Error && /^(ECONNRESET|EPIPE|Connection is closed\.)$/.test(codeOf(cause) || cause.message)

/** The error to throw if that is why a connection failed, else undefined. */
export async function otherProtocol(
  node: Endpoint,
  { url, connectTimeoutMs, healthCheckTimeoutMs }: Settings,
  failure: unknown,
): Promise<ConfigurationError | undefined> {
  const { cause } = toError(failure)
  if (!isReset(cause) && !/^(ETIMEDOUT|ERR_SSL_\w+)$/.test(codeOf(cause))) return undefined
  if (!(await answersPing(node, Math.min(connectTimeoutMs, healthCheckTimeoutMs)))) return undefined
  const [what, hint] = url
    ? ['the URL', 'Write redis:// in sink.url or OWM_REDIS_URL.']
    : ['the configuration', 'Leave sink.tls out.']
  return new ConfigurationError(
    `Redis at ${addressOfEndpoint(node)} doesn't speak TLS, and ${what} says that it does.`,
    {
      hint,
      cause,
    },
  )
}

/** Whether it answers an unencrypted PING in time. */
function answersPing(node: Endpoint, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isAnswered: boolean): void => {
      clearTimeout(late)
      socket.destroy()
      resolve(isAnswered)
    }
    const socket = connect(node, () => socket.write('PING\r\n'))
    const late = setTimeout(end, timeoutMs, false)
    socket.once('data', () => end(true))
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
  })
}
