/**
 * produce() and flush(): what owm is for. No vendor and no command line here.
 *
 * Reading and handing over run side by side. The reader stores batches and moves
 * its run's resume point with them; the flusher takes what is stored, in order.
 * Either may fail without the other: a dead sink doesn't keep locations from
 * being stored, a dead source doesn't keep stored tasks from being handed over.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { inspect } from 'node:util'
import {
  CircuitOpenError,
  ConfigurationError,
  endlessSource,
  FenceError,
  OwmError,
  RefusedError,
  ResumePointError,
  SourceError,
  TransientError,
  toError,
} from '../errors/index.js'
import type { Intake, Outbox, Rejection, RunRow, Suspect } from '../outbox/outbox.js'
import {
  type Location,
  type LocationBatch,
  type Logger,
  Malformed,
  type Outcome,
  type Sink,
  type Source,
} from '../plugin.js'
import { type Batch, BatchWriter, type PendingBatch, partOf } from '../tasks/batch.js'
import { SeenIds } from '../tasks/seen.js'
import { taskDigitsOf, taskIdOf, taskWriter } from '../tasks/task.js'
import { step } from '../trace.js'
import type { Resilience } from './retry.js'

export interface Progress {
  read: number
  delivered: number
  /** Locations that the source says it has, where it does. */
  total: number | undefined
}

export interface Deps {
  outbox: Outbox
  sink: SinkDeps
  /** Retries and breaker around the sink. */
  resilience: Resilience
  log: Logger
  signal: AbortSignal
  onProgress?(progress: Progress): void
}

export interface SinkDeps {
  name: string
  open(): Promise<Sink>
}

export interface SourceDeps {
  name: string
  /** Hash of name and options: says whether a resume point still fits. */
  digest: string
  /** Milliseconds that the source may take for a batch. */
  timeoutMs: number
  /** More locations than this in a run are taken for a source that never ends. */
  maxLocations: number
  open(): Promise<Source>
}

export interface ProduceDeps extends Deps {
  source: SourceDeps
}

export interface ProduceOptions {
  slot: string
  /** False: store, don't hand over. */
  flush: boolean
  keepTasks: number
  keepRuns: number
}

export interface HandedOver {
  delivered: number
  deduplicated: number
  /** Entries that the sink's bound pushed out unread. */
  evicted: number
  /** Tasks that the sink refused for good. */
  refused: number
}

export interface ProduceSummary extends HandedOver {
  run: RunRow
  /** Every reason why not everything that was read is in the sink; the first decides the exit code. */
  errors: OwmError[]
  /** True where the slot's history was forgotten, so that nothing was read. */
  alreadyComplete: boolean
}

export interface FlushSummary extends HandedOver {
  errors: OwmError[]
}

/** Reads every location of the source, stores its task and hands it over; first finishes what earlier runs left. */
export async function produce(options: ProduceOptions, deps: ProduceDeps): Promise<ProduceSummary> {
  const { outbox } = deps
  const feed = new Feed()
  const errors: OwmError[] = []
  const progress: Progress = { read: 0, delivered: 0, total: undefined }
  const handed: HandedOver = { delivered: 0, deduplicated: 0, evicted: 0, refused: 0 }

  const { run, complete } = await enterRun(options, deps)
  step('run:started')

  const flushing = options.flush
    ? handOver(deps, { feed, limit: Number.POSITIVE_INFINITY, handed, progress }).catch((error: unknown) => {
        errors.push(asOwm(error))
      })
    : Promise.resolve()
  try {
    await outbox.retain({ tasks: options.keepTasks, runs: options.keepRuns, slot: options.slot })
    // guard: open-runs-finished
    const openRuns = await outbox.ledger.open()
    for (const open of openRuns) {
      const error = await finishRun(open, deps, feed, progress)
      if (error) errors.unshift(error)
      if (deps.signal.aborted || error instanceof ConfigurationError) break
    }
  } finally {
    feed.end()
    await flushing
  }
  await outbox.settle()
  step('settled')
  return {
    ...handed,
    run: await outbox.ledger.run(run.runId),
    errors: [...errors, ...refusals(handed, deps)],
    alreadyComplete: complete,
  }
}

