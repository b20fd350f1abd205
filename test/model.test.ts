/**
 * The outbox and its flusher against a small reference model: fast-check makes
 * up a history of commands (produce, flush, crash, restore, …), the real
 * produce() and flush() live through it on a real file, and after each command
 * the file (by our own SQL) and the sink's ledger must agree with the model.
 *
 * A failure prints its seed: OWM_TEST_SEED=… runs the same histories again,
 * OWM_TEST_MODEL_RUNS=… more of them. Time is injected. How reader and flusher
 * take turns inside one produce() is the event loop's, so a failure that needs
 * one turn out of many may want a few replays.
 *
 * A crash is a copy of the file and its write-ahead log, taken inside of an
 * `owm:step` message, while the rest of the process is cut off from the sink,
 * aborted and thrown away. That is what SIGKILL leaves: the operating system
 * keeps every byte that was written and nothing of what memory held, SQLite
 * rebuilds `-shm` by itself, and a lock isn't a byte. (Nothing moves pages from
 * the log to the file while a step is published: these outboxes are far below
 * SQLite's 1,000 pages, so a copy can't be torn.) A request that was under way may
 * be lost, arrive, or arrive after the next process' first one has been sent.
 */
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { copyFileSync, existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  ChangedError,
  ConfigurationError,
  type OwmError,
  RefusedError,
  ResumePointError,
  SinkFullError,
  TransientError,
} from '../src/errors/index.js'
import { Outbox } from '../src/outbox/outbox.js'
import { flush } from '../src/pipeline/flush.js'
import type { Deps } from '../src/pipeline/parts.js'
import { produce } from '../src/pipeline/produce.js'
import { resilience } from '../src/pipeline/retry.js'
import {
  type Location,
  type LocationBatch,
  type Logger,
  Malformed,
  type Outcome,
  type Sink,
  type SinkPosition,
  type TaskBatch,
} from '../src/plugin.js'
import type { Step } from '../src/trace.js'
import { openDatabase } from './support/contents.js'
import { expectedTaskId } from './support/oracle.js'

// What decides over a change takes the same way each time; the long form looks for new ones.
const seed = Number(
  process.env['OWM_TEST_SEED'] ??
    (process.env['OWM_TEST_LONG'] === '1' ? Math.floor(Math.random() * 2 ** 31) : 20_261_123),
)
const runs = Number(process.env['OWM_TEST_MODEL_RUNS'] ?? 60)
/** The default stops in time on a busy machine, whatever it has reached; a number of runs that was asked for is kept. */
const within = (milliseconds: number) =>
  process.env['OWM_TEST_MODEL_RUNS'] === undefined ? { interruptAfterTimeLimit: milliseconds } : {}

const batchSize = 3
const slotOf = (number: number): string => `2026-11-23T1${number}:00:00Z`

// --- the source ---
/** A valid location by its number (the same number twice is a duplicate), or a record that must be rejected. */
type Item = number | 'out of range' | 'malformed'

interface List {
  readonly items: readonly Item[]
  readonly version: number
  /** Of the source's options: part of a resume point's validity. */
  readonly digest: number
}

const locationOf = (item: Item): Location | Malformed => {
  if (item === 'malformed') return new Malformed('a;b', 'too few columns')
  if (item === 'out of range') return { latitude: 91, longitude: 0, city: 'Nowhere' }
  return { id: `L${item}`, latitude: item, longitude: -item, city: `City ${item}` }
}

const validIn = (items: readonly Item[]): number[] => items.filter((item) => typeof item === 'number')

interface SourceFault {
  page: number
  kind: 'transient' | 'resume point'
}

/** Pages of a list; its resume points hold for one version of the list, as those of a file do. */
async function* pagesOf(
  list: List,
  pageSize: number,
  fault: SourceFault | undefined,
  resume: string | undefined,
): AsyncGenerator<LocationBatch> {
  const [version, index] = (resume ?? `${list.version}:0`).split(':').map(Number)
  if (version !== list.version) throw new ResumePointError('the list has changed')
  for (let from = index ?? 0, page = 0; from < list.items.length; from += pageSize, page++) {
    if (page === fault?.page)
      throw fault.kind === 'transient' ? new Error('the source broke down') : new ResumePointError('the cursor is gone')
    await turn()
    const items = list.items.slice(from, from + pageSize)
    yield {
      locations: items.map(locationOf),
      resume: `${list.version}:${from + items.length}`,
      position: (at) => `item ${from + at}`,
    }
  }
}

