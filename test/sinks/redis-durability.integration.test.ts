/** `durability`: a batch counts as delivered only when replicas have it. */
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { folderWith, owm, owmJson, startOwm, until } from '../support/cli.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'

const stream = 'owm-ingestion-stream'
let master: RedisProcess
let replica: RedisProcess
let there: Redis
let copy: Redis

beforeAll(async () => {
  master = await startRedisProcess()
  replica = await startRedisProcess({ args: ['--replicaof', master.host, `${master.port}`] })
  there = new Redis(master.url)
  copy = new Redis(replica.url)
  copy.on('error', () => undefined) // it is killed on purpose
  await until(async () => (await there.info('replication')).includes('state=online'))
})
afterAll(async () => {
  there.disconnect()
  copy.disconnect()
  await Promise.all([master.stop(), replica.stop()])
})

const folder = (source: object = {}): Promise<string> =>
  folderWith({
    source: { use: 'simulated-db', count: 4_000, ...source },
    sink: { use: 'redis-stream', url: master.url, durability: { replicas: 1, timeoutMs: 400 } },
    outbox: { path: './outbox.db' },
    retry: { attempts: 2, initialDelayMs: 20, maxDelayMs: 100 },
    breaker: { failures: 1_000 },
  })

const produce = (hour: number): string[] => ['produce', '--slot', `2026-11-23T${hour}:00:00Z`]

async function idsIn(redis: Redis): Promise<string[]> {
  const entries = await redis.xrange(stream, '-', '+')
  return entries.map(([, [, data = '{}']]) => String(JSON.parse(data).task_id))
}

it('what is delivered is on the replica when owm ends', async () => {
  const cwd = await folder()
  expect(await owm(produce(10), { cwd })).toMatchObject({ code: 0, stderr: '' })
  expect(await copy.xlen(stream)).toBe(4_000)
  expect(await copy.hlen(`{${stream}}:owm:receipts:${cwd}/.owmrc.json`)).toBe(1)
})

it('too few replicas: 75 at each start until they are back, and nothing twice', async () => {
  await there.flushall()
  const cwd = await folder({ pageSize: 100, latencyMs: 20 })
  const running = startOwm([...produce(11), '--json'], { cwd })
  await until(async () => (await there.xlen(stream)) >= 1_000)
  await replica.kill('SIGSTOP')
  onTestFinished(() => replica.kill('SIGCONT'))
  const ran = await running.ended
  expect(ran.code, ran.stderr).toBe(75)
  const { outbox, error } = JSON.parse(ran.stdout)
  expect(error.message).toMatch(
    /^0 of the 1 replicas that sink\.durability asks for .*: what the master took isn't ack/,
  )
  expect(error.hint).toMatch(/owm flush`: nothing comes twice/)
  // The master has more than counts as delivered.
  expect(4_000 - outbox.pending).toBeLessThan(await there.xlen(stream))
  // The next start finds it there; it is no more acknowledged for that.
  const again = await owmJson<{ error: { message: string } }>(['flush'], { cwd })
  expect(again).toMatchObject({
    code: 75,
    json: { error: { message: expect.stringContaining('0 of the 1 replicas') } },
  })
  await replica.kill('SIGCONT')
  expect(await owm(['flush'], { cwd })).toMatchObject({ code: 0 })
  for (const redis of [there, copy]) {
    const ids = await idsIn(redis)
    expect([ids.length, new Set(ids).size]).toEqual([4_000, 4_000])
  }
})

it('a replica that is gone, and a user who may not WAIT: told before a run', async () => {
  const cwd = await folder()
  await replica.kill('SIGKILL')
  onTestFinished(() => replica.restart())
  await until(async () => (await there.info('replication')).includes('connected_slaves:0'))
  const check = ['config', 'check', '--connect']
  expect(await owm(check, { cwd })).toMatchObject({ code: 75, stdout: expect.stringContaining('0 of the 1 replicas') })
  await there.call('ACL', 'SETUSER', 'narrow', 'on', '>pw-of-narrow', '~*', '+@all', '-wait')
  const user = ['--set', 'sink.username=narrow', '--set', 'sink.password=pw-of-narrow']
  const narrow = await owm([...produce(12), ...user], { cwd })
  expect(narrow).toMatchObject({ code: 78, stderr: expect.stringMatching(/NOPERM[\s\S]*`durability` \+wait/) })
  expect((await owm(['doctor', ...user], { cwd })).stdout).toMatch(/wrong +redis-commands: not allowed: WAIT/)
})
