/** Where the tasks lie: rows of a table, or jobs of graphile-worker. What differs between the two, in SQL. */
import type { Settings } from './options.js'
import { quoted, type Tables } from './tables.js'

export interface Store {
  /** What holds the tasks, quoted: a table, or a view. */
  readonly relation: string
  /** SQL for the oid of what tells whether it is still the same one; null where that is gone. */
  readonly home: string
  /**
   * CTEs up to `added (id, task_id)`, the entries that are new, from `items (task, task_id, ord)`; what is there
   * already is left out.
   */
  readonly adding: string
  /** A condition: whether the task of a row `i (task_id)` is there. */
  readonly has: string
  /** What is set for the transaction of a delivery. */
  readonly setting?: string
  /** A query for `id`, `task_id` (text) and `at`, milliseconds since 1970. */
  readonly entries: string
  /** Whether whoever has done a task takes it away. */
  readonly readersRemove: boolean
}

export const storeOf = (settings: Settings, tables: Tables): Store =>
  settings.queue === undefined ? tableOf(settings, tables) : jobsOf(settings)

const tableOf = ({ onDone }: Settings, { tasks }: Tables): Store => ({
  relation: tasks,
  home: `to_regclass(${text(tasks)})`,
  adding: `added AS (
    INSERT INTO ${tasks} (task_id, task) SELECT task_id, task FROM items ORDER BY ord
    ON CONFLICT (task_id) DO NOTHING RETURNING id, task_id::text
  )`,
  has: `EXISTS (SELECT 1 FROM ${tasks} t WHERE t.task_id = i.task_id)`,
  entries: `SELECT id, task_id::text, extract(epoch FROM added_at) * 1000 AS at FROM ${tasks}`,
  readersRemove: onDone === 'delete',
})

/** https://worker.graphile.org/docs/sql-add-job: a job whose key is there is left alone, whoever works on it. */
function jobsOf({ jobs }: Settings): Store {
  const { task = 'owm_task', queueName, maxAttempts, priority } = jobs ?? {}
  const schema = quoted(jobs?.schema ?? 'graphile_worker')
  const parts = [
    ...[text(task), 'i.task', queueName === undefined ? 'NULL' : text(queueName), 'NULL'],
    ...[String(maxAttempts ?? 'NULL'), 'i.task_id::text', String(priority ?? 'NULL'), 'NULL'],
  ]
  const has = `EXISTS (SELECT 1 FROM ${schema}.jobs j WHERE j.key = i.task_id::text)`
  return {
    relation: `${schema}.jobs`,
    // An update of graphile-worker may make its views anew, and even its tables: the schema stays.
    home: `to_regnamespace(${text(schema)})`,
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
      FROM ${schema}.jobs WHERE task_identifier = ${text(task)}
    ) AS j`,
    readersRemove: true,
  }
}

/** A text as SQL has it, whatever standard_conforming_strings says. */
const text = (value: string): string => ` E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
