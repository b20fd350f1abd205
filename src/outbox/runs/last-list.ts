/** The newest run that read a source's list to its end, to compare the next list with. */
import { type EntityManager, In, Not } from 'typeorm'
import { type RunRow, runs } from '../sqlite/entities.js'
import { readStates } from './run-states.js'

/** Not a run that was given up for another one of its slot. (Runs of older versions have no `readAt`.) */
// guard: whole-list-before
const wasWhole = `(run.readAt IS NOT NULL OR
  NOT EXISTS (SELECT 1 FROM run AS later WHERE later.slot = run.slot AND later.id > run.id))`

/** @param except the row id of a run to leave out */
export async function lastList(manager: EntityManager, sourceDigest: string, except = 0): Promise<RunRow | undefined> {
  const latest = manager
    .createQueryBuilder(runs, 'run')
    .where({ sourceDigest, state: In(readStates), id: Not(except) })
    .andWhere(wasWhole)
    .orderBy('run.id', 'DESC')
    .limit(1)
  return (await latest.getOne()) ?? undefined
}
