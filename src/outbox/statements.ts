/**
 * The statements of the hot path, as SQL: a run of 100,000 tasks spends its time in them, and TypeORM's
 * InsertQueryBuilder and hydration cost more than SQLite itself does there.
 */
import { Batch } from '../tasks/batch.js'
import { damaged, type Query } from './database.js'

/** What a batch is read from; a column of SQLite may hold anything. */
interface BatchRow {
  firstSeq: number
  count: number
  runId: unknown
  text: unknown
}

/**
 * Batches that one statement stores. Each statement waits until the reader has made its batch, so they aren't
 * stored one by one; and SQLite and its driver copy what a statement brings, in whichever thread runs it, so they
 * aren't stored all at once.
 */
const batchesAStatement = 4

/** Stores batches of the run with the row id `run`. `now`: milliseconds since 1970. */
export async function storeBatches(query: Query, run: number, batches: readonly Batch[], now: number): Promise<void> {
  for (let from = 0; from < batches.length; from += batchesAStatement) {
    const some = batches.slice(from, from + batchesAStatement)
    const rows = some.map(() => '(?, ?, ?, 0, ?, CAST(? AS TEXT))').join(', ')
    await query(
      `INSERT INTO batch (first_seq, count, run, failures, created_at, tasks) VALUES ${rows}`,
      some.flatMap(({ firstSeq, count, bytes }) => [firstSeq, count, run, now, bytes]),
    )
  }
}

/** Of which outbox a batch is read. */
interface Outbox {
  readonly path: string
  readonly outboxId: string
}

/** Up to `most` batches in order of seq: first the one that has `seq`, or the last one before it. */
export async function batchesFrom(query: Query, outbox: Outbox, seq: number, most: number): Promise<Batch[]> {
  const rows = await query<BatchRow>(
    `SELECT first_seq AS firstSeq, count, CAST(tasks AS BLOB) AS text,
        (SELECT run_id FROM run WHERE run.id = batch.run) AS runId
      FROM batch WHERE first_seq >= (SELECT max(first_seq) FROM batch WHERE first_seq <= ?)
      ORDER BY first_seq LIMIT ?`,
    [seq, most],
  )
  return rows.map((row) => batchOf(row, outbox))
}

/**
 * The first batch behind `after` that a run of `slot` stored, and that run's row id.
 * (`+run`: in key order, never by an index and a sort.)
 */
export async function nextBatchOfSlot(
  query: Query,
  outbox: Outbox,
  slot: string,
  after: number,
): Promise<{ run: number; batch: Batch } | undefined> {
  const [row] = await query<BatchRow & { run: number }>(
    `SELECT first_seq AS firstSeq, count, run, CAST(tasks AS BLOB) AS text,
        (SELECT run_id FROM run WHERE run.id = batch.run) AS runId
      FROM batch WHERE first_seq > ? AND +run IN (SELECT id FROM run WHERE slot = ?) ORDER BY first_seq LIMIT 1`,
    [after, slot],
  )
  return row && { run: row.run, batch: batchOf(row, outbox) }
}

/** A batch that is cut wrongly would be delivered for ever, or not at all. */
function batchOf({ firstSeq, count, runId, text }: BatchRow, { path, outboxId }: Outbox): Batch {
  if (!(count >= 1)) throw damaged(path, `the batch at ${firstSeq} has ${count} tasks`)
  if (typeof runId !== 'string') throw damaged(path, `the batch at ${firstSeq} belongs to no run`)
  const batch = Buffer.isBuffer(text) ? Batch.stored({ outboxId, runId, firstSeq }, text, count) : undefined
  if (!batch) throw damaged(path, `the batch at ${firstSeq} doesn't hold its ${count} tasks`)
  return batch
}
