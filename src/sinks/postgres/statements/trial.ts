/**
 * Whether the table accepts any of the tasks that it refused together. A constraint or a function may refuse one task,
 * which is then dead, or all of them, which is the table's fault.
 *
 * $1 task, $2 id -> a row if it is added.
 */
import type { TaskBatch } from '../../../plugin.js'
import { taskIdOf } from '../../../tasks/id.js'
import type { Query } from '../connection.js'
import { isAboutTasks, mayBeAboutTasks } from '../errors.js'
import type { Store } from '../store.js'

const trialSql = ({ adding }: Store): string => `
WITH items AS MATERIALIZED (SELECT $1::json AS task, $2::uuid AS task_id, 1 AS ord), ${adding}
SELECT 1 FROM added`

/** Tries one task at a time until one is accepted. For a transaction that is rolled back. */
export async function acceptsAny(query: Query, store: Store, { tasks }: TaskBatch): Promise<boolean> {
  // Deferred constraints would fail at COMMIT only.
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
