/** Where the tasks go: the tables, what this role may do with them, who else writes there. */
import { sqlStateOf } from '../../../databases/failures.js'
import { withHint } from '../../../errors/index.js'
import { compact } from '../../../lists.js'
import type { Diagnosis, Patient } from '../../../plugin.js'
import { plural } from '../../../words.js'
import { isMissing, moreIdsHint, setvalSql } from '../errors.js'
import { addSql, newestIn } from '../statements/add.js'
import { nonPermanentSql, relationsOf } from '../statements/permanent.js'
import { type Examined, judged, unknown } from './verdict.js'

export async function placeChecks(parts: Examined, patient: Patient): Promise<Diagnosis[]> {
  const isTable = parts.settings.queue === undefined
  const ofJobs = isTable ? [] : await jobsChecks(parts)
  if (ofJobs.some(({ verdict }) => verdict === 'wrong')) return ofJobs
  const missing = await missingIn(parts)
  if (missing !== undefined) return [missing, ...ofJobs]
  const tables = await tablesChecks(parts)
  // A missing right is reported already.
  const isReported = tables.some(({ verdict }) => verdict === 'wrong')
  const others = compact(
    isTable && truncateCheck(parts),
    isTable && idsCheck(parts),
    permanentCheck(parts),
    fencesCheck(parts, patient),
  )
  const asked = await Promise.allSettled(others)
  const more = asked.flatMap((one) => {
    if (one.status === 'rejected' && !isReported) throw one.reason
    return one.status === 'fulfilled' ? [one.value] : []
  })
  return [...tables, ...ofJobs, ...more]
}

/** The privileges that owm needs on each table. */
const rightsOn = {
  tasks: ['SELECT', 'INSERT'],
  sink: ['SELECT', 'INSERT', 'UPDATE'],
  fence: ['SELECT', 'INSERT', 'UPDATE'],
  receipt: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
} as const

const kindsOf = ({ settings }: Examined) =>
  (['tasks', 'sink', 'fence', 'receipt'] as const).filter((kind) => kind !== 'tasks' || settings.queue === undefined)

/** Whether the first run can create the tables that are missing; undefined if none is. */
async function missingIn(parts: Examined): Promise<Diagnosis | undefined> {
  const { connection, tables } = parts
  const [row] = await connection.read(
    `SELECT array_agg(name) AS names, (
       SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = coalesce($2, current_schema())
     ) AS may, has_database_privilege(current_database(), 'CREATE') AS may_make_schema
     FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL`,
    [kindsOf(parts).map((kind) => tables[kind]), tables.schema ?? null],
  )
  if (!Array.isArray(row?.['names'])) return undefined
  const what = `not there yet: ${row['names'].join(', ')}`
  const may = row['may'] ?? row['may_make_schema']
  const then = may === true ? 'the first run makes them' : "this role may not CREATE in the schema, or there isn't one"
  return judged('postgres-tables', may !== true, `${what}; ${then}`)
}

/** Plans a delivery's statement without running it: PostgreSQL then checks columns, indexes and rights. */
async function tablesChecks(parts: Examined): Promise<Diagnosis[]> {
  const { connection, tables, store } = parts
  const wanted = kindsOf(parts).flatMap((kind) => rightsOn[kind].map((right) => ({ name: tables[kind], right })))
  const rows = await connection.read(
    `SELECT name, kind, has_table_privilege(to_regclass(name), kind) AS may
     FROM unnest($1::text[], $2::text[]) AS wanted (name, kind)`,
    [wanted.map(({ name }) => name), wanted.map(({ right }) => right)],
  )
  const lacking = rows.filter(({ may }) => may !== true).map(({ name, kind }) => `${kind} on ${name}`)
  const rights = judged('postgres-rights', lacking.length > 0, lacking.length > 0 ? lacking.join(', ') : 'it has them')
  if (lacking.length > 0) return [rights, judged('postgres-tables', false, 'they are there')]
  try {
    await connection.plan(addSql(tables, store), 10)
    return [rights, judged('postgres-tables', false, 'they are there')]
  } catch (error) {
    return sqlStateOf(error) === '42501'
      ? [judged('postgres-rights', true, withHint(error)), judged('postgres-tables', false, 'they are there')]
      : [rights, judged('postgres-tables', true, withHint(error), 'Do what the line says; then `owm flush`.')]
  }
}

