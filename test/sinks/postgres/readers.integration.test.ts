import { join } from 'node:path'
import { Logger, runOnce } from 'graphile-worker'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { creation, tablesOf } from '../../../src/sinks/postgres/tables.js'
import { owm, owmJson, root } from '../../support/cli.js'
import { startPostgres, type TestDatabase, withJobs } from '../../support/databases.js'
import { folderFor, openSink } from './scene.js'

const slot = '2026-11-23T10:00:00Z'
let server: TestDatabase

beforeAll(async () => {
  server = await startPostgres()
  await withJobs(server)
})
afterAll(() => server?.stop())

/** graphile-worker itself, until no job is left that it may take. */
async function work(does: (task: { task_id: string }) => void): Promise<void> {
  const isTask = (payload: unknown): payload is { task_id: string } =>
    typeof payload === 'object' && payload !== null && 'task_id' in payload
  await runOnce({
    connectionString: server.url,
    concurrency: 2,
    noHandleSignals: true,
    logger: new Logger(() => () => undefined),
    taskList: {
      fetch_weather: (payload) => {
        if (!isTask(payload)) throw new Error('no task')
        does(payload)
      },
    },
  })
}

it('graphile-worker does each job once; owm knows which are waiting, failed and done', async () => {
  const jobs = { queue: 'graphile-worker', jobs: { task: 'fetch_weather', maxAttempts: 1, priority: 3 } }
  const cwd = await folderFor({ url: server.url, ...jobs }, 120)
  const produce = (hour: string) => owmJson<{ sink: Record<string, number> }>(['produce', '--slot', hour], { cwd })
  expect(await produce(slot)).toMatchObject({ code: 0, json: { sink: { delivered: 120 } } })
  const before = await owmJson(['stream', 'inspect'], { cwd })
  expect(before.json).toMatchObject({ entries: 120, groups: [{ name: 'graphile-worker', lag: 120, pending: 0 }] })
  const [{ id: waiting = '' } = {}] = await server.query<{ id: string }>(
    'SELECT min(key) AS id FROM graphile_worker.jobs',
  )
  expect((await owm(['why', waiting], { cwd })).stdout).toContain('graphile-worker: has not read it')
  // Once more, while they are there: nothing is added, nobody's attempts are set back.
  expect((await owm(['outbox', 'replay', '--slot', slot, '--all', '--yes'], { cwd })).code).toBe(0)
  const [held] = await server.query('SELECT count(*)::int AS jobs, max(revision) FROM graphile_worker.jobs')
  expect(held).toEqual({ jobs: 120, max: 0 })

  const done: string[] = []
  await work(({ task_id }) => {
    if (task_id === waiting) throw new Error('no weather today')
    done.push(task_id)
  })
  expect([done.length, new Set(done).size]).toEqual([119, 119])
  expect(await owmJson(['verify', '--slot', slot], { cwd })).toMatchObject({
    code: 0,
    json: { slots: [{ state: 'unproven', there: 1, taken: 119, differences: [] }] },
  })
  const { json } = await owmJson<{ checks: { code: string; verdict: string }[] }>(['doctor'], { cwd })
  expect(json.checks).toContainEqual(expect.objectContaining({ code: 'graphile-failed', verdict: 'wrong' }))
  // What is done is gone, and doesn't come again.
  expect(await produce('2026-11-23T11:00:00Z')).toMatchObject({ code: 0, json: { sink: { delivered: 120 } } })
  await work(({ task_id }) => done.push(task_id))
  expect([done.length, new Set(done).size]).toEqual([239, 239])
})