// --- the sink ---

/** 'off' is a sink that says it's fenced and isn't: the model must notice. */
type Fencing = 'on' | 'off' | 'none'
type Fault = 'none' | 'before' | 'after' | 'full' | 'configuration' | 'lose'
type InFlight = 'lost' | 'arrives' | 'late'

/** The server's side, after the script of redis-stream. */
class Server {
  readonly fencing: Fencing
  /** Task ids, in order. */
  entries: string[] = []
  readonly fences = new Map<string, SinkPosition>()
  /** Before each request that was applied: what a failover to a replica that lags goes back to. */
  readonly #journal: { length: number; outboxId: string; fence: SinkPosition | undefined }[] = []
  /** What becomes of the next requests. */
  faults: Fault[] = []
  poison: ReadonlySet<string> = new Set()
  /** Refuses one by one, or the batch as a whole. */
  refusesBatches = false
  readonly #refused = new Set<string>()
  /** Requests of dead processes that are still under way. */
  late: (() => void)[] = []
  /** What these brought. */
  readonly cameLate = new Set<string>()
  /** What was in here and was lost. */
  readonly lost = new Set<string>()
  /** A clock of its own for "lost something" and "was asked for its position". */
  #time = 0
  lostAt = 0
  askedAt = 0
  /** Whether the command under way was told that there is no fence. */
  lookedNew = false

  constructor(fencing: Fencing) {
    this.fencing = fencing
  }

  position(outboxId: string): SinkPosition | undefined {
    this.askedAt = ++this.#time
    const position = this.fences.get(outboxId)
    this.lookedNew ||= position === undefined
    return position
  }

  apply(batch: TaskBatch, known: string): Outcome[] {
    const { outboxId, firstSeq } = batch
    const tasks = batch.tasks.map(read)
    const count = tasks.length
    const fence = this.fences.get(outboxId)
    let skip = 0
    if (this.fencing === 'on') {
      if (wordOf(fence) === known) skip = Math.max(0, Math.min(count, (fence?.seq ?? 0) - firstSeq + 1))
      else if (fence && tasks[fence.seq - firstSeq]?.id === fence.taskId) skip = fence.seq - firstSeq + 1
      else throw new ChangedError(`"${wordOf(fence)}" is there, "${known}" was expected`)
    }
    // A sink that remembers what it took must remember what it refused: a batch sent again gets the same answers.
    const refusedAt = (index: number): boolean =>
      index < skip ? this.#refused.has(`${outboxId}:${firstSeq + index}`) : this.poison.has(tasks[index]?.place ?? '')
    if (this.refusesBatches && tasks.some((_, index) => refusedAt(index))) {
      if (count === 1) this.#refused.add(`${outboxId}:${firstSeq}`)
      throw new RefusedError('poison')
    }
    const outcomes = tasks.map(
      (_, index): Outcome => (refusedAt(index) ? { refused: 'poison' } : index < skip ? 'duplicate' : 'delivered'),
    )
    const last = tasks.at(-1)
    if (skip === count || !last) return outcomes
    this.#journal.push({ length: this.entries.length, outboxId, fence })
    outcomes.forEach((outcome, index) => {
      const key = `${outboxId}:${firstSeq + index}`
      if (outcome === 'delivered') {
        this.entries.push(tasks[index]?.id ?? '')
        this.#refused.delete(key)
      } else if (outcome !== 'duplicate') this.#refused.add(key)
    })
    this.fences.set(outboxId, { seq: firstSeq + count - 1, taskId: last.id })
    return outcomes
  }

  /** Forgets the last requests that it confirmed. */
  lose(requests: number): void {
    for (let lost = 0; lost < requests; lost++) {
      const before = this.#journal.pop()
      if (!before) return
      for (const id of this.entries.splice(before.length)) this.lost.add(id)
      if (before.fence) this.fences.set(before.outboxId, before.fence)
      else this.fences.delete(before.outboxId)
      this.lostAt = ++this.#time
    }
  }
}

