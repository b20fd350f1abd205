/** Walks through everything in the sink once, the oldest first: which tasks are there, and what else. */
import type { OwnSlots } from '../../../../outbox/inspect/ids/own-slots.js'
import type { Receipt, Sink } from '../../../../plugin.js'
import { IdSum } from '../../../../tasks/ids/sum.js'
import { reachesBackTo, removersOf } from '../sink.js'

/** What the sink has of a slot. */
export interface Found {
  /** The receipt of the slot and shard; undefined if there is none. */
  readonly receipt: Receipt | undefined
  /** Whether the sink is full and no longer reaches back to the slot's first entry. */
  readonly isTrimmed: boolean
  /** The same of its last entry. */
  readonly isGone: boolean
  /** Whether readers remove what they have processed, which missing tasks may be. */
  readonly isTakenFrom: boolean
  /** Tasks of the slot before its first entry or after its last one. */
  outside: number
  /** Tasks between the two that the outbox no longer knows, or that another outbox delivered. */
  unknown: number
  /** The sum of their ids. */
  readonly unknownSum: IdSum
}

/**
 * Also marks in `ids` what it finds.
 * @param receipts those of the outbox's slots
 * @param others those of slots that the outbox doesn't know
 */
export async function scan(
  sink: Sink,
  { slots, ids }: Pick<OwnSlots, 'slots' | 'ids'>,
  receipts: readonly (Receipt | undefined)[],
  others: readonly Receipt[],
): Promise<{ found: Found[]; foundOthers: Found[]; entries: number }> {
  const found: Found[] = []
  const removers = await removersOf(sink)
  for (const [number] of slots.entries()) found.push(await beginning(sink, receipts[number], removers))
  const foundOthers: Found[] = []
  for (const receipt of others) foundOthers.push(await beginning(sink, receipt, removers))
  const ranges = new Ranges([...found, ...foundOthers])
  let entries = 0
  for await (const { id, taskId } of sink.entries?.() ?? []) {
    entries++
    ranges.enter(id)
    const known = taskId === '' ? undefined : ids.find(taskId)
    const own = known && found[known.group]
    // Duplicates are reported separately.
    if (own && known.found <= known.expected && hasRange(own) && !ranges.open.has(own)) own.outside++
    // A task known only from the list may be one that the outbox no longer keeps.
    const isUnknown = !known || (known.expected === 0 && !known.dead)
    if (isUnknown && taskId !== '')
      for (const slot of ranges.open) {
        slot.unknown++
        slot.unknownSum.add(taskId)
      }
    ranges.leave(id)
  }
  return { found, foundOthers, entries }
}

async function beginning(
  sink: Sink,
  receipt: Receipt | undefined,
  { isFull: trims, readersRemove: isTakenFrom }: Awaited<ReturnType<typeof removersOf>>,
): Promise<Found> {
  const [first, last] = [receipt?.firstEntry ?? undefined, receipt?.lastEntry ?? undefined]
  return {
    receipt,
    isTrimmed: trims && first !== undefined && !(await reachesBackTo(sink, first)),
    isGone: trims && last !== undefined && !(await reachesBackTo(sink, last)),
    isTakenFrom,
    outside: 0,
    unknown: 0,
    unknownSum: new IdSum(),
  }
}

/** Whether the receipt says where the slot begins and ends. */
export const hasRange = ({ receipt }: Found): boolean => Boolean(receipt?.firstEntry && receipt.lastEntry)

/**
 * The slots whose range (first to last entry) the walk is in. Both entries may be gone: if entry names are numbered,
 * such as `1732000000000-0` and `line 17`, a range begins and ends where they would be.
 */
class Ranges {
  readonly open = new Set<Found>()
  /** Those still to begin, the next one last. */
  readonly #later: Range[] = []
  readonly #ends = new Map<Found, string>()
  readonly #begin = new Map<string, Found[]>()
  readonly #end = new Map<string, Found[]>()

  constructor(slots: readonly Found[]) {
    for (const slot of slots) {
      const { firstEntry, lastEntry } = slot.receipt ?? {}
      if (!firstEntry || !lastEntry || slot.isGone) continue
      this.#end.set(lastEntry, [...(this.#end.get(lastEntry) ?? []), slot])
      if (isNumbered(firstEntry, lastEntry)) {
        this.#later.push({ slot, from: orderOf(firstEntry) })
        this.#ends.set(slot, orderOf(lastEntry))
      } else if (slot.isTrimmed) this.open.add(slot)
      else this.#begin.set(firstEntry, [...(this.#begin.get(firstEntry) ?? []), slot])
    }
    this.#later.sort((one, other) => (one.from < other.from ? 1 : -1))
  }

  enter(id: string): void {
    const order = orderOf(id)
    for (let next = this.#later.at(-1); next && next.from <= order; next = this.#later.at(-1)) {
      this.open.add(next.slot)
      this.#later.pop()
    }
    for (const slot of this.#begin.get(id) ?? []) this.open.add(slot)
    for (const slot of this.open) if ((this.#ends.get(slot) ?? order) < order) this.open.delete(slot)
  }

  leave(id: string): void {
    for (const slot of this.#end.get(id) ?? []) this.open.delete(slot)
  }
}

interface Range {
  readonly slot: Found
  readonly from: string
}

/** Whether two entry names differ only in their numbers. */
const isNumbered = (first: string, last: string): boolean =>
  /\d/.test(first) && first.replace(/\d+/g, '0') === last.replace(/\d+/g, '0')

/** An entry's name, padded so that it sorts by its numbers. */
const orderOf = (id: string): string => id.replace(/\d+/g, (digits) => digits.padStart(20, '0'))
