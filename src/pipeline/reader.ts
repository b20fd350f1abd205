/**
 * The reader: from a run's checkpoint to the end of its source.
 *
 *     for each page of the source, from the run's checkpoint:
 *       for each location: encode -> seen before? -> into the batch, or set aside with its reason
 *       when enough has gathered: one transaction (batches + checkpoint + counts), written while the next page is read
 *
 * At most one transaction is in progress. What gathers meanwhile goes into the next one.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { OwmError } from '../errors/index.js'
import type { RunRow } from '../outbox/outbox.js'
import { zeroSum } from '../tasks/ids/sum.js'
import { flagOfDigest } from '../tasks/shard.js'
import { step } from '../trace.js'
import type { Feed } from './feed.js'
import { cadenceCheck, cadenceOf } from './input/cadence.js'
import { IntakeBuffer } from './input/intake.js'
import { knownOf } from './input/known-tasks.js'
import { type Given, isEnough, type Minimum, minimumOf, nothingGiven, tooFew } from './input/minimum.js'
import { Positions } from './input/positions.js'
import type { Rejects } from './input/rejects.js'
import type { ProduceDeps, Progress } from './parts.js'

/** The most delivery batches that gather in memory while a transaction is written. */
const gatheredBatches = 16

/** Milliseconds between checks for records that wait because the source is slow. */
const flushEveryMs = 250

export interface ReaderOptions {
  feed: Feed
  progress: Progress
  /** What this process rejected, in all its runs. */
  rejects: Rejects
}

/**
 * Reads a run's source to its end, or until the signal aborts; returns the positions of its tasks in the source. Throws
 * errors of the source and the outbox, and InputRejectedError if the source gave too little: then no task is stored.
 */
export async function readRun(run: RunRow, deps: ProduceDeps, options: ReaderOptions): Promise<Positions> {
  const { outbox, source, signal } = deps
  const { progress, rejects } = options
  const { batchSize } = outbox
  const positions = new Positions(run.persisted)
  const [known, windows] = [await knownOf(run, outbox), await outbox.ledger.windowsOf(run)]
  // Without the beginning of the list there is nothing to check.
  const check = run.checkpoint === null ? cadenceCheck(cadenceOf(run), deps.log) : undefined
  const traceparent = deps.traceparent?.(run.slot)
  const intake = new IntakeBuffer({ run, batchSize, known, windows, rejects, positions, traceparent })
  const enough = await enoughOf(run, intake, deps)
  const opened = await source.open()
  // `read` counts all runs of this start, but not what an earlier start read of this run.
  progress.total = opened.total === undefined ? undefined : progress.read + opened.total - run.read
  const writer = new Writer(run, intake, enough, deps, options)
  // A slow source's records don't wait for a full batch, nor for the source.
  const flushTimer = setInterval(() => writer.storeWhatIsOld(), flushEveryMs)
  try {
    for await (const page of opened.read(run.checkpoint ?? undefined, run.read)) {
      await intake.add(page)
      check?.note(page)
      if (intake.size >= gatheredBatches * batchSize) await writer.current
      writer.storeWhatIsFull()
      // A source that never waits would keep replies of SQLite and the sink from being processed.
      await nextTurn()
      if (signal.aborted) break
    }
    if (!signal.aborted) await mustBeEnough(run, enough, writer, deps, rejects)
    if (enough.isReached()) await writer.storeAll()
  } catch (error) {
    // Keep what was read, whatever the error.
    // guard: read-is-kept
    await writer.storeWhatWasRead()
    throw error
  } finally {
    clearInterval(flushTimer)
    await writer.idle()
    await opened.close?.()
  }
  if (signal.aborted) return positions
  check?.warn()
  await outbox.ledger.endReading(run)
  step('reading:ended')
  return positions
}

/** Whether a run's tasks may be stored: once its source has given the minimum of locations. */
interface Enough {
  readonly minimum: Minimum
  readonly given: () => { given: Given; own: Given }
  isReached(): boolean
}

async function enoughOf(run: RunRow, intake: IntakeBuffer, { outbox, source }: ProduceDeps): Promise<Enough> {
  const last = source.minShare === undefined ? undefined : await outbox.ledger.before(run)
  const minimum = minimumOf(source, last)
  const given = () => ({ given: source.given?.() ?? intake.given, own: intake.given })
  // A run that stored something had reached the minimum.
  const wasReached = run.persisted + run.duplicates > 0
  const isReached = (): boolean => {
    const { given: whole, own } = given()
    return wasReached || isEnough(whole, own, minimum)
  }
  return { minimum, given, isReached }
}

