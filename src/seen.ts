/**
 * Which task ids a slot has had: a Bloom filter of fixed size, so that memory
 * doesn't grow with the number of locations. "No" is certain; "maybe" makes a
 * suspect, which the outbox decides exactly once the run is read.
 *
 * Blocked after Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient
 * Bloom Filters" (2007): all bits of an id lie in one cache line. At 10 million
 * ids about 1 in 200 is a false suspect, at 1 million less than 1 in 100,000.
 */
const bits = 2 ** 27 // 16 MiB
const blocks = bits / 512
const probes = 8

export class SeenIds {
  readonly #words = new Uint32Array(bits / 32)

  /** Notes an id, by its 32 lower-case hexadecimal digits; true where it may have been noted before. */
  add(id: string): boolean {
    // A UUIDv5 is a hash already: its digits are the randomness, but for those of its version and variant.
    const block = (digits(id, 0, 8) % blocks) * 16
    let first = digits(id, 20, 26)
    const step = digits(id, 26, 32) | 1
    let seen = true
    for (let probe = 0; probe < probes; probe++) {
      const bit = (first >>> 4) & 511
      const word = block + (bit >>> 5)
      const mask = 1 << (bit & 31)
      const held = this.#words[word] ?? 0
      if ((held & mask) === 0) {
        seen = false
        this.#words[word] = held | mask
      }
      first = (Math.imul(first, 0x9e3779b1) + step) >>> 0
    }
    return seen
  }
}

/** `Number.parseInt(id.slice(from, to), 16)`, without a string for it. */
function digits(id: string, from: number, to: number): number {
  let value = 0
  for (let index = from; index < to; index++) {
    const code = id.charCodeAt(index)
    value = value * 16 + code - (code > 0x60 ? 0x57 : 0x30)
  }
  return value
}