const wordOf = (position: SinkPosition | undefined): string => (position ? `${position.seq}:${position.taskId}` : '')

function read(payload: string): { id: string; place: string } {
  const task: unknown = JSON.parse(payload)
  if (typeof task !== 'object' || task === null || !('task_id' in task && 'location_id' in task))
    throw new Error(`not a task: ${payload}`)
  return { id: String(task.task_id), place: String(task.location_id) }
}

/** A process' way to the server: it ends with the process. */
class Line {
  /** What becomes of the one request that is under way when the process dies; undefined while it lives. */
  cut: InFlight | undefined

  open(server: Server): Sink {
    let known = ''
    const ask = async <T>(request: () => T): Promise<T> => {
      // Nothing leaves a dead process; a crash at `batch:sent` is one with the request under way.
      if (this.cut === 'lost') throw new Error('dead')
      const before = server.entries.length
      for (const arrives of server.late.splice(0)) arrives()
      for (const id of server.entries.slice(before)) server.cameLate.add(id)
      const fault = server.faults.shift() ?? 'none'
      if (fault === 'before') throw new TransientError('reset before the request')
      if (fault === 'full') throw new SinkFullError('full')
      if (fault === 'configuration') throw new ConfigurationError('NOAUTH')
      if (fault === 'lose' && server.fencing !== 'none') server.lose(1)
      if (!this.cut) await turn()
      if (!this.cut) {
        const answer = request()
        await turn()
        if (fault === 'after') throw new TransientError('the answer was lost')
        return answer
      }
      const fate = this.cut
      this.cut = 'lost'
      const arrive = (): void => {
        try {
          request()
        } catch {
          // Nobody is there to hear of it.
        }
      }
      if (fate === 'arrives') arrive()
      if (fate === 'late') server.late.push(arrive)
      throw new Error('dead')
    }
    const deliver = async (batch: TaskBatch): Promise<Outcome[]> => {
      const sent = known
      const outcomes = await ask(() => server.apply(batch, sent))
      const last = batch.tasks.at(-1)
      const end = batch.firstSeq + batch.tasks.length - 1
      if (last !== undefined && (outcomes.includes('delivered') || Number.parseInt(known, 10) < end || known === ''))
        known = `${end}:${read(last).id}`
      return outcomes
    }
    if (server.fencing === 'none') return { guarantee: 'at-least-once', deliver }
    return {
      guarantee: 'exactly-once',
      deliver,
      position: async (outboxId) => {
        const position = await ask(() => server.position(outboxId))
        known = wordOf(position)
        return position
      },
    }
  }
}

// --- the file, by our own SQL ---

interface RunFacts {
  id: number
  slot: string
  state: string
  read: number
  rejected: number
  duplicates: number
  persisted: number
  discarded: number
  quarantined: number
  suspects: number
}

interface TaskFacts {
  seq: number
  slot: string
  state: string
  id: string
}

interface DeadFacts {
  slot: string
  id: string
  diedAt: number
}

interface Facts {
  readonly outboxId: string
  readonly handed: number
  readonly last: number
  readonly runs: readonly RunFacts[]
  /** All that is kept, the history among it. */
  readonly tasks: readonly TaskFacts[]
  readonly dead: readonly DeadFacts[]
  /** Where a task was refused, whatever became of it since. */
  readonly refused: ReadonlySet<number>
}

async function factsOf(path: string): Promise<Facts> {
  const all = await openDatabase(path)
  try {
    const [state] = await all<{ outboxId: string; handed: number; last: number }>(
      'SELECT outbox_id AS outboxId, handed_seq AS handed, last_seq AS last FROM state',
    )
    assert.ok(state)
    const refused = await all<{ seq: number }>('SELECT seq FROM dead')
    return {
      ...state,
      refused: new Set(refused.map(({ seq }) => seq)),
      runs: await all<RunFacts>(`SELECT id, slot, state, read, rejected, duplicates, persisted, discarded,
        (SELECT count(*) FROM rejected WHERE rejected.run = run.id AND kind = 'rejected') AS quarantined,
        (SELECT count(*) FROM suspect WHERE suspect.run = run.id) AS suspects FROM run ORDER BY id`),
      // A task that was refused lives on as a dead one, or under another number.
      tasks: await all<TaskFacts>(`SELECT first_seq + entry.key AS seq, slot, state, entry.value ->> 'task_id' AS id
        FROM batch JOIN run ON run.id = batch.run, json_each(batch.tasks) AS entry
        WHERE first_seq + entry.key NOT IN (SELECT seq FROM dead) ORDER BY 1`),
      dead: await all<DeadFacts>(
        "SELECT slot, task ->> 'task_id' AS id, died_at AS diedAt FROM dead JOIN run ON run.id = dead.run WHERE fate = 'dead'",
      ),
    }
  } finally {
    await all.close()
  }
}

