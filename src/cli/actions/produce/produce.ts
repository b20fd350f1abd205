/** `owm produce`: a configuration's parts put to work, and what they did. */
import type { Loaded } from '../../../config/load.js'
import { type InputRejectedError, UsageError } from '../../../errors/index.js'
import type { Outbox, RunRow } from '../../../outbox/outbox.js'
import type { RejectedFor } from '../../../pipeline/input/rejects.js'
import type { SinkDeps } from '../../../pipeline/parts.js'
import type { ProduceOptions, ProduceSummary } from '../../../pipeline/produce.js'
import type { Agenda } from '../../../pipeline/slots/agenda.js'
import type { OnTime } from '../../../pipeline/slots/on-time.js'
import { byTime, slotOf } from '../../../tasks/slot.js'
import type { Done } from '../../command.js'
import {
  type ChosenSource,
  depsOf,
  lookAtOutbox,
  openOutbox,
  type Surroundings,
  scheduleOf,
  sinkOf,
  sourceOf,
  tracing,
} from '../../compose.js'
import { slotNamed, type WaitFlags, waitMsOf } from '../../flags.js'
import { count, plural, stopwatch } from '../../format.js'
import { rejections, tellAllRejects } from '../rejects.js'
import {
  coveredBy,
  type DeliveryResult,
  noteDelivered,
  nothingSent,
  tellLeftBehind,
  tellMissed,
  tellPace,
  tellUnscheduled,
  tellVolatile,
  withOutbox,
} from '../served.js'
import { lineOf } from './line.js'

/** What `owm produce --json` prints. */
export interface ProduceResult extends DeliveryResult {
  runId: string | null
  /** The run's. Before there is one, what this start would serve; null as long as that isn't known. */
  slot: string | null
  /** With filters also how many locations they left out, and whether reading ended at the limit. */
  source: {
    name: string | null
    read: number
    rejected: number
    duplicates: number
    /** Those of the duplicates that an earlier run of the slot stored; left out where there was none. */
    repeated?: number
    leftOut?: number
    limitReached?: boolean
    /** With a cadence: locations that were not due, and windows that came too late for any run. */
    notDue?: number
    skipped?: number
    /** Locations that the slot was served with before and that the list lacks now; left out where there is none. */
    absent?: number
    /** The commonest reasons why locations were rejected, with an example each; left out where none was. */
    rejectedFor?: RejectedFor[]
    /** Those of the duplicates whose records differ from the one before in more than their place; left out if none. */
    merged?: number
    /** How many fewer could be used than last time, where they were fewer. */
    fewer?: number
  }
  outbox: DeliveryResult['outbox'] & { persisted: number }
  /** `held`: tasks of a slot that is read again that weren't sent, since it holds them; left out where none is. */
  sink: DeliveryResult['sink'] & { held?: number }
  /** Scheduled times that no run will serve, and earlier starts that stored nothing; left out where there are none. */
  missed?: number
  /** With a schedule: other scheduled times that this start's runs cover; left out where there are none. */
  covered?: number
  /** The first tasks that would be sent (`--dry-run`). */
  tasks?: unknown[]
}

export interface ProduceFlags extends WaitFlags {
  slot?: string | undefined
  strict: boolean
  again: boolean
  'dry-run': boolean
  'no-flush': boolean
  force: boolean
}

export const nothingProduced = (): ProduceResult => ({
  ...nothingSent(),
  runId: null,
  slot: null,
  source: { name: null, read: 0, rejected: 0, duplicates: 0 },
  outbox: { path: null, persisted: 0, pending: 0, dead: 0 },
})

