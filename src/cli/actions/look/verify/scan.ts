/** One walk through all that the sink holds, the oldest first: which tasks are there, and what else. */
import type { OwnSlots } from '../../../../outbox/inspect/ids/own-slots.js'
import type { Receipt, Sink } from '../../../../plugin.js'
import { IdSum } from '../../../../tasks/ids/sum.js'
import { reachesBackTo, removersOf } from '../sink.js'

/** What the sink has of a slot. */
export interface Found {
  /** The receipt of the slot and its shard; undefined where there is none. */
  readonly receipt: Receipt | undefined
  /** Whether the sink, which is full, no longer reaches back to the slot's first entry, or to its last one. */
  readonly isTrimmed: boolean
  readonly isGone: boolean
  /** Whether readers take away what they have done: what is missing may be that. */
  readonly isTakenFrom: boolean
  /** Tasks of the slot that stand before its first or behind its last entry. */
  outside: number
  /** Between the two: tasks that the outbox no longer knows, or that are somebody else's; and the sum of their ids. */
  unknown: number
  readonly unknownSum: IdSum
}

/** Notes in `ids` what is found. */
export async function scan(
  sink: Sink,
  { slots, ids }: Pick<OwnSlots, 'slots' | 'ids'>,
  receipts: readonly (Receipt | undefined)[],
): Promise<{ found: Found[]; entries: number }> {
  const found: Found[] = []
  const removers = await removersOf(sink)
  for (const [number] of slots.entries()) found.push(await beginning(sink, receipts[number], removers))
  const ranges = new Ranges(found)
  let entries = 0
  for await (const { id, taskId } of sink.entries?.() ?? []) {
    entries++
    ranges.enter(id)
    const known = taskId === '' ? undefined : ids.find(taskId)
    const own = known && found[known.group]
    // One that is there twice is told of by itself.
    if (own && known.found <= known.expected && hasRange(own) && !ranges.open.has(own)) own.outside++
    // A task that only the list has told of may be one of those that the outbox no longer keeps.
    const isUnknown = !known || (known.expected === 0 && !known.dead)
    if (isUnknown && taskId !== '')
      for (const slot of ranges.open) {
        slot.unknown++
        slot.unknownSum.add(taskId)
      }
    ranges.leave(id)
  }
  return { found, entries }
}

async function beginning(
  sink: Sink,
  receipt: Receipt | undefined,
  { isFull: trims, readersRemove: isTakenFrom }: Awaited<ReturnType<typeof removersOf>>,
): Promise<Found> {
  const [first, last] = [receipt?.firstEntry ?? undefined, receipt?.lastEntry ?? undefined]
  const lacksFirst = first !== undefined && !(await reachesBackTo(sink, first))
  return {
    receipt,
    isTrimmed: trims && lacksFirst,
    isGone: trims && last !== undefined && !(await reachesBackTo(sink, last)),
    isTakenFrom,
    outside: 0,
    unknown: 0,
    unknownSum: new IdSum(),
  }
}

/** Whether the sink says where the slot begins and ends. */
export const hasRange = ({ receipt }: Found): boolean => Boolean(receipt?.firstEntry && receipt.lastEntry)

/**
 * The slots between the first and the last entry of which the walk is. Those two may be gone: where entries are named
 * by numbers, as in `1732000000000-0` and `line 17`, a range begins and ends where they would stand.
 */
class Ranges {
  readonly open = new Set<Found>()
  /** Those that begin later, the next one last. */
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
    const at = orderOf(id)
    for (let next = this.#later.at(-1); next && next.from <= at; next = this.#later.at(-1)) {
      this.open.add(next.slot)
      this.#later.pop()
    }
    for (const slot of this.#begin.get(id) ?? []) this.open.add(slot)
    for (const slot of this.open) if ((this.#ends.get(slot) ?? at) < at) this.open.delete(slot)
  }

  leave(id: string): void {
    for (const slot of this.#end.get(id) ?? []) this.open.delete(slot)
  }
}

interface Range {
  readonly slot: Found
  readonly from: string
}

/** Whether two names of entries differ in their numbers only. */
const isNumbered = (first: string, last: string): boolean =>
  /\d/.test(first) && first.replace(/\d+/g, '0') === last.replace(/\d+/g, '0')

/** An entry's name, so that texts compare as its numbers do. */
const orderOf = (id: string): string => id.replace(/\d+/g, (digits) => digits.padStart(20, '0'))
