/**
 * The tasks that earlier runs stored of a slot: the exact id of each, and a fingerprint of its place. So a slot that is
 * read again isn't stored again, and another list isn't mistaken for the same one.
 *
 * It takes 25 bytes for each entry of a table that is at most half full, 50 MiB for a million tasks. Tasks beyond that
 * are left to the Bloom filters and the comparison of suspects, which are slower.
 */
import { hash } from 'node:crypto'
import { sumOf } from '../../lists.js'
import type { Outbox, RunRow } from '../../outbox/outbox.js'
import { hexNumber } from '../../tasks/id.js'
import { IdNumbers, type IdWords } from '../../tasks/ids/numbers.js'
import { SeenIds } from '../../tasks/ids/seen.js'
import { type Place, placeOfTask, placeText } from '../../tasks/place.js'

const mostTasks = 2 ** 20

/** The tasks that a slot has, before a run of it is read or continued. */
export interface KnownTasks {
  /** The ids that the run itself stored, and those of earlier runs that don't fit into `served`. */
  readonly seen: SeenIds
  readonly served: ServedTasks
}

export async function knownOf(of: RunRow, { intake, ledger }: Outbox): Promise<KnownTasks> {
  const own = of.id
  const compared = await ledger.comparedWith(of)
  const earlier = compared.filter(({ id }) => id !== own)
  const seen = new SeenIds()
  const served = new ServedTasks(sumOf(earlier, ({ persisted }) => persisted))
  for await (const { run, ids, parsed } of intake.idsOf(compared)) {
    for (const [index, id] of ids.entries()) {
      const digits = id.replaceAll('-', '')
      // guard: served-known
      if (run !== own && served.add(digits, placeOfTask(parsed[index] ?? {}))) continue
      seen.add(digits)
    }
  }
  return { seen, served }
}

class ServedTasks {
  readonly #ids: IdNumbers
  /** For each id, the two words of its place's fingerprint. */
  readonly #places: Uint32Array
  /** For each id, 1 once it was looked up. */
  readonly #found: Uint8Array
  #count = 0

  /** @param tasks the most there may be */
  constructor(tasks: number) {
    this.#ids = new IdNumbers(Math.min(tasks, mostTasks))
    this.#places = new Uint32Array(2 * this.#ids.places)
    this.#found = new Uint8Array(this.#ids.places)
  }

  /** Adds a task of an earlier run, by the 32 digits of its id; false if there is no room. */
  add(id: string, place: string): boolean {
    if (this.#count === mostTasks) return false
    this.#count++
    const words = hashWords(id)
    const at = this.#ids.place(words)
    this.#ids.put(at, words)
    this.#places.set(fingerprint(place), 2 * at)
    return true
  }

  /** What is stored under a task's id: its own place (`again` if it was looked up before), another one, or nothing. */
  look(digits: string, place: Place): 'same place' | 'same place again' | 'other place' | undefined {
    if (this.#count === 0) return undefined
    const at = this.#ids.place(hashWords(digits))
    if (!this.#ids.has(at)) return undefined
    const [first, second] = fingerprint(placeText(place))
    if (this.#places[2 * at] !== first || this.#places[2 * at + 1] !== second) return 'other place'
    const wasFound = this.#found[at] === 1
    this.#found[at] = 1
    return wasFound ? 'same place again' : 'same place'
  }
}

/** Without digits 12 and 16, a UUID's version and variant: the others are the hash. */
const hashWords = (id: string): IdWords => [
  hexNumber(id, 24, 8),
  hexNumber(id, 0, 8),
  hexNumber(id, 8, 4) * 0x1000 + hexNumber(id, 13, 3),
  hexNumber(id, 17, 7),
]

function fingerprint(place: string): [first: number, second: number] {
  const digits = hash('sha1', place, 'hex')
  return [hexNumber(digits, 0, 8), hexNumber(digits, 8, 8)]
}
