/**
 * A batch of tasks, from the encoder to the wire: the bytes that the outbox stores, a JSON array with one task a
 * line. SQLite's json_each reads it, and it can be split without parsing, as JSON text has no raw line feeds.
 */
import type { Link, TaskBatch } from '../plugin.js'
import { Utf8 } from './bytes.js'
import { maxTaskBytes } from './encode.js'

const [open, between, close] = [Buffer.from('['), Buffer.from(',\n'), Buffer.from(']')]
const [comma, lineFeed, brace] = [0x2c, 0x0a, 0x7b]

/** What identifies a batch, besides its bytes. */
type BatchPlace = Pick<TaskBatch, 'outboxId' | 'runId' | 'slot' | 'firstSeq' | 'link'>

/** The place of a batch that isn't stored yet: the outbox assigns one. */
const nowhere: BatchPlace = { outboxId: '', runId: '', slot: '', firstSeq: 0 }

/** The only implementation of TaskBatch; immutable. */
export class Batch implements TaskBatch {
  readonly outboxId: string
  readonly runId: string
  readonly slot: string
  readonly firstSeq: number
  readonly link: Link | undefined
  readonly bytes: Buffer
  readonly starts: readonly number[]
  #tasks: readonly string[] | undefined

  constructor({ outboxId, runId, slot, firstSeq, link }: BatchPlace, bytes: Buffer, starts: readonly number[]) {
    this.outboxId = outboxId
    this.runId = runId
    this.slot = slot
    this.firstSeq = firstSeq
    this.link = link
    this.bytes = bytes
    this.starts = starts
  }

  /** A batch of these texts, each of which must be a JSON object on one line. */
  static of(tasks: readonly string[], place = nowhere): Batch {
    const batch = Batch.stored(place, Buffer.from(`[${tasks.join(',\n')}]`), tasks.length)
    if (!batch) throw new TypeError(`The batch at ${place.firstSeq} holds something else than JSON objects.`)
    return batch
  }

  /** A batch from its stored bytes; undefined if they don't hold `count` tasks. */
  static stored(place: BatchPlace, bytes: Buffer, count: number): Batch | undefined {
    const starts = [open.length]
    if (bytes[open.length] !== brace) return undefined
    for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) {
      if (bytes[at - 1] !== comma || bytes[at + 1] !== brace) return undefined
      starts.push(at + 1)
    }
    if (starts.length !== count) return undefined
    starts.push(bytes.length - close.length + between.length)
    return new Batch(place, bytes, starts)
  }

  get count(): number {
    return this.starts.length - 1
  }

  get lastSeq(): number {
    return this.firstSeq + this.count - 1
  }

  /** Created on first access: not every sink needs strings. */
  get tasks(): readonly string[] {
    this.#tasks ??= joined(this).toString().split(between.toString())
    return this.#tasks
  }

  task(index: number): string {
    const [from = 0, next = 0] = [this.starts[index], this.starts[index + 1]]
    return this.bytes.toString('utf8', from, next - between.length)
  }

  /** The tasks at index `from` to `to` (excluded; at most `count`); the batch itself if that is all of them. */
  slice(from: number, to: number): Batch {
    if (from === 0 && to >= this.count) return this
    const { outboxId, runId, slot, firstSeq } = this
    const place = { outboxId, runId, slot, firstSeq: firstSeq + from }
    return new Batch(place, this.bytes, this.starts.slice(from, to + 1))
  }

  /** The same tasks at another place. */
  at(place: Partial<BatchPlace>): Batch {
    const { outboxId, runId, slot, firstSeq, link } = this
    return new Batch({ outboxId, runId, slot, firstSeq, link, ...place }, this.bytes, this.starts)
  }
}

/** All tasks of a batch, with `between` between them: a view of its bytes. */
export function joined({ bytes, starts }: Pick<TaskBatch, 'bytes' | 'starts'>): Buffer {
  const [first = 0, last = 0] = [starts[0], starts.at(-1)]
  return Buffer.from(bytes.buffer, bytes.byteOffset + first, last - between.length - first)
}

/** Collects tasks: write each to `next()`, then `keep` or `drop` it. A task that is neither is overwritten. */
export class BatchWriter {
  readonly #text = new Utf8(2 * maxTaskBytes)
  #starts: number[] = []
  /** The end of the kept tasks. */
  #kept = 0

  get count(): number {
    return this.#starts.length
  }

  /** The buffer to write the next task to. */
  next(): Utf8 {
    const text = this.#text
    text.end = this.#kept
    text.reserve(maxTaskBytes)
    text.put(this.count === 0 ? open : between)
    return text
  }

  /** Keeps what was written since `next`. */
  keep(): void {
    this.#starts.push(this.#start)
    this.#kept = this.#text.end
  }

  /** Removes what was written since `next`, and returns it. */
  drop(): string {
    const task = this.#text.toString(this.#start)
    this.#text.end = this.#kept
    return task
  }

  /** The kept tasks, as a batch without a place; then starts over. */
  take(): Batch {
    const text = this.#text
    text.end = this.#kept
    text.put(close)
    const starts = [...this.#starts, this.#kept + between.length]
    // Outside V8's heap, where the garbage collector would move it about while it waits.
    const batch = new Batch(nowhere, Buffer.from(text.written()), starts)
    this.#kept = 0
    this.#starts = []
    return batch
  }

  get #start(): number {
    return this.#kept + (this.count === 0 ? open : between).length
  }
}
