/**
 * The contracts between owm and its sources and sinks. The built-in ones come through this very door, and run and
 * deliver like any other. By name owm knows them only around a configuration: `owm init` writes one for them, `owm
 * config check` looks at their files, and OWM_REDIS_URL is the URL of redis-stream.
 */
import type { output, ZodType } from 'zod'

/** What a plugin may log through: pino's shape, fields first. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What every plugin is given when it is opened. */
export interface PluginContext {
  /** Aborted on SIGINT, SIGTERM and SIGHUP: stop soon, and let `close` clean up. */
  readonly signal: AbortSignal
  readonly log: Logger
  /**
   * Runs a call to the outside under the configured retries and this plugin's
   * circuit breaker. For sources; a sink's `deliver` runs under them anyway.
   * A TransientError's `retryAfterMs` is waited for, or, where it's longer than
   * a source may take, thrown.
   */
  attempt<T>(operation: () => Promise<T>): Promise<T>
  /** Relative paths in options start here: the configuration file's folder. */
  readonly baseDir: string
  /** True where a sink is opened to look at only: it makes, changes and locks nothing, and gets no batch. */
  readonly readOnly?: boolean
}

/**
 * One place to fetch weather for. `latitude` (degrees, -90..90), `longitude`
 * (degrees, -180..180) and `city` (1..200 characters) are needed; `state`,
 * `id` (the source's own, stable key), `forecast_duration_hours` and
 * `historical_duration_hours` are known; any other key travels with the task
 * under its snake_case name. owm checks all of it: a source needn't.
 */
export type Location = Readonly<Record<string, unknown>>

/** The same key in every copy of owm, since a plugin often brings its own copy. */
const mark = Symbol.for('owm.malformed')

/** A record that a source could not even read as a location, such as a CSV row that is too short. */
export class Malformed {
  readonly [mark] = true
  readonly value: string
  readonly reason: string
  /** The field that is wrong, by owm's name, where it is one. */
  readonly field: string | undefined

  constructor(value: string, reason: string, field?: string) {
    this.value = value
    this.reason = reason
    this.field = field
  }
}

/** Whether this is a Malformed, of this copy of owm or of a plugin's own. */
export const isMalformed = (value: object): value is Malformed => mark in value

/** A run of locations in the source's own order. */
export interface LocationBatch {
  readonly locations: readonly (Location | Malformed)[]
  /** From where to read on when this batch is the last one that was stored: any text, given back to `read`. */
  readonly resume: string
  /**
   * Where location `index` of this batch stands, in words that help to find it: `line 17`. `field` is the one that it
   * is rejected for, by owm's name, where it is one.
   */
  position(index: number, field?: string): string
}

/** An open source. */
export interface Source {
  /** How many locations there are in all, where that is known: for the progress bar only. */
  readonly total?: number | undefined
  /**
   * Yields all locations, or those after `resume`. Throw a TransientError or
   * anything else when it fails for good: the run then stays open and the next
   * start reads on. Throw a ConfigurationError where a retry can't help.
   */
  read(resume: string | undefined): AsyncIterable<LocationBatch>
  /** For `owm doctor`: looks at what the plugin's `checks` declare, and changes nothing. */
  doctor?(patient: Patient): Promise<readonly Diagnosis[]>
  close?(): Promise<void>
}

/** Tasks in `seq` order, without gaps. Every sink gets the same kind of batch; each call of `deliver`, its own copy. */
export interface TaskBatch {
  /** Which outbox the tasks come from: a UUID. */
  readonly outboxId: string
  /** Which run of it: a UUID. A batch never mixes two runs. */
  readonly runId: string
  /** The slot of that run, as `2026-11-23T10:00:00Z`. */
  readonly slot: string
  /** The `seq` of the first task, 1 or more; the others follow one by one. */
  readonly firstSeq: number
  /** The `seq` of the last task. */
  readonly lastSeq: number
  /** How many tasks there are, 1 or more. */
  readonly count: number
  /** Each task as its JSON text, as workers shall read it. Made when it is first asked for. */
  readonly tasks: readonly string[]
  /** The text of the task at `index`, 0 to `count - 1`. */
  task(index: number): string
  /** The same as UTF-8, for a sink that sends bytes: task `i` stands from `starts[i]` to `starts[i + 1] - 2`. */
  readonly bytes: Uint8Array
  /** `count + 1` offsets into `bytes`. */
  readonly starts: readonly number[]
  /** For a sink with `attach`: who sends the batch, and behind which task it belongs. */
  readonly link?: Link | undefined
  /** The tasks from index `from` to `to`, at most to the end, as a batch without a link. */
  slice(from: number, to: number): TaskBatch
}

