/** Whether a slot was served before: by another outbox, in another number of shards, at another sink. */
import { ConfigurationError } from '../../errors/index.js'
import { type KnownSink, shownAddress } from '../../outbox/chain/sinks.js'
import type { RunRow } from '../../outbox/outbox.js'
import { shardsServing, sinksOf } from '../../outbox/runs/sinks-of-runs.js'
import { isNoted } from '../../outbox/runs/whole-slots.js'
import type { Receipt } from '../../plugin.js'
import { flagOfDigest, flagOfShards, shardNameIn, shardOf } from '../../tasks/shard.js'
import type { Contact } from '../contact.js'
import type { ProduceDeps } from '../parts.js'
import { inSink, ownReceipt, standing } from './in-sink.js'

export interface Where {
  /** The sink's receipts of it, as far as they were read. */
  readonly receipts: readonly Receipt[]
  /** Whether the sink has it from another outbox. */
  readonly isServed: boolean
  /** Whether another sink has it. */
  readonly isElsewhere: boolean
  /** Whether the outbox knows only from a receipt that it was served, and the sink no longer has that. */
  readonly isReceiptGone: boolean
}

interface How {
  readonly flush: boolean
  readonly again?: boolean | undefined
  readonly namespace: string
}

/** Whether a run was missed, or begun without storing anything: another outbox may serve its slot. */
export const isEmpty = ({ state, persisted, again }: RunRow): boolean =>
  state === 'missed' || (state === 'reading' && persisted === 0 && again === 0)

/** Where a slot was served before. Throws ConfigurationError if it can't be served now. */
export async function whereIs(
  slot: string,
  { flush, again, namespace }: How,
  deps: ProduceDeps,
  contact: Contact,
): Promise<Where> {
  let isServed = false
  const runs = await deps.outbox.ledger.ofSlot(slot)
  const answer = flush && !again ? await receiptsOf(slot, runs, deps, contact) : undefined
  const receipts = answer ?? []
  // guard: served-before-noted
  if (deps.schedule) isServed = await noteServedBefore(slot, runs, receipts, namespace, deps)
  const elsewhere = await servedElsewhere(slot, runs, deps, contact)
  // guard: served-elsewhere-told
  if (elsewhere && !again) throw elsewhere
  const isReceiptGone = answer !== undefined && (await hasLostReceipt(runs, answer, deps, contact))
  if (isReceiptGone)
    deps.log.warn(
      { event: 'sink-lost-tasks', slot },
      'the receipt by which this slot was served is gone from the sink, as its tasks may be: it is read again',
    )
  return { receipts, isServed, isElsewhere: elsewhere !== undefined, isReceiptGone }
}

/**
 * The sink's receipts of a slot; none if this outbox has served it in this number of shards; undefined if the sink
 * doesn't answer, or keeps none: then it is read. Throws ConfigurationError if it was delivered in another number.
 * Divided differently, its locations would come twice. Where this outbox stored them itself, they wouldn't, but the
 * receipt of a shard without tasks would say that the other shards are missing.
 */
async function receiptsOf(
  slot: string,
  runs: readonly RunRow[],
  deps: ProduceDeps,
  contact: Contact,
): Promise<readonly Receipt[] | undefined> {
  const { pipeline, source, isSharded } = deps
  const { count: shards } = shardOf(source.digest)
  // A run that stored nothing proves nothing: the sink may have tasks of the slot, or none.
  const isProof = (run: RunRow): boolean => run.persisted > 0 || (run.state !== 'done' && !isEmpty(run))
  if (runs.some((run) => shardOf(run.sourceDigest).count === shards && isProof(run))) return []
  const receipts = await standingReceipts(slot, deps, contact)
  const other = receipts?.find((receipt) => receipt.shards !== shards)
  // guard: shards-the-same
  if (!other) return receipts
  const flag = flagOfDigest(source.digest, isSharded)
  throw new ConfigurationError(
    `The sink has the slot ${slot} of ${pipeline} in ${numberInWords(other.shards)}, ` +
      `and this start has ${numberInWords(shards)}: a slot is served in one number of shards.`,
    {
      hint:
        `\`owm produce --slot ${slot}${flag} --again\` delivers those that the sink doesn't hold, ` +
        "or all if it can't say.",
    },
  )
}

const numberInWords = (shards: number): string => (shards === 1 ? 'one piece' : `${shards} shards`)

