/**
 * A hand-over batch as the outbox stores it: a JSON array with a task a line.
 * SQLite's json_each reads it, and it's cut without parsing, since JSON text has
 * no raw line feed.
 */
import { maxTaskBytes } from './task.js'
import { Utf8 } from './utf8.js'

export interface Batch {
  /** Tasks in it, 1 or more. */
  readonly count: number
  /** Outside of V8's heap, where it would be moved about while it waits. */
  readonly text: Buffer
}

const [start, between, end] = [Buffer.from('['), Buffer.from(',\n'), Buffer.from(']')]

/** Tasks one behind the other: `next`, then `keep` or `drop`. */
export class BatchWriter {
  count = 0
  readonly #text = new Utf8(2 * maxTaskBytes)
  /** Where what came before the last task ends. */
  #before = 0

  /** Where one more task is to be written. */
  next(): Utf8 {
    const text = this.#text
    this.#before = text.end
    text.reserve(maxTaskBytes)
    text.put(this.count === 0 ? start : between)
    return text
  }

  /** Keeps what was written since `next`; says how many tasks there are now. */
  keep(): number {
    return ++this.count
  }

  /** Takes out what was written since `next`, and returns it. */
  drop(): string {
    const task = this.#text.toString(this.#before + (this.count === 0 ? start : between).length)
    this.#text.end = this.#before
    return task
  }

  /** All that was kept, and begins anew. */
  take(): Batch {
    const text = this.#text
    text.put(end)
    const batch = { count: this.count, text: Buffer.from(text.written()) }
    text.end = 0
    this.count = 0
    return batch
  }
}

export function batchOf(tasks: readonly string[]): Batch {
  return { count: tasks.length, text: Buffer.from(`[${tasks.join(',\n')}]`) }
}

/** The tasks of a batch's text. */
export const tasksIn = (text: string): string[] => text.slice(1, -1).split(',\n')