/** What became of one task. */
export type Outcome = 'delivered' | 'duplicate' | { readonly refused: string }

/** How far a sink got with an outbox: the last task that it took. */
export interface SinkPosition {
  /** 0 where it has taken none. */
  readonly seq: number
  /** '' where it isn't known. */
  readonly taskId: string
  /** The run of that task, where the sink remembers it. */
  readonly runId?: string | undefined
}

/** One attachment of an outbox to a sink: only the newest one may write. */
export interface Attachment {
  readonly outboxId: string
  /** Counts the attachments of the outbox, 1 or more. A sink refuses a lower one than it has seen: SupersededError. */
  readonly epoch: number
  /** A random text: tells apart two copies of an outbox that have counted to the same epoch. */
  readonly word: string
  /** For `attach`: the id that the outbox, a copy, had before; until it is placed under its own. */
  readonly formerId?: string
}

/** The place of a batch in the chain of an outbox: it is added behind this task and nowhere else. */
export interface Link extends Attachment {
  readonly after: SinkPosition
}

/** What a sink says when an outbox attaches. */
export interface Attached {
  /** A UUID that stays as long as what the sink holds: it lies beside the tasks. */
  readonly sinkId: string
  /**
   * How far it got with the outbox; undefined where its fence was never placed. `epoch` and `word` are those of the
   * attachment before this one; `placedBy` is the word under which the fence was placed (default: `word`).
   */
  readonly fence?:
    | (SinkPosition & { readonly epoch: number; readonly word: string; readonly placedBy?: string })
    | undefined
  /** How far it got with the outbox under `formerId`, where it holds all of that. */
  readonly former?: SinkPosition | undefined
  /** Which stream it is: another number where the tasks that it had are gone. Given back to `place`. */
  readonly generation?: number | undefined
  /** True where a newer attachment, or another one with the same epoch, is there: then this one wasn't noted. */
  readonly superseded?: boolean
  /** True where it had no id until now. */
  readonly created?: boolean
  /** True where the tasks that it had are gone although it still knows the outbox. */
  readonly emptied?: boolean
}

/** What proves that a slot is whole: the counts of all that was read, and the sum of the task ids. */
export interface Receipt {
  /** The pipeline's name, or the path of its configuration. */
  readonly pipeline: string
  readonly slot: string
  /** Which share of the locations this is, 0 to `shards - 1`, and of how many. */
  readonly shard: number
  readonly shards: number
  /** The time that the slot's run covers: behind `from`, up to `to`. Null: not known, or another slot has it. */
  readonly interval: { readonly from: string; readonly to: string } | null
  readonly read: number
  readonly rejected: number
  readonly duplicates: number
  readonly delivered: number
  readonly dead: number
  readonly discarded: number
  /** The sum of the ids of all tasks, delivered or not, modulo 2^128: 32 hexadecimal digits. */
  readonly taskIdSum: string
  /** The first and the last entry, as the sink names them; set by the sink. */
  readonly firstEntry?: string | null
  readonly lastEntry?: string | null
  /** True where its tasks are gone with what held them: it proves that they were there, no more. Set by the sink. */
  readonly isGone?: boolean
}

/** What brought a slot: the runs, the ids of which stood in their batches, and the `seq` of their last task. */
export interface Brought {
  readonly runs: readonly string[]
  readonly lastSeq: number
}

/** What `owm doctor` may find, declared once under a code, such as `redis-memory`: docs and help come from it. */
export interface Check {
  /** What it looks at, in a few words: `what Redis removes when its memory is full`. */
  readonly about: string
  /** Why it matters where it isn't as it should be: a sentence. */
  readonly why: string
  /** What to do then: a sentence, with a command where there is one. */
  readonly todo: string
  /** What owm exits with then: 0 where it is only good to know. */
  readonly exitCode: 0 | 74 | 75 | 78
}

