/** What `produce`, `backfill`, `flush` and `outbox replay` share: their results, and the work with an outbox. */
import type { Loaded } from '../../config/load.js'
import { sumOf } from '../../lists.js'
import type { Outbox, RunRow } from '../../outbox/outbox.js'
import type { RejectedFor } from '../../pipeline/input/rejects.js'
import { type Delivered, nothingDelivered } from '../../pipeline/parts.js'
import type { ProduceSummary } from '../../pipeline/produce.js'
import type { OnTime } from '../../pipeline/slots/on-time.js'
import { timesCovered } from '../../schedule/covers.js'
import { slotOf } from '../../tasks/slot.js'
import type { Surroundings } from '../compose.js'
import { count, plural, stopwatch } from '../format.js'

export interface Served {
  slot: string
  runId: string
  /** See outbox/sqlite/run-states. */
  state: string
  /** Locations. */
  read: number
  /** Tasks stored. */
  persisted: number
  /** Reasons of an earlier start that was killed before it could report them. */
  rejectedFor?: RejectedFor[]
}

/** The part of the result that these commands share. */
export interface DeliveryResult {
  outbox: { path: string | null; pending: number; dead: number }
  /** `lost`: tasks that the sink had and lost, and that can't be delivered again. */
  sink: { name: string | null; delivered: number; deduplicated: number; evicted: number; lost: number }
  /** The slots that this start worked on, oldest first: those that earlier starts left, and its own. */
  served: Served[]
  /** Scheduled times that no run will serve, and earlier starts that stored nothing; left out if 0. */
  missed?: number
  durationMs: number
}

export const nothingSent = (): DeliveryResult => ({
  outbox: { path: null, pending: 0, dead: 0 },
  sink: { name: null, delivered: 0, deduplicated: 0, evicted: 0, lost: 0 },
  served: [],
  durationMs: 0,
})

/** Notes the names of the configured parts. */
export function noteNames(
  { source, sink, outbox }: Pick<DeliveryResult, 'sink' | 'outbox'> & { source?: { name: string | null } },
  { settings }: Loaded,
): void {
  if (source) source.name = settings.source?.use ?? null
  sink.name = settings.sink?.use ?? null
  outbox.path = settings.outbox.path
}

/**
 * Notes what was delivered, what is left, and what this start found to be missed.
 * @param summary `missed`: earlier starts that stored nothing
 */
export async function noteDelivered(
  result: DeliveryResult,
  summary: Delivered & { readonly served: readonly Served[]; readonly missed?: readonly RunRow[] },
  outbox: Outbox,
): Promise<void> {
  const { served, delivered, deduplicated, evicted, lost } = summary
  Object.assign(result.outbox, { pending: outbox.pending, dead: await outbox.deadLetters.count() })
  Object.assign(result.sink, { delivered, deduplicated, evicted, lost })
  result.served = served.map(({ slot, runId, state, read, persisted }) => ({ slot, runId, state, read, persisted }))
  const missed = outbox.ledger.newlyMissed + (summary.missed?.length ?? 0)
  if (missed > 0) result.missed = missed
}

/**
 * Works with an outbox, and closes it. If the work throws, as on a full disk, there is no summary: the progress until
 * then is noted, as far as the outbox can still be read.
 * @param noteRun called after an error with the start's own run, if there is one
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
    const unfinished = await outbox.ledger.unfinished()
    await noteDelivered(result, { ...nothingDelivered(), delivered, served: unfinished }, outbox)
    const own = unfinished.find((run) => run.runId === runId)
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

/** `also slots 2026-11-23T09:00:00Z (50 locations, done), …`; empty if there is none. */
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
 * How many other scheduled times a start's own run covers, and all of its runs. By the ledger: a run also covers the
 * times of failed starts before it.
 */
export async function coveredBy(
  { run, served, due, isReadBefore }: ProduceSummary,
  { ledger }: Outbox,
  { timetable }: OnTime,
): Promise<{ own: number; all: number }> {
  const missed = await ledger.missed()
  const timesOf = ({ slot, intervalFrom }: RunRow): number =>
    timesCovered({ from: intervalFrom === null ? null : slotOf(intervalFrom), to: slot }, missed, timetable)
  // A run that stored nothing is missed itself: the next one takes over its times.
  const own = isReadBefore || run.state === 'missed' ? 0 : timesOf(run)
  const isNew = new Set(due.flatMap(({ runs }) => runs.map(({ slot }) => slot)))
  const others = served.filter(({ slot, runId }) => isNew.has(slot) && runId !== run.runId)
  return { own, all: own + sumOf(others, timesOf) }
}