it('a table: verified, inspected, asked why; its tasks are as workers of a stream read them', async () => {
  const cwd = await folderFor({ url: server.url, table: 'weather.tasks' }, 120)
  expect((await owm(['config', 'check', '--connect'], { cwd })).code).toBe(0)
  expect((await owm(['produce', '--slot', slot], { cwd })).code).toBe(0)
  const rows = await server.query<Record<string, unknown>>('SELECT * FROM weather.tasks ORDER BY id')
  expect(rows).toHaveLength(120)
  expect(rows[0]).toMatchObject({ task: { task_id: rows[0]?.['task_id'], forecast_duration_hours: 72 } })
  expect(await owmJson(['verify'], { cwd })).toMatchObject({
    code: 0,
    json: { slots: [{ state: 'same', there: 120, taken: 0 }] },
  })
  const [receipt] = await server.query('SELECT receipt FROM weather.tasks_receipt')
  expect(receipt).toMatchObject({
    receipt: { delivered: 120, firstEntry: rows[0]?.['id'], lastEntry: rows[119]?.['id'] },
  })
  expect((await owmJson(['stream', 'inspect'], { cwd })).json).toMatchObject({ entries: 120, bound: null, groups: [] })
  expect((await owm(['why', String(rows[7]?.['task_id'])], { cwd })).stdout).toContain(`${rows[7]?.['id']}`)
  await server.query('DELETE FROM weather.tasks WHERE id IN (SELECT id FROM weather.tasks LIMIT 2)')
  const { code, json } = await owmJson<{ slots: object[] }>(['verify'], { cwd })
  expect([code, json.slots]).toMatchObject([75, [{ state: 'different', differences: [{ kind: 'missing', count: 2 }] }]])
  expect(await owmJson(['outbox', 'replay', '--slot', slot, '--yes'], { cwd })).toMatchObject({ code: 0 })
  expect(await owmJson(['verify'], { cwd })).toMatchObject({ code: 0 })
})

it('the SQL in docs/sinks.md makes the tables, for a role that may not', async () => {
  const { readFile } = await import('node:fs/promises')
  const page = await readFile(join(root, 'docs', 'sinks.md'), 'utf8')
  const [, sql = ''] = /<!-- owm's tables -->\n```sql\n([\s\S]*?)```/.exec(page) ?? []
  const spaces = (text: string): string => text.replaceAll(/\s+/g, ' ').replaceAll('"', '')
  for (const statement of creation(tablesOf({ table: 'owm_tasks', schema: undefined })))
    expect(spaces(sql)).toContain(`${spaces(statement)};`)
  const [grants = ''] = /^GRANT [\s\S]*?(?=```)/m.exec(page) ?? []
  await server.query(`CREATE ROLE owm_role LOGIN PASSWORD 'x'; CREATE SCHEMA of_dba; SET search_path = of_dba; ${sql};
    GRANT USAGE ON SCHEMA of_dba TO owm_role; ${grants.replaceAll('TO owm;', 'TO owm_role;')}; RESET search_path`)
  const url = `postgres://owm_role:x@127.0.0.1:${server.port}/postgres`
  await (await openSink({ url, schema: 'of_dba', table: 'owm_tasks' })).check?.()
})

it.each([
  ['unseen', ''],
  ['unchanged', 'CREATE POLICY seen ON unchanged_fence FOR SELECT USING (true);'],
])('row-level security that leaves its rows of the fence %s is told as such', async (table, policy) => {
  const sql = creation(tablesOf({ table, schema: undefined })).join(';')
  await server.query(`CREATE ROLE of_${table} LOGIN PASSWORD 'x'; ${sql};
    GRANT ALL ON ALL TABLES IN SCHEMA public TO of_${table}; ALTER TABLE ${table}_fence ENABLE ROW LEVEL SECURITY;
    CREATE POLICY added ON ${table}_fence FOR INSERT WITH CHECK (true); ${policy}`)
  const url = `postgres://of_${table}:x@127.0.0.1:${server.port}/postgres`
  const sink = await openSink({ url, table })
  await expect(sink.attach?.({ outboxId: 'one', epoch: 1, word: 'w' }, 'sink')).rejects.toMatchObject({
    name: 'ConfigurationError',
    message: expect.stringContaining(`${table}_fence`),
    hint: expect.stringContaining('Row-level security'),
  })
})