// --- the model ---

/** What the file stands for: goes back with an old copy. */
interface Stored {
  /** By slot: the locations that a reading that was finished gave. */
  readonly required: ReadonlyMap<string, ReadonlySet<number>>
  /** Task ids that an operator gave up. */
  readonly discarded: ReadonlySet<string>
}

interface Model {
  stored: Stored
  copy: Stored | undefined
  list: List
  slots: Set<string>
  /** Every location that any list has had. */
  places: Set<number>
  /** In the sink when an old copy was put back: it may be handed over again, with a warning. */
  mayRepeat: Set<string>
  restored: boolean
  /** Lost by the sink and not to be had again: its history is gone, or the sink looks like a new one. */
  excused: Set<string>
}

const freshModel = (): Model => ({
  stored: { required: new Map(), discarded: new Set() },
  copy: undefined,
  list: { items: [1, 2, 'malformed', 3, 2, 4, 5], version: 0, digest: 0 },
  slots: new Set(),
  places: new Set([1, 2, 3, 4, 5]),
  mayRepeat: new Set(),
  restored: false,
  excused: new Set(),
})

// --- the real thing ---

interface Crash {
  at: Step
  /** At which of the messages of that kind. */
  nth: number
  inFlight: InFlight
}

interface Circumstances {
  faults: Fault[]
  crash: Crash | undefined
}

interface Ended {
  crashed: boolean
  errors: readonly OwmError[]
}

class System {
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

  static async start(fencing: Fencing): Promise<System> {
    const folder = await mkdtemp(join(tmpdir(), 'owm-model-'))
    const outbox = await opened(join(folder, '0.db'))
    return new System(new Server(fencing), folder, outbox, await factsOf(outbox.path))
  }

