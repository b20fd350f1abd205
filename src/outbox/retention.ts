/** What may leave the outbox: delivered tasks and finished runs. Pending tasks and dead letters never do. */
import { step } from '../trace.js'
import type { Database } from './database.js'
import type { DeadLetters } from './dead-letters.js'
import type { OutboxState } from './state.js'

/** Batches that one transaction deletes: an inspect beside it never waits, the write-ahead log stays small. */
const batchesAtOnce = 100

export class Retention {
  readonly #database: Database
  readonly #state: OutboxState
  readonly #deadLetters: DeadLetters

  constructor(database: Database, state: OutboxState, deadLetters: DeadLetters) {
    this.#database = database
    this.#state = state
    this.#deadLetters = deadLetters
  }

  async retain(keep: { tasks: number; runs: number; slot: string }): Promise<void> {
    await this.#deleteDelivered({
      upTo: Math.min(this.#state.ackedOnDisk.seq, this.#state.lastSeq - keep.tasks),
      before: Number.MAX_SAFE_INTEGER,
      slot: keep.slot,
    })
    await this.#deleteRuns(keep.runs, keep.slot)
  }

  async purge({ before, dead }: { before: number; dead: boolean }): Promise<{ delivered: number; dead: number }> {
    const delivered = await this.#deleteDelivered({ upTo: this.#state.ackedOnDisk.seq, before, slot: '' })
    const discarded = dead ? await this.#deadLetters.discard(before) : 0
    await this.#database.query('VACUUM')
    return { delivered, dead: discarded }
  }

  /**
   * Deletes acknowledged batches up to a `seq`, stored before a time, of finished runs of other slots. A slot that is
   * being read keeps its own: what it stores is compared with them. Returns the tasks deleted.
   */
  async #deleteDelivered(which: { upTo: number; before: number; slot: string }): Promise<number> {
    if (which.upTo <= 0) return 0
    let deleted = 0
    for (;;) {
      const rows = await this.#database.query<{ first_seq: number; count: number }>(
        `SELECT first_seq, count FROM batch WHERE first_seq + count - 1 <= ? AND created_at < ? AND run IN (
            SELECT id FROM run WHERE state = 'done' AND slot <> ?
              AND slot NOT IN (SELECT slot FROM run WHERE state IN ('reading', 'checking')))
          ORDER BY first_seq LIMIT ${batchesAtOnce}`,
        [which.upTo, which.before, which.slot],
      )
      if (rows.length === 0) return deleted
      await this.#database.query('DELETE FROM batch WHERE first_seq IN (SELECT value FROM json_each(?))', [
        JSON.stringify(rows.map((row) => row.first_seq)),
      ])
      step('history:forgotten')
      deleted += rows.reduce((sum, row) => sum + row.count, 0)
    }
  }

  /** Deletes finished runs that hold nothing any more, but for the newest `keep`, with what was rejected in them. */
  async #deleteRuns(keep: number, slot: string): Promise<void> {
    const empty = await this.#database.query<{ id: number }>(
      `SELECT id FROM run WHERE state = 'done' AND slot <> ?1 AND id <= (SELECT max(id) FROM run) - ?2
        AND id NOT IN (SELECT run FROM batch) AND id NOT IN (SELECT run FROM dead WHERE fate = 'dead')`,
      [slot, keep],
    )
    if (empty.length === 0) return
    const ids = JSON.stringify(empty.map((row) => row.id))
    await this.#database.transaction(async (query) => {
      for (const table of ['rejected', 'dead'])
        await query(`DELETE FROM ${table} WHERE run IN (SELECT value FROM json_each(?))`, [ids])
      await query('DELETE FROM run WHERE id IN (SELECT value FROM json_each(?))', [ids])
      step('runs:forgotten')
    })
  }
}
