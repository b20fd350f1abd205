/** What becomes of the promise where connections break, tables are emptied, replaced or restored, others attach. */
import { execFile } from 'node:child_process'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { creation, tablesOf } from '../../../src/sinks/postgres/tables.js'
import { owm, owmJson, until } from '../../support/cli.js'
import { databaseProgram, startPostgres, type TestDatabase, withJobs } from '../../support/databases.js'
import { startPostgresProxy } from '../../support/postgres-proxy.js'
import { Caller, folderFor, openSink } from './scene.js'

const slot = '2026-11-23T10:00:00Z'
let server: TestDatabase
let last = 0
const table = (): string => `losses.t${++last}`

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

const rowsOf = async (name: string): Promise<number> => {
  const [row] = await server.query<{ rows: string }>(`SELECT count(*) AS rows FROM ${name}`)
  return Number(row?.rows)
}

describe('the connection breaks at a COMMIT', () => {
  it.each(['lost', 'answer lost'] as const)('%s, in the middle of a run: each task is there once', async (fault) => {
    const proxy = await startPostgresProxy(server.port)
    const name = table()
    const url = server.url.replace(`:${server.port}`, `:${proxy.port}`)
    const cwd = await folderFor({ url, table: name })
    // attach, place, two batches; then the third one.
    proxy.atCommit(5, fault)
    const { code, json } = await owmJson<{ sink: { delivered: number; deduplicated: number } }>(
      ['produce', '--slot', slot],
      { cwd },
    )
    expect(proxy.counts.broken).toBe(1)
    await proxy.stop()
    expect([code, await rowsOf(name)]).toEqual([0, 300])
    expect(json.sink.deduplicated > 0).toBe(fault === 'answer lost')
  })
})

it('a batch that comes again behind later ones adds nothing, also where workers have done it', async () => {
  const name = table()
  const sink = await openSink({ url: server.url, table: name })
  const caller = new Caller(4)
  await caller.placed(sink)
  await caller.deliver(sink, 0, 2)
  await caller.deliver(sink, 2, 4)
  await server.query(`DELETE FROM ${name}`)
  for (const from of [0, 1, 2]) expect(await caller.deliver(sink, from, from + 2)).toEqual(['duplicate', 'duplicate'])
  expect(await rowsOf(name)).toBe(0)
})

describe('another owm', () => {
  it('has attached since: batch, place and receipt of the older one are refused', async () => {
    const name = table()
    const [older, newer] = [
      await openSink({ url: server.url, table: name }),
      await openSink({ url: server.url, table: name }),
    ]
    const caller = new Caller(10)
    await caller.placed(older)
    await caller.deliver(older, 0, 2)
    const stale = caller.attachment
    await caller.placed(newer)
    const fresh = caller.attachment
    caller.attachment = stale
    await expect(caller.deliver(older, 2, 4)).rejects.toMatchObject({ code: 'SUPERSEDED' })
    await expect(older.place?.(stale, { seq: 0, taskId: '' }, 0)).rejects.toMatchObject({ code: 'SUPERSEDED' })
    caller.attachment = fresh
    expect(await caller.deliver(newer, 2, 4)).toEqual(['delivered', 'delivered'])
    expect(await rowsOf(name)).toBe(4)
  })

  it('has the same tasks in another outbox: they are there once', async () => {
    const name = table()
    const sink = await openSink({ url: server.url, table: name })
    const [first, second] = [new Caller(6), new Caller(6)]
    await first.placed(sink)
    await first.deliver(sink, 0, 3)
    second.ids.splice(1, 1, first.ids[1] ?? '')
    await second.placed(sink)
    expect(await second.deliver(sink, 0, 3)).toEqual(['delivered', 'duplicate', 'delivered'])
    const third = new Caller(0)
    third.ids.push(...first.ids.slice(0, 3))
    await third.placed(sink)
    expect(await third.deliver(sink, 0, 3)).toEqual(['duplicate', 'duplicate', 'duplicate'])
    expect(await rowsOf(name)).toBe(5)
  })
})

