/**
 * Whether the table takes any of the tasks that it refused together: a constraint or a function may be wrong for one of
 * them, which is then dead, or for all, which is the table's fault.
 *
 * $1 task, $2 id -> a row where it is added.
 */
import type { TaskBatch } from '../../../plugin.js'
import { taskIdOf } from '../../../tasks/id.js'
import type { Query } from '../connection.js'
import { isAboutTasks, mayBeAboutTasks } from '../errors.js'
import type { Store } from '../store.js'

const trialSql = ({ adding }: Store): string => `
WITH items AS MATERIALIZED (SELECT $1::json AS task, $2::uuid AS task_id, 1 AS ord), ${adding}
SELECT 1 FROM added`

/** Tries one task at a time until one is taken. For a transaction that is rolled back. */
export async function takesAny(query: Query, store: Store, { tasks }: TaskBatch): Promise<boolean> {
  // What would speak at COMMIT only.
  await query('SET CONSTRAINTS ALL IMMEDIATE')
  for (const task of tasks) {
    await query('SAVEPOINT tried')
    try {
      if ((await query(trialSql(store), [task, taskIdOf(task)])).length > 0) return true
    } catch (error) {
      if (!isAboutTasks(error) && !mayBeAboutTasks(error)) throw error
    }
    await query('ROLLBACK TO tried')
  }
  return false
}
