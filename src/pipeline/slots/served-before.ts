/** Where a slot was served before: by another outbox, in another number of shards, at another sink. */
import { ConfigurationError } from '../../errors/index.js'
import { shownAddress } from '../../outbox/chain/sinks.js'
import type { Receipt } from '../../plugin.js'
import { shardNameIn, shardOf } from '../../tasks/slot.js'
import type { Contact } from '../contact.js'
import type { ProduceDeps } from '../parts.js'
import { ownReceipt, standing } from './in-sink.js'

export interface Where {
  /** What the sink has of it, as far as that was asked for. */
  readonly receipts: readonly Receipt[]
  /** The sink has it, from another outbox. */
  readonly isServed: boolean
  /** Another sink has it. */
  readonly isElsewhere: boolean
}

interface How {
  readonly flush: boolean
  readonly again?: boolean | undefined
  readonly namespace?: string
}

/** Where a slot was served before. Throws ConfigurationError where it can't be served now. */
export async function whereIs(
  slot: string,
  { flush, again, namespace = '' }: How,
  deps: ProduceDeps,
  contact: Contact,
): Promise<Where> {
  let isServed = false
  const receipts = flush && !again ? await receiptsOf(slot, deps, contact) : []
  // guard: served-before-noted
  if (deps.schedule) isServed = await noteServedBefore(slot, receipts, namespace, deps)
  const elsewhere = await servedElsewhere(slot, deps, contact)
  // guard: served-elsewhere-told
  if (elsewhere && !again) throw elsewhere
  return { receipts, isServed, isElsewhere: elsewhere !== undefined }
}

/**
 * The sink's receipts of a slot; none where this outbox has served it in this number of shards, or the sink doesn't
 * answer: then it is read. Throws ConfigurationError where it was delivered in another number: cut differently, its
 * locations would come twice. What the outbox stored itself, in whatever number, isn't stored again.
 */
async function receiptsOf(slot: string, deps: ProduceDeps, contact: Contact): Promise<readonly Receipt[]> {
  const { outbox, pipeline, source } = deps
  const [, shards] = shardOf(source.digest)
  const rows = await outbox.ledger.ofSlot(slot)
  const own = rows.map((run) => shardOf(run.sourceDigest))
  // One that is done and has stored nothing is no answer: there may be tasks of the slot in the sink, or none at all.
  if (rows.some((run) => shardOf(run.sourceDigest)[1] === shards && (run.persisted > 0 || run.state !== 'done')))
    return []
  const isOwn = (receipt: Receipt): boolean =>
    own.some(([shard, count]) => shard === receipt.shard && count === receipt.shards)
  const receipts = await standingReceipts(slot, deps, contact)
  const other = receipts.find((receipt) => receipt.shards !== shards && !isOwn(receipt))
  // guard: shards-the-same
  if (!other) return receipts
  throw new ConfigurationError(
    `The sink has the slot ${slot} of ${pipeline} in ${wordsOf(other.shards)}, ` +
      `and this start has ${wordsOf(shards)}: its tasks would come twice.`,
    {
      hint: `\`owm produce --slot ${slot} --again\` delivers those that the sink doesn't hold, or all if it can't say.`,
    },
  )
}

const wordsOf = (shards: number): string => (shards === 1 ? 'one piece' : `${shards} shards`)

async function standingReceipts(
  slot: string,
  { resilience }: ProduceDeps,
  contact: Contact,
): Promise<readonly Receipt[]> {
  try {
    resilience.admit()
    return standing((await contact.receiptsOf(slot)) ?? [])
  } catch {
    return [] // the relay tells why
  }
}

/**
 * A slot of which the outbox has no task, in the time that its runs cover, may be one that another outbox has served:
 * true where the sink has its receipt. Then the ledger has a row of it.
 */
async function noteServedBefore(
  slot: string,
  receipts: readonly Receipt[],
  namespace: string,
  { outbox: { ledger }, source }: ProduceDeps,
): Promise<boolean> {
  const own = ownReceipt(receipts, shardOf(source.digest))
  const coveredTo = await ledger.coveredTo()
  if (!own || own.delivered === 0 || coveredTo === null || Date.parse(slot) > coveredTo) return false
  if ((await ledger.ofSlot(slot)).length === 0)
    await ledger.noteServed({ source: source.name, sourceDigest: source.digest, namespace, ...own })
  return true
}

/** The error of a slot that was served, but not, or not as a whole, at the present sink; undefined for all others. */
async function servedElsewhere(
  slot: string,
  { outbox, source }: ProduceDeps,
  contact: Contact,
): Promise<ConfigurationError | undefined> {
  const { ledger, sinks } = outbox
  const places = await ledger.sinksOf(slot, shardNameIn(source.digest))
  if (!places) return undefined
  const address = await contact.address()
  const here = sinks.find(address)
  if (here && places.includes(here.id)) return undefined
  // It may be the same one at another address: then it has the receipt.
  const receipts = here ? [] : await contact.receiptsOf(slot)
  if (receipts && receipts.length > 0) return undefined
  const there = sinks.known.filter(({ id }) => places.includes(id)).map(shownAddress)
  const where = there.length > 0 ? `was delivered to ${there.join(' and to ')}` : 'is divided between sinks'
  const adopt = here
    ? ''
    : ', and `owm outbox adopt --sink --from history` gives it all that the outbox keeps, for `owm flush`'
  // This sink may have a part of a slot that is divided: a replay leaves that out.
  const [command, what] =
    there.length > 0
      ? [`owm produce --slot ${slot} --again`, 'the slot to this sink']
      : [`owm outbox replay --slot ${slot}`, 'the slot to this sink, but for what that says it holds,']
  return new ConfigurationError(
    `The slot ${slot} ${where}, and the sink is ${shownAddress({ addresses: [address] })} now.`,
    {
      hint: `\`${command}\` delivers ${what} under the same task ids${adopt}.`,
    },
  )
}
