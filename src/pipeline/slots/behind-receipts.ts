/** Outboxes that don't know all that was served for them go on behind what the sink has receipts of. */
import { ConfigurationError, TransientError } from '../../errors/index.js'
import type { Outbox } from '../../outbox/outbox.js'
import type { NewRun } from '../../outbox/runs/ledger.js'
import type { Receipt, Sink } from '../../plugin.js'
import { byTime, type Shard, shardOf } from '../../tasks/slot.js'
import type { Contact } from '../contact.js'
import type { Deps, ProduceDeps } from '../parts.js'
import type { Begun } from './agenda.js'
import { enterDueTimes, type OnTime } from './on-time.js'

/** Milliseconds: without an answer nothing can be read. */
const longestWaitMs = 10_000

/**
 * With a schedule, an outbox that has served nothing (a new shard, a pod without a volume, a machine whose /tmp was
 * emptied) goes on behind the newest slot of its pipeline and shard that the sink has a receipt of. Where the number of
 * shards is another one, it is the newest slot all of whose receipts are there. Throws TransientError where the sink
 * doesn't say, or where a later slot isn't whole; ConfigurationError where the outbox is another shard's.
 */
export async function goOnBehindReceipts(
  deps: ProduceDeps & { schedule: OnTime },
  contact: Contact,
  begun: Begun,
): Promise<void> {
  const { outbox, source, schedule } = deps
  const [shard, shards] = shardOf(source.digest)
  const last = await outbox.ledger.last()
  if (last) mustBeOwn(outbox, shardOf(last.sourceDigest), [shard, shards])
  if (last && shardOf(last.sourceDigest)[1] === shards) return
  const sink = await contact.sink()
  if (!sink.receipts) return
  const all = await contact.newestReceipts(longestWaitMs)
  if (!all)
    throw new TransientError("The sink doesn't say which slots it has, and this outbox doesn't know all of them.", {
      hint: 'Nothing is read before it does, so that no slot comes twice.',
    })
  const receipts = standing(all)
  const ofOwnShard = ofShard(receipts, source.digest)
  const own = newestOf(ofOwnShard)
  const isLater = ({ slot }: Receipt): boolean => own === undefined || byTime(slot, own.slot) > 0
  const others = receipts.filter((receipt) => receipt.shards !== shards && isLater(receipt))
  const whole = newestWhole(others, schedule.now() - schedule.maxAgeMs)
  const given = { source: source.name, sourceDigest: source.digest, ...begun }
  await goOnBehind(whole ? [whole] : ofOwnShard, given, deps)
}

/**
 * With a schedule, a copy of an outbox, such as a restored backup, goes on behind what the file that it was copied from
 * has delivered: what that left open is closed where the sink has its receipt. Without one a slot may be read again,
 * and what the list has by then is delivered.
 */
export async function goOnAsCopy(deps: Omit<Deps, 'sink'>, sink: Sink): Promise<void> {
  const { ledger } = deps.outbox
  const last = await ledger.last()
  if (!deps.schedule || !last || !sink.receipts) return
  const receipts = ofShard(standing(await sink.receipts(deps.pipeline)), last.sourceDigest)
  await ledger.closeServed(receipts.map(({ slot }) => slot))
  const { source, sourceDigest, namespace, cadence } = last
  await goOnBehind(receipts, { source, sourceDigest, namespace, cadence }, deps)
}

/**
 * Enters the newest of the slots. Not every one before it need be there: the newest comes first, and a run that failed
 * is behind the next one. What lies between the intervals, and isn't too old, is due.
 */
async function goOnBehind(
  receipts: readonly Receipt[],
  given: Omit<NewRun, 'slot'>,
  { outbox, log, schedule }: Pick<Deps, 'outbox' | 'log' | 'schedule'>,
): Promise<void> {
  const { ledger } = outbox
  const sorted = receipts.toSorted((a, b) => byTime(a.slot, b.slot))
  const since = schedule ? schedule.now() - schedule.maxAgeMs : Number.POSITIVE_INFINITY
  const hole = firstHole(sorted, await ledger.coveredTo(), since)
  const before = sorted[hole - 1]
  if (before) await ledger.goOnBehind({ ...given, ...before })
  for (const receipt of sorted.slice(hole)) {
    // guard: holes-are-due
    if (schedule && receipt.interval)
      await enterDueTimes(schedule, given, { outbox, log }, Date.parse(receipt.interval.from))
    await ledger.goOnBehind({ ...given, ...receipt })
  }
}

