/** Whether a port speaks TLS where the URL says that it doesn't, or the reverse: each looks like a dead server. */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ConfigurationError, codeOf, toError } from '../../errors/index.js'
import type { Settings } from './options.js'

/** Whether a connection was ended without an answer: so a TLS port does where something else is said. */
const isReset = (failure: unknown): failure is Error =>
  failure instanceof Error &&
  failure.cause instanceof Error &&
  /^(ECONNRESET|EPIPE|Connection is closed\.)$/.test(codeOf(failure.cause) || failure.cause.message)

/** The error in words, where that is the cause of a failed connection; undefined where it isn't. */
export async function otherProtocol(settings: Settings, failure: unknown): Promise<ConfigurationError | undefined> {
  const { cause } = toError(failure)
  const { protocol, host } = new URL(settings.url)
  const isTls = protocol === 'rediss:'
  if (!isReset(failure) && !(isTls && /^(ETIMEDOUT|ERR_SSL_\w+)$/.test(codeOf(cause)))) return undefined
  const target = targetOf(settings)
  const timeoutMs = Math.min(settings.connectTimeoutMs, settings.healthCheckTimeoutMs)
  if (!isTls) {
    // Nothing is sent to it: whoever it is, it need not be trusted.
    const socket = connectTls({ ...target, rejectUnauthorized: false })
    if (!(await says(socket, 'secureConnect', timeoutMs))) return undefined
    return wrong(`Redis at ${host} speaks TLS, and the URL says that it doesn't.`, 'rediss', cause)
  }
  const socket = connectPlain(target, () => socket.write('PING\r\n'))
  if (!(await says(socket, 'data', timeoutMs))) return undefined
  return wrong(`Redis at ${host} doesn't speak TLS, and the URL says that it does.`, 'redis', cause)
}

function targetOf({ url }: Settings): { host: string; port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, '') || 'localhost', port: Number(port || 6379) }
}

const wrong = (message: string, scheme: string, cause: unknown): ConfigurationError =>
  new ConfigurationError(message, { hint: `Write ${scheme}:// in sink.url or OWM_REDIS_URL.`, cause })

/** Whether the other side says something in time; the socket is destroyed. */
function says(socket: Socket, event: 'secureConnect' | 'data', timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (found: boolean): void => {
      clearTimeout(late)
      socket.destroy()
      resolve(found)
    }
    const late = setTimeout(end, timeoutMs, false)
    socket.once(event, () => end(true))
    // In a TLS alert, too, somebody speaks TLS.
    socket.on('error', (error) => end(event === 'secureConnect' && /_ALERT_/.test(codeOf(error))))
    socket.once('close', () => end(false))
  })
}
