/** One connection to Redis, healthy or an error. ioredis' own retries and queues are off: they are owm's. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { classed, endsConnection, isReply } from './errors.js'
import type { Settings } from './options.js'

export class Connection {
  readonly #settings: Settings
  readonly #signal: AbortSignal
  #client: Redis | undefined
  #connecting: Promise<Redis> | undefined

  constructor(settings: Settings, signal: AbortSignal) {
    this.#settings = settings
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
    this.#client = await connect(this.#settings, this.#signal)
    return this.#client
  }
}

async function connect(settings: Settings, signal: AbortSignal): Promise<Redis> {
  // SELECT is sent below: ioredis' own, after a refused AUTH, is a rejection that nobody can handle.
  const url = new URL(settings.url)
  const db = url.pathname.slice(1)
  url.pathname = ''
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
  try {
    await endedBy(signal, redis, () => redis.connect())
    // A server that has too many clients says so before it is asked, and closes: read that before a write fails.
    await nextTurn()
    await nextTurn()
    if (db !== '') await redis.select(Number(db))
    await endedBy(signal, redis, () => ping(redis, settings.healthCheckTimeoutMs))
    await nextTurn()
    if (trouble) throw trouble // a wrong password: where the default user has none, the PING was answered all the same
    redis.client('SETNAME', 'owm').catch(() => undefined) // for CLIENT LIST; a user may lack the right to it
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
