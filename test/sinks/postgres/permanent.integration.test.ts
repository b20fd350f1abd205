/** UNLOGGED tables, which a crash of the server empties: owm keeps off them, and what they lost comes again. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { creation, tablesOf } from '../../../src/sinks/postgres/tables.js'
import { owm } from '../../support/cli.js'
import { startPostgres, type TestDatabase, withJobs } from '../../support/databases.js'
import { folderFor } from './scene.js'

const slot = '2026-11-23T10:00:00Z'
let server: TestDatabase

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

const produce = async (cwd: string): Promise<number | null> => (await owm(['produce', '--slot', slot], { cwd })).code

async function rowsOf(name: string): Promise<number> {
  const [row] = await server.query<{ rows: string }>(`SELECT count(*) AS rows FROM ${name}`)
  return Number(row?.rows)
}

/** What a run, a check and the doctor say of it. */
async function expectRefused(cwd: string, name: string): Promise<void> {
  for (const command of [
    ['produce', '--slot', slot],
    ['config', 'check', '--connect'],
  ]) {
    const { code, stdout, stderr } = await owm(command, { cwd })
    expect([command, code, stdout + stderr]).toEqual([command, 78, expect.stringContaining(`ALTER TABLE ${name} SET`)])
  }
  const { code, stdout } = await owm(['doctor'], { cwd })
  expect([code, stdout]).toEqual([78, expect.stringContaining(`a crash empties ${name}`)])
}

it('UNLOGGED since its tasks were delivered, and emptied by a crash: SET LOGGED brings them again', async () => {
  const cwd = await folderFor({ url: server.url, table: 'lost' })
  expect(await produce(cwd)).toBe(0)
  await server.query('ALTER TABLE lost SET UNLOGGED')
  await expectRefused(cwd, 'lost')
  await server.query('CHECKPOINT')
  await server.restart()
  expect(await rowsOf('lost')).toBe(0)
  await expectRefused(cwd, 'lost')
  await server.query('ALTER TABLE lost SET LOGGED')
  expect((await owm(['flush'], { cwd })).code).toBe(0)
  expect(await rowsOf('lost')).toBe(300)
})

it('where no crash came, or workers have done all: SET LOGGED, and nothing comes again', async () => {
  const [kept, done] = [{ table: 'kept' }, { table: 'done', onDone: 'delete' }]
  for (const sink of [kept, done]) {
    const cwd = await folderFor({ url: server.url, ...sink })
    expect(await produce(cwd)).toBe(0)
    await server.query(`DELETE FROM ${sink.table} WHERE ${sink === done} OR id < 100`)
    const before = await rowsOf(sink.table)
    await server.query(`ALTER TABLE ${sink.table} SET UNLOGGED`)
    await expectRefused(cwd, sink.table)
    await server.query(`ALTER TABLE ${sink.table} SET LOGGED`)
    expect((await owm(['flush'], { cwd })).code).toBe(0)
    expect(await rowsOf(sink.table)).toBe(before)
  }
})

describe('UNLOGGED is', () => {
  it.each(['', '_sink', '_fence', '_receipt'])('the table TABLE%s', async (suffix) => {
    const table = `one_of${suffix.length}`
    for (const sql of creation(tablesOf({ table, schema: undefined }))) await server.query(sql)
    await server.query(`ALTER TABLE ${table}${suffix} SET UNLOGGED`)
    await expectRefused(await folderFor({ url: server.url, table }), `${table}${suffix}`)
  })

  it('a partition, while the table is none', async () => {
    for (const sql of creation(tablesOf({ table: 'whole', schema: undefined })).slice(1, 4)) await server.query(sql)
    for (const sql of [
      `CREATE TABLE whole (id bigserial, task_id uuid NOT NULL UNIQUE, task json NOT NULL,
         added_at timestamptz NOT NULL DEFAULT now()) PARTITION BY HASH (task_id)`,
      'CREATE TABLE half PARTITION OF whole FOR VALUES WITH (MODULUS 2, REMAINDER 0)',
      'CREATE TABLE other PARTITION OF whole FOR VALUES WITH (MODULUS 2, REMAINDER 1)',
    ])
      await server.query(sql)
    const cwd = await folderFor({ url: server.url, table: 'whole' })
    expect(await produce(cwd)).toBe(0)
    await server.query('ALTER TABLE other SET UNLOGGED')
    await expectRefused(cwd, 'other')
  })

  it('the table that a view shows', async () => {
    for (const sql of creation(tablesOf({ table: 'seen', schema: undefined }))) await server.query(sql)
    await server.query('ALTER TABLE seen RENAME TO hidden')
    await server.query('CREATE VIEW seen AS SELECT * FROM hidden')
    const cwd = await folderFor({ url: server.url, table: 'seen' })
    expect(await produce(cwd)).toBe(0)
    await server.query('ALTER TABLE hidden SET UNLOGGED')
    await expectRefused(cwd, 'hidden')
  })

  it("graphile-worker's table of jobs", async () => {
    await withJobs(server)
    const cwd = await folderFor({ url: server.url, table: 'jobs', queue: 'graphile-worker' })
    expect(await produce(cwd)).toBe(0)
    await server.query('ALTER TABLE graphile_worker._private_jobs SET UNLOGGED')
    await expectRefused(cwd, 'graphile_worker._private_jobs')
  })
})
