/** `owm outbox replay`: delivers a run or a slot again, under the same task ids. */
import { cadenceKept, isSharded, ownShardFlag } from '../../../config/filters.js'
import type { Loaded } from '../../../config/load.js'
import { TransientError, UsageError } from '../../../errors/index.js'
import { compact, sumOf } from '../../../lists.js'
import { slotsIn } from '../../../outbox/inspect/ledger/slots.js'
import { replayableIn } from '../../../outbox/inspect/picture.js'
import type { Outbox } from '../../../outbox/outbox.js'
import type { Replayable, ReplayFilter } from '../../../outbox/runs/replay.js'
import { readingStates } from '../../../outbox/runs/run-states.js'
import { type FlushSummary, flush } from '../../../pipeline/flush.js'
import type { SinkDeps } from '../../../pipeline/parts.js'
import { everything, isReady, replay as replayRuns } from '../../../pipeline/slots/replay.js'
import { slotFlags } from '../../../tasks/shard.js'
import type { Done } from '../../command.js'
import { depsOf, lookAtOutbox, onTimeIn, openOutbox, type Surroundings, sinkOf, sourceOf } from '../../compose.js'
import { slotNamed, type WaitFlags, waitMsOf } from '../../flags.js'
import { count, leftIn, plural, seconds, shortId, stopwatch, tasksDelivered } from '../../format.js'
import { type DeliveryResult, noteDelivered, noteNames, nothingSent, withOutbox } from '../delivery.js'
import { oneRun } from '../look/runs/one-run.js'
import { agendaOf, run as produceRun } from '../produce/produce.js'
import { logAllRejects, logLeftRejects } from '../rejects.js'
import { warnOtherList } from '../warnings.js'
import { mustConfirm } from './ask.js'

/** What `owm outbox replay --json` prints. */
export interface ReplayResult extends DeliveryResult {
  /** Where the tasks come from: the outbox's history, or the source, which is read again; null until that is known. */
  from: 'history' | 'source' | null
  /** The chosen runs; `tasks`: those that were delivered and that the history still has. */
  runs: Replayable[]
  /** Tasks put back, and tasks left out since the sink holds them. 0 in a dry run. */
  replayed: { tasks: number; held: number }
}

interface ReplayFlags extends WaitFlags {
  run?: string | undefined
  slot?: string | undefined
  all: boolean
  'dry-run': boolean
  yes: boolean
}

export const nothingReplayed = (): ReplayResult => ({
  ...nothingSent(),
  from: null,
  runs: [],
  replayed: { tasks: 0, held: 0 },
})

