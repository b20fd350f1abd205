/** The composition root: turns a configuration into the parts that the pipeline works with. */
import { filtersOf, isSharded, locating, sectionDigest } from '../config/filters.js'
import type { Loaded } from '../config/load.js'
import type { Settings } from '../config/schema.js'
import { located, pluginOptions, section } from '../config/section.js'
import { ConfigurationError } from '../errors/index.js'
import type { logEvents } from '../observe/events.js'
import { type TraceContext, traceContextIn, traceContextOf, traceparentOf } from '../observe/trace-context.js'
import { type OwnedTotals, totalsOf } from '../outbox/inspect/totals.js'
import type { View } from '../outbox/inspect/view.js'
import { type BreakerName, Outbox } from '../outbox/outbox.js'
import { type Claim, mustBeOwn } from '../outbox/owner.js'
import {
  type FilterCounts,
  type Filters,
  filtered,
  sourceDigest,
  zeroCounts,
} from '../pipeline/input/filters/filters.js'
import { type BoundedSource, bounded } from '../pipeline/input/pages.js'
import type { Deps, Progress, SinkDeps, SourceDeps } from '../pipeline/parts.js'
import { Resilience } from '../pipeline/retry.js'
import type { OnTime } from '../pipeline/slots/on-time.js'
import type { Logger, PluginContext, Sink, SourcePlugin } from '../plugin.js'
import { loadSink, loadSource } from '../plugins/load.js'
import { minLocationsOf, superviseSink, superviseSource } from '../plugins/supervise/index.js'
import { durationMs } from '../schedule/duration.js'
import { timetable } from '../schedule/timetable.js'
import { secrets } from './output.js'
import { ownerOf } from './owner.js'
import type { NoteFields, Received } from './report.js'

/** What a command gives to its parts. */
export interface Surroundings {
  /** Its name, such as `owm produce`: shown by another owm that finds the outbox locked. */
  readonly command: string
  readonly signal: AbortSignal
  /** `--trust-folder`: trust every user who can write to the outbox's folder. */
  readonly trustFolder: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** Milliseconds since 1970. */
  now(): number
  /** Whether standard error is a terminal. */
  readonly isTerminal: boolean
  logger(): Promise<Logger>
  /** Prints a line that is neither a result nor an error. */
  note(text: string, fields?: NoteFields): void
  /** The signal that came, if one did. */
  received(): Received
  /** Sets the fields of all further log lines: run, slot, trace. */
  about(fields: Readonly<Record<string, string>>): void
  /** Called with the sink after the last delivery, before it is closed. */
  onDelivered?: ((sink: Sink) => Promise<void>) | undefined
  /** Called with an outbox that was opened for writing, before it is closed. */
  onClose?: ((view: View) => Promise<void>) | undefined
  onProgress(progress: Progress): void
  /**
   * For a sink that delivers to standard output: the summary goes to standard error from now on. Throws
   * ConfigurationError with `--json`.
   */
  leaveStandardOutput(): void
}

/** A source, and its filters, if any. */
export interface ChosenSource extends SourceDeps {
  readonly filterCounts: FilterCounts | undefined
  readonly filters: Filters | undefined
  /** Opens it without its filters. */
  readonly openWhole: SourceDeps['open']
}

interface Opening {
  /** How long to wait while another owm holds the outbox. */
  waitMs: number
  /** Fail at once if another process is already waiting. */
  waitAlone?: boolean
  /** Whether to create a missing outbox. */
  create: boolean
  /**
   * `owner`: the pipeline itself, which claims an outbox without an owner. `tidier`: maintenance, by the owner unless a
   * flag or a variable names the file. `anybody`: no check.
   */
  as: 'owner' | 'tidier' | 'anybody'
}

export async function openOutbox(
  loaded: Loaded,
  { command, signal, trustFolder, env, note, now, onClose }: Surroundings,
  { waitMs, waitAlone = false, create, as }: Opening,
): Promise<Outbox> {
  const { settings } = loaded
  const { path, keepRejected } = settings.outbox
  const { batchSize } = settings.flush
  const claim = await claimOf(loaded, env, as)
  const onWait = (holder: string): void => {
    const fields = { event: 'outbox-awaited', holder } as const
    note(`Waiting for the outbox ${path}, which another owm holds: ${holder}.`, fields)
  }
  const waiting = { waitMs, waitAlone, onWait }
  const masked = (text: string): string => secrets.redact(text)
  const options = { command, ...waiting, create, trustFolder, batchSize, keepRejected, masked, onClose, signal, now }
  return Outbox.open(path, claim ? { ...options, claim } : options)
}