/**
 * Throws InputRejectedError if the source gave too little. That closes the run, unless an earlier run stored a part of
 * the slot and couldn't be continued: then no other run would serve the rest of the slot.
 */
async function mustBeEnough(
  run: RunRow,
  { minimum, given, isReached }: Enough,
  writer: Writer,
  { outbox, source, isSharded, log }: ProduceDeps,
  rejects: Rejects,
): Promise<void> {
  const isNew = run.persisted + run.duplicates === 0
  const judge = (inOutbox = true): OwmError | undefined =>
    isNew || !isReached() ? tooFew(source.name, given(), minimum, rejects, inOutbox) : undefined
  if (!judge()) {
    const nothing = isNew ? nothingGiven(source.name, given().given) : undefined
    const flag = flagOfDigest(source.digest, isSharded)
    if (nothing !== undefined)
      log.warn({ event: 'source-empty', source: source.name }, `${nothing}; ${readAgain(run.slot, flag)}`)
    return
  }
  // guard: begun-stays-open
  const isBegun = await outbox.ledger.isBegun(run)
  const error = judge(!isBegun)
  if (!isBegun) {
    await writer.storeRejections()
    await outbox.ledger.miss(run)
  }
  throw error
}

/** A slot without locations is done: no start reads it again on its own. */
const readAgain = (slot: string, flag: string): string =>
  `once it has some, \`owm produce --slot ${slot}${flag}\` reads it for this slot`

/** Writes what the intake holds, one transaction at a time. After a failure it writes no more. */
class Writer {
  /** The transaction in progress, if there is one; never rejects. */
  current: Promise<void> | undefined
  #failure: { error: unknown } | undefined
  readonly #run: RunRow
  readonly #intake: IntakeBuffer
  readonly #enough: Enough
  readonly #deps: ProduceDeps
  readonly #options: ReaderOptions

  constructor(run: RunRow, intake: IntakeBuffer, enough: Enough, deps: ProduceDeps, options: ReaderOptions) {
    this.#enough = enough
    this.#run = run
    this.#intake = intake
    this.#deps = deps
    this.#options = options
  }

  /** Begins a transaction if a batch is full and none is in progress. Throws the error of a failed one. */
  storeWhatIsFull(): void {
    this.#throwFailure()
    // guard: stored-from-minimum
    if (!this.#enough.isReached()) return
    if (!this.current && this.#intake.size >= this.#deps.outbox.batchSize) this.#store()
  }

  storeWhatIsOld(): void {
    if (!this.#enough.isReached()) return
    if (!this.current && !this.#failure && this.#intake.isOld()) this.#store()
  }

  /** After a failure of the source: stores the whole pages, unless the outbox failed or too little was read. */
  async storeWhatWasRead(): Promise<void> {
    await this.idle()
    if (this.#failure || !this.#intake.isWhole || this.#intake.size === 0 || !this.#enough.isReached()) return
    this.#store()
    await this.idle()
  }

  /** Stores why locations were rejected, and no task. */
  async storeRejections(): Promise<void> {
    await this.idle()
    this.#throwFailure()
    const { read, rejections } = this.#intake.take()
    const nothing = { checkpoint: null, batches: [], suspects: [], idSum: zeroSum }
    await this.#deps.outbox.intake.write(this.#run, { ...nothing, read, rejections })
  }

  /** Stores all that is left, with the checkpoint. */
  async storeAll(): Promise<void> {
    await this.idle()
    this.#throwFailure()
    this.#store()
    await this.idle()
    this.#throwFailure()
  }

  /** Resolves when no transaction is in progress. */
  async idle(): Promise<void> {
    while (this.current) await this.current
  }

  #store(): void {
    const { outbox } = this.#deps
    const run = this.#run
    const full = this.#intake.take()
    step('intake:read')
    // guard: checkpoint-with-batch
    const persisted = outbox.intake.write(run, full)
    this.current = persisted.then(
      () => this.#stored(full.read),
      (error: unknown) => {
        this.current = undefined
        this.#failure = { error }
      },
    )
  }

  #stored(read: number): void {
    this.current = undefined
    step('intake:persisted')
    const { feed, progress } = this.#options
    progress.read += read
    feed.notify()
    this.#deps.onProgress?.(progress)
    if (this.#intake.isWhole && this.#intake.size >= this.#deps.outbox.batchSize) this.#store()
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error
  }
}
