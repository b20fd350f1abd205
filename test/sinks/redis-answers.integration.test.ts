/** What a Redis that can't serve says, and what follows: a connection, a class, a next step. All servers are real. */
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { RunsResult } from '../../src/commands/runs/index.js'
import { classed, unexpected } from '../../src/sinks/redis-stream/errors.js'
import { options } from '../../src/sinks/redis-stream/options.js'
import { folderWith, owm, owmJson, type Ran, until } from '../support/cli.js'
import { startProxy } from '../support/proxy.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'
import { redisScene, slot, stream } from '../support/redis-scene.js'
import { at, folderOf } from '../support/scheduled.js'

async function server(...args: string[]): Promise<{ redis: RedisProcess; admin: Redis }> {
  const redis = await startRedisProcess({ args })
  onTestFinished(() => redis.stop())
  const admin = new Redis(redis.url)
  onTestFinished(() => admin.disconnect())
  return { redis, admin }
}

async function clusterOfOne(): ReturnType<typeof server> {
  const { redis, admin } = await server('--cluster-enabled', 'yes')
  await admin.cluster('ADDSLOTSRANGE', 0, 16_383)
  await until(async () => (await admin.cluster('INFO')).includes('cluster_state:ok'))
  return { redis, admin }
}

/** One hour of one location through a URL. */
async function produce(url: string, sink: object = {}): Promise<Ran> {
  const cwd = await folderWith({
    source: { use: 'static-list', locations: [{ city: 'Bern', latitude: 46.9, longitude: 7.4 }] },
    sink: { use: 'redis-stream', url, ...sink },
    outbox: { path: './o.db' },
    retry: { attempts: 3, initialDelayMs: 20, maxDelayMs: 50 },
  })
  return owm(['produce', '--slot', slot], { cwd })
}

describe('the wrong server', () => {
  it('a promotion behind a fixed address, in the middle of a run', async () => {
    const [old, next] = [await server(), await server()]
    await next.admin.replicaof('127.0.0.1', old.redis.port)
    await until(async () => (await next.admin.info('replication')).includes('master_link_status:up'))
    const target = { host: '127.0.0.1', port: old.redis.port }
    const proxy = await startProxy(target)
    onTestFinished(() => proxy.stop())
    proxy.onScript(2, {
      before: async () => {
        await old.admin.wait(1, 5_000)
        await next.admin.replicaof('NO', 'ONE')
        await old.admin.replicaof('127.0.0.1', next.redis.port)
        target.port = next.redis.port
      },
    })
    const cwd = await folderWith({
      source: { use: 'simulated-db', count: 1_500 },
      sink: { use: 'redis-stream', url: `redis://127.0.0.1:${proxy.port}` },
      outbox: { path: './o.db' },
      retry: { attempts: 4, initialDelayMs: 20, maxDelayMs: 50 },
    })
    const ran = await owm(['produce', '--slot', slot], { cwd })
    expect(proxy.counts.hooks).toBe(1)
    expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: expect.stringContaining('READONLY') })
    expect(await next.admin.xlen(stream)).toBe(1_500)
  })

  /** Through a proxy that counts: each attempt takes a connection of its own. */
  async function expectAnew(port: number, code: string): Promise<void> {
    const proxy = await startProxy({ host: '127.0.0.1', port })
    onTestFinished(() => proxy.stop())
    const ran = await produce(`redis://127.0.0.1:${proxy.port}`)
    expect(ran, ran.stderr).toMatchObject({ code: 75, stderr: expect.stringContaining(code) })
    expect(proxy.counts.connections).toBeGreaterThanOrEqual(3)
  }

  it('READONLY and MASTERDOWN', async () => {
    const { redis, admin } = await server('--replicaof', '127.0.0.1', '1')
    await expectAnew(redis.port, 'READONLY')
    await admin.config('SET', 'replica-serve-stale-data', 'no')
    await expectAnew(redis.port, 'MASTERDOWN')
  })

  it('CLUSTERDOWN and MOVED', async () => {
    const [one, two] = [await server('--cluster-enabled', 'yes'), await server('--cluster-enabled', 'yes')]
    await expectAnew(one.redis.port, 'CLUSTERDOWN')
    await one.admin.cluster('ADDSLOTSRANGE', 0, 8_191)
    await two.admin.cluster('ADDSLOTSRANGE', 8_192, 16_383)
    await one.admin.cluster('MEET', '127.0.0.1', two.redis.port)
    for (const { admin } of [one, two])
      await until(async () => (await admin.cluster('INFO')).includes('cluster_state:ok'))
    const isInFirst = (await one.admin.cluster('KEYSLOT', stream)) <= 8_191
    await expectAnew((isInFirst ? two : one).redis.port, 'MOVED')
    expect(await produce((isInFirst ? one : two).redis.url)).toMatchObject({ code: 0, stderr: '' })
  })

  it('LOADING, until the server has read its data', async () => {
    const { redis, admin } = await server('--appendonly', 'yes')
    await admin.eval("for i = 1, 5000 do redis.call('SET', 'k' .. i, i) end", 0)
    admin.disconnect()
    const slow = await startRedisProcess({ args: [] })
    await slow.stop() // its port is free now
    await redis.kill('SIGTERM')
    // 5,000 keys, 0.4 ms each.
    const args = ['--port', `${slow.port}`, '--dir', redis.directory, '--appendonly', 'yes', '--key-load-delay', '400']
    const loading = spawn('redis-server', args, { stdio: 'ignore' })
    onTestFinished(() => void loading.kill('SIGKILL'))
    const proxy = await startProxy({ host: '127.0.0.1', port: slow.port })
    onTestFinished(() => proxy.stop())
    const cwd = await folderWith({
      source: { use: 'static-list', locations: [{ city: 'Bern', latitude: 46.9, longitude: 7.4 }] },
      sink: { use: 'redis-stream', url: `redis://127.0.0.1:${proxy.port}` },
      outbox: { path: './o.db' },
      retry: { attempts: 100, initialDelayMs: 100, maxDelayMs: 200 },
      breaker: { failures: 1_000 },
    })
    const ran = await owm(['produce', '--slot', slot], { cwd })
    expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: expect.stringContaining('LOADING') })
  })
})

