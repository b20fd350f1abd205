/** Reports how a start went, as configured: metrics, a ping, hooks. */
import { randomUUID } from 'node:crypto'
import { chosenShard } from '../config/filters.js'
import type { Loaded } from '../config/load.js'
import { codeOf, isOwmError, toError } from '../errors/index.js'
import { ofSurroundings } from '../errors/surroundings.js'
import { isAnothers } from '../files/replace.js'
import { compact } from '../lists.js'
import { type Ended, type EndedAfter, hookVariable, wholeShard } from '../observe/ended.js'
import { readRecord, recordOf, type StartRecord, writeRecord } from '../observe/record.js'
import { type Means, measure, notify, pingStart } from '../observe/tell.js'
import { traceContextIn } from '../observe/trace-context.js'
import type { View } from '../outbox/inspect/view.js'
import { type Vitals, vitalsIn, vitalsOf } from '../outbox/inspect/vitals.js'
import type { SinkPicture } from '../plugin.js'
import { newest } from '../schedule/due.js'
import { labelOfShard } from '../tasks/shard.js'
import { orLate } from '../within.js'
import type { Done } from './command.js'
import { onTimeOf, type Surroundings } from './compose.js'
import { harmless, stopwatch } from './format.js'
import { secrets } from './output.js'
import { ownerOf } from './owner.js'
import { endOf, endOfThrown, exitCodeOf } from './report.js'

/** Reads the configuration; with `only`, just these sections, so that mistakes in the others don't matter. */
export type Configure = (only?: readonly string[]) => Promise<Loaded>

/** The parts of a command's result that are reported. */
interface Observable {
  slot?: string | null
  runId?: string | null
  served: readonly { slot: string; runId: string }[]
  source?: { rejected: number; fewer?: number }
  sink: { delivered: number; deduplicated: number; evicted: number; lost: number }
  missed?: number
}

/** Grace period for metrics and hooks after a signal, in milliseconds. */
const afterSignalMs = 2_000
/** Time-out for asking the sink what it holds, in milliseconds. */
const inspectMs = 1_000

/** Runs the action and reports how it ended. Reporting never changes the outcome. */
export async function observed<Result extends Observable>(
  result: Result,
  configure: Configure,
  around: Surroundings,
  work: (configure: () => Promise<Loaded>, around: Surroundings) => Promise<Done<Result>>,
): Promise<Done<Result>> {
  const elapsed = stopwatch()
  const watch = new Watch(around)
  let isRight = false
  const watched = async (): Promise<Loaded> => {
    const loaded = await configure()
    isRight = true
    await watch.begin(loaded)
    return loaded
  }
  const ended = await work(watched, { ...around, onDelivered: watch.inspectSink, onClose: watch.inspectOutbox }).then(
    (done) => ({ done, error: endOf(done.errors ?? [], done.isStopped ? undefined : around.received()) }),
    (thrown: unknown) => ({ done: undefined, error: endOfThrown(toError(thrown), around.received()) }),
  )
  // From here on a signal only cuts the reporting short.
  const isOver = around.received() === undefined
  const exitCode = ended.error ? exitCodeOf(ofSurroundings(ended.error)) : 0
  const log = await around.logger()
  const { TRACEPARENT } = around.env
  if (TRACEPARENT && !traceContextIn(TRACEPARENT))
    log.warn({ event: 'traceparent-wrong' }, harmless(`TRACEPARENT is not valid, and is ignored: ${TRACEPARENT}`))
  log.info({ event: 'start-ended', exitCode, durationMs: elapsed() }, `${around.command} ended with ${exitCode}`)
  if (!watch.loaded && !isRight) await watch.begin(await sectionsIn(configure))
  await watch.end(result, ended.done?.summary ?? [], ended.error && ofSurroundings(ended.error))
  if (ended.done) return isOver ? { ...ended.done, isStopped: true } : ended.done
  if (isOver && isOwmError(ended.error)) return { result, summary: [], errors: [ended.error], isStopped: true }
  throw ended.error
}

/** As much of an invalid configuration as can be read: its failure must be reported, too. */
async function sectionsIn(configure: Configure): Promise<Loaded | undefined> {
  const valid: string[] = []
  let loaded: Loaded | undefined
  for (const section of ['notify', 'metrics', 'log', 'outbox', 'schedule', 'source']) {
    const more = await configure([...valid, section]).catch(() => undefined)
    if (more) valid.push(section)
    loaded = more ?? loaded
  }
  if (loaded && !valid.includes('outbox')) loaded.settings.outbox.path = ''
  return loaded
}

/** One start, from the moment its configuration is known. */
class Watch {
  loaded: Loaded | undefined
  readonly #around: Surroundings
  readonly #startedAt: number
  readonly #rid = randomUUID()
  #begun: Promise<void> | undefined
  #stream: SinkPicture | undefined
  #seen: Vitals | undefined

  constructor(around: Surroundings) {
    this.#around = around
    this.#startedAt = around.now()
  }

  /** Sends the ping that a start begins, without waiting for the answer. */
  async begin(loaded: Loaded | undefined): Promise<void> {
    const { metrics } = loaded?.settings ?? {}
    const notify = loaded && this.#notify(loaded)
    if (!loaded || this.loaded || (!metrics && !notify)) return
    this.loaded = loaded
    if (notify?.ping === undefined) return
    this.#begun = pingStart(notify, this.#rid, await this.#means(loaded))
  }

