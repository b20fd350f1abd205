/** Opens one connection and checks that it works. ioredis' own retries and queues are off: owm has its own. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Command, Redis, type RedisOptions } from 'ioredis'
import { within } from '../../../within.js'
import { classed, isReply, knowsNoUsers, unexpected, wantsNoPassword } from '../errors.js'
import type { Settings } from '../options.js'
import { takeOptions } from '../url.js'
import { addressOfEndpoint, type Endpoint, type Login, type Way } from '../way.js'
import { otherProtocol } from './protocol.js'

export interface Target {
  readonly node: Endpoint
  readonly login: Login
  /** '' for none. */
  readonly database: string
  /** A node of a cluster that is taking over the hash slot: it answers only after ASKING. */
  readonly isAsked?: boolean
}

/**
 * Throws ConfigurationError, TransientError.
 * @param onOpen called if the server was sent a password but has none set
 */
export async function dial(
  target: Target,
  settings: Settings,
  way: Way,
  signal: AbortSignal,
  onOpen: (place: string) => void,
): Promise<Redis> {
  const { database, isAsked = false } = target
  const redis = clientFor(target, settings, way)
  // The server's reply explains more than the broken connection after it.
  let trouble: Error | undefined
  redis.on('error', (error: Error) => {
    if (!isReply(trouble)) trouble = error
  })
  let isOpen = false
  takeRefusedLogin(redis, (error) => {
    isOpen = wantsNoPassword(error)
    if (!isOpen) trouble = error
  })
  // A refused TLS connection fails twice, with an alert and with a reset; ioredis listens to the first error only.
  redis.once('connect', () => redis.stream.on('error', () => undefined))
  try {
    await endedBy(signal, redis, () => redis.connect())
    // A server with too many clients says so unasked and closes the connection: read that before a write fails.
    await nextTurn()
    await nextTurn()
    if (database !== '') await redis.select(Number(database))
    await endedBy(signal, redis, () => ping(redis, settings.healthCheckTimeoutMs))
    await nextTurn()
    if (trouble) throw trouble // a wrong password: if the default user has none, the PING was answered all the same
    if (isOpen) onOpen(addressOfEndpoint(target.node))
    if (isAsked) sayAsking(redis)
    return redis
  } catch (error) {
    drop(redis)
    const failure = classed(trouble ?? error, addressOfEndpoint(target.node))
    // The port may not speak TLS.
    const mayLackTls = !signal.aborted && way.tls !== undefined
    throw (mayLackTls && (await otherProtocol(target.node, settings, failure))) || failure
  }
}

function clientFor({ node, login }: Target, settings: Settings, { by, tls }: Way): Redis {
  const { connectTimeoutMs, commandTimeoutMs, durability } = settings
  const options: RedisOptions = {
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    enableReadyCheck: false, // PING tells as much, and needs no right to INFO
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: connectTimeoutMs,
    // Commands after a batch wait for that batch's replicas, too.
    commandTimeout: commandTimeoutMs + 2 * (durability?.timeoutMs ?? 0),
    disableClientInfo: true, // connect() would wait for it, longer than for the PING
    ...(tls === undefined ? {} : { tls }),
    ...(login.password === undefined ? {} : login),
  }
  if (by !== 'server' || settings.url === undefined) return new Redis({ ...node, ...options })
  // `dial` sends SELECT: ioredis' own, after a refused AUTH, would be an unhandled rejection.
  const url = new URL(settings.url)
  url.pathname = ''
  const urlOptions = takeOptions(url)
  return new Redis(url.href.replace(/^rediss:/, 'redis:'), { ...options, ...urlOptions })
}

/** Takes the refusals of AUTH that ioredis would only print to standard error. */
function takeRefusedLogin(redis: Redis, take: (error: Error) => void): void {
  const send = redis.sendCommand.bind(redis)
  redis.sendCommand = (command, stream) => {
    const { name, reject } = command
    if (name === 'auth')
      command.reject = (error) => {
        if (!wantsNoPassword(error) && !knowsNoUsers(error)) return reject(error)
        take(error)
        command.resolve('OK')
      }
    return send(command, stream)
  }
}

/** Sends ASKING before each command: it is valid for one. */
function sayAsking(redis: Redis): void {
  const send = redis.sendCommand.bind(redis)
  redis.sendCommand = (command, stream) => {
    const asking = new Command('asking', [])
    asking.promise.catch(() => undefined) // the command after it fails, too
    // guard: asking-said
    send(asking)
    return send(command, stream)
  }
}

async function ping(redis: Redis, timeoutMs: number): Promise<void> {
  const answer = await within({ ms: timeoutMs, late: () => new Error('PING timed out') }, redis.ping())
  if (answer !== 'PONG') throw unexpected(answer)
}

/** Closes a connection. If it is closed already, ioredis would set a timer that keeps the process alive for 2 s. */
export function drop(redis: Redis | undefined): void {
  if (redis && redis.status !== 'end' && redis.status !== 'close') redis.disconnect()
}

/** Runs `work`; an abort closes the connection, which ends every wait on it. */
export async function endedBy<T>(signal: AbortSignal, redis: Redis, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const stop = (): void => drop(redis)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await work()
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
