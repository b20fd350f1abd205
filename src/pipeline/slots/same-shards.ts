/** A slot is delivered in one number of shards: cut differently, its locations would come twice. */
import { ConfigurationError } from '../../errors/index.js'
import type { Receipt } from '../../plugin.js'
import { shardOf } from '../../tasks/slot.js'
import type { Contact } from '../contact.js'
import type { ProduceDeps } from '../parts.js'
import { standing } from './in-sink.js'

/**
 * Asks the sink for the receipts of a slot that this outbox hasn't served in this number of shards. What the outbox
 * stored itself, in whatever number, isn't stored again. A sink that doesn't answer leaves the slot to be read. Throws
 * ConfigurationError. Returns the receipts.
 */
export async function mustBeSameShards(slot: string, deps: ProduceDeps, contact: Contact): Promise<readonly Receipt[]> {
  const { outbox, pipeline, source } = deps
  const [, shards] = shardOf(source.digest)
  const rows = await outbox.ledger.ofSlot(slot)
  const own = rows.map((run) => shardOf(run.sourceDigest))
  // One that is done and has stored nothing is no answer: there may be tasks of the slot in the sink, or none at all.
  if (rows.some((run) => shardOf(run.sourceDigest)[1] === shards && (run.persisted > 0 || run.state !== 'done')))
    return []
  const isOwn = (receipt: Receipt): boolean =>
    own.some(([shard, count]) => shard === receipt.shard && count === receipt.shards)
  const receipts = await receiptsOf(slot, deps, contact)
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

async function receiptsOf(slot: string, { resilience }: ProduceDeps, contact: Contact): Promise<readonly Receipt[]> {
  try {
    resilience.admit()
    return standing((await contact.receiptsOf(slot)) ?? [])
  } catch {
    return [] // the relay tells why
  }
}