/** Undefined if ownership isn't checked. */
async function claimOf(loaded: Loaded, env: Surroundings['env'], as: Opening['as']): Promise<Claim | undefined> {
  const isAny = as === 'anybody' || (as === 'tidier' && loaded.origins.isNoted(['outbox', 'path']))
  return isAny ? undefined : { owner: await ownerOf(loaded, env), takes: as === 'owner' }
}

/**
 * Totals of an outbox that another process may hold; undefined if there is none yet. Throws what `openOutbox` throws if
 * it belongs to another pipeline.
 */
export async function lookAtOutbox(
  loaded: Loaded,
  { env }: Pick<Surroundings, 'env'>,
  as: Opening['as'],
): Promise<OwnedTotals | undefined> {
  const { path } = loaded.settings.outbox
  const [totals, claim] = [await totalsOf(path), await claimOf(loaded, env, as)]
  if (totals && claim) mustBeOwn(path, totals.owner, claim.owner)
  return totals
}

/** The schedule, for commands that require one. Throws ConfigurationError. */
export function mustHaveSchedule({ settings, file, pipeline }: Loaded): NonNullable<Settings['schedule']> {
  const { schedule } = settings
  if (schedule) return schedule
  const where = `${pipeline === undefined ? '' : ` for the pipeline ${pipeline}`}${file ? ` in ${file}` : ''}`
  throw new ConfigurationError(`No schedule is configured${where}.`, {
    hint: 'Add `schedule: {cron: "0 * * * *"}`: docs/schedule.md says what it does.',
  })
}

/** How a start without `--slot` goes by the schedule; undefined without a schedule. */
export function onTimeIn({ settings: { schedule } }: Loaded, around: Surroundings): OnTime | undefined {
  return schedule && onTimeOf(schedule, around)
}

export function onTimeOf(schedule: NonNullable<Settings['schedule']>, { now }: Surroundings): OnTime {
  const { catchUp, maxCatchUp, maxAge } = schedule
  return { timetable: timetable(schedule), catchUp, maxCatchUp, maxAgeMs: durationMs(maxAge) ?? 0, now }
}

/** Trace fields for the log; with `task.traceparent` also for the tasks of a slot. */
export function tracing({ settings }: Loaded, pipeline: string, { env, about }: Surroundings) {
  const inherited = traceContextIn(env['TRACEPARENT'] ?? '')
  const traceOf = (slot: string): TraceContext => inherited ?? traceContextOf(pipeline, slot)
  const { traceparent } = settings.task
  const inLog = ({ traceId, spanId }: TraceContext) => ({ trace_id: traceId, span_id: spanId })
  return {
    traceparent: traceparent ? (slot: string): string => traceparentOf(traceOf(slot)) : undefined,
    onRun: ({ runId, slot }: { runId: string; slot: string }): void =>
      about({ runId, slot, ...(traceparent ? inLog(traceOf(slot)) : {}) }),
  }
}

/** The sink with its options checked. The caller opens it once there is something to deliver or to inspect. */
export async function sinkOf(loaded: Loaded, around: Surroundings, readOnly = false): Promise<SinkDeps> {
  const { use, timeoutMs } = section(loaded, 'sink')
  const plugin = await located(loaded, 'sink', loadSink(use, loaded.baseDir))
  const options = await pluginOptions(loaded, 'sink', plugin.options)
  const attempt: PluginContext['attempt'] = (operation) => operation()
  const context = { signal: around.signal, log: await around.logger(), baseDir: loaded.baseDir, attempt, readOnly }
  const terms = { name: use, timeoutMs, signal: around.signal, log: context.log }
  const isStandardOutput = plugin.usesStandardOutput?.(options) === true
  if (isStandardOutput) around.leaveStandardOutput()
  const open = async (): Promise<Sink> => {
    const sink = await superviseSink(terms, () => plugin.open(options, context))
    try {
      if (sink.usesStandardOutput) around.leaveStandardOutput()
      return sink
    } catch (error) {
      await sink.close?.()
      throw error
    }
  }
  // A sink that is open gives none for standard output: its name is noted.
  const address = isStandardOutput ? undefined : plugin.address?.(options, loaded.baseDir)
  return { name: use, checks: plugin.checks, address, open }
}

