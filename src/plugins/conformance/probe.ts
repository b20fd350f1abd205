/** Uses a sink as the relay would. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { ZodType } from 'zod'
import type { Link, Sink, SinkPosition, TaskBatch } from '../../plugin.js'
import { Batch } from '../../tasks/batch.js'
import { taskMaker } from '../../tasks/encode.js'
import { taskIdOf } from '../../tasks/id.js'
import { type SinkUnderTest, withSink } from './check.js'

/** What a sink may take for something else: letters of two, three and four bytes, an accent of its own, line ends. */
const hardText = 'Łódź 北 🌦 e\u0301 "\\\n\u2028 '

/** One sink with an outbox of its own: makes batches in order, and looks at what arrived of them. */
export class Probe {
  readonly outboxId = randomUUID()
  readonly runId = randomUUID()
  readonly opened: <T>(use: (sink: Sink) => Promise<T>, signal?: AbortSignal) => Promise<T>
  /** Likewise, without what the relay does before the first batch. */
  readonly bare: <T>(use: (sink: Sink) => Promise<T>) => Promise<T>
  readonly #arrived: () => Promise<string[]>
  readonly #make = taskMaker(`2026-01-01T00:00:00Z ${this.outboxId}`)
  /** All tasks so far: that of seq 1 is the first. */
  readonly #tasks: string[] = []
  #epoch = 0

  constructor(sink: SinkUnderTest<ZodType>) {
    this.opened = (use, signal) => withSink(sink, (open) => this.#prepared(open), use, signal)
    this.bare = (use) => withSink(sink, async (open) => open, use)
    this.#arrived = () => sink.arrived()
  }

  /** The next batch of `count` tasks. */
  next(count: number): Batch {
    const firstSeq = this.#tasks.length + 1
    const tasks = Array.from({ length: count }, (_, index) => {
      const made = this.#make({ latitude: 1, longitude: 2, city: `${firstSeq + index} ${hardText}`, state: '' })
      assert.ok(typeof made === 'string')
      return made
    })
    this.#tasks.push(...tasks)
    return this.#batch(tasks, firstSeq)
  }

  /** A batch of the last `count` tasks. */
  again(count: number): Batch {
    const firstSeq = this.#tasks.length - count + 1
    return this.#batch(this.#tasks.slice(-count), firstSeq)
  }

  #batch(tasks: string[], firstSeq: number): Batch {
    return Batch.of(tasks, { outboxId: this.outboxId, runId: this.runId, slot: '2026-01-01T00:00:00Z', firstSeq })
  }

  /** What the relay does before the first batch, and with each. */
  async #prepared(open: Sink): Promise<Sink> {
    if (!open.attach) {
      await open.position?.(this.outboxId)
      return open
    }
    const attachment = { outboxId: this.outboxId, epoch: ++this.#epoch, word: randomUUID() }
    const { fence, generation } = await open.attach(attachment, randomUUID())
    await open.place?.(attachment, standing(fence), generation)
    return {
      ...open,
      deliver: (batch) => open.deliver(batchLinked(batch, { ...attachment, after: this.before(batch) })),
    }
  }

  /** How far the sink got with the outbox. */
  async position(open: Sink): Promise<SinkPosition | undefined> {
    if (!open.attach) return open.position?.(this.outboxId)
    const attachment = { outboxId: this.outboxId, epoch: ++this.#epoch, word: randomUUID() }
    return (await open.attach(attachment, randomUUID())).fence
  }

  /** The position that a batch follows. */
  before({ firstSeq }: TaskBatch): SinkPosition {
    const task = this.#tasks[firstSeq - 2]
    return { seq: firstSeq - 1, taskId: task === undefined ? '' : taskIdOf(task) }
  }

  /** Those of these tasks that arrived, in order. Other tests may write to the same place. */
  async copies(tasks: readonly string[]): Promise<string[]> {
    const wanted = new Set(tasks)
    return (await this.#arrived()).filter((task) => wanted.has(task))
  }

  guarantee(): Promise<Sink['guarantee']> {
    return this.opened(async (open) => open.guarantee)
  }

  /** Each task must have arrived; only once if the sink promises that. */
  async assertArrived(tasks: readonly string[]): Promise<void> {
    const found = await this.copies(tasks)
    const missing = tasks.filter((task) => !found.includes(task))
    assert.deepEqual(missing, [], `${missing.length} of ${tasks.length} tasks are missing`)
    if ((await this.guarantee()) === 'exactly-once')
      assert.equal(found.length, tasks.length, 'a task is there more than once')
  }
}

export const start: SinkPosition = { seq: 0, taskId: '' }

/** Where a fence is, or where a chain begins: without the fence's epoch and words, as owm passes it on. */
export const standing = ({ seq, taskId, runId }: SinkPosition = start): SinkPosition => ({ seq, taskId, runId })

export const batchLinked = (batch: TaskBatch, link: Link): TaskBatch => Batch.of(batch.tasks, { ...batch, link })
