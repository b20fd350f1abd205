/**
 * The transactional outbox and its run ledger, held by one process at a time. Its parts:
 *
 *     ledger           the runs
 *     intake           from the source into the outbox, and what a slot already has
 *     queue            the pending batches, in order
 *     deadLetters      tasks that the sink refused for good
 *     breakers         the circuit breakers' state between two starts
 */
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { And, LessThanOrEqual, MoreThan } from 'typeorm'
import { OutboxBusyError } from '../errors/index.js'
import { makeFolder } from '../files/folders.js'
import { FileLock } from '../files/lock.js'
import { checkDatabase, checkFolder, checkLength, statsOf } from '../files/rules.js'
import type { SinkPosition } from '../plugin.js'
import type { Batch } from '../tasks/batch.js'
import { taskIdOf } from '../tasks/id.js'
import { step } from '../trace.js'
import { Breakers } from './breakers.js'
import { Acknowledgement } from './chain/acknowledge.js'
import type { Met, OutboxParts, Reconciled } from './chain/position.js'
import { type MetPlain, reconcile, reconcilePosition } from './chain/reconcile.js'
import { Sinks } from './chain/sinks.js'
import { DeadLetters } from './dead-letters.js'
import type { View } from './inspect/view.js'
import { cut, IntakeWriter } from './intake.js'
import { type Claim, claim, own } from './owner.js'
import { Queue } from './queue.js'
import { type Purged, Retention } from './retention.js'
import { type Discardable, type DiscardFilter, discard } from './runs/discard.js'
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
  /** This process' command, such as `owm produce`, to tell others who holds the outbox. */
  command: string
  /** Milliseconds to wait for the lock at most; 0: throw at once. */
  waitMs: number
  /** Throw OutboxBusyError if another process with this option is waiting already. */
  waitAlone?: boolean
  /** Called before waiting. `holder`: who holds the outbox, in words. */
  onWait?(holder: string): void
  /** Tasks in a batch, 1 or more: a row of the outbox, and one delivery. */
  batchSize: number
  /** Create a missing outbox, or throw OutboxError. */
  create: boolean
  /** Accept a folder in which other users may replace files. */
  trustFolder: boolean
  signal: AbortSignal
  /** The owner that the outbox must have; undefined for any. */
  claim?: Claim
  /** Removes secrets from errors and reasons before they are stored. */
  masked(text: string): string
  /** Rejections that are kept. */
  keepRejected: number
  /** Called with a view of the outbox before it is closed. Its errors are ignored. */
  onClose?: ((view: View) => Promise<void>) | undefined
  now(): number
}