/** @param configure reads the configuration, with the source if that is needed */
export async function replay(
  result: ReplayResult,
  flags: ReplayFlags,
  configure: (withSource: boolean) => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<ReplayResult>> {
  const elapsed = stopwatch()
  const filter = filterOf(flags)
  const waitMs = waitMsOf(flags)
  const loaded = await configure(false)
  const { path } = loaded.settings.outbox
  noteNames(result, loaded)
  const totals = await lookAtOutbox(loaded, around, 'owner')
  Object.assign(result.outbox, { pending: totals?.pending ?? 0, dead: totals?.dead ?? 0 })
  const runs = await replayableIn(path, filter)
  if (runs.length === 0) await mustBeServed(filter, path, ownShardFlag(loaded.settings, around.env))
  const planned = (found: Replayable[]): Plan => planOf(found, filter, isSharded(loaded.settings))
  const plan = planned(runs)
  Object.assign(result, { from: plan.from, runs: plan.runs })
  const what = planInWords(plan, flags)
  if (flags['dry-run']) return { result, summary: [`dry run: would put back ${what}`] }
  if (plan.from === 'history' && plan.tasks === 0)
    return { result, summary: [`nothing to put back: ${what}`, ...leftIn(result.outbox)] }
  if (!flags.yes) await confirm(what, path, around.signal)
  const sink = await sinkOf(loaded, around)
  const outbox = await openOutbox(loaded, around, { waitMs, create: false, as: 'owner' })
  return withOutbox(outbox, result, around, async (watched) => {
    const now = planned(await outbox.replayable(filter))
    if (now.from !== plan.from) throw changedMeanwhile(path)
    const work = { plan: now, flags, parts: { sink, outbox } }
    const errors =
      plan.from === 'history'
        ? await fromHistory(result, work, loaded, watched)
        : await fromSource(result, work, await configure(true), watched)
    result.durationMs = elapsed()
    return { result, summary: [replayInWords(result)], errors }
  })
}

/** Which runs to deliver again, and from where. */
interface Plan {
  from: 'history' | 'source'
  slot: string
  runs: Replayable[]
  tasks: number
}

interface Work {
  plan: Plan
  flags: ReplayFlags
  parts: { sink: SinkDeps; outbox: Outbox }
}

type Errors = FlushSummary['errors']

async function fromHistory(
  result: ReplayResult,
  { plan, flags, parts }: Work,
  loaded: Loaded,
  around: Surroundings,
): Promise<Errors> {
  const deps = await depsOf(loaded, parts, around)
  const summary = await replayRuns({ runIds: plan.runs.map(({ runId }) => runId), all: flags.all }, deps)
  if (summary.replayed) result.replayed = summary.replayed
  await noteDelivered(result, summary, parts.outbox)
  await logLeftRejects(summary.earlier, result.served, around)
  return summary.errors
}

async function fromSource(
  result: ReplayResult,
  { plan, flags, parts }: Work,
  loaded: Loaded,
  around: Surroundings,
): Promise<Errors> {
  const { outbox } = parts
  const source = await sourceOf(loaded, around, () => outbox)
  const before = await flush(everything, await depsOf(loaded, parts, around))
  await noteDelivered(result, before, outbox)
  await logLeftRejects(before.earlier, result.served, around)
  if (!isReady(before) || around.signal.aborted) return before.errors
  const agenda = agendaOf(plan.slot, plan.slot, onTimeIn(loaded, around))
  const replay = flags.all ? 'all' : 'missing'
  const what = { agenda, cadence: await cadenceKept(loaded), again: true, replay, flush: true } as const
  const summary = await produceRun(what, loaded, { ...parts, source }, around)
  const { stored, leftOut: held } = outbox.intake
  result.replayed = { tasks: stored - held, held }
  await noteDelivered(result, summary, outbox)
  await logAllRejects(summary, result.served, outbox, around)
  await warnOtherList(summary, around)
  return summary.errors
}

/** Throws UsageError unless exactly one of the flags says what to deliver. */
function filterOf({ run, slot }: ReplayFlags): ReplayFilter {
  if (run !== undefined && slot === undefined) return { run }
  if (slot && run === undefined) return { slot: slotNamed('--slot', slot) }
  throw new UsageError('What is to be delivered once more? Name one: --run ID or --slot TIME.', {
    hint: '`owm runs` shows the runs and their slots; --dry-run says what would be put back.',
  })
}

/**
 * For a slot without a run in the ledger. A typo in the time would make new tasks of the whole list. Throws UsageError.
 */
async function mustBeServed(filter: ReplayFilter, path: string, flag: string): Promise<void> {
  if (!('slot' in filter)) return
  // The ledger may have deleted its run.
  const { newestDeletedSlot } = await slotsIn(path)
  if (newestDeletedSlot !== null && Date.parse(filter.slot) <= Date.parse(newestDeletedSlot)) return
  throw new UsageError(`No run has served the slot ${filter.slot}: there is nothing to deliver once more.`, {
    hint: `\`owm runs\` shows those that were served; \`owm produce --slot ${filter.slot}${flag}\` serves this one.`,
  })
}

/** Throws UsageError. */
function planOf(runs: Replayable[], filter: ReplayFilter, isSharded: boolean): Plan {
  const run = 'run' in filter ? oneRun(filter.run, runs) : runs[0]
  const slot = 'slot' in filter ? filter.slot : (run?.slot ?? '')
  const open = runs.find(({ state }) => readingStates.includes(state))
  if (open)
    throw new UsageError(`The run ${shortId(open.runId)} of the slot ${slot} isn't read to its end.`, {
      hint:
        `\`owm produce ${slotFlags(slot, open.shard ?? '', isSharded)}\` reads it on and delivers it; ` +
        'then it can be delivered once more.',
    })
  const isKept = run !== undefined && runs.every((each) => each.isKept || isEmpty(each)) && !runs.every(isEmpty)
  const tasks = sumOf(runs, (each) => each.tasks)
  return { from: isKept ? 'history' : 'source', slot, runs, tasks }
}

/** A later run of a slot that found no new location. */
const isEmpty = ({ isKept, tasks, state }: Replayable): boolean => !isKept && tasks === 0 && state === 'done'

function planInWords({ from, slot, runs, tasks }: Plan, { all }: ReplayFlags): string {
  const [run, ...others] = runs
  const which = run && others.length === 0 ? `run ${shortId(run.runId)}, slot ${slot}` : `slot ${slot}`
  const but = all ? ', whether the sink holds them or not' : ', except those that the sink holds'
  return from === 'history'
    ? `${plural(tasks, 'task')} of the history (${which})${but}`
    : `all locations of the source for the slot ${slot}, since the history no longer has all of its tasks${but}`
}

/** Throws UsageError without a terminal, or if the answer is no. */
async function confirm(what: string, path: string, signal: AbortSignal): Promise<void> {
  const unasked = new UsageError(`From ${path}, ${what} would be delivered once more, and nobody can be asked.`, {
    hint: '--yes does it without a question; --dry-run only says what.',
  })
  await mustConfirm(`Deliver once more: ${what}?`, {
    unasked,
    refused: new UsageError('Nothing was put back.'),
    signal,
  })
}

const changedMeanwhile = (path: string): TransientError =>
  new TransientError(`The outbox ${path} has changed since it was looked at: nothing was put back.`, {
    hint: 'Run the command again.',
  })

function replayInWords({ replayed, from, sink, outbox, durationMs }: ReplayResult): string {
  return compact(
    `${plural(replayed.tasks, 'task')} put back from the ${from}`,
    replayed.held > 0 && `${count(replayed.held)} left out, since the sink holds them`,
    ...tasksDelivered(sink),
    `${count(outbox.pending)} pending`,
    outbox.dead > 0 && `${count(outbox.dead)} dead`,
    seconds(durationMs),
  ).join(', ')
}
