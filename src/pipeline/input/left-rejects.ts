/** What earlier starts rejected of runs that they left, and told nobody: they were killed. */
import type { Outbox, RunRow } from '../../outbox/outbox.js'
import { Rejects } from './rejects.js'

export interface LeftRejects {
  readonly run: RunRow
  readonly rejects: Rejects
}

/** Of a run, as the outbox has it. */
export async function rejectsOf(run: RunRow, { ledger }: Outbox): Promise<Rejects> {
  const rejects = new Rejects()
  const kept = await ledger.rejectedIn(run)
  for (const reason of kept) rejects.add(reason, undefined, reason.count)
  const more = run.rejected - rejects.count
  const reason = 'outbox.keepRejected keeps no more of them'
  if (more > 0) rejects.add({ reason, position: `run ${run.runId}`, value: '' }, reason, more)
  return rejects
}

/** What nobody was told of these runs, which earlier starts left: to be asked before anything is read. */
export async function leftRejects(unfinished: readonly RunRow[], outbox: Outbox): Promise<LeftRejects[]> {
  const found = unfinished.filter(({ rejected }) => rejected > 0)
  const told = found.length > 0 ? await outbox.ledger.rejectsTold() : []
  const untold = found.filter(({ runId }) => !told.includes(runId))
  return Promise.all(untold.map(async (run) => ({ run, rejects: await rejectsOf(run, outbox) })))
}

/** Those of them that are read to their end by now, unless a later run of their slot read the list anew. */
export async function endedOf(left: readonly LeftRejects[], { ledger }: Outbox): Promise<LeftRejects[]> {
  const latest = new Map((await ledger.latestOf(left.map(({ run }) => run.slot))).map((run) => [run.runId, run]))
  return left.filter(({ run }) => ['read', 'done'].includes(latest.get(run.runId)?.state ?? ''))
}