  async stop(): Promise<void> {
    await this.outbox.close()
    await rm(this.#folder, { recursive: true, force: true })
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
    const line = new Line()
    const abort = new AbortController()
    let left = crash?.nth ?? 0
    let rescued: string | undefined
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
      line.cut = crash.at === 'batch:sent' ? crash.inFlight : 'lost'
      abort.abort()
    }
    server.faults = [...faults]
    server.lookedNew = false
    subscribe('owm:step', watch)
    try {
      const summary = await work({
        outbox,
        pipeline: 'model',
        sink: { name: 'scripted', open: async () => line.open(server) },
        resilience: resilience(
          { retry: { attempts: 3, initialDelayMs: 0, maxDelayMs: 0 }, breaker: { failures: 5, resetAfterMs: 30_000 } },
          outbox.breakers.saved('sink'),
        ),
        log: this.#log(),
        signal: abort.signal,
      }).catch((error: unknown) => {
        // What a dead process would have thrown, nobody hears.
        if (rescued === undefined) throw error
      })
      if (rescued === undefined)
        return summary ? { crashed: false, errors: summary.errors, summary } : { crashed: false, errors: [] }
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

const opened = (path: string): Promise<Outbox> =>
  Outbox.open(path, {
    command: 'model',
    wait: false,
    batchSize,
    signal: new AbortController().signal,
    now: () => Date.now(),
  })

// --- what must hold ---

interface Claim {
  /** The command ended without a word of trouble, and had to hand over all there is. */
  clean: boolean
}

async function check(model: Model, real: System, { clean }: Claim): Promise<void> {
  const { server } = real
  const facts = await factsOf(real.outbox.path)
  const pending = new Set(facts.tasks.filter(({ seq }) => seq > facts.handed).map(({ id }) => id))
  const kept = new Map(facts.tasks.map((task) => [task.id, task]))
  const dead = new Set(facts.dead.map(({ id }) => id))
  const counts = new Map<string, number>()
  for (const id of server.entries) counts.set(id, (counts.get(id) ?? 0) + 1)

  // The ledger of runs.
  for (const run of facts.runs) {
    assert.equal(
      run.read,
      run.persisted + run.rejected + run.duplicates + run.suspects,
      `read isn't the sum of what became of it: ${JSON.stringify(run)}`,
    )
    assert.equal(run.rejected, run.quarantined, `not every rejected record is in quarantine: ${JSON.stringify(run)}`)
  }

  // The sink has what was read and nothing else, and a fenced one has it once.
  const possible = new Set(
    [...model.slots].flatMap((slot) => [...model.places].map((place) => expectedTaskId(slot, `L${place}`))),
  )
  for (const [id, count] of counts) {
    assert.ok(possible.has(id), `in the sink, but never read: ${id}`)
    if (server.fencing === 'none' || count === 1) continue
    assert.ok(
      model.mayRepeat.has(id) || (model.restored && server.cameLate.has(id)),
      `${count} times in a sink that is exactly-once: ${id}`,
    )
    assert.ok(
      real.warnings.some((warning) => /copy of one that the sink knows/.test(warning)),
      `handed over again after an old copy was put back, without a warning: ${id}`,
    )
  }

  // Persisted = delivered + pending + dead + given up, for each slot; delivered is counted in the sink.
  for (const slot of model.slots) {
    const own = facts.runs.filter((run) => run.slot === slot)
    const sum = (key: 'persisted' | 'discarded'): number => own.reduce((total, run) => total + run[key], 0)
    const waiting = facts.tasks.filter((task) => task.slot === slot && task.seq > facts.handed).length
    const dying = facts.dead.filter((task) => task.slot === slot).length
    const delivered = sum('persisted') - sum('discarded') - waiting - dying
    assert.ok(
      delivered >= 0,
      `${slot}: ${sum('persisted')} persisted, but ${waiting} pending, ${dying} dead, ${sum('discarded')} given up`,
    )
    if (model.restored) continue
    // One that was lost, refused when it came again, and given up is no delivered one any more.
    const wasTaken = (id: string): boolean => counts.has(id) || (server.lost.has(id) && !model.stored.discarded.has(id))
    const taken = new Set([...possible].filter((id) => wasTaken(id) && !pending.has(id) && !dead.has(id)))
    const here = [...model.places].filter((place) => taken.has(expectedTaskId(slot, `L${place}`))).length
    // An unfenced sink may have taken a task, lost the answer and refused it when it came again.
    if (server.fencing === 'on')
      assert.equal(delivered, here, `${slot}: ${delivered} tasks count as delivered, ${here} are or were in the sink`)
  }

  // handed_seq <= fence <= last seq.
  const isCompared = server.askedAt >= server.lostAt
  const fence = server.fences.get(facts.outboxId)
  if (fence && server.fencing === 'on' && !model.restored) {
    assert.ok(fence.seq <= facts.last, `the fence is at ${fence.seq}, the outbox ends at ${facts.last}`)
    if (isCompared && server.lost.size === 0) {
      // A sink that refuses may leave its fence at the last task that it took.
      let reached = fence.seq
      while (facts.refused.has(reached + 1)) reached++
      assert.ok(facts.handed <= reached, `handed over up to ${facts.handed}, the fence is at ${fence.seq}`)
    }
  }

  for (const id of server.lost) {
    const at = kept.get(id)
    const was = real.before.tasks.find((task) => task.id === id)
    if (counts.has(id)) server.lost.delete(id)
    // A sink without a fence looks like a new one: only runs that aren't done are handed over again. What isn't kept can't be.
    else if (!at || (was?.state === 'done' && server.lookedNew)) model.excused.add(id)
  }

  if (clean) {
    assert.equal(facts.last - facts.handed, 0, 'no error, but tasks are pending')
    for (const [slot, places] of model.stored.required) {
      if (facts.runs.some((run) => run.slot === slot && (run.state === 'reading' || run.state === 'checking'))) continue
      for (const place of places) {
        const id = expectedTaskId(slot, `L${place}`)
        if (counts.has(id) || dead.has(id) || model.stored.discarded.has(id)) continue
        if (server.lost.has(id) && model.excused.has(id)) continue
        assert.fail(`no error, but location ${place} of slot ${slot} isn't in the sink`)
      }
    }
  }
  real.before = facts
}

/** After a command that may have read: which readings it finished, and that none is open where it said that all is well. */
async function noteReadings(model: Model, real: System, clean: boolean): Promise<void> {
  const facts = await factsOf(real.outbox.path)
  const required = new Map(model.stored.required)
  for (const slot of model.slots) {
    const isOpen = (run: RunFacts): boolean => run.slot === slot && run.state === 'reading'
    const rows = (of: Facts): number => of.runs.filter((run) => run.slot === slot).length
    const wasReading = real.before.runs.some(isOpen) || rows(facts) > rows(real.before)
    if (clean)
      assert.ok(
        !facts.runs.some((run) => run.slot === slot && (run.state === 'reading' || run.state === 'checking')),
        `${slot} isn't read to its end`,
      )
    if (wasReading && !facts.runs.some(isOpen))
      required.set(slot, new Set([...(required.get(slot) ?? []), ...validIn(model.list.items)]))
  }
  model.stored = { ...model.stored, required }
}

// --- the commands ---

type Command = fc.AsyncCommand<Model, System>

/** A command with its words for the report. */
function command(
  name: string,
  given: unknown,
  run: (model: Model, real: System) => Promise<Claim>,
  isPossible: (model: Model) => boolean = () => true,
): Command {
  return {
    check: isPossible,
    toString: () => `${name}(${given === undefined ? '' : JSON.stringify(given)})`,
    async run(model, real) {
      vi.setSystemTime(Date.now() + 1_000)
      await check(model, real, await run(model, real))
    },
  }
}

const quiet: Claim = { clean: false }

interface Producing extends Circumstances {
  slot: number
  handOver: boolean
  keepTasks: number
  pageSize: number
  sourceFault: SourceFault | undefined
}

const producing = (given: Producing): Command =>
  command('produce', given, async (model, real) => {
    const slot = slotOf(given.slot)
    model.slots.add(slot)
    const { list } = model
    let { sourceFault } = given
    const ended = await real.run(given, (deps) =>
      produce(
        { slot, flush: given.handOver, keepTasks: given.keepTasks, keepRuns: 1_000 },
        {
          ...deps,
          source: {
            name: 'scripted',
            digest: `digest ${list.digest}`,
            timeoutMs: 60_000,
            maxLocations: 1_000,
            open: async () => ({
              read(resume) {
                const fault = sourceFault
                sourceFault = undefined // breaks down once
                return pagesOf(list, given.pageSize, fault, resume)
              },
            }),
          },
        },
      ),
    )
    const clean = !ended.crashed && ended.errors.length === 0
    await noteReadings(model, real, clean)
    const had = model.stored.required.has(slot)
    if (clean) assert.ok(had, `${slot} was produced without an error, but never read`)
    return { clean: clean && given.handOver }
  })

interface Flushing extends Circumstances {
  limit: number | undefined
}

const flushing = (given: Flushing): Command =>
  command('flush', given, async (_, real) => {
    const ended = await real.run(given, (deps) => flush({ limit: given.limit ?? Number.POSITIVE_INFINITY }, deps))
    return { clean: !ended.crashed && ended.errors.length === 0 && given.limit === undefined }
  })

const changing = (items: Item[], isNewDigest: boolean): Command =>
  command('changeList', { items, isNewDigest }, async (model) => {
    const { version, digest } = model.list
    model.list = { items, version: version + 1, digest: isNewDigest ? digest + 1 : digest }
    for (const place of validIn(items)) model.places.add(place)
    return quiet
  })

const poisoning = (places: number[], refusesBatches: boolean): Command =>
  command('poison', { places, refusesBatches }, async (_, { server }) => {
    server.poison = new Set(places.map((place) => `L${place}`))
    server.refusesBatches = refusesBatches
    return quiet
  })

const retrying = (): Command =>
  command('retryDead', undefined, async (_, real) => {
    const { dead } = real.before
    assert.equal(await real.outbox.deadLetters.retry({ run: '', seqs: undefined }), dead.length)
    assert.equal(await real.outbox.deadLetters.count(), 0)
    return quiet
  })

const purging = (dead: boolean): Command =>
  command('purge', { dead }, async (model, real) => {
    const before = Date.now()
    const removed = await real.outbox.purge({ before, dead })
    const gone = real.before.dead.filter(({ diedAt }) => dead && diedAt < before) // the clock may have gone back since
    assert.equal(removed.dead, gone.length)
    model.stored = { ...model.stored, discarded: new Set([...model.stored.discarded, ...gone.map(({ id }) => id)]) }
    return quiet
  })

const losing = (requests: number): Command =>
  command('lose', { requests }, async (_, { server }) => {
    if (server.fencing !== 'none') server.lose(requests) // nobody could notice
    return quiet
  })

const waiting = (seconds: number): Command =>
  command('wait', { seconds }, async () => {
    vi.setSystemTime(Date.now() + seconds * 1_000) // back, too
    return quiet
  })

const reopening = (): Command =>
  command('reopen', undefined, async (_, real) => {
    await real.reopen()
    return quiet
  })

const copying = (): Command =>
  command('copy', undefined, async (model, real) => {
    real.copy()
    model.copy = model.stored
    return quiet
  })

const restoring = (): Command =>
  command(
    'restore',
    undefined,
    async (model, real) => {
      assert.ok(model.copy)
      await real.restore()
      model.stored = model.copy
      model.restored = true
      for (const id of real.server.entries) model.mayRepeat.add(id)
      return quiet
    },
    (model) => model.copy !== undefined,
  )

const sometimes = <T>(value: fc.Arbitrary<T>, freq = 2): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined, freq })
const place = fc.integer({ min: 1, max: 12 })
const items = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: place },
    { weight: 1, arbitrary: fc.constantFrom<Item>('out of range', 'malformed') },
  ),
  {
    maxLength: 16,
  },
)
const faults = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Fault[]>([]) },
  {
    weight: 1,
    arbitrary: fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom<Fault>('none', 'before', 'after') },
        { weight: 1, arbitrary: fc.constantFrom<Fault>('full', 'configuration', 'lose') },
      ),
      { maxLength: 7 },
    ),
  },
)
const crash = fc.record<Crash>({
  at: fc.constantFrom<Step>(
    'run:started',
    'intake:read',
    'intake:written',
    'intake:persisted',
    'reading:ended',
    'checking:ended',
    'batch:loaded',
    'batch:sent',
    'batch:sent',
    'batch:answered',
    'acknowledgement:written',
    'batch:acknowledged',
    'history:deleted',
    'flush:ended',
    'settled',
  ),
  nth: fc.integer({ min: 1, max: 3 }),
  inFlight: fc.constantFrom<InFlight>('lost', 'arrives', 'late'),
})

