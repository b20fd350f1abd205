/** What earlier starts rejected of runs that they left: one that was killed told nobody. */
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

/** Of the runs that are left, before anything is read. */
export async function leftRejects(outbox: Outbox): Promise<LeftRejects[]> {
  const left: LeftRejects[] = []
  for (const run of await outbox.ledger.unfinished())
    if (run.rejected > 0) left.push({ run, rejects: await rejectsOf(run, outbox) })
  return left
}

/** Those of them that have come to an end since, unless a later run of their slot read the list anew. */
export async function endedOf(left: readonly LeftRejects[], { ledger }: Outbox): Promise<LeftRejects[]> {
  const latest = new Map((await ledger.latestOf(left.map(({ run }) => run.slot))).map((run) => [run.runId, run]))
  return left.filter(({ run }) => {
    const state = latest.get(run.runId)?.state
    return state === 'done' || (state === 'read' && run.state !== 'read')
  })
}
