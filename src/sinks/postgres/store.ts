/** Where the tasks are kept, rows of a table or jobs of graphile-worker: the SQL in which these differ. */
import type { Settings } from './options.js'
import { quoted, type Tables } from './tables.js'

export interface Store {
  /** The table or view that holds the tasks, quoted. */
  readonly relation: string
  /** SQL for an oid that changes when the tasks' home is replaced; null if that is gone. */
  readonly home: string
  /**
   * CTEs that add those of `items (task, task_id, ord)` that aren't there yet. The last one is `added (id, task_id)`,
   * the new entries.
   */
  readonly adding: string
  /** The condition that the task of a row `i (task_id)` is there. */
  readonly has: string
  /** Statements that a delivery's transaction begins with. */
  readonly setting?: string
  /** A query for `id`, `task_id` (text) and `at`, milliseconds since 1970. */
  readonly entries: string
  /** Whether workers remove the tasks that they have done. */
  readonly readersRemove: boolean
}

export const storeOf = (settings: Settings, tables: Tables): Store =>
  settings.queue === undefined ? tableOf(settings, tables) : jobsOf(settings)

const tableOf = ({ onDone }: Settings, { tasks }: Tables): Store => ({
  relation: tasks,
  home: `to_regclass(${literal(tasks)})`,
  adding: `added AS (
    INSERT INTO ${tasks} (task_id, task) SELECT task_id, task FROM items ORDER BY ord
    ON CONFLICT (task_id) DO NOTHING RETURNING id, task_id::text
  )`,
  has: `EXISTS (SELECT 1 FROM ${tasks} t WHERE t.task_id = i.task_id)`,
  entries: `SELECT id, task_id::text, extract(epoch FROM added_at) * 1000 AS at FROM ${tasks}`,
  readersRemove: onDone === 'delete',
})

/** https://worker.graphile.org/docs/sql-add-job: a job whose key is there already is left as it is. */
function jobsOf({ jobs }: Settings): Store {
  const { task = 'owm_task', queueName, maxAttempts, priority } = jobs ?? {}
  const schema = quoted(jobs?.schema ?? 'graphile_worker')
  const parts = [
    ...[literal(task), 'i.task', queueName === undefined ? 'NULL' : literal(queueName), 'NULL'],
    ...[String(maxAttempts ?? 'NULL'), 'i.task_id::text', String(priority ?? 'NULL'), 'NULL'],
  ]
  const has = `EXISTS (SELECT 1 FROM ${schema}.jobs j WHERE j.key = i.task_id::text)`
  return {
    relation: `${schema}.jobs`,
    // An upgrade of graphile-worker may recreate its views, and even its tables; the schema stays.
    home: `to_regnamespace(${literal(schema)})`,
    adding: `specs AS MATERIALIZED (
      SELECT array_agg(ROW(${parts.join(', ')})::${schema}.job_spec ORDER BY i.ord) AS specs FROM items i
      WHERE NOT ${has} HAVING count(*) > 0
    ), added AS MATERIALIZED (
      SELECT j.id, j.key AS task_id FROM specs, LATERAL ${schema}.add_jobs(specs.specs) j
    )`,
    has,
    // add_jobs joins its jobs with other tables: only a nested loop keeps them in their order.
    setting: 'SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off',
    entries: `SELECT id, task_id, at FROM (
      SELECT id, coalesce(key, '') AS task_id, extract(epoch FROM created_at) * 1000 AS at
      FROM ${schema}.jobs WHERE task_identifier = ${literal(task)}
    ) AS j`,
    readersRemove: true,
  }
}

/** A text as an SQL literal, whatever standard_conforming_strings is. */
const literal = (value: string): string => ` E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
