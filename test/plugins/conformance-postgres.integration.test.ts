/**
 * The suite of all sinks, for a table of PostgreSQL and for graphile-worker's jobs. The long form has all of it; else
 * the table is killed at one step only.
 */
import { afterAll, beforeAll, describe, test } from 'vitest'
import { type Check, type Fault, sinkChecks } from '../../src/plugins/conformance/index.js'
import postgres from '../../src/sinks/postgres/index.js'
import { quoted } from '../../src/sinks/postgres/tables.js'
import { isLong } from '../support/conditions.js'
import { startPostgres, type TestDatabase, withJobs } from '../support/databases.js'

let server: TestDatabase

beforeAll(async () => {
  server = await startPostgres()
  await withJobs(server)
})
afterAll(() => server?.stop())

/** Rows of these tables; the function brings them back, and nothing else. */
async function snapshotOf(tables: readonly string[]): Promise<() => Promise<void>> {
  await server.query('CREATE SCHEMA IF NOT EXISTS kept')
  const there: string[] = []
  for (const [index, table] of tables.entries()) {
    const copy = `kept.t${copies}_${index}`
    const [found] = await server.query(`SELECT 1 FROM pg_class WHERE oid = to_regclass('${table}')`)
    if (!found) continue
    await server.query(`CREATE TABLE ${copy} AS SELECT * FROM ${table}`)
    there.push(table)
  }
  const number = copies++
  return async () => {
    for (const [index, table] of tables.entries()) {
      await server.query(`DELETE FROM ${table}`)
      if (!there.includes(table)) continue
      const columns = await server.query<{ name: string }>(
        `SELECT attname AS name FROM pg_attribute
         WHERE attrelid = '${table}'::regclass AND attnum > 0 AND attgenerated = ''`,
      )
      const names = columns.map(({ name }) => `"${name}"`).join(', ')
      await server.query(
        `INSERT INTO ${table} (${names}) OVERRIDING SYSTEM VALUE SELECT ${names} FROM kept.t${number}_${index}`,
      )
    }
  }
}
let copies = 0

/** Each new row of a table fails as it would on a full disk. */
const fullDisk = (table: string): Fault => ({
  name: "the server's disk is full",
  async begin() {
    await server.query(`CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$`)
    await server.query(`CREATE TRIGGER full_disk BEFORE INSERT ON ${table} EXECUTE FUNCTION fail()`)
    return () => server.query(`DROP TRIGGER full_disk ON ${table}`)
  },
})

function checksOf(options: Record<string, unknown>, tasks: string, text: string): Check[] {
  const beside = ['sink', 'fence', 'receipt'].map((name) => quoted(`${options['table']}_${name}`))
  return sinkChecks({
    plugin: postgres,
    options: { ...options, url: server?.url ?? 'postgres://localhost/postgres' },
    arrived: async () => {
      const rows = await server.query<{ text: string }>(`SELECT ${text} AS text FROM ${tasks} ORDER BY id`)
      return rows.map((row) => row.text)
    },
    snapshot: () => snapshotOf([tasks, ...beside]),
    faults: [fullDisk(tasks)],
  })
}

const isQuick = ({ name }: Check): boolean =>
  !/is killed at|copy|interrupted/.test(name) || name.includes('batch:answered')

/** The server is only known inside of a test. */
function suite(name: string, checks: () => Check[], isWanted: (check: Check) => boolean): void {
  describe(name, () => {
    for (const [index, check] of checks().entries())
      if (isLong || isWanted(check)) test(check.name, () => checks()[index]?.run())
  })
}

suite(
  'a table',
  () => checksOf({ table: 'Weather "tasks"', schema: 'public' }, '"Weather ""tasks"""', 'task::text'),
  isQuick,
)
suite(
  'jobs of graphile-worker',
  () => checksOf({ table: 'owm_jobs', queue: 'graphile-worker' }, 'graphile_worker._private_jobs', 'payload::text'),
  (check) => isQuick(check) && !/killed|lost/.test(check.name),
)
