/**
 * Task ids and what is known of each, in one piece of memory: a hash table of 24 bytes for each of at most twice as
 * many places, 48 MiB for a million ids.
 */
import { hexNumber } from '../../../tasks/id.js'

/** What is known of an id. */
export interface Known {
  /** In the order in which they were added first, from 0 on. */
  readonly order: number
  /** The number of its slot. */
  readonly group: number
  /** How often it should be found, up to 15. */
  readonly expected: number
  /** How often it was, up to 15. */
  readonly found: number
  /** Whether the source's list has it. */
  readonly listed: boolean
  /** Whether its task is dead. */
  readonly dead: boolean
}

/** 32-bit words of an entry: four of the id, its order, and the rest in bits. */
const words = 6
const most = 15

export class IdTable {
  readonly #entries: Uint32Array
  readonly #mask: number
  #count = 0

  /** @param ids how many there may be */
  constructor(ids: number) {
    const places = 2 ** Math.ceil(Math.log2(2 * ids + 2))
    this.#entries = new Uint32Array(places * words)
    this.#mask = places - 1
  }

  /** An id that a slot has, as often as this is called, or has as a dead letter. */
  expect(id: string, group: number, isDead = false): void {
    this.#change(id, group, (known) => (isDead ? { ...known, dead: true } : { ...known, expected: known.expected + 1 }))
  }

  /** An id that the source's list has for a slot. */
  list(id: string, group: number): void {
    this.#change(id, group, (known) => ({ ...known, listed: true }))
  }

  /** An id that was found; undefined where it isn't in the table. */
  find(id: string): Known | undefined {
    const at = this.#place(wordsOf(id))
    if (this.#isFree(at)) return undefined
    const known = this.#read(at)
    const after = { ...known, found: known.found + 1 }
    this.#write(at, after)
    return after
  }

  /** All of them, in no order. */
  *all(): Generator<Known & { id: string }> {
    for (let at = 0; at < this.#entries.length; at += words)
      if (!this.#isFree(at)) yield { id: textOf(this.#entries.subarray(at, at + 4)), ...this.#read(at) }
  }

  #change(id: string, group: number, change: (known: Known) => Known): void {
    const entry = wordsOf(id)
    const at = this.#place(entry)
    const isNew = this.#isFree(at)
    const blank = { order: this.#count, group, expected: 0, found: 0, listed: false, dead: false }
    this.#write(at, change(isNew ? blank : this.#read(at)))
    if (!isNew) return
    if (++this.#count * 2 > this.#mask + 1) throw new RangeError('more ids than there is room for')
    this.#entries.set(entry, at)
  }

  #read(at: number): Known {
    const [order = 0, bits = 0] = this.#entries.subarray(at + 4, at + 6)
    return {
      ...{ order, group: bits >>> 12, expected: bits & most, found: (bits >>> 4) & most },
      ...{ listed: (bits & 0x100) !== 0, dead: (bits & 0x200) !== 0 },
    }
  }

  #write(at: number, { order, group, expected, found, listed, dead }: Known): void {
    const counts = Math.min(most, expected) | (Math.min(most, found) << 4)
    const bits = (group << 12) | counts | (listed ? 0x100 : 0) | (dead ? 0x200 : 0)
    this.#entries.set([order, bits >>> 0], at + 4)
  }

  /** Where an id stands, or would. */
  #place([first = 0, second = 0, third = 0, fourth = 0]: readonly number[]): number {
    const entries = this.#entries
    for (let place = (first ^ fourth) & this.#mask; ; place = (place + 1) & this.#mask) {
      const at = place * words
      if (this.#isFree(at)) return at
      const isIt = entries[at] === first && entries[at + 1] === second && entries[at + 2] === third
      if (isIt && entries[at + 3] === fourth) return at
    }
  }

  /** No UUID is 0. */
  #isFree(at: number): boolean {
    const entries = this.#entries
    return entries[at] === 0 && entries[at + 1] === 0 && entries[at + 2] === 0 && entries[at + 3] === 0
  }
}

function wordsOf(id: string): number[] {
  const digits = id.replaceAll('-', '')
  return [0, 8, 16, 24].map((from) => hexNumber(digits, from, 8))
}

function textOf(entry: Uint32Array): string {
  const digits = [...entry].map((word) => word.toString(16).padStart(8, '0')).join('')
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
