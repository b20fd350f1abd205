/**
 * The outbox's tables, which migrations.ts makes, as TypeORM's entities.
 *
 * The unit is the batch: one row holds up to `flush.batchSize` tasks, its key is the `seq` of the first. `seq` has no
 * gaps, so "acknowledged" is one number (`state.handed_seq`), and acknowledging a batch writes no row of it.
 * Columns keep the names that files have had from the first version on; properties have the words of the code.
 * Times are milliseconds since 1970.
 */
import { EntitySchema } from 'typeorm'
import { isCadence, isNextSink, isNumbers, isTexts, json, jsonText, type NextSink, text } from './json.js'
import type { RunState } from './run-states.js'

/** The one row that says who this outbox is and how far it is delivered. */
export interface StateRow {
  id: number
  /** UUID: the name that sinks remember this outbox by. */
  outboxId: string
  /** Every task up to this `seq` is in the sink or dead; 0 at the start. */
  ackedSeq: number
  /** The last `seq` that was ever given out. */
  lastSeq: number
  /** What the circuit breakers remember between two starts: JSON, see breakers.ts; null while all are closed. */
  breaker: string | null
  /** Who holds, or last held, the lock, and what was told: JSON, see runs/holder.ts. */
  holder: string | null
  /** Counts the processes that opened the outbox for writing, and their attachments to sinks. */
  epoch: number
  /** The row of the sink that `ackedSeq` is about; null where none is known yet. */
  sink: number | null
  /** Another sink, announced before tasks were stored for it; null where there is none. */
  next: NextSink | null
  /** The id that this outbox, a copy, had before, until a sink has placed it under its own; else null. */
  formerId: string | null
  /** See owner.ts; null until somebody claims it. */
  owner: string | null
  /** The newest slot of which no run is in the ledger any more; null where every run that there was still is. */
  newestDeletedSlot: string | null
  /** Where the last run's interval ends: what is scheduled behind it is due; null where no run was ever made. */
  coveredTo: number | null
}

export const states = new EntitySchema<StateRow>({
  name: 'state',
  columns: {
    id: { type: 'integer', primary: true },
    outboxId: { ...text, name: 'outbox_id' },
    ackedSeq: { name: 'handed_seq', type: 'integer' },
    lastSeq: { name: 'last_seq', type: 'integer' },
    breaker: { ...text, nullable: true },
    holder: { ...text, nullable: true },
    epoch: { type: 'integer', default: 0 },
    sink: { type: 'integer', nullable: true },
    next: { name: 'next_sink', type: 'text', nullable: true, transformer: json('state.next_sink', isNextSink) },
    formerId: { ...text, name: 'former_id', nullable: true },
    owner: { ...text, nullable: true },
    newestDeletedSlot: { ...text, name: 'newest_deleted_slot', nullable: true },
    coveredTo: { name: 'covered_to', type: 'integer', nullable: true },
  },
})

/** A sink that this outbox was delivered to. */
interface SinkRow {
  id: number
  /** Under which it was met. */
  addresses: string[]
  /** That it had. */
  sinkIds: string[]
  /** It gets the tasks behind this `seq`: what was there before went to other sinks. */
  fromSeq: number
  /** How far it was delivered when another sink took its place; for the present one, see `state`. */
  ackedSeq: number
}

export const sinkRows = new EntitySchema<SinkRow>({
  name: 'sink',
  columns: {
    id: { type: 'integer', primary: true, generated: 'increment' },
    addresses: { type: 'text', transformer: json('sink.addresses', isTexts) },
    sinkIds: { name: 'sink_ids', type: 'text', transformer: json('sink.sink_ids', isTexts) },
    fromSeq: { name: 'from_seq', type: 'integer', default: 0 },
    ackedSeq: { name: 'acked_seq', type: 'integer', default: 0 },
  },
})

/** An attachment that a sink may know. */
interface AttachmentRow {
  epoch: number
  /** Random. */
  word: string
  /** The last `seq` that was given out before it; null for those of older versions. */
  lastSeq: number | null
}

export const attachments = new EntitySchema<AttachmentRow>({
  name: 'attachment',
  columns: {
    epoch: { type: 'integer', primary: true },
    word: text,
    lastSeq: { name: 'last_seq', type: 'integer', nullable: true },
  },
})

