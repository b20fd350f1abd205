/**
 * The contract between owm and its sources and sinks. The built-in ones implement it like any other. Only the tooling
 * around a configuration knows them by name: `owm init` writes one for them, `owm config check` checks their files,
 * and OWM_REDIS_URL is the URL of redis-stream.
 */
import type { output, ZodType } from 'zod'

/** A plugin's logger, with pino's signature: fields first. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Passed to every plugin when it is opened. */
export interface PluginContext {
  /** Aborted on SIGINT, SIGTERM and SIGHUP: stop soon, and clean up in `close`. */
  readonly signal: AbortSignal
  readonly log: Logger
  /**
   * Runs a call to another system with the configured retries and this plugin's
   * circuit breaker. For sources; a sink's `deliver` always runs with them.
   * A TransientError's `retryAfterMs` is waited for; if it is longer than a
   * source may take, the error is thrown instead.
   */
  attempt<T>(operation: () => Promise<T>): Promise<T>
  /** The configuration file's folder: relative paths in options are resolved against it. */
  readonly baseDir: string
  /** True if a sink is opened for reading only: it must create, change and lock nothing, and gets no batch. */
  readonly readOnly?: boolean
}

/**
 * One place to fetch weather for. Required: `latitude` (degrees, -90..90),
 * `longitude` (degrees, -180..180) and `city` (1..200 characters). Optional:
 * `state` (0..200 characters), `id` (the source's own stable key),
 * `forecast_duration_hours`, `historical_duration_hours` (whole, 0 or more). Any
 * other key goes into the task under its snake_case name. owm validates all of it.
 */
export type Location = Readonly<Record<string, unknown>>

/** The same key in every copy of owm, since a plugin often brings its own copy. */
const mark = Symbol.for('owm.malformed')

/** A record that a source can't read as a location at all, such as a CSV row that is too short. */
export class Malformed {
  readonly [mark] = true
  readonly value: string
  readonly reason: string
  /** owm's name of the field that is wrong, if it is a single one. */
  readonly field: string | undefined

  constructor(value: string, reason: string, field?: string) {
    this.value = value
    this.reason = reason
    this.field = field
  }
}

/** Whether this is a Malformed, of this copy of owm or of a plugin's. */
export const isMalformed = (value: object): value is Malformed => mark in value

/** Consecutive locations, in the source's own order. */
export interface LocationBatch {
  readonly locations: readonly (Location | Malformed)[]
  /** A checkpoint behind this batch: any text. `read` gets that of the last batch that was stored. */
  readonly resume: string
  /**
   * Where location `index` (from 0) of this batch stands in the source, for a person who looks for it: `line 17`.
   * `field` is owm's name of the field that it is rejected for, if it is a single one.
   */
  position(index: number, field?: string): string
}

/** An open source. */
export interface Source {
  /** The number of all locations, if it is known: for the progress bar only. */
  readonly total?: number | undefined
  /**
   * Yields all locations, or those after the checkpoint `resume`. If reading fails
   * for good, throw a TransientError or anything else: the run stays open, and the
   * next start continues it. Throw a ConfigurationError if a retry can't help.
   */
  read(resume: string | undefined): AsyncIterable<LocationBatch>
  /** For `owm doctor`: runs the checks that the plugin declares in `checks`, and changes nothing. */
  doctor?(patient: Patient): Promise<readonly Diagnosis[]>
  close?(): Promise<void>
}

/** Tasks in `seq` order, without gaps, all of one run. Each call of `deliver` gets its own copy. */
export interface TaskBatch {
  /** The outbox that the tasks come from: a UUID. */
  readonly outboxId: string
  /** The run that made them: a UUID. */
  readonly runId: string
  /** The slot of that run, such as `2026-11-23T10:00:00Z`. */
  readonly slot: string
  /** The `seq` of the first task, 1 or more; each of the others has the next number. */
  readonly firstSeq: number
  /** The `seq` of the last task. */
  readonly lastSeq: number
  /** The number of tasks, 1 or more. */
  readonly count: number
  /** The JSON text of each task, as workers are to read it. Created on first access. */
  readonly tasks: readonly string[]
  /** The text of the task at `index`, 0 to `count - 1`. */
  task(index: number): string
  /** The texts as UTF-8, for a sink that sends bytes: task `i` is `bytes.subarray(starts[i], starts[i + 1] - 2)`. */
  readonly bytes: Uint8Array
  /** `count + 1` offsets into `bytes`. */
  readonly starts: readonly number[]
  /** For a sink with `attach`: the attachment that sends the batch, and the task that it follows. */
  readonly link?: Link | undefined
  /** The tasks at index `from` to `to` (excluded; at most `count`), as a batch without a link. */
  slice(from: number, to: number): TaskBatch
}

