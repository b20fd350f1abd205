/** The connection to the server that has the stream: finds the server, connects, and reconnects after a failure. */
import type { Redis } from 'ioredis'
import type { Logger } from '../../../plugin.js'
import { classed, endsConnection, isReply, redirectionIn, tooFewReplicas } from '../errors.js'
import type { Settings } from '../options.js'
import { addressOfEndpoint, type Endpoint, type Way } from '../way.js'
import { dial, drop, endedBy, type Target } from './dial.js'
import { find, nodeAt } from './find.js'

/** Redirections of a cluster that are followed one after the other, before that counts as a failure. */
const maxHops = 3

export class Connection {
  readonly #settings: Settings
  readonly #way: Way
  readonly #signal: AbortSignal
  readonly #log: Logger
  #client: Redis | undefined
  #connecting: Promise<Redis> | undefined
  /** The server that `#client` is connected to, or was. */
  #node: Endpoint | undefined
  /** Where the last answer redirected to: for one attempt. */
  #redirected: Target | undefined
  /** Connections to Sentinels, which tell of a failover before the old master knows of it. */
  #listeners: readonly Redis[] = []
  /** Whether to send optional commands: a proxy that lacks one may close the connection. */
  #sendsOptional = true
  #warned = false
  /** Servers that were sent a password but have none set. */
  readonly #open = new Set<string>()
  #isClosed = false

  constructor(settings: Settings, way: Way, signal: AbortSignal, log: Logger) {
    this.#settings = settings
    this.#way = way
    this.#log = log
    this.#signal = signal
    // An abort ends every wait at once; the fence tells whether a batch was applied.
    signal.addEventListener('abort', () => this.close(), { once: true })
  }

  /** The server's address, for messages: `10.0.0.1:6379`. */
  get place(): string {
    return addressOfEndpoint(this.node)
  }

  /** The server that it is or was connected to, or else the first that is configured. */
  get node(): Endpoint {
    return this.#node ?? this.#way.nodes[0]
  }

  /**
   * Asks Redis, after connecting if necessary. Questions are sent in the order of the calls.
   * Throws ConfigurationError, TransientError.
   */
  async ask<T>(question: (redis: Redis) => Promise<T>): Promise<T> {
    for (let hops = 0; ; hops++) {
      const redis = await this.#ready()
      try {
        this.#signal.throwIfAborted()
        return await question(redis)
      } catch (error) {
        const { place } = this
        // The connection may be dead, yet ioredis calls it ready until the other side closes it: don't use it again.
        if (endsConnection(error)) {
          drop(redis)
          if (this.#client === redis) this.#follow(error)
        }
        if (this.#way.by !== 'cluster' || !redirectionIn(error) || hops === maxHops) throw classed(error, place)
      }
    }
  }

  /** `ask` for writes: resolves only once as many replicas as `durability` asks for have them. */
  async write<T>(question: (redis: Redis) => Promise<T>): Promise<T> {
    const { durability } = this.#settings
    if (!durability) return this.ask(question)
    const { replicas, timeoutMs } = durability
    // WAIT is about what its own connection wrote before it: both are sent in one go.
    const [answer, confirmed] = await this.ask((redis) =>
      Promise.all([question(redis), redis.wait(replicas, timeoutMs)]),
    )
    // guard: replicas-counted
    if (confirmed < replicas) throw tooFewReplicas(this.place, confirmed, durability)
    return answer
  }

  close(): void {
    this.#isClosed = true
    this.#dropAll()
  }

  #dropAll(): void {
    for (const redis of [this.#client, ...this.#listeners]) drop(redis)
  }

  /** Concurrent callers share one connection. */
  async #ready(): Promise<Redis> {
    if (!this.#connecting && this.#client?.status === 'ready') return this.#client
    this.#connecting ??= this.#reconnect().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  async #reconnect(): Promise<Redis> {
    this.#dropAll()
    let redis = await this.#connect()
    if (this.#sendsOptional && !(await this.#introduce(redis))) {
      this.#sendsOptional = false
      drop(redis)
      redis = await this.#connect()
    }
    this.#client = redis
    return redis
  }

  /** If a cluster answers that another node has the hash slot, the next attempt goes there. */
  #follow(error: unknown): void {
    this.#client = undefined
    const redirection = this.#way.by === 'cluster' ? redirectionIn(error) : undefined
    if (!redirection || !this.#node) return
    const node = nodeAt(redirection.host, redirection.port, this.#node)
    this.#redirected = { node, login: this.#way.login, database: '', isAsked: redirection.isAsked }
  }

  async #connect(): Promise<Redis> {
    const [settings, way, signal] = [this.#settings, this.#way, this.#signal]
    let isMoved = false
    let redis: Redis | undefined
    const target: Target = this.#redirected ?? {
      node: await this.#find(() => {
        isMoved = true
        drop(redis)
      }),
      login: way.login,
      database: way.database,
    }
    this.#redirected = undefined
    this.#node = target.node
    redis = await dial(target, settings, way, signal, this.#warnOfOpen)
    if (isMoved || this.#isClosed) drop(redis)
    return redis
  }

  async #find(onMoved: () => void): Promise<Endpoint> {
    const [settings, way] = [this.#settings, this.#way]
    if (way.by === 'server') return way.nodes[0]
    const { node, listeners } = await find(way, settings, this.#signal, { onMoved, onOpen: this.#warnOfOpen })
    this.#listeners = listeners
    return node
  }

  readonly #warnOfOpen = (place: string): void => {
    if (this.#open.has(place)) return
    this.#open.add(place)
    this.#log.warn(
      { event: 'redis-open', server: place },
      'this Redis wants no password, but was sent one: set requirepass there, or take it out of the configuration',
    )
  }

  /** Names the connection for CLIENT LIST, and checks whether Redis may delete keys. False if it is dead afterwards. */
  async #introduce(redis: Redis): Promise<boolean> {
    const [, memory] = await Promise.allSettled([
      endedBy(this.#signal, redis, () => redis.client('SETNAME', 'owm')),
      redis.info('memory'),
    ])
    this.#signal.throwIfAborted()
    // This user may lack the right to INFO.
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
