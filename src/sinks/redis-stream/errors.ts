/** Errors of Redis, or on the way to it, as owm's classes. */
import { alertIn, expiredHint, isRefusedByTls } from '../../databases/tls.js'
import { ConfigurationError, codeOf, isDistrusted, isOwmError, TransientError, toError } from '../../errors/index.js'

/** Redis' error codes (the first word of an error reply) that a retry can't fix, each with what to do. */
const configurationCodes: Readonly<Record<string, string>> = {
  NOAUTH: 'Put the user and the password into sink.url or OWM_REDIS_URL, or sink.username and sink.password.',
  WRONGPASS: 'Correct the user or the password: sink.url or OWM_REDIS_URL, or sink.username and sink.password.',
  NOPERM:
    'Give the user +eval +ping +time +select +hmget +hget +hset +hsetnx +hdel +hlen +hgetall +xadd +xlen +xrange ' +
    '+xrevrange +xinfo, and for receipts +zadd +zcard +zrange +zrem +zrevrange +zrangebyscore, on the keys ~STREAM ' +
    'and ~{STREAM}:owm:* (ACL SETUSER); `owm why` also asks +xpending, `durability` +wait, `cluster` +cluster. ' +
    '`owm doctor` names what is missing.',
  WRONGTYPE: 'The key is used for something else: correct sink.stream.',
  CROSSSLOT: "The stream and owm's keys beside it are in different hash slots: choose another name in sink.stream.",
  DAMAGED: 'Somebody changed what owm keeps there: remove that field (HDEL), and owm goes on by what it knows besides.',
  DENIED: 'Give the server a password, or let it listen on the address that owm may use (protected-mode).',
  NOUSERS: 'Redis 5 knows no users: leave the password, and take the user out of sink.url, or sink.username out.',
  UNKNOWN:
    'owm needs Redis 5 or newer with EVAL and streams: look whether a proxy or rename-command keeps a command away. ' +
    'Where a Sentinel answers there, name it in sink.sentinels instead of sink.url.',
  DATABASE: 'Correct sink.database, or the number at the end of sink.url; a cluster has only 0.',
  NOCLUSTER: 'This server is no part of a cluster: name it in sink.url instead of sink.cluster.',
}

const noUsers = /^ERR wrong number of arguments for 'auth'/i

