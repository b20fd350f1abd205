/**
 * A folder with a configuration, an outbox on disk, a clock that is set, and starts of `owm produce` in this process,
 * with its own composition root: all of a process except the command line.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setMaxListeners } from 'node:events'
import { copyFileSync, existsSync } from 'node:fs'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
import { nothingProduced, produce } from '../../../src/cli/actions/produce/produce.js'
import type { Surroundings } from '../../../src/cli/compose.js'
import { exitCodeOf, inWords, worst } from '../../../src/cli/report.js'
import { type Loaded, loadConfig } from '../../../src/config/load.js'
import { exitCodes, isOwmError, toError } from '../../../src/errors/index.js'
import { TransientError } from '../../../src/index.js'
import type { Cadence } from '../../../src/pipeline/input/cadence.js'
import type { Step } from '../../../src/trace.js'
import { Line, type Stream, type Trouble } from './stream.js'
import type { Schedule } from './times.js'

export interface Crash {
  readonly at: Step
  /** At which of the messages of that kind. */
  readonly nth: number
  /** Killed, or interrupted by a signal. */
  readonly isKill: boolean
  /** Whether the request that it dies with still arrives. */
  readonly arrives: boolean
}

export interface Start extends Trouble {
  /** Milliseconds since 1970: what its clock says. */
  readonly clock: number
  readonly slot?: string | undefined
  readonly isWaiting?: boolean
  /** The page at which the source fails; undefined if it doesn't. */
  readonly sourceFailsAt?: number | undefined
  /** Milliseconds that the source takes for its first page. */
  readonly takes?: number
  readonly crash?: Crash | undefined
}

export interface Ended {
  /** Undefined if it was killed. */
  readonly code: number | undefined
  readonly warnings: readonly string[]
  /** What its clock said at the end. */
  readonly clock: number
  readonly message: string
  /** Whether another start held the outbox, or the circuit to the sink was open: the next start does the work. */
  readonly hadToWait: boolean
}

/** A sink of another process. */
export interface Server {
  /** Of the configuration. */
  readonly section: object
  /** From now on. */
  answers(does: boolean): void
}

/** Where plugins find the start that they work for. */
const key = Symbol.for('owm.test.year')

export class Scene {
  readonly outbox: string
  readonly #folder: string
  readonly #sink: Stream | Server
  readonly #loaded = new Map<string, Loaded>()
  readonly #cadence: Cadence | undefined
  schedule: Schedule

  private constructor(folder: string, schedule: Schedule, sink: Stream | Server, cadence: Cadence | undefined) {
    this.#folder = folder
    this.outbox = join(folder, 'outbox.db')
    this.schedule = schedule
    this.#sink = sink
    this.#cadence = cadence
  }

