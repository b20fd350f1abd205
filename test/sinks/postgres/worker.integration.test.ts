/** examples/workers/worker-postgres.ts: each task is done, and none is lost, whatever becomes of a worker. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { folderWith, owm, root, until } from '../../support/cli.js'
import { startPostgres, type TestDatabase } from '../../support/databases.js'

const slot = '2026-11-23T10:00:00Z'
const table = 'weather.owm_tasks'
let server: TestDatabase

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

/** A weather API that notes who asks for which place. */
async function startApi() {
  /** Place -> how often it was asked for, and how often it was answered with 200. */
  const asked = new Map<string, number>()
  const answered = new Map<string, number>()
  const held: ServerResponse[] = []
  const faults = { status: (_place: string, _time: number): number => 200, holdsFrom: Number.POSITIVE_INFINITY }
  const add = (to: Map<string, number>, place: string): number =>
    to.set(place, (to.get(place) ?? 0) + 1).get(place) ?? 0
  const total = (of: Map<string, number>): number => [...of.values()].reduce((sum, each) => sum + each, 0)
  const api = createServer(({ url = '' }, response) => {
    const place = url.replace(/&hourly.*/, '')
    const time = add(asked, place)
    if (total(asked) > faults.holdsFrom) return void held.push(response)
    response.statusCode = faults.status(place, time)
    if (response.statusCode === 200) add(answered, place)
    response.end('{}')
  })
  api.listen(0, '127.0.0.1')
  await once(api, 'listening')
  onTestFinished(() => {
    api.closeAllConnections()
    api.close()
  })
  const address = api.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`
  return { url, asked, answered, held, faults, total }
}

/** A worker, and the lines that it has printed. */
function startWorker(
  { weather, url = server.url }: { weather: string; url?: string },
  ...flags: string[]
): { child: ChildProcess; lines: string[]; ended: Promise<unknown[]> } {
  const args = ['--import', 'tsx', join(root, 'examples', 'workers', 'worker-postgres.ts'), '--table', table, ...flags]
  const env = { ...process.env, DATABASE_URL: url, WEATHER_URL: weather }
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => lines.push(...text.split('\n').filter(Boolean)))
  return { child, lines, ended: once(child, 'close') }
}

async function tasksOf(count: number): Promise<string> {
  await server.query('DROP SCHEMA IF EXISTS weather CASCADE')
  const config = {
    source: { use: 'simulated-db', count },
    sink: { use: 'postgres', url: server.url, table, onDone: 'delete' },
    outbox: { path: './o.db' },
  }
  const cwd = await folderWith({ pipelines: { hourly: config } })
  expect(await owm(['produce', '--slot', slot], { cwd })).toMatchObject({ code: 0 })
  return cwd
}

const count = async (from: string): Promise<number> =>
  Number((await server.query<{ count: string }>(`SELECT count(*) FROM ${from}`))[0]?.count)

it('one is killed with tasks at hand: others do them; a task that fails comes again, then it is dead', async () => {
  const cwd = await tasksOf(200)
  const api = await startApi()
  // The last ones: the worker that is killed doesn't come so far.
  const [last, other] = await server.query<{ id: string; task: Record<string, number> }>(
    `SELECT id, task FROM ${table} ORDER BY id DESC LIMIT 2`,
  )
  const placeOf = (row: typeof last): string =>
    `/?latitude=${row?.task['latitude_deg']}&longitude=${row?.task['longitude_deg']}`
  const [never, late] = [placeOf(last), placeOf(other)]
  api.faults.status = (place, time) => (place === never || (place === late && time < 3) ? 503 : 200)
  api.faults.holdsFrom = 40

  const victim = startWorker({ weather: api.url })
  await until(() => api.held.length === 4)
  victim.child.kill('SIGKILL')
  expect(await victim.ended).toEqual([null, 'SIGKILL'])
  for (const response of api.held) response.destroy()
  api.faults.holdsFrom = Number.POSITIVE_INFINITY

  const others = [
    startWorker({ weather: api.url }, '--once', '--pipeline', 'hourly'),
    startWorker({ weather: api.url }, '--once'),
  ]
  // Nobody waits for the backoff here.
  const hurry = setInterval(() => void server.query(`UPDATE ${table} SET due_at = now() WHERE error IS NOT NULL`), 200)
  onTestFinished(() => clearInterval(hurry))
  expect(await Promise.all(others.map(({ ended }) => ended))).toEqual([
    [0, null],
    [0, null],
  ])
  clearInterval(hurry)

  expect(await count(`${table}_done`)).toBe(199)
  expect(await server.query(`SELECT id, attempts, error, dead_at IS NOT NULL AS dead FROM ${table}`)).toEqual([
    { id: last?.id, attempts: 5, error: expect.stringContaining('503'), dead: true },
  ])
  expect([api.asked.get(never), api.asked.get(late), api.answered.size]).toEqual([5, 3, 199])
  // Those that the dead worker had at hand were asked for twice, and no other one.
  expect(api.total(api.answered)).toBe(199)
  expect([...api.asked.values()].filter((times) => times === 2)).toHaveLength(4)
  expect(others.flatMap(({ lines }) => lines)).not.toContain(`whole ${slot}`)

  api.faults.status = () => 200
  await server.query(`UPDATE ${table} SET dead_at = NULL, attempts = 0`)
  // What owm delivers once more is skipped.
  expect(await owm(['outbox', 'replay', '--slot', slot, '--all', '--yes'], { cwd })).toMatchObject({ code: 0 })
  expect(await count(table)).toBe(200)
  // It needs no more than docs/workers.md says.
  await server.query(`CREATE ROLE worker LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA weather TO worker;
    GRANT SELECT, UPDATE, DELETE ON ${table} TO worker; GRANT SELECT, INSERT, DELETE ON ${table}_done TO worker;
    GRANT SELECT ON ${table}_receipt TO worker`)
  const url = `postgres://worker:x@127.0.0.1:${server.port}/postgres`
  const third = startWorker({ weather: api.url, url }, '--once', '--pipeline', 'hourly')
  expect(await third.ended).toEqual([0, null])
  expect(third.lines).toEqual([expect.stringMatching(/^did /), `whole ${slot}`])
  expect([api.total(api.answered), await count(table), await count(`${table}_done`)]).toEqual([200, 0, 200])
})

