/**
 * A TCP proxy in front of a Redis that breaks what it carries, on purpose and on
 * record: every fault is counted when it really happens, so that a test can
 * prove that it did.
 *
 * It cuts both directions into RESP messages and passes them on one by one. So a
 * fault hits exactly "the reply of the third script call", however the bytes
 * were packed on their way.
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { cut, nameOf } from './resp.js'

/**
 * What becomes of a script call that adds a batch.
 *
 * - `reset`: the server never sees it, the client's connection is reset.
 * - `half`: the server gets the first half of its bytes, then both connections end.
 * - `drop-reply`: the server applies it and answers; the answer is thrown away, the connection reset.
 * - `swallow`: the server never sees it; nothing is said any more on this connection.
 * - `swallow-reply`: the server applies it and answers; nothing is said any more on this connection.
 * - `late`: the server doesn't see it until `sendLate`; the client's connection is reset.
 * - `before`: runs first, then the call goes on to the server.
 * - `after`: the server applies it and answers; this runs, then the answer is thrown away and the connection reset.
 */
export type ScriptFault =
  | 'reset'
  | 'half'
  | 'drop-reply'
  | 'swallow'
  | 'swallow-reply'
  | 'late'
  | { before: () => Promise<unknown> }
  | { after: () => Promise<unknown> }

/**
 * `refuse`: a new connection is reset at once. `black-hole`: it is accepted, and nothing more is said on any
 * connection, ever.
 */
export type ProxyMode = 'pass' | 'refuse' | 'black-hole'

/** What the proxy did so far. */
export interface ProxyCounts {
  /** Accepted connections, the refused ones among them. */
  connections: number
  refused: number
  /** Connections that were, or went, dead silent. */
  silenced: number
  /** Whole requests that came in: all, and script calls. */
  requests: number
  scripts: number
  /** Script calls that the server answered. */
  scriptsAnswered: number
  /** Answers to script calls that the client never got. */
  repliesDropped: number
  halved: number
  resets: number
  delayed: number
  /** `before` and `after` functions that ran to their end. */
  hooks: number
  /** Connections that the proxy couldn't get from the server. */
  unreachable: number
}

export interface FaultProxy {
  readonly host: string
  readonly port: number
  readonly counts: Readonly<ProxyCounts>
  /** How many connections are open now. */
  readonly open: number
  mode: ProxyMode
  /** Every answer is held back for so long, in milliseconds. */
  latencyMs: number
  /** Once the clients have sent so many more bytes the connection is reset, in the middle of whatever it was. */
  resetAfter(bytes: number): void
  /** The fault of the `n`-th script call from the proxy's start, counted over all connections; once. */
  onScript(n: number, fault: ScriptFault): void
  /** The same for the `n`-th call of another script, such as `place`. */
  onNamed(script: string, n: number, fault: ScriptFault): void
  /** The same, counted from now on, and for any script. */
  onNextNamed(script: string, n: number, fault: ScriptFault): void
  /** The server gets what came `late`, on connections of their own; resolves once it has answered. */
  sendLate(): Promise<void>
  /** The fault of every script call from the `n`-th on, until `repair`. */
  fromScript(n: number, fault: ScriptFault): void
  /** The next request with this command (lower case) is swallowed, like a script call's fault `swallow`; once. */
  swallowNext(command: string): void
  /** From now on everything passes; silent connections are ended. */
  repair(): void
  /** Throws what a `before` or `after` function threw. */
  stop(): Promise<void>
}

/** Starts a proxy on a free loopback port. It serves until `stop`. */
export async function startProxy(target: { host: string; port: number }): Promise<FaultProxy> {
  const proxy = new CountingProxy(target)
  await proxy.listen()
  return proxy
}

/** The script that adds a batch: what these tests call a script call. */
const batchScript = 'add'

