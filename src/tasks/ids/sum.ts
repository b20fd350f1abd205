import { hexNumber } from '../id.js'

/**
 * The sum of task ids modulo 2^128, in four lanes of 32 bits. It proves that a slot has each task once; with XOR, two
 * of the same would cancel out.
 */
export class IdSum {
  readonly #lanes: [number, number, number, number] = [0, 0, 0, 0]
  #sinceCarry = 0

  /** Adds an id by the digits that the encoder returns: sets version and variant. */
  addDigits(digits: string): void {
    this.#add(lane(digits, 0), versioned(lane(digits, 8)), variant(lane(digits, 16)), lane(digits, 24))
  }

  /** Adds another sum, or an id: 32 hexadecimal digits, with hyphens or without. */
  add(sum: string): void {
    const digits = sum.replaceAll('-', '')
    this.#add(lane(digits, 0), lane(digits, 8), lane(digits, 16), lane(digits, 24))
  }

  #add(first: number, second: number, third: number, fourth: number): void {
    const lanes = this.#lanes
    lanes[0] += first
    lanes[1] += second
    lanes[2] += third
    lanes[3] += fourth
    if (++this.#sinceCarry === 2 ** 20) this.#carry() // a lane holds 2^53
  }

  #carry(): void {
    this.#sinceCarry = 0
    const lanes = this.#lanes
    let carried = 0
    for (const index of [3, 2, 1, 0] as const) {
      const sum = lanes[index] + carried
      lanes[index] = sum % 2 ** 32
      carried = Math.floor(sum / 2 ** 32)
    }
  }

  /** 32 hexadecimal digits. */
  toString(): string {
    this.#carry()
    return this.#lanes.map((lane) => lane.toString(16).padStart(8, '0')).join('')
  }
}

/** The total of several sums or ids; null if one of them is null, which means that it isn't known. */
export function sumOfKnown(sums: Iterable<string | null>): string | null {
  const total = new IdSum()
  for (const sum of sums) {
    if (sum === null) return null
    total.add(sum)
  }
  return total.toString()
}

export const zeroSum = '0'.repeat(32)

/** In halves, which are small integers to V8: eight digits at once could be a heap number. */
const lane = (digits: string, at: number): number => hexNumber(digits, at, 4) * 0x10000 + hexNumber(digits, at + 4, 4)

/** A UUID's version, 5, is the 13th of its digits, its variant the highest two bits of the 17th (RFC 9562, 4). */
const versioned = (lane: number): number => ((lane & ~0xf000) | 0x5000) >>> 0
const variant = (lane: number): number => ((lane & 0x3fffffff) | 0x80000000) >>> 0
