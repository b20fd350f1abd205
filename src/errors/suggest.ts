import { closest, distance } from 'fastest-levenshtein'

/** The greatest edit distance from the name that was meant. */
const farthest = (given: string): number => Math.max(2, given.length / 3)

/** So that `min_locations` and `minlocations` match `minLocations`. */
const plain = (name: string): string => name.toLowerCase().replace(/[-_]/g, '')

/** The known name that a misspelt one most likely means, or undefined. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined
  const names = new Map(known.map((name) => [plain(name), name]))
  const found = closest(plain(given), [...names.keys()])
  return distance(plain(given), found) <= farthest(given) ? names.get(found) : undefined
}

/** Finds the nearest of names that come one by one, and keeps no other in memory. */
export class Nearest {
  found: string | undefined
  readonly #given: string
  #distance: number

  constructor(given: string) {
    this.#given = given.toLowerCase()
    this.#distance = farthest(given)
  }

  offer(name: string): void {
    if (Math.abs(name.length - this.#given.length) > this.#distance) return
    const own = distance(this.#given, name.toLowerCase())
    if (own > this.#distance || (own === this.#distance && this.found !== undefined)) return
    this.found = name
    this.#distance = own
  }
}
