/** What earlier starts rejected but didn't report, as they were killed. */
import type { Outbox, RunRow } from '../../outbox/outbox.js'
import { Rejects } from './rejects.js'

export interface LeftRejects {
  readonly run: RunRow
  readonly rejects: Rejects
}

/** The rejects of a run that the outbox has stored. */
export async function rejectsOf(run: RunRow, { ledger }: Outbox): Promise<Rejects> {
  const rejects = new Rejects()
  const kept = await ledger.rejectedIn(run)
  for (const reason of kept) rejects.add(reason, undefined, reason.count)
  const more = run.rejected - rejects.count
  const reason = 'outbox.keepRejected keeps no more of them'
  if (more > 0) rejects.add({ reason, position: `run ${run.runId}`, value: '' }, reason, more)
  return rejects
}

/** The unreported rejects of runs that earlier starts left. To be called before anything is read. */
export async function leftRejects(unfinished: readonly RunRow[], outbox: Outbox): Promise<LeftRejects[]> {
  const found = unfinished.filter(({ rejected }) => rejected > 0)
  const told = found.length > 0 ? await outbox.ledger.rejectsTold() : []
  const untold = found.filter(({ runId }) => !told.includes(runId))
  return Promise.all(untold.map(async (run) => ({ run, rejects: await rejectsOf(run, outbox) })))
}

/** Those whose run is read to its end by now, unless a later run of the slot has read the list again. */
export async function endedOf(left: readonly LeftRejects[], { ledger }: Outbox): Promise<LeftRejects[]> {
  const latest = new Map((await ledger.latestOf(left.map(({ run }) => run.slot))).map((run) => [run.runId, run]))
  return left.filter(({ run }) => ['read', 'done'].includes(latest.get(run.runId)?.state ?? ''))
}
