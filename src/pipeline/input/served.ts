/**
 * What earlier runs have stored of a slot: the id of each task, exactly, and a fingerprint of its place. So a slot that
 * is there already is read without being stored once more, and another list isn't taken for the same one.
 *
 * A hash table in one piece of memory, 25 bytes for each of at most twice as many places: 50 MiB for a million tasks.
 * Tasks beyond that are left to the Bloom filters and the comparison of suspects, which are slower.
 */
import { hash } from 'node:crypto'
import type { Outbox, RunRow } from '../../outbox/outbox.js'
import { hexNumber } from '../../tasks/id.js'
import { type Place, placeOfTask, placeText } from '../../tasks/place.js'
import { SeenIds } from '../../tasks/seen.js'

const mostTasks = 2 ** 20

/** What a slot holds already, before a run of it is read on. */
export interface Known {
  /** The ids that the run itself has stored, and those of earlier runs for which `served` has no room. */
  readonly seen: SeenIds
  readonly served: ServedTasks
}

export async function knownOf({ id: own, slot, again }: RunRow, { intake, ledger }: Outbox): Promise<Known> {
  const earlier = (await ledger.ofSlot(slot)).filter(({ id }) => id !== own && !again)
  const seen = new SeenIds()
  const served = new ServedTasks(earlier.reduce((sum, { persisted }) => sum + persisted, 0))
  for await (const { run, ids, parsed } of intake.idsOfSlot(slot)) {
    if (again && run !== own) continue
    for (const [index, id] of ids.entries()) {
      const digits = id.replaceAll('-', '')
      // guard: served-known
      if (run !== own && served.add(digits, placeOfTask(parsed[index] ?? {}))) continue
      seen.add(digits)
    }
  }
  return { seen, served }
}

/** 32-bit words of an entry: four of the id, two of the place. */
const words = 6

export class ServedTasks {
  readonly #entries: Uint32Array
  /** Of each entry, 1 once it was looked for. */
  readonly #found: Uint8Array
  readonly #mask: number
  #count = 0

  /** @param tasks how many there may be */
  constructor(tasks: number) {
    const places = 2 ** Math.ceil(Math.log2(2 * Math.min(tasks, mostTasks) + 2))
    this.#mask = places - 1
    this.#entries = new Uint32Array(places * words)
    this.#found = new Uint8Array(places)
  }

  /** Notes a task of an earlier run, by the 32 digits of its id; false where there is no room for it. */
  add(id: string, place: string): boolean {
    if (this.#count === mostTasks) return false
    this.#count++
    const entry = entryOf(id, place)
    this.#entries.set(entry, this.#find(entry))
    return true
  }

  /** What is known under a task's id: its own place, which may have been looked for before, another one, or nothing. */
  look(digits: string, place: Place): 'same place' | 'same place again' | 'other place' | undefined {
    if (this.#count === 0) return undefined
    const entry = entryOf(digits, placeText(place))
    const at = this.#find(entry)
    if (this.#isFree(at)) return undefined
    if (this.#entries[at + 4] !== entry[4] || this.#entries[at + 5] !== entry[5]) return 'other place'
    const wasFound = this.#found[at / words] === 1
    this.#found[at / words] = 1
    return wasFound ? 'same place again' : 'same place'
  }

  /** Where an id stands, or would. */
  #find(entry: Uint32Array): number {
    const entries = this.#entries
    for (let place = (entry[0] ?? 0) & this.#mask; ; place = (place + 1) & this.#mask) {
      const at = place * words
      if (this.#isFree(at)) return at
      const isIt = entries[at] === entry[0] && entries[at + 1] === entry[1] && entries[at + 2] === entry[2]
      if (isIt && entries[at + 3] === entry[3]) return at
    }
  }

  #isFree(at: number): boolean {
    const entries = this.#entries
    return entries[at] === 0 && entries[at + 1] === 0 && entries[at + 2] === 0 && entries[at + 3] === 0
  }
}

/** The digits 12 and 16 say which kind of a UUID it is: the others are the hash. */
function entryOf(id: string, place: string): Uint32Array {
  const fingerprint = hash('sha1', place, 'hex')
  return Uint32Array.of(
    hexNumber(id, 24, 8),
    hexNumber(id, 0, 8),
    hexNumber(id, 8, 4) * 0x1000 + hexNumber(id, 13, 3),
    hexNumber(id, 17, 7),
    hexNumber(fingerprint, 0, 8),
    hexNumber(fingerprint, 8, 8),
  )
}
