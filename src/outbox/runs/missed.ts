/**
 * Runs that stored nothing and stand for no other time than that of their start: the next start stands for them, so
 * that ten starts that found the source down don't read it ten times once it's back.
 */
import { type EntityManager, In, Not } from 'typeorm'
import { type RunRow, runs, suspects } from '../sqlite/entities.js'
import { passOn } from './intervals.js'

/** Closes them as missed, but for one; gives them, oldest first. A part of a transaction. */
export async function closeEmptyRuns(manager: EntityManager, now: number, except = 0): Promise<RunRow[]> {
  // guard: empty-runs-closed
  const empty = await manager.find(runs, {
    where: { state: 'reading', persisted: 0, slotGiven: 0, id: Not(except) },
    order: { id: 'ASC' },
  })
  const missed: RunRow[] = []
  for (const run of empty) if (!(await manager.existsBy(suspects, { run: run.id }))) missed.push(run)
  for (const { id } of missed) await passOn(manager, id)
  const closed = { state: 'missed', checkpoint: null, finishedAt: now } as const
  await manager.update(runs, { id: In(missed.map(({ id }) => id)) }, closed)
  return missed
}
