/** With a schedule: which slot a start is for, and the rows of all that is due. */
import { ConfigurationError, TransientError } from '../errors/index.js'
import type { Outbox } from '../outbox/outbox.js'
import type { Planned } from '../outbox/runs/intervals.js'
import type { Receipt } from '../plugin.js'
import { due, type Gap, newest, type Policy } from '../schedule/due.js'
import { shardOf, slotOf } from '../tasks/slot.js'
import type { Contact } from './contact.js'
import type { ProduceDeps, SourceDeps } from './parts.js'

export interface OnTime extends Policy {
  now(): number
}

/** The newest scheduled time, or the slot of the run that covers it. Throws ConfigurationError. */
export async function slotOnTime({ timetable, now }: OnTime, { ledger }: Outbox): Promise<string> {
  const time = newest(timetable, now())
  if (time === undefined) throw new ConfigurationError('No time of `schedule.cron` has come yet.')
  const slot = slotOf(time)
  return (await ledger.ofSlot(slot)).length > 0 ? slot : ((await ledger.slotCovering(time)) ?? slot)
}

/**
 * An outbox that has served nothing (a new shard, a pod without a volume, a restored machine) goes on behind the newest
 * slot of its pipeline and share that the sink has a receipt of; in another number of shares, behind the newest one
 * that is whole. Throws TransientError where the sink doesn't say, or where later slots lack shares.
 */
export async function goOnBehindReceipts({ outbox, pipeline, source }: ProduceDeps, contact: Contact): Promise<void> {
  if ((await outbox.ledger.coveredTo()) !== null) return
  const sink = await contact.sink()
  if (!sink.receipts) return
  const receipts = await contact.askFirst(() => sink.receipts?.(pipeline), longestWaitMs)
  if (!receipts)
    throw new TransientError("The sink doesn't say which slots it has, and this outbox has served none.", {
      hint: 'Nothing is read before it does, so that no slot comes twice.',
    })
  const [shard, shards] = shardOf(source.digest)
  const own = receipts.filter((receipt) => receipt.shard === shard && receipt.shards === shards)
  const others = receipts.filter((receipt) => receipt.shards !== shards)
  const last = newestOf(own.length > 0 ? own : wholeOnly(others))
  if (last) await outbox.ledger.goOnBehind({ source: source.name, sourceDigest: source.digest, ...last })
}

/** Milliseconds. */
const longestWaitMs = 10_000

const newestOf = (receipts: readonly Receipt[]): Receipt | undefined =>
  receipts.toSorted((a, b) => Date.parse(a.slot) - Date.parse(b.slot)).at(-1)

/** The receipts of slots that are whole. Throws TransientError where a later slot isn't. */
function wholeOnly(receipts: readonly Receipt[]): Receipt[] {
  const bySlot = new Map<string, Receipt[]>()
  for (const receipt of receipts) bySlot.set(receipt.slot, [...(bySlot.get(receipt.slot) ?? []), receipt])
  const missing = (of: readonly Receipt[]): number[] => {
    const there = new Set(of.map(({ shard }) => shard))
    return Array.from({ length: of[0]?.shards ?? 0 }, (_, shard) => shard).filter((shard) => !there.has(shard))
  }
  const whole = [...bySlot.values()].filter((of) => missing(of).length === 0).flat()
  const since = Date.parse(newestOf(whole)?.slot ?? '') || Number.NEGATIVE_INFINITY
  const part = receipts.find(({ slot }) => Date.parse(slot) > since)
  if (!part) return whole
  const lacks = missing(bySlot.get(part.slot) ?? []).join(', ')
  throw new TransientError(`The slot ${part.slot} was begun in ${part.shards} shards, and lacks shard ${lacks}.`, {
    hint: 'Let those that have it finish it; then the new number of shards goes on behind it.',
  })
}

/** What a start made of the schedule. */
export interface EnteredDue extends Planned {
  readonly gaps: readonly (Planned['gaps'][number] & Pick<Gap, 'reason'>)[]
}

/** Makes a row for each run that is due, and for what is missed; tells what those are. */
export async function enterDue(
  { now, ...policy }: OnTime,
  namespace: string,
  { outbox, source }: { outbox: Outbox; source: SourceDeps },
): Promise<EnteredDue> {
  const given = { source: source.name, sourceDigest: source.digest, namespace, slotGiven: true }
  return outbox.ledger.startDue(given, (coveredTo) => {
    const { runs, gaps } = due(policy, coveredTo, now())
    return {
      runs: runs.map(({ slot, from }) => ({ slot: slotOf(slot), from })),
      covers: policy.catchUp === 'latest',
      gaps: gaps.map((gap) => ({ ...gap, from: slotOf(gap.from), to: slotOf(gap.to) })),
    }
  })
}
