/**
 * How far the outbox is delivered: one number, since batches are delivered in order.
 *
 * If the sink's fence makes it safe, the acknowledgement is lazy: it moves in memory at once, and in the file with the
 * next intake or after ten batches, while the next ones are delivered. The file is never more than twenty behind.
 */
import { step } from '../../trace.js'
import type { Queue } from '../queue.js'
import type { Database } from '../sqlite/database.js'
import { states } from '../sqlite/entities.js'
import type { OutboxState } from '../state.js'

/** Batches acknowledged in memory before that is written. */
const lazyBatches = 10

export class Acknowledgement {
  readonly #database: Database
  readonly #state: OutboxState
  readonly #queue: Queue
  /** A write in the background. */
  #writing: Promise<void> | undefined

  constructor(database: Database, state: OutboxState, queue: Queue) {
    this.#database = database
    this.#state = state
    this.#queue = queue
  }

  /** One more batch, the one that ends at `seq`, is in the sink. */
  async moveTo(seq: number, lazy: boolean): Promise<void> {
    const state = this.#state
    state.acked = { seq, batches: state.acked.batches + 1 }
    this.#queue.drop(seq)
    if (!lazy) return this.write()
    const behind = state.acked.batches - state.ackedOnDisk.batches
    if (behind < lazyBatches) return
    // In the background: its turn may come after a transaction of the reader's, which the sink shouldn't wait for.
    this.#writing ??= this.write().finally(() => {
      this.#writing = undefined
    })
    this.#writing.catch(() => undefined)
    if (behind >= 2 * lazyBatches) await this.#writing
  }

  /** Writes the acknowledged `seq`, unless the file has it already. */
  async write(): Promise<void> {
    const state = this.#state
    if (state.acked.seq === state.ackedOnDisk.seq) return
    await this.#database.transaction(
      async (manager) => {
        const { acked } = state
        if (acked.seq === state.ackedOnDisk.seq) return undefined // the last intake has written it
        await manager.update(states, { id: 1 }, { ackedSeq: acked.seq })
        return acked
      },
      (acked) => {
        if (!acked) return
        state.ackedOnDisk = acked
        step('acknowledgement:written')
      },
    )
  }
}