/** Hands over what is pending, at most `limit` tasks. */
export async function flush(options: { limit: number }, deps: Deps): Promise<FlushSummary> {
  const feed = new Feed()
  feed.end()
  const handed: HandedOver = { delivered: 0, deduplicated: 0, evicted: 0, refused: 0 }
  const errors: OwmError[] = []
  const progress: Progress = { read: 0, delivered: 0, total: Math.min(options.limit, deps.outbox.pending) }
  await handOver(deps, { feed, limit: options.limit, handed, progress }).catch((error: unknown) => {
    errors.push(asOwm(error))
  })
  await deps.outbox.settle()
  step('settled')
  return { ...handed, errors: [...errors, ...refusals(handed, deps)] }
}

/** Finds or makes this slot's row in the run ledger. */
async function enterRun(options: ProduceOptions, deps: ProduceDeps): Promise<{ run: RunRow; complete: boolean }> {
  const { outbox, source, log } = deps
  const earlier = await outbox.ledger.ofSlot(options.slot)
  const open = earlier.find((run) => run.state === 'reading' || run.state === 'checking')
  if (open) return { run: open, complete: false }
  const last = earlier.at(-1)
  if (last && (await outbox.intake.forgottenOfSlot(options.slot)) > 0) {
    log.warn(
      { slot: options.slot, runId: last.runId },
      'this slot was handed over before and its history is forgotten: nothing is read again',
    )
    return { run: last, complete: true }
  }
  return {
    run: await outbox.ledger.start({ slot: options.slot, source: source.name, sourceDigest: source.digest }),
    complete: false,
  }
}

/** Brings a run from wherever it stands to "read"; returns why it couldn't. */
async function finishRun(
  run: RunRow,
  deps: ProduceDeps,
  feed: Feed,
  progress: Progress,
): Promise<OwmError | undefined> {
  const { outbox, source, log } = deps
  try {
    if (run.state === 'reading') {
      if (run.sourceDigest !== source.digest && run.checkpoint !== null)
        return await readAnew(run, 'the configuration of the source has changed', deps, feed, progress)
      try {
        await readRun(run, deps, feed, progress)
      } catch (error) {
        if (!(error instanceof ResumePointError)) throw error
        return await readAnew(run, error.message, deps, feed, progress)
      }
    }
    await decideSuspects(run, outbox)
    feed.notify()
    return undefined
  } catch (thrown) {
    // The outbox's own trouble ends everything; a source's stays with its run.
    const error = asOwm(thrown)
    if (deps.signal.aborted) return undefined
    if (error instanceof ConfigurationError || error instanceof SourceError) return error
    if (!(error instanceof TransientError)) throw error
    log.debug({ err: thrown }, 'the source failed')
    return new SourceError(
      `The source ${source.name} failed after ${progress.read} locations of slot ${run.slot}: ${error.message}`,
      {
        hint: 'What was read is safe; the next `owm produce` reads on where this one stopped.',
        cause: thrown,
      },
    )
  }
}

/** Closes a run that can't be read on and reads its slot again: what it stored already is then a duplicate. */
async function readAnew(
  run: RunRow,
  reason: string,
  deps: ProduceDeps,
  feed: Feed,
  progress: Progress,
): Promise<OwmError | undefined> {
  deps.log.warn({ runId: run.runId, slot: run.slot, reason }, 'an interrupted run is read anew, from the start')
  const fresh = await deps.outbox.ledger.supersede(run, { source: deps.source.name, sourceDigest: deps.source.digest })
  await decideSuspects(run, deps.outbox)
  return finishRun(fresh, deps, feed, progress)
}

/** Records between two turns of the event loop: meanwhile SQLite's and Redis' answers wait. */
const recordsATurn = 100

/** Hand-over batches that may gather in memory while a transaction is being written. */
const gatheredBatches = 16