/** What the sink did with one task; `refused` is the reason. */
export type Outcome = 'delivered' | 'duplicate' | { readonly refused: string }

/** How far a sink got with an outbox: the last task that it took. */
export interface SinkPosition {
  /** 0 if it has taken none. */
  readonly seq: number
  /** '' if it isn't known. */
  readonly taskId: string
  /** The run of that task, if the sink stores it. */
  readonly runId?: string | undefined
}

/** One attachment of an outbox to a sink: only the newest one may write. */
export interface Attachment {
  readonly outboxId: string
  /** Counts the outbox's attachments, from 1. A sink that has seen a higher one throws SupersededError. */
  readonly epoch: number
  /** A random text, which differs between two copies of an outbox that reached the same epoch. */
  readonly word: string
  /** For `attach`, if the outbox is a copy: the id it had before, until it is placed under its own. */
  readonly formerId?: string
}

/** The place of a batch in an outbox's chain: it may be added only if `after` is the last task that the sink took. */
export interface Link extends Attachment {
  readonly after: SinkPosition
}

/** A sink's answer to `attach`. */
export interface Attached {
  /** A UUID, stored beside the tasks: it stays the same as long as what the sink holds. */
  readonly sinkId: string
  /**
   * How far it got with the outbox; undefined if its fence was never placed. `epoch` and `word` are those of the
   * previous attachment; `placedBy` is the word of the one that placed the fence (default: `word`).
   */
  readonly fence?:
    | (SinkPosition & { readonly epoch: number; readonly word: string; readonly placedBy?: string })
    | undefined
  /** How far it got with the outbox under `formerId`, if it still holds all of that. */
  readonly former?: SinkPosition | undefined
  /** Changes when the tasks that it held are gone, such as with a deleted stream. Passed back to `place`. */
  readonly generation?: number | undefined
  /** True if it knows a newer attachment, or another one of the same epoch: then it hasn't noted this one. */
  readonly superseded?: boolean
  /** True if it had no id until now. */
  readonly created?: boolean
  /** True if the tasks that it held are gone although it still knows the outbox. */
  readonly emptied?: boolean
}

/** Proves that a slot is complete, by the counts of all that was read and the sum of the task ids. */
export interface Receipt {
  /** The pipeline's name, or the path of its configuration. */
  readonly pipeline: string
  readonly slot: string
  /** The index of the shard, 0 to `shards - 1`. */
  readonly shard: number
  /** The number of shards, 1 or more. */
  readonly shards: number
  /** The time that the slot's run covers: after `from`, up to `to`. Null: unknown, or covered by another slot. */
  readonly interval: { readonly from: string; readonly to: string } | null
  /** Locations; so are `rejected` and `duplicates`. The other counts are tasks. */
  readonly read: number
  readonly rejected: number
  readonly duplicates: number
  readonly delivered: number
  readonly dead: number
  readonly discarded: number
  /** The sum of the ids of all tasks, delivered or not, modulo 2^128: 32 hexadecimal digits. */
  readonly taskIdSum: string
  /** The sink's names of the first and last entry; set by the sink. */
  readonly firstEntry?: string | null
  readonly lastEntry?: string | null
  /** True if its tasks are gone with what held them: it only proves that they were there. Set by the sink. */
  readonly isGone?: boolean
}

/** The runs that brought a slot, by the `runId` of their batches, and the `seq` of their last task. */
export interface Brought {
  readonly runs: readonly string[]
  readonly lastSeq: number
}

/** A check of `owm doctor`, declared under a code such as `redis-memory`. Docs and help are generated from it. */
export interface Check {
  /** What it examines, in a few words: `what Redis removes when its memory is full`. */
  readonly about: string
  /** Why a finding matters: a sentence. */
  readonly why: string
  /** What to do about a finding: a sentence, with a command if there is one. */
  readonly todo: string
  /** owm's exit code for a finding; 0 if it is for information only. */
  readonly exitCode: 0 | 74 | 75 | 78
}

