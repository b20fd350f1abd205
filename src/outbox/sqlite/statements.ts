/**
 * The outbox's hand-written SQL; everything else goes through TypeORM.
 *
 * A run spends most of its time storing and reading tasks and rejections, for which TypeORM's builder and hydration
 * take three to five times as long (storing 8,000 records: 140 ms against 25 ms; reading 20,000: 87 ms against 30 ms).
 * Others use `json_each`, which the QueryBuilder can't express.
 */
import type { EntityManager } from 'typeorm'
import { Batch } from '../../tasks/batch.js'
import type { BatchRow } from './entities.js'
import { damaged, withoutBytes } from './trouble.js'

/** A row of `batch` as it is read, unchecked: a column of SQLite may hold anything. */
interface StoredBatch {
  firstSeq: number
  count: number
  runId: unknown
  slot: unknown
  text: unknown
}

const storedBatch = `SELECT first_seq AS firstSeq, count, run, failures, last_error AS lastError,
    created_at AS createdAt, CAST(tasks AS BLOB) AS text,
    (SELECT run_id FROM run WHERE run.id = batch.run) AS runId,
    (SELECT slot FROM run WHERE run.id = batch.run) AS slot
  FROM batch`

/** The outbox that a batch is read from. */
interface Outbox {
  readonly path: string
  readonly outboxId: string
}

/**
 * Batches stored by one statement. Not one, since each statement waits for the reader to finish its current batch; not
 * all, since SQLite and its driver copy a statement's parameters, in the thread that they run in.
 */
const batchesAStatement = 4

/** Stores batches of the run with the row id `run`. `now`: milliseconds since 1970. */
export async function storeBatches(
  manager: EntityManager,
  run: number,
  batches: readonly Batch[],
  now: number,
): Promise<void> {
  for (let from = 0; from < batches.length; from += batchesAStatement) {
    const some = batches.slice(from, from + batchesAStatement)
    const rows = some.map(() => '(?, ?, ?, 0, ?, CAST(? AS TEXT))').join(', ')
    await manager.query(
      `INSERT INTO batch (first_seq, count, run, failures, created_at, tasks) VALUES ${rows}`,
      some.flatMap(({ firstSeq, count, bytes }) => [firstSeq, count, run, now, bytes]),
    )
  }
}

/** Stores objects with `kind`, `position`, `value` and `reason`. */
export async function storeRejections(
  manager: EntityManager,
  run: number,
  rejections: readonly object[],
  { now, keep }: { now: number; keep: number },
): Promise<void> {
  await manager.query(
    `INSERT INTO rejected (run, kind, position, value, reason, created_at)
      SELECT ?, value ->> 'kind', value ->> 'position', value ->> 'value', value ->> 'reason', ? FROM json_each(?)
      LIMIT max(0, ? - (SELECT count(*) FROM rejected WHERE run = ?))`,
    [run, now, JSON.stringify(rejections), keep, run],
  )
}

/** Stores objects with `position` and `task`. */
export async function storeSuspects(manager: EntityManager, run: number, suspects: readonly object[]): Promise<void> {
  await manager.query(
    `INSERT INTO suspect (run, position, task)
      SELECT ?, value ->> 'position', value ->> 'task' FROM json_each(?)`,
    [run, JSON.stringify(suspects)],
  )
}

/** From now on delivery skips these tasks of a run; `fate`: see DeadRow. */
export async function passOver(
  manager: EntityManager,
  { run, fate, reason, now }: { run: number; fate: 'discarded' | 'replayed' | 'held'; reason: string; now: number },
  seqs: readonly number[],
): Promise<void> {
  await manager.query(
    `INSERT INTO dead (seq, run, attempts, reason, created_at, died_at, fate, task)
      SELECT value, ?, 0, ?, ?, ?, ?, '' FROM json_each(?)`,
    [run, reason, now, now, fate, JSON.stringify(seqs)],
  )
}

/** Tasks after `seq` that were left out as held by the sink will be delivered after all. */
export async function deliverLeftOut(manager: EntityManager, seq: number): Promise<void> {
  await manager.query(`DELETE FROM dead WHERE fate = 'held' AND seq > ?`, [seq])
}

/** The runs are done: what they left out because the sink held it counts as delivered, like the rest. */
export async function settleLeftOut(manager: EntityManager, runIds: readonly string[]): Promise<void> {
  await manager.query(
    `DELETE FROM dead WHERE fate = 'held'
      AND run IN (SELECT id FROM run WHERE run_id IN (SELECT value FROM json_each(?)))`,
    [JSON.stringify(runIds)],
  )
}

