/** The tasks of unfinished runs. */
import { type EntityManager, In } from 'typeorm'
import { unfinishedStates } from '../runs/run-states.js'
import type { Database } from '../sqlite/database.js'
import { batches, runs } from '../sqlite/entities.js'
import type { OutboxState } from '../state.js'

/** The `seq` before the first task of an unfinished run: a run isn't done until the sink has all of it. */
export const beforeOpenRuns = (database: Database): Promise<number> => database.inTurn(beforeOpenRunsIn)

async function beforeOpenRunsIn(manager: EntityManager): Promise<number> {
  const open = await manager.find(runs, { select: { id: true }, where: { state: In(unfinishedStates) } })
  const first = await manager.minimum(batches, 'firstSeq', { run: In(open.map(({ id }) => id)) })
  return (first ?? Number.MAX_SAFE_INTEGER) - 1
}

/** Whether the present sink has yet to get tasks, or has a part of an unfinished run: no other may take its place. */
export const isOwed = (database: Database, state: OutboxState): Promise<boolean> =>
  database.inTurn((manager) => isOwedIn(manager, state))

export async function isOwedIn(
  manager: EntityManager,
  { pending, lastSeq }: Pick<OutboxState, 'pending' | 'lastSeq'>,
): Promise<boolean> {
  return pending > 0 || (await beforeOpenRunsIn(manager)) < lastSeq
}