async function readRun(run: RunRow, deps: ProduceDeps, feed: Feed, progress: Progress): Promise<void> {
  const { outbox, source, signal, log } = deps
  const seen = new SeenIds()
  for await (const { tasks } of outbox.intake.tasksOfSlot(run.slot))
    for (const task of tasks) seen.add(taskDigitsOf(task))

  const opened = await source.open()
  /** The transaction under way, if there is one. */
  let storing: Promise<void> | undefined
  let failure: { error: unknown } | undefined
  const stored = async (): Promise<void> => {
    while (storing) await storing
    if (failure) throw failure.error
  }
  let lookAround: NodeJS.Timeout | undefined
  try {
    progress.total = opened.total
    const intake = new IntakeBuffer(run, outbox.batchSize, seen)
    let read = run.read
    // The next records are read while these are being written; what gathers meanwhile goes in one transaction.
    const store = (): void => {
      const full = intake.taken()
      step('intake:read')
      // guard: checkpoint-with-batch
      const persisted = outbox.intake.write(run, full)
      storing = persisted.then(
        () => {
          storing = undefined
          step('intake:persisted')
          progress.read += full.read
          feed.notify()
          deps.onProgress?.(progress)
          if (intake.isWhole && intake.size >= outbox.batchSize) store()
        },
        (error: unknown) => {
          storing = undefined
          failure = { error }
        },
      )
    }
    // A slow source's records don't wait for a full batch, nor for the source.
    lookAround = setInterval(() => {
      if (!storing && !failure && intake.isOld()) store()
    }, 250)
    for await (const batch of bounded(opened.read(run.checkpoint ?? undefined), source, signal)) {
      read += batch.locations.length
      if (read > source.maxLocations) throw endlessSource(source.name, source.maxLocations)
      await intake.add(batch)
      // For the transaction under way, not for the one behind it that takes what has gathered: reading goes on beside that.
      if (intake.size >= gatheredBatches * outbox.batchSize) await storing
      if (failure) throw failure.error
      if (!storing && intake.size >= outbox.batchSize) store()
      // A source that never waits for anything would keep SQLite's and Redis' answers waiting.
      await nextTurn()
      if (signal.aborted) break
    }
    await stored()
    store()
    await stored()
  } finally {
    clearInterval(lookAround)
    while (storing) await storing
    await closed(opened, `the source ${source.name}`, log)
  }
  if (signal.aborted) return
  await outbox.ledger.endReading(run)
  step('reading:ended')
}

/** The batches of a source that may hang: each is waited for at most `timeoutMs`, and none once the signal aborts. */
export async function* bounded(
  batches: AsyncIterable<LocationBatch>,
  source: SourceDeps,
  signal: AbortSignal,
): AsyncGenerator<LocationBatch> {
  const iterator = batches[Symbol.asyncIterator]()
  let late: NodeJS.Timeout | undefined
  let stop: () => void = () => undefined
  const onAbort = (): void => stop()
  signal.addEventListener('abort', onAbort)
  // One promise a batch: a race against one that lives as long as the run would keep every batch in memory.
  const pull = (): Promise<IteratorResult<LocationBatch> | undefined> =>
    new Promise((resolve, reject) => {
      stop = () => resolve(undefined)
      late = setTimeout(
        () => reject(new TransientError(`it gave nothing for ${source.timeoutMs / 1000} s`)),
        source.timeoutMs,
      )
      iterator.next().then(resolve, reject)
    })
  let pulling = false
  try {
    while (!signal.aborted) {
      pulling = true
      const next = await pull()
      clearTimeout(late)
      if (next === undefined) return
      pulling = false
      if (next.done) return
      yield next.value
    }
  } finally {
    clearTimeout(late)
    signal.removeEventListener('abort', onAbort)
    // A source that hangs can't be asked to end its iteration either.
    const ended = iterator.return?.()
    if (!pulling) await ended
    else ended?.catch(() => undefined)
  }
}

/** What was read and isn't stored yet. */
class IntakeBuffer {
  /** Records read, each of which will be written. */
  size = 0
  /** False while a batch is being added: half of one has no resume point. */
  isWhole = true
  readonly #batchSize: number
  readonly #seen: SeenIds
  readonly #write: ReturnType<typeof taskWriter>
  readonly #tasks = new BatchWriter()
  #checkpoint: string | null
  #since = 0
  #batches: Batch[] = []
  #rejections: Rejection[] = []
  #suspects: Suspect[] = []

  constructor({ slot, checkpoint }: RunRow, batchSize: number, seen: SeenIds) {
    this.#batchSize = batchSize
    this.#seen = seen
    this.#write = taskWriter(slot)
    this.#checkpoint = checkpoint
  }

  async add(batch: LocationBatch): Promise<void> {
    if (this.size === 0) this.#since = Date.now()
    this.isWhole = false
    try {
      for (let from = 0; from < batch.locations.length; from += recordsATurn) {
        // guard: no-half-page
        if (from > 0) await nextTurn()
        for (let index = from; index < Math.min(from + recordsATurn, batch.locations.length); index++)
          this.#take(batch, index)
      }
    } catch (error) {
      this.taken() // All since the last resume point that is stored is read again.
      throw error
    }
    this.#checkpoint = batch.resume
    this.isWhole = true
  }

