/** Several shards that share one outbox. */
import { OutboxBusyError } from '../../errors/index.js'
import type { Outbox } from '../../outbox/outbox.js'
import { currentOf } from '../../outbox/runs/whole-slots.js'
import type { Receipt } from '../../plugin.js'
import { missingOf, shardFlag, shardNamed, shardNameIn, shardOf, slotFlags } from '../../tasks/shard.js'
import { byTime } from '../../tasks/slot.js'
import { otherShard } from '../input/filters/filters.js'

/** What the receipts say of a slot in one number of shards. */
export interface ShardsOfSlot {
  slot: string
  /** The number of shards of the whole slot. */
  shards: number
  there: number[]
  missing: number[]
  /** Tasks of the shards that are there. */
  delivered: number
  dead: number
  discarded: number
}

/** Each slot in the receipts, or in these runs of one outbox, in each number of shards; newest first. */
export function shardsOf(
  receipts: readonly Receipt[],
  runs: readonly { readonly slot: string; readonly shard: string | null }[],
): ShardsOfSlot[] {
  const slots = new Map<string, ShardsOfSlot>()
  const entryOf = (slot: string, shards: number): ShardsOfSlot => {
    const key = `${slot} ${shards}`
    const known = slots.get(key) ?? { slot, shards, there: [], missing: [], delivered: 0, dead: 0, discarded: 0 }
    slots.set(key, known)
    return known
  }
  for (const { slot, shard, shards, delivered, dead, discarded, isGone = false } of receipts) {
    const entry = entryOf(slot, shards)
    if (isGone) continue // the sink had that shard, and lost it
    entry.there.push(shard)
    entry.delivered += delivered
    entry.dead += dead
    entry.discarded += discarded
  }
  for (const { slot, shard } of runs) entryOf(slot, shardNamed(shard ?? '').count)
  for (const entry of slots.values()) {
    entry.there.sort((a, b) => a - b)
    entry.missing = missingOf(entry.shards, (shard) => entry.there.includes(shard))
  }
  const all = [...slots.values()]
  const whole = new Set(all.filter(({ missing }) => missing.length === 0).map(({ slot }) => slot))
  // A run refused because the sink has the whole slot in another number of shards: nothing is missing.
  const relevant = all.filter(({ slot, there }) => there.length > 0 || !whole.has(slot))
  return relevant.sort((a, b) => byTime(b.slot, a.slot))
}

/**
 * Throws OutboxBusyError if the outbox holds work of another shard: an unfinished run, as this shard would read other
 * locations, or a slot whose history is gone, as it can't tell whose locations were delivered.
 */
export async function leaveOtherShards(outbox: Outbox, { digest }: { digest: string }, slot: string): Promise<void> {
  for (const run of await outbox.ledger.open()) {
    const isClosed = run.slotGiven === 0 && run.read === 0 // once this start has a run of its own
    const shard = run.state === 'reading' && !isClosed ? otherShard(run.sourceDigest, digest) : undefined
    if (shard === undefined) continue
    const whose = shard === '' ? 'a producer of all locations' : `the shard ${shard}`
    throw new OutboxBusyError(
      `The outbox ${outbox.path} holds an interrupted run of ${whose} (slot ${run.slot}), ` +
        `which this shard can't finish.`,
      { hint: `Finish it with \`owm produce ${slotFlags(run.slot, shard, true)}\`.${ownOutboxes([shard], digest)}` },
    )
  }
  const served = await outbox.ledger.ofSlot(slot)
  const isForeign = served.length > 0 && served.every((run) => otherShard(run.sourceDigest, digest) !== undefined)
  if (!isForeign || (await outbox.intake.deletedOf(currentOf(served))) === 0) return
  const others = [...new Set(currentOf(served).map((run) => shardNameIn(run.sourceDigest)))]
  const flags = others.map((shard) => `\`${shardFlag(shard, true).trim()}\``).join(' and with ')
  throw new OutboxBusyError(
    `Other shards served the slot ${slot} in the outbox ${outbox.path}, and their history is gone.`,
    { hint: `Read it again as it was served: run this command with ${flags}.${ownOutboxes(others, digest)}` },
  )
}

/** In another number of shards, an outbox of its own would read again what those have served. */
const ownOutboxes = (others: readonly string[], digest: string): string =>
  others.every((other) => shardNamed(other).count === shardOf(digest).count)
    ? ' Give each shard an outbox of its own: --outbox.'
    : ''
