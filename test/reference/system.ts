/** The real thing: an outbox on a real file, and produce() and flush() as a process would run them. */
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { copyFileSync, existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isOwmError, type OwmError } from '../../src/errors/index.js'
import type { Outbox } from '../../src/outbox/outbox.js'
import { moves } from '../../src/outbox/runs/run-states.js'
import type { Deps } from '../../src/pipeline/parts.js'
import { Resilience } from '../../src/pipeline/retry.js'
import type { Logger } from '../../src/plugin.js'
import type { Step } from '../../src/trace.js'
import { openOutbox } from '../support/open-outbox.js'
import { type Facts, factsOf, movesNoted, noteMoves } from './facts.js'
import { type InFlight, Line } from './line.js'
import { type Fault, type Kind, Server } from './server.js'

const batchSize = 3
/** A request follows at once. */
const sending: readonly Step[] = ['epoch:raised', 'sink:compared', 'batch:sent']

export interface Crash {
  at: Step
  /** At which of the messages of that kind. */
  nth: number
  inFlight: InFlight
  /** So many requests may be under way, where it dies as it sends one. */
  requests: number
}

export interface Circumstances {
  faults: Fault[]
  crash: Crash | undefined
}

export interface Ended {
  crashed: boolean
  errors: readonly OwmError[]
}

export class System {
  readonly server: Server
  readonly #folder: string
  #files = 0
  #copy: string | undefined
  outbox: Outbox
  /** The file before the command. */
  before: Facts
  warnings: string[] = []

  private constructor(server: Server, folder: string, outbox: Outbox, before: Facts) {
    this.server = server
    this.#folder = folder
    this.outbox = outbox
    this.before = before
  }

  static async start(kind: Kind, maxInFlight: number): Promise<System> {
    const folder = await mkdtemp(join(tmpdir(), 'owm-reference-'))
    const outbox = await opened(join(folder, '0.db'))
    await noteMoves(outbox.path)
    return new System(new Server(kind, maxInFlight), folder, outbox, await factsOf(outbox.path))
  }

  async stop(): Promise<void> {
    await this.outbox.close()
    const noted = await movesNoted(this.outbox.path)
    await rm(this.#folder, { recursive: true, force: true })
    for (const { from, to } of noted) assert.ok(moves[from].includes(to), `${from} --> ${to}`)
  }

  #copied(): string {
    const path = join(this.#folder, `${++this.#files}.db`)
    for (const end of ['', '-wal'])
      if (existsSync(`${this.outbox.path}${end}`)) copyFileSync(`${this.outbox.path}${end}`, `${path}${end}`)
    return path
  }

  async reopen(): Promise<void> {
    const { path } = this.outbox
    await this.outbox.close()
    this.outbox = await opened(path)
  }

  copy(): void {
    this.#copy = this.#copied()
  }

  async restore(): Promise<void> {
    assert.ok(this.#copy)
    await this.outbox.close()
    const path = join(this.#folder, `${++this.#files}.db`)
    for (const end of ['', '-wal'])
      if (existsSync(`${this.#copy}${end}`)) copyFileSync(`${this.#copy}${end}`, `${path}${end}`)
    this.outbox = await opened(path)
  }

  /** Runs a command as a process would: with a line of its own to the sink, to its end or to a crash. */
  async run<S extends { errors: readonly OwmError[] }>(
    { faults, crash }: Circumstances,
    work: (deps: Deps) => Promise<S>,
  ): Promise<Ended & { summary?: S }> {
    const { server, outbox } = this
    const line = new Line(server)
    const abort = new AbortController()
    let left = crash?.nth ?? 0
    let rescued: string | undefined
    let refused: OwmError | undefined
    const watch = (message: unknown): void => {
      if (
        rescued !== undefined ||
        !crash ||
        typeof message !== 'object' ||
        message === null ||
        !('at' in message) ||
        message.at !== crash.at
      )
        return
      if (--left > 0) return
      rescued = this.#copied()
      if (sending.includes(crash.at)) line.cut(crash.inFlight, crash.requests)
      else line.cut('lost', 0)
      abort.abort()
    }
    server.faults = [...faults]
    server.lookedNew = false
    subscribe('owm:step', watch)
    try {
      const summary = await work({
        outbox,
        pipeline: 'model',
        isSharded: false,
        sink: { name: 'scripted', open: async () => line.open() },
        resilience: new Resilience(
          { retry: { attempts: 3, initialDelayMs: 0, maxDelayMs: 0 }, breaker: { failures: 5, resetAfterMs: 30_000 } },
          outbox.breakers.saved('sink'),
        ),
        log: this.#log(),
        signal: abort.signal,
      }).catch((error: unknown) => {
        // What a dead process would have thrown, nobody hears.
        if (rescued !== undefined) return undefined
        if (isOwmError(error, 'SINK_LOST'))
          refused = error // a slot that was lost isn't produced again just so
        else throw error
      })
      if (rescued === undefined)
        return summary
          ? { crashed: false, errors: summary.errors, summary }
          : { crashed: false, errors: refused ? [refused] : [] }
      await outbox.close().catch(() => undefined)
      this.outbox = await opened(rescued)
      return { crashed: true, errors: [] }
    } finally {
      unsubscribe('owm:step', watch)
    }
  }

  #log(): Logger {
    const silent = (): void => undefined
    return { debug: silent, info: silent, error: silent, warn: (_, message) => this.warnings.push(message) }
  }
}

export const opened = (path: string): Promise<Outbox> => openOutbox(path, { batchSize })
