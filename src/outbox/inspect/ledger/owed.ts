/** Whether a start would be refused since the configured sink is another than before. Reads only. */
import type { ConfigurationError } from '../../../errors/index.js'
import type { Sink } from '../../../plugin.js'
import { anotherSink, decidedStart } from '../../chain/move.js'
import { isOwedIn } from '../../chain/open-runs.js'
import { type KnownSink, knownIn } from '../../chain/sinks.js'
import { type RunRow, runs, states } from '../../sqlite/entities.js'
import { pendingIn } from '../totals.js'
import { isUpToDate, read, type View } from '../view.js'

/** The configured sink, as far as it can be known without attaching to it. */
export interface SinkSeen {
  readonly address: string
  /** Asked only where the outbox doesn't know the address; undefined if the sink isn't open, or doesn't tell. */
  readonly position?: Sink['position']
}

/** What `owm flush` would throw; undefined if it would deliver, or there is no outbox of this version. */
export async function owedElsewhere(path: string, sink: SinkSeen): Promise<ConfigurationError | undefined> {
  const owed = await read(path, (view) => owedIn(view, sink.address))
  if (!owed) return undefined
  // A sink that has a position for this outbox has met it: it is the same one at another address.
  const isSame = !owed.isKnown && (await sink.position?.(owed.outboxId)) !== undefined
  return isSame ? undefined : owed.error
}

interface Owed {
  readonly outboxId: string
  readonly error: ConfigurationError
  /** Whether the outbox has met a sink at this address. */
  readonly isKnown: boolean
}

async function owedIn(view: View, address: string): Promise<Owed | undefined> {
  if (!isUpToDate(view)) return undefined
  const { manager, path } = view
  const [[state], sinks] = [await manager.find(states), await knownIn(manager)]
  const present = sinks.find(({ id }) => id === state?.sink)
  if (!state || !present || present.addresses.includes(address)) return undefined
  if (decidedStart(address, { ...state, present }) !== undefined) return undefined
  const pending = await pendingIn(view)
  if (!(await isOwedIn(manager, { pending, lastSeq: state.lastSeq }))) return undefined
  const isKnown = sinks.some(({ addresses }) => addresses.includes(address))
  return { outboxId: state.outboxId, error: anotherSink({ path, pending, present }, address), isKnown }
}

/** A slot's runs, and the sinks that the outbox knows; none if there is no outbox of this version. */
export async function slotAndSinksIn(path: string, slot: string): Promise<{ runs: RunRow[]; known: KnownSink[] }> {
  const found = await read(path, async (view) => {
    if (!isUpToDate(view)) return undefined
    const { manager } = view
    return { runs: await manager.find(runs, { where: { slot }, order: { id: 'ASC' } }), known: await knownIn(manager) }
  })
  return found ?? { runs: [], known: [] }
}
