/** `owm produce`: runs the configured parts, and reports what they did. */
import { cadenceKept } from '../../../config/filters.js'
import type { Loaded } from '../../../config/load.js'
import { type InputRejectedError, type OwmError, UsageError } from '../../../errors/index.js'
import type { Outbox, RunRow } from '../../../outbox/outbox.js'
import { rejectsOf } from '../../../pipeline/input/left-rejects.js'
import type { RejectedFor } from '../../../pipeline/input/rejects.js'
import type { SinkDeps } from '../../../pipeline/parts.js'
import { type ProduceOptions, type ProduceSummary, produce as produceTasks } from '../../../pipeline/produce.js'
import { type Agenda, oneSlot } from '../../../pipeline/slots/agenda.js'
import { namedSlot, type OnTime, onTime } from '../../../pipeline/slots/on-time.js'
import { newest } from '../../../schedule/due.js'
import { byTime, slotOf } from '../../../tasks/slot.js'
import type { Done } from '../../command.js'
import {
  type ChosenSource,
  depsOf,
  filteredOut,
  logWarning,
  lookAtOutbox,
  onTimeIn,
  openOutbox,
  type Surroundings,
  sinkOf,
  sourceOf,
  tracing,
} from '../../compose.js'
import { slotNamed, type WaitFlags, waitMsOf } from '../../flags.js'
import { count, plural, stopwatch } from '../../format.js'
import { coveredBy, type DeliveryResult, noteDelivered, noteNames, nothingSent, withOutbox } from '../delivery.js'
import { logAllRejects, rejections } from '../rejects.js'
import { warnLeftBehind, warnMissed, warnOtherList, warnPace, warnUnscheduled, warnVolatile } from '../warnings.js'
import { dryRun, dueInDryRun } from './dry-run.js'
import { produceInWords } from './line.js'

