/** `owm produce --dry-run`: shows what a start would send now. */
import type { Loaded } from '../../../config/load.js'
import { compact } from '../../../lists.js'
import { lastListIn } from '../../../outbox/inspect/ledger/last-list.js'
import { slotsIn } from '../../../outbox/inspect/ledger/slots.js'
import { windowsInside } from '../../../outbox/inspect/ledger/windows.js'
import { type DryRun, dryRun as dryRunOf, type LastList } from '../../../pipeline/dry-run.js'
import { cadenceCheck, cadenceOf, type DueOf, dueIn } from '../../../pipeline/input/cadence.js'
import { type OnTime, wouldServe } from '../../../pipeline/slots/on-time.js'
import { newest } from '../../../schedule/due.js'
import { parseJson } from '../../../tasks/json/parse.js'
import { shardNameIn } from '../../../tasks/shard.js'
import { slotOf } from '../../../tasks/slot.js'
import type { Done } from '../../command.js'
import { type ChosenSource, filteredOut, logWarning, type Surroundings, tracing } from '../../compose.js'
import { count, harmless, locationsRead, plural } from '../../format.js'
import { ownerOf } from '../../owner.js'
import { logRejects, rejections } from '../rejects.js'
import type { ProduceResult } from './produce.js'
import { refusalOf } from './refused.js'

interface Timing {
  readonly cadence: string | null
  readonly schedule: OnTime | undefined
  readonly named: string | undefined
  /** The slot without a name and without a schedule. */
  readonly now: string
}

interface DueNow {
  readonly slot: string
  readonly dueOf: DueOf
  /** The cadence of `dueOf`, as a run stores it. */
  readonly cadence?: string | null
  /** Scheduled times before the slot that have runs of their own. */
  readonly earlier: number
  /** Which tasks a start would send of a slot that is served; undefined if it isn't. */
  readonly ofServed?: string
}

/** What a start would serve now: sets the result's slot, and returns which locations are due. */
export async function dueInDryRun(
  result: ProduceResult,
  { settings: { outbox } }: Loaded,
  { cadence, schedule, named, now }: Timing,
): Promise<DueNow> {
  const newestTime = schedule && newest(schedule.timetable, schedule.now())
  const to = named === undefined ? newestTime : Date.parse(named)
  const everything = dueIn(undefined, { from: 0, to: 0 })
  const slot = to === undefined ? now : slotOf(to)
  result.slot = slot
  if (to === undefined) return { slot, dueOf: everything, earlier: 0 }
  const seen = await slotsIn(outbox.path)
  const state = seen.slots.find((each) => each.slot === slot)?.state
  const isServed = state === 'read' || state === 'done'
  const ofServed = named === undefined ? 'none of them' : 'only those that it has not had'
  const served = isServed ? { ofServed } : {}
  if (!schedule) return { slot, dueOf: everything, earlier: 0, ...served }
  const { runs } = wouldServe(schedule, seen, named === undefined ? undefined : to)
  const last = runs.at(-1)
  const from = last?.from ?? schedule.timetable.at(to - 1)
  const begun = last ? undefined : await windowsInside(outbox.path, slot, { from, cadence })
  const run = begun ?? { windows: { from: from ?? to, to }, cadence }
  return {
    slot,
    cadence: run.cadence,
    dueOf: dueIn(cadenceOf(run), run.windows),
    earlier: Math.max(0, runs.length - 1),
    ...served,
  }
}

/** The list that `source.minShare` is compared with; undefined if that isn't set. */
export async function lastListOf({ minShare, digest }: ChosenSource, { settings }: Loaded): Promise<LastList> {
  if (minShare === undefined) return undefined
  return lastListIn(settings.outbox.path, digest)
}

export async function dryRun(
  result: ProduceResult,
  { source, loaded, due }: { source: ChosenSource; loaded: Loaded; due: DueNow },
  { strict, again }: { strict: boolean; again: boolean },
  elapsed: () => number,
  around: Surroundings,
): Promise<Done<ProduceResult>> {
  const { traceparent } = tracing(loaded, await ownerOf(loaded, around.env), around)
  const namespace = loaded.settings.taskNamespace
  const { slot, dueOf, cadence = null } = due
  const check = cadenceCheck(cadenceOf({ cadence }), await around.logger())
  const last = await lastListOf(source, loaded)
  const how = { namespace, traceparent: traceparent?.(slot), dueOf, signal: around.signal, check, last }
  const { preview, rejects, error, warning, ...counts } = await dryRunOf(source, slot, how)
  if (warning !== undefined) await logWarning(around, { event: 'source-empty' }, warning)
  result.source = { ...result.source, ...counts, ...filteredOut(source) }
  Object.assign(result.source, await logRejects(rejects, around))
  result.durationMs = elapsed()
  const asked = { slot, shard: shardNameIn(source.digest) }
  const refused = again ? undefined : await refusalOf(asked, loaded, around)
  const tasks = counts.read - counts.rejected - counts.duplicates - counts.notDue
  return {
    result: { ...result, tasks: preview.map(parseJson) },
    summary: compact(
      ...preview.map(harmless),
      tasks > preview.length && `and ${count(tasks - preview.length)} more`,
      listInWords(result, counts, tasks, due),
    ),
    errors: compact(refused, error, ...(error || !strict ? [] : rejections(source.name, rejects))),
  }
}

/** What the list has, and what a start would make of it. */
function listInWords(
  { source, sink }: ProduceResult,
  { rejected, duplicates, notDue }: Pick<DryRun, 'rejected' | 'duplicates' | 'notDue'>,
  tasks: number,
  { slot, earlier, ofServed }: DueNow,
): string {
  return compact(
    `dry run of slot ${slot}: ${locationsRead(source)}`,
    `${count(rejected)} rejected`,
    plural(duplicates, 'duplicate'),
    notDue > 0 && `${count(notDue)} not due`,
    ofServed === undefined
      ? `${plural(tasks, 'task')} would be delivered to ${sink.name}`
      : `${plural(tasks, 'task')}; the slot is served: a start would send ${ofServed}`,
    earlier > 0 && `besides the list of ${plural(earlier, 'earlier scheduled time')}`,
  ).join(', ')
}
