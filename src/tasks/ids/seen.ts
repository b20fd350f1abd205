import { hexNumber } from '../id.js'

/**
 * Which task ids a slot has had: Bloom filters of 22 MiB at most, so that memory
 * doesn't grow with the number of locations. "No" is certain; "maybe" makes a
 * suspect, which the outbox decides exactly once the run is read.
 *
 * Blocked after Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient
 * Bloom Filters" (2007): all bits of an id lie in one cache line. By that paper's
 * sum 1 in 5,700 of 10 million ids is a false suspect, 1 in 121 of 20 million;
 * of a million it is a few.
 */
const probes = 8
/** The first filter has 2 MiB, later ones have more: touching memory for the first time is what costs. */
const later = [
  { from: 2 ** 17, MiB: 4 },
  { from: 2 ** 20, MiB: 16 },
]
const filter = (MiB: number): Uint32Array => new Uint32Array(MiB * 2 ** 18)

export class SeenIds {
  readonly #full: Uint32Array[] = []
  #filling = filter(2)
  #count = 0

  /** Notes an id, by its 32 lower-case hexadecimal digits; true where it may have been noted before. */
  add(id: string): boolean {
    const next = later[this.#full.length]
    if (this.#count++ === next?.from) {
      this.#full.push(this.#filling)
      this.#filling = filter(next.MiB)
    }
    // A UUIDv5 is a hash already: its digits are the randomness, but for those of its version and variant.
    const block = hexNumber(id, 0, 6)
    const first = hexNumber(id, 20, 6)
    const step = hexNumber(id, 26, 6) | 1
    for (const words of this.#full) if (look(words, block, first, step, false)) return true
    return look(this.#filling, block, first, step, true)
  }
}

/** Whether all bits of an id are set in its block; sets them where told to. */
function look(words: Uint32Array, block: number, first: number, step: number, set: boolean): boolean {
  const start = (block * 16) % words.length // blocks of 512 bits
  let seen = true
  let at = first
  for (let probe = 0; probe < probes; probe++) {
    at = (Math.imul(at, 0x9e3779b1) + step) | 0
    const bit = at >>> 23 // the highest nine depend on all below them
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