/** What `owm produce --json` prints. */
export interface ProduceResult extends DeliveryResult {
  runId: string | null
  /** The run's slot; before there is a run, the slot that this start would serve; null while that isn't known. */
  slot: string | null
  /** `leftOut` and `limitReached` only with filters: locations left out, and whether reading ended at the limit. */
  source: {
    name: string | null
    read: number
    rejected: number
    duplicates: number
    /** The duplicates that an earlier run of the slot stored; left out if 0. */
    repeated?: number
    leftOut?: number
    limitReached?: boolean
    /** Only with a cadence: locations not due, and windows too old for any run. */
    notDue?: number
    skipped?: number
    /** Locations that the slot was served with before, and that the list lacks now; left out if 0. */
    absent?: number
    /** The commonest reasons for rejection, with an example each; left out if nothing was rejected. */
    rejectedFor?: RejectedFor[]
    /** The duplicates whose records differ in more than their place; left out if 0. */
    merged?: number
    /** How many fewer locations were usable than last time; left out if not fewer. */
    fewer?: number
  }
  outbox: DeliveryResult['outbox'] & { persisted: number }
  /** `held`: tasks of a slot that is read again, not sent since the sink holds them; left out if 0. */
  sink: DeliveryResult['sink'] & { held?: number }
  /** Other scheduled times that this start's runs cover; left out if 0, or without a schedule. */
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

/** Fills `result` while it works, so that it says what was done even if an error ends it. */
export async function produce(
  result: ProduceResult,
  flags: ProduceFlags,
  configure: () => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<ProduceResult>> {
  const elapsed = stopwatch()
  const named = slotByName(flags.slot || around.env['OWM_SLOT'], around)
  if (named !== undefined) result.slot = named
  const waitMs = waitMsOf(flags)
  const loaded = await configure()
  const { settings } = loaded
  noteNames(result, loaded)
  let outbox: Outbox | undefined
  const schedule = onTimeIn(loaded, around)
  const now = slotOf(around.now())
  result.slot ??= schedule ? newestTime(schedule) : now
  if (named !== undefined && schedule) {
    mustNotBeFar(named, schedule)
    await warnUnscheduled(named, schedule, around)
  }
  // Wrong settings are reported before anything is touched.
  const cadence = await cadenceKept(loaded)
  const source = await sourceOf(loaded, around, () => outbox)
  const sink = await sinkOf(loaded, around)
  if (flags['dry-run']) {
    await lookAtOutbox(loaded, around, 'owner')
    const due = await dueInDryRun(result, loaded, { cadence, schedule, named, now })
    return dryRun(result, { source, loaded, due }, flags, elapsed, around)
  }
  if (schedule) {
    await warnVolatile(settings.outbox.path, around)
    await warnPace(loaded, schedule, around)
  }
  const opened = await openOutbox(loaded, around, { waitMs, create: true, as: 'owner' })
  outbox = opened
  const serve = async (watched: Surroundings): Promise<Done<ProduceResult>> => {
    const agenda = agendaOf(named, now, schedule)
    const parts = { source, sink, outbox: opened }
    const done = await serveSlots(result, flags, { agenda, cadence, schedule, loaded, parts }, watched)
    result.durationMs = elapsed()
    return { result, summary: [produceInWords(result, done.summary, done)], errors: done.errors }
  }
  return withOutbox(opened, result, around, serve, (own) => noteRun(result, own, source))
}

interface Serving {
  readonly agenda: Agenda
  readonly cadence: string | null
  readonly schedule: OnTime | undefined
  readonly loaded: Loaded
  readonly parts: { readonly source: ChosenSource; readonly sink: SinkDeps; readonly outbox: Outbox }
}

interface Served {
  readonly summary: ProduceSummary
  readonly errors: OwmError[]
  /** How many scheduled times before its own the run of this start covers. */
  readonly covers: number
  /** Whether this start made the outbox. */
  readonly isNew: boolean
}

/** Serves the slots of the agenda, and notes and warns of what came of it. */
async function serveSlots(
  result: ProduceResult,
  flags: ProduceFlags,
  { agenda, cadence, schedule, loaded, parts }: Serving,
  around: Surroundings,
): Promise<Served> {
  const { source, outbox } = parts
  await warnLeftBehind(outbox, loaded, around)
  if (flags.force) await outbox.breakers.save('source', undefined)
  const what = { agenda, cadence, again: flags.again, flush: !flags['no-flush'] }
  const summary = await run(what, loaded, parts, around)
  const covers = schedule ? await coveredBy(summary, outbox, schedule) : { own: 0, all: 0 }
  if (covers.all > 0) result.covered = covers.all
  await noteSummary(result, summary, source, outbox)
  Object.assign(result.source, await logAllRejects(summary, result.served, outbox, around))
  await warnMissed(summary.missed, around)
  await warnOtherList(summary, around)
  await warnShrunk(result, summary.before, around)
  const strict = flags.strict ? await strictErrors(source.name, summary, outbox) : []
  return { summary, covers: covers.own, isNew: outbox.isNew, errors: [...summary.errors, ...strict] }
}

/** The slot that was named. Kubernetes gives a job started by hand an empty one, which is none. */
function slotByName(text: string | undefined, { env }: Surroundings): string | undefined {
  if (!text) return undefined
  return slotNamed(text === env['OWM_SLOT'] ? 'OWM_SLOT' : '--slot', text)
}

/** The newest scheduled time; null if none has come yet. */
function newestTime({ timetable, now }: OnTime): string | null {
  const time = newest(timetable, now())
  return time === undefined ? null : slotOf(time)
}

/** A slot after the next scheduled time is a typo: it would cover times still to come. Throws UsageError. */
export function mustNotBeFar(slot: string, { timetable, now }: OnTime, what = 'The slot'): void {
  const next = timetable.after(now())
  if (next === undefined || Date.parse(slot) <= next) return
  throw new UsageError(`${what} ${slot} is later than the next scheduled time.`, {
    hint: '`schedule.cron` says when its time comes; without --slot a start serves the newest time that is due.',
  })
}

/** What a start serves: the named slot, what is due by the schedule, or else the time of the start. */
export function agendaOf(named: string | undefined, now: string, schedule: OnTime | undefined): Agenda {
  if (!schedule) return oneSlot(named ?? now, named !== undefined)
  return named === undefined ? onTime(schedule) : namedSlot(named, schedule)
}

/** Reads and delivers. */
export async function run(
  what: Pick<ProduceOptions, 'agenda' | 'cadence' | 'again' | 'replay' | 'flush'>,
  loaded: Loaded,
  parts: { source: ChosenSource; sink: SinkDeps; outbox: Outbox },
  around: Surroundings,
): Promise<ProduceSummary> {
  const { taskNamespace: namespace, outbox } = loaded.settings
  const deps = await depsOf(loaded, parts, around)
  return produceTasks(
    { ...what, namespace, keepTasks: outbox.keepTasks, keepRuns: outbox.keepRuns },
    { ...deps, ...tracing(loaded, deps.pipeline, around), source: parts.source },
  )
}

/** Rejects of all slots that this start worked on; for its own slot also those of an earlier start. */
async function strictErrors(
  source: string,
  { run, rejects, served }: ProduceSummary,
  outbox: Outbox,
): Promise<InputRejectedError[]> {
  const all = rejects.count < run.rejected ? await rejectsOf(run, outbox) : rejects
  const slots = [...served, run].filter(({ rejected }) => rejected > 0).map(({ slot }) => slot)
  slots.sort(byTime)
  const [first = run.slot, last = first] = [slots[0], slots.at(-1)]
  return rejections(source, all, first === last ? `slot ${first}` : `slots ${first} to ${last}`)
}

async function noteSummary(
  result: ProduceResult,
  summary: ProduceSummary,
  source: ChosenSource,
  outbox: Outbox,
): Promise<void> {
  const { run, before, otherList, isReadBefore } = summary
  await noteDelivered(result, summary, outbox)
  noteRun(result, run, source)
  if (otherList && otherList.absent > 0) result.source.absent = otherList.absent
  // A start that read nothing has nothing new to say of the list.
  const fewer = before && !isReadBefore ? placesIn(before) - placesIn(run) : 0
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

/** How many distinct places a run's list had. */
const placesIn = ({ read, rejected, duplicates, repeated }: ProduceSummary['run']): number =>
  read - rejected - (duplicates - repeated)

/** Warns of a list that may be incomplete. */
async function warnShrunk(
  { slot, source: { fewer = 0 } }: ProduceResult,
  before: RunRow | undefined,
  around: Surroundings,
): Promise<void> {
  const last = before ? placesIn(before) : 0
  if (!before || 2 * fewer <= last) return
  await logWarning(
    around,
    { event: 'list-shrunk', slot, locations: last - fewer, before: last },
    `the list has ${plural(last - fewer, 'location')}, and had ${count(last)} for the slot ${before.slot}; ` +
      '`source.minShare: 0.5` refuses a list that is suddenly half as long',
  )
}
