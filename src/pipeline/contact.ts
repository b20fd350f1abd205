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

/** Milliseconds: a sink that is silent for longer doesn't keep the source from being read. */
const patienceMs = 3_000

/** Comparisons that may find, one after the other, that the sink has changed meanwhile. */
const maxChanges = 10

/** Comparisons that may find, one after the other, that the outbox is a copy: no sink can know the id that it takes. */
const maxCopies = 3

export class Contact {
  readonly #deps: Deps
  #opening: Promise<Sink> | undefined
  /** Once it is open. */
  #sink: Sink | undefined
  #made = false
  /** The first comparison. */
  #making: Promise<boolean> | undefined
  /** Why the sink couldn't be asked before the first comparison. */
  #failed: unknown
  #attachment: Attachment | undefined
  #generation: number | undefined
  /** The last task that the sink has taken; `seq` 0 where it has none. */
  #after: SinkPosition = { seq: 0, taskId: '' }
  /** Why a call failed before there was a task that waited for it. */
  #unnoted: string | undefined
  readonly #receipts: Receipts

  constructor(deps: Deps) {
    this.#deps = deps
    this.#receipts = new Receipts((slot, timeoutMs) =>
      this.#askFirst((sink) => sink.receipts?.(deps.pipeline, slot), timeoutMs ?? patienceMs),
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

  /** Opens the sink and compares it, where that isn't done yet; true where it changed what is pending, or its id. */
  async make(): Promise<boolean> {
    if (this.#made) return false
    this.#making ??= this.compare()
    return this.#making
  }

  /** The same before anything is read; it goes on where that takes longer, and the relay hears of a failure. */
  async makeInTime(): Promise<void> {
    await orLate(
      patienceMs,
      this.make().catch(() => undefined),
    )
  }

  /**
   * Notes which sink the tasks are for that are stored from here on. Where it can't be opened or asked, the relay says
   * why. Throws ConfigurationError where it is another one, and tasks wait for the one before.
   */
  async announce(): Promise<void> {
    const address = await this.address().catch(() => undefined)
    if (address === undefined || (await this.#deps.outbox.sinks.announce(address))) return
    // It may be the same one at another address.
    await this.make().catch((error: unknown) => {
      if (errorKindOf(error) === 'configuration') throw error
    })
  }

  /** Where the sink is, or else its name. Opens it. */
  async address(): Promise<string> {
    return addressNoted(await this.sink(), this.#deps.sink.name)
  }

  /** Opened once, whoever waits for it; anew where that failed. */
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
   * The receipts of a slot, asked for before the first comparison; undefined where the sink keeps none, or isn't open
   * and answers in time.
   */
  receiptsOf(slot: string): Promise<readonly Receipt[] | undefined> {
    return this.#receipts.of(slot)
  }

  /** Those of the newest slots. */
  newestReceipts(timeoutMs?: number): Promise<readonly Receipt[] | undefined> {
    return this.#receipts.newest(timeoutMs)
  }

  /** A failure counts as the comparison's first attempt; undefined where nothing is asked, or the answer is late. */
  async #askFirst<T>(question: (sink: Sink) => Promise<T> | undefined, timeoutMs: number): Promise<T | undefined> {
    try {
      return await orLate(timeoutMs, this.sink().then(question))
    } catch (error) {
      this.#failed = error
      throw error
    }
  }

  /** Compares sink and outbox, and mends the difference; true where that changed what is pending, or whose it is. */
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
    /** True once it is placed. */
    const attachOnce = async (): Promise<boolean> => {
      this.#endFirst()
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
      await place(attachment, found.at, attached.generation)
      step('sink:placed')
      await outbox.sinks.endFormer()
      this.#attachment = attachment
      this.#generation = attached.generation
      this.#after = found.at
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

  /** A sink that knows no attachments, but remembers how far it got, if that. */
  async #ask(sink: Sink): Promise<void> {
    const { outbox, log, adopt: from } = this.#deps
    const address = addressNoted(sink, this.#deps.sink.name)
    const askPosition = sink.position?.bind(sink)
    for (let copies = 0; copies < maxCopies; copies++) {
      const position = askPosition ? await this.attempt(() => this.#endFirst() ?? askPosition(outbox.id)) : null
      const found = await outbox.reconcilePosition({ address, position, from })
      for (const { fields, message } of found.warnings) log.warn(fields, message)
      if (found.kind !== 'copy') return
      await this.attempt(() => goOnAsCopy(this.#deps, sink))
    }
    throw this.#knowsAll('position')
  }

  /** Without an end each comparison would give the outbox another id. */
  #knowsAll(method: 'attach' | 'position'): ConfigurationError {
    const { name } = this.#deps.sink
    return new ConfigurationError(
      `The sink ${name} broke its contract: \`${method}\` gives a new outbox another one's position.`,
      {
        hint: 'A position belongs to the `outboxId` that it was asked for: it gives none for one that it has not seen.',
      },
    )
  }

  /** Throws what `#askFirst` failed with, once. */
  #endFirst(): undefined {
    const failed = this.#failed
    this.#failed = undefined
    if (failed !== undefined) throw failed
  }

  /** The batch with its place in the chain: behind another one that is under way, or behind the last task taken. */
  link(batch: Batch, behind: Batch | undefined): Batch {
    if (!this.#attachment) return batch
    const after = behind ? { seq: behind.lastSeq, taskId: idAt(behind, behind.count - 1) } : this.#after
    return batch.at({ link: { ...this.#attachment, after } })
  }

  /** The same behind a batch of which only some tasks were taken. */
  linkBehind(batch: Batch, first: Batch, outcomes: readonly Outcome[]): Batch {
    const { link } = first
    return link ? batch.at({ link: { ...link, after: lastTaken(first, outcomes) ?? link.after } }) : batch
  }

  /** The batch at the head of the chain was answered. */
  reached(batch: Batch, outcomes: readonly Outcome[]): void {
    if (this.#attachment) this.#after = lastTaken(batch, outcomes) ?? this.#after
  }

  /** Writes the receipts of slots that are whole; their runs are done then. */
  async writeReceipts(): Promise<void> {
    const { outbox, pipeline } = this.#deps
    for (const { receipt, brought } of await outbox.ledger.wholeSlots(pipeline, outbox.ackedSeq)) {
      await this.make()
      const write = this.#sink?.receipt?.bind(this.#sink)
      if (write && receipt) await this.attempt(() => write(this.#attachment, receipt, brought))
      step('receipt:written')
      // guard: fence-over-left-out
      await this.#placeOverLeftOut()
      await outbox.ledger.finish(brought.runs, outbox.sinks.present)
    }
  }

  /** What the sink held already wasn't sent: nothing is under way now, and the fence goes on behind that, too. */
  async #placeOverLeftOut(): Promise<void> {
    const { outbox } = this.#deps
    const attachment = this.#attachment
    const place = this.#sink?.place?.bind(this.#sink)
    const at = attachment && place && (await outbox.positionOverLeftOut(this.#after.seq))
    if (!at) return
    await this.attempt(() => place(attachment, at, this.#generation))
    this.#after = at
  }

  /** The ids of all tasks that the sink holds, once it is compared; undefined where it can't say. */
  async idsInSink(): Promise<ReadonlySet<string> | undefined> {
    await this.make()
    const sink = await this.sink()
    const taskIds = sink.taskIds?.bind(sink)
    // A fence that only deliveries move would stay before what isn't sent.
    if (!taskIds || (sink.position && !sink.place)) return undefined
    return this.attempt(async () => {
      const ids = new Set<string>()
      for await (const id of taskIds()) ids.add(id)
      return ids
    })
  }

  /** A call to the sink under retries and breaker; a failure is noted in the outbox, at `seq` or at the next task. */
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

  /** Shows the sink, if it is open, to whoever asked to look at it. */
  async show(): Promise<void> {
    if (this.#sink) await this.#deps.onDelivered?.(this.#sink)
  }

  async close(): Promise<void> {
    const { outbox } = this.#deps
    // It goes on without: the reason was told.
    if (this.#unnoted !== undefined && outbox.pending > 0)
      await outbox.noteFailure(outbox.ackedSeq + 1, this.#unnoted).catch(() => undefined)
    // One that is still being opened would be left open.
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
