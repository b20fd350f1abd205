/** Lets an outbox that doesn't know of all served slots continue after those that the sink has receipts of. */
import { ConfigurationError, TransientError } from '../../errors/index.js'
import type { Outbox } from '../../outbox/outbox.js'
import type { DueRun } from '../../outbox/runs/ledger.js'
import type { Receipt, Sink } from '../../plugin.js'
import { newest } from '../../schedule/due.js'
import { nameOfShard, type Shard, shardOf } from '../../tasks/shard.js'
import { slotOf } from '../../tasks/slot.js'
import type { Contact } from '../contact.js'
import type { Deps, ProduceDeps } from '../parts.js'
import type { RunSettings } from './agenda.js'
import { type InSink, inSink } from './in-sink.js'
import { enterDueTimes, type OnTime } from './on-time.js'

/** Milliseconds: longer than elsewhere, as nothing can be read without an answer. */
const longestWaitMs = 10_000

/**
 * With a schedule, an outbox continues after the slots that only the sink knows to be served (in-sink.ts): an outbox
 * that has served nothing (a new shard, a pod without a volume, a machine whose /tmp was emptied), one that served
 * another number of shards, and one that has to catch up, since others may meanwhile have served another number.
 *
 *     the outbox has served               and the sink
 *     nothing, or another number          must answer: without its receipts the slots would come twice
 *     this number, and has to catch up    must answer, too; a pipeline without shards goes on even without an answer
 *     this number, up to now              isn't asked
 *
 * @param upTo a named slot, in milliseconds since 1970: only earlier times are due
 * @throws TransientError if the sink doesn't answer, or has part of a due slot in another number of shards;
 *   ConfigurationError if the outbox is another shard's
 */
export async function startAfterReceipts(
  deps: ProduceDeps & { schedule: OnTime },
  contact: Contact,
  settings: RunSettings,
  upTo: number | undefined,
): Promise<void> {
  const { outbox, source, schedule } = deps
  const own = shardOf(source.digest)
  const last = await outbox.ledger.last()
  if (last) mustBeOwn(outbox, shardOf(last.sourceDigest), own)
  const isKnown = last !== undefined && shardOf(last.sourceDigest).count === own.count
  const coveredTo = await outbox.ledger.coveredTo()
  const until = upTo ?? newest(schedule.timetable, schedule.now()) ?? Number.NEGATIVE_INFINITY
  // A start's own slot is compared separately.
  const isBehind = coveredTo !== null && (schedule.timetable.after(coveredTo) ?? until) < until
  if (isKnown && !isBehind) return
  const receipts =
    isKnown && own.count === 1
      ? await receiptsIfAny(coveredTo, deps, contact)
      : await receiptsSince(coveredTo, schedule, contact, longestWaitMs)
  if (!receipts) return
  const there = inSink(receipts, own)
  // A slot served while a clock was ahead must not cover the times until then.
  const served = isKnown ? there.served.filter(({ slot }) => Date.parse(slot) <= until) : there.served
  const since = Math.max(schedule.now() - schedule.maxAgeMs, (isKnown && coveredTo) || 0)
  mustNotBeBegun(there.begun, served, { since, upTo, isWaiting: outbox.pending > 0 })
  await startAfter(served, { source: source.name, sourceDigest: source.digest, ...settings }, deps)
}

/**
 * The newest receipts, and those of the scheduled times before them back to `coveredTo`. Undefined if the sink keeps
 * none. Throws TransientError if it doesn't answer.
 */
async function receiptsSince(
  coveredTo: number | null,
  { timetable, now, maxAgeMs }: OnTime,
  contact: Contact,
  waitMs?: number,
): Promise<readonly Receipt[] | undefined> {
  if (!(await contact.sink()).receipts) return undefined
  const receipts = (await contact.newestReceipts(waitMs)) ?? isSilent()
  const first = Math.min(...receipts.map(({ slot }) => Date.parse(slot)))
  const since = Math.max(now() - maxAgeMs, coveredTo ?? Number.NEGATIVE_INFINITY)
  if (receipts.length === 0 || first <= since) return receipts
  // The first slot may have more receipts.
  const times = coveredTo === null ? [first] : [...timetable.between(since, first - 1), first]
  const before: Receipt[] = []
  for (const time of times) before.push(...((await contact.receiptsOf(slotOf(time))) ?? isSilent()))
  return [...before, ...receipts.filter(({ slot }) => Date.parse(slot) !== first)]
}

/** A pipeline without shards stores what is due even if the sink doesn't answer: the relay reports why. */
async function receiptsIfAny(
  coveredTo: number | null,
  { schedule, resilience }: ProduceDeps & { schedule: OnTime },
  contact: Contact,
): Promise<readonly Receipt[] | undefined> {
  try {
    resilience.admit()
    return await receiptsSince(coveredTo, schedule, contact)
  } catch {
    return undefined
  }
}

