/** Slots that no run of the outbox knows: only receipts in the sink tell that they were served. Pure. */
import { groupedBy } from '../../../../lists.js'
import type { OwnSlot } from '../../../../outbox/inspect/ids/own-slots.js'
import { inSink, ownReceipt, standing } from '../../../../pipeline/slots/in-sink.js'
import type { Receipt, Sink } from '../../../../plugin.js'
import { IdSum } from '../../../../tasks/ids/sum.js'
import { type Shard, shardNamed, slotFlags } from '../../../../tasks/shard.js'
import { judge, noIds, type Verified } from './judge.js'
import type { Found } from './scan.js'

/** The receipts by which other slots than `known` were served, whether their tasks are still there or not. */
export function servedUnknown(receipts: readonly Receipt[], known: readonly string[], shard: Shard): Receipt[] {
  const isKnown = new Set(known)
  const bySlot = groupedBy(
    receipts.filter(({ slot }) => !isKnown.has(slot)),
    ({ slot }) => slot,
  )
  return [...bySlot.values()].flatMap((ofSlot) => servingIn(ofSlot, shard))
}

/** The shard's own receipt of a slot, or all of another number; those that the sink has lost only if no others are. */
function servingIn(ofSlot: readonly Receipt[], shard: Shard): readonly Receipt[] {
  const own = ownReceipt(ofSlot, shard)
  const others = groupedBy(
    ofSlot.filter(({ shards }) => shards !== shard.count),
    ({ shards }) => shards,
  )
  const whole = [...others].filter(([shards, parts]) => parts.length === shards).map(([, parts]) => parts)
  const complete = [...(own ? [[own]] : []), ...whole]
  return complete.find((parts) => standing(parts).length === parts.length) ?? complete[0] ?? []
}

/**
 * Judges a receipt as if a run had been noted for it.
 * @param isSharded whether the configuration reads a shard
 */
export function judgeByReceipt(
  receipt: Receipt,
  found: Found,
  { all, isSharded }: { readonly all: readonly Receipt[]; readonly isSharded: boolean },
  seen: { readonly sink: Sink; readonly isHeld: boolean; readonly isEmpty: boolean; readonly flushedSince: number },
): Verified {
  const own = slotOfReceipt(receipt, isSharded)
  const ofSlot = all.filter(({ slot }) => slot === receipt.slot)
  const isServed = inSink(ofSlot, shardNamed(own.shard)).served.length > 0
  return judge({ ...seen, own, found, ids: noIds(), isServed, isListed: false })
}

function slotOfReceipt(receipt: Receipt, isSharded: boolean): OwnSlot {
  const { slot, shards, delivered, dead, discarded, isGone = false } = receipt
  const shard = shards === 1 ? '' : `${receipt.shard}/${shards}`
  return {
    slot,
    shard,
    flags: slotFlags(slot, shard, isSharded),
    state: 'elsewhere',
    delivered: isGone ? 0 : delivered,
    dead,
    discarded,
    kept: 0,
    lost: 0,
    runs: [],
    knownSum: new IdSum(),
    receipt: undefined,
    isServedByReceipt: true,
    isHistoryKept: false,
    mayBeTwice: false,
    mayLackRuns: false,
  }
}