async function standingReceipts(
  slot: string,
  { resilience }: ProduceDeps,
  contact: Contact,
): Promise<readonly Receipt[] | undefined> {
  try {
    resilience.admit()
    const receipts = await contact.receiptsOf(slot)
    return receipts && standing(receipts)
  } catch {
    return undefined // the relay reports why
  }
}

/**
 * Whether this outbox counts a slot as served only by a receipt that the sink has lost since, and the tasks with it. An
 * outbox that has met several sinks doesn't know whose receipt it was.
 */
async function hasLostReceipt(
  runs: readonly RunRow[],
  receipts: readonly Receipt[],
  { outbox: { sinks }, source }: ProduceDeps,
  contact: Contact,
): Promise<boolean> {
  const served = runs.filter(({ state }) => state !== 'missed')
  if (served.length === 0 || !served.every((run) => run.state === 'done' && isNoted(run))) return false
  if (inSink(receipts, shardOf(source.digest)).served.length > 0) return false
  return sinks.known.length === 1 && sinks.find(await contact.address()) !== undefined
}

/**
 * Whether, by the sink's receipt, another outbox has served a slot that this one's runs only cover, or of which they
 * stored nothing. If so, the ledger gets a row for it.
 */
async function noteServedBefore(
  slot: string,
  runs: readonly RunRow[],
  receipts: readonly Receipt[],
  namespace: string,
  { outbox: { ledger }, source }: ProduceDeps,
): Promise<boolean> {
  const own = ownReceipt(receipts, shardOf(source.digest))
  const coveredTo = await ledger.coveredTo()
  if (!own || own.delivered === 0 || coveredTo === null || Date.parse(slot) > coveredTo) return false
  if (runs.every(isEmpty)) {
    for (const run of runs) if (run.state === 'reading') await ledger.miss(run)
    // Its cadence is that of the run whose interval it lies in.
    const run = { source: source.name, sourceDigest: source.digest, namespace, cadence: null }
    await ledger.noteServed({ ...run, ...own })
  }
  return true
}

async function servedElsewhere(
  slot: string,
  runs: readonly RunRow[],
  { outbox: { sinks }, source, isSharded }: ProduceDeps,
  contact: Contact,
): Promise<ConfigurationError | undefined> {
  const own = shardNameIn(source.digest)
  return elsewhere(
    { slot, runs, known: sinks.known, own, isSharded },
    { address: () => contact.address(), receipts: () => contact.receiptsOf(slot) },
  )
}

/** A slot that is asked for, as the outbox knows it. */
interface Asked {
  readonly slot: string
  readonly runs: readonly RunRow[]
  /** The sinks that the outbox knows. */
  readonly known: readonly KnownSink[]
  /** The shard that asks for it, as `0/3`. */
  readonly own: string
  readonly isSharded: boolean
}

/** The error of a slot that was served, but not, or not as a whole, to a sink; undefined for other slots. */
export async function elsewhere(
  { slot, runs, known, own, isSharded }: Asked,
  sink: { address(): Promise<string>; receipts(): Promise<readonly Receipt[] | undefined> },
): Promise<ConfigurationError | undefined> {
  const places = sinksOf(runs, own)
  if (!places) return undefined
  const address = await sink.address()
  const here = known.find(({ addresses }) => addresses.includes(address))
  if (here && places.includes(here.id)) return undefined
  // It may be the same sink at another address: then it has the receipt.
  const receipts = here ? [] : await sink.receipts()
  if (receipts && receipts.length > 0) return undefined
  const addresses = known.filter(({ id }) => places.includes(id)).map(shownAddress)
  const where = addresses.length > 0 ? `was delivered to ${addresses.join(' and to ')}` : 'is divided between sinks'
  const adopt = here
    ? ''
    : ', and `owm outbox adopt --sink --from history` gives it all that the outbox keeps, for `owm flush`'
  const { flag, each } = flagOfShards(shardsServing(runs, own), isSharded)
  // This sink may have a part of a divided slot: a replay omits that.
  const [command, what] =
    addresses.length > 0
      ? [`owm produce --slot ${slot}${flag} --again`, 'the slot to this sink']
      : [`owm outbox replay --slot ${slot}${flag}`, 'the slot to this sink, but for what that says it holds,']
  return new ConfigurationError(
    `The slot ${slot} ${where}, and the sink is ${shownAddress({ addresses: [address] })} now.`,
    {
      hint: `\`${command}\`${each} delivers ${what} under the same task ids${adopt}.`,
    },
  )
}