export interface RunRow {
  id: number
  /** UUID. */
  runId: string
  slot: string
  source: string
  /** Hash of the source's name and options: a checkpoint is only good for the same ones. */
  sourceDigest: string
  state: RunState
  /** The source's word for where to read on; null at the start, and once it's read to its end. */
  checkpoint: string | null
  /** Locations that the source gave. */
  read: number
  rejected: number
  duplicates: number
  /** Tasks that were stored. */
  persisted: number
  /** Dead tasks of this run that an operator gave up. */
  discarded: number
  /** Tasks that the sink had and lost, and that aren't delivered again. */
  lost: number
  /** The sum of the ids of its tasks, modulo 2^128: 32 hexadecimal digits; null for runs of older versions. */
  idSum: string | null
  /** 1 where it reads a slot again that was lost or isn't kept: what earlier runs of the slot brought doesn't count. */
  again: number
  /** 1 where it leaves out what the sink holds at the time: see replay.ts. */
  leavesOut: number
  /** 1 where somebody named its slot, 0 where that is the time of the start. */
  slotGiven: number
  /** What its slot's task ids are made with: see tasks/id. */
  namespace: string
  /** Locations whose tasks an earlier run of the slot stored; they count as duplicates, too. */
  repeated: number
  /** The sinks (rows' ids) that have all of its tasks; null until it is done, and where that isn't known. */
  sinks: number[] | null
  /** The run covers the time behind this one, up to its slot; null where another run covers its slot. */
  intervalFrom: number | null
  /** Where the windows begin that it may serve, if its slot lies in the interval of another run; else null. */
  windowsFrom: number | null
  /** JSON: the cadence that it was begun with (pipeline/input/cadence); null where every location is due. */
  cadence: string | null
  /** Locations that were not due. */
  notDue: number
  /**
   * Windows that came too late for this run, and that no run has served; without those of locations that a Bloom filter
   * took for duplicates, which are few (tasks/ids/seen.ts).
   */
  skipped: number
  /** The `id` of the run that serves its slot with its own, where it stored nothing; else null. */
  coveredBy: number | null
  /** Why its source failed last; null where it never did. */
  lastError: string | null
  /** Tasks that were put back because the sink had lost them, or since another one was to have them. */
  redelivered: number
  /** Tasks that an operator had delivered again (replay.ts), and when that was last. */
  replayed: number
  replayedAt: number | null
  startedAt: number
  /** When its source was read to its end, and when all of its tasks were stored; null for runs of older versions. */
  readAt: number | null
  storedAt: number | null
  finishedAt: number | null
}

export const runs = new EntitySchema<RunRow>({
  name: 'run',
  columns: {
    id: { type: 'integer', primary: true, generated: 'increment' },
    runId: { ...text, name: 'run_id' },
    slot: text,
    source: text,
    sourceDigest: { ...text, name: 'source_digest' },
    state: text,
    checkpoint: { ...text, name: 'resume', nullable: true },
    read: { type: 'integer' },
    rejected: { type: 'integer' },
    duplicates: { type: 'integer' },
    persisted: { type: 'integer' },
    discarded: { type: 'integer' },
    lost: { type: 'integer', default: 0 },
    idSum: { ...text, name: 'id_sum', nullable: true },
    again: { type: 'integer', default: 0 },
    leavesOut: { name: 'leaves_out', type: 'integer', default: 0 },
    slotGiven: { name: 'slot_given', type: 'integer', default: 1 },
    namespace: { ...text, default: '' },
    repeated: { type: 'integer', default: 0 },
    sinks: { type: 'text', nullable: true, transformer: json('run.sinks', isNumbers) },
    intervalFrom: { name: 'interval_from', type: 'integer', nullable: true },
    windowsFrom: { name: 'windows_from', type: 'integer', nullable: true },
    cadence: { type: 'text', nullable: true, transformer: jsonText('run.cadence', isCadence) },
    notDue: { name: 'not_due', type: 'integer', default: 0 },
    skipped: { type: 'integer', default: 0 },
    coveredBy: { name: 'covered_by', type: 'integer', nullable: true },
    lastError: { ...text, name: 'failure', nullable: true },
    redelivered: { type: 'integer', default: 0 },
    replayed: { type: 'integer', default: 0 },
    replayedAt: { name: 'replayed_at', type: 'integer', nullable: true },
    startedAt: { name: 'started_at', type: 'integer' },
    readAt: { name: 'read_at', type: 'integer', nullable: true },
    storedAt: { name: 'stored_at', type: 'integer', nullable: true },
    finishedAt: { name: 'finished_at', type: 'integer', nullable: true },
  },
})

