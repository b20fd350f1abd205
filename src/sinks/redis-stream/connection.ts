/** One connection to Redis, healthy or an error. ioredis' own retries and queues are off: they are owm's. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Logger } from '../../plugin.js'
import { classed, endsConnection, isReply } from './errors.js'
import { databaseIn, ownParameters, type Settings } from './options.js'
import { otherProtocol } from './protocol.js'

export class Connection {
  readonly #settings: Settings
  readonly #signal: AbortSignal
  readonly #log: Logger
  #client: Redis | undefined
  #connecting: Promise<Redis> | undefined
  /** Whether commands that may be missing are sent: a proxy may answer them by closing the connection. */
  #sendsOptional = true
  #warned = false

  constructor(settings: Settings, signal: AbortSignal, log: Logger) {
    this.#settings = settings
    this.#log = log
    this.#signal = signal
    // A signal ends every wait at once: whether a batch was applied, the fence knows.
    signal.addEventListener('abort', () => this.close(), { once: true })
  }

  /**
   * Asks Redis, on a connection that is made first where there is none. Questions are sent in the order of the calls.
   * Throws ConfigurationError, TransientError.
   */
  async ask<T>(question: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = await this.#ready()
    try {
      this.#signal.throwIfAborted()
      return await question(redis)
    } catch (error) {
      // It may be dead, and ioredis calls it ready until the other side has closed it: the next attempt takes another.
      if (endsConnection(error)) {
        drop(redis)
        if (this.#client === redis) this.#client = undefined
      }
      throw classed(error, this.#settings.url)
    }
  }

  close(): void {
    drop(this.#client)
  }

  /** Several may ask at once: they share one connection. */
  async #ready(): Promise<Redis> {
    if (!this.#connecting && this.#client?.status === 'ready') return this.#client
    this.#connecting ??= this.#reconnect().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  async #reconnect(): Promise<Redis> {
    drop(this.#client)
    let redis = await this.#connect()
    if (this.#sendsOptional && !(await this.#introduce(redis))) {
      this.#sendsOptional = false
      drop(redis)
      redis = await this.#connect()
    }
    this.#client = redis
    return redis
  }

  /** A failure of this kind is looked into: the port may speak TLS where the URL doesn't, or the reverse. */
  async #connect(): Promise<Redis> {
    try {
      return await connect(this.#settings, this.#signal)
    } catch (error) {
      const isLookedInto = !this.#signal.aborted && this.#settings.url.startsWith('rediss:')
      throw (isLookedInto && (await otherProtocol(this.#settings, error))) || error
    }
  }

  /** Gives the connection a name for CLIENT LIST, and looks whether keys may vanish. False where it is dead now. */
  async #introduce(redis: Redis): Promise<boolean> {
    const [, memory] = await Promise.allSettled([
      endedBy(this.#signal, redis, () => redis.client('SETNAME', 'owm')),
      redis.info('memory'),
    ])
    this.#signal.throwIfAborted()
    // A user may lack the right to them.
    if (memory.status === 'rejected') return isReply(memory.reason)
    const [, policy = ''] = /^maxmemory_policy:(allkeys-\w+)/m.exec(memory.value) ?? []
    if (policy !== '' && !this.#warned)
      this.#log.warn(
        { event: 'redis-may-delete', policy },
        'Redis may delete the stream with all its tasks when its memory is full: set maxmemory-policy noeviction',
      )
    this.#warned ||= policy !== ''
    return true
  }
}

async function connect(settings: Settings, signal: AbortSignal): Promise<Redis> {
  // SELECT is sent below: ioredis' own, after a refused AUTH, is a rejection that nobody can handle.
  const url = new URL(settings.url)
  const db = databaseIn(settings.url)
  url.pathname = ''
  for (const name of ['db', ...ownParameters]) url.searchParams.delete(name)
  const redis = new Redis(url.href, {
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    enableReadyCheck: false, // PING says it, and needs no right to INFO
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: settings.connectTimeoutMs,
    commandTimeout: settings.commandTimeoutMs,
    disableClientInfo: true, // connect() would wait for it, longer than for the PING
  })
  // What the server said explains more than the broken connection after it.
  let trouble: Error | undefined
  redis.on('error', (error: Error) => {
    if (!isReply(trouble)) trouble = error
  })
  // A refused TLS connection fails twice, with an alert and with a reset; ioredis listens to the first error only.
  redis.once('connect', () => redis.stream.on('error', () => undefined))
  try {
    await endedBy(signal, redis, () => redis.connect())
    // A server that has too many clients says so before it is asked, and closes: read that before a write fails.
    await nextTurn()
    await nextTurn()
    if (db !== '') await redis.select(Number(db))
    await endedBy(signal, redis, () => ping(redis, settings.healthCheckTimeoutMs))
    await nextTurn()
    if (trouble) throw trouble // a wrong password: where the default user has none, the PING was answered all the same
    return redis
  } catch (error) {
    drop(redis)
    throw classed(trouble ?? error, settings.url)
  }
}

async function ping(redis: Redis, timeoutMs: number): Promise<void> {
  const late = new Promise<never>((_, reject) =>
    setTimeout(() => reject(new Error('PING timed out')), timeoutMs).unref(),
  )
  await Promise.race([redis.ping(), late])
}

/** Closes a connection. Where it is closed already, ioredis would set a timer that keeps the process for 2 s. */
function drop(redis: Redis | undefined): void {
  if (redis && redis.status !== 'end' && redis.status !== 'close') redis.disconnect()
}

/** Runs `work`; a signal closes the connection, which ends every wait on it. */
async function endedBy<T>(signal: AbortSignal, redis: Redis, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const stop = (): void => drop(redis)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await work()
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