/** The result of one check. */
export interface Diagnosis {
  /** The code under which the check is declared. */
  readonly code: string
  /** `unknown`: it couldn't be examined, such as for lack of a permission. */
  readonly verdict: 'fine' | 'wrong' | 'unknown'
  /** What was found, with its numbers and names, without secrets: a sentence. */
  readonly found: string
  /** For `wrong`: what to do, if that needs names that were found. Default: the check's own `todo`. */
  readonly todo?: string | undefined
}

/** What a plugin's checks may need to know. */
export interface Patient {
  /** Undefined if there is no outbox yet. */
  readonly outboxId: string | undefined
  /** The number of tasks that wait to be delivered. */
  readonly pending: number
  /** How many outboxes of this configuration deliver to its sink, 1 or more: one for each pipeline and shard. */
  readonly outboxes?: number
  /** The number of tasks of the newest list that this outbox read to its end; undefined if there is none yet. */
  readonly tasks?: number | undefined
  /** Milliseconds since 1970. */
  now(): number
}

/** A task as a sink holds it. */
export interface Entry {
  /** The sink's name of it, such as `1732000000000-0` or `line 17`. */
  readonly id: string
  /** '' if it isn't a task. */
  readonly taskId: string
  /** When it was added, in milliseconds since 1970, if the sink knows. */
  readonly at?: number
}

/** What a consumer group did with an entry. */
export interface Reading {
  readonly group: string
  /**
   * `waiting`: not read yet. `held`: delivered to a consumer that hasn't acknowledged it. `acknowledged`: neither,
   * including entries from before the group's start.
   */
  readonly state: 'waiting' | 'held' | 'acknowledged'
  /** The consumer that holds it, for how many milliseconds, and how often it was delivered to one. */
  readonly holder?: { readonly consumer: string; readonly idleMs: number; readonly deliveries: number }
}

/** What a sink holds, and how far its readers got. */
export interface SinkPicture {
  readonly entries: number
  /** The most entries that it holds; null if unlimited. */
  readonly bound: number | null
  /** What happens at the bound: the oldest entries are trimmed, or no more are taken. */
  readonly whenFull?: 'trim' | 'hold'
  /** True if readers remove entries when done: then a missing entry is no loss. */
  readonly readersRemove?: boolean
  /** Over the last hour; null if it isn't known. */
  readonly entriesPerMinute: number | null
  readonly groups: readonly GroupPicture[]
}

export interface GroupPicture {
  readonly name: string
  /** Entries that it has not read; null if the sink doesn't know. */
  readonly lag: number | null
  /** Entries that its consumers hold and haven't acknowledged. */
  readonly pending: number
  /** The oldest entry that it hasn't read, added at `at` (milliseconds since 1970). Null if it has read all. */
  readonly oldestUnread: { readonly id: string; readonly at: number } | null
  readonly consumers: readonly { readonly name: string; readonly pending: number; readonly idleMs: number }[]
}