describe('a row that a trigger leaves out', () => {
  const leftOut = async (relation: string, when: string): Promise<void> => {
    for (const sql of [
      `CREATE OR REPLACE FUNCTION left_out() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN IF ${when} THEN RETURN NULL; END IF; RETURN new; END $$`,
      `CREATE TRIGGER left_out BEFORE INSERT ON ${relation} FOR EACH ROW EXECUTE FUNCTION left_out()`,
    ])
      await server.query(sql)
  }

  it('is a dead letter, and comes once the trigger is gone', async () => {
    const name = table()
    const cwd = await folderFor({ url: server.url, table: name })
    for (const sql of creation(tablesOf({ table: name, schema: undefined }))) await server.query(sql)
    await leftOut(name, "(new.task ->> 'location_id')::int % 100 = 7")
    const { code, json } = await owmJson<{ sink: object; outbox: object; error: object }>(['produce', '--slot', slot], {
      cwd,
    })
    expect({ code, ...json }).toMatchObject({ code: 75, outbox: { dead: 3 }, error: { code: 'REFUSED' } })
    expect(json.sink).toMatchObject({ delivered: 297, deduplicated: 0 })
    expect((await owm(['outbox', 'inspect', '--state', 'dead'], { cwd })).stdout).toMatch(/left out .* trigger/)
    await server.query(`DROP TRIGGER left_out ON ${name}`)
    await owm(['outbox', 'retry', '--all'], { cwd })
    await owm(['flush'], { cwd })
    expect([await rowsOf(name), (await owm(['verify', '--slot', slot], { cwd })).code]).toEqual([300, 0])
  })

  it('of jobs as well', async () => {
    await withJobs(server)
    const sink = await openSink({ url: server.url, queue: 'graphile-worker', table: table() })
    const caller = new Caller(4)
    await caller.placed(sink)
    await caller.deliver(sink, 0, 1)
    await leftOut('graphile_worker._private_jobs', "new.payload ->> 'city' = 'Bern'")
    await expect(caller.deliver(sink, 1, 3, 'Bern')).rejects.toMatchObject({ code: 'REFUSED' })
    expect(await caller.deliver(sink, 1, 3)).toEqual(['delivered', 'delivered'])
  })

  it('is none that another transaction adds at that moment', async () => {
    const name = table()
    const sink = await openSink({ url: server.url, table: name })
    const caller = new Caller(2)
    await caller.placed(sink)
    const other = new (await import('pg')).default.Client({ connectionString: server.url })
    await other.connect()
    await other.query(`BEGIN; INSERT INTO ${name} (task_id, task) VALUES ('${caller.ids[1]}', '{}')`)
    const outcomes = caller.deliver(sink, 0, 2)
    const waits = `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'owm'`
    await until(async () => (await server.query(waits)).length > 0)
    await other.query('COMMIT')
    await other.end()
    expect(await outcomes).toEqual(['delivered', 'duplicate'])
  })
})

it('a slot that a copy of the outbox brought has a receipt with the range of its rows', async () => {
  const name = table()
  const cwd = await folderFor({ url: server.url, table: name })
  await owm(['produce', '--slot', slot], { cwd })
  await copyFile(join(cwd, 'o.db'), join(cwd, 'copy.db'))
  const eleven = '2026-11-23T11:00:00Z'
  expect(await owm(['produce', '--slot', eleven, '--outbox', 'copy.db'], { cwd })).toMatchObject({ code: 0 })
  expect(await owm(['produce', '--slot', eleven], { cwd })).toMatchObject({ code: 0 })
  const [row] = await server.query<{ last: string; newest: string }>(
    `SELECT receipt::json ->> 'lastEntry' AS last, (SELECT max(id) FROM ${name})::text AS newest
     FROM ${name}_receipt WHERE slot = '${eleven}'`,
  )
  expect(row?.last).toBe(row?.newest)
  expect(await rowsOf(name)).toBe(600)
})

