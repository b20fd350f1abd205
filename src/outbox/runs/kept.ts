/** The tasks of runs that the history still has. Reads only. */
import { type EntityManager, type FindOperator, In } from 'typeorm'
import { batches, type DeadRow, deadTasks } from '../sqlite/entities.js'

/** Tasks put back by an operator: they are also in a later batch. */
const putBack = ['retried', 'replayed'] as const

export const isPutBack = (fate: DeadRow['fate'] | undefined): fate is (typeof putBack)[number] =>
  putBack.some((each) => each === fate)

/** Selects the rows of such tasks, of one run or several. */
export const putBackOf = (run: number | FindOperator<number>) => ({ run, fate: In([...putBack]) })

/** How many tasks of a run, or of several, are kept, counting each once. */
export async function tasksKept(manager: EntityManager, run: number | FindOperator<number>): Promise<number> {
  const stored = (await manager.sum(batches, 'count', { run })) ?? 0
  return stored - (await manager.countBy(deadTasks, putBackOf(run)))
}
