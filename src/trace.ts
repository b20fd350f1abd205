/**
 * Where a process stands, published on `node:diagnostics_channel` under
 * `owm:step` as `{at: Step}`: for tracing, and for tests that end the process there.
 */
import { channel } from 'node:diagnostics_channel'

export type Step =
  // Another owm holds the outbox: with every look whether it still does.
  | 'outbox:waiting'
  // The lock is ours; the outbox doesn't say so yet.
  | 'outbox:locked'
  // Inside the first migration's transaction: as it begins, and before its commit.
  | 'migration:begun'
  | 'migration:written'
  | 'run:started'
  // The steps of a comparison with the sink.
  | 'epoch:raised'
  | 'sink:attached'
  | 'sink:compared'
  | 'sink:placed'
  | 'receipt:written'
  | 'intake:read'
  // Inside the transaction, before its commit.
  | 'intake:written'
  | 'intake:persisted'
  | 'reading:ended'
  | 'checking:ended'
  | 'batch:loaded'
  | 'batch:sent'
  | 'batch:answered'
  // The acknowledgement is on the disk; most batches don't wait for one.
  | 'acknowledgement:written'
  | 'batch:acknowledged'
  // Inside the transaction that puts delivered tasks back, before its commit; and behind it.
  | 'replay:written'
  | 'replay:stored'
  // After a stretch of the history is deleted; before the commit that deletes old runs.
  | 'history:deleted'
  | 'runs:deleted'
  | 'relay:ended'
  | 'settled'

const steps = channel('owm:step')

export function step(at: Step): void {
  if (steps.hasSubscribers) steps.publish({ at })
}
