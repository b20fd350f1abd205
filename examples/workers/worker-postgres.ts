/**
 * A worker: takes tasks from owm's table in PostgreSQL, does each once, and says when an hour is whole.
 *
 *     node worker-postgres.ts [--table NAME] [--concurrency N] [--pipeline NAME] [--once]
 *                                                            (Node 22 or newer; else `npx tsx worker-postgres.ts`)
 *
 * Needs pg, the table that owm's first run makes, and `onDone: delete` in its sink. DATABASE_URL names the database,
 * WEATHER_URL the API. --pipeline reports that pipeline's whole slots, --once ends when all tasks are done or dead.
 * SIGTERM ends it after the tasks at hand.
 *
 * An attempt is counted first, in a transaction of its own, and the task put off as if it had failed: so a task that
 * kills its worker ends up dead as well, and holds up no other. Then a transaction locks it while it is done, however
 * long that takes. At its end the row is gone and its task_id is remembered, both or neither.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Pool, type PoolClient } from 'pg'

interface Task {
  task_id: string
  latitude_deg: number
  longitude_deg: number
  city: string
}

interface Row {
  id: string
  task: Task
  attempts: number
}

const { values: options } = parseArgs({
  options: {
    table: { type: 'string', default: 'owm_tasks' },
    concurrency: { type: 'string', default: '4' },
    pipeline: { type: 'string' },
    once: { type: 'boolean', default: false },
  },
})
const { table, pipeline } = options
const concurrency = Number(options.concurrency)
const api = process.env['WEATHER_URL']

/** After this many attempts a task is dead. */
const mostAttempts = 5
/** The wait before the second attempt; it doubles each time, up to 5 minutes. */
const retryMs = 1_000
const longestRetryMs = 300_000
/** A worker that holds a task for longer has died, or its machine has: this must exceed the time of any task. */
const silentMs = 60_000
/** A task that comes again within this time is skipped. */
const remembered = '2 days'
const idleMs = 1_000
const reportMs = 10_000
const hourMs = 3_600_000

const setup = `
  SELECT pg_advisory_xact_lock(hashtext('${table}'));
  ALTER TABLE ${table}
    ADD COLUMN IF NOT EXISTS attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS due_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS error text,
    ADD COLUMN IF NOT EXISTS dead_at timestamptz;
  CREATE TABLE IF NOT EXISTS ${table}_done (
    task_id uuid PRIMARY KEY,
    done_at timestamptz NOT NULL DEFAULT now()
  )`
const isThere = `SELECT 1 WHERE to_regclass('${table}') IS NOT NULL`
const isSetUp = `SELECT 1 FROM pg_attribute WHERE attrelid = '${table}'::regclass AND attname = 'dead_at'`
/** When the next attempt is due, after this many. */
const dueAfter = (attempts: string): string => `clock_timestamp() + interval '1 ms' * (0.5 + random() / 2)
  * least(${longestRetryMs}, ${retryMs} * 2 ^ (${attempts} - 1))`
const takeNext = `
  UPDATE ${table} SET attempts = attempts + 1, due_at = ${dueAfter('attempts + 1')} WHERE id = (
    SELECT id FROM ${table} WHERE dead_at IS NULL AND due_at <= now() ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
  ) RETURNING id, task, attempts`
/** No row if another worker has counted an attempt since. */
const lock = `SELECT 1 FROM ${table} WHERE id = $1 AND attempts = $2 FOR UPDATE`
const remember = `INSERT INTO ${table}_done (task_id) VALUES ($1) ON CONFLICT DO NOTHING`
const remove = `DELETE FROM ${table} WHERE id = $1`
const putOff = `
  UPDATE ${table} SET error = $2, due_at = ${dueAfter('attempts')},
    dead_at = CASE WHEN attempts >= ${mostAttempts} THEN now() END
  WHERE id = $1`