async function truncateCheck({ connection, tables }: Examined): Promise<Diagnosis> {
  // Bit 5 of tgtype: TRUNCATE.
  const sql = `SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgtype & 32 <> 0 AND tgenabled <> 'D'`
  const [trigger] = await connection.read(sql, [tables.tasks])
  return judged('postgres-truncate', !trigger, trigger ? 'the trigger is there' : `${tables.tasks} has no such trigger`)
}

async function idsCheck({ connection, tables: { tasks } }: Examined): Promise<Diagnosis> {
  const [sequence] = await connection.read(
    "SELECT name, has_sequence_privilege(name, 'SELECT') AS may FROM pg_get_serial_sequence($1, 'id') AS name",
    [tasks],
  )
  if (typeof sequence?.['name'] !== 'string') return judged('postgres-ids', false, 'they are not of a sequence')
  if (sequence['may'] !== true)
    return unknown('postgres-ids', `this role may not look: it lacks SELECT on the sequence ${sequence['name']}`)
  const [row] = await connection.read(
    `SELECT next, newest, next > seqmax AS is_over FROM pg_sequence, (
       SELECT last_value::numeric + is_called::int AS next, (${newestIn(tasks)}) AS newest FROM ${sequence['name']}
     ) AS at WHERE seqrelid = $1::regclass AND (next <= newest OR next > seqmax)`,
    [sequence['name']],
  )
  if (row?.['is_over'] === true)
    return judged('postgres-ids', true, `the sequence ${sequence['name']} is at its end`, moreIdsHint)
  const found = row
    ? `${tasks} has a row ${row['newest']}, its sequence gives ${row['next']} next`
    : 'it is ahead of them'
  return judged(
    'postgres-ids',
    row !== undefined,
    found,
    `Let the table's owner run: ${setvalSql(tasks)}; then \`owm flush\`.`,
  )
}

async function permanentCheck(parts: Examined): Promise<Diagnosis> {
  const rows = await parts.connection.read(nonPermanentSql, [relationsOf(parts)])
  const names = rows.map(({ name }) => name).join(', ')
  return judged('postgres-permanent', names !== '', names === '' ? 'it does' : `a crash empties ${names}`)
}

async function fencesCheck({ connection, tables }: Examined, { outboxId, outboxes = 1 }: Patient): Promise<Diagnosis> {
  const [row] = await connection.read(
    `SELECT count(*) AS others FROM ${tables.fence} WHERE seq > 0 AND outbox_id IS DISTINCT FROM $1`,
    [outboxId ?? null],
  )
  const others = Number(row?.['others'] ?? 0)
  return judged(
    'postgres-fences',
    others > outboxes - 1,
    others === 0 ? 'none' : `${plural(others, 'outbox', 'outboxes')} more`,
  )
}

async function jobsChecks({ connection, settings, store }: Examined): Promise<Diagnosis[]> {
  const task = settings.jobs?.task ?? 'owm_task'
  try {
    const [row] = await connection.read(
      `SELECT
         (SELECT bool_or(row_security_active(oid)) FROM pg_class WHERE relnamespace = ${store.home} AND relkind = 'r')
           AS is_kept_out,
         (SELECT count(*) FROM ${store.relation}
           WHERE task_identifier = $1 AND attempts >= max_attempts AND locked_at IS NULL) AS failed`,
      [task],
    )
    const failed = Number(row?.['failed'] ?? 0)
    const isKeptOut = row?.['is_kept_out'] === true
    const state = isKeptOut ? 'row level security keeps this role out' : 'it is set up'
    return [
      judged('graphile-worker', isKeptOut, state),
      judged('graphile-failed', failed > 0, failed > 0 ? `${plural(failed, 'job')} of ${task}` : 'none'),
    ]
  } catch (error) {
    const text = isMissing(error) ? `there is no schema ${settings.jobs?.schema ?? 'graphile_worker'}` : withHint(error)
    return [judged('graphile-worker', true, text)]
  }
}