/** An open sink. */
export interface Sink {
  /** `exactly-once`: a batch that is delivered again adds nothing. `at-least-once`: it may. */
  readonly guarantee: 'exactly-once' | 'at-least-once'
  /**
   * True if the sink writes its tasks to standard output: owm then reports on standard error, refuses `--json`, and
   * sets no deadline for the reader at the other end.
   */
  readonly usesStandardOutput?: boolean
  /**
   * The most batches that may be in flight, 1 or more (default 1). With more than one, `deliver` is called again before
   * it has answered. Such a sink takes batches in the order of the calls, and must refuse a batch (with any error) if
   * it doesn't take the one before.
   */
  readonly maxInFlight?: number
  /** @deprecated The same as `maxInFlight: 2`. */
  readonly takesTwo?: boolean
  /** The number of entries trimmed before a consumer group had read them, since the sink was opened. */
  readonly evicted?: number
  /** Where the tasks go, without credentials, such as `redis://host:6379/0 stream`: as configured, not as resolved. */
  readonly address?: string
  /**
   * Takes a batch; resolves with the outcome of each task, in order. Throw ConfigurationError (stop), RefusedError (the
   * batch can never be taken as it is), ChangedError (the batch doesn't follow the last task taken), SupersededError
   * (there is a newer attachment), SinkFullError (no room now: the rest stays in the outbox for the next start) or any
   * other error (try again). After a throw the batch may come again, whole or in parts.
   * A sink with `attach` or `position` must take no task after one that it refuses in the same batch: its fence would
   * say that it has both. It throws RefusedError instead, and gets the batch in parts.
   */
  deliver(batch: TaskBatch): Promise<readonly Outcome[]>
  /**
   * How far this sink got with an outbox, for sinks that store it without attachments; undefined for an outbox that it
   * doesn't know. Called before the first batch, and to find what was lost on either side.
   */
  position?(outboxId: string): Promise<SinkPosition | undefined>
  /** Notes which attachment writes from now on; never moves the fence. Takes `sinkId` as its own id if it has none. */
  attach?(attachment: Attachment, sinkId: string): Promise<Attached>
  /**
   * Sets the fence, possibly backwards: the next batch follows `at`. Throws SupersededError, or ChangedError if
   * `attachment` isn't the one that it noted, or if its tasks are gone since: `generation` is what `attach` answered.
   * From here on it takes batches and receipts of this attachment only.
   */
  place?(attachment: Attachment, at: SinkPosition, generation?: number): Promise<void>
  /**
   * The ids of the tasks that it holds, newest first. Called between `attach` and `place` if it may hold tasks beyond
   * the fence. `place` throws ChangedError if it has lost some of them since.
   */
  taskIds?(): AsyncIterable<string>
  /**
   * Stores the proof that all of a slot's tasks are there; replaces an earlier receipt of the same slot and shard.
   * Throws ChangedError if the fence is before `brought.lastSeq`, or SupersededError.
   */
  receipt?(attachment: Attachment | undefined, receipt: Receipt, brought: Brought): Promise<void>
  /** The receipts of a pipeline's slot; without `slot`, those of its newest slots, newest first. */
  receipts?(pipeline: string, slot?: string): Promise<readonly Receipt[]>
  /**
   * For `owm config check --connect`: tries what a delivery needs, without tasks and never under the id of a real
   * outbox, and leaves nothing behind. Throws what `deliver` would.
   */
  check?(): Promise<void>
  /** For `owm doctor`, which opens it `readOnly`: runs the checks that the plugin declares, and changes nothing. */
  doctor?(patient: Patient): Promise<readonly Diagnosis[]>
  /** The entries from `first` to `last` (both included; default: all), oldest first. Reads only. */
  entries?(first?: string, last?: string): AsyncIterable<Entry>
  /** What each consumer group did with an entry. Reads only. */
  readings?(entry: string): Promise<readonly Reading[]>
  /** Reads only; with `isQuick`, what would take long to count is null. */
  inspect?(isQuick?: boolean): Promise<SinkPicture>
  close?(): Promise<void>
}

/** A source plugin: what a module exports as `default`. */
export interface SourcePlugin<Options extends ZodType = ZodType> {
  readonly kind: 'source'
  readonly name: string
  readonly description: string
  /** The schema of everything that may stand beside `use`, each option with `.describe()`. */
  readonly options: Options
  /** The checks of its `doctor`: code -> check. */
  readonly checks?: Readonly<Record<string, Check>>
  /** The default of `source.minLocations`: with fewer usable locations the list can't be right. 0 if not given. */
  readonly minLocations?: number
  open(options: output<Options>, context: PluginContext): Source | Promise<Source>
}

/** A sink plugin: what a module exports as `default`. */
export interface SinkPlugin<Options extends ZodType = ZodType> {
  readonly kind: 'sink'
  readonly name: string
  readonly description: string
  /** The schema of everything that may stand beside `use`, each option with `.describe()`. */
  readonly options: Options
  /** The checks of its `doctor`: code -> check. */
  readonly checks?: Readonly<Record<string, Check>>
  /** The `address` of the sink that these options open; relative paths are resolved against `baseDir`. */
  address?(options: output<Options>, baseDir: string): string
  /** The `usesStandardOutput` of the sink that these options open, before it is opened. */
  usesStandardOutput?(options: output<Options>): boolean
  open(options: output<Options>, context: PluginContext): Sink | Promise<Sink>
}

/** Defines a source plugin; the types of its options are inferred from their schema. */
export function defineSource<Options extends ZodType>(
  plugin: Omit<SourcePlugin<Options>, 'kind'>,
): SourcePlugin<Options> {
  return { ...plugin, kind: 'source' }
}

/** Defines a sink plugin; the types of its options are inferred from their schema. */
export function defineSink<Options extends ZodType>(plugin: Omit<SinkPlugin<Options>, 'kind'>): SinkPlugin<Options> {
  return { ...plugin, kind: 'sink' }
}
