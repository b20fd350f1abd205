/** Deletes delivered tasks and finished runs; never pending tasks or dead letters. */
import { type EntityManager, LessThanOrEqual } from 'typeorm'
import { sumOf } from '../lists.js'
import { byTime } from '../tasks/slot.js'
import { step } from '../trace.js'
import type { DeadLetters } from './dead-letters.js'
import { among } from './sqlite/criteria.js'
import type { Database } from './sqlite/database.js'
import { batches, deadTasks, rejectedRecords, runs, states } from './sqlite/entities.js'
import type { OutboxState } from './state.js'

/** Batches deleted in one transaction: few, so that no other work waits long and the write-ahead log stays small. */
const batchesAtOnce = 100

/** Except those of `:slot`, and of slots being read: new tasks are compared with what their slot already has. */
const finishedRuns = `SELECT id FROM run WHERE state IN ('done', 'discarded') AND slot <> :slot
  AND slot NOT IN (SELECT slot FROM run WHERE state IN ('reading', 'checking'))`

/** Delivered tasks of a batch: those that the sink refused or already held have rows in `dead`. */
const delivered = `batch.count -
  (SELECT count(*) FROM dead WHERE dead.seq BETWEEN batch.firstSeq AND batch.firstSeq + batch.count - 1)`

/** Batches of finished runs, up to a `seq` and stored before a time (milliseconds since 1970); none of `slot`. */
interface BatchFilter {
  readonly upTo: number
  readonly before: number
  readonly slot: string
}

const deletable = (manager: EntityManager, filter: BatchFilter) =>
  manager
    .createQueryBuilder(batches, 'batch')
    .where('batch.firstSeq + batch.count - 1 <= :upTo AND batch.createdAt < :before', filter)
    .andWhere(`batch.run IN (${finishedRuns})`, filter)

export interface Purged {
  delivered: number
  dead: number
  /** Bytes of disk space needed to shrink the file; undefined if it was shrunk. */
  notShrunk: number | undefined
}

export class Retention {
  readonly #database: Database
  readonly #state: OutboxState
  readonly #deadLetters: DeadLetters
  /** `keepTasks` counts the tasks stored before this start; those stored since count from the next one on. */
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
    const filter = { upTo: this.#state.ackedOnDisk.seq, before, slot: '' }
    const row = await this.#database.inTurn((manager) =>
      deletable(manager, filter).select(`coalesce(sum(${delivered}), 0)`, 'tasks').getRawOne<{ tasks: number }>(),
    )
    const deadCount = dead ? await this.#deadLetters.countOlder(before) : 0
    return { delivered: row?.tasks ?? 0, dead: deadCount, notShrunk: undefined }
  }

  /** Returns how many delivered tasks were deleted. */
  async #deleteDelivered(filter: BatchFilter): Promise<number> {
    if (filter.upTo <= 0) return 0
    let deleted = 0
    for (;;) {
      const rows = await this.#database.inTurn((manager) =>
        deletable(manager, filter)
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

  /** The rows of missed runs stay, but not their rejections: those go when runs of that age do. */
  async #deleteRejectionsOfMissed(keep: number): Promise<void> {
    const old = "SELECT id FROM run WHERE state = 'missed' AND id <= (SELECT max(id) FROM run) - :keep"
    await this.#database.transaction((manager) =>
      manager.createQueryBuilder().delete().from(rejectedRecords).where(`run IN (${old})`, { keep }).execute(),
    )
  }

  /** Keeps the newest rejections only; the runs' counts stay. */
  async #deleteRejected(): Promise<void> {
    const keep = this.#keepRejected
    await this.#database.inTurn(async (manager) => {
      const newest = await manager.maximum(rejectedRecords, 'id')
      if (newest !== null && newest > keep)
        await manager.delete(rejectedRecords, { id: LessThanOrEqual(newest - keep) })
    })
  }

  /** Deletes finished runs without batches or dead letters, except the newest `keep`; their rejections, too. */
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

const newest = (slots: readonly (string | null)[]): string | null =>
  slots
    .flatMap((slot) => slot ?? [])
    .sort(byTime)
    .at(-1) ?? null