/** What one check found. */
export interface Diagnosis {
  /** Under which the check is declared. */
  readonly code: string
  /** `unknown`: it couldn't be looked at, such as for want of a permission. */
  readonly verdict: 'fine' | 'wrong' | 'unknown'
  /** What was found, with its numbers and names, without secrets: a sentence. */
  readonly found: string
  /** Of what is wrong: what to do, where a command needs names that were found; else the check says it. */
  readonly todo?: string | undefined
}

/** What a plugin may want to know for its checks. */
export interface Patient {
  /** Undefined where there is no outbox yet. */
  readonly outboxId: string | undefined
  /** Tasks that wait to be delivered. */
  readonly pending: number
  /** How many outboxes of this configuration deliver to its sink, 1 or more: one for each pipeline and shard. */
  readonly outboxes?: number
  /** Tasks that the newest list of this outbox brought in its slot; undefined where none was read to its end yet. */
  readonly tasks?: number | undefined
  /** Milliseconds since 1970. */
  now(): number
}

/** A task as a sink holds it. */
export interface Entry {
  /** The sink's name for it, such as `1732000000000-0` or `line 17`. */
  readonly id: string
  /** '' where it is no task. */
  readonly taskId: string
  /** When it was added, milliseconds since 1970, where the sink knows it. */
  readonly at?: number
}

/** What a group of consumers did with an entry. */
export interface Reading {
  readonly group: string
  /**
   * `waiting`: not read yet. `held`: given to a consumer that hasn't acknowledged it. `acknowledged`: neither of them,
   * also where the group was made behind it.
   */
  readonly state: 'waiting' | 'held' | 'acknowledged'
  /** Who holds it, for how many milliseconds, and how often it was given out. */
  readonly holder?: { readonly consumer: string; readonly idleMs: number; readonly deliveries: number }
}

/** What a sink holds, and how far its readers are. */
export interface SinkPicture {
  readonly entries: number
  /** Entries that it holds at most; null: any number. */
  readonly bound: number | null
  /** What happens where more come than the bound allows: the oldest are trimmed, or it takes no more. */
  readonly whenFull?: 'trim' | 'hold'
  /** True where readers take away what they have done: an entry that is missing is no loss. */
  readonly readersRemove?: boolean
  /** Over the last hour; null where that isn't known. */
  readonly entriesPerMinute: number | null
  readonly groups: readonly GroupPicture[]
}

export interface GroupPicture {
  readonly name: string
  /** Entries that it has not read; null where the sink doesn't know. */
  readonly lag: number | null
  /** Entries that its consumers hold and haven't acknowledged. */
  readonly pending: number
  /** The oldest entry that it hasn't read; `at`: when it was added, milliseconds since 1970. Null: it has read all. */
  readonly oldestUnread: { readonly id: string; readonly at: number } | null
  readonly consumers: readonly { readonly name: string; readonly pending: number; readonly idleMs: number }[]
}