/** Scheduled times, one after the other, that no run serves. */
interface GapRow {
  id: number
  firstSlot: string
  lastSlot: string
  count: number
  /** See schedule/due. */
  reason: string
  notedAt: number
}

export const gaps = new EntitySchema<GapRow>({
  name: 'gap',
  columns: {
    id: { type: 'integer', primary: true, generated: 'increment' },
    firstSlot: { ...text, name: 'first_slot' },
    lastSlot: { ...text, name: 'last_slot' },
    count: { type: 'integer' },
    reason: text,
    notedAt: { name: 'noted_at', type: 'integer' },
  },
})

export interface BatchRow {
  firstSeq: number
  /** Tasks in it, 1 or more. */
  count: number
  /** A run's `id`. */
  run: number
  /** How often its delivery failed. */
  failures: number
  lastError: string | null
  createdAt: number
  /** A JSON array, one task a line: `[task,\ntask]`. */
  tasks: string
}

export const batches = new EntitySchema<BatchRow>({
  name: 'batch',
  columns: {
    firstSeq: { name: 'first_seq', type: 'integer', primary: true },
    count: { type: 'integer' },
    run: { type: 'integer' },
    failures: { type: 'integer' },
    lastError: { ...text, name: 'last_error', nullable: true },
    createdAt: { name: 'created_at', type: 'integer' },
    // Megabytes: read where it's asked for (statements.ts).
    tasks: { type: 'text', select: false },
  },
})

export interface DeadRow {
  seq: number
  /** A run's `id`. */
  run: number
  /** How often it was sent. */
  attempts: number
  reason: string
  /** When the task was stored. */
  createdAt: number
  diedAt: number
  /**
   * What became of it: see dead-letters.ts. Two are no dead letters, but passed over like them: a task that
   * is `replayed` has a later seq, too, and one that is `held` is left out, since the sink has it (runs/replay.ts).
   */
  fate: 'dead' | 'retried' | 'discarded' | 'replayed' | 'held'
  /** JSON; empty for all but dead and retried ones. */
  task: string
}

export const deadTasks = new EntitySchema<DeadRow>({
  name: 'dead',
  columns: {
    seq: { type: 'integer', primary: true },
    run: { type: 'integer' },
    attempts: { type: 'integer' },
    reason: text,
    createdAt: { name: 'created_at', type: 'integer' },
    diedAt: { name: 'died_at', type: 'integer' },
    fate: text,
    task: text,
  },
})

/** A location that became no task of its own. */
interface RejectedRow {
  id: number
  /** A run's `id`. */
  run: number
  kind: 'rejected' | 'duplicate'
  /** Where it stood in the source, such as `line 17`. */
  position: string
  /** The record as it was, cut at 1,000 characters. */
  value: string
  reason: string
  createdAt: number
}

export const rejectedRecords = new EntitySchema<RejectedRow>({
  name: 'rejected',
  columns: {
    id: { type: 'integer', primary: true, generated: 'increment' },
    run: { type: 'integer' },
    kind: text,
    position: text,
    value: text,
    reason: text,
    createdAt: { name: 'created_at', type: 'integer' },
  },
})

/** A task that may be a duplicate: decided once its run is read. */
export interface SuspectRow {
  id: number
  /** A run's `id`. */
  run: number
  position: string
  /** JSON. */
  task: string
}

export const suspects = new EntitySchema<SuspectRow>({
  name: 'suspect',
  columns: {
    id: { type: 'integer', primary: true, generated: 'increment' },
    run: { type: 'integer' },
    position: text,
    task: text,
  },
})

export const entities = [states, runs, batches, deadTasks, rejectedRecords, suspects, sinkRows, attachments, gaps]