describe('the table', () => {
  it('is emptied between attach and place, or in the middle of a run: compared again', async () => {
    const name = table()
    const sink = await openSink({ url: server.url, table: name })
    const caller = new Caller(10)
    await caller.placed(sink)
    await caller.deliver(sink, 0, 4)
    const { generation } = await caller.attach(sink)
    await server.query(`TRUNCATE ${name}`)
    const at = { seq: 4, taskId: caller.ids[3] ?? '' }
    await expect(sink.place?.(caller.attachment, at, generation)).rejects.toMatchObject({ code: 'CHANGED' })
    const attached = await caller.attach(sink)
    expect(attached).toMatchObject({ emptied: true, created: false })
    await sink.place?.(caller.attachment, { seq: 0, taskId: '' }, attached.generation)
    await caller.deliver(sink, 0, 4)
    await server.query(`TRUNCATE ${name}`)
    await expect(caller.deliver(sink, 4, 6)).rejects.toMatchObject({ code: 'CHANGED' })
    expect(await rowsOf(name)).toBe(0)
  })

  it('is emptied, dropped, restored from a backup: what is lost comes again, once', async () => {
    const name = table()
    const cwd = await folderFor({ url: server.url, table: name })
    const flush = async (): Promise<unknown[]> => {
      const { code, stderr } = await owm(['flush'], { cwd })
      return [code, /again/.test(stderr), await rowsOf(name)]
    }
    expect((await owm(['produce', '--slot', slot], { cwd })).code).toBe(0)
    await server.query(`TRUNCATE ${name}`)
    expect(await flush()).toEqual([0, true, 300])
    await server.query(`DROP TABLE ${name}`)
    expect(await flush()).toEqual([0, true, 300])
    // Workers are done with all of the first hour by the time of the backup.
    await server.query(`DELETE FROM ${name}`)
    const backup = await dumped()
    expect((await owm(['produce', '--slot', '2026-11-23T11:00:00Z'], { cwd })).code).toBe(0)
    await server.query('DROP SCHEMA losses CASCADE')
    await restored(backup)
    expect(await flush()).toEqual([0, true, 300])
    // Without the fence only rows tell what is there: what workers have deleted comes again.
    await server.query(`DROP TABLE ${name}_fence`)
    expect(await flush()).toEqual([0, true, 600])
  })

  it('loses rows to its workers, and is rewritten: that is no loss', async () => {
    const name = table()
    const cwd = await folderFor({ url: server.url, table: name, onDone: 'delete' })
    await owm(['produce', '--slot', slot], { cwd })
    await server.query(`DELETE FROM ${name}`)
    await server.query(`VACUUM FULL ${name}`)
    const { code, stderr } = await owm(['flush'], { cwd })
    expect([code, stderr, await rowsOf(name)]).toEqual([0, '', 0])
    const { json } = await owmJson<{ slots: object[] }>(['verify'], { cwd })
    expect(json.slots).toMatchObject([{ state: 'unproven', taken: 300, differences: [] }])
  })
})

const run = promisify(execFile)

const dumped = async (): Promise<string> =>
  (await run(databaseProgram('pg_dump'), ['--dbname', server.url, '--schema', 'losses'])).stdout

async function restored(backup: string): Promise<void> {
  const ended = run(databaseProgram('psql'), ['--dbname', server.url, '--quiet', '--set', 'ON_ERROR_STOP=1'])
  ended.child.stdin?.end(backup)
  await ended
}

it('gives all receipts of a slot, however many shards it has, and of the newest slots 1,000', async () => {
  const name = table()
  const sink = await openSink({ url: server.url, table: name })
  await new Caller(1).placed(sink)
  const receipts = `SELECT 'p', '${slot}', shard, 1001, '{}' FROM generate_series(0, 1000) AS shard`
  await server.query(`INSERT INTO ${name}_receipt (pipeline, slot, shard, shards, receipt) ${receipts}`)
  expect(await sink.receipts?.('p', slot)).toHaveLength(1001)
  expect(await sink.receipts?.('p')).toHaveLength(1000)
})