  /** @param sink a stream in this process, or a server */
  static async open(schedule: Schedule, sink: Stream | Server, cadence?: Cadence): Promise<Scene> {
    return new Scene(await mkdtemp(join(tmpdir(), 'owm-year-')), schedule, sink, cadence)
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** One start, or two at once. */
  async start(...starts: readonly Start[]): Promise<Ended[]> {
    const [first, ...others] = starts
    if (!first) return []
    vi.setSystemTime(first.clock)
    const line = isStream(this.#sink) ? new Line(this.#sink, first) : undefined
    if (!isStream(this.#sink)) this.#sink.answers(!first.isDown)
    let isLate = false
    Reflect.set(globalThis, key, {
      openSink: () => line?.open(),
      beforePage: (page: number) => {
        if (page === first.sourceFailsAt) throw new TransientError('the source has no answer')
        if (!isLate && first.takes) vi.setSystemTime(Date.now() + first.takes)
        isLate = true
      },
    })
    const loaded = await this.#load()
    const abort = new AbortController()
    setMaxListeners(0, abort.signal)
    const { crash } = first
    const rescued = crash && this.#dieAt(crash, () => [abort.abort(), line?.cut(isSent(crash) ? 1 : 0)])
    try {
      const begun = [this.#run(first, loaded, abort.signal)]
      // Of two at once the second comes when the first one has the outbox: SQLite's view of a file is the process'.
      if (others.length > 0) await Promise.race([reached('run:started'), ...begun])
      return await Promise.all([...begun, ...others.map((start) => this.#run(start, loaded, abort.signal))])
    } finally {
      if (rescued && (await rescued.end()) && crash?.isKill) await this.#revive()
    }
  }

  async #run({ slot, isWaiting = false }: Start, loaded: Loaded, signal: AbortSignal): Promise<Ended> {
    const warnings: string[] = []
    const silent = (): void => undefined
    const warn = (_: object, text: string): void => {
      // A process that dies reports nothing, and the folder is a temporary one.
      if (!signal.aborted && !text.includes("won't last")) warnings.push(text)
    }
    const log = { debug: silent, info: silent, error: silent, warn }
    const around: Surroundings = {
      command: 'owm produce',
      signal,
      trustFolder: false,
      env: { OWM_SLOT: '' },
      isTerminal: false,
      now: Date.now,
      logger: async () => log,
      note: silent,
      onProgress: silent,
      leaveStandardOutput: silent,
      received: () => undefined,
      about: silent,
    }
    const flags = { slot, wait: isWaiting, strict: false, again: false, force: false }
    const all = { ...flags, 'dry-run': false, 'no-flush': false }
    const error = await produce(nothingProduced(), all, async () => loaded, around).then(
      ({ errors = [] }) => worst(errors),
      (thrown: unknown) => inWords(toError(thrown), 'produce', []),
    )
    const code = signal.aborted ? exitCodes.terminated : error ? exitCodeOf(error) : 0
    const hadToWait = isOwmError(error, 'OUTBOX_BUSY') || isOwmError(error, 'CIRCUIT_OPEN')
    return { code, warnings, clock: Date.now(), message: error?.message ?? '', hadToWait }
  }

  async #load(): Promise<Loaded> {
    const settings = {
      schedule: this.schedule,
      ...(this.#cadence ? { cadence: this.#cadence } : {}),
      source: { use: join(import.meta.dirname, 'source.mjs') },
      sink: isStream(this.#sink) ? { use: join(import.meta.dirname, 'sink.mjs') } : this.#sink.section,
      outbox: { path: this.outbox, keepRuns, keepTasks: 3 * keepRuns },
      flush: { batchSize: 2 },
      retry: { attempts: 2, initialDelayMs: 0, maxDelayMs: 0 },
    }
    const text = JSON.stringify(settings)
    const known = this.#loaded.get(text)
    if (known) return known
    const file = join(this.#folder, 'owm.json')
    await writeFile(file, text)
    const loaded = await loadConfig({ config: file }, {}, this.#folder)
    this.#loaded.set(text, loaded)
    return loaded
  }

  /** Copies the outbox at a step: what a kill leaves (see reference.test.ts). */
  #dieAt({ at, nth }: Crash, then: () => void): { end(): Promise<boolean> } {
    let left = nth
    const watch = (message: unknown): void => {
      if (!isAt(message, at) || --left !== 0) return
      this.copy('dead')
      then()
    }
    subscribe('owm:step', watch)
    return { end: async () => unsubscribe('owm:step', watch) && left <= 0 }
  }

  /** Keeps a copy of the outbox as it is; false if there is none. */
  copy(name: string): boolean {
    for (const end of ends)
      if (existsSync(this.outbox + end)) copyFileSync(this.outbox + end, join(this.#folder, name + end))
    return existsSync(join(this.#folder, name))
  }

  /** Puts the copy in the outbox's place. */
  async restore(name: string): Promise<void> {
    await this.lose()
    for (const end of ends)
      if (existsSync(join(this.#folder, name + end))) copyFileSync(join(this.#folder, name + end), this.outbox + end)
  }

  async #revive(): Promise<void> {
    await this.lose()
    for (const end of ends)
      if (existsSync(join(this.#folder, `dead${end}`)))
        await rename(join(this.#folder, `dead${end}`), this.outbox + end)
  }

  /** Deletes the outbox. */
  async lose(): Promise<void> {
    for (const end of ['', '-wal', '-shm']) await rm(this.outbox + end, { force: true })
  }
}

const isAt = (message: unknown, at: Step): boolean =>
  typeof message === 'object' && message !== null && 'at' in message && message.at === at

function reached(at: Step): Promise<void> {
  return new Promise((resolve) => {
    const watch = (message: unknown): void => {
      if (!isAt(message, at)) return
      unsubscribe('owm:step', watch)
      resolve()
    }
    subscribe('owm:step', watch)
  })
}

/** Steps that a request follows at once. */
const isSent = ({ at, arrives }: Crash): boolean =>
  arrives && ['epoch:raised', 'sink:compared', 'batch:sent'].includes(at)

/** Small, so that the ledger deletes runs all the time. */
const keepRuns = 40

const ends = ['', '-wal']

const isStream = (sink: Stream | Server): sink is Stream => 'receiptsOf' in sink