/** What the file says when it is opened. */
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
    const { now, batchSize, keepRejected } = options
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

  /** Opens the outbox for this process alone; creates it if missing. Throws OutboxBusyError, OutboxError. */
  static async open(path: string, options: OpenOptions): Promise<Outbox> {
    await guarded(path, () => prepareFolder(path, options))
    const lock = await guarded(path, () => takeLock(path, options))
    if (!lock)
      throw new OutboxBusyError(`Another owm holds the outbox ${path}: ${await holderOf(path)}.`, {
        hint:
          `Wait for its end${options.waitMs > 0 ? '' : ', or start with --wait'}. If it hangs, end that process ` +
          '(`kill`, or `kill -9` where it is stopped): the next start resumes.',
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
        // Stops a process that works on this very file without the lock (was the lock file removed?), and distinguishes
        // this file from copies made from here on.
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

  /** Whether it was created when it was opened. */
  get isNew(): boolean {
    return this.#database.isNew
  }

  /** Sets the owner; returns the one before, null if there was none. */
  async adopt(owner: string): Promise<string | null> {
    const before = (await readState(this.#database)).owner
    await own(this.#database, owner)
    return before
  }

  /** The newest slot of which the ledger has deleted a run; null if none was deleted. */
  get newestDeletedSlot(): string | null {
    return this.#state.newestDeletedSlot
  }

  /** Every task up to here is in the sink or dead; 0 at the start. */
  get ackedSeq(): number {
    return this.#state.acked.seq
  }

  /** How many stored tasks are neither in the sink nor dead. */
  get pending(): number {
    return this.#state.pending
  }

  /** Tasks as batches of at most `batchSize`. */
  cut(tasks: readonly string[]): Batch[] {
    return cut(tasks, this.batchSize)
  }

  /** `batch` is in the sink. `lazy`: don't wait until that is written (acknowledge.ts). */
  async acknowledge({ lastSeq }: Batch, lazy: boolean): Promise<void> {
    await this.#acknowledgement.moveTo(lastSeq, lazy)
  }

  /** To be called before something is sent. Throws SupersededError if another process has taken over this file. */
  async checkEpoch(): Promise<void> {
    await this.#database.checkEpoch()
  }

  /** Notes why the delivery of the batch that has `seq` failed, for `inspect`. */
  async noteFailure(seq: number, error: string): Promise<void> {
    await this.#database.transaction(async (manager) => {
      const firstSeq = await manager.maximum(batches, 'firstSeq', { firstSeq: LessThanOrEqual(seq) })
      const failed = { failures: () => 'failures + 1', lastError: this.#database.masked(error) }
      if (firstSeq !== null) await manager.update(batches, { firstSeq }, failed)
    })
  }

  /** Compares what a sink remembers with this outbox, and decides where delivery resumes (reconcile.ts). */
  async reconcile(met: Met): Promise<Reconciled> {
    return reconcile(this.#parts(), met)
  }

  /** The same for a sink without attachments. */
  async reconcilePosition(met: MetPlain): Promise<Reconciled> {
    return reconcilePosition(this.#parts(), met)
  }

  /** The last acknowledged task, if tasks after `seq` were left out because the sink held them; else undefined. */
  async positionOverLeftOut(seq: number): Promise<SinkPosition | undefined> {
    const { ackedSeq } = this
    if (seq >= ackedSeq) return undefined
    const leftOut = { fate: 'held', seq: And(MoreThan(seq), LessThanOrEqual(ackedSeq)) } as const
    if (!(await this.#database.inTurn((manager) => manager.existsBy(deadTasks, leftOut)))) return undefined
    const last = await this.queue.taskAt(ackedSeq)
    return last && { seq: ackedSeq, taskId: taskIdOf(last.task), runId: last.runId }
  }

  #parts(): OutboxParts {
    const { now } = this.#options
    return { database: this.#database, state: this.#state, queue: this.queue, sinks: this.sinks, now }
  }

  /** Writes the acknowledgement. */
  async settle(): Promise<void> {
    await this.#acknowledgement.write()
  }

  /** Keeps of the delivered tasks the newest `tasks`, of the finished runs the newest `runs`, and all of `slot`. */
  async retain(keep: { tasks: number; runs: number; slot: string }): Promise<void> {
    await this.#retention.retain(keep)
  }

  /** The runs that `replay` could deliver again. */
  async replayable(filter: ReplayFilter): Promise<Replayable[]> {
    return this.#database.inTurn((manager) => replayable(manager, filter))
  }

  /** Puts delivered tasks of these runs back, except those whose ids are `inSink` (runs/replay.ts). */
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

  /** Discards runs that aren't done (runs/discard.ts); returns them. */
  async discard(filter: DiscardFilter): Promise<Discardable[]> {
    await this.settle()
    const { discarded } = await this.#database.transaction(
      async (manager) => {
        const discarded = await discard(manager, filter, this.#options.now())
        return { discarded, passed: await deadAfter(manager, this.ackedSeq) }
      },
      ({ passed }) => {
        this.#state.passed = passed
      },
    )
    return discarded
  }

  /**
   * Deletes delivered tasks stored before a time (milliseconds since 1970), with `dead` discards tasks that died before
   * it, and gives their space back to the disk. Returns how many of each.
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
    const { onClose } = this.#options
    if (onClose) await this.#database.inTurn((manager) => onClose({ path, version, manager })).catch(() => undefined)
  }

  /** Writes the last acknowledgement, closes the file and releases the lock. */
  async close(): Promise<void> {
    try {
      await this.#acknowledgement.write()
      await this.#show()
    } finally {
      await this.#database.close().finally(() => this.#lock.release())
    }
  }
}

async function prepareFolder(path: string, { create, trustFolder }: OpenOptions): Promise<void> {
  await checkLength(path)
  const stats = await checkDatabase(path)
  // If there is a lock file, another owm may be creating the outbox: openForWriting checks again under the lock.
  if (!create && !stats?.size && !(await statsOf(`${path}-lock`))) throw missingOutbox(path)
  await makeFolder(dirname(path), 0o755)
  // guard: folder-own
  if (!trustFolder) await checkFolder(dirname(path))
}

const holderNow = ({ command, now }: OpenOptions, before: string | null): string =>
  holderText({ pid: process.pid, host: hostname(), command, since: new Date(now()).toISOString() }, before)

/** Milliseconds after which another process' `isLocked` has released the lock again. */
const briefMs = 20

/** Undefined if another process holds it and doesn't release it in time. */
async function takeLock(path: string, options: OpenOptions): Promise<FileLock | undefined> {
  const { waitMs, waitAlone = false, signal } = options
  const file = `${path}-lock`
  let free = await FileLock.tryTake(file)
  if (!free) {
    await sleep(briefMs) // another process' `isLocked` holds it for a moment
    free = await FileLock.tryTake(file)
  }
  if (free || waitMs === 0) return free
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

/** Who holds it, in words. */
export async function holderOf(path: string): Promise<string> {
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