  #take(batch: LocationBatch, index: number): void {
    const location = batch.locations[index] ?? {}
    this.size++
    if (location instanceof Malformed) {
      this.#rejections.push({
        kind: 'rejected',
        position: batch.position(index),
        value: excerpt(location.value),
        reason: location.reason,
      })
      return
    }
    const tasks = this.#tasks
    const written = this.#write(location, tasks.next())
    if ('reason' in written) {
      tasks.drop()
      this.#rejections.push({
        kind: 'rejected',
        position: batch.position(index),
        value: excerpt(wordsOf(location)),
        reason: written.reason,
      })
      return
    }
    // guard: seen-before
    const seen = this.#seen.add(written.digits)
    if (seen) this.#suspects.push({ position: batch.position(index), task: tasks.drop() })
    else if (tasks.keep() === this.#batchSize) this.#batches.push(tasks.take())
  }

  /** All of it, and begins anew. */
  taken(): Intake {
    if (this.#tasks.count > 0) this.#batches.push(this.#tasks.take())
    const intake = {
      checkpoint: this.#checkpoint,
      read: this.size,
      batches: this.#batches,
      rejections: this.#rejections,
      suspects: this.#suspects,
    }
    this.size = 0
    this.#batches = []
    this.#rejections = []
    this.#suspects = []
    return intake
  }

  /** Whether its first records have waited for a second. */
  isOld(): boolean {
    return this.isWhole && this.size > 0 && Date.now() - this.#since > 1000
  }
}

/** A plugin may give what JSON can't hold: that must not keep the row from being stored with its reason. */
function wordsOf(location: Location): string {
  try {
    return JSON.stringify(location)
  } catch {
    return inspect(location, { depth: 2, breakLength: Number.POSITIVE_INFINITY })
  }
}

const excerpt = (value: string): string =>
  (value.length > 1000 ? `${value.slice(0, 1000)}… (${value.length} characters)` : value).toWellFormed()

/** Compares a run's suspects with what its slot really has. */
async function decideSuspects(run: RunRow, outbox: Outbox): Promise<void> {
  if (run.state !== 'checking') return
  for (;;) {
    const suspects = await outbox.intake.suspects(run, 20_000)
    const last = suspects.at(-1)
    if (!last) break
    const suspected = new Set(suspects.map((suspect) => taskIdOf(suspect.task)))
    const had = new Map<string, 'this run' | 'an earlier run'>()
    for await (const batch of outbox.intake.tasksOfSlot(run.slot)) {
      for (const task of batch.tasks) {
        const id = taskIdOf(task)
        if (suspected.has(id)) had.set(id, batch.run === run.id ? 'this run' : 'an earlier run')
      }
    }
    const tasks: string[] = []
    const rejections: Rejection[] = []
    let repeated = 0
    for (const { task, position } of suspects) {
      const id = taskIdOf(task)
      const by = had.get(id)
      if (by === undefined) tasks.push(task)
      else if (by === 'an earlier run') repeated++
      else
        rejections.push({
          kind: 'duplicate',
          position,
          value: excerpt(task),
          reason: `this run has the same location already (task ${id})`,
        })
      if (by === undefined) had.set(id, 'this run')
    }
    await outbox.intake.write(run, {
      checkpoint: null,
      read: 0,
      batches: outbox.cut(tasks),
      rejections,
      suspects: [],
      decided: last.id,
      repeated,
    })
  }
  await outbox.ledger.endChecking(run)
  step('checking:ended')
}