/**
 * A slot of which the outbox has no task, in the time that its runs cover, may be one that another outbox has served:
 * true where the sink has its receipt. Then the ledger has a row of it.
 */
export async function noteServedBefore(
  slot: string,
  receipts: readonly Receipt[],
  { outbox: { ledger }, source }: ProduceDeps,
): Promise<boolean> {
  const [own] = ofShard(receipts, source.digest)
  const coveredTo = await ledger.coveredTo()
  if (!own || own.delivered === 0 || coveredTo === null || Date.parse(slot) > coveredTo) return false
  if ((await ledger.ofSlot(slot)).length === 0)
    await ledger.noteServed({ source: source.name, sourceDigest: source.digest, ...own })
  return true
}

/** The index of the first receipt before which time lies that none covers, later than `since`; behind all without. */
function firstHole(sorted: readonly Receipt[], coveredTo: number | null, since: number): number {
  let end = coveredTo
  for (const [index, { slot, interval }] of sorted.entries()) {
    const from = interval && Date.parse(interval.from)
    if (end !== null && from !== null && from > end && from > since) return index
    end = Math.max(end ?? Date.parse(slot), Date.parse(slot))
  }
  return sorted.length
}

const newestOf = (receipts: readonly Receipt[]): Receipt | undefined =>
  receipts.toSorted((a, b) => byTime(a.slot, b.slot)).at(-1)

/**
 * A receipt of the newest slot that is whole. Throws TransientError where a later one isn't.
 * @param since milliseconds since 1970: what is older is missed, whole or not
 */
function newestWhole(receipts: readonly Receipt[], since: number): Receipt | undefined {
  for (const receipt of receipts.toSorted((a, b) => byTime(b.slot, a.slot))) {
    const { slot, shards } = receipt
    const missing = missingOf(receipt, receipts)
    if (missing.length === 0) return receipt
    if (Date.parse(slot) > since)
      throw new TransientError(
        `The slot ${slot} was begun in ${shards} shards, and lacks shard ${missing.join(', ')}.`,
        { hint: 'Let those that have it finish it; then the new number of shards goes on behind it.' },
      )
  }
  return undefined
}

/** Those whose tasks weren't lost with what held them: a slot that was lost isn't served. */
export function standing(receipts: readonly Receipt[]): readonly Receipt[] {
  // guard: receipts-stand
  return receipts.filter(({ isGone = false }) => !isGone)
}

/** Those of the shard that a source's digest names. */
export function ofShard(receipts: readonly Receipt[], digest: string): Receipt[] {
  const [shard, shards] = shardOf(digest)
  return receipts.filter((receipt) => receipt.shard === shard && receipt.shards === shards)
}

/** Whether all receipts of a slot are there, in the number of shards that one of them names. */
export const isWhole = (one: Receipt, receipts: readonly Receipt[]): boolean => missingOf(one, receipts).length === 0

function missingOf({ slot, shards }: Receipt, receipts: readonly Receipt[]): number[] {
  const there = receipts.filter((other) => other.slot === slot && other.shards === shards)
  return [...Array(shards).keys()].filter((shard) => !there.some((other) => other.shard === shard))
}

/** What is due is known of one shard. Throws ConfigurationError. */
function mustBeOwn({ path }: Outbox, [its, ofIts]: Shard, [shard, shards]: Shard): void {
  if (ofIts !== shards || its === shard) return
  throw new ConfigurationError(
    `The outbox ${path} is of shard ${its}/${ofIts}, and this start is of ${shard}/${shards}.`,
    {
      hint: 'With `schedule:`, each shard needs an outbox of its own: --outbox.',
    },
  )
}