/** Up to `most` batches in order of seq, beginning with the one that has `seq`, or the last one before it. */
export async function batchesFrom(manager: EntityManager, outbox: Outbox, seq: number, most: number): Promise<Batch[]> {
  const rows = await manager.query<StoredBatch[]>(
    `${storedBatch} WHERE first_seq >= (SELECT max(first_seq) FROM batch WHERE first_seq <= ?)
      ORDER BY first_seq LIMIT ?`,
    [seq, most],
  )
  return rows.map((row) => batchOf(row, outbox))
}

/** Batches that begin after a seq, of the runs with these row ids; `backwards`: those before it, newest first. */
export interface WhichBatches {
  readonly after?: number
  readonly backwards?: boolean
  readonly runs?: readonly number[] | undefined
}

/** A batch with the other columns of its row. */
export interface KeptBatch extends Pick<BatchRow, 'run' | 'failures' | 'lastError' | 'createdAt'> {
  readonly batch: Batch
}

/** Batches read by one statement of `batchesBehind`. */
const batchesARead = 4

/** Stored batches in order of seq; `inTurn` runs each statement. */
export async function* batchesBehind(
  inTurn: <T>(work: (manager: EntityManager) => Promise<T>) => Promise<T>,
  outbox: Outbox,
  { backwards = false, after = backwards ? Number.MAX_SAFE_INTEGER : 0, runs }: WhichBatches = {},
): AsyncGenerator<KeptBatch> {
  const [operator, order] = backwards ? ['<', 'DESC'] : ['>', 'ASC']
  // `+run` keeps SQLite from using the index on `run`, and then sorting.
  const ofRuns = runs ? 'AND +run IN (SELECT value FROM json_each(?))' : ''
  const statement = `${storedBatch} WHERE first_seq ${operator} ? ${ofRuns} ORDER BY first_seq ${order} LIMIT ?`
  for (let at = after; ; ) {
    const values = [at, ...(runs ? [JSON.stringify(runs)] : []), batchesARead]
    const rows = await inTurn((manager) => manager.query<(StoredBatch & Omit<KeptBatch, 'batch'>)[]>(statement, values))
    const kept = rows.map(({ text, ...row }) => ({ ...row, batch: batchOf({ ...row, text }, outbox) }))
    yield* withoutBytes(kept, outbox)
    const last = rows.at(-1)
    if (!last) return
    at = last.firstSeq
  }
}

/** Throws OutboxError if the batch is damaged: a wrong count would have it delivered for ever, or not at all. */
function batchOf({ firstSeq, count, runId, slot, text }: StoredBatch, { path, outboxId }: Outbox): Batch {
  if (!(count >= 1)) throw damaged(path, `the batch at ${firstSeq} has ${count} tasks`)
  if (typeof runId !== 'string' || typeof slot !== 'string')
    throw damaged(path, `the batch at ${firstSeq} belongs to no run`)
  const batch = Buffer.isBuffer(text) ? Batch.stored({ outboxId, runId, slot, firstSeq }, text, count) : undefined
  if (!batch) throw damaged(path, `the batch at ${firstSeq} doesn't hold its ${count} tasks`)
  return batch
}

/** A task of a stored batch. */
interface TaskRow {
  seq: number
  runId: string
  attempts: number
  lastError: string | null
  createdAt: number
  /** JSON. */
  task: string
}

const statesOfTasks = {
  pending: { attempts: 'failures', order: 'ASC', which: 'first_seq + count - 1 > handed_seq', is: '>' },
  delivered: { attempts: 'failures + 1', order: 'DESC', which: 'first_seq <= handed_seq', is: '<=' },
} as const

/**
 * Single tasks: the next pending ones, or the latest delivered ones. `run`: a run's UUID or its beginning; `text`: a
 * part of the task, in lower case. The batch is searched as a whole first, and split into tasks only if it has the
 * text. Nothing is sorted: with `batch` as the outermost table rows come in key order.
 */
export async function tasksOfBatches(
  manager: EntityManager,
  state: keyof typeof statesOfTasks,
  { run, text, limit }: { run: string; text: string; limit: number },
): Promise<TaskRow[]> {
  const { attempts, order, which, is } = statesOfTasks[state]
  return manager.query<TaskRow[]>(
    `SELECT first_seq + entry.key AS seq, run_id AS runId, ${attempts} AS attempts, last_error AS lastError,
        created_at AS createdAt, entry.value AS task
      FROM batch
        CROSS JOIN (SELECT handed_seq FROM state)
        CROSS JOIN run ON run.id = batch.run
        CROSS JOIN json_each(batch.tasks) AS entry
      WHERE ${which} AND first_seq + entry.key ${is} handed_seq
        AND first_seq + entry.key NOT IN (SELECT seq FROM dead)
        AND substr(run_id, 1, length(?1)) = ?1 AND instr(lower(tasks), ?2) AND instr(lower(entry.value), ?2)
      ORDER BY first_seq ${order} LIMIT ?3`,
    [run, text, limit],
  )
}
