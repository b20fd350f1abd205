/** The slots that a start worked on, in `--json` and in words. */
import type { Loaded } from '../../config/load.js'
import type { Outbox, RunRow } from '../../outbox/outbox.js'
import type { RejectedFor } from '../../pipeline/input/rejects.js'
import { type Delivered, nothingDelivered } from '../../pipeline/parts.js'
import type { ProduceSummary } from '../../pipeline/produce.js'
import type { OnTime } from '../../pipeline/slots/on-time.js'
import { slotOf } from '../../tasks/slot.js'
import type { Surroundings } from '../compose.js'
import { count, harmless, plural, stopwatch } from '../format.js'

export interface Served {
  slot: string
  runId: string
  /** See outbox/sqlite/run-states. */
  state: string
  /** Locations. */
  read: number
  /** Tasks that were stored. */
  persisted: number
  /** Why an earlier start had rejected locations of it that it didn't tell, since it was killed. */
  rejectedFor?: RejectedFor[]
}

/** The parts of a result that `produce`, `backfill`, `flush` and `outbox replay` have in common. */
export interface DeliveryResult {
  outbox: { path: string | null; pending: number; dead: number }
  /** `lost`: tasks that it had and lost, and that can't be delivered again. */
  sink: { name: string | null; delivered: number; deduplicated: number; evicted: number; lost: number }
  /** The slots that it worked on, oldest first: those that earlier starts left, and its own. */
  served: Served[]
  durationMs: number
}

export const nothingSent = (): DeliveryResult => ({
  outbox: { path: null, pending: 0, dead: 0 },
  sink: { name: null, delivered: 0, deduplicated: 0, evicted: 0, lost: 0 },
  served: [],
  durationMs: 0,
})

/** A slip in a slot's time makes another slot of it, whose tasks are new to everybody. */
export async function tellUnscheduled(slot: string, { timetable }: OnTime, { logger }: Surroundings): Promise<void> {
  const time = Date.parse(slot)
  const before = timetable.at(time)
  if (before === undefined || before === time) return
  const log = await logger()
  log.warn(
    { event: 'slot-not-scheduled', slot },
    `the slot ${slot} is no scheduled time, and has task ids of its own; ` +
      `the scheduled time before it is ${slotOf(before)}`,
  )
}

/** Notes what was delivered, and what is left. */
export async function noteDelivered(
  result: DeliveryResult,
  { served, delivered, deduplicated, evicted, lost }: Delivered & { readonly served: readonly Served[] },
  outbox: Outbox,
): Promise<void> {
  Object.assign(result.outbox, { pending: outbox.pending, dead: await outbox.deadLetters.count() })
  Object.assign(result.sink, { delivered, deduplicated, evicted, lost })
  result.served = served.map(({ slot, runId, state, read, persisted }) => ({ slot, runId, state, read, persisted }))
}

/**
 * Works with an outbox, and closes it. Where an error ends the work, such as a full disk, there is no summary: what was
 * done until then is noted, as far as the outbox can still be read.
 * @param noteRun is told of the start's own run, if there is one by then
 */
export async function withOutbox<T>(
  outbox: Outbox,
  result: DeliveryResult,
  around: Surroundings,
  work: (around: Surroundings) => Promise<T>,
  noteRun: (run: RunRow) => void = () => undefined,
): Promise<T> {
  const elapsed = stopwatch()
  let delivered = 0
  let runId: string | undefined
  const watched: Surroundings = {
    ...around,
    onProgress(progress) {
      delivered = progress.delivered
      around.onProgress(progress)
    },
    about(fields) {
      runId ??= fields['runId'] // the start's own comes first
      around.about(fields)
    },
  }
  const noteSoFar = async (): Promise<void> => {
    result.durationMs = elapsed()
    result.sink.delivered = delivered
    const open = await outbox.ledger.unfinished()
    await noteDelivered(result, { ...nothingDelivered(), delivered, served: open }, outbox)
    const own = open.find((run) => run.runId === runId)
    if (own) noteRun(own)
  }
  try {
    return await work(watched)
  } catch (error) {
    await noteSoFar().catch(() => undefined)
    throw error
  } finally {
    await outbox.close()
  }
}

