/** Faults of PostgreSQL and of the tables, each made for real. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { owm } from '../support/cli.js'
import { startPostgres, type TestDatabase, withJobs } from '../support/databases.js'
import { at, doctor, expectFound, folderOf, healthy } from './scene.js'

let server: TestDatabase

beforeAll(async () => {
  server = await startPostgres({ max_connections: '12', superuser_reserved_connections: '3', fsync: 'on' })
  await server.query("CREATE ROLE poor LOGIN PASSWORD 'poor'")
  await server.query("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
})
afterAll(() => server?.stop())

const folderFor = (sink: object, more: object = {}): Promise<string> =>
  folderOf({ ...healthy, sink: { use: 'postgres', url: server.url, ...sink }, retry: { attempts: 1 }, ...more })

const poor = (): string => `postgres://poor:poor@127.0.0.1:${server.port}/postgres`

it('nothing is wrong, before the first delivery and behind it', async () => {
  const cwd = await folderFor({})
  const before = await doctor(cwd)
  expectFound(before, 0)
  expect(before.stdout).toContain('the first run makes them')
  expect(before.stdout).toContain('the tables are not there yet')
  expect(before.stdout).not.toContain('could not be asked')
  expect((await owm(['produce'], { cwd })).code).toBe(0)
  expectFound(await doctor(cwd), 0)
})

it('nobody answers, and the password would go there without TLS; the password is wrong', async () => {
  const far = { url: 'postgres://owm:x@192.0.2.1/x', connectTimeoutMs: 200 }
  expectFound(await doctor(await folderFor(far)), 75, 'postgres-reachable', 'postgres-tls')
  const url = server.url.replace(server.password, 'not-this-one')
  expectFound(await doctor(await folderFor({ url })), 78, 'postgres-refused')
})

it('another clock, a crash would take back commits, no room for all letters', async () => {
  const url = `${server.url.replace(/postgres$/, 'latin')}`
  await server.query('ALTER DATABASE latin SET synchronous_commit = off')
  const cwd = await folderFor({ url })
  const ran = await doctor(cwd, [], at(new Date(Date.now() + 120_000).toISOString()))
  expectFound(ran, 78, 'postgres-clock', 'postgres-durability', 'postgres-encoding')
})

it('a role that may neither make tables nor write to them, and can only read', async () => {
  const table = { url: poor(), table: 'doctor_a' }
  expectFound(await doctor(await folderFor(table)), 78, 'postgres-tables')
  await owm(['produce'], { cwd: await folderFor({ table: 'doctor_a' }) })
  await server.query('GRANT SELECT ON doctor_a, doctor_a_sink, doctor_a_fence, doctor_a_receipt TO poor')
  await server.query('ALTER ROLE poor SET default_transaction_read_only = on')
  const ran = await doctor(await folderFor(table))
  await server.query('ALTER ROLE poor RESET default_transaction_read_only')
  expectFound(ran, 78, 'postgres-primary', 'postgres-rights', 'postgres-fences')
  expect(ran.stdout).toContain('INSERT on \\"doctor_a\\"')
  const ofIds = /"code": ?"postgres-ids",\s*"verdict": ?"(\w+)"/
  expect(ofIds.exec(ran.stdout)?.[1]).toBe('unknown')
  await server.query('GRANT SELECT ON SEQUENCE doctor_a_id_seq TO poor')
  expect(ofIds.exec((await doctor(await folderFor(table))).stdout)?.[1]).toBe('fine')
})

it('tables that somebody changed; a TRUNCATE that nobody would notice', async () => {
  const cwd = await folderFor({ table: 'doctor_b' })
  await owm(['produce'], { cwd })
  await server.query('DROP TRIGGER owm_truncated ON doctor_b')
  expectFound(await doctor(cwd), 0, 'postgres-truncate')
  await server.query('ALTER TABLE doctor_b DROP CONSTRAINT doctor_b_task_id_key')
  expectFound(await doctor(cwd), 78, 'postgres-tables', 'postgres-truncate')
})

it('ids that come again, and a column of another type', async () => {
  const cwd = await folderFor({ table: 'doctor_e' })
  await owm(['produce'], { cwd })
  const next = (sql: string): Promise<unknown> => server.query(`SELECT setval('doctor_e_id_seq', ${sql}) FROM doctor_e`)
  for (const ahead of ['max(id)', 'max(id) + 1, false']) {
    await next(ahead)
    expectFound(await doctor(cwd), 0)
  }
  for (const behind of ['max(id), false', '1, false']) {
    await next(behind)
    expectFound(await doctor(cwd), 78, 'postgres-ids')
  }
  await server.query('ALTER SEQUENCE doctor_e_id_seq MAXVALUE 1000')
  await server.query("SELECT setval('doctor_e_id_seq', 1000)")
  const over = await doctor(cwd)
  expectFound(over, 78, 'postgres-ids')
  expect(over.stdout).toMatch(/is at its end.*NO MAXVALUE/s)
  await server.query('ALTER SEQUENCE doctor_e_id_seq NO MAXVALUE')
  await next('1, false')
  await server.query('ALTER TABLE doctor_e ALTER COLUMN task_id TYPE text')
  const ran = await doctor(cwd)
  expectFound(ran, 78, 'postgres-ids', 'postgres-tables')
  expect(ran.stdout).toContain('compare them with the SQL')
  expect(ran.stdout).not.toContain('graphile-worker 0.16')
})

it('a table that a crash of the server would empty', async () => {
  const cwd = await folderFor({ table: 'doctor_c' })
  await owm(['produce'], { cwd })
  await server.query('ALTER TABLE doctor_c SET UNLOGGED')
  expectFound(await doctor(cwd), 78, 'postgres-permanent')
})

it('jobs: no graphile-worker, row level security in the way, jobs that failed for good', async () => {
  const jobs = { queue: 'graphile-worker', table: 'doctor_jobs' }
  expectFound(await doctor(await folderFor(jobs)), 78, 'graphile-worker')
  await withJobs(server)
  const cwd = await folderFor(jobs)
  await owm(['produce'], { cwd })
  expectFound(await doctor(cwd), 0)
  await server.query('UPDATE graphile_worker._private_jobs SET attempts = max_attempts WHERE id < 3')
  expectFound(await doctor(cwd), 75, 'graphile-failed')
  await server.query('GRANT USAGE ON SCHEMA graphile_worker TO poor')
  await server.query('GRANT ALL ON ALL TABLES IN SCHEMA graphile_worker, public TO poor')
  expectFound(await doctor(await folderFor({ ...jobs, url: poor() })), 78, 'graphile-worker', 'graphile-failed')
})

it('nearly all connections are in use', async () => {
  const { default: pg } = await import('pg')
  const clients = Array.from({ length: 8 }, () => new pg.Client({ connectionString: server.url }))
  await Promise.all(clients.map((client) => client.connect()))
  const ran = await doctor(await folderFor({ table: 'doctor_a' }))
  await Promise.all(clients.map((client) => client.end()))
  expectFound(ran, 75, 'postgres-connections', 'postgres-fences')
})