function isSilent(): never {
  throw new TransientError("The sink doesn't say which slots it has, and this outbox doesn't know all of them.", {
    hint: 'Nothing is read before it does, so that no slot comes twice.',
  })
}

/**
 * Throws TransientError if a due slot was begun in another number of shards and no served slot covers it: it can't be
 * served in this number.
 * @param since milliseconds since 1970: older slots aren't due, whole or not
 * @param isWaiting whether the outbox has undelivered tasks
 */
function mustNotBeBegun(
  begun: InSink['begun'],
  served: readonly Receipt[],
  {
    since,
    upTo = Number.POSITIVE_INFINITY,
    isWaiting,
  }: { since: number; upTo: number | undefined; isWaiting: boolean },
): void {
  const isPassed = (time: number): boolean =>
    served.some(({ slot, interval }) => time <= Date.parse(slot) && (!interval || Date.parse(interval.from) < time))
  const isDue = (time: number): boolean => time > since && time < upTo && !isPassed(time)
  const last = begun.findLast(({ slot }) => isDue(Date.parse(slot)))
  if (!last) return
  const { slot, shards, missing } = last
  throw new TransientError(`The slot ${slot} was begun in ${shards} shards, and lacks shard ${missing.join(', ')}.`, {
    hint:
      (isWaiting ? 'Tasks wait in this outbox, perhaps of that slot: `owm flush` delivers them. ' : '') +
      'Let those that have it finish it; then this number of shards goes on behind it. ' +
      `\`owm produce --slot ${slot} --shard ${missing[0]}/${shards}\`, with its own outbox, serves what none has.`,
  })
}

/**
 * With a schedule, a copy of an outbox, such as a restored backup, continues after what the original has delivered
 * since: open runs are closed if the sink has the receipt of their slot. Without a schedule, a slot may be read again
 * and delivered as the list is by then.
 */
export async function goOnAsCopy(deps: Omit<Deps, 'sink'>, sink: Sink): Promise<void> {
  const { ledger } = deps.outbox
  const last = await ledger.last()
  if (!deps.schedule || !last || !sink.receipts) return
  const { served } = inSink(await sink.receipts(deps.pipeline), shardOf(last.sourceDigest))
  await ledger.closeServed(served.map(({ slot }) => slot))
  const { source, sourceDigest, namespace, cadence } = last
  await startAfter(served, { source, sourceDigest, namespace, cadence }, deps)
}

/**
 * Enters served slots up to the newest. Earlier ones may be missing, since the newest is read first, and a failed run
 * only after the next one. Times between the intervals that aren't too old are due.
 */
async function startAfter(
  served: readonly Receipt[],
  newRun: DueRun,
  { outbox, log, schedule }: Pick<Deps, 'outbox' | 'log' | 'schedule'>,
): Promise<void> {
  const { ledger } = outbox
  const since = schedule ? schedule.now() - schedule.maxAgeMs : Number.POSITIVE_INFINITY
  const hole = firstHole(served, await ledger.coveredTo(), since)
  const before = served[hole - 1]
  if (before) await ledger.goOnBehind(servedRow(newRun, before))
  for (const receipt of served.slice(hole)) {
    // guard: holes-are-due
    if (schedule && receipt.interval)
      await enterDueTimes(schedule, newRun, { outbox, log }, Date.parse(receipt.interval.from))
    await ledger.goOnBehind(servedRow(newRun, receipt))
  }
}

/** With another number of shards it was another part of the list: without a digest, no list is compared with it. */
function servedRow(newRun: DueRun, receipt: Receipt): DueRun & Receipt {
  const isSame = shardOf(newRun.sourceDigest).count === receipt.shards
  const sourceDigest = isSame ? newRun.sourceDigest : newRun.sourceDigest.replace(/^\S+/, '')
  return { ...newRun, ...receipt, sourceDigest }
}

/** The index of the first receipt after a hole (a time later than `since` that none covers), or the length. */
function firstHole(sorted: readonly Receipt[], coveredTo: number | null, since: number): number {
  let end = coveredTo
  for (const [index, { slot, interval }] of sorted.entries()) {
    const from = interval && Date.parse(interval.from)
    if (end !== null && from !== null && from > end && from > since) return index
    end = Math.max(end ?? Date.parse(slot), Date.parse(slot))
  }
  return sorted.length
}

/** An outbox knows what is due for one shard only. Throws ConfigurationError. */
function mustBeOwn({ path }: Outbox, its: Shard, own: Shard): void {
  if (its.count !== own.count || its.index === own.index) return
  throw new ConfigurationError(
    `The outbox ${path} is of shard ${nameOfShard(its)}, and this start is of ${nameOfShard(own)}.`,
    {
      hint: 'With `schedule:`, each shard needs an outbox of its own: --outbox.',
    },
  )
}
