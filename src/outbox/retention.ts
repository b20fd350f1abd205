/** What may leave the outbox: delivered tasks and finished runs. Pending tasks and dead letters never do. */
import { type EntityManager, LessThanOrEqual } from 'typeorm'
import { sumOf } from '../lists.js'
import { byTime } from '../tasks/slot.js'
import { step } from '../trace.js'
import type { DeadLetters } from './dead-letters.js'
import { among } from './sqlite/criteria.js'
import type { Database } from './sqlite/database.js'
import { batches, deadTasks, rejectedRecords, runs, states } from './sqlite/entities.js'
import type { OutboxState } from './state.js'

/** Batches that one transaction deletes: an inspect beside it never waits, the write-ahead log stays small. */
const batchesAtOnce = 100

/** Of other slots than `:slot`, and not of one that is being read: what that stores is compared with them. */
const finishedRuns = `SELECT id FROM run WHERE state IN ('done', 'discarded') AND slot <> :slot
  AND slot NOT IN (SELECT slot FROM run WHERE state IN ('reading', 'checking'))`

/** Tasks of a batch that were delivered: those that the sink refused, or held already, have rows of their own. */
const delivered = `batch.count -
  (SELECT count(*) FROM dead WHERE dead.seq BETWEEN batch.firstSeq AND batch.firstSeq + batch.count - 1)`

/** Batches up to a `seq`, stored before a time, of finished runs of other slots. */
interface Which {
  readonly upTo: number
  readonly before: number
  readonly slot: string
}

const deletable = (manager: EntityManager, which: Which) =>
  manager
    .createQueryBuilder(batches, 'batch')
    .where('batch.firstSeq + batch.count - 1 <= :upTo AND batch.createdAt < :before', which)
    .andWhere(`batch.run IN (${finishedRuns})`, which)

/** What was removed. */
export interface Purged {
  delivered: number
  dead: number
  /** Bytes of free space that the disk lacks to give the file's back; undefined where it has been given back. */
  notShrunk: number | undefined
}

export class Retention {
  readonly #database: Database
  readonly #state: OutboxState
  readonly #deadLetters: DeadLetters
  /** What this process stores counts from its next start on: `keepTasks` is about what was there before. */
  readonly #lastSeqAtStart: number

  readonly #keepRejected: number

  constructor(database: Database, state: OutboxState, deadLetters: DeadLetters, keepRejected: number) {
    this.#keepRejected = keepRejected
    this.#database = database
    this.#state = state
    this.#deadLetters = deadLetters
    this.#lastSeqAtStart = state.lastSeq
  }

  async retain(keep: { tasks: number; runs: number; slot: string }): Promise<void> {
    await this.#deleteDelivered({
      upTo: Math.min(this.#state.ackedOnDisk.seq, this.#lastSeqAtStart - keep.tasks),
      before: Number.MAX_SAFE_INTEGER,
      slot: keep.slot,
    })
    await this.#deleteRuns(keep.runs, keep.slot)
    await this.#deleteRejectionsOfMissed(keep.runs)
    await this.#deleteRejected()
  }

  async purge({ before, dead }: { before: number; dead: boolean }): Promise<Purged> {
    const removed = await this.#deleteDelivered({ upTo: this.#state.ackedOnDisk.seq, before, slot: '' })
    const discarded = dead ? await this.#deadLetters.discard(before) : 0
    return { delivered: removed, dead: discarded, notShrunk: await this.#database.shrink() }
  }

  /** What `purge` would remove. */
  async purgeable({ before, dead }: { before: number; dead: boolean }): Promise<Purged> {
    const which = { upTo: this.#state.ackedOnDisk.seq, before, slot: '' }
    const found = await this.#database.inTurn((manager) =>
      deletable(manager, which).select(`coalesce(sum(${delivered}), 0)`, 'tasks').getRawOne<{ tasks: number }>(),
    )
    const countDead = dead ? await this.#deadLetters.countOlder(before) : 0
    return { delivered: found?.tasks ?? 0, dead: countDead, notShrunk: undefined }
  }

  /** Returns how many delivered tasks were deleted. */
  async #deleteDelivered(which: Which): Promise<number> {
    if (which.upTo <= 0) return 0
    let deleted = 0
    for (;;) {
      const rows = await this.#database.inTurn((manager) =>
        deletable(manager, which)
          .select('batch.firstSeq', 'firstSeq')
          .addSelect(delivered, 'delivered')
          .orderBy('batch.firstSeq')
          .limit(batchesAtOnce)
          .getRawMany<{ firstSeq: number; delivered: number }>(),
      )
      if (rows.length === 0) return deleted
      await this.#database.transaction((manager) =>
        manager.delete(batches, { firstSeq: among(rows.map((row) => row.firstSeq)) }),
      )
      step('history:deleted')
      deleted += sumOf(rows, (row) => row.delivered)
    }
  }

  /** The rows of missed runs stay; what was rejected in them goes with the runs of their time. */
  async #deleteRejectionsOfMissed(keep: number): Promise<void> {
    const old = "SELECT id FROM run WHERE state = 'missed' AND id <= (SELECT max(id) FROM run) - :keep"
    await this.#database.transaction((manager) =>
      manager.createQueryBuilder().delete().from(rejectedRecords).where(`run IN (${old})`, { keep }).execute(),
    )
  }

  /** Deletes what was rejected but for the newest; the counts of the runs stay. */
  async #deleteRejected(): Promise<void> {
    const keep = this.#keepRejected
    await this.#database.inTurn(async (manager) => {
      const newest = await manager.maximum(rejectedRecords, 'id')
      if (newest !== null && newest > keep)
        await manager.delete(rejectedRecords, { id: LessThanOrEqual(newest - keep) })
    })
  }

  /** Deletes finished runs that hold nothing any more, but for the newest `keep`, with what was rejected in them. */
  async #deleteRuns(keep: number, slot: string): Promise<void> {
    const empty = await this.#database.inTurn((manager) =>
      manager
        .createQueryBuilder(runs, 'run')
        .select(['run.id', 'run.slot'])
        .where("run.state IN ('done', 'discarded') AND run.slot <> :slot", { slot })
        .andWhere('run.id <= (SELECT max(id) FROM run) - :keep', { keep })
        .andWhere('run.id NOT IN (SELECT run FROM batch)')
        .andWhere("run.id NOT IN (SELECT run FROM dead WHERE fate = 'dead')")
        .getMany(),
    )
    if (empty.length === 0) return
    const these = among(empty.map(({ id }) => id))
    const newestDeletedSlot = newest([...empty.map((run) => run.slot), this.#state.newestDeletedSlot])
    await this.#database.transaction(
      async (manager) => {
        for (const table of [rejectedRecords, deadTasks]) await manager.delete(table, { run: these })
        await manager.delete(runs, { id: these })
        // guard: deleted-slot-kept
        await manager.update(states, { id: 1 }, { newestDeletedSlot })
        step('runs:deleted')
      },
      () => {
        this.#state.newestDeletedSlot = newestDeletedSlot
      },
    )
  }
}

/** The latest of these slots. */
const newest = (slots: readonly (string | null)[]): string | null =>
  slots
    .flatMap((slot) => slot ?? [])
    .sort(byTime)
    .at(-1) ?? null