class CountingProxy implements FaultProxy {
  readonly host = '127.0.0.1'
  mode: ProxyMode = 'pass'
  latencyMs = 0
  readonly counts: ProxyCounts = {
    connections: 0,
    refused: 0,
    silenced: 0,
    requests: 0,
    scripts: 0,
    scriptsAnswered: 0,
    repliesDropped: 0,
    halved: 0,
    resets: 0,
    delayed: 0,
    hooks: 0,
    unreachable: 0,
  }
  readonly #target: { host: string; port: number }
  readonly #server: Server
  readonly #carriers = new Set<Carrier>()
  readonly #failedHooks: unknown[] = []
  readonly #faults = new Map<number, ScriptFault>()
  readonly #named = new Map<string, ScriptFault>()
  readonly #calls = new Map<string, number>()
  readonly #late: Buffer[] = []
  #greeting: Buffer = Buffer.alloc(0)
  #always: { from: number; fault: ScriptFault } | undefined
  #bytesToReset: number | undefined
  #unheard: string | undefined

  constructor(target: { host: string; port: number }) {
    this.#target = target
    this.#server = createServer((client) => this.#accept(client))
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen')
    return address.port
  }

  get open(): number {
    return this.#carriers.size
  }

  async listen(): Promise<void> {
    this.#server.listen(0, this.host)
    await once(this.#server, 'listening')
  }

  resetAfter(bytes: number): void {
    this.#bytesToReset = bytes
  }

  onScript(n: number, fault: ScriptFault): void {
    this.#faults.set(n, fault)
  }

  onNamed(script: string, n: number, fault: ScriptFault): void {
    this.#named.set(`${script} ${n}`, fault)
  }

  onNextNamed(script: string, n: number, fault: ScriptFault): void {
    const at = (this.#calls.get(script) ?? 0) + n
    if (script === batchScript) this.#faults.set(at, fault)
    else this.#named.set(`${script} ${at}`, fault)
  }

  greet(message: Buffer): void {
    this.#greeting = message
  }

  keepLate(message: Buffer): void {
    this.#late.push(message)
  }

  async sendLate(): Promise<void> {
    for (const message of this.#late.splice(0)) {
      const socket = connect(this.#target.port, this.#target.host)
      // What authenticates the client went before, on another connection. Redis closes it once it has answered all.
      socket.write(this.#greeting)
      socket.end(message)
      socket.resume()
      await once(socket, 'close')
    }
  }

  fromScript(n: number, fault: ScriptFault): void {
    this.#always = { from: n, fault }
  }

  swallowNext(command: string): void {
    this.#unheard = command
  }

  repair(): void {
    this.mode = 'pass'
    this.latencyMs = 0
    this.#bytesToReset = undefined
    this.#unheard = undefined
    this.#always = undefined
    this.#faults.clear()
    this.#named.clear()
    for (const carrier of this.#carriers) if (carrier.silent) carrier.end()
  }

  async stop(): Promise<void> {
    for (const carrier of this.#carriers) carrier.end()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
    if (this.#failedHooks.length > 0)
      throw new AggregateError(this.#failedHooks, `a fault could not be made: ${this.#failedHooks.join('; ')}`)
  }

  async hook(run: () => Promise<unknown>): Promise<void> {
    try {
      await run()
      this.counts.hooks++
    } catch (error) {
      this.#failedHooks.push(error)
    }
  }

  /** The next script call's fault, if it has one. */
  nextScript(name: string): ScriptFault | undefined {
    const calls = (this.#calls.get(name) ?? 0) + 1
    this.#calls.set(name, calls)
    if (name !== batchScript) return this.#named.get(`${name} ${calls}`)
    const n = ++this.counts.scripts
    return this.#faults.get(n) ?? (this.#always && n >= this.#always.from ? this.#always.fault : undefined)
  }

  /** Whether this command is the one to be swallowed. */
  swallows(command: string): boolean {
    if (this.#unheard !== command) return false
    this.#unheard = undefined
    return true
  }

  /** How many of `bytes` may still go to the server before a reset; undefined: all, and none was asked for. */
  spend(bytes: number): number | undefined {
    if (this.#bytesToReset === undefined) return undefined
    if (bytes < this.#bytesToReset) {
      this.#bytesToReset -= bytes
      return undefined
    }
    const left = this.#bytesToReset
    this.#bytesToReset = undefined
    return left
  }

  #accept(client: Socket): void {
    this.counts.connections++
    if (this.mode === 'refuse') {
      this.counts.refused++
      client.on('error', () => undefined)
      client.resetAndDestroy()
      return
    }
    const carrier = new Carrier(this, client, this.#target, () => this.#carriers.delete(carrier))
    this.#carriers.add(carrier)
    if (this.mode === 'black-hole') carrier.silence()
  }
}

/** One client's connection and the one to the server that belongs to it. */
class Carrier {
  silent = false
  readonly #proxy: CountingProxy
  readonly #client: Socket
  readonly #server: Socket
  /** What waits for its answer, in order: script calls with their fault, undefined for the others. */
  readonly #asked: ({ fault: ScriptFault | undefined } | undefined)[] = []
  #requests: Buffer = Buffer.alloc(0)
  #answers: Buffer = Buffer.alloc(0)
  #toServer: Promise<void> = Promise.resolve()
  #toClient: Promise<void> = Promise.resolve()

  constructor(proxy: CountingProxy, client: Socket, target: { host: string; port: number }, gone: () => void) {
    this.#proxy = proxy
    this.#client = client
    this.#server = connect(target.port, target.host)
    let connected = false
    client.on('error', () => undefined)
    client.on('close', () => {
      this.#server.destroy()
      gone()
    })
    client.on('data', (chunk: Buffer) => {
      this.#requests = Buffer.concat([this.#requests, chunk])
      const messages = cut(this.#requests, (rest) => {
        this.#requests = rest
      })
      for (const message of messages) this.#toServer = this.#toServer.then(() => this.#request(message))
    })
    this.#server.on('connect', () => {
      connected = true
    })
    this.#server.on('error', () => undefined)
    this.#server.on('data', (chunk: Buffer) => {
      this.#answers = Buffer.concat([this.#answers, chunk])
      const messages = cut(this.#answers, (rest) => {
        this.#answers = rest
      })
      for (const message of messages) this.#toClient = this.#toClient.then(() => this.#answer(message))
    })
    // What the server said before it went is still passed on.
    this.#server.on('close', () => {
      if (!connected) proxy.counts.unreachable++
      this.#toClient = this.#toClient.then(() => {
        if (!this.silent) client.destroySoon()
      })
    })
  }

  /** From here on nothing is carried, in either direction. */
  silence(): void {
    if (this.silent) return
    this.silent = true
    this.#proxy.counts.silenced++
  }

  end(): void {
    this.#client.destroy()
    this.#server.destroy()
  }

  #reset(): void {
    this.#proxy.counts.resets++
    this.#client.resetAndDestroy()
    this.#server.destroy()
  }

