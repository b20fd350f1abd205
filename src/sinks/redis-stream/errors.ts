/** What Redis, or the way to it, says, as one of owm's classes. */
import { ConfigurationError, isDistrusted, TransientError, toError } from '../../errors/index.js'

/** Redis' own error codes (the first word of an error reply) that a retry can't mend. */
const configurationCodes: Readonly<Record<string, string>> = {
  NOAUTH: 'Put the user and the password into sink.url or OWM_REDIS_URL.',
  WRONGPASS: 'Correct the user or the password in sink.url or OWM_REDIS_URL.',
  NOPERM:
    'Give the user +eval +ping +select +hmget +hget +hset +hsetnx +hdel +hlen +hgetall +xadd +xlen +xrange +xrevrange ' +
    '+xinfo, and for receipts +zadd +zcard +zrange +zrem +zrevrange +zrangebyscore, on the keys of the stream ' +
    '(ACL SETUSER).',
  WRONGTYPE: 'The key is used for something else: correct sink.stream.',
}

/** Redis' error codes that pass, with what an operator can do meanwhile. */
const transientCodes: Readonly<Record<string, string>> = {
  LOADING: 'The server is reading its data set; it will answer when it has.',
  READONLY: 'This server is a replica: name the new master, or wait for the failover to end.',
  OOM: 'The server has reached its maxmemory: free memory or raise the limit; the tasks wait in the outbox.',
  MISCONF: "The server can't write its snapshot to disk and refuses writes: look at its log and its disk.",
  BUSY: 'A script keeps the server busy.',
  MASTERDOWN: 'The replica has lost its master.',
  NOREPLICAS: 'Too few replicas are connected for min-replicas-to-write.',
  CLUSTERDOWN: 'The cluster is down.',
  MAXCLIENTS: 'Raise maxclients on the server, or close other connections; the tasks wait in the outbox.',
}

/** Codes that mean that this is the wrong server, or one that can't serve yet: the name is to be resolved anew. */
const wrongServer: ReadonlySet<string> = new Set(['READONLY', 'MASTERDOWN', 'LOADING', 'CLUSTERDOWN', 'MOVED'])

export const isReply = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError'

/** Whether the next attempt should take another connection. */
export const endsConnection = (error: unknown): boolean =>
  !isReply(error) || wrongServer.has(codeOfReply(toError(error).message))

/** The code of an error reply: its first word. Redis 7 gives some of them only as words after a bare ERR. */
function codeOfReply(message: string): string {
  if (/^ERR (The user executing the script can't|ACL failure in script)/.test(message)) return 'NOPERM'
  if (message.startsWith('ERR max number of clients')) return 'MAXCLIENTS'
  return message.split(' ', 1)[0] ?? ''
}

/** An error of Redis as one of owm's own. The address is named without its credentials. */
export function classed(thrown: unknown, url: string): Error {
  const error = toError(thrown)
  const { host } = new URL(url)
  if (isReply(error)) {
    const code = codeOfReply(error.message)
    const fix = configurationCodes[code]
    if (fix) return new ConfigurationError(`Redis at ${host} refused: ${error.message}`, { hint: fix, cause: error })
    const hint = transientCodes[code] ?? 'The tasks wait in the outbox: mend the cause, then run `owm flush`.'
    return new TransientError(`Redis at ${host} answered: ${error.message}`, { hint, cause: error })
  }
  if (isDistrusted(error))
    return new ConfigurationError(`The TLS certificate of Redis at ${host} is not trusted: ${error.message}`, {
      hint: 'Name its authority in NODE_EXTRA_CA_CERTS, or correct the host name.',
      cause: error,
    })
  return new TransientError(`Redis at ${host} can't be reached: ${error.message}`, {
    hint: 'Look whether the server runs and the address is right; the tasks wait in the outbox.',
    cause: error,
  })
}