/** Fills `result` while it works, so that it says what was done also where an error ends it. */
export async function produce(
  result: ProduceResult,
  flags: ProduceFlags,
  configure: () => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<ProduceResult>> {
  const elapsed = stopwatch()
  const named = slotGiven(flags.slot || around.env['OWM_SLOT'], around)
  if (named !== undefined) result.slot = named
  const waitMs = waitMsOf(flags)
  const loaded = await configure()
  const { settings } = loaded
  result.source.name = settings.source?.use ?? null
  result.sink.name = settings.sink?.use ?? null
  result.outbox.path = settings.outbox.path
  let outbox: Outbox | undefined
  const schedule = scheduleOf(loaded, around)
  const now = slotOf(around.now())
  result.slot ??= schedule ? await newestTime(schedule) : now
  if (named !== undefined && schedule) {
    mustNotBeFar(named, schedule)
    await tellUnscheduled(named, schedule, around)
  }
  // Wrong settings are reported before anything is touched.
  const cadence = await (await import('../../../config/filters.js')).cadenceKept(loaded)
  const source = await sourceOf(loaded, around, () => outbox)
  const sink = await sinkOf(loaded, around)
  if (flags['dry-run']) {
    const { dryRun, dueInDryRun } = await import('./dry-run.js')
    await lookAtOutbox(loaded, around, 'owner')
    const due = await dueInDryRun(result, loaded, { cadence, schedule, named, now })
    return dryRun(result, { source, loaded, due }, flags.strict, elapsed, around)
  }
  if (schedule) {
    await tellVolatile(settings.outbox.path, around)
    await tellPace(loaded, schedule, around)
  }
  const opened = await openOutbox(loaded, around, { waitMs, create: true, as: 'owner' })
  outbox = opened
  const work = async (watched: Surroundings): Promise<Done<ProduceResult>> => {
    await tellLeftBehind(opened, loaded, around)
    if (flags.force) await opened.breakers.save('source', undefined)
    const agenda = await agendaOf(named, now, schedule)
    const what = { agenda, cadence, again: flags.again, flush: !flags['no-flush'] }
    const summary = await run(what, loaded, { source, sink, outbox: opened }, watched)
    const covers = schedule ? await coveredBy(summary, opened, schedule) : { own: 0, all: 0 }
    if (covers.all > 0) result.covered = covers.all
    await note(result, summary, source, opened)
    const missed = summary.due.flatMap(({ gaps }) => gaps).reduce((sum, gap) => sum + gap.count, summary.missed.length)
    if (missed > 0) result.missed = missed
    Object.assign(result.source, await tellAllRejects(summary, result.served, opened, around))
    await tellMissed(summary.missed, around)
    await tellOtherList(summary, around)
    if (!summary.alreadyComplete) await tellShrunk(result, summary.before, around)
    result.durationMs = elapsed()
    const strict = flags.strict ? await strictly(source.name, summary, opened) : []
    const line = lineOf(result, summary, { covers: covers.own, isNew: opened.isNew })
    return { result, summary: [line], errors: [...summary.errors, ...strict] }
  }
  return withOutbox(opened, result, around, work, (own) => noteRun(result, own, source))
}

/** The slot that was named; undefined where none was, or an empty one, as Kubernetes gives a job started by hand. */
function slotGiven(given: string | undefined, { env }: Surroundings): string | undefined {
  if (!given) return undefined
  return slotNamed(given === env['OWM_SLOT'] ? 'OWM_SLOT' : '--slot', given)
}

/** The newest scheduled time, null where none has come yet. */
async function newestTime({ timetable, now }: OnTime): Promise<string | null> {
  const time = (await import('../../../schedule/due.js')).newest(timetable, now())
  return time === undefined ? null : slotOf(time)
}

/** A slot behind the next scheduled time is a slip: it would cover times that haven't come. Throws UsageError. */
export function mustNotBeFar(slot: string, { timetable, now }: OnTime, what = 'The slot'): void {
  const next = timetable.after(now())
  if (next === undefined || Date.parse(slot) <= next) return
  throw new UsageError(`${what} ${slot} is later than the next scheduled time.`, {
    hint: '`schedule.cron` says when its time comes; without --slot a start serves the newest time that is due.',
  })
}

/** What a start is for: the slot that was named, what is due, or else the time of the start. */
export async function agendaOf(named: string | undefined, now: string, schedule: OnTime | undefined): Promise<Agenda> {
  if (schedule) {
    const { named: oneNamed, onTime } = await import('../../../pipeline/slots/on-time.js')
    return named === undefined ? onTime(schedule) : oneNamed(named, schedule)
  }
  return (await import('../../../pipeline/slots/agenda.js')).oneSlot(named ?? now, named !== undefined)
}

/** Reads and delivers, with the parts that a configuration makes. */
export async function run(
  what: Pick<ProduceOptions, 'agenda' | 'cadence' | 'again' | 'replay' | 'flush'>,
  loaded: Loaded,
  parts: { source: ChosenSource; sink: SinkDeps; outbox: Outbox },
  around: Surroundings,
): Promise<ProduceSummary> {
  const { produce } = await import('../../../pipeline/produce.js')
  const { taskNamespace: namespace, outbox } = loaded.settings
  const deps = await depsOf(loaded, parts, around)
  return produce(
    { ...what, namespace, keepTasks: outbox.keepTasks, keepRuns: outbox.keepRuns },
    { ...deps, ...tracing(loaded, deps.pipeline, around), source: parts.source },
  )
}

/** Fails with what was rejected in any slot that it worked on; of its own, what an earlier start rejected, too. */
async function strictly(
  source: string,
  { run, rejects, served }: ProduceSummary,
  outbox: Outbox,
): Promise<InputRejectedError[]> {
  const { rejectsOf } = await import('../../../pipeline/input/left-rejects.js')
  const all = rejects.count < run.rejected ? await rejectsOf(run, outbox) : rejects
  const slots = [...served, run].filter(({ rejected }) => rejected > 0).map(({ slot }) => slot)
  slots.sort(byTime)
  const [first = run.slot, last = first] = [slots[0], slots.at(-1)]
  return rejections(source, all, first === last ? `slot ${first}` : `slots ${first} to ${last}`)
}

async function note(
  result: ProduceResult,
  summary: ProduceSummary,
  source: ChosenSource,
  outbox: Outbox,
): Promise<void> {
  const { run, before, otherList } = summary
  await noteDelivered(result, summary, outbox)
  noteRun(result, run, source)
  if (otherList && otherList.absent > 0) result.source.absent = otherList.absent
  const fewer = before ? placesIn(before) - placesIn(run) : 0
  if (fewer > 0 && run.state !== 'reading') result.source.fewer = fewer
  if (outbox.intake.leftOut > 0) result.sink.held = outbox.intake.leftOut
}

function noteRun(result: ProduceResult, run: RunRow, source: ChosenSource): void {
  const { runId, slot, read, rejected, duplicates, persisted } = run
  Object.assign(result, { runId, slot })
  result.source = { ...result.source, ...filteredOut(source), read, rejected, duplicates }
  if (run.repeated > 0) result.source.repeated = run.repeated
  if (run.cadence !== null) Object.assign(result.source, { notDue: run.notDue, skipped: run.skipped })
  result.outbox.persisted = persisted
}

/** The places that a run's list had: a location that is there twice is one. */
const placesIn = ({ read, rejected, duplicates, repeated }: ProduceSummary['run']): number =>
  read - rejected - (duplicates - repeated)

/** What filters left out, where there are any. */
export const filteredOut = ({ filterCounts }: ChosenSource): { leftOut?: number; limitReached?: boolean } =>
  filterCounts ? { leftOut: filterCounts.leftOut, limitReached: filterCounts.limitReached } : {}

/** Another list for a slot that was served: what is new in it was delivered, too. */
export async function tellOtherList({ run, otherList }: ProduceSummary, { logger }: Surroundings): Promise<void> {
  if (!otherList) return
  const { absent, tasks } = otherList
  const { slot, repeated, persisted } = run
  const how = tasks
    ? `that one had ${plural(tasks.before, 'task')}, this one has ${count(tasks.now)}; ` +
      "which ones are only in one of them isn't known any more"
    : `${plural(absent, 'location of that one is', 'locations of that one are')} not in this one, ` +
      `${plural(repeated, 'is', 'are')} in both, ${plural(persisted, 'is', 'are')} new`
  const log = await logger()
  log.warn(
    { event: 'slot-list-changed', slot, absent, repeated, persisted, ...(tasks ? { before: tasks.before } : {}) },
    `the slot ${slot} was served with another list: ${how}`,
  )
}

/** A list that may be a part of itself: with `-q`, too. */
async function tellShrunk(
  { slot, source: { fewer = 0 } }: ProduceResult,
  before: RunRow | undefined,
  { logger }: Surroundings,
): Promise<void> {
  const last = before ? placesIn(before) : 0
  if (!before || 2 * fewer <= last) return
  const log = await logger()
  log.warn(
    { event: 'list-shrunk', slot, locations: last - fewer, before: last },
    `the list has ${plural(last - fewer, 'location')}, and had ${count(last)} for the slot ${before.slot}; ` +
      '`source.minShare: 0.5` refuses a list that is suddenly half as long',
  )
}