describe('what no retry can fix is 78', () => {
  it.each([
    ['EVAL', /unknown command/],
    ['XADD', /unknown.* command/i],
    ['XINFO', /unknown.* command/i],
  ])('%s is renamed', async (command, message) => {
    const { redis } = await server('--rename-command', command, '')
    const ran = await produce(redis.url)
    expect(ran, ran.stderr).toMatchObject({ code: 78, stderr: expect.stringMatching(message) })
    expect(ran.stderr).toMatch(/rename-command/)
    expect(ran.stderr).not.toContain('tried again')
  })

  it('a database that there is not, by path and by parameter, and one in a cluster', async () => {
    const { redis } = await server('--databases', '2')
    for (const url of [`${redis.url}/7`, `${redis.url}?db=7`, `${redis.url}/999999999`])
      expect(await produce(url)).toMatchObject({ code: 78, stderr: expect.stringContaining('database') })
    for (const url of [`${redis.url}/1`, `${redis.url}?db=1`]) expect(await produce(url)).toMatchObject({ code: 0 })
    const cluster = await clusterOfOne()
    expect(await produce(`${cluster.redis.url}/1`)).toMatchObject({ code: 78 })
  })

  it.each([
    ["CROSSSLOT Keys in request don't hash to the same slot", /hash slots/],
    ['ERR Script attempted to access keys that do not hash to the same slot script: 1, on @user_script:1.', /slots/],
    ['DENIED Redis is running in protected mode', /protected-mode/],
    ["ERR unsupported command 'EVAL'", /proxy/],
    ['ERR Error running script (call to f_1): @user_script:1: Unknown Redis command called from Lua script', /proxy/],
  ])('%s', (message, hint) => {
    const reply = Object.assign(new Error(message), { name: 'ReplyError' })
    expect(classed(reply, 'h:6379')).toMatchObject({ exitCode: 78, hint: expect.stringMatching(hint) })
  })
})

it.each([
  ['redis://h?familly=4', /unknown parameter, familly: the nearest is family/],
  ['redis://h?verify=no', /unknown parameter, verify: known are /],
  ['redis://u:50%zz@h', /%25/],
  ['redis://h/0#part', /is expected/],
  ['redis://:a#b@h', /is expected/],
  ['redis://h:99999', /is expected/],
  ['redis://h/db1', /is expected/],
  ['redis://h?db=one', /is expected/],
  ['redis://h/9999999999', /is expected/],
  ['redis://h?tls=yes', /tls in its query must be true or false/],
  ['redis://h?noDelay=0', /noDelay in its query must be true or false/],
  ['redis://h?connectTimeout=5s', /connectTimeout in its query must be a number/],
  ['http://h', /redis:\/\/ or rediss:/],
])('the URL %s is a mistake', (url, message) => {
  const [issue] = options.safeParse({ url }).error?.issues ?? []
  expect(issue?.message).toMatch(message)
})

it('parameters of ioredis do what they did; those that owm sets itself have no effect', async () => {
  const { redis, admin } = await server()
  const ran = await produce(`${redis.url}?family=4&keyPrefix=a:&lazyConnect=false&maxRetriesPerRequest=3&db=1`)
  expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: '' })
  await admin.select(1)
  expect(await admin.xlen(`a:${stream}`)).toBe(1)
})

it('parameters that are no text are taken as what they are', async () => {
  const { redis } = await server()
  const numbers = 'connectTimeout=5000&commandTimeout=5000&socketTimeout=5000&disconnectTimeout=2000&keepAlive=100'
  expect(await produce(`${redis.url}?${numbers}&noDelay=false&tls=false`)).toMatchObject({ code: 0, stderr: '' })
  const ran = await produce(`${redis.url}?tls=true`)
  expect(ran, ran.stderr).toMatchObject({ code: 78, stderr: expect.stringMatching(/TLS/) })
})