/** Error replies without a code of their own, each with the code under which it is listed above or below. */
const codesOfWords: readonly [RegExp, string][] = [
  [/^(ERR )?(The user executing the script can't|ACL failure in script)/, 'NOPERM'],
  [/^ERR invalid password/, 'WRONGPASS'], // Redis 5
  [noUsers, 'NOUSERS'],
  [/^ERR max number of clients/, 'MAXCLIENTS'],
  [/^(ERR )?.{0,80}\b(unknown|unsupported) (redis )?(sub)?command/i, 'UNKNOWN'],
  [/^ERR (DB index is out of range|invalid DB index|SELECT is not allowed)/i, 'DATABASE'],
  [/^ERR .{0,80}keys that (do not|don't) hash to the same slot/i, 'CROSSSLOT'],
  [/^ERR This instance has cluster support disabled/i, 'NOCLUSTER'],
]

/** Redis' error codes for transient failures, each with what an operator can do meanwhile. */
const transientCodes: Readonly<Record<string, string>> = {
  LOADING: 'The server is reading its data set; it will answer when it has.',
  READONLY: 'This server is a replica: name the master, or wait for the failover to end.',
  OOM: 'The server has reached its maxmemory: free memory or raise the limit; the tasks wait in the outbox.',
  MISCONF: "The server can't write its snapshot to disk and refuses writes: look at its log and its disk.",
  BUSY: 'A script keeps the server busy.',
  MASTERDOWN: 'The replica has lost its master.',
  MOVED: 'The cluster serves this hash slot from another node: name some nodes in sink.cluster instead of sink.url.',
  ASK: 'The hash slot of the stream is moving to another node: this passes.',
  TRYAGAIN: 'The hash slot of the stream is moving to another node: this passes.',
  NOREPLICAS: 'Too few replicas are connected for min-replicas-to-write.',
  CLUSTERDOWN: 'The cluster is down: `redis-cli --cluster check` and a node says why; the tasks wait in the outbox.',
  MAXCLIENTS: 'Raise maxclients on the server, or close other connections; the tasks wait in the outbox.',
}

/** Codes of the wrong server, or of one that can't serve yet: the name must be resolved again. */
const wrongServer: ReadonlySet<string> = new Set([
  ...['READONLY', 'MASTERDOWN', 'LOADING', 'CLUSTERDOWN', 'MOVED', 'ASK'],
])

/** For an answer that Redis itself never gives to owm's commands. */
export const unexpected = (answer: unknown, place?: string): TransientError =>
  new TransientError(
    `Redis${place === undefined ? '' : ` at ${place}`} answered something unexpected: ` +
      [answer].flat(Number.POSITIVE_INFINITY).join(' '),
    { hint: 'Look whether a proxy, or another program than Redis, answers there.' },
  )

/** A server that takes no more clients says so before it is asked: ioredis quotes it at the end of its own error. */
const unasked = /^Command queue state error.*Last error: (?:ReplyError: )?(.+)$/s

/** Throws TransientError if the answer is no list: a proxy may answer anything. */
export function listOf<T>(answer: readonly T[]): readonly T[] {
  if (Array.isArray(answer)) return answer
  throw unexpected(answer)
}

export const isReply = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError'

/** The node that a cluster redirects to: `MOVED 3999 10.0.0.2:6379`, or `ASK …` for one command only. */
export function redirectionIn(error: unknown): { host: string; port: string; isAsked: boolean } | undefined {
  const [, word, host = '', port = ''] = /^(MOVED|ASK) \d+ (.*):(\d+)$/.exec(toError(error).message) ?? []
  return word === undefined ? undefined : { host, port, isAsked: word === 'ASK' }
}

/** Whether the server was sent a password but has none set: Redis 5's message, and that of newer ones. */
export const wantsNoPassword = (error: Error): boolean =>
  /^ERR (Client sent AUTH, but no password is set|.*without any password configured)/.test(error.message)

/** Whether the server was sent a user but knows only passwords: Redis before 6. */
export const knowsNoUsers = (error: Error): boolean => noUsers.test(error.message)

/** Whether the stream or its group doesn't exist. */
export const isMissingKey = (error: unknown): boolean =>
  isReply(error) && /^(ERR )?no such key|^NOGROUP/.test(toError(error).message)

/** Whether the next attempt should take another connection. */
export const endsConnection = (error: unknown): boolean =>
  !isReply(error) || wrongServer.has(codeOfReply(toError(error).message))

/** The code of an error reply: the one of `codesOfWords`, or else its first word. */
const codeOfReply = (message: string): string =>
  codesOfWords.find(([words]) => words.test(message))?.[1] ?? message.split(' ', 1)[0] ?? ''

/** The code of the error reply that caused an error of `classed`; '' for any other error. */
export function replyCodeOf(error: unknown): string {
  const { cause } = toError(error)
  return cause instanceof Error && isReply(cause) ? codeOfReply(cause.message) : ''
}

/** @param commands those that a run needs and this user may not give, each with its key */
export const forbidden = (commands: readonly string[], place: string): ConfigurationError =>
  new ConfigurationError(`Redis at ${place} doesn't allow this user ${commands.join(', ')}.`, {
    hint: configurationCodes['NOPERM'],
  })

/** The master has what was written, but too few replicas: it may be lost with the master. */
export const tooFewReplicas = (
  place: string,
  confirmed: number,
  { replicas, timeoutMs }: { replicas: number; timeoutMs: number },
): TransientError =>
  new TransientError(
    `${confirmed} of the ${replicas} replicas that sink.durability asks for had everything within ${timeoutMs} ms ` +
      `(Redis at ${place}): what the master took isn't acknowledged.`,
    {
      hint:
        'Look whether the replicas are connected and keep up (`owm doctor`), or lower sink.durability; then run ' +
        '`owm flush`: nothing comes twice.',
    },
  )

function lookAt(error: Error): string {
  if (codeOf(error) === 'CERT_NOT_YET_VALID') return "Look at this machine's clock"
  if (codeOf(error) === 'ECONNRESET')
    return 'Look whether the port speaks TLS (rediss://), and whether the server wants sink.tls.cert and sink.tls.key'
  return 'Look whether the server runs and the address is right'
}

/** An error of Redis as one of owm's own; `place` names the server without credentials. */
export function classed(thrown: unknown, place: string): Error {
  const error = toError(thrown)
  if (isOwmError(error)) return error
  const [, reply] = unasked.exec(error.message) ?? []
  if (reply !== undefined) return classed(Object.assign(new Error(reply), { name: 'ReplyError' }), place)
  if (isReply(error)) {
    const code = codeOfReply(error.message)
    const fix = configurationCodes[code]
    // For an unknown command Redis quotes the arguments, which are owm's scripts.
    const message = error.message.replace(/, with args beginning with: .*/s, '')
    if (fix) return new ConfigurationError(`Redis at ${place} refused: ${message}`, { hint: fix, cause: error })
    const hint = transientCodes[code] ?? 'What the outbox holds is safe: fix the cause, then start owm again.'
    return new TransientError(`Redis at ${place} answered: ${error.message}`, { hint, cause: error })
  }
  if (isDistrusted(error))
    return new ConfigurationError(`The TLS certificate of Redis at ${place} is not trusted: ${error.message}`, {
      hint:
        expiredHint(error) ??
        'Name its authority in sink.tls.ca or NODE_EXTRA_CA_CERTS; where only the name differs, write the one in the ' +
          'certificate into sink.tls.serverName.',
      cause: error,
    })
  if (isRefusedByTls(error))
    return new ConfigurationError(`Redis at ${place} refused the TLS connection: ${alertIn(error.message)}.`, {
      hint:
        expiredHint(error) ??
        'Name a certificate of owm in sink.tls.cert and sink.tls.key, or set `tls-auth-clients no` on the server.',
      cause: error,
    })
  if (error.name === 'ParserError') return unexpected(error.message.replace(/ Please report this\.$/, ''), place)
  return new TransientError(`Redis at ${place} can't be reached: ${error.message}`, {
    hint: `${lookAt(error)}; the tasks wait in the outbox.`,
    cause: error,
  })
}