it('a task that kills its worker is dead after five, and the others are done', async () => {
  await tasksOf(10)
  const api = await startApi()
  const [first] = await server.query<{ id: string; task: Record<string, number> }>(
    `SELECT id, task FROM ${table} ORDER BY id LIMIT 1`,
  )
  const poison = `/?latitude=${first?.task['latitude_deg']}&longitude=${first?.task['longitude_deg']}`
  const signals: unknown[] = []
  for (let start = 0; start < 8 && signals.at(-1) !== null; start++) {
    const { child, ended } = startWorker({ weather: api.url }, '--once', '--concurrency', '1')
    api.faults.status = (place) => {
      if (place === poison) child.kill('SIGKILL')
      return 200
    }
    signals.push((await ended)[1])
    // Nobody waits for the backoff here; it comes before the others.
    await server.query(`UPDATE ${table} SET due_at = now() WHERE dead_at IS NULL`)
  }
  expect(signals).toEqual([...Array.from({ length: 5 }, () => 'SIGKILL'), null])
  expect(await count(`${table}_done`)).toBe(9)
  expect(await server.query(`SELECT id, error FROM ${table} WHERE dead_at IS NOT NULL`)).toEqual([
    { id: first?.id, error: expect.stringContaining('each worker that tried it died') },
  ])
})

it('says that owm has to come first', async () => {
  await server.query('DROP SCHEMA IF EXISTS weather CASCADE')
  const { lines, ended } = startWorker({ weather: 'http://127.0.0.1:1/' }, '--once')
  expect(await ended).toEqual([1, null])
  expect(lines).toEqual([expect.stringMatching(`no table ${table}: run .owm produce. first`)])
})

it('SIGTERM ends it behind the tasks at hand', async () => {
  await tasksOf(50)
  const api = await startApi()
  api.faults.holdsFrom = 10
  const worker = startWorker({ weather: api.url }, '--concurrency', '3')
  await until(() => api.held.length === 3)
  worker.child.kill('SIGTERM')
  for (const response of api.held) response.end('{}')
  expect(await worker.ended).toEqual([0, null])
  expect([await count(`${table}_done`), await count(table), api.total(api.asked)]).toEqual([13, 37, 13])
})
