import { hexNumber } from '../id.js'

/**
 * The task ids that a slot has had, in Bloom filters of 22 MiB at most, so that
 * memory doesn't grow with the number of locations. "No" is certain; "maybe" makes
 * a suspect, which is compared exactly once the run is read.
 *
 * Blocked as in Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom
 * Filters" (2007): all bits of an id are in one cache line. By that paper's formula
 * 1 in 5,700 of 10 million ids is a false suspect, 1 in 121 of 20 million; of a
 * million ids, a few are.
 */
const probes = 8
/** The first filter is small, 2 MiB: touching memory for the first time is what costs. */
const later = [
  { from: 2 ** 17, MiB: 4 },
  { from: 2 ** 20, MiB: 16 },
]
const filter = (MiB: number): Uint32Array => new Uint32Array(MiB * 2 ** 18)

export class SeenIds {
  readonly #full: Uint32Array[] = []
  #filling = filter(2)
  #count = 0

  /** Adds an id, by its 32 lower-case hexadecimal digits; true if it may have been added before. */
  add(id: string): boolean {
    const next = later[this.#full.length]
    if (this.#count++ === next?.from) {
      this.#full.push(this.#filling)
      this.#filling = filter(next.MiB)
    }
    // A UUIDv5 is a hash already: all its digits but those of version and variant are random.
    const block = hexNumber(id, 0, 6)
    const first = hexNumber(id, 20, 6)
    const step = hexNumber(id, 26, 6) | 1
    for (const words of this.#full) if (hasBits(words, block, first, step, false)) return true
    return hasBits(this.#filling, block, first, step, true)
  }
}

/** Whether all bits of an id are set in its block; with `set`, sets them. */
function hasBits(words: Uint32Array, block: number, first: number, step: number, set: boolean): boolean {
  const start = (block * 16) % words.length // blocks of 512 bits
  let seen = true
  let at = first
  for (let probe = 0; probe < probes; probe++) {
    at = (Math.imul(at, 0x9e3779b1) + step) | 0
    const bit = at >>> 23 // the highest nine bits depend on all the others
    const word = start + (bit >>> 5)
    const mask = 1 << (bit & 31)
    const held = words[word] ?? 0
    if ((held & mask) === 0) {
      seen = false
      if (!set) break
      words[word] = held | mask
    }
  }
  return seen
}
