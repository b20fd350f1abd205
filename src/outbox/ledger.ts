/**
 * The run ledger: a row for each run, written before its source is opened.
 *
 *     reading --> checking --> read --> done
 *        |                      ^        |
 *        '--- superseded        '--------' its tasks are delivered again, or dead ones retried
 *
 * - reading: the source isn't read to its end; the checkpoint says from where to go on.
 * - checking: read to its end, or superseded by a run that reads anew; locations that may be duplicates are compared.
 * - read: everything that it gave is stored.
 * - done: and each of its tasks is in the sink or dead.
 */
import { randomUUID } from 'node:crypto'
import { OutboxError } from '../errors/index.js'
import type { Database } from './database.js'
import type { RunRow } from './entities.js'

const selectRun = `SELECT id, run_id AS runId, slot, source, source_digest AS sourceDigest, state, resume AS checkpoint,
  read, rejected, duplicates, persisted, discarded, started_at AS startedAt, finished_at AS finishedAt FROM run`

const insertRun = `INSERT INTO run
  (run_id, slot, source, source_digest, state, read, rejected, duplicates, persisted, discarded, started_at)
  VALUES (?, ?, ?, ?, 'reading', 0, 0, 0, 0, 0, ?)`

export class Ledger {
  readonly #database: Database
  readonly #now: () => number

  constructor(database: Database, now: () => number) {
    this.#database = database
    this.#now = now
  }

  /** Runs whose source isn't read to its end, or whose suspects aren't decided, oldest first. */
  async open(): Promise<RunRow[]> {
    return this.#database.query<RunRow>(`${selectRun} WHERE state IN ('reading', 'checking') ORDER BY id`)
  }

  async ofSlot(slot: string): Promise<RunRow[]> {
    return this.#database.query<RunRow>(`${selectRun} WHERE slot = ? ORDER BY id`, [slot])
  }

  /** Throws OutboxError where there is no such run. */
  async run(runId: string): Promise<RunRow> {
    const [row] = await this.#database.query<RunRow>(`${selectRun} WHERE run_id = ?`, [runId])
    if (!row) throw new OutboxError(`The outbox ${this.#database.path} has no run ${runId}.`)
    return row
  }

  /** Enters a run, before its source is opened. */
  async start(run: { slot: string; source: string; sourceDigest: string }): Promise<RunRow> {
    const runId = randomUUID()
    await this.#database.query(insertRun, [runId, run.slot, run.source, run.sourceDigest, this.#now()])
    return this.run(runId)
  }

  /** Closes a run whose source can't be read on, and starts another one for its slot, in one step. */
  async supersede(run: RunRow, by: { source: string; sourceDigest: string }): Promise<RunRow> {
    const runId = randomUUID()
    await this.#database.transaction(async (query) => {
      await query("UPDATE run SET state = 'checking', resume = NULL WHERE id = ?", [run.id])
      await query(insertRun, [runId, run.slot, by.source, by.sourceDigest, this.#now()])
    })
    run.state = 'checking'
    return this.run(runId)
  }

  /** The source is read to its end: from here on only the suspects are open. */
  async endReading(run: RunRow): Promise<void> {
    await this.#database.query("UPDATE run SET state = 'checking', resume = NULL WHERE id = ?", [run.id])
    run.state = 'checking'
  }

  /** All that the source gave is stored. */
  async endChecking(run: RunRow): Promise<void> {
    await this.#database.query("UPDATE run SET state = 'read' WHERE id = ?", [run.id])
    run.state = 'read'
  }

  /** Runs that are read and whose every task is at or before `ackedSeq` are done. */
  async finish(ackedSeq: number): Promise<void> {
    await this.#database.query(
      `UPDATE run SET state = 'done', finished_at = ? WHERE state = 'read' AND NOT EXISTS (
        SELECT 1 FROM batch WHERE first_seq + count - 1 > ?
          AND first_seq = (SELECT max(own.first_seq) FROM batch AS own WHERE own.run = run.id))`,
      [this.#now(), ackedSeq],
    )
  }
}