/** `also slots 2026-11-23T09:00:00Z (50 locations, done), …`; nothing where there is none. */
export function slotsInWords(served: readonly Served[], before = ''): string[] {
  if (served.length === 0) return []
  const slots = served.slice(0, slotsListed).map(({ slot, state, read }) => {
    return `${slot} (${plural(read, 'location')}, ${state === 'read' ? 'pending' : state})`
  })
  const more = served.length - slots.length
  if (more > 0) slots.push(`and ${count(more)} more, which \`owm runs\` lists`)
  return [`${before}slot${served.length === 1 ? '' : 's'} ${slots.join(', ')}`]
}

/** Slots that a summary names; a backfill may serve thousands. */
const slotsListed = 20

/**
 * With a schedule: how many other scheduled times a start's own run covers, and all of its runs. Read off the ledger: a
 * run also covers what a failed start before it was for.
 */
export async function coveredBy(
  { run, served, due, alreadyComplete }: ProduceSummary,
  { ledger }: Outbox,
  { timetable }: OnTime,
): Promise<{ own: number; all: number }> {
  const { timesCovered } = await import('../../schedule/covers.js')
  const missed = await ledger.missed()
  const timesOf = ({ slot, intervalFrom }: RunRow): number =>
    timesCovered({ from: intervalFrom === null ? null : slotOf(intervalFrom), to: slot }, missed, timetable)
  const own = alreadyComplete ? 0 : timesOf(run)
  const isNew = new Set(due.flatMap(({ runs }) => runs.map(({ slot }) => slot)))
  const others = served.filter(({ slot, runId }) => isNew.has(slot) && runId !== run.runId)
  return { own, all: others.reduce((sum, other) => sum + timesOf(other), own) }
}

/** Slots that a warning names. */
const slotsNamed = 5

/** Tells which starts are missed: what they stood for isn't served. */
export async function tellMissed(missed: readonly { slot: string }[], { logger }: Surroundings): Promise<void> {
  if (missed.length === 0) return
  const slots = missed.slice(0, slotsNamed).map(({ slot }) => slot)
  const log = await logger()
  log.warn(
    { event: 'starts-missed', slots },
    `${plural(missed.length, 'earlier start')} had stored nothing ` +
      `and ${missed.length === 1 ? 'is' : 'are'} closed as missed`,
  )
}

/** Tells where a restart of the machine would take the outbox away: with it, what waits there and what was served. */
export async function tellVolatile(path: string, { logger }: Surroundings): Promise<void> {
  const [{ volatileAt }, { anotherOutbox }] = await Promise.all([
    import('../../files/volatile.js'),
    import('../../files/rules.js'),
  ])
  const why = (await volatileAt(path))?.why
  if (why === undefined) return
  const log = await logger()
  log.warn(
    { event: 'outbox-volatile' },
    harmless(`the outbox ${path} won't last: ${why}; tasks that wait in it would be lost. ${anotherOutbox()}`),
  )
}

/** Tells where a new outbox may be that of a renamed pipeline, whose tasks wait in another one. */
export async function tellLeftBehind({ isNew, path }: Outbox, { family }: Loaded, around: Surroundings): Promise<void> {
  if (!isNew || !family) return
  const { leftBehind, leftInWords } = await import('../../outbox/inspect/left-behind.js')
  const log = await around.logger()
  for (const left of await leftBehind(family))
    log.warn(
      { event: 'outbox-left-behind' },
      harmless(
        `the outbox ${leftInWords(left)}, and no pipeline of this configuration uses it. ` +
          `If its pipeline was renamed: \`owm flush\`, move the new outbox ${path} away, ` +
          'put that one in its place (mv, with its -wal), then `owm outbox adopt --owner`',
      ),
    )
}

/** Tells where the schedule comes too seldom for a cadence. */
export async function tellPace({ settings }: Loaded, { timetable, now }: OnTime, around: Surroundings): Promise<void> {
  if (!settings.cadence) return
  const { paceOf, paceInWords } = await import('../../schedule/pace.js')
  const pace = paceOf(settings.cadence, timetable, now())
  if (pace.tooShort.length > 0) (await around.logger()).warn({ event: 'cadence-too-short' }, paceInWords(pace) ?? '')
}
