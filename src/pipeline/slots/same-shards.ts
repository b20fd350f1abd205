/** A slot is delivered in one number of shards: cut differently, its locations would come twice. */
import { ConfigurationError } from '../../errors/index.js'
import type { Receipt } from '../../plugin.js'
import { shardOf } from '../../tasks/slot.js'
import type { Contact } from '../contact.js'
import type { ProduceDeps } from '../parts.js'

/**
 * Asks the sink for the receipts of a slot that this outbox hasn't served in this number of shards. What the outbox
 * stored itself, in whatever number, isn't stored again. A sink that doesn't answer leaves the slot to be read. Throws
 * ConfigurationError.
 */
export async function mustBeSameShards(slot: string, deps: ProduceDeps, contact: Contact): Promise<void> {
  const { outbox, pipeline, source } = deps
  const [, shards = 1] = shardOf(source.digest)
  const own = (await outbox.ledger.ofSlot(slot)).map((run) => shardOf(run.sourceDigest))
  if (own.some(([, count]) => count === shards)) return
  const isOwn = (receipt: Receipt): boolean =>
    own.some(([shard, count]) => shard === receipt.shard && count === receipt.shards)
  const receipts = await receiptsOf(slot, deps, contact)
  const other = receipts.find((receipt) => receipt.shards !== shards && !isOwn(receipt))
  // guard: shards-the-same
  if (!other) return
  throw new ConfigurationError(
    `The sink has the slot ${slot} of ${pipeline} in ${wordsOf(other.shards)}, ` +
      `and this start has ${wordsOf(shards)}: its tasks would come twice.`,
    { hint: `\`owm produce --slot ${slot} --again\` delivers them all the same: workers skip them by task_id.` },
  )
}

/** Milliseconds: a sink that is silent for longer doesn't keep the source from being read. */
const longestWaitMs = 3_000

const wordsOf = (shards: number): string => (shards === 1 ? 'one piece' : `${shards} shards`)

async function receiptsOf(
  slot: string,
  { pipeline, resilience }: ProduceDeps,
  contact: Contact,
): Promise<readonly Receipt[]> {
  try {
    resilience.admit()
    return (await contact.askFirst((sink) => sink.receipts?.(pipeline, slot), longestWaitMs)) ?? []
  } catch {
    return [] // the relay tells why
  }
}
