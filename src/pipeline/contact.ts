/**
 * The relay's contact with the sink: open, compared with the outbox, and the place in the chain behind which the next
 * batch belongs.
 *
 *     not made --open, compare--> made --changed--> compare again
 *
 * A comparison goes through these steps:
 *
 *     raise the epoch (durable) -> attach (the sink notes it, and says where it stands)
 *       -> decide where to go on (durable, see outbox/chain) -> place (the sink goes on from there)
 *
 * It begins again, with a new epoch, after a crash between any two of them, after an answer that didn't come (a late
 * attach or place is refused by its epoch), where the sink has changed between attach and place, and where the outbox
 * turns out to be a copy: then under its new id.
 */
import { ConfigurationError, errorKindOf, isOwmError } from '../errors/index.js'
import type { Attachment, Outcome, Receipt, Sink, SinkPosition } from '../plugin.js'
import type { Batch } from '../tasks/batch.js'
import { taskIdOf } from '../tasks/id.js'
import { step } from '../trace.js'
import { orLate } from '../within.js'
import { addressNoted, asOwmError, type Deps } from './parts.js'
import { goOnAsCopy } from './slots/behind-receipts.js'
import { Receipts } from './slots/receipts.js'

/** Milliseconds: don't delay reading for a sink that takes longer to answer. */
const patienceMs = 3_000

/** The most comparisons in which the sink may have changed meanwhile. */
const maxChanges = 10

/** The most comparisons in a row that may find the outbox to be a copy: no sink can know the new id that it takes. */
const maxCopies = 3

export class Contact {
  readonly #deps: Deps
  #opening: Promise<Sink> | undefined
  /** Once it is open. */
  #sink: Sink | undefined
  #made = false
  /** The first comparison. */
  #making: Promise<boolean> | undefined
  /** Why the sink didn't answer before the first comparison. */
  #earlyFailure: unknown
  #attachment: Attachment | undefined
  #generation: number | undefined
  /** The last task that the sink has taken; `seq` is 0 if there is none. */
  #after: SinkPosition = { seq: 0, taskId: '' }
  /** Why a call failed while no task was pending to note it at. */
  #unnoted: string | undefined
  readonly #receipts: Receipts