/** An open sink. */
export interface Sink {
  /** `exactly-once`: a batch that is delivered again adds nothing. `at-least-once`: it may. */
  readonly guarantee: 'exactly-once' | 'at-least-once'
  /**
   * True where the sink writes its tasks to standard output: owm then says what it did on standard error, refuses
   * `--json`, and lets whoever reads them take their time.
   */
  readonly usesStandardOutput?: boolean
  /**
   * How many batches may be under way at once, 1 if not given. With more than one, `deliver` is called with the next
   * batch before it has answered for the one before. Such a sink takes batches in the order of the calls, and must
   * refuse one (any error) where it doesn't take the one before.
   */
  readonly maxInFlight?: number
  /** @deprecated The same as `maxInFlight: 2`. */
  readonly takesTwo?: boolean
  /** Entries that were trimmed before a consumer group had read them, since the sink was opened. */
  readonly evicted?: number
  /** Where the tasks go, without credentials, such as `redis://host:6379/0 stream`: as configured, not as resolved. */
  readonly address?: string
  /**
   * Takes a batch and says, in order, what became of each task. Throw ConfigurationError (stop), RefusedError (never
   * as it is), ChangedError (the batch doesn't fit behind the last task taken), SupersededError (a newer attachment
   * is there), SinkFullError (no room now: the rest waits in the outbox for the next start) or anything else (try
   * again); after a throw the batch may come again, whole or in parts.
   * A sink with `attach` or `position` takes no task behind one that it refuses in the same batch: its fence would say
   * that it has both. It throws RefusedError instead, and gets the batch in parts.
   */
  deliver(batch: TaskBatch): Promise<readonly Outcome[]>
  /**
   * How far this sink got with an outbox, for sinks that remember it without attachments: asked for before the first
   * batch, and to find what was lost on either side.
   */
  position?(outboxId: string): Promise<SinkPosition | undefined>
  /**
   * Notes who writes from now on, and never moves the fence. Takes `sinkId` as its own where it has none.
   */
  attach?(attachment: Attachment, sinkId: string): Promise<Attached>
  /**
   * Sets the fence, backwards too: the next batch follows behind `at`. Throws SupersededError, or ChangedError where
   * `attachment` isn't the one that it knows, or its tasks aren't those that it had when it was attached: `generation`
   * is what `attach` answered. From here on it takes batches and receipts of this attachment alone.
   */
  place?(attachment: Attachment, at: SinkPosition, generation?: number): Promise<void>
  /**
   * The ids of the tasks that it holds, the newest first: asked for between `attach` and `place`, where tasks may be
   * there that the fence doesn't tell of. `place` throws ChangedError where it lost some of them since.
   */
  taskIds?(): AsyncIterable<string>
  /**
   * Notes that all of a slot's tasks are there. Written again, it takes the place of the one before. Throws
   * ChangedError where the fence stands before `brought.lastSeq`, SupersededError.
   */
  receipt?(attachment: Attachment | undefined, receipt: Receipt, brought: Brought): Promise<void>
  /** The receipts of a slot of a pipeline; without a slot, those of its newest slots, the newest first. */
  receipts?(pipeline: string, slot?: string): Promise<readonly Receipt[]>
  /**
   * Tries what a delivery needs, with no tasks, and leaves nothing behind: never under the id of a real outbox. For
   * `owm config check --connect`. Throws what `deliver` would.
   */
  check?(): Promise<void>
  /** For `owm doctor`, which opens it `readOnly`: looks at what the plugin's `checks` declare, and changes nothing. */
  doctor?(patient: Patient): Promise<readonly Diagnosis[]>
  /** What it holds, the oldest first, from the entry `first` to the entry `last`, both included. Reads only. */
  entries?(first?: string, last?: string): AsyncIterable<Entry>
  /** What each group of consumers did with an entry. Reads only. */
  readings?(entry: string): Promise<readonly Reading[]>
  /** Reads only; with `isQuick` without what would have to be counted: that is null then. */
  inspect?(isQuick?: boolean): Promise<SinkPicture>
  close?(): Promise<void>
}

/** A source plugin: what a module exports as `default`. */
export interface SourcePlugin<Options extends ZodType = ZodType> {
  readonly kind: 'source'
  readonly name: string
  readonly description: string
  /** Everything that may stand beside `use`, each with `.describe()`. */
  readonly options: Options
  /** What its `doctor` looks at: code -> check. */
  readonly checks?: Readonly<Record<string, Check>>
  /** Usable locations without which a list can't be right, where the configuration doesn't say it; 0 if not given. */
  readonly minLocations?: number
  open(options: output<Options>, context: PluginContext): Source | Promise<Source>
}

/** A sink plugin: what a module exports as `default`. */
export interface SinkPlugin<Options extends ZodType = ZodType> {
  readonly kind: 'sink'
  readonly name: string
  readonly description: string
  /** Everything that may stand beside `use`, each with `.describe()`. */
  readonly options: Options
  /** What its `doctor` looks at: code -> check. */
  readonly checks?: Readonly<Record<string, Check>>
  /** The `address` of the sink that these options open, with relative paths from `baseDir`. */
  address?(options: output<Options>, baseDir: string): string
  /** The `usesStandardOutput` of the sink that these options open: so owm knows it before it reads anything. */
  usesStandardOutput?(options: output<Options>): boolean
  open(options: output<Options>, context: PluginContext): Sink | Promise<Sink>
}

/** States a source plugin; the types of its options follow from their schema. */
export function defineSource<Options extends ZodType>(
  plugin: Omit<SourcePlugin<Options>, 'kind'>,
): SourcePlugin<Options> {
  return { ...plugin, kind: 'source' }
}

/** States a sink plugin; the types of its options follow from their schema. */
export function defineSink<Options extends ZodType>(plugin: Omit<SinkPlugin<Options>, 'kind'>): SinkPlugin<Options> {
  return { ...plugin, kind: 'sink' }
}
