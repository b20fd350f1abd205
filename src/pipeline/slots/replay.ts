/**
 * `owm outbox replay` from the history:
 *
 *     deliver what is pending -> ask the sink what it holds -> put the rest back (one transaction) -> deliver it
 *
 * A crash before the transaction leaves nothing to do; one after it leaves pending tasks, which any start delivers.
 */
import type { Replayed } from '../../outbox/runs/replay.js'
import { step } from '../../trace.js'
import { Contact } from '../contact.js'
import { type FlushSummary, flush } from '../flush.js'
import { type Deps, sumOfDelivered } from '../parts.js'

interface ReplaySummary extends FlushSummary {
  /** Undefined if what was pending couldn't be delivered: then nothing was put back. */
  replayed: Omit<Replayed, 'lastSeq'> | undefined
}

interface ReplayOptions {
  readonly runIds: readonly string[]
  /** Also those that the sink holds. */
  readonly all: boolean
}

export const everything = { limit: Number.POSITIVE_INFINITY }

/** Delivers tasks of these runs again. */
export async function replay({ runIds, all }: ReplayOptions, deps: Deps): Promise<ReplaySummary> {
  const before = await flush(everything, deps)
  if (!isReady(before) || deps.signal.aborted) return { ...before, replayed: undefined }
  const { tasks, held } = await deps.outbox.replay(runIds, all ? undefined : await idsInSink(deps))
  step('replay:stored')
  const after = await flush(everything, deps)
  return {
    ...sumOfDelivered(before, after),
    replayed: { tasks, held },
    served: [...before.served.filter(({ slot }) => !after.served.some((run) => run.slot === slot)), ...after.served],
    earlier: before.earlier,
    errors: [...((await deps.outbox.ledger.lost()).length > 0 ? before.errors : []), ...after.errors],
  }
}

/** Whether all that was pending is delivered. Lost tasks are no obstacle: replay exists for them. */
export const isReady = ({ errors }: FlushSummary): boolean => errors.every(({ code }) => code === 'SINK_LOST')

async function idsInSink(deps: Deps): Promise<ReadonlySet<string> | undefined> {
  const contact = new Contact(deps)
  try {
    return await contact.idsInSink()
  } finally {
    await contact.close()
  }
}