  constructor(deps: Deps) {
    this.#deps = deps
    this.#receipts = new Receipts((slot, timeoutMs) =>
      this.#askBeforeComparing((sink) => sink.receipts?.(deps.pipeline, slot), timeoutMs ?? patienceMs),
    )
  }

  get guarantee(): Sink['guarantee'] {
    return this.#sink?.guarantee ?? 'at-least-once'
  }

  get maxInFlight(): number {
    return this.#sink?.maxInFlight ?? 1
  }

  get evicted(): number {
    return this.#sink?.evicted ?? 0
  }

  /** Opens and compares the sink, unless that is done; true if that changed what is pending, or the outbox's id. */
  async make(): Promise<boolean> {
    if (this.#made) return false
    this.#making ??= this.compare()
    return this.#making
  }

  /** Waits for `make` a short time, before anything is read. It continues meanwhile; the relay gets its failure. */
  async makeInTime(): Promise<void> {
    await orLate(
      patienceMs,
      this.make().catch(() => undefined),
    )
  }

  /**
   * Notes the sink of the tasks that are stored from here on. If it can't be opened or compared, the relay reports why.
   * Throws ConfigurationError if it is another sink, and tasks wait for the previous one.
   */
  async announce(): Promise<void> {
    const address = await this.address().catch(() => undefined)
    if (address === undefined || (await this.#deps.outbox.sinks.announce(address))) return
    // It may be the same sink at another address.
    await this.make().catch((error: unknown) => {
      if (errorKindOf(error) === 'configuration') throw error
    })
  }

  /** The sink's address, or else its name. Opens it. */
  async address(): Promise<string> {
    return addressNoted(await this.sink(), this.#deps.sink.name)
  }

  /** Opened once and shared; retried after a failure. */
  sink(): Promise<Sink> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  async #open(): Promise<Sink> {
    try {
      this.#sink = await this.#deps.sink.open()
      return this.#sink
    } catch (error) {
      this.#opening = undefined
      throw error
    }
  }

  /**
   * The receipts of a slot, read before the first comparison; undefined if the sink keeps none, or neither opens nor
   * answers in time.
   */
  receiptsOf(slot: string): Promise<readonly Receipt[] | undefined> {
    return this.#receipts.of(slot)
  }

  /** The receipts of the newest slots. */
  newestReceipts(timeoutMs?: number): Promise<readonly Receipt[] | undefined> {
    return this.#receipts.newest(timeoutMs)
  }

  /** Undefined if the sink can't be asked this, or the answer is late. A failure counts as the comparison's first. */
  async #askBeforeComparing<T>(
    question: (sink: Sink) => Promise<T> | undefined,
    timeoutMs: number,
  ): Promise<T | undefined> {
    try {
      return await orLate(timeoutMs, this.sink().then(question))
    } catch (error) {
      this.#earlyFailure = error
      throw error
    }
  }

  /** Reconciles the outbox with the sink; true if that changed what is pending, or the outbox's id. */
  async compare(): Promise<boolean> {
    const { outbox } = this.#deps
    const before = [outbox.ackedSeq, outbox.id]
    const sink = await this.sink()
    if (sink.attach && sink.place) await this.#attach(sink.attach.bind(sink), sink.place.bind(sink), sink)
    else await this.#ask(sink)
    this.#made = true
    // guard: batches-of-this-outbox
    return outbox.ackedSeq !== before[0] || outbox.id !== before[1]
  }

  async #attach(attach: NonNullable<Sink['attach']>, place: NonNullable<Sink['place']>, sink: Sink): Promise<void> {
    const { outbox, log, adopt: from } = this.#deps
    const address = addressNoted(sink, this.#deps.sink.name)
    const search = sink.taskIds?.bind(sink)
    /** False if the outbox turned out to be a copy: it has a new id now. */
    const attachOnce = async (): Promise<boolean> => {
      this.#throwEarlyFailure()
      // guard: epoch-for-each-try
      const attachment = await outbox.sinks.raiseEpoch()
      step('epoch:raised')
      // guard: copy-behind-receipts
      if (attachment.formerId !== undefined) await goOnAsCopy(this.#deps, sink)
      const attached = await attach(attachment, outbox.sinks.idFor(address))
      step('sink:attached')
      const found = await outbox.reconcile({ address, attachment, search, attached, from })
      step('sink:compared')
      for (const { fields, message } of found.warnings) log.warn(fields, message)
      if (found.kind === 'copy') return false
      // A fence has more, such as an older epoch: a sink that keeps all that it is given would go back to that.
      const { seq, taskId, runId } = found.at
      const at = { seq, taskId, runId }
      await place(attachment, at, attached.generation)
      step('sink:placed')
      await outbox.sinks.endFormer()
      this.#attachment = attachment
      this.#generation = attached.generation
      this.#after = at
      return true
    }
    for (let changes = 0, copies = 0; ; ) {
      try {
        if (await this.attempt(attachOnce)) return
        if (++copies >= maxCopies) throw this.#knowsAll('attach')
      } catch (error) {
        if (!isOwmError(error, 'CHANGED') || ++changes > maxChanges) throw error
      }
    }
  }

  /** For a sink without attachments, which at most stores its position. */
  async #ask(sink: Sink): Promise<void> {
    const { outbox, log, adopt: from } = this.#deps
    const address = addressNoted(sink, this.#deps.sink.name)
    const askPosition = sink.position?.bind(sink)
    for (let copies = 0; copies < maxCopies; copies++) {
      const position = askPosition
        ? await this.attempt(async () => {
            this.#throwEarlyFailure()
            return askPosition(outbox.id)
          })
        : null
      const found = await outbox.reconcilePosition({ address, position, from })
      for (const { fields, message } of found.warnings) log.warn(fields, message)
      if (found.kind !== 'copy') return
      await this.attempt(() => goOnAsCopy(this.#deps, sink))
    }
    throw this.#knowsAll('position')
  }

  /** The error of a sink that knows every id: each comparison would give the outbox another one, for ever. */
  #knowsAll(method: 'attach' | 'position'): ConfigurationError {
    const { name } = this.#deps.sink
    return new ConfigurationError(
      `The sink ${name} broke its contract: \`${method}\` gives a new outbox another one's position.`,
      {
        hint: 'A position belongs to the `outboxId` that it was asked for: it gives none for one that it has not seen.',
      },
    )
  }

  /** Throws what `#askBeforeComparing` failed with, if it did, once. */
  #throwEarlyFailure(): void {
    const failed = this.#earlyFailure
    this.#earlyFailure = undefined
    if (failed !== undefined) throw failed
  }

  /** The batch with its place in the chain: after another one that is in flight, or after the last task taken. */
  link(batch: Batch, behind: Batch | undefined): Batch {
    if (!this.#attachment) return batch
    const after = behind ? { seq: behind.lastSeq, taskId: idAt(behind, behind.count - 1) } : this.#after
    return batch.at({ link: { ...this.#attachment, after } })
  }

  /** The batch linked to the last task taken of `first`, with which it was one batch before. */
  linkBehind(batch: Batch, first: Batch, outcomes: readonly Outcome[]): Batch {
    const { link } = first
    return link ? batch.at({ link: { ...link, after: lastTaken(first, outcomes) ?? link.after } }) : batch
  }

  /** Moves on after the head of the chain was answered. */
  reached(batch: Batch, outcomes: readonly Outcome[]): void {
    if (this.#attachment) this.#after = lastTaken(batch, outcomes) ?? this.#after
  }

  /** Writes the receipts of slots that are whole, and ends their runs. */
  async writeReceipts(): Promise<void> {
    const { outbox, pipeline } = this.#deps
    for (const { receipt, brought } of await outbox.ledger.wholeSlots(pipeline, outbox.ackedSeq)) {
      await this.make()
      const write = this.#sink?.receipt?.bind(this.#sink)
      if (write && receipt) await this.attempt(() => write(this.#attachment, receipt, brought))
      step('receipt:written')
      // guard: fence-over-left-out
      await this.#placeOverLeftOut()
      // A run that is done has nothing pending, whenever this process dies.
      await outbox.settle()
      await outbox.ledger.finish(brought.runs, outbox.sinks.present)
    }
  }

  /** Moves the fence past tasks that weren't sent as the sink holds them already. Nothing is in flight now. */
  async #placeOverLeftOut(): Promise<void> {
    const { outbox } = this.#deps
    const attachment = this.#attachment
    const place = this.#sink?.place?.bind(this.#sink)
    const at = attachment && place && (await outbox.positionOverLeftOut(this.#after.seq))
    if (!at) return
    await this.attempt(() => place(attachment, at, this.#generation))
    this.#after = at
  }

  /** The ids of all tasks that the sink holds, once it is compared; undefined if it can't tell. */
  async idsInSink(): Promise<ReadonlySet<string> | undefined> {
    await this.make()
    const sink = await this.sink()
    const taskIds = sink.taskIds?.bind(sink)
    // A fence that only deliveries move would never pass what isn't sent.
    if (!taskIds || (sink.position && !sink.place)) return undefined
    return this.attempt(async () => {
      const ids = new Set<string>()
      for await (const id of taskIds()) ids.add(id)
      return ids
    })
  }

  /** Calls the sink with retries and breaker; notes a failure in the outbox, at the task `seq` (default: the next). */
  async attempt<T>(call: () => Promise<T>, seq = this.#deps.outbox.ackedSeq + 1): Promise<T> {
    const { outbox, resilience, signal } = this.#deps
    try {
      return await resilience.run(call, signal)
    } catch (thrown) {
      const error = asOwmError(thrown)
      if (!signal.aborted && !['CIRCUIT_OPEN', 'CHANGED', 'SUPERSEDED'].includes(error.code)) {
        if (outbox.pending > 0) await outbox.noteFailure(seq, error.message)
        else this.#unnoted = error.message
      }
      throw error
    }
  }

  /** Calls `onDelivered` with the sink, if it is open. */
  async show(): Promise<void> {
    if (this.#sink) await this.#deps.onDelivered?.(this.#sink)
  }

  async close(): Promise<void> {
    const { outbox } = this.#deps
    // The error itself was reported; noting it is optional.
    if (this.#unnoted !== undefined && outbox.pending > 0)
      await outbox.noteFailure(outbox.ackedSeq + 1, this.#unnoted).catch(() => undefined)
    // It may still be opening.
    const sink = await this.#opening?.catch(() => undefined)
    await sink?.close?.()
  }
}

const idAt = (batch: Batch, index: number): string => taskIdOf(batch.task(index))

/** The last task of a batch that wasn't refused. */
function lastTaken(batch: Batch, outcomes: readonly Outcome[]): SinkPosition | undefined {
  const index = outcomes.findLastIndex((outcome) => typeof outcome === 'string')
  return index < 0 ? undefined : { seq: batch.firstSeq + index, taskId: idAt(batch, index), runId: batch.runId }
}