/** Hands stored tasks over, in order, until there are none and no more will come. */
async function handOver(
  deps: Deps,
  { feed, limit, handed, progress }: { feed: Feed; limit: number; handed: HandedOver; progress: Progress },
): Promise<void> {
  const { outbox, log, signal } = deps
  let left = limit
  let sink: Sink | undefined
  let resyncs = 0
  /** The batch behind the one that is waited for, on its way already: a sink that takes two never waits for owm. */
  let ahead: Sent | undefined
  try {
    for (;;) {
      if (signal.aborted || left <= 0) return
      // Both are taken before the look into the outbox, so that no news is missed during it.
      const { ended, news } = feed
      const sent: Sent | undefined = ahead
      ahead = undefined
      const batch: PendingBatch | undefined = sent?.batch ?? (await outbox.queue.after(outbox.ackedSeq, left))
      if (!batch) {
        if (!ended) {
          await news
          continue
        }
        if (sink || outbox.ackedSeq === 0) return
      } else step('batch:loaded')
      // Also where nothing is pending: a sink that lost what it took shall have it again.
      if (!sink) {
        sink = await deps.sink.open()
        if (await reconcile(sink, deps)) continue
      }
      if (!batch) return
      // guard: sent-before-acknowledged
      const head = sent ?? new Sent(sink, batch, deps)
      const next = sink.takesTwo ? await outbox.queue.behind(batch, left - batch.count) : undefined
      if (next && !head.failed) ahead = new Sent(sink, next, deps)
      const done = await deliver(sink, head, ahead, deps).catch(async (error: unknown) => {
        ahead = undefined
        if (!(error instanceof FenceError) || ++resyncs > 3) throw error
        log.warn({ reason: error.message }, 'the sink and the outbox disagree: comparing')
        return undefined
      })
      if (!done) {
        await reconcile(sink, deps)
        continue
      }
      // What was on its way behind a batch that failed was sent in vain: that is no failure of its own.
      if (ahead?.failed) ahead = undefined
      if (done.refused.size > 0) await outbox.deadLetters.add(batch, done.refused)
      else await outbox.acknowledge(batch, sink.guarantee === 'exactly-once')
      step('batch:acknowledged')
      left -= batch.count
      handed.delivered += done.delivered
      handed.deduplicated += done.deduplicated
      handed.refused += done.refused.size
      progress.delivered += batch.count
      deps.onProgress?.(progress)
    }
  } finally {
    await ahead?.answer
    step('flush:ended')
    handed.evicted += sink?.evicted ?? 0
    if (sink) await closed(sink, `the sink ${deps.sink.name}`, log)
    await outbox.breakers.save('sink', deps.resilience.save())
  }
}

/** Milliseconds that a plugin may take to close: what it gave or took is safe by then. */
const closeTimeoutMs = 5_000

/** Closes a plugin; that it can't be closed, or hangs, changes nothing about the run. */
async function closed(plugin: Source | Sink, name: string, log: Logger): Promise<void> {
  let late: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    late = setTimeout(() => reject(new Error(`it took longer than ${closeTimeoutMs / 1000} s`)), closeTimeoutMs)
  })
  try {
    await Promise.race([plugin.close?.(), timeout])
  } catch (error) {
    log.warn({ err: toError(error) }, `${name} could not be closed`)
  } finally {
    clearTimeout(late)
  }
}

/** Dead tasks aren't in the sink: nobody shall take such a run for a good one. */
function refusals({ refused }: HandedOver, { sink }: Deps): OwmError[] {
  if (refused === 0) return []
  return [
    new RefusedError(
      `The sink ${sink.name} refused ${refused} task${refused === 1 ? '' : 's'} for good: set aside as dead, the others went on.`,
      {
        hint: '`owm outbox inspect --state dead` says why; `owm outbox retry` puts them back, `owm outbox purge --dead` gives them up.',
      },
    ),
  ]
}

/** Finds what was lost on either side; true where the place to go on has changed. */
async function reconcile(sink: Sink, deps: Deps): Promise<boolean> {
  const { outbox, log } = deps
  const ask = sink.position?.bind(sink)
  if (!ask) return false
  const found = await outbox.reconcile(await attempt(() => ask(outbox.id), outbox.ackedSeq + 1, deps))
  if (found.kind === 'same') return false
  if (found.kind === 'copy') {
    log.warn(
      { outbox: outbox.path },
      'this outbox is an older or a second copy of one that the sink knows: it goes on under a new id',
    )
    await attempt(() => ask(outbox.id), outbox.ackedSeq + 1, deps)
  } else {
    log.warn(
      { lost: found.tasks, again: found.again },
      'the sink lost tasks that it had taken: those in the history are handed over again',
    )
  }
  return true
}

interface Delivered {
  delivered: number
  deduplicated: number
  /** Index in the batch -> reason. */
  refused: Map<number, string>
}

/** A batch that was handed to the sink once. */
class Sent {
  readonly batch: PendingBatch
  /** Never rejects: nobody may be waiting yet. */
  readonly answer: Promise<{ outcomes: readonly Outcome[] } | { error: unknown }>
  failed = false

