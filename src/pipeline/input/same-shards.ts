/** A slot is delivered in one number of shards: cut differently, its locations would come twice. */
import { ConfigurationError } from '../../errors/index.js'
import { shardOf } from '../../outbox/runs/whole-slots.js'
import type { Receipt } from '../../plugin.js'
import type { Contact } from '../contact.js'
import type { ProduceDeps } from '../parts.js'

/**
 * Asks the sink for the receipts of a slot that this outbox doesn't know: where it is the outbox's, what it stored of
 * the slot isn't stored again. A sink that doesn't answer leaves the slot to be read. Throws ConfigurationError.
 */
export async function mustBeSameShards(slot: string, deps: ProduceDeps, contact: Contact): Promise<void> {
  const { outbox, pipeline, source } = deps
  if ((await outbox.ledger.ofSlot(slot)).length > 0) return
  const [, shards = 1] = shardOf(source.digest)
  const other = (await receiptsOf(slot, deps, contact)).find((receipt) => receipt.shards !== shards)
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
