/**
 * owm's tables, that of the tasks and three beside it, all in one database, so that one transaction changes them all:
 *
 *     TABLE            a row for each task, under a rising id; its task_id is unique
 *     TABLE_sink       one row: the id of this sink; its generation, which rises when the tasks turn out to be gone;
 *                      and which tables these are (their oids)
 *     TABLE_fence      a row for each outbox: who attached last (epoch, word); the last task taken (seq, task_id,
 *                      run_id; null until it is placed); under whose word and in which generation it was placed;
 *                      and each run's first and last entry, until its receipt is written
 *     TABLE_receipt    a row for each pipeline, slot and shard
 *
 * A trigger raises the generation at a TRUNCATE: to delete rows is the workers' business, but to empty the table is a
 * loss. docs/sinks.md has the same SQL for DBAs; a test compares them.
 */
import type { Query } from './connection.js'
import type { Settings } from './options.js'

export interface Tables {
  /** As it is configured, for messages. */
  readonly name: string
  /** Quoted, with their schema where one is named. */
  readonly tasks: string
  readonly sink: string
  readonly fence: string
  readonly receipt: string
  readonly truncated: string
  /** Undefined for the first schema of the search path. */
  readonly schema: string | undefined
}

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

export function tablesOf({ table, schema }: Pick<Settings, 'table' | 'schema'>): Tables {
  const dot = schema === undefined ? table.indexOf('.') : -1
  const [space, name] = dot < 0 ? [schema, table] : [table.slice(0, dot), table.slice(dot + 1)]
  const nameWith = (suffix: string): string =>
    `${space === undefined ? '' : `${quoted(space)}.`}${quoted(`${name}${suffix}`)}`
  return {
    name: space === undefined ? name : `${space}.${name}`,
    tasks: nameWith(''),
    sink: nameWith('_sink'),
    fence: nameWith('_fence'),
    receipt: nameWith('_receipt'),
    truncated: nameWith('_truncated'),
    schema: space,
  }
}

const tasksSql = ({ tasks }: Tables): string => `CREATE TABLE ${tasks} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task_id uuid NOT NULL UNIQUE,
  task json NOT NULL,
  added_at timestamptz NOT NULL DEFAULT now()
)`

const sinkSql = ({ sink }: Tables): string => `CREATE TABLE ${sink} (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  id text NOT NULL,
  generation bigint NOT NULL,
  tasks_oid oid NOT NULL,
  own_oid oid NOT NULL
)`

const fenceSql = ({ fence }: Tables): string => `CREATE TABLE ${fence} (
  outbox_id text PRIMARY KEY,
  epoch bigint NOT NULL,
  word text NOT NULL,
  seq bigint,
  task_id text,
  run_id text,
  placed_by text,
  generation bigint,
  entries jsonb NOT NULL DEFAULT '{}'
)`

const receiptSql = ({ receipt }: Tables): string => `CREATE TABLE ${receipt} (
  pipeline text NOT NULL,
  slot timestamptz NOT NULL,
  shard integer NOT NULL,
  shards integer NOT NULL,
  receipt json NOT NULL,
  PRIMARY KEY (pipeline, slot, shards, shard)
)`

const triggerSql = ({ tasks, truncated }: Tables): readonly string[] => [
  `CREATE OR REPLACE FUNCTION ${truncated}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('UPDATE %I.%I SET generation = generation + 1', TG_TABLE_SCHEMA, TG_TABLE_NAME || '_sink');
  RETURN NULL;
END $$`,
  `CREATE TRIGGER owm_truncated BEFORE TRUNCATE ON ${tasks} FOR EACH STATEMENT EXECUTE FUNCTION ${truncated}()`,
]

/** Table -> the statement that makes it, in this order. */
const statementsOf = (tables: Tables): ReadonlyMap<string, string> =>
  new Map([
    [tables.tasks, tasksSql(tables)],
    [tables.sink, sinkSql(tables)],
    [tables.fence, fenceSql(tables)],
    [tables.receipt, receiptSql(tables)],
  ])

/** All statements, as a DBA runs them. */
export const creation = (tables: Tables): readonly string[] => [...statementsOf(tables).values(), ...triggerSql(tables)]

/** Makes the missing tables; without `withTasks`, only those beside the tasks' one. Throws if this role may not. */
export async function makeTables(query: Query, tables: Tables, withTasks: boolean): Promise<void> {
  const { schema, tasks } = tables
  const statements = statementsOf(tables)
  const missing = async (): Promise<Set<string>> => {
    const names = [...statements.keys()].filter((name) => withTasks || name !== tasks)
    const rows = await query('SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL', [names])
    return new Set(rows.map(({ name }) => String(name)))
  }
  if ((await missing()).size === 0) return
  // Another owm may be making them.
  await query('SELECT pg_advisory_xact_lock(hashtext($1))', [`owm ${tasks}`])
  const lacking = await missing()
  if (schema !== undefined) {
    const [existing] = await query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema])
    if (!existing) await query(`CREATE SCHEMA ${quoted(schema)}`)
  }
  for (const [table, sql] of statements) if (lacking.has(table)) await query(sql)
  if (lacking.has(tasks)) for (const sql of triggerSql(tables)) await query(sql)
}
