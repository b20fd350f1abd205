/**
 * A hand-over batch as the outbox stores it: a JSON array with a task a line.
 * SQLite's json_each reads it, and it's cut without parsing, since JSON text has
 * no raw line feed. And as a sink gets it.
 */
import type { TaskBatch } from '../plugin.js'
import { Utf8 } from './bytes.js'
import { maxTaskBytes } from './task.js'

export interface Batch {
  /** Tasks in it, 1 or more. */
  readonly count: number
  /** Outside of V8's heap, where it would be moved about while it waits. */
  readonly text: Buffer
}

const [start, between, end] = [Buffer.from('['), Buffer.from(',\n'), Buffer.from(']')]

/** Tasks one behind the other: `next`, then `keep` or `drop`. What is neither kept nor dropped is gone. */
export class BatchWriter {
  count = 0
  readonly #text = new Utf8(2 * maxTaskBytes)
  /** Where what was kept ends. */
  #kept = 0

  /** Where one more task is to be written. */
  next(): Utf8 {
    const text = this.#text
    text.end = this.#kept
    text.reserve(maxTaskBytes)
    text.put(this.count === 0 ? start : between)
    return text
  }

  /** Keeps what was written since `next`; says how many tasks there are now. */
  keep(): number {
    this.#kept = this.#text.end
    return ++this.count
  }

  /** Takes out what was written since `next`, and returns it. */
  drop(): string {
    const task = this.#text.toString(this.#kept + (this.count === 0 ? start : between).length)
    this.#text.end = this.#kept
    return task
  }

  /** All that was kept, and begins anew. */
  take(): Batch {
    const text = this.#text
    text.end = this.#kept
    text.put(end)
    const batch = { count: this.count, text: Buffer.from(text.written()) }
    this.#kept = 0
    this.count = 0
    return batch
  }
}

export function batchOf(tasks: readonly string[]): Batch {
  return { count: tasks.length, text: Buffer.from(`[${tasks.join(',\n')}]`) }
}

/** Tasks as bytes: for a sink that sends bytes. */
export interface TaskBytes {
  readonly text: Buffer
  /** Where each task begins in `text`, and one more: each ends two bytes before the next one. */
  readonly starts: readonly number[]
}

const [comma, lineFeed, brace] = [0x2c, 0x0a, 0x7b]

/** Cuts a batch's text; undefined where it doesn't hold `count` tasks. */
export function cutText(text: Buffer, count: number): TaskBytes | undefined {
  const starts = [start.length]
  if (text[start.length] !== brace) return undefined
  for (let at = text.indexOf(lineFeed); at >= 0; at = text.indexOf(lineFeed, at + 1)) {
    if (text[at - 1] !== comma || text[at + 1] !== brace) return undefined
    starts.push(at + 1)
  }
  if (starts.length !== count) return undefined
  starts.push(text.length - end.length + between.length)
  return { text, starts }
}

/** The same as strings. */
export function stringsOf({ text, starts }: TaskBytes): string[] {
  const [first = 0, last = 0] = [starts[0], starts.at(-1)]
  return text.toString('utf8', first, last - between.length).split(between.toString())
}

export interface PendingBatch extends TaskBatch {
  readonly count: number
}

/** What batches were made from; a sink that doesn't send bytes never asks. */
const made = new WeakMap<TaskBatch, TaskBytes>()

/** A batch for a sink. Most of its strings' cost is in making them, so that is done when somebody reads `tasks`. */
export function pendingBatch(place: Omit<TaskBatch, 'tasks'>, bytes: TaskBytes): PendingBatch {
  let tasks: string[] | undefined
  const batch = {
    ...place,
    count: bytes.starts.length - 1,
    get tasks() {
      tasks ??= stringsOf(bytes)
      return tasks
    },
  }
  made.set(batch, bytes)
  return batch
}

export function bytesOf(batch: TaskBatch): TaskBytes {
  const bytes = made.get(batch) ?? cutText(batchOf(batch.tasks).text, batch.tasks.length)
  if (!bytes) throw new TypeError(`The batch at ${batch.firstSeq} holds something else than JSON objects.`)
  return bytes
}

/** The tasks from index `from` to `to`, at most to the end; the batch itself where that is all of them. */
export function partOf<B extends TaskBatch>(batch: B, from: number, to: number): B | PendingBatch {
  const { outboxId, runId, firstSeq } = batch
  const { text, starts } = bytesOf(batch)
  if (from === 0 && to >= starts.length - 1) return batch
  return pendingBatch({ outboxId, runId, firstSeq: firstSeq + from }, { text, starts: starts.slice(from, to + 1) })
}