const anyLeft = `SELECT 1 FROM ${table} WHERE dead_at IS NULL LIMIT 1`
const forget = `DELETE FROM ${table}_done WHERE done_at < now() - interval '${remembered}'`
/** The slots whose tasks are done: all shards have a receipt, and none of their tasks is left, not even a dead one. */
const wholeSlots = `
  SELECT to_char(slot AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS slot FROM ${table}_receipt r
  WHERE pipeline = $1 GROUP BY r.slot, shards
  HAVING count(*) = shards AND bool_and(NOT EXISTS (SELECT 1 FROM ${table}
    WHERE id BETWEEN (receipt ->> 'firstEntry')::bigint AND (receipt ->> 'lastEntry')::bigint))
  ORDER BY r.slot`

const stop = new AbortController()
const pool = new Pool({
  connectionString: process.env['DATABASE_URL'] ?? 'postgres://127.0.0.1/owm',
  max: concurrency + 1,
  idle_in_transaction_session_timeout: silentMs,
})

/**
 * Here: ask the weather API, and store what it says. If you store it in this database, pass on `client`: what it writes
 * is there once the task is done, or not at all. An error leaves the task to the next attempt.
 */
async function fetchWeather({ task_id, city, latitude_deg, longitude_deg }: Task): Promise<void> {
  if (api !== undefined) {
    const place = `?latitude=${latitude_deg}&longitude=${longitude_deg}&hourly=temperature_2m`
    const answer = await fetch(api + place, { signal: AbortSignal.timeout(silentMs / 2) })
    const said = await answer.text()
    if (!answer.ok) throw new Error(`${answer.status} ${said.slice(0, 200)}`)
  }
  console.log('did', task_id, city)
}

/** Does the next task that is due and that no other worker has. Returns false if there is none. */
async function workOne(client: PoolClient): Promise<boolean> {
  const [row] = (await client.query<Row>(takeNext)).rows
  if (!row) return false
  await client.query('BEGIN')
  if ((await client.query(lock, [row.id, row.attempts])).rowCount === 1) await work(row, client)
  await client.query('COMMIT')
  return true
}

async function work({ id, task, attempts }: Row, client: PoolClient): Promise<void> {
  await client.query('SAVEPOINT task')
  try {
    // It may come again: owm delivers again what a restored database has lost.
    const isNew = (await client.query(remember, [task.task_id])).rowCount === 1
    if (isNew && attempts > mostAttempts) throw new Error('each worker that tried it died')
    if (isNew) await fetchWeather(task)
    await client.query(remove, [id])
  } catch (error) {
    // If the connection is gone this fails, too, and the worker ends.
    await client.query('ROLLBACK TO task')
    await client.query(putOff, [id, String(error)])
    console.error(attempts >= mostAttempts ? 'dead' : 'failed', task.task_id, error)
  }
}

async function workOn(): Promise<void> {
  const client = await pool.connect()
  while (!stop.signal.aborted) {
    if (await workOne(client)) continue
    if (options.once && (await client.query(anyLeft)).rowCount === 0) break
    await idle()
  }
  client.release()
}

const idle = (): Promise<void> => sleep(idleMs, undefined, { signal: stop.signal }).catch(() => undefined)

const reported = new Set<string>()
async function reportWhole(): Promise<void> {
  for (const { slot } of (await pool.query<{ slot: string }>(wholeSlots, [pipeline])).rows) {
    if (!reported.has(slot)) console.log('whole', slot)
    reported.add(slot)
  }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
if ((await pool.query(isThere)).rowCount === 0) {
  console.error(`There is no table ${table}: run \`owm produce\` first, or name the table with --table.`)
  process.exit(1)
}
if ((await pool.query(isSetUp)).rowCount === 0) await pool.query(setup)
const forgetting = setInterval(() => pool.query(forget), hourMs)
const reporting = pipeline === undefined ? undefined : setInterval(reportWhole, reportMs)
await Promise.all(Array.from({ length: concurrency }, workOn))
clearInterval(forgetting)
clearInterval(reporting)
if (pipeline !== undefined) await reportWhole()
await pool.end()
