/** Task ids and what is known of each, in up to 48 MiB for a million ids. */
import { hexNumber } from '../../../tasks/id.js'
import { IdNumbers, type IdWords } from '../../../tasks/ids/numbers.js'

/** What is known of an id. */
interface KnownId {
  /** Its place in the order in which ids were first added, from 0. */
  readonly order: number
  /** The number of its slot. */
  readonly group: number
  /** How often it should be found, up to 15. */
  readonly expected: number
  /** How often it was found, up to 15. */
  readonly found: number
  /** Whether the source's list has it. */
  readonly listed: boolean
  /** Whether its task is dead. */
  readonly dead: boolean
}

const mostCounted = 15

export class IdTable {
  readonly #ids: IdNumbers
  /** Two words for each place: the id's order, and the rest in bits. */
  readonly #known: Uint32Array
  #count = 0

  /** @param ids how many there may be */
  constructor(ids: number) {
    this.#ids = new IdNumbers(ids)
    this.#known = new Uint32Array(2 * this.#ids.places)
  }

  /** Expects an id of a slot once more, or notes that it is a dead letter. */
  expect(id: string, group: number, isDead = false): void {
    this.#change(id, group, (known) => (isDead ? { ...known, dead: true } : { ...known, expected: known.expected + 1 }))
  }

  /** Notes that the source's list has an id for a slot. */
  list(id: string, group: number): void {
    this.#change(id, group, (known) => ({ ...known, listed: true }))
  }

  /** Counts an id as found; undefined if it isn't in the table. */
  find(id: string): KnownId | undefined {
    const at = this.#ids.place(idWords(id))
    if (!this.#ids.has(at)) return undefined
    const known = this.#read(at)
    const after = { ...known, found: known.found + 1 }
    this.#write(at, after)
    return after
  }

  /** In no particular order. */
  *all(): Generator<KnownId & { id: string }> {
    for (let at = 0; at < this.#ids.places; at++)
      if (this.#ids.has(at)) yield { id: idText(this.#ids.words(at)), ...this.#read(at) }
  }

  #change(id: string, group: number, change: (known: KnownId) => KnownId): void {
    const words = idWords(id)
    const at = this.#ids.place(words)
    const isNew = !this.#ids.has(at)
    const blank = { order: this.#count, group, expected: 0, found: 0, listed: false, dead: false }
    this.#write(at, change(isNew ? blank : this.#read(at)))
    if (!isNew) return
    if (++this.#count * 2 > this.#ids.places) throw new RangeError('more ids than there is room for')
    this.#ids.put(at, words)
  }

  #read(at: number): KnownId {
    const [order = 0, bits = 0] = this.#known.subarray(2 * at, 2 * at + 2)
    return {
      order,
      group: bits >>> 12,
      expected: bits & mostCounted,
      found: (bits >>> 4) & mostCounted,
      listed: (bits & 0x100) !== 0,
      dead: (bits & 0x200) !== 0,
    }
  }

  #write(at: number, { order, group, expected, found, listed, dead }: KnownId): void {
    const counts = Math.min(mostCounted, expected) | (Math.min(mostCounted, found) << 4)
    const bits = (group << 12) | counts | (listed ? 0x100 : 0) | (dead ? 0x200 : 0)
    this.#known.set([order, bits >>> 0], 2 * at)
  }
}

function idWords(id: string): IdWords {
  const digits = id.replaceAll('-', '')
  return [hexNumber(digits, 0, 8), hexNumber(digits, 8, 8), hexNumber(digits, 16, 8), hexNumber(digits, 24, 8)]
}

function idText(words: Uint32Array): string {
  const digits = [...words].map((word) => word.toString(16).padStart(8, '0')).join('')
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
