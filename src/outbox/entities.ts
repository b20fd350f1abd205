/**
 * The rows of the outbox's tables, which src/outbox/migrations.ts makes.
 *
 * The unit is the hand-over batch: one row holds up to `flush.batchSize` tasks,
 * its key is the `seq` of the first. `seq` has no gaps, so "acknowledged" is one
 * number (`state.handed_seq`) and acknowledging a batch writes no row of it.
 */
/** The one row that says who this outbox is and how far it was handed over. */
export interface StateRow {
  id: 1
  /** UUID: the name that sinks remember this outbox by. */
  outboxId: string
  /** Every task up to this `seq` is in the sink or dead; 0 at the start. */
  ackedSeq: number
  /** The last `seq` that was ever given out. */
  lastSeq: number
  /** The circuit breakers' states between two starts, JSON by name; null while all are closed. */
  breaker: string | null
  /** Who holds, or last held, the lock: JSON `{pid, host, command, since}`. */
  holder: string | null
}

/**
 * reading: the source isn't read to its end. checking: read; suspected duplicates
 * are being compared. read: all of its tasks are in the outbox. done: and handed over.
 */
export type RunState = 'reading' | 'checking' | 'read' | 'done'

export interface RunRow {
  id: number
  runId: string
  slot: string
  source: string
  /** Hash of the source's name and options: a resume point is only good for the same ones. */
  sourceDigest: string
  state: RunState
  checkpoint: string | null
  read: number
  rejected: number
  duplicates: number
  persisted: number
  /** Dead tasks of this run that an operator removed. */
  discarded: number
  /** Milliseconds since 1970. */
  startedAt: number
  finishedAt: number | null
}

export interface BatchRow {
  firstSeq: number
  count: number
  run: number
  /** How often the hand-over of this batch failed. */
  failures: number
  lastError: string | null
  createdAt: number
  /** A JSON array, one task a line: `[task,\ntask]`. */
  tasks: string
}

export interface DeadRow {
  seq: number
  run: number
  attempts: number
  reason: string
  createdAt: number
  diedAt: number
  /** What an operator did with it: `retried` lives on under another `seq`, `discarded` is given up. */
  fate: 'dead' | 'retried' | 'discarded'
  task: string
}

export interface RejectedRow {
  id: number
  run: number
  kind: 'rejected' | 'duplicate'
  position: string
  /** The record as it was, cut at 1,000 characters. */
  value: string
  reason: string
  createdAt: number
}

/** A task that may be a duplicate: decided once its run is read. */
export interface SuspectRow {
  id: number
  run: number
  position: string
  task: string
}
