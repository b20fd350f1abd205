/**
 * The statements of the hot path, as SQL: a run of 100,000 tasks spends its time in them, and TypeORM's
 * InsertQueryBuilder and hydration cost more than SQLite itself does there.
 */
import type { Query } from './database.js'

/** A batch and the seq of its first task. */
export interface PlacedBatch {
  /** Tasks in it, 1 or more. */
  readonly count: number
  readonly text: Buffer
  readonly firstSeq: number
}

/** What delivering a batch needs of its row. */
export interface StoredBatch extends PlacedBatch {
  readonly runId: string
}

/**
 * Batches that one statement stores. Each statement waits until the reader has made its batch, so they aren't
 * stored one by one; and SQLite and its driver copy what a statement brings, in whichever thread runs it, so they
 * aren't stored all at once.
 */
const batchesAStatement = 4

/** Stores batches of the run with the row id `run`. `now`: milliseconds since 1970. */
export async function storeBatches(
  query: Query,
  run: number,
  batches: readonly PlacedBatch[],
  now: number,
): Promise<void> {
  for (let from = 0; from < batches.length; from += batchesAStatement) {
    const some = batches.slice(from, from + batchesAStatement)
    const rows = some.map(() => '(?, ?, ?, 0, ?, CAST(? AS TEXT))').join(', ')
    await query(
      `INSERT INTO batch (first_seq, count, run, failures, created_at, tasks) VALUES ${rows}`,
      some.flatMap(({ firstSeq, count, text }) => [firstSeq, count, run, now, text]),
    )
  }
}

/** Up to `most` batches in order of seq: first the one that has `seq`, or the last one before it. */
export async function batchesFrom(query: Query, seq: number, most: number): Promise<StoredBatch[]> {
  return query<StoredBatch>(
    `SELECT first_seq AS firstSeq, count, CAST(tasks AS BLOB) AS text,
        (SELECT run_id FROM run WHERE run.id = batch.run) AS runId
      FROM batch WHERE first_seq >= (SELECT max(first_seq) FROM batch WHERE first_seq <= ?)
      ORDER BY first_seq LIMIT ?`,
    [seq, most],
  )
}

/**
 * The first batch behind `after` that a run of `slot` stored, and that run's row id.
 * (`+run`: in key order, never by an index and a sort.)
 */
export async function nextBatchOfSlot(
  query: Query,
  slot: string,
  after: number,
): Promise<(PlacedBatch & { run: number }) | undefined> {
  const [row] = await query<PlacedBatch & { run: number }>(
    `SELECT first_seq AS firstSeq, count, run, CAST(tasks AS BLOB) AS text FROM batch
      WHERE first_seq > ? AND +run IN (SELECT id FROM run WHERE slot = ?) ORDER BY first_seq LIMIT 1`,
    [after, slot],
  )
  return row
}
