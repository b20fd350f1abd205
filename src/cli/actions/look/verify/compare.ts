/** Compares outbox, receipts and sink once, slot by slot. */
import { UsageError } from '../../../../errors/index.js'
import { IdTable } from '../../../../outbox/inspect/ids/id-table.js'
import { type OwnSlot, type OwnSlots, ownSlotsIn } from '../../../../outbox/inspect/ids/own-slots.js'
import { type InSink, inSink } from '../../../../pipeline/slots/in-sink.js'
import type { Receipt, Sink } from '../../../../plugin.js'
import { nameOfShard, type Shard, shardNamed } from '../../../../tasks/shard.js'
import { byTime } from '../../../../tasks/slot.js'
import { judgeByReceipt, servedUnknown } from './by-receipt.js'
import { idsBySlot, judge, lacking, notThere, type Verified } from './judge.js'
import { scan } from './scan.js'

/** The slot that is compared with the source, and the task ids of the list. */
export interface Listed {
  readonly slot: string
  /** As in OwnSlot. */
  readonly shard: string
  readonly ids: readonly string[]
  /** Whether an unchanged list has just these ids. If not, the windows of the slot's run aren't known. */
  readonly isSure: boolean
}

export interface Which {
  path: string
  slot: string | undefined
  pipeline: string
  /** Whether the configuration reads a shard. */
  isSharded: boolean
  address: string
  flushedSince: number
  /** The shard that the outbox serves now. */
  shard: Shard
  /** Whether it was chosen, by a flag or the configuration: else it is that of the last run. */
  isChosen: boolean
  /** Whether a run stands in for earlier times (`catchUp: latest`). */
  isLatest: boolean
  /** Milliseconds since 1970: without `slot`, slots that only receipts know are compared if they are newer. */
  receiptsSince: number
}

export interface Compared {
  slots: Verified[]
  /** Those of them that the outbox has runs of, the newest first. */
  own: string[]
  entries: number
  /** Slots that this shard served by another outbox. */
  elsewhere: string[]
  /** Whether an owm is at work on the outbox. */
  isHeld: boolean
}

export async function compare(sink: Sink, which: Which, listed: Listed | undefined): Promise<Compared> {
  const { path, slot, pipeline, isSharded, address, flushedSince, shard, isLatest } = which
  const room = listed?.ids.length ?? 0
  const ours = (await ownSlotsIn(path, { slot, pipeline, isSharded, address, room })) ?? nothingKnown(path, room)
  const { isHeld } = ours
  const known = ours.slots.map((one) => one.slot)
  const receipts = await receiptsOf(sink, pipeline, slot, ours)
  const sinkSlots = inSink(receipts.all, shard)
  const isOther = which.isChosen && isOfOthers(ours.slots, shard)
  if (isOther && slot === undefined) throw lacksShard(path, ours.slots, shard)
  const unknown = servedUnknown(receipts.all, isOther ? [] : known, shard).filter((one) => isAsked(one, which))
  const listedIndex = ours.slots.findIndex((one) => one.slot === listed?.slot && one.shard === listed.shard)
  if (listedIndex >= 0) for (const id of listed?.ids ?? []) ours.ids.list(id, listedIndex)
  const scanned = await scan(sink, ours, receipts.own, unknown)
  const ids = idsBySlot(ours.ids, ours.slots.length, listedIndex)
  const seen = { sink, isHeld, isEmpty: scanned.entries === 0, flushedSince }
  const slots = ours.slots.flatMap((own, index) => {
    const [found, itsIds, isServed] = [scanned.found[index], ids[index], receipts.isServed[index] === true]
    if (!found || !itsIds) return []
    const isListed = index === listedIndex
    const list = isListed && listed?.isSure ? listed.ids : undefined
    const judged = judge({ ...seen, own, found, ids: itsIds, isServed, isListed, list })
    return [withOtherShards(judged, own, { begun: sinkSlots.begun, receipts: receipts.all, isLatest })]
  })
  const others = unknown.flatMap((receipt, index) => {
    const found = scanned.foundOthers[index]
    return found ? [judgeByReceipt(receipt, found, { all: receipts.all, isSharded }, seen)] : []
  })
  // What another outbox served, and the sink has, is nothing new.
  const told = slot === undefined ? others.filter(({ state }) => state === 'different') : others
  const all = [...slots, ...told].toSorted((one, other) => byTime(other.slot, one.slot)) // the newest first
  const isNone = slot !== undefined && told.length === 0 && (isOther || all.length === 0)
  const none = isNone ? [notThere(slot, receipts.all, sinkSlots, { own: nameOfShard(shard), isSharded })] : []
  return {
    slots: [...all, ...none],
    own: known,
    entries: scanned.entries,
    elsewhere: sinkSlots.served.map((receipt) => receipt.slot),
    isHeld,
  }
}

