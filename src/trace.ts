/**
 * The steps of a process, published on `node:diagnostics_channel` under `owm:step`
 * as `{at: Step}`: for tracing, and for tests that end the process at one.
 */
import { channel } from 'node:diagnostics_channel'

export type Step =
  // Another owm holds the outbox: once for each poll.
  | 'outbox:waiting'
  // The lock is taken, but not yet noted in the outbox.
  | 'outbox:locked'
  // Inside the first migration's transaction: at its beginning, and before its commit.
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
  // The acknowledgement is on disk; most batches don't wait for that.
  | 'acknowledgement:written'
  | 'batch:acknowledged'
  // The transaction that puts delivered tasks back: before its commit, and after it.
  | 'replay:written'
  | 'replay:stored'
  // After a part of the history is deleted; before the commit that deletes old runs.
  | 'history:deleted'
  | 'runs:deleted'
  | 'relay:ended'
  | 'settled'

const steps = channel('owm:step')

export function step(at: Step): void {
  if (steps.hasSubscribers) steps.publish({ at })
}
