/** The sink postgres where servers die, fail over, have no disk left. (conformance-postgres kills owm at each step.) */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { creation, tablesOf } from '../../src/sinks/postgres/tables.js'
import { folderFor } from '../sinks/postgres/scene.js'
import { owm, startOwm, until } from '../support/cli.js'
import { isRoot } from '../support/conditions.js'
import { databaseProgram, serverIds, startPostgres, type TestDatabase } from '../support/databases.js'

const run = promisify(execFile)
const slots = ['2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z'] as const
let server: TestDatabase

beforeAll(async () => {
  server = await startPostgres({ wal_level: 'replica', max_wal_senders: '4' })
})
afterAll(() => server?.stop())

const counted = async (table: string): Promise<unknown> => {
  const sql = `SELECT count(*)::int AS rows, count(DISTINCT task ->> 'task_id')::int AS tasks FROM ${table}`
  return (await server.query(sql))[0]
}

test('owm and the server are killed at random: each task is there once', async () => {
  const count = 60_000
  const cwd = await folderFor({ url: server.url, table: 'random' }, count, { flush: { batchSize: 200 } })
  const table = 'public.random'
  const deaths = { owm: 0, server: 0 }
  for (let round = 0; round < 24; round++) {
    const running = startOwm(['produce', '--slot', slots[0]], { cwd })
    const isServer = round % 3 === 2
    await Promise.race([sleep(500 + randomInt(900)), running.ended])
    if (isServer) {
      await server.kill()
      deaths.server++
      await sleep(randomInt(200))
      await server.restart()
    } else if (running.child.exitCode === null) {
      running.child.kill('SIGKILL')
      deaths.owm++
    }
    await running.ended
  }
  expect((await owm(['produce', '--slot', slots[0]], { cwd })).code).toBe(0)
  expect(deaths.server).toBe(8)
  expect(await counted(table)).toEqual({ rows: count, tasks: count })
  expect((await owm(['verify'], { cwd })).code).toBe(0)
}, 300_000)

test('two outboxes deliver one slot to one table at once: each task is there once', async () => {
  const folders = [1, 2].map(() => folderFor({ url: server.url, table: 'shared' }, 8_000))
  const runs = (await Promise.all(folders)).map((cwd) => owm(['produce', '--slot', slots[0]], { cwd }))
  expect((await Promise.all(runs)).map(({ code }) => code)).toEqual([0, 0])
  expect(await counted('shared')).toEqual({ rows: 8_000, tasks: 8_000 })
})

test('tables that another owm is making are there for the next attempt', async () => {
  const cwd = await folderFor({ url: server.url, table: 'raced' }, 20)
  const making = creation(tablesOf({ table: 'raced', schema: undefined })).join(';\n')
  const lock = `SELECT pg_advisory_xact_lock(hashtext('owm "raced"'))`
  const made = server.query(`BEGIN; ${lock}; SELECT pg_sleep(4); ${making}; COMMIT`)
  const [{ code, stderr }] = await Promise.all([owm(['produce', '--slot', slots[0]], { cwd }), made])
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('"raced" already exists') })
  expect(await counted('raced')).toEqual({ rows: 20, tasks: 20 })
})

test('a standby is read-only; a failover to one that lags: what it lacks comes again', async () => {
  const standby = await startStandby()
  const cwd = await folderFor({ url: server.url, table: 'failed_over' }, 2_000)
  expect((await owm(['produce', '--slot', slots[0]], { cwd })).code).toBe(0)
  await until(async () => (await standby.rows('failed_over')) === 2_000)
  const readOnly = await owm(['flush', '--set', `sink.url=${standby.url}`], { cwd })
  expect([readOnly.code, readOnly.stderr]).toEqual([75, expect.stringContaining('name the primary')])
  // It hears no more from now on.
  await standby.deaf()
  expect((await owm(['produce', '--slot', slots[1]], { cwd })).code).toBe(0)
  await standby.promote()
  expect(await standby.rows('failed_over')).toBe(2_000)
  const { code, stderr } = await owm(['flush', '--set', `sink.url=${standby.url}`], { cwd })
  expect([code, stderr]).toEqual([0, expect.stringContaining('again')])
  expect(await standby.rows('failed_over')).toBe(4_000)
}, 120_000)

test.runIf(isRoot)('the disk of the server is full: the tasks wait', async () => {
  const disk = await mkdtemp(join(tmpdir(), 'owm-test-disk-'))
  onTestFinished(() => rm(disk, { recursive: true, force: true }))
  await run('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'owm-test', disk])
  onTestFinished(async () => void (await run('umount', ['--lazy', disk])))
  const place = join(disk, 'space')
  await mkdir(place)
  const { uid = 0, gid = 0 } = serverIds
  await chown(place, uid, gid)
  const cwd = await folderFor({ url: server.url, table: 'crowded' }, 20_000)
  await owm(['produce', '--slot', slots[0], '--set', 'source.count=10'], { cwd })
  await server.query(`CREATE TABLESPACE small LOCATION '${place}'`)
  await server.query('ALTER TABLE crowded SET TABLESPACE small')
  const full = await owm(['produce', '--slot', slots[1]], { cwd })
  expect([full.code, full.stderr]).toEqual([75, expect.stringContaining("The server's disk is full")])
  await server.query('ALTER TABLE crowded SET TABLESPACE pg_default')
  expect((await owm(['flush'], { cwd })).code).toBe(0)
  expect(await counted('crowded')).toEqual({ rows: 20_010, tasks: 20_010 })
  await server.query('DROP TABLESPACE small')
})

/** A standby of the server, on loopback, until the test ends. */
async function startStandby() {
  const folder = await mkdtemp(join(tmpdir(), 'owm-test-standby-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const { uid, gid } = serverIds
  if (uid !== undefined && gid !== undefined) await chown(folder, uid, gid)
  const data = join(folder, 'data')
  await run(databaseProgram('pg_basebackup'), ['-d', server.url, '-D', data, '-R', '--checkpoint=fast'], serverIds)
  const port = server.port + 1
  const settings = { port, unix_socket_directories: folder, fsync: 'off', listen_addresses: '127.0.0.1', ssl: 'off' }
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child: ChildProcess = spawn(databaseProgram('postgres'), ['-D', data, ...args], {
    ...serverIds,
    stdio: 'ignore',
  })
  onTestFinished(async () => {
    child.kill('SIGQUIT')
    await once(child, 'exit')
  })
  const url = server.url.replace(`:${server.port}/`, `:${port}/`)
  const ask = async (sql: string): Promise<string> =>
    (await run(databaseProgram('psql'), ['-d', url, '-AtX', '-c', sql])).stdout.trim()
  await until(async () => (await ask('SELECT 1').catch(() => '')) === '1')
  return {
    url,
    rows: async (table: string): Promise<number> => Number(await ask(`SELECT count(*) FROM ${table}`).catch(() => 0)),
    async deaf(): Promise<void> {
      await ask("ALTER SYSTEM SET primary_conninfo = ''")
      await ask('SELECT pg_reload_conf()')
      await until(async () => (await ask('SELECT count(*) FROM pg_stat_wal_receiver')) === '0')
    },
    async promote(): Promise<void> {
      await ask('SELECT pg_promote()')
    },
  }
}