it('a prefix of all keys makes another stream, and its groups are seen', async () => {
  const scene = await redisScene({ count: 3 })
  await scene.admin.xgroup('CREATE', `a:${stream}`, 'workers', '0', 'MKSTREAM')
  const to = (prefix: string): string[] => ['--set', `sink.url=${scene.url}?keyPrefix=${prefix}`]
  expect(await scene.owm(['produce', '--slot', slot, ...to('a:')])).toMatchObject({ code: 0 })
  expect((await scene.owm(['stream', 'inspect', ...to('a:')])).stdout).toContain('workers')
  await scene.owm(['produce', '--slot', '2026-11-23T11:00:00Z', '--no-flush', ...to('a:')])
  expect(await scene.owm(['flush', ...to('b:')])).toMatchObject({
    code: 78,
    stderr: expect.stringContaining(`b:${stream}`),
  })
})

const http = 'HTTP/1.1 400 Bad Request\r\n\r\n'
it.each([
  ['nil', '$-1\r\n'],
  ['PONG', '+PONG\r\n'],
  ['HTTP', http],
])('what answers %s to everything is no Redis', async (_, answer) => {
  const scene = await redisScene({ count: 3 })
  expect((await scene.owm(['produce', '--slot', slot])).code).toBe(0)
  const other = createServer((socket) => {
    socket.on('error', () => undefined).on('data', () => socket.write(answer))
  })
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void other.close())
  const to = ['--set', `sink.url=redis://127.0.0.1:${Object(other.address()).port}`, '--set', 'retry.attempts=1']
  for (const command of [['why', '1'], ['verify'], ['stream', 'inspect'], ['flush']]) {
    const { code, stderr } = await scene.owm([...command, ...to])
    // What the outbox knows, `why` tells all the same.
    expect([command[0], code]).toEqual([command[0], command[0] === 'why' ? 0 : 75])
    expect(stderr).not.toMatch(/ is not |NaN|report this|Cannot read/i)
    if (answer === http && command[0] === 'flush') expect(stderr).toContain(`${Object(other.address()).port} answered`)
  }
})

it('a server that takes no more clients says so', async () => {
  const { redis } = await server('--maxclients', '1')
  const { code, stderr } = await produce(redis.url)
  expect(code).toBe(75)
  expect(stderr).toMatch(/Redis at 127\.0\.0\.1:\d+ answered: ERR max number of clients reached\n.*Raise maxclients/)
  expect(stderr).not.toMatch(/report this|queue state/)
})

it('an answer that no command gives is shown as text', () => {
  const answer = [Buffer.from('attached'), [Buffer.from('0-1'), 3], null]
  expect(unexpected(answer).message).toBe('Redis answered something unexpected: attached 0-1 3 ')
})

it('a policy that may evict the stream is told, once', async () => {
  const { redis, admin } = await server('--maxmemory-policy', 'allkeys-lru')
  const { code, stderr } = await produce(redis.url)
  expect(code).toBe(0)
  expect(stderr).toMatch(/^owm: warning: .*may delete the stream.*noeviction.*allkeys-lru.*\n$/)
  for (const policy of ['noeviction', 'volatile-lru']) {
    await admin.config('SET', 'maxmemory-policy', policy)
    expect(await produce(redis.url)).toMatchObject({ code: 0, stderr: '' })
  }
})

it('a user without the right to name connections and to INFO delivers all the same', async () => {
  const scene = await redisScene({ count: 3, redis: ['--user', 'default', 'on', 'nopass', '~*', '&*', '+@all'] })
  await scene.admin.acl('SETUSER', 'pipeline', '-client', '-info')
  expect(await scene.owm(['produce', '--slot', slot])).toMatchObject({ code: 0, stderr: '' })
})

it('a server that is gone failed the run whose tasks wait, not the one before', async () => {
  const redis = await startRedisProcess()
  onTestFinished(() => redis.stop())
  const sink = { use: 'redis-stream', url: redis.url }
  const cwd = await folderOf({}, { sink, retry: { attempts: 2, initialDelayMs: 20, maxDelayMs: 50 } })
  expect((await owm(['produce'], at(cwd, '2026-11-23T10:00:01Z'))).code).toBe(0)
  await redis.stop()
  expect((await owm(['produce'], at(cwd, '2026-11-23T11:00:01Z'))).code).toBe(75)
  const { json } = await owmJson<RunsResult>(['runs'], { cwd })
  const failures = json.pipelines.flatMap(({ runs }) => runs.map((run) => [run.slot, run.failures > 0]))
  expect(failures).toEqual([
    ['2026-11-23T11:00:00Z', true],
    ['2026-11-23T10:00:00Z', false],
  ])
})
