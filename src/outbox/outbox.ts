/**
 * The transactional outbox and its run ledger, held by one process at a time. Its parts:
 *
 *     ledger           the runs
 *     intake           from the source into the outbox, and what a slot holds already
 *     queue            the pending batches, in order
 *     deadLetters      tasks that the sink refused for good
 *     breakers         what the circuit breakers remember between two starts
 */
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { And, LessThanOrEqual, MoreThan } from 'typeorm'
import { OutboxBusyError } from '../errors/index.js'
import { makeFolder } from '../files/folders.js'
import { FileLock } from '../files/lock.js'
import { checkDatabase, checkFolder, statsOf } from '../files/rules.js'
import type { SinkPosition } from '../plugin.js'
import type { Batch } from '../tasks/batch.js'
import { taskIdOf } from '../tasks/id.js'
import { step } from '../trace.js'
import { Breakers } from './breakers.js'
import { Acknowledgement } from './chain/acknowledge.js'
import type { Met, Parts, Reconciled } from './chain/position.js'
import { type MetPlain, reconcile, reconcilePosition } from './chain/reconcile.js'
import { Sinks } from './chain/sinks.js'
import { DeadLetters } from './dead-letters.js'
import type { View } from './inspect/view.js'
import { cut, IntakeWriter } from './intake.js'
import { type Claim, claim, own } from './owner.js'
import { Queue } from './queue.js'
import { type Purged, Retention } from './retention.js'
import { type DiscardFilter, type Doomed, discard } from './runs/discard.js'
import { holderIn, holderText, isGone } from './runs/holder.js'
import { Ledger } from './runs/ledger.js'
import { putBack, type Replayable, type Replayed, type ReplayFilter, replayable } from './runs/replay.js'
import { Database } from './sqlite/database.js'
import { batches, deadTasks, type StateRow } from './sqlite/entities.js'
import { guarded, missingOutbox } from './sqlite/trouble.js'
import { deadAfter, OutboxState, readState } from './state.js'

export type { BreakerName } from './breakers.js'
export type { From } from './chain/position.js'
export type { Intake, StoredRejection, Suspect } from './intake.js'
export type { RunRow } from './sqlite/entities.js'

interface OpenOptions {
  /** What this process does, for the one that finds the outbox taken: `owm produce`. */
  command: string
  /** Wait for the lock instead of throwing. */
  wait: boolean
  /** Milliseconds to wait at most. */
  waitMs?: number
  /** Wait only where no other process does that asks so, too. */
  waitAlone?: boolean
  /** Called when the waiting begins. `holder`: who holds the outbox, in words. */
  onWait?(holder: string): void
  /** Tasks in a batch, 1 or more: a row of the outbox, and one delivery. */
  batchSize: number
  /** Make the outbox where there is none (the default), or throw OutboxError. */
  create?: boolean
  /** Whether it doesn't matter who else may replace files in the outbox's folder. Default: it does. */
  trustFolder?: boolean
  signal: AbortSignal
  /** Whose it must be; undefined where it doesn't matter. */
  claim?: Claim
  /** Takes secrets out of errors and reasons before they are stored. Default: they are stored as they are. */
  masked?(text: string): string
  /** Rejections that are kept. Default: 10,000. */
  keepRejected?: number
  /** Looks at all of it before it is closed. What it throws is left to a later look. */
  onClose?: ((view: View) => Promise<void>) | undefined
  now(): number
}

/** What the file says at the start. */
interface Memory {
  readonly row: StateRow
  readonly state: OutboxState
  readonly sinks: Sinks
}

export class Outbox {
  readonly path: string
  readonly batchSize: number
  readonly ledger: Ledger
  readonly intake: IntakeWriter
  readonly queue: Queue
  readonly deadLetters: DeadLetters
  readonly breakers: Breakers
  readonly sinks: Sinks
  readonly #retention: Retention
  readonly #database: Database
  readonly #lock: FileLock
  readonly #state: OutboxState
  readonly #acknowledgement: Acknowledgement
  readonly #options: OpenOptions

  private constructor(database: Database, lock: FileLock, memory: Memory, options: OpenOptions) {
    const { now, batchSize, keepRejected = 10_000 } = options
    const { row, state, sinks } = memory
    this.path = database.path
    this.batchSize = batchSize
    this.#database = database
    this.#lock = lock
    this.#state = state
    this.ledger = new Ledger(database, now)
    this.queue = new Queue(database, state)
    this.intake = new IntakeWriter(database, state, this.queue, { now, keepRejected })
    this.deadLetters = new DeadLetters(database, state, this.queue, batchSize, now)
    this.#retention = new Retention(database, state, this.deadLetters, keepRejected)
    this.breakers = new Breakers(database, row)
    this.sinks = sinks
    this.#options = options
    this.#acknowledgement = new Acknowledgement(database, state, this.queue)
  }

