/**
 * What operators see of an outbox: a snapshot, also while a producer runs. Reading migrates nothing, so no query here
 * reads a column that an older schema lacks.
 */
import { type Discardable, type DiscardFilter, discardable } from '../runs/discard.js'
import { type Replayable, type ReplayFilter, replayable } from '../runs/replay.js'
import { beginningWith, containing, ofRun } from '../sqlite/criteria.js'
import { deadTasks, rejectedRecords, runs } from '../sqlite/entities.js'
import { missingOutbox } from '../sqlite/trouble.js'
import { factsIn, type RunFacts } from './ledger/facts.js'
import { type Filter, type ReasonReport, reasonsIn, type TaskReport, tasksIn } from './tasks/listed.js'
import { type BreakerReport, breakersIn, oldestPendingIn, ownerIn, type Totals, totalsIn } from './totals.js'
import { mustBeUpToDate, read, type View } from './view.js'

/** An outbox at one moment. */
export interface Picture {
  totals: Totals
  /** The pipeline that owns it (see owner.ts); null if none has claimed it yet. */
  owner: string | null
  /** When the oldest pending task was stored, ISO 8601. */
  oldestPendingAt: string | null
  /** Those that are open or have counted failures. */
  breakers: BreakerReport[]
  /** Newest first. */
  runs: RunFacts[]
  /** Dead and pending ones, or those of the filter's state. */
  tasks: TaskReport[]
  /** How many match, regardless of the limit. */
  matching: { runs: number; dead: number; rejected: number }
  /** The ten most frequent reasons of dead tasks, or of rejected records if the filter asks for those. */
  reasons: ReasonReport[]
}

/** Undefined if there is no outbox, or nothing in it yet. Throws OutboxError. */
export async function inspect(path: string, filter: Filter): Promise<Picture | undefined> {
  return read(path, async (view) => ({
    totals: await totalsIn(view),
    owner: await ownerIn(view),
    oldestPendingAt: await oldestPendingIn(view),
    breakers: await breakersIn(view),
    runs: await factsIn(view, { run: filter.run ?? '' }, filter.limit),
    tasks: await tasksIn(view, filter),
    matching: await matchingIn(view, filter),
    reasons: await reasonsIn(view, filter),
  }))
}

/** What `discard` would give up, and the totals before that. Throws OutboxError, also if there is no outbox. */
export async function discardableIn(
  path: string,
  filter: DiscardFilter,
): Promise<{ runs: Discardable[]; totals: Totals }> {
  const found = await read(path, async (view) => {
    const runs = await discardable(view.manager, filter)
    return { runs: runs.map(({ id: _, ...run }) => run), totals: await totalsIn(view) }
  })
  if (!found) throw missingOutbox(path)
  return found
}

/** What `replay` could deliver again. Throws OutboxError, also if there is no outbox. */
export async function replayableIn(path: string, filter: ReplayFilter): Promise<Replayable[]> {
  const found = await read(path, (view) => {
    mustBeUpToDate(view)
    return replayable(view.manager, filter)
  })
  if (!found) throw missingOutbox(path)
  return found
}

async function matchingIn({ manager }: View, { run = '', location = '' }: Filter): Promise<Picture['matching']> {
  return {
    runs: await manager.countBy(runs, { runId: beginningWith(run) }),
    dead: await manager.countBy(deadTasks, { fate: 'dead', run: ofRun(run), task: containing(location) }),
    rejected: await manager.countBy(rejectedRecords, { run: ofRun(run), value: containing(location) }),
  }
}
