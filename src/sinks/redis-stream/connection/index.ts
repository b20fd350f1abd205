/** The connection to the server that has the stream: found, made, and made anew where a failure ended it. */
import type { Redis } from 'ioredis'
import type { Logger } from '../../../plugin.js'
import { classed, endsConnection, isReply, redirectionIn, tooFewReplicas } from '../errors.js'
import type { Settings } from '../options.js'
import { addressOfEndpoint, type Endpoint, type Way } from '../way.js'
import { dial, drop, endedBy, type Target } from './dial.js'
import { find, nodeAt } from './find.js'

/** Nodes of a cluster that send us on, one to the next, before that counts as a failure. */
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
  /** Where the last answer has sent us: good for one attempt. */
  #redirected: Target | undefined
  /** Of Sentinels, which tell of a failover that the old master doesn't know of yet. */
  #listeners: readonly Redis[] = []
  /** Whether commands that may be missing are sent: a proxy may answer them by closing the connection. */
  #sendsOptional = true
  #warned = false
  /** Servers that want no password, and were sent one. */
  readonly #open = new Set<string>()
  #isClosed = false

  constructor(settings: Settings, way: Way, signal: AbortSignal, log: Logger) {
    this.#settings = settings
    this.#way = way
    this.#log = log
    this.#signal = signal
    // A signal ends every wait at once: whether a batch was applied, the fence knows.
    signal.addEventListener('abort', () => this.close(), { once: true })
  }

  /** Where it is connected to, in words: `10.0.0.1:6379`. */
  get place(): string {
    return addressOfEndpoint(this.node)
  }

  /** The server that it is connected to, or else the first that is known. */
  get node(): Endpoint {
    return this.#node ?? this.#way.nodes[0]
  }

  /**
   * Asks Redis, on a connection that is made first where there is none. Questions are sent in the order of the calls.
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
        // It may be dead, and ioredis calls it ready until the other side has closed it: take another one next.
        if (endsConnection(error)) {
          drop(redis)
          if (this.#client === redis) this.#follow(error)
        }
        if (this.#way.by !== 'cluster' || !redirectionIn(error) || hops === maxHops) throw classed(error, place)
      }
    }
  }

  /** The same for what is to last: answers only when as many replicas as `durability` asks for have it. */
  async write<T>(question: (redis: Redis) => Promise<T>): Promise<T> {
    const { durability } = this.#settings
    if (!durability) return this.ask(question)
    const { replicas, timeoutMs } = durability
    // WAIT is about what was written before it on its connection: both are sent in one go.
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

  /** Several may ask at once: they share one connection. */
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

  /** Where an answer of a cluster says that another node has the hash slot, the next attempt goes there. */
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
