/**
 * The pending batches, in order of seq. A stored batch is always on disk, and for a while in memory as well:
 *
 *     stored --keep--> in memory (up to 40, for a relay that is close behind)
 *        |                  |
 *        |              acknowledged --> dropped from memory, stays on disk as history
 *        '--read ahead--> in memory (4 at a time, until 4 are ready after the current batch)
 *
 * `after` reads the next batch, from disk if need be. `behind` reads the one after that and starts the read-ahead, so
 * that a relay with several batches in flight finds the next one in memory. After the acknowledgement went back, there
 * may be dead tasks and gaps in the history on the way: both are skipped.
 */
import { LessThanOrEqual, MoreThan } from 'typeorm'
import type { Batch } from '../tasks/batch.js'
import { taskIdOf } from '../tasks/id.js'
import type { Database } from './sqlite/database.js'
import { batches } from './sqlite/entities.js'
import { batchesFrom } from './sqlite/statements.js'
import type { OutboxState } from './state.js'

/** Batches kept in memory between storing and delivery; further ones are read back. */
const recentBatches = 40

/** Batches read back at once, whenever fewer than that are in memory after the current one. */
const readAheadBatches = 4

export class Queue {
  readonly #database: Database
  readonly #state: OutboxState
  /** Batches in memory, by their first `seq`: just stored, or read ahead. */
  readonly #recent = new Map<number, Batch>()
  #reading: Promise<unknown> | undefined

  constructor(database: Database, state: OutboxState) {
    this.#database = database
    this.#state = state
  }

  /** Keeps newly stored batches in memory: the oldest ones, if there isn't room for all. */
  keep(stored: readonly Batch[]): void {
    for (const batch of stored) if (this.#recent.size < recentBatches) this.#recent.set(batch.firstSeq, batch)
  }

  /** Drops all batches in memory: they bear an id that the outbox no longer has. */
  clear(): void {
    this.#recent.clear()
  }

  /** Drops the batches in memory that begin at or before `seq`. */
  drop(seq: number): void {
    for (const firstSeq of this.#recent.keys()) if (firstSeq <= seq) this.#recent.delete(firstSeq)
  }

  /** The next tasks to deliver after `seq`: at most `most` of one stored batch. */
  async after(seq: number, most: number): Promise<Batch | undefined> {
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
        return batch.slice(0, alive)
      }
      const later = { firstSeq: MoreThan(after) }
      const next = await this.#database.inTurn((manager) => manager.minimum(batches, 'firstSeq', later))
      after = next ? next - 1 : state.lastSeq
    }
  }

  /** The batch after one that isn't acknowledged yet; undefined if there is none, or dead tasks may lie between. */
  async behind({ lastSeq }: Batch, most: number): Promise<Batch | undefined> {
    if (this.#state.passed.size > 0 || most <= 0) return undefined
    this.#readAhead(lastSeq + 1)
    return this.#storedAfter(lastSeq, most)
  }

  /** The stored task at `seq` and its run; undefined if it's no longer kept. */
  async taskAt(seq: number): Promise<{ task: string; runId: string } | undefined> {
    const batch = await this.#storedAfter(seq - 1, 1)
    const task = batch?.tasks[0]
    return batch && task !== undefined ? { task, runId: batch.runId } : undefined
  }

  /** Up to `most` stored tasks after `seq`; undefined if the next one isn't stored. */
  async #storedAfter(seq: number, most: number): Promise<Batch | undefined> {
    if (seq >= this.#state.lastSeq) return undefined
    const batch = this.#recent.get(seq + 1) ?? (await this.#onDisk(seq + 1))
    if (!batch || batch.lastSeq <= seq) return undefined
    const from = seq + 1 - batch.firstSeq
    return batch.slice(from, from + most)
  }

  /** Task ids and their seqs, from the batch that has `seq + 1` on; of an id stored twice the later seq. */
  async idsBehind(seq: number): Promise<Map<string, number>> {
    const seqs = new Map<string, number>()
    const which = { after: (await this.#firstSeqAt(seq + 1)) - 1 }
    for await (const { batch } of this.#database.batches(this.#state.outboxId, which))
      for (const [index, task] of batch.tasks.entries()) seqs.set(taskIdOf(task), batch.firstSeq + index)
    return seqs
  }

  /** The first `seq` that is still kept. */
  async firstKept(): Promise<number> {
    const first = await this.#database.inTurn((manager) => manager.minimum(batches, 'firstSeq'))
    return first ?? this.#state.lastSeq + 1
  }

  /** The first `seq` of the batch that has `seq`, or of the last one before it. */
  async #firstSeqAt(seq: number): Promise<number> {
    const upTo = { firstSeq: LessThanOrEqual(seq) }
    return (await this.#database.inTurn((manager) => manager.maximum(batches, 'firstSeq', upTo))) ?? 0
  }

  /** Runs in the background: its turn may come after an acknowledgement's write, which the sink shouldn't wait for. */
  #readAhead(seq: number): void {
    let ready = 0
    let next = seq
    for (; ready < readAheadBatches && this.#recent.has(next); ready++) next += this.#recent.get(next)?.count ?? 0
    if (ready === readAheadBatches || this.#reading || next > this.#state.lastSeq) return
    // The error isn't lost: the next read of the batch throws it again.
    this.#reading = this.#load(next)
      .catch(() => undefined)
      .finally(() => {
        this.#reading = undefined
      })
  }

  /** The stored batch that has `seq`, or the last one before it. */
  async #onDisk(seq: number): Promise<Batch | undefined> {
    await this.#reading
    return this.#recent.get(seq) ?? (await this.#load(seq))
  }

  /** Reads the batch that has `seq`, or the last one before it, and some after it. */
  async #load(seq: number): Promise<Batch | undefined> {
    const outbox = { path: this.#database.path, outboxId: this.#state.outboxId }
    const loaded = await this.#database.inTurn((manager) => batchesFrom(manager, outbox, seq, readAheadBatches))
    for (const batch of loaded) this.#recent.set(batch.firstSeq, batch)
    return loaded[0]
  }
}