  /** Asks the sink what it holds, before it is closed. */
  inspectSink: NonNullable<Surroundings['onDelivered']> = async (sink) => {
    if (!this.loaded?.settings.metrics || !sink.inspect || this.#around.signal.aborted) return
    this.#stream = await orLate(
      inspectMs,
      sink.inspect(true).catch(() => undefined),
    )
  }

  /** Reads the outbox's numbers while it is open: opening it again costs more than all the rest. */
  inspectOutbox = async (view: View): Promise<void> => {
    if (!this.loaded) return
    this.#seen = await vitalsIn(view, this.#startedAt)
    // Preloads while closing the outbox waits for the disk. `end` reports a failure.
    if (this.loaded.settings.metrics) import('../observe/metrics.js').catch(() => undefined)
  }

  async end(result: Observable, summary: readonly string[], error: Error | undefined): Promise<void> {
    const { loaded } = this
    if (!loaded) return
    const ended = await this.#ended(loaded, result, summary, error)
    const { path } = loaded.settings.outbox
    // A start as root that was refused another user's outbox must not overwrite that user's last success.
    const isOurs = path === '' || !(await isAnothers(path))
    const name = `${path}-signals${ended.shard === wholeShard ? '' : `-${ended.shard}`}`
    const file = path !== '' && isOurs ? name : undefined
    const before = file === undefined ? undefined : await readRecord(file)
    const record = recordOf(before, ended)
    const after: EndedAfter = { ...ended, before, record, successDue: dueAfter(loaded, this.#around, record) }
    const means = await this.#means(loaded)
    const { metrics } = loaded.settings
    if (metrics && !isOurs)
      means.log.warn({ event: 'metrics-failed' }, "the outbox is another user's, and so are the metrics: they are left")
    // The ping of the start must arrive first.
    const notifyEnd = async (): Promise<void> => {
      const notified = this.#notify(loaded)
      await this.#begun
      if (notified) await notify(notified, after, this.#rid, means)
    }
    await Promise.all([metrics && isOurs && measure(metrics, after, means), notifyEnd()])
    if (file === undefined) return
    await writeRecord(file, record).catch(async (error: unknown) => {
      const reason = codeOf(error)
      // Without the outbox's folder there is nothing to remember.
      if (reason === 'ENOENT') return
      const remedy = (await isAnothers(file)) ? '. Find out which user put it there, then remove it' : ''
      const what = `how this start ended can't be noted in ${file}: the next one won't know of it${remedy}`
      means.log.warn({ event: 'record-failed', reason }, harmless(what))
    })
  }

  /** Off inside a hook, which sets the variable: otherwise a failing hook could notify of itself for ever. */
  #notify({ settings }: Loaded): Loaded['settings']['notify'] {
    return this.#around.env[hookVariable] ? undefined : settings.notify
  }

  async #means({ baseDir: cwd }: Loaded): Promise<Means> {
    const { env, logger, signal } = this.#around
    const stop = new AbortController()
    const stopSoon = (): unknown => setTimeout(() => stop.abort(), afterSignalMs).unref()
    if (signal.aborted) stopSoon()
    else signal.addEventListener('abort', stopSoon, { once: true })
    return { log: await logger(), signal: stop.signal, cwd, env }
  }

  async #ended(
    loaded: Loaded,
    { slot, runId, served, source, sink, missed = 0 }: Observable,
    summary: readonly string[],
    error: Error | undefined,
  ): Promise<Ended> {
    const { now, command, env } = this.#around
    const [code, hint = null] = error && isOwmError(error) ? [error.code, error.hint] : ['INTERNAL']
    const inWords = compact(...summary, error && `${error.message} ${hint ?? ''}`.trim()).join('\n')
    const last = served.at(-1)
    const endedAt = now()
    const vitals = await this.#vitals(loaded)
    const shard = chosenShard(loaded.settings, env)
    return {
      command,
      pipeline: loaded.pipeline ?? 'default',
      shard: (shard && labelOfShard(shard)) ?? vitals?.run?.shard ?? wholeShard,
      slot: slot ?? last?.slot ?? null,
      runId: runId ?? last?.runId ?? null,
      exitCode: error ? exitCodeOf(error) : 0,
      error: error ? { code, message: secrets.redact(error.message), hint } : null,
      summary: secrets.redact(inWords),
      endedAt,
      durationMs: endedAt - this.#startedAt,
      delivered: sink.delivered,
      deduplicated: sink.deduplicated,
      trimmed: sink.evicted,
      lost: sink.lost,
      missed,
      fewer: source?.fewer ?? 0,
      vitals,
      stream: this.#stream,
    }
  }

  /** Undefined if the outbox isn't known, can't be read, or belongs to another pipeline. */
  async #vitals(loaded: Loaded): Promise<Vitals | undefined> {
    const { path } = loaded.settings.outbox
    if (path === '') return undefined
    const vitals = this.#seen ?? (await vitalsOf(path, this.#startedAt).catch(() => undefined))
    const owner = vitals?.owner ?? null
    return owner === null || owner === (await ownerOf(loaded, this.#around.env)) ? vitals : undefined
  }
}

/** The second scheduled time after the last success, or after the first start if none succeeded. */
function dueAfter({ settings: { schedule } }: Loaded, around: Surroundings, record: StartRecord): number | undefined {
  if (!schedule) return undefined
  const { timetable } = onTimeOf(schedule, around)
  const last = record.lastSuccess ?? record.since
  const next = timetable.after(newest(timetable, last) ?? last)
  return next === undefined ? undefined : timetable.after(next)
}
