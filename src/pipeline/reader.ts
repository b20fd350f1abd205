/**
 * The reader: from a run's checkpoint to the end of its source.
 *
 *     for each page of the source, from the run's checkpoint:
 *       for each location: encode -> seen before? -> into the batch, or set aside with its reason
 *       when enough has gathered: one transaction (batches + checkpoint + counts), written while the next page is read
 *
 * At most one transaction is under way. What gathers meanwhile goes into the next one.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { endlessSource } from '../errors/index.js'
import type { RunRow } from '../outbox/outbox.js'
import { SeenIds } from '../tasks/seen.js'
import { step } from '../trace.js'
import type { Feed } from './feed.js'
import { IntakeBuffer } from './input/intake.js'
import type { ProduceDeps, Progress } from './parts.js'

/** Delivery batches that may gather in memory while a transaction is being written. */
const gatheredBatches = 16

/** Milliseconds between two looks for records that wait for a slow source. */
const lookEveryMs = 250

export interface ReaderOptions {
  feed: Feed
  progress: Progress
}

/** Reads a run's source to its end, or until the signal aborts. Throws what the source or the outbox throws. */
export async function readRun(run: RunRow, deps: ProduceDeps, options: ReaderOptions): Promise<void> {
  const { outbox, source, signal } = deps
  const { progress } = options
  const { batchSize } = outbox
  const intake = new IntakeBuffer({ run, batchSize, seen: await seenIds(run, deps) })
  const opened = await source.open()
  progress.total = opened.total
  const writer = new Writer(run, intake, deps, options)
  // A slow source's records don't wait for a full batch, nor for the source.
  const lookAround = setInterval(() => writer.storeWhatIsOld(), lookEveryMs)
  try {
    let read = run.read
    for await (const page of opened.read(run.checkpoint ?? undefined)) {
      read += page.locations.length
      if (read > source.maxLocations) throw endlessSource(source.name, source.maxLocations)
      await intake.add(page)
      if (intake.size >= gatheredBatches * batchSize) await writer.current
      writer.storeWhatIsFull()
      // A source that never waits for anything would keep SQLite's and the sink's answers waiting.
      await nextTurn()
      if (signal.aborted) break
    }
    await writer.storeAll()
  } finally {
    clearInterval(lookAround)
    await writer.idle()
    await opened.close?.()
  }
  if (signal.aborted) return
  await outbox.ledger.endReading(run)
  step('reading:ended')
}

async function seenIds({ id: own, slot, again }: RunRow, { outbox }: ProduceDeps): Promise<SeenIds> {
  const seen = new SeenIds()
  for await (const { run, ids } of outbox.intake.idsOfSlot(slot))
    if (!again || run === own) for (const id of ids) seen.add(id.replaceAll('-', ''))
  return seen
}

/** Writes what the intake holds, one transaction at a time. After one has failed it writes no more. */
class Writer {
  /** The transaction under way, if there is one; never rejects. */
  current: Promise<void> | undefined
  #failure: { error: unknown } | undefined
  readonly #run: RunRow
  readonly #intake: IntakeBuffer
  readonly #deps: ProduceDeps
  readonly #options: ReaderOptions

  constructor(run: RunRow, intake: IntakeBuffer, deps: ProduceDeps, options: ReaderOptions) {
    this.#run = run
    this.#intake = intake
    this.#deps = deps
    this.#options = options
  }

  /** Begins a transaction where a batch is full and none is under way. Throws why the last one failed. */
  storeWhatIsFull(): void {
    this.#throwFailure()
    if (!this.current && this.#intake.size >= this.#deps.outbox.batchSize) this.#store()
  }

  storeWhatIsOld(): void {
    if (!this.current && !this.#failure && this.#intake.isOld()) this.#store()
  }

  /** Stores all that is left, and the checkpoint with it. */
  async storeAll(): Promise<void> {
    await this.idle()
    this.#throwFailure()
    this.#store()
    await this.idle()
    this.#throwFailure()
  }

  /** Resolves when no transaction is under way. */
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
