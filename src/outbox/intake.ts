/**
 * From the source into the outbox: one transaction stores what was read and moves the run's checkpoint and counts
 * with it. Also what a slot holds already, for the comparison with it.
 */
import { Batch } from '../tasks/batch.js'
import { taskIdOf } from '../tasks/id.js'
import { step } from '../trace.js'
import { type Database, damaged, type Query } from './database.js'
import type { RunRow, SuspectRow } from './entities.js'
import { isTask, type Queue } from './queue.js'
import type { OutboxState } from './state.js'
import { nextBatchOfSlot, storeBatches } from './statements.js'

/** A location that became no task of its own, and why. */
export interface Rejection {
  kind: 'rejected' | 'duplicate'
  /** Where it stood in the source, such as `line 17`. */
  position: string
  value: string
  reason: string
}

/** A task whose id was probably seen before: it is compared with the slot's tasks once the source is read. */
export interface Suspect {
  position: string
  task: string
}

/** What one transaction moves from the source to the outbox. */
export interface Intake {
  /** From where the source is read on after these records. */
  checkpoint: string | null
  /** Records read, the rejections and the suspects among them. */
  read: number
  batches: readonly Batch[]
  rejections: readonly Rejection[]
  suspects: readonly Suspect[]
  /** Earlier suspects of the run, up to this id, are decided by this intake. */
  decided?: number
  /** Duplicates of what an earlier run of the slot stored: counted only, for nothing is wrong with them. */
  repeated?: number
}

/** Tasks as batches of at most `size`, which have no place yet. */
export function cut(tasks: readonly string[], size: number): Batch[] {
  const batches: Batch[] = []
  for (let from = 0; from < tasks.length; from += size) batches.push(Batch.of(tasks.slice(from, from + size)))
  return batches
}

/** The batches of a run, behind all that is stored. */
export function placed(batches: readonly Batch[], runId: string, { outboxId, lastSeq }: OutboxState): Batch[] {
  let next = lastSeq + 1
  return batches.map((batch) => {
    const firstSeq = next
    next += batch.count
    return batch.at({ outboxId, runId, firstSeq })
  })
}

export class IntakeWriter {
  readonly #database: Database
  readonly #state: OutboxState
  readonly #queue: Queue
  readonly #now: () => number

  constructor(database: Database, state: OutboxState, queue: Queue, now: () => number) {
    this.#database = database
    this.#state = state
    this.#queue = queue
    this.#now = now
  }

  /**
   * Stores what was read, moves the run's checkpoint and writes down how far was acknowledged, all in one
   * transaction that is durable when this resolves.
   */
  async write(run: RunRow, intake: Intake): Promise<void> {
    const state = this.#state
    const persisted = intake.batches.reduce((sum, { count }) => sum + count, 0)
    let batches: Batch[] = []
    let { lastSeq, acked } = state
    await this.#database.transaction(
      async (query) => {
        batches = placed(intake.batches, run.runId, state)
        lastSeq = state.lastSeq + persisted
        await storeBatches(query, run.id, batches, this.#now())
        acked = state.acked
        await this.#writeRecords(query, run, intake)
        await moveRun(query, run, intake, persisted)
        await query('UPDATE state SET last_seq = ?, handed_seq = ?', [lastSeq, acked.seq])
        step('intake:written')
      },
      () => {
        this.#queue.keep(batches)
        state.lastSeq = lastSeq
        state.ackedOnDisk = acked
      },
    )
  }

  async #writeRecords(query: Query, run: RunRow, { rejections, suspects, decided }: Intake): Promise<void> {
    if (rejections.length > 0)
      await query(
        `INSERT INTO rejected (run, kind, position, value, reason, created_at)
          SELECT ?, value ->> 'kind', value ->> 'position', value ->> 'value', value ->> 'reason', ? FROM json_each(?)`,
        [run.id, this.#now(), JSON.stringify(rejections)],
      )
    if (decided !== undefined) await query('DELETE FROM suspect WHERE run = ? AND id <= ?', [run.id, decided])
    if (suspects.length > 0)
      await query(
        `INSERT INTO suspect (run, position, task)
          SELECT ?, value ->> 'position', value ->> 'task' FROM json_each(?)`,
        [run.id, JSON.stringify(suspects)],
      )
  }

  /** Up to `most` tasks of a run that may be duplicates. */
  async suspects(run: RunRow, most: number): Promise<SuspectRow[]> {
    const rows = await this.#database.query<SuspectRow>(
      'SELECT id, run, position, task FROM suspect WHERE run = ? ORDER BY id LIMIT ?',
      [run.id, most],
    )
    if (!rows.every(({ task }) => isTask(task)))
      throw damaged(this.#database.path, 'a record that may be a duplicate holds no task')
    return rows
  }

  /** The ids of a slot's stored tasks, batch by batch, whichever run brought them. */
  async *idsOfSlot(slot: string): AsyncGenerator<{ run: number; ids: readonly string[] }> {
    const { path } = this.#database
    const query: Query = (sql, parameters) => this.#database.query(sql, parameters)
    for (let after = 0; ; ) {
      const found = await nextBatchOfSlot(query, { path, outboxId: this.#state.outboxId }, slot, after)
      if (!found) return
      after = found.batch.firstSeq
      yield { run: found.run, ids: found.batch.tasks.map((task) => idIn(task, path)) }
    }
  }

  /** How many tasks of a slot are no longer kept, so that they can't be compared. */
  async forgottenOfSlot(slot: string): Promise<number> {
    const [row] = await this.#database.query<{ n: number | null }>(
      // A retried task is stored twice.
      `WITH mine AS (SELECT id, persisted FROM run WHERE slot = ?)
        SELECT (SELECT sum(persisted) FROM mine)
          + (SELECT count(*) FROM dead WHERE fate = 'retried' AND run IN (SELECT id FROM mine))
          - (SELECT coalesce(sum(count), 0) FROM batch WHERE run IN (SELECT id FROM mine)) AS n`,
      [slot],
    )
    return row?.n ?? 0
  }
}

async function moveRun(query: Query, run: RunRow, intake: Intake, persisted: number): Promise<void> {
  // guard: checkpoint-moves
  const { checkpoint } = intake
  const rejected = intake.rejections.filter(({ kind }) => kind === 'rejected').length
  const duplicates = intake.rejections.length - rejected + (intake.repeated ?? 0)
  await query(
    `UPDATE run SET resume = ?, read = read + ?, rejected = rejected + ?, duplicates = duplicates + ?,
      persisted = persisted + ? WHERE id = ?`,
    [checkpoint, intake.read, rejected, duplicates, persisted, run.id],
  )
}

function idIn(task: string, path: string): string {
  try {
    return taskIdOf(task)
  } catch (error) {
    throw damaged(path, 'a task in it has no id', error)
  }
}
