/**
 * The outbox's tables, as TypeORM knows them.
 *
 * The unit is the hand-over batch: one row holds up to `flush.batchSize` tasks,
 * its key is the `seq` of the first. `seq` has no gaps, so "handed over" is one
 * number (`state.handed_seq`) and acknowledging a batch writes no row of it.
 */
import { EntitySchema } from 'typeorm/entity-schema/EntitySchema.js'

/** The one row that says who this outbox is and how far it was handed over. */
export interface StateRow {
  id: 1
  /** UUID: the name that sinks remember this outbox by. */
  outboxId: string
  /** Every task up to this `seq` is in the sink or dead; 0 at the start. */
  handedSeq: number
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
  resume: string | null
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

const int = { type: 'integer' } as const
const words = { type: 'text' } as const
const wordsOrNull = { type: 'text', nullable: true } as const

export const State = new EntitySchema<StateRow>({
  name: 'state',
  columns: {
    id: { type: 'integer', primary: true },
    outboxId: { ...words, name: 'outbox_id' },
    handedSeq: { ...int, name: 'handed_seq' },
    lastSeq: { ...int, name: 'last_seq' },
    breaker: wordsOrNull,
    holder: wordsOrNull,
  },
})

export const Run = new EntitySchema<RunRow>({
  name: 'run',
  columns: {
    id: { type: 'integer', primary: true, generated: true },
    runId: { ...words, name: 'run_id' },
    slot: words,
    source: words,
    sourceDigest: { ...words, name: 'source_digest' },
    state: words,
    resume: wordsOrNull,
    read: int,
    rejected: int,
    duplicates: int,
    persisted: int,
    discarded: int,
    startedAt: { ...int, name: 'started_at' },
    finishedAt: { type: 'integer', nullable: true, name: 'finished_at' },
  },
})

export const Batch = new EntitySchema<BatchRow>({
  name: 'batch',
  columns: {
    firstSeq: { type: 'integer', primary: true, name: 'first_seq' },
    count: int,
    run: int,
    failures: int,
    lastError: { ...wordsOrNull, name: 'last_error' },
    createdAt: { ...int, name: 'created_at' },
    tasks: words,
  },
})

export const Dead = new EntitySchema<DeadRow>({
  name: 'dead',
  columns: {
    seq: { type: 'integer', primary: true },
    run: int,
    attempts: int,
    reason: words,
    createdAt: { ...int, name: 'created_at' },
    diedAt: { ...int, name: 'died_at' },
    fate: words,
    task: words,
  },
})

export const Rejected = new EntitySchema<RejectedRow>({
  name: 'rejected',
  columns: {
    id: { type: 'integer', primary: true, generated: true },
    run: int,
    kind: words,
    position: words,
    value: words,
    reason: words,
    createdAt: { ...int, name: 'created_at' },
  },
})

export const Suspect = new EntitySchema<SuspectRow>({
  name: 'suspect',
  columns: {
    id: { type: 'integer', primary: true, generated: true },
    run: int,
    position: words,
    task: words,
  },
})

export const entities = [State, Run, Batch, Dead, Rejected, Suspect]
