/**
 * What earlier runs have stored of a slot: the id of each task, exactly, and a fingerprint of its place. So a slot that
 * is there already is read without being stored once more, and another list isn't taken for the same one.
 *
 * It takes 25 bytes for each of at most twice as many places, 50 MiB for a million tasks. Tasks beyond that are left to
 * the Bloom filters and the comparison of suspects, which are slower.
 */
import { hash } from 'node:crypto'
import { sumOf } from '../../lists.js'
import type { Outbox, RunRow } from '../../outbox/outbox.js'
import { currentOf } from '../../outbox/runs/whole-slots.js'
import { hexNumber } from '../../tasks/id.js'
import { IdNumbers, type IdWords } from '../../tasks/ids/numbers.js'
import { SeenIds } from '../../tasks/ids/seen.js'
import { type Place, placeOfTask, placeText } from '../../tasks/place.js'

const mostTasks = 2 ** 20

/** What a slot holds already, before a run of it is read on. */
export interface KnownTasks {
  /** The ids that the run itself has stored, and those of earlier runs for which `served` has no room. */
  readonly seen: SeenIds
  readonly served: ServedTasks
}

export async function knownOf(of: RunRow, { intake, ledger }: Outbox): Promise<KnownTasks> {
  const own = of.id
  const ofSlot = of.again ? [of] : currentOf(await ledger.ofSlot(of.slot))
  const earlier = ofSlot.filter(({ id }) => id !== own)
  const seen = new SeenIds()
  const served = new ServedTasks(sumOf(earlier, ({ persisted }) => persisted))
  for await (const { run, ids, parsed } of intake.idsOf(ofSlot)) {
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
  /** Of each id two words of its place's fingerprint. */
  readonly #places: Uint32Array
  /** Of each id, 1 once it was looked for. */
  readonly #found: Uint8Array
  #count = 0

  /** @param tasks how many there may be */
  constructor(tasks: number) {
    this.#ids = new IdNumbers(Math.min(tasks, mostTasks))
    this.#places = new Uint32Array(2 * this.#ids.places)
    this.#found = new Uint8Array(this.#ids.places)
  }

  /** Notes a task of an earlier run, by the 32 digits of its id; false where there is no room for it. */
  add(id: string, place: string): boolean {
    if (this.#count === mostTasks) return false
    this.#count++
    const words = hashWords(id)
    const at = this.#ids.place(words)
    this.#ids.put(at, words)
    this.#places.set(fingerprint(place), 2 * at)
    return true
  }

  /** What is known under a task's id: its own place, which may have been looked for before, another one, or nothing. */
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

/** The digits 12 and 16 say which kind of a UUID it is: the others are the hash. */
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
