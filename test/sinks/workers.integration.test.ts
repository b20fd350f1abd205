/** The workers of docs/workers.md: each task once, what a dead one held too, and the hour that is whole. */
import { execFile } from 'node:child_process'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { slot } from '../cli/scene.js'
import { folderWith, owm, root, temporaryFolder } from '../support/cli.js'
import { redisHere } from '../support/redis-here.js'

const run = promisify(execFile)
const stream = 'owm-ingestion-stream'
const worker = (name: string): string => join(root, 'examples', 'workers', name)
const redis = redisHere()

/** Has one task a city delivered. */
async function deliver(...cities: string[]): Promise<void> {
  await redis().client.flushall()
  const locations = cities.map((city, index) => ({ id: String(index), city, latitude: 1, longitude: 2 }))
  const source = { use: 'static-list', locations }
  const sink = { use: 'redis-stream', url: redis().server.url }
  const cwd = await folderWith({ pipelines: { hourly: { source, sink, outbox: { path: './o.db' } } } })
  expect(await owm(['produce', '--slot', slot], { cwd })).toMatchObject({ code: 0 })
}

/** 200 tasks of a slot, each there twice, as after a failover that lost the fence as well. */
async function twice(): Promise<void> {
  await redis().client.flushall()
  const config = {
    source: { use: 'simulated-db', count: 200 },
    sink: { use: 'redis-stream', url: redis().server.url },
    outbox: { path: './o.db' },
  }
  const cwd = await folderWith({ pipelines: { hourly: config } })
  expect(await owm(['produce', '--slot', slot], { cwd })).toMatchObject({ code: 0 })
  expect(await owm(['outbox', 'replay', '--slot', slot, '--all', '--yes'], { cwd })).toMatchObject({ code: 0 })
  expect(await redis().client.xlen(stream)).toBe(400)
}

/** A worker that died an hour ago with the first `count` tasks in hand. */
async function died(group: string, count: number): Promise<void> {
  await redis().client.xgroup('CREATE', stream, group, '0')
  await redis().client.xreadgroup('GROUP', group, 'dead', 'COUNT', count, 'STREAMS', stream, '>')
  const held = (await redis().client.xrange(stream, '-', '+', 'COUNT', count)).map(([id]) => id)
  await redis().client.xclaim(stream, group, 'dead', 0, ...held, 'IDLE', 3_600_000)
}

/** Runs a worker until nothing is left to do, and gives the lines that it printed. */
async function worked(program: string, args: readonly string[], group: string): Promise<string[]> {
  const options = { cwd: root, env: { ...process.env, OWM_REDIS_URL: redis().server.url } }
  const { stdout } = await run(program, [...args, '--group', group, '--pipeline', 'hourly', '--once'], options)
  return stdout.split('\n').filter(Boolean)
}

it.each([
  ['python', '/usr/bin/python3', [worker('worker.py')]],
  ['typescript', process.execPath, ['--import', 'tsx', worker('worker.ts')]],
])('%s', async (group, program, args) => {
  await twice()
  await died(group, 30)
  const lines = await worked(program, args, group)
  const done = lines.filter((line) => line.startsWith('did ')).map((line) => line.split(' ')[1])
  expect({ done: done.length, ids: new Set(done).size }).toEqual({ done: 200, ids: 200 })
  expect(lines.filter((line) => line.startsWith('whole'))).toEqual([`whole ${slot}`])
  expect(await redis().client.xpending(stream, group)).toEqual([0, null, null, null])
})

/** A copy of a worker for which a task that another one holds longer than a moment is left behind. */
async function hasty(
  name: string,
  [pattern, moment]: readonly [RegExp, string],
  [line, other]: readonly [string, string],
) {
  const folder = await temporaryFolder()
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  await writeFile(join(folder, 'package.json'), '{"type": "module"}')
  const text = await readFile(worker(name), 'utf8')
  expect(text).toMatch(pattern)
  expect(text).toContain(line)
  await writeFile(join(folder, name), text.replace(pattern, moment).replace(line, other))
  return join(folder, name)
}

const python = (body: string) =>
  hasty(
    'worker.py',
    [/^SILENT_MS = .*$/m, 'SILENT_MS = 300'],
    [
      'print("did", task["task_id"], task["city"], flush=True)',
      `client = redis.Redis.from_url(os.environ["OWM_REDIS_URL"])\n    ${body}`,
    ],
  )
const typescript = (body: string) =>
  hasty('worker.ts', [/^const silentMs = .*$/m, 'const silentMs = 300'], ["console.log('did', task_id, city)", body])

describe.each([
  [
    'python',
    '/usr/bin/python3',
    () => python('assert task["city"] == "Good", task["city"]\n    print("did", task["city"], flush=True)'),
    () => python('os._exit(9) if task["city"] == "Bad" else print("did", task["city"], flush=True)'),
    () => python(`print("held", client.xpending("${stream}", "python")["pending"], flush=True)`),
  ],
  [
    'typescript',
    process.execPath,
    () => typescript("if (city !== 'Good') throw new Error(city)\n  console.log('did', city)"),
    () => typescript("if (city === 'Bad') process.exit(9)\n  console.log('did', city)"),
    () => typescript(`console.log('held', (await redis.xpending(stream, group))[0])`),
  ],
] as const)('%s', (group, program, failing, killing, counting) => {
  const args = (file: string): string[] => (program === process.execPath ? ['--import', 'tsx', file] : [file])

  it('tries what is left behind many that always fail, gives those up, and calls the hour not whole', async () => {
    await deliver(...Array.from({ length: 12 }, () => 'Bad'), 'Good')
    await died(group, 13)
    const file = await failing()
    // It ends where all tasks are done or dead, those included that failed and come again.
    expect(await worked(program, args(file), group)).toEqual(['did Good'])
    expect((await redis().client.xpending(stream, group))[0]).toBe(0)
    const dead = `{${stream}}:dead:${group}`
    const tasks = Object.values(await redis().client.hgetall(dead)).map((data): { city: string } => JSON.parse(data))
    expect(tasks.map(({ city }) => city)).toEqual(Array.from({ length: 12 }, () => 'Bad'))
    await redis().client.del(dead)
    expect(await worked(program, args(file), group)).toEqual([`whole ${slot}`])
  })

  it('gives up what kills five workers', async () => {
    await deliver('Bad', 'Good')
    const file = await killing()
    const hasEnded = () =>
      worked(program, args(file), group).then(
        () => true,
        () => false,
      )
    let deaths = 0
    while (deaths < 8 && !(await hasEnded())) deaths++
    expect(deaths).toBe(5)
    expect(await redis().client.xpending(stream, group)).toEqual([0, null, null, null])
    const tasks = Object.values(await redis().client.hgetall(`{${stream}}:dead:${group}`))
    expect(tasks.map((data) => JSON.parse(data))).toEqual([expect.objectContaining({ city: 'Bad' })])
    expect(await redis().client.keys(`{${stream}}:done:${group}:*`)).toHaveLength(1)
  })

  it('takes one task at a time, a new one only where none is left behind', async () => {
    await deliver('A', 'B', 'C')
    await died(group, 1)
    const lines = await worked(program, args(await counting()), group)
    expect(lines).toEqual(['held 1', 'held 1', 'held 1', `whole ${slot}`])
  })
})
