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

  /** Notes a lower-case UUIDv5; true where it may have been noted before. */
  add(id: string): boolean {
    // A UUIDv5 is a hash already: its hexadecimal digits are the randomness.
    const block = (Number.parseInt(id.slice(0, 8), 16) % blocks) * 16
    let first = Number.parseInt(id.slice(24, 30), 16)
    const step = Number.parseInt(id.slice(30, 36), 16) | 1
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