/** The source with its options checked. `outbox`, if there is one, stores the state of its circuit breaker. */
export async function sourceOf(
  loaded: Loaded,
  around: Surroundings,
  outbox: () => Outbox | undefined = () => undefined,
): Promise<ChosenSource> {
  const given = section(loaded, 'source')
  const { use, minShare } = given
  const plugin = await located(loaded, 'source', loadSource(use, loaded.baseDir))
  const options = await pluginOptions(loaded, 'source', plugin.options)
  const filters = await filtersOf(loaded, around.env)
  const counts = filters && zeroCounts()
  const least = minLocationsOf(use, plugin)
  const log = await around.logger()
  warnRounded(loaded, log)
  const attempt = retrying(loaded, around, outbox)
  const context = { signal: around.signal, log, baseDir: loaded.baseDir, attempt }
  const openWhole = () => openSupervised(plugin, options, given, context)
  const open = async (): Promise<BoundedSource> => {
    const source = await openWhole()
    return filters && counts ? filtered(source, filters, { counts, log }) : source
  }
  return {
    name: use,
    checks: plugin.checks,
    digest: sourceDigest(use, locating(options, plugin.options), filters),
    open,
    openWhole,
    filterCounts: counts,
    filters,
    minLocations: given.minLocations ?? least,
    minShare,
    ...(counts ? { given: () => counts.given } : {}),
  }
}

/** Opens a source whose calls are supervised, and which ends with an error beyond `maxLocations`. */
async function openSupervised(
  plugin: SourcePlugin,
  options: unknown,
  { use, timeoutMs, maxLocations }: NonNullable<Settings['source']>,
  context: PluginContext,
): Promise<BoundedSource> {
  const terms = { name: use, timeoutMs, signal: context.signal, log: context.log }
  return bounded(await superviseSource(terms, () => plugin.open(options, context)), use, maxLocations)
}

/** A condition with such a number may select nothing, or another location. */
function warnRounded({ rounded }: Loaded, log: Logger): void {
  for (const key of rounded)
    log.warn(
      { event: 'number-rounded', key },
      `${key} is a number beyond 2^53, which JavaScript may have rounded: write it as text, in quotes`,
    )
}

/** The source's `attempt`: retries behind a circuit breaker, whose state is saved after each call. */
function retrying(loaded: Loaded, around: Surroundings, outbox: () => Outbox | undefined): PluginContext['attempt'] {
  let guard: Resilience | undefined
  return async (operation) => {
    guard ??= await resilienceOf(loaded, around, 'source', outbox())
    try {
      return await guard.run(operation, around.signal)
    } finally {
      await outbox()?.breakers.save('source', guard.save())
    }
  }
}

export async function resilienceOf(
  { settings }: Loaded,
  { logger }: Surroundings,
  name: BreakerName,
  outbox: Outbox | undefined,
): Promise<Resilience> {
  const log = await logger()
  // Failures of a former address don't count against a corrected one.
  const digest = sectionDigest(settings[name])
  return new Resilience(settings, outbox?.breakers.saved(name, digest), {
    around: name,
    of: digest,
    // The source's own deadline ends a longer wait anyway.
    ...(name === 'source' && settings.source ? { maxRetryAfterMs: settings.source.timeoutMs } : {}),
    onRetry: ({ error, attempt, delayMs }) =>
      log.warn(
        { event: 'call-retried', around: name, attempt, delayMs, reason: error.message },
        'a call failed and is tried again',
      ),
  })
}

/** Logs a warning. */
export async function logWarning(
  { logger }: Pick<Surroundings, 'logger'>,
  fields: { event: keyof typeof logEvents; [field: string]: unknown },
  text: string,
): Promise<void> {
  const log = await logger()
  log.warn(fields, text)
}

/** The dependencies of delivery. */
export async function depsOf(
  loaded: Loaded,
  parts: { sink: SinkDeps; outbox: Outbox },
  around: Surroundings,
): Promise<Deps> {
  const resilience = await resilienceOf(loaded, around, 'sink', parts.outbox)
  const pipeline = await ownerOf(loaded, around.env)
  const { signal, onProgress, onDelivered } = around
  return {
    ...parts,
    pipeline,
    isSharded: isSharded(loaded.settings),
    resilience,
    schedule: onTimeIn(loaded, around),
    log: await around.logger(),
    signal,
    onProgress,
    onDelivered,
  }
}

/** What the filters left out, if there are any. */
export const filteredOut = ({ filterCounts }: ChosenSource): { leftOut?: number; limitReached?: boolean } =>
  filterCounts ? { leftOut: filterCounts.leftOut, limitReached: filterCounts.limitReached } : {}