  constructor(sink: Sink, batch: PendingBatch, deps: Deps) {
    this.batch = batch
    step('batch:sent')
    this.answer = deliverOrSplit(sink, batch, deps).then(
      (outcomes) => ({ outcomes }),
      (error: unknown) => {
        this.failed = true
        return { error }
      },
    )
  }
}

/** Waits for a batch that was sent, and sends it again where that failed and may pass. */
async function deliver(sink: Sink, sent: Sent, behind: Sent | undefined, deps: Deps): Promise<Delivered> {
  const { log } = deps
  const { batch } = sent
  let last: Sent | undefined = sent
  const outcomes = await attempt(
    async () => {
      const found = await (last ?? new Sent(sink, batch, deps)).answer
      last = undefined
      if ('outcomes' in found) return found.outcomes
      await behind?.answer // the sink is asked again only when it has no more on its hands
      throw found.error
    },
    batch.firstSeq,
    deps,
  )
  step('batch:answered')
  const result: Delivered = { delivered: 0, deduplicated: 0, refused: new Map() }
  outcomes.forEach((outcome, index) => {
    if (outcome === 'delivered') result.delivered++
    else if (outcome === 'duplicate') result.deduplicated++
    else result.refused.set(index, outcome.refused)
  })
  if (result.refused.size > 0)
    log.error(
      { tasks: result.refused.size, firstSeq: batch.firstSeq },
      'the sink refused tasks for good: they are dead',
    )
  return result
}

/** A batch that is refused as a whole is halved until the refused tasks stand alone. */
async function deliverOrSplit(sink: Sink, batch: PendingBatch, deps: Deps): Promise<readonly Outcome[]> {
  const { log } = deps
  try {
    // What a plugin answers is checked: a wrong answer must not count as handed over, nor as refused.
    const outcomes: unknown = await sink.deliver(batch)
    if (Array.isArray(outcomes) && outcomes.length === batch.count && outcomes.every(isOutcome)) return outcomes
    const came = Array.isArray(outcomes) ? `${outcomes.length} outcomes came back` : 'no list of outcomes came back'
    const wrong = Array.isArray(outcomes) ? outcomes.find((outcome) => !isOutcome(outcome)) : undefined
    throw new ConfigurationError(
      `The sink ${deps.sink.name} broke its contract: ${batch.count} tasks were given, ${came}${wrong === undefined ? '' : `, one of them ${JSON.stringify(wrong)}`}.`,
      {
        hint: 'Its `deliver` must return one outcome a task, in order: "delivered", "duplicate" or {refused: reason}.',
      },
    )
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error
    if (batch.count === 1) return [{ refused: error.message }]
    log.debug({ firstSeq: batch.firstSeq, count: batch.count }, 'a batch was refused: its halves are tried')
    const middle = Math.ceil(batch.count / 2)
    const [first, second] = [partOf(batch, 0, middle), partOf(batch, middle, batch.count)]
    return [...(await deliverOrSplit(sink, first, deps)), ...(await deliverOrSplit(sink, second, deps))]
  }
}

const isOutcome = (outcome: unknown): outcome is Outcome =>
  outcome === 'delivered' ||
  outcome === 'duplicate' ||
  (typeof outcome === 'object' && outcome !== null && 'refused' in outcome && typeof outcome.refused === 'string')

/** A call to the sink under retries and breaker; a failure is noted in the outbox at `seq`. */
async function attempt<T>(call: () => Promise<T>, seq: number, deps: Deps): Promise<T> {
  try {
    return await deps.resilience.run(call, deps.signal)
  } catch (thrown) {
    const error = asOwm(thrown)
    if (!(error instanceof CircuitOpenError || error instanceof FenceError))
      await deps.outbox.noteFailure(seq, error.message)
    throw error
  }
}

/** Tells the flusher that more is stored, or that no more will come. */
class Feed {
  ended = false
  /** Resolves with the next notice. */
  news: Promise<void> = Promise.resolve()
  #wake: () => void = () => undefined

  constructor() {
    this.#arm()
  }

  notify(): void {
    this.#wake()
    this.#arm()
  }

  end(): void {
    this.ended = true
    this.#wake()
  }

  #arm(): void {
    this.news = new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

/** Unknown errors are transient (semantics 9). */
function asOwm(thrown: unknown): OwmError {
  if (thrown instanceof OwmError) return thrown
  return new TransientError(toError(thrown).message, {
    hint: 'The tasks wait in the outbox: mend the cause, then run `owm flush`.',
    cause: thrown,
  })
}
