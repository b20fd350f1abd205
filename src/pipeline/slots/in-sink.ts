/**
 * What the sink has of each slot, by its receipts, from the view of one shard. A slot is delivered in one number of
 * shards. Whether one is served is decided here for all: continuing after it, backfill and verify.
 *
 *     this shard's own receipt, or all of another number    served
 *     some of another number                                begun: this shard's share of it may be there, or not
 *     none, or only those of other shards of this number    neither
 */
import { groupedBy } from '../../lists.js'
import type { Receipt } from '../../plugin.js'
import { missingOf, type Shard } from '../../tasks/shard.js'
import { byTime } from '../../tasks/slot.js'

/** A slot that was begun in another number of shards and isn't whole. */
export interface Begun {
  readonly slot: string
  readonly shards: number
  readonly missing: readonly number[]
}

export interface InSink {
  /** One receipt for each slot, oldest first: for another number of shards, that of the longest interval. */
  readonly served: readonly Receipt[]
  /** Oldest first. */
  readonly begun: readonly Begun[]
}

export function inSink(receipts: readonly Receipt[], shard: Shard): InSink {
  const served: Receipt[] = []
  const begun: Begun[] = []
  const bySlot = [...groupedBy(standing(receipts), ({ slot }) => slot)]
  for (const [slot, ofSlot] of bySlot.sort(([a], [b]) => byTime(a, b))) {
    const own = ownReceipt(ofSlot, shard)
    const others = [...new Set(ofSlot.map((receipt) => receipt.shards))].filter((count) => count !== shard.count)
    const parts = others.map((count) => partsOf(ofSlot, count))
    const whole = own ?? parts.find(({ missing }) => missing.length === 0)?.longest
    if (whole) served.push(whole)
    else begun.push(...parts.map((part) => ({ slot, shards: part.shards, missing: part.missing })))
  }
  return { served, begun }
}

/** The shard's own receipt among those of one slot. */
export const ownReceipt = (ofSlot: readonly Receipt[], { index, count }: Shard): Receipt | undefined =>
  ofSlot.find(({ shard, shards }) => shard === index && shards === count)

/** Without receipts whose tasks were lost together with what held them: a lost slot isn't served. */
export function standing(receipts: readonly Receipt[]): readonly Receipt[] {
  // guard: receipts-stand
  return receipts.filter(({ isGone = false }) => !isGone)
}

function partsOf(ofSlot: readonly Receipt[], shards: number) {
  const there = ofSlot.filter((receipt) => receipt.shards === shards)
  const missing = missingOf(shards, (shard) => there.some((receipt) => receipt.shard === shard))
  const fromOf = ({ slot, interval }: Receipt): number => Date.parse(interval?.from ?? slot)
  return { shards, missing, longest: there.toSorted((a, b) => fromOf(a) - fromOf(b))[0] }
}
