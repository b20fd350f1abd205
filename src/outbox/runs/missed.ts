/**
 * Runs that stored nothing and whose slot is only the time of their start. The next start stands in for them, so that
 * after ten starts without the source it isn't read ten times.
 */
import { type EntityManager, In, Not } from 'typeorm'
import { type RunRow, runs, suspects } from '../sqlite/entities.js'
import { closed } from '../sqlite/run-states.js'
import { passOn } from './intervals.js'

/** Closes them as missed, except one; returns them, oldest first. Part of a transaction. */
export async function closeEmptyRuns(manager: EntityManager, now: number, except = 0): Promise<RunRow[]> {
  // guard: empty-runs-closed
  const empty = await manager.find(runs, {
    where: { state: 'reading', persisted: 0, slotGiven: 0, id: Not(except) },
    order: { id: 'ASC' },
  })
  const missed: RunRow[] = []
  for (const run of empty) if (!(await manager.existsBy(suspects, { run: run.id }))) missed.push(run)
  for (const { id } of missed) await passOn(manager, id)
  await manager.update(runs, { id: In(missed.map(({ id }) => id)) }, closed('missed', now))
  return missed
}
