import { closest, distance } from 'fastest-levenshtein'

/** How far a name may be from the one that was meant. */
const farthest = (given: string): number => Math.max(2, given.length / 3)

/** `min_locations` and `minlocations` are `minLocations`. */
const plain = (name: string): string => name.toLowerCase().replace(/[-_]/g, '')

/** The known name that a misspelt one most likely stands for, or undefined. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined
  const names = new Map(known.map((name) => [plain(name), name]))
  const found = closest(plain(given), [...names.keys()])
  return distance(plain(given), found) <= farthest(given) ? names.get(found) : undefined
}

/** The same of names that come one by one, of which no other is kept. */
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