  /** Opens the outbox for this process alone, and makes it where there is none. Throws OutboxBusyError, OutboxError. */
  static async open(path: string, options: OpenOptions): Promise<Outbox> {
    await guarded(path, () => prepareFolder(path, options))
    const lock = await guarded(path, () => takeLock(path, options))
    if (!lock)
      throw new OutboxBusyError(`Another owm holds the outbox ${path}: ${await holderOf(path)}.`, {
        hint: options.wait ? 'Wait for its end.' : 'Wait for its end, or start with --wait.',
      })
    step('outbox:locked')
    try {
      const database = await Database.openForWriting(path, options)
      try {
        const row = await readState(database)
        if (options.claim) await claim(database, row, options.claim)
        const state = await OutboxState.of(database, row)
        database.fenceAt(() => state.epoch)
        const sinks = await Sinks.of(database, state)
        // A process that works on this very file without the lock (was it removed?) stops; and a copy that is made from
        // here on is told from this one.
        await sinks.raiseEpoch(holderNow(options, row.holder))
        return new Outbox(database, lock, { row, state, sinks }, options)
      } catch (error) {
        await database.close()
        throw error
      }
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /** A UUID: the name that sinks remember this outbox by. */
  get id(): string {
    return this.#state.outboxId
  }

  /** Whether it was made when it was opened. */
  get isNew(): boolean {
    return this.#database.isNew
  }

  /** Gives it to an owner, and says whose it was; null where it was nobody's. */
  async adopt(owner: string): Promise<string | null> {
    const before = (await readState(this.#database)).owner
    await own(this.#database, owner)
    return before
  }

  /** The newest slot of which the ledger has deleted a run; null where it has deleted none. */
  get newestDeletedSlot(): string | null {
    return this.#state.newestDeletedSlot
  }

  /** Every task up to here is in the sink or dead; 0 at the start. */
  get ackedSeq(): number {
    return this.#state.acked.seq
  }

  /** Tasks that are stored and neither in the sink nor dead. */
  get pending(): number {
    return this.#state.pending
  }

  /** Tasks as batches of at most `batchSize`. */
  cut(tasks: readonly string[]): Batch[] {
    return cut(tasks, this.batchSize)
  }

  /** `batch` is in the sink. Where that may be `lazy`, nobody waits until it is written (acknowledge.ts). */
  async acknowledge({ lastSeq }: Batch, lazy: boolean): Promise<void> {
    await this.#acknowledgement.moveTo(lastSeq, lazy)
  }

  /** For before something is sent. Throws SupersededError where another process works on this very file. */
  async checkEpoch(): Promise<void> {
    await this.#database.checkEpoch()
  }

  /** Notes for `inspect` why the batch at `seq` isn't in the sink. */
  async noteFailure(seq: number, error: string): Promise<void> {
    await this.#database.transaction(async (manager) => {
      const firstSeq = await manager.maximum(batches, 'firstSeq', { firstSeq: LessThanOrEqual(seq) })
      const failed = { failures: () => 'failures + 1', lastError: this.#database.masked(error) }
      if (firstSeq !== null) await manager.update(batches, { firstSeq }, failed)
    })
  }

  /** Compares what a sink remembers with what this outbox does, and decides where to go on (reconcile.ts). */
  async reconcile(met: Met): Promise<Reconciled> {
    return reconcile(this.#parts(), met)
  }

  /** The same with a sink that knows no attachments. */
  async reconcilePosition(met: MetPlain): Promise<Reconciled> {
    return reconcilePosition(this.#parts(), met)
  }

  /** The last acknowledged task, where tasks behind `seq` were passed over because the sink held them. */
  async positionOverLeftOut(seq: number): Promise<SinkPosition | undefined> {
    const { ackedSeq } = this
    if (seq >= ackedSeq) return undefined
    const leftOut = { fate: 'held', seq: And(MoreThan(seq), LessThanOrEqual(ackedSeq)) } as const
    if (!(await this.#database.inTurn((manager) => manager.existsBy(deadTasks, leftOut)))) return undefined
    const last = await this.queue.taskAt(ackedSeq)
    return last && { seq: ackedSeq, taskId: taskIdOf(last.task), runId: last.runId }
  }

  #parts(): Parts {
    const { now } = this.#options
    return { database: this.#database, state: this.#state, queue: this.queue, sinks: this.sinks, now }
  }

  /** Writes the acknowledgement. */
  async settle(): Promise<void> {
    await this.#acknowledgement.write()
  }

  /** Deletes delivered tasks but for the newest `tasks`, finished runs but for the newest `runs`; none of `slot`. */
  async retain(keep: { tasks: number; runs: number; slot: string }): Promise<void> {
    await this.#retention.retain(keep)
  }

  /** What could be delivered once more. */
  async replayable(filter: ReplayFilter): Promise<Replayable[]> {
    return this.#database.inTurn((manager) => replayable(manager, filter))
  }

  /** Puts delivered tasks of these runs back, but for those whose ids are `inSink` (runs/replay.ts). */
  async replay(runIds: readonly string[], inSink: ReadonlySet<string> | undefined): Promise<Replayed> {
    await this.settle()
    const state = this.#state
    const parts = { path: this.path, state, batchSize: this.batchSize, now: this.#options.now() }
    return this.#database.transaction(
      (manager) => putBack(manager, runIds, inSink, parts),
      ({ lastSeq }) => {
        state.lastSeq = lastSeq
      },
    )
  }

  /** Gives up runs that aren't done (runs/discard.ts says what becomes of them); gives those. */
  async discard(filter: DiscardFilter): Promise<Doomed[]> {
    await this.settle()
    const { gone } = await this.#database.transaction(
      async (manager) => {
        const gone = await discard(manager, filter, this.#options.now())
        return { gone, passed: await deadAfter(manager, this.ackedSeq) }
      },
      ({ passed }) => {
        this.#state.passed = passed
      },
    )
    return gone
  }

  /**
   * Deletes delivered tasks that were stored before a time (milliseconds since 1970), discards dead ones that died
   * before it where told to, and gives their space back to the disk. Returns how many of each.
   */
  async purge(what: { before: number; dead: boolean }): Promise<Purged> {
    await this.settle()
    return this.#retention.purge(what)
  }

  /** What `purge` would remove. */
  async purgeable(what: { before: number; dead: boolean }): Promise<Purged> {
    return this.#retention.purgeable(what)
  }

  async #show(): Promise<void> {
    const { path } = this
    const { version } = this.#database
    const look = this.#options.onClose
    if (look) await this.#database.inTurn((manager) => look({ path, version, manager })).catch(() => undefined)
  }

  /** Writes the last acknowledgement and lets go of the file and the lock. */
  async close(): Promise<void> {
    try {
      await this.#acknowledgement.write()
      await this.#show()
    } finally {
      await this.#database.close().finally(() => this.#lock.release())
    }
  }
}

async function prepareFolder(path: string, { create = true, trustFolder = false }: OpenOptions): Promise<void> {
  const found = await checkDatabase(path)
  // Where there is a lock, another owm may be about to make the outbox: openForWriting looks again under it.
  if (!create && !found?.size && !(await statsOf(`${path}-lock`))) throw missingOutbox(path)
  await makeFolder(dirname(path), 0o755)
  // guard: folder-own
  if (!trustFolder) await checkFolder(dirname(path))
}

const holderNow = ({ command, now }: OpenOptions, before: string | null): string =>
  holderText({ pid: process.pid, host: hostname(), command, since: new Date(now()).toISOString() }, before)

/** Milliseconds in which `isLocked` has asked. */
const briefMs = 20

/** Undefined where another process holds it, and nobody waits. */
async function takeLock(path: string, options: OpenOptions): Promise<FileLock | undefined> {
  const { wait, waitMs = Number.POSITIVE_INFINITY, waitAlone = false, signal } = options
  const file = `${path}-lock`
  let free = await FileLock.tryTake(file)
  if (!free) {
    await sleep(briefMs) // somebody who only asks whether it is taken may have it for a moment
    free = await FileLock.tryTake(file)
  }
  if (free || !wait) return free
  const turn = waitAlone ? await FileLock.tryTake(`${path}-waiting`) : undefined
  // guard: one-waiting-flush
  if (waitAlone && !turn)
    throw new OutboxBusyError(`Another owm holds the outbox ${path}, and an \`owm flush\` waits for it already.`, {
      hint: 'That one delivers what is pending.',
    })
  try {
    options.onWait?.(await holderOf(path))
    return await FileLock.take(file, signal, waitMs)
  } finally {
    await turn?.release()
  }
}

async function holderOf(path: string): Promise<string> {
  const unknown = 'it has only just begun'
  const database = await Database.openForReading(path).catch(() => undefined)
  if (!database) return unknown
  try {
    const holder = holderIn((await readState(database)).holder)
    if (!holder || isGone(holder)) return unknown
    return `process ${holder.pid} on ${holder.host}, \`${holder.command}\`, since ${holder.since}`
  } catch {
    return unknown
  } finally {
    await database.close()
  }
}
