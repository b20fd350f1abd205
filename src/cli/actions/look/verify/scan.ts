/** One walk through all that the sink holds, the oldest first: which tasks are there, and what else. */
import type { Held } from '../../../../outbox/inspect/ids/held.js'
import type { Receipt, Sink } from '../../../../plugin.js'
import { IdSum } from '../../../../tasks/id-sum.js'

/** What the sink has of a slot. */
export interface Found {
  /** The receipt of the slot and its shard; undefined where there is none. */
  readonly receipt: Receipt | undefined
  /** Whether the sink no longer reaches back to the slot's first entry, or to its last one. */
  readonly isTrimmed: boolean
  readonly isGone: boolean
  /** Tasks of the slot that stand before its first or behind its last entry. */
  outside: number
  /** Between the two: tasks that the outbox no longer knows, or that are somebody else's; and the sum of their ids. */
  unknown: number
  readonly unknownSum: IdSum
}

/** Notes in `ids` what is found. */
export async function scan(
  sink: Sink,
  { slots, ids }: Pick<Held, 'slots' | 'ids'>,
  receipts: readonly (Receipt | undefined)[],
): Promise<{ found: Found[]; entries: number }> {
  const found: Found[] = []
  for (const [number] of slots.entries()) found.push(await beginning(sink, receipts[number]))
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
        slot.unknownSum.add(taskId.replaceAll('-', ''))
      }
    ranges.leave(id)
  }
  return { found, entries }
}

async function beginning(sink: Sink, receipt: Receipt | undefined): Promise<Found> {
  const [first, last] = [receipt?.firstEntry ?? undefined, receipt?.lastEntry ?? undefined]
  return {
    receipt,
    isTrimmed: first !== undefined && !(await reachesBackTo(sink, first)),
    isGone: last !== undefined && !(await reachesBackTo(sink, last)),
    ...{ outside: 0, unknown: 0, unknownSum: new IdSum() },
  }
}

/** Whether the sink has this entry or an older one. */
async function reachesBackTo({ entries }: Sink, entry: string): Promise<boolean> {
  for await (const _ of entries?.(undefined, entry) ?? []) return true
  return false
}

/** Whether the sink says where the slot begins and ends. */
export const hasRange = ({ receipt }: Found): boolean => Boolean(receipt?.firstEntry && receipt.lastEntry)

/** The slots between the first and the last entry of which the walk is. */
class Ranges {
  readonly open = new Set<Found>()
  readonly #begin = new Map<string, Found[]>()
  readonly #end = new Map<string, Found[]>()

  constructor(slots: readonly Found[]) {
    for (const slot of slots) {
      const { firstEntry, lastEntry } = slot.receipt ?? {}
      if (!firstEntry || !lastEntry || slot.isGone) continue
      if (slot.isTrimmed) this.open.add(slot)
      else this.#begin.set(firstEntry, [...(this.#begin.get(firstEntry) ?? []), slot])
      this.#end.set(lastEntry, [...(this.#end.get(lastEntry) ?? []), slot])
    }
  }

  enter(id: string): void {
    for (const slot of this.#begin.get(id) ?? []) this.open.add(slot)
  }

  leave(id: string): void {
    for (const slot of this.#end.get(id) ?? []) this.open.delete(slot)
  }
}
