/** `owm flush`: delivers what is pending, for manual recovery. */
import type { OwmError } from '../errors/index.js'
import type { RunRow } from '../outbox/outbox.js'
import { step } from '../trace.js'
import { Contact } from './contact.js'
import { Feed } from './feed.js'
import { type LeftRejects, leftRejects } from './input/left-rejects.js'
import { asOwmError, type Delivered, type Deps, nothingDelivered, type Progress } from './parts.js'
import { relay } from './relay.js'
import { undelivered } from './undelivered.js'

export interface FlushSummary extends Delivered {
  /** The latest run of each slot that had tasks to deliver. */
  served: readonly RunRow[]
  /** What earlier starts rejected but didn't report, in runs that this one finished. */
  earlier: readonly LeftRejects[]
  errors: OwmError[]
}

/** Delivers what is pending, at most `limit` tasks. */
export async function flush({ limit }: { limit: number }, deps: Deps): Promise<FlushSummary> {
  const unfinished = await deps.outbox.ledger.unfinished()
  const left = await leftRejects(unfinished, deps.outbox)
  const feed = new Feed()
  feed.end()
  const delivered = nothingDelivered()
  const errors: OwmError[] = []
  const progress: Progress = { read: 0, delivered: 0, total: Math.min(limit, deps.outbox.pending) }
  await relay(deps, { contact: new Contact(deps), feed, limit, delivered, progress }).catch((error: unknown) => {
    errors.push(asOwmError(error))
  })
  await deps.outbox.settle()
  step('settled')
  errors.push(...(await undelivered(delivered, deps)))
  const served = await deps.outbox.ledger.latestOf(unfinished.map(({ slot }) => slot))
  // The start that ends one of the others reports its rejects.
  const done = new Set(served.flatMap(({ runId, state }) => (state === 'done' ? [runId] : [])))
  return { ...delivered, served, earlier: left.filter(({ run }) => done.has(run.runId)), errors }
}
