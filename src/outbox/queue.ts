/**
 * The pending batches, in order of seq.
 *
 * A stored batch is in one of two places: always on disk, and for a while in memory as well.
 *
 *     stored --keep--> in memory (up to 40, for a relay that is close behind)
 *        |                  |
 *        |              acknowledged --> dropped from memory, stays on disk as history
 *        '--read ahead--> in memory (4 at a time, until 4 lie ready behind the batch in hand)
 *
 * `after` reads the next batch from wherever it is and waits for the disk where it must. `behind` reads the one after
 * that and starts the read-ahead, so that a relay with several batches under way finds the next one in memory.
 * Where the acknowledgement went back, dead tasks and gaps in the history lie in between: both are passed over.
 */
import { cutText, type PendingBatch, partOf, pendingBatch, type TaskBytes } from '../tasks/batch.js'
import { type Database, damaged } from './database.js'
import type { OutboxState } from './state.js'
import { batchesFrom, type PlacedBatch, type StoredBatch } from './statements.js'

/** Batches that may stay in memory after they were stored, until they are delivered; all others are read back. */
const recentBatches = 40

/** Batches that are read back at once, and as long as there are fewer in memory behind the one that is asked for. */
const readAheadBatches = 4

export class Queue {
  readonly #database: Database
  readonly #state: OutboxState
  /** Stored batches by their first `seq`: those that were stored just now, and those that were read ahead. */
  readonly #recent = new Map<number, StoredBatch>()
  #reading: Promise<unknown> | undefined

  constructor(database: Database, state: OutboxState) {
    this.#database = database
    this.#state = state
  }

  /** Keeps what was just stored in memory where there is room: a relay takes the oldest first. */
  keep(runId: string, batches: readonly PlacedBatch[]): void {
    for (const batch of batches)
      if (this.#recent.size < recentBatches) this.#recent.set(batch.firstSeq, { ...batch, runId })
  }

  /** Batches that begin at or before `seq` needn't stay in memory. */
  drop(seq: number): void {
    for (const firstSeq of this.#recent.keys()) if (firstSeq <= seq) this.#recent.delete(firstSeq)
  }

  /** The next tasks to deliver behind `seq`, at most one stored batch and at most `most` tasks of it. */
  async after(seq: number, most: number): Promise<PendingBatch | undefined> {
    const state = this.#state
    for (const dead of state.passed) if (dead <= seq) state.passed.delete(dead)
    for (let after = seq; ; ) {
      while (state.passed.has(after + 1)) after++
      if (after >= state.lastSeq) {
        if (after > state.acked.seq) state.acked = { ...state.acked, seq: after }
        return undefined
      }
      const batch = await this.#storedAfter(after, most)
      if (batch) {
        let alive = 0
        while (alive < batch.count && !state.passed.has(batch.firstSeq + alive)) alive++
        return partOf(batch, 0, alive)
      }
      const [next] = await this.#database.query<{ first: number | null }>(
        'SELECT min(first_seq) AS first FROM batch WHERE first_seq > ?',
        [after],
      )
      after = next?.first ? next.first - 1 : state.lastSeq
    }
  }

  /** The batch behind one that isn't acknowledged yet, where that is plain to see. */
  async behind({ firstSeq, count }: PendingBatch, most: number): Promise<PendingBatch | undefined> {
    if (this.#state.passed.size > 0 || most <= 0) return undefined
    this.#readAhead(firstSeq + count)
    return this.#storedAfter(firstSeq + count - 1, most)
  }

  /** The stored task at `seq` and its run; undefined where it's no longer kept. */
  async taskAt(seq: number): Promise<{ task: string; runId: string } | undefined> {
    const found = await this.#storedAfter(seq - 1, 1)
    const task = found?.tasks[0]
    return found && task !== undefined ? { task, runId: found.runId } : undefined
  }

  /** The tasks behind `seq` as they are stored; undefined where the next one isn't. */
  async #storedAfter(seq: number, most: number): Promise<PendingBatch | undefined> {
    if (seq >= this.#state.lastSeq) return undefined
    const { path } = this.#database
    const row = this.#recent.get(seq + 1) ?? (await this.#onDisk(seq + 1))
    if (row && !(row.count >= 1)) throw damaged(path, `the batch at ${row.firstSeq} has ${row.count} tasks`)
    if (!row || row.firstSeq + row.count <= seq + 1) return undefined
    if (typeof row.runId !== 'string') throw damaged(path, `the batch at ${row.firstSeq} belongs to no run`)
    const { firstSeq, runId } = row
    const batch = pendingBatch({ outboxId: this.#state.outboxId, runId, firstSeq }, tasksOf(row, path))
    const from = seq + 1 - firstSeq
    return partOf(batch, from, from + most)
  }

  /** Nobody waits for it: behind an acknowledgement that is being written, the sink would wait as well. */
  #readAhead(seq: number): void {
    let ready = 0
    let next = seq
    for (; ready < readAheadBatches && this.#recent.has(next); ready++) next += this.#recent.get(next)?.count ?? 0
    if (ready === readAheadBatches || this.#reading || next > this.#state.lastSeq) return
    // An error isn't lost: who asks for the batch reads it again.
    this.#reading = this.#load(next)
      .catch(() => undefined)
      .finally(() => {
        this.#reading = undefined
      })
  }

  /** The stored batch that has `seq`, or the last one before it. */
  async #onDisk(seq: number): Promise<StoredBatch | undefined> {
    await this.#reading
    return this.#recent.get(seq) ?? (await this.#load(seq))
  }

  /** Reads the batch that has `seq`, or the last one before it, and some behind it. */
  async #load(seq: number): Promise<StoredBatch | undefined> {
    const rows = await batchesFrom((sql, parameters) => this.#database.query(sql, parameters), seq, readAheadBatches)
    for (const row of rows) this.#recent.set(row.firstSeq, row)
    return rows[0]
  }
}

/** A column of SQLite may hold anything. */
export const isTask = (task: unknown): boolean => typeof task === 'string' && task.startsWith('{')

/** A stored batch, cut into tasks. A batch that is cut wrongly would be delivered for ever, or not at all. */
export function tasksOf({ firstSeq, count, text }: PlacedBatch, path: string): TaskBytes {
  const tasks = text instanceof Uint8Array ? cutText(text, count) : undefined
  if (tasks) return tasks
  throw damaged(path, `the batch at ${firstSeq} doesn't hold its ${count} tasks`)
}