const commands = fc.commands(
  [
    ...Array.from({ length: 4 }, () =>
      fc
        .record<Producing>({
          slot: fc.integer({ min: 0, max: 3 }),
          handOver: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
          keepTasks: fc.constantFrom(1_000_000, 1_000_000, 5, 0),
          pageSize: fc.integer({ min: 1, max: 5 }),
          sourceFault: sometimes(
            fc.record<SourceFault>({
              page: fc.integer({ min: 0, max: 4 }),
              kind: fc.constantFrom<SourceFault['kind']>('transient', 'resume point'),
            }),
            3,
          ),
          faults,
          crash: sometimes(crash),
        })
        .map(producing),
    ),
    ...Array.from({ length: 2 }, () =>
      fc
        .record<Flushing>({ limit: sometimes(fc.integer({ min: 1, max: 8 })), faults, crash: sometimes(crash) })
        .map(flushing),
    ),
    fc.tuple(items, fc.boolean()).map(([given, isNewDigest]) => changing(given, isNewDigest)),
    fc
      .tuple(fc.array(place, { maxLength: 3 }), fc.boolean())
      .map(([places, refusesBatches]) => poisoning(places, refusesBatches)),
    fc.constant(undefined).map(retrying),
    fc.boolean().map(purging),
    fc.integer({ min: 1, max: 4 }).map(losing),
    fc.constantFrom(40, 3_600, -100).map(waiting),
    fc.constant(undefined).map(reopening),
    fc.constant(undefined).map(copying),
    fc.constant(undefined).map(restoring),
  ],
  { maxCommands: 24, size: 'max' },
)