/** Where there is no outbox, or nothing in it yet. */
const nothingKnown = (path: string, room: number): OwnSlots => ({
  path,
  isHeld: false,
  slots: [],
  ids: new IdTable(room),
})

/** Whether slots were served by other shards of the same number only: a slot of another number may be whole. */
function isOfOthers(slots: readonly OwnSlot[], { index, count }: Shard): boolean {
  const served = slots.map(({ shard }) => shardNamed(shard))
  return served.length > 0 && served.every((other) => other.count === count && other.index !== index)
}

function lacksShard(path: string, slots: readonly OwnSlot[], shard: Shard): UsageError {
  const name = nameOfShard(shard)
  const others = new Set(slots.map((own) => own.shard))
  return new UsageError(`The outbox ${path} has no run of shard ${name}, only of ${[...others].join(', ')}.`, {
    hint:
      'Name the outbox of that shard with --outbox, or a slot with --slot, to ask the sink for it; ' +
      '`owm runs --all-shards` lists what each slot lacks.',
  })
}

const isAsked = (receipt: Receipt, { slot, receiptsSince }: Which): boolean =>
  slot === undefined ? Date.parse(receipt.slot) > receiptsSince : receipt.slot === slot

/** A slot that is all right for this shard, unless the sink lacks other shards of it. */
function withOtherShards(
  judged: Verified,
  { slot, shard }: OwnSlot,
  { begun, receipts, isLatest }: Pick<InSink, 'begun'> & { receipts: readonly Receipt[]; isLatest: boolean },
): Verified {
  const incomplete = begun.find((other) => other.slot === slot && other.shards === shardNamed(shard).count)
  if (!incomplete || (judged.state !== 'same' && judged.state !== 'unproven')) return judged
  const isStoodInFor = (index: number): boolean =>
    receipts.some(
      (receipt) =>
        receipt.shard === index &&
        receipt.shards === incomplete.shards &&
        receipt.interval &&
        byTime(receipt.interval.from, slot) < 0 &&
        byTime(slot, receipt.interval.to) < 0,
    )
  const missing = incomplete.missing.filter((index) => !isLatest || !isStoodInFor(index))
  return missing.length > 0 ? lacking(judged, { ...incomplete, missing }) : judged
}

/** The receipts of the outbox's slots, each for its own shard, and which slots any receipts say are served. */
async function receiptsOf(
  sink: Sink,
  pipeline: string,
  slot: string | undefined,
  ours: OwnSlots,
): Promise<{ own: (Receipt | undefined)[]; isServed: boolean[]; all: readonly Receipt[] }> {
  const all = (await sink.receipts?.(pipeline, slot)) ?? []
  const own: (Receipt | undefined)[] = []
  const isServed: boolean[] = []
  for (const one of ours.slots) {
    const isOwn = (receipt: Receipt): boolean =>
      receipt.slot === one.slot && `${receipt.shard}/${receipt.shards}` === (one.shard || '0/1')
    // Without a slot, the sink gives only the receipts of the newest slots.
    const older = slot === undefined && !all.some(isOwn) ? ((await sink.receipts?.(pipeline, one.slot)) ?? []) : []
    const ofSlot = [...all, ...older].filter((receipt) => receipt.slot === one.slot)
    own.push(ofSlot.find(isOwn))
    isServed.push(inSink(ofSlot, shardNamed(one.shard)).served.length > 0)
  }
  return { own, isServed, all }
}
