/**
 * What the sink has of each slot, by its receipts, for one shard. A slot is delivered in one number of shards: whoever
 * asks whether one is served, to go on behind it, to backfill it or to verify it, asks here.
 *
 *     this shard's own receipt, or all of another number    served
 *     some of another number                                begun: this shard's share of it may be there, or not
 *     none, or only those of other shards of this number    neither
 */
import type { Receipt } from '../../plugin.js'
import { byTime, missingOf, type Shard } from '../../tasks/slot.js'

/** A slot that was begun in another number of shards, and isn't whole. */
export interface Begun {
  readonly slot: string
  readonly shards: number
  readonly missing: readonly number[]
}

export interface InSink {
  /** A receipt for each slot, the oldest first: of one in another number, that of the longest interval. */
  readonly served: readonly Receipt[]
  /** The oldest first. */
  readonly begun: readonly Begun[]
}

export function inSink(receipts: readonly Receipt[], [shard, shards]: Shard): InSink {
  const served: Receipt[] = []
  const begun: Begun[] = []
  for (const [slot, ofSlot] of bySlot(standing(receipts))) {
    const own = ownReceipt(ofSlot, [shard, shards])
    const others = [...new Set(ofSlot.map((receipt) => receipt.shards))].filter((count) => count !== shards)
    const parts = others.map((count) => partsOf(ofSlot, count))
    const whole = own ?? parts.find(({ missing }) => missing.length === 0)?.longest
    if (whole) served.push(whole)
    else begun.push(...parts.map((part) => ({ slot, shards: part.shards, missing: part.missing })))
  }
  return { served, begun }
}

/** A shard's own receipt, of one slot. */
export const ownReceipt = (ofSlot: readonly Receipt[], [shard, shards]: Shard): Receipt | undefined =>
  ofSlot.find((receipt) => receipt.shard === shard && receipt.shards === shards)

/** Those whose tasks weren't lost with what held them: a slot that was lost isn't served. */
export function standing(receipts: readonly Receipt[]): readonly Receipt[] {
  // guard: receipts-stand
  return receipts.filter(({ isGone = false }) => !isGone)
}

function bySlot(receipts: readonly Receipt[]): [string, Receipt[]][] {
  const slots = new Map<string, Receipt[]>()
  for (const receipt of receipts) {
    const ofSlot = slots.get(receipt.slot)
    if (ofSlot) ofSlot.push(receipt)
    else slots.set(receipt.slot, [receipt])
  }
  return [...slots].sort(([one], [other]) => byTime(one, other))
}

function partsOf(ofSlot: readonly Receipt[], shards: number) {
  const there = ofSlot.filter((receipt) => receipt.shards === shards)
  const missing = missingOf(shards, (shard) => there.some((receipt) => receipt.shard === shard))
  const fromOf = ({ slot, interval }: Receipt): number => Date.parse(interval?.from ?? slot)
  return { shards, missing, longest: there.toSorted((one, other) => fromOf(one) - fromOf(other))[0] }
}
