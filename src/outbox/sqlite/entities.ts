/**
 * The outbox's tables (see migrations.ts) as TypeORM entities.
 *
 * The unit is the batch: one row holds up to `flush.batchSize` tasks, and its key is the `seq` of the first. `seq` has
 * no gaps, so "acknowledged" is one number (`state.handed_seq`), and acknowledging a batch doesn't write its row.
 * Columns keep the names of the first version; properties use today's words. Times are milliseconds since 1970.
 */
import { EntitySchema } from 'typeorm'
import type { RunState } from '../runs/run-states.js'
import { isCadence, isNextSink, isNumbers, isTexts, json, jsonText, type NextSink, text } from './json.js'

/** The one row with the outbox's identity and how far it is delivered. */
export interface StateRow {
  id: number
  /** UUID: the name that sinks remember this outbox by. */
  outboxId: string
  /** Every task up to this `seq` is in the sink or dead; 0 at the start. */
  ackedSeq: number
  /** The last `seq` that was ever assigned. */
  lastSeq: number
  /** The circuit breakers' state between two starts: JSON, see breakers.ts; null while all are closed. */
  breaker: string | null
  /** Who holds, or last held, the lock, and what was reported: JSON, see runs/holder.ts. */
  holder: string | null
  /** Counts the processes that opened the outbox for writing, and their attachments to sinks. */
  epoch: number
  /** The row id of the sink that `ackedSeq` is about; null if none is known yet. */
  sink: number | null
  /** Another sink, announced before tasks were stored for it; null if there is none. */
  next: NextSink | null
  /** Of a copy: the id that it had before, until a sink has placed it under its new one; else null. */
  formerId: string | null
  /** See owner.ts; null if it has none yet. */
  owner: string | null
  /** The newest slot of which a run was deleted from the ledger; null if none was. */
  newestDeletedSlot: string | null
  /** Where the last interval ends: what is scheduled after it is due; null if there was never a run. */
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
export interface SinkRow {
  id: number
  /** The addresses that it was met at, the latest last. */
  addresses: string[]
  /** The ids that it had, the latest last. */
  sinkIds: string[]
  /** It gets the tasks after this `seq`: earlier ones went to other sinks. */
  fromSeq: number
  /** How far it had got when another sink took its place; for the present one, see `state`. */
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
  /** Random: distinguishes this file from a copy. */
  word: string
  /** The last `seq` that was assigned before it; null for those of older versions. */
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
  /** Where the source resumes, in its own terms; null at the start, and once it's read to its end. */
  checkpoint: string | null
  /** Locations that the source gave. */
  read: number
  rejected: number
  duplicates: number
  /** Tasks that were stored. */
  persisted: number
  /** Tasks of this run that were discarded: dead letters, and pending ones. */
  discarded: number
  /** Tasks that the sink had and lost, and that aren't delivered again. */
  lost: number
  /** The sum of the ids of its tasks, modulo 2^128: 32 hexadecimal digits; null for runs of older versions. */
  idSum: string | null
  /** 1 if it reads its slot again, which was lost or isn't kept: then earlier runs of the slot don't count. */
  again: number
  /** 1 if it leaves out what the sink already holds: see replay.ts. */
  leavesOut: number
  /** 1 if its slot was given, 0 if it is the time of the start. */
  slotGiven: number
  /** Part of its task ids: see tasks/id. */
  namespace: string
  /** Locations whose tasks an earlier run of the slot stored; they count as duplicates, too. */
  repeated: number
  /** The sinks (row ids) that have all of its tasks; null until it is done, and if that isn't known. */
  sinks: number[] | null
  /** The run covers the time after this one, up to its slot; null if another run covers its slot. */
  intervalFrom: number | null
  /** If its slot lies in the interval of another run: where the windows begin that it may serve; else null. */
  windowsFrom: number | null
  /** JSON: the cadence that it was begun with (pipeline/input/cadence); null if every location is due. */
  cadence: string | null
  /** Locations that were not due. */
  notDue: number
  /**
   * Windows that came too late for this run, and that no run has served; without those of locations that a Bloom filter
   * took for duplicates, which are few (tasks/ids/seen.ts).
   */
  skipped: number
  /** If it stored nothing and a later run serves its slot: the `id` of that one; else null. */
  coveredBy: number | null
  /** Why its source failed last; null if it never did. */
  lastError: string | null
  /** Tasks that were put back because the sink had lost them, or another sink was to have them. */
  redelivered: number
  /** Tasks that an operator had delivered again (replay.ts), and when last. */
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

/** Consecutive scheduled times that no run serves. */
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
    // Megabytes: only read where asked for (statements.ts).
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
   * See dead-letters.ts. Two aren't dead letters, but skipped like them: a `replayed` task has a later seq, too, and a
   * `held` one is left out, since the sink has it (runs/replay.ts).
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

/** A location that became no task. */
interface RejectedRow {
  id: number
  /** A run's `id`. */
  run: number
  kind: 'rejected' | 'duplicate'
  /** Its place in the source, such as `line 17`. */
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

/** A task that may be a duplicate: decided once its source is read to its end. */
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
