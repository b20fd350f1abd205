/** The newest run that read a source's list to its end: what the next list is compared with. */
import { type EntityManager, In, Not } from 'typeorm'
import { type RunRow, runs } from '../sqlite/entities.js'
import { readStates } from '../sqlite/run-states.js'

/** A run that couldn't be read on, so that its slot was read anew, has no list. Older versions note no `readAt`. */
// guard: whole-list-before
const wasWhole = `(run.readAt IS NOT NULL OR
  NOT EXISTS (SELECT 1 FROM run AS later WHERE later.slot = run.slot AND later.id > run.id))`

/** @param but the row id of a run that isn't meant */
export async function lastList(manager: EntityManager, sourceDigest: string, but = 0): Promise<RunRow | undefined> {
  const latest = manager
    .createQueryBuilder(runs, 'run')
    .where({ sourceDigest, state: In(readStates), id: Not(but) })
    .andWhere(wasWhole)
    .orderBy('run.id', 'DESC')
    .limit(1)
  return (await latest.getOne()) ?? undefined
}
