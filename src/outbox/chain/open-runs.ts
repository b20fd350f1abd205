/** The tasks of unfinished runs. */
import { In } from 'typeorm'
import type { Database } from '../sqlite/database.js'
import { batches, runs } from '../sqlite/entities.js'
import { unfinishedStates } from '../sqlite/run-states.js'
import type { OutboxState } from '../state.js'

/** The `seq` before the first task of an unfinished run: a run isn't done until the sink has all of it. */
export async function beforeOpenRuns(database: Database): Promise<number> {
  const first = await database.inTurn(async (manager) => {
    const open = await manager.find(runs, { select: { id: true }, where: { state: In(unfinishedStates) } })
    return manager.minimum(batches, 'firstSeq', { run: In(open.map(({ id }) => id)) })
  })
  return (first ?? Number.MAX_SAFE_INTEGER) - 1
}

/** Whether the present sink has yet to get tasks, or has a part of an unfinished run: no other may take its place. */
export async function isOwed(database: Database, { pending, lastSeq }: OutboxState): Promise<boolean> {
  return pending > 0 || (await beforeOpenRuns(database)) < lastSeq
}
