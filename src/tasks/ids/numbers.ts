/** Numbers ids: an open-addressing hash table in one block of memory, 16 bytes for each of its places. */

/** The 128 bits of an id, or of a key that stands for it. They must not all be 0, which no UUID's are. */
export type IdWords = readonly [first: number, second: number, third: number, fourth: number]

export class IdNumbers {
  /** Each id's number is below this: the length of an array with something about each id. */
  readonly places: number
  readonly #words: Uint32Array

  /** @param ids the most there may be: at most half of the places are taken */
  constructor(ids: number) {
    this.places = 2 ** Math.ceil(Math.log2(2 * ids + 2))
    this.#words = new Uint32Array(4 * this.places)
  }

  /** The number that an id has, or that `put` would give it: see `has`. */
  place([first, second, third, fourth]: IdWords): number {
    const [words, mask] = [this.#words, this.places - 1]
    for (let place = (first ^ fourth) & mask; ; place = (place + 1) & mask) {
      if (!this.has(place)) return place
      const at = 4 * place
      if (words[at] === first && words[at + 1] === second && words[at + 2] === third && words[at + 3] === fourth)
        return place
    }
  }

  has(place: number): boolean {
    const [words, at] = [this.#words, 4 * place]
    return words[at] !== 0 || words[at + 1] !== 0 || words[at + 2] !== 0 || words[at + 3] !== 0
  }

  put(place: number, words: IdWords): void {
    this.#words.set(words, 4 * place)
  }

  words(place: number): Uint32Array {
    return this.#words.subarray(4 * place, 4 * place + 4)
  }
}