  async #request(message: Buffer): Promise<void> {
    const { counts } = this.#proxy
    if (this.#proxy.mode === 'black-hole') this.silence()
    if (this.silent || this.#client.destroyed) return
    counts.requests++
    const command = nameOf(message)
    if (this.#proxy.swallows(command)) return this.silence()
    const isScript = command === batchScript
    if (command === 'auth') this.#proxy.greet(message)
    const fault = this.#proxy.nextScript(command)
    if (fault === 'late') this.#proxy.keepLate(message)
    if (fault === 'reset' || fault === 'late') return this.#reset()
    if (fault === 'swallow') return this.silence()
    if (fault === 'half') {
      counts.halved++
      this.#server.write(message.subarray(0, message.length / 2), () => this.end())
      return
    }
    if (typeof fault === 'object' && 'before' in fault) {
      await this.#proxy.hook(fault.before)
      if (this.#proxy.mode === 'black-hole') return this.silence()
    }
    const allowed = this.#proxy.spend(message.length)
    if (allowed !== undefined) {
      this.#server.write(message.subarray(0, allowed), () => this.#reset())
      return
    }
    this.#asked.push(isScript || fault ? { fault } : undefined)
    this.#server.write(message)
  }

  async #answer(message: Buffer): Promise<void> {
    const { counts, latencyMs } = this.#proxy
    const script = this.#asked.shift()
    if (script) {
      counts.scriptsAnswered++
      const { fault } = script
      if (fault === 'swallow-reply') this.silence()
      if (typeof fault === 'object' && 'after' in fault) await this.#proxy.hook(fault.after)
      if (fault === 'swallow-reply' || fault === 'drop-reply' || (typeof fault === 'object' && 'after' in fault)) {
        counts.repliesDropped++
        if (!this.silent) this.#reset()
        return
      }
    }
    if (this.#proxy.mode === 'black-hole') this.silence()
    if (this.silent) return
    if (latencyMs > 0) {
      await delay(latencyMs)
      counts.delayed++
    }
    if (!this.#client.destroyed) this.#client.write(message)
  }
}
