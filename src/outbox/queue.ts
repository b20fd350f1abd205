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
import { LessThanOrEqual, MoreThan } from 'typeorm'
import type { Batch } from '../tasks/batch.js'
import { taskIdOf } from '../tasks/id.js'
import type { Database } from './sqlite/database.js'
import { batches } from './sqlite/entities.js'
import { batchesBehind, batchesFrom } from './sqlite/statements.js'
import type { OutboxState } from './state.js'

/** Batches that may stay in memory after they were stored, until they are delivered; all others are read back. */
const recentBatches = 40

/** Batches that are read back at once, and as long as there are fewer in memory behind the one that is asked for. */
const readAheadBatches = 4

export class Queue {
  readonly #database: Database
  readonly #state: OutboxState
  /** Stored batches by their first `seq`: those that were stored just now, and those that were read ahead. */
  readonly #recent = new Map<number, Batch>()
  #reading: Promise<unknown> | undefined

  constructor(database: Database, state: OutboxState) {
    this.#database = database
    this.#state = state
  }

  /** Keeps what was just stored in memory where there is room: a relay takes the oldest first. */
  keep(stored: readonly Batch[]): void {
    for (const batch of stored) if (this.#recent.size < recentBatches) this.#recent.set(batch.firstSeq, batch)
  }

  /** The outbox has another id now, which the batches in memory don't bear. */
  clear(): void {
    this.#recent.clear()
  }

  /** Batches that begin at or before `seq` needn't stay in memory. */
  drop(seq: number): void {
    for (const firstSeq of this.#recent.keys()) if (firstSeq <= seq) this.#recent.delete(firstSeq)
  }

  /** The next tasks to deliver behind `seq`, at most one stored batch and at most `most` tasks of it. */
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
      const behind = { firstSeq: MoreThan(after) }
      const next = await this.#database.inTurn((manager) => manager.minimum(batches, 'firstSeq', behind))
      after = next ? next - 1 : state.lastSeq
    }
  }

  /** The batch behind one that isn't acknowledged yet, where that is plain to see. */
  async behind({ lastSeq }: Batch, most: number): Promise<Batch | undefined> {
    if (this.#state.passed.size > 0 || most <= 0) return undefined
    this.#readAhead(lastSeq + 1)
    return this.#storedAfter(lastSeq, most)
  }

  /** The stored task at `seq` and its run; undefined where it's no longer kept. */
  async taskAt(seq: number): Promise<{ task: string; runId: string } | undefined> {
    const found = await this.#storedAfter(seq - 1, 1)
    const task = found?.tasks[0]
    return found && task !== undefined ? { task, runId: found.runId } : undefined
  }

  /** The tasks behind `seq` as they are stored; undefined where the next one isn't. */
  async #storedAfter(seq: number, most: number): Promise<Batch | undefined> {
    if (seq >= this.#state.lastSeq) return undefined
    const batch = this.#recent.get(seq + 1) ?? (await this.#onDisk(seq + 1))
    if (!batch || batch.lastSeq <= seq) return undefined
    const from = seq + 1 - batch.firstSeq
    return batch.slice(from, from + most)
  }

  /** The ids of the stored tasks behind `seq`, and their seqs; where an id is there twice, the later one. */
  async idsBehind(first: number): Promise<Map<string, number>> {
    const seqs = new Map<string, number>()
    const outbox = { path: this.#database.path, outboxId: this.#state.outboxId }
    const from = { after: (await this.#firstSeqAt(first + 1)) - 1 }
    for await (const { batch } of batchesBehind((work) => this.#database.inTurn(work), outbox, from))
      for (const [index, task] of batch.tasks.entries()) seqs.set(taskIdOf(task), batch.firstSeq + index)
    return seqs
  }

  /** The first `seq` that is kept. */
  async firstKept(): Promise<number> {
    const first = await this.#database.inTurn((manager) => manager.minimum(batches, 'firstSeq'))
    return first ?? this.#state.lastSeq + 1
  }

  /** Where the batch that has `seq` begins, or the last one before it. */
  async #firstSeqAt(seq: number): Promise<number> {
    const upTo = { firstSeq: LessThanOrEqual(seq) }
    return (await this.#database.inTurn((manager) => manager.maximum(batches, 'firstSeq', upTo))) ?? 0
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
  async #onDisk(seq: number): Promise<Batch | undefined> {
    await this.#reading
    return this.#recent.get(seq) ?? (await this.#load(seq))
  }

  /** Reads the batch that has `seq`, or the last one before it, and some behind it. */
  async #load(seq: number): Promise<Batch | undefined> {
    const outbox = { path: this.#database.path, outboxId: this.#state.outboxId }
    const found = await this.#database.inTurn((manager) => batchesFrom(manager, outbox, seq, readAheadBatches))
    for (const batch of found) this.#recent.set(batch.firstSeq, batch)
    return found[0]
  }
}
