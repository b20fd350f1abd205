/** Whether a start would be refused since the sink is another than before: it has a part of the work. Reads only. */
import { isSharded } from '../../../config/filters.js'
import type { Loaded } from '../../../config/load.js'
import type { ConfigurationError } from '../../../errors/index.js'
import { owedElsewhere, slotAndSinksIn } from '../../../outbox/inspect/ledger/owed.js'
import { elsewhere } from '../../../pipeline/slots/served-before.js'
import type { Sink } from '../../../plugin.js'
import { type Surroundings, sinkOf } from '../../compose.js'
import { ownerOf } from '../../owner.js'
import { whenOpen } from '../look/sink.js'

interface Asked {
  readonly slot: string
  /** As `0/3`, '' for the whole. */
  readonly shard: string
}

/**
 * What a start for a slot would throw. Undefined if it would go on, or if the sink can't be asked now, or doesn't tell
 * its address without being opened.
 */
export async function refusalOf(
  asked: Asked,
  loaded: Loaded,
  around: Surroundings,
): Promise<ConfigurationError | undefined> {
  const { path } = loaded.settings.outbox
  const deps = await sinkOf(loaded, around, true)
  const { address } = deps
  if (address === undefined) return undefined
  const pipeline = await ownerOf(loaded, around.env)
  const position: NonNullable<Sink['position']> = (id) => whenOpen(deps, async (sink) => sink.position?.(id))
  try {
    return (
      (await owedElsewhere(path, { address, position })) ??
      (await servedElsewhere(asked, loaded, address, () =>
        whenOpen(deps, async (sink) => sink.receipts?.(pipeline, asked.slot)),
      ))
    )
  } catch {
    return undefined // the start reports what is wrong with the sink
  }
}

/**
 * The error of a slot that another sink has.
 * @param receipts those of the slot in the sink, which is asked only if its address is a new one
 */
export async function servedElsewhere(
  { slot, shard }: Asked,
  { settings }: Loaded,
  address: string,
  receipts: Parameters<typeof elsewhere>[1]['receipts'],
): Promise<ConfigurationError | undefined> {
  const seen = await slotAndSinksIn(settings.outbox.path, slot)
  const asked = { slot, own: shard, isSharded: isSharded(settings), ...seen }
  return elsewhere(asked, { address: async () => address, receipts })
}