async function live(fencing: Fencing, history: Iterable<Command>): Promise<void> {
  vi.setSystemTime(Date.UTC(2026, 10, 23, 10))
  const real = await System.start(fencing)
  try {
    await fc.asyncModelRun(() => ({ model: freshModel(), real }), history)
  } finally {
    await real.stop()
  }
}

const histories = (fencing: Fencing) => fc.asyncProperty(commands, (history) => live(fencing, history))

const plainly = { faults: [], crash: undefined }
const produced = (slot: number, unlike: Partial<Producing> = {}): Command =>
  producing({ slot, handOver: true, keepTasks: 1_000_000, pageSize: 10, sourceFault: undefined, ...plainly, ...unlike })
const flushed = (): Command => flushing({ limit: undefined, ...plainly })

describe('outbox and flusher against the model', () => {
  // Only what tells the time: the file's threads and the waits between turns are real.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it(`a fenced sink gets every task exactly once (OWM_TEST_SEED=${seed})`, { timeout: 3_600_000 }, async () => {
    await fc.assert(histories('on'), { seed, numRuns: runs, ...within(25_000) })
  })

  it(`an unfenced sink gets every task at least once (OWM_TEST_SEED=${seed})`, { timeout: 3_600_000 }, async () => {
    await fc.assert(histories('none'), { seed, numRuns: Math.ceil(runs / 3), ...within(10_000) })
  })

  // What the model found once, in its own words.
  it.each<[string, Command[]]>([
    [
      'the history of a slot that is read again is kept until it is read',
      [
        produced(3),
        produced(3, { crash: { at: 'run:started', nth: 1, inFlight: 'lost' } }),
        produced(2, { keepTasks: 0 }),
        produced(2),
      ],
    ],
    [
      'a refused task at the end is not taken for a lost one',
      [
        poisoning([1], true),
        produced(0),
        retrying(),
        flushed(),
        poisoning([], false),
        produced(2, { handOver: false }),
        flushed(),
        retrying(),
        flushed(),
      ],
    ],
    [
      'a refused task that was retried is not handed over under its old number when the sink loses both',
      [poisoning([4], false), produced(0), poisoning([], false), retrying(), flushed(), losing(2), produced(1)],
    ],
    [
      'a lost task that is refused when it comes again, and given up, counts as neither delivered nor dead',
      [produced(0), losing(1), poisoning([1, 2, 3, 4, 5, 6], false), produced(1), purging(true)],
    ],
    [
      'an old copy with nothing pending is compared with a sink that lost what it took',
      [
        produced(0, { pageSize: 1 }),
        copying(),
        losing(1),
        produced(1, { handOver: false }),
        flushing({ limit: 1, ...plainly }),
        restoring(),
        flushed(),
      ],
    ],
    [
      'a gap in the history does not stop the tasks behind it',
      [produced(0), produced(1), produced(0, { keepTasks: 0 }), losing(3), reopening(), produced(2), flushed()],
    ],
    [
      'a history that ends in a gap leaves nothing pending',
      [
        produced(0),
        produced(1),
        produced(0, { keepTasks: 0 }),
        losing(3),
        reopening(),
        produced(2, { handOver: false }),
        flushed(),
      ],
    ],
    [
      'a slot with retried tasks is forgotten as soon as one of its tasks is',
      [
        changing([1, 2, 3, 4, 5, 6], false),
        poisoning([4, 5, 6], false),
        produced(0),
        poisoning([], false),
        retrying(),
        flushed(),
        produced(1, { keepTasks: 5 }),
        produced(0),
      ],
    ],
  ])('%s', async (_, history) => {
    await live('on', history)
  })

  it('the model notices a sink whose fence is off', { timeout: 600_000 }, async () => {
    const verdict = await fc.check(histories('off'), { seed, numRuns: 500, endOnFailure: true })
    expect(verdict.failed).toBe(true)
    expect(String(verdict.errorInstance)).toContain('times in a sink that is exactly-once')
  })
})
