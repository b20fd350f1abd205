/** Faults of Redis and of the stream, each made for real: servers of the distribution's, and what they are set to. */
import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Redis } from 'ioredis'
import { Redis as Client } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { ShowResult } from '../../src/commands/runs/show.js'
import { owm, owmJson, until } from '../support/cli.js'
import { isLong } from '../support/conditions.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'
import { at, doctor, type Examined, expectFound, folderOf, healthy, longList } from './scene.js'

const stream = 'owm-ingestion-stream'
let redis: RedisProcess
let admin: Redis

async function server(...args: string[]): Promise<{ redis: RedisProcess; admin: Redis }> {
  const started = await startRedisProcess({ args })
  return { redis: started, admin: new Client(started.url) }
}

beforeAll(async () => {
  ;({ redis, admin } = await server('--save', '3600 1', '--enable-protected-configs', 'yes'))
})
afterAll(async () => {
  admin.disconnect()
  await redis.stop()
})
beforeEach(async () => {
  await admin.flushall()
  await admin.xgroup('CREATE', stream, 'workers', '0', 'MKSTREAM')
})

const configOf = (url: string, sink: object = {}, more: object = {}): object => ({
  ...healthy,
  sink: { use: 'redis-stream', url, connectTimeoutMs: 400, healthCheckTimeoutMs: 400, ...sink },
  retry: { attempts: 1 },
  ...more,
})

const folderFor = (sink: object = {}, more: object = {}): Promise<string> => folderOf(configOf(redis.url, sink, more))

const saidOf = (ran: Examined, code: string): string | undefined =>
  ran.json.checks.find((check) => check.code === code)?.found

/** Does what a finding says: its commands, as they stand there. */
async function obey(ran: Examined, code: string, env: Record<string, string> = {}): Promise<string[]> {
  const todo = ran.json.checks.find((check) => check.code === code)?.todo ?? ''
  const commands = [...todo.matchAll(/`(redis-cli [^`]+)`/g)].map(([, command = '']) => command)
  expect(commands.length, todo).toBeGreaterThan(0)
  for (const command of commands) {
    const { stdout } = await promisify(execFile)('sh', ['-c', command], { env: { ...process.env, ...env } })
    expect(stdout, command).not.toMatch(/ERR|NOAUTH|NOPERM/)
  }
  return commands
}

async function read(group: string): Promise<void> {
  await admin.xreadgroup('GROUP', group, 'one', 'COUNT', 1_000, 'STREAMS', stream, '>')
}

/** Settings of the server, until the test ends. */
async function setting(name: string, value: string): Promise<void> {
  const before = await admin.config('GET', name)
  await admin.config('SET', name, value)
  onTestFinished(async () => {
    await admin.config('SET', name, Array.isArray(before) ? String(before[1]) : '')
  })
}

describe('the server', () => {
  it('may delete the stream, is full, keeps nothing, has too few replicas', async () => {
    const cwd = await folderFor({ durability: { replicas: 2 } })
    const used = Number(/^used_memory:(\d+)/m.exec(await admin.info('memory'))?.[1])
    await setting('maxmemory-policy', 'allkeys-lru')
    await setting('maxmemory', String(Math.ceil(used * 1.07)))
    await setting('save', '')
    await setting('min-replicas-to-write', '1')
    const ran = await doctor(cwd)
    expectFound(ran, 78, 'redis-policy', 'redis-memory', 'redis-persistence', 'redis-replicas', 'redis-durability')
    await obey(ran, 'redis-policy')
    expect(await admin.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction'])
    expect(saidOf(ran, 'redis-replicas')).toBe('0 of 1 that it needs are connected')
    expect(saidOf(ran, 'redis-durability')).toBe('a batch waits for 2 replicas, and 0 keep up')
    expect(ran.stderr).toBe('')
  })

  it('has another clock; lets keys of owm expire; could not write its snapshot', async () => {
    const cwd = await folderFor()
    await owm(['produce'], { cwd })
    await read('workers')
    await admin.pexpire(`{${stream}}:owm:slots`, 3_600_000)
    const ran = await doctor(cwd, [], at(new Date(Date.now() + 120_000).toISOString()))
    expectFound(ran, 75, 'redis-clock', 'redis-expiry')
    expect(saidOf(ran, 'redis-expiry')).toMatch(/:owm:slots expires in 59 min|1 h/)
    const gone = join(redis.directory, 'gone')
    await mkdir(gone)
    await setting('dir', gone)
    await rm(gone, { recursive: true })
    await admin.bgsave().catch(() => undefined)
    await until(async () => (await admin.info('persistence')).includes('rdb_last_bgsave_status:err'))
    expectFound(await doctor(cwd), 75, 'redis-save')
    await setting('stop-writes-on-bgsave-error', 'no')
    await obey(ran, 'redis-expiry')
    expect(await admin.pttl(`{${stream}}:owm:slots`)).toBe(-1)
    expectFound(await doctor(cwd), 75, 'redis-save')
    await admin.config('SET', 'dir', redis.directory)
    await admin.bgsave() // what the finding says
    await until(async () => (await admin.info('persistence')).includes('rdb_last_bgsave_status:ok'))
  })

  it('refuses the password, commands, or any answer; the password would go over the network', async () => {
    const [user, password] = ['narrow', 'tr0ub4dor']
    const rights = ['~*', '+@all', '-xadd', '-time']
    await admin.call('ACL', 'SETUSER', user, 'on', `>${password}`, ...rights)
    const url = redis.url.replace('://', `://${user}:${password}@`)
    const cwd = await folderFor({ url })
    const narrow = await doctor(cwd)
    expectFound(narrow, 78, 'redis-commands')
    expect(saidOf(narrow, 'redis-commands')).toBe(`not allowed: TIME; XADD on ${stream}`)
    const wrong = await doctor(cwd, ['--set', `sink.url=${url.replace(password, 'mistyped')}`])
    expectFound(wrong, 78, 'redis-refused')
    expectFound(
      await doctor(cwd, ['--set', `sink.url=redis://:${password}@192.0.2.1`]),
      75,
      'redis-tls',
      'redis-reachable',
    )
    await redis.kill('SIGSTOP')
    const stopped = await doctor(cwd).finally(() => redis.kill('SIGCONT'))
    expectFound(stopped, 75, 'redis-reachable')
    expect(stopped.json.unknown).toBeGreaterThan(15)
    for (const ran of [narrow, wrong, stopped]) expect(ran.stdout + ran.stderr).not.toMatch(/tr0ub4dor|mistyped/)
  })

  it('is given commands as the user of the configuration, in its database, without the password', async () => {
    const [user, password] = ["o'wm", 'tr0ub4dor']
    await admin.call('ACL', 'SETUSER', user, 'on', `>${password}`, '~*', '+@all')
    const cwd = await folderFor({ username: user, password, database: 3, stream: 'a b' })
    await owm(['produce'], { cwd })
    const ran = await doctor(cwd)
    expectFound(ran, 0, 'redis-no-group')
    await obey(ran, 'redis-no-group', { REDISCLI_AUTH: password })
    expectFound(await doctor(cwd), 0)
    const todo = ran.json.checks.find(({ code }) => code === 'redis-no-group')?.todo
    expect(todo).toContain(` -n 3 --user 'o'\\''wm' XGROUP CREATE 'a b' workers 0`)
    expect(todo).toMatch(/the password from REDISCLI_AUTH in its environment\.$/)
    expect(ran.stdout).not.toContain(password)
  })

  it('is a replica that lags, and a cluster that is down', async () => {
    const next = await server('--save', '3600 1')
    onTestFinished(() => next.redis.stop())
    await next.admin.replicaof('127.0.0.1', redis.port)
    await until(async () => (await next.admin.info('replication')).includes('master_link_status:up'))
    expectFound(await doctor(await folderFor({ url: next.redis.url })), 75, 'redis-replica')
    next.admin.disconnect()
    const cluster = await server('--save', '3600 1', '--cluster-enabled', 'yes')
    onTestFinished(() => cluster.redis.stop())
    expectFound(await doctor(await folderFor({ url: cluster.redis.url })), 75, 'redis-cluster')
    cluster.admin.disconnect()
    if (!isLong) return
    await next.redis.kill('SIGSTOP')
    await until(async () => /^slave0:.*lag=1[1-9]/m.test(await admin.info('replication')))
    expectFound(await doctor(await folderFor()), 0, 'redis-replica-lag')
  })

  it.each([
    ['4.0.14', 78, ['redis-version', 'redis-lag']],
    ['6.2.14', 0, ['redis-lag']],
  ])('is Redis %s, by what it says', async (version, exitCode, codes) => {
    // A real server, whose INFO says another version of the same length.
    const relay = createServer((client) => {
      const behind = connect(redis.port, '127.0.0.1')
      client.pipe(behind).on('error', () => client.destroy())
      client.on('error', () => behind.destroy())
      behind.on('data', (data) =>
        client.write(data.toString('latin1').replace(/(redis_version:)[\d.]+/, `$1${version}`), 'latin1'),
      )
      behind.on('close', () => client.destroy())
    })
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => new Promise<void>((resolve) => relay.close(() => resolve())))
    const address = relay.address()
    const port = typeof address === 'object' ? address?.port : undefined
    expectFound(await doctor(await folderFor({ url: `redis://127.0.0.1:${port}` })), exitCode, ...codes)
  })
})

describe('the stream', () => {
  const old = (index: number): string => `${Date.now() - 7_200_000 + index}-0`

  it('is too long for its bound, unread, and its group has stopped reading', async () => {
    for (let index = 0; index < 25; index++) await admin.xadd(stream, old(index), 'data', '{}')
    const ran = await doctor(await folderFor({ maxLength: 10, onFull: 'hold' }))
    expectFound(ran, 75, 'redis-length', 'redis-unread', 'redis-abandoned-group')
    expect(saidOf(ran, 'redis-abandoned-group')).toMatch(
      /group workers has 25 unread .* of 1 h 59 min|2 h .* no consumer/,
    )
    const destroyed = await obey(ran, 'redis-abandoned-group')
    expect(destroyed[0]).toBe(`redis-cli -h 127.0.0.1 -p ${redis.port} XGROUP DESTROY ${stream} workers`)
    expect(await admin.xinfo('GROUPS', stream)).toEqual([])
    await admin.xgroup('CREATE', stream, 'workers', '0')
    await read('workers')
    expectFound(await doctor(await folderFor({ maxLength: 25 })), 0)
  })

  it('has no group; then one that was made behind all entries; and another outbox writes to it', async () => {
    const [cwd, other] = [await folderFor(), await folderFor()]
    await admin.xgroup('DESTROY', stream, 'workers')
    for (const folder of [cwd, other]) expect((await owm(['produce'], { cwd: folder })).code).toBe(0)
    const none = await doctor(cwd)
    expectFound(none, 0, 'redis-no-group', 'redis-fences')
    const { why, todo } = none.json.checks.find(({ code }) => code === 'redis-fences') ?? {}
    expect(`${why} ${todo}`).toMatch(/the same one, and workers that skip by task_id .* taskNamespace/)
    await obey(none, 'redis-no-group')
    await admin.xgroup('DESTROY', stream, 'workers')
    await admin.xgroup('CREATE', stream, 'late', '$')
    const late = await doctor(cwd)
    expectFound(late, 75, 'redis-late-group', 'redis-fences')
    expect(saidOf(late, 'redis-late-group')).toMatch(/^40 entries from .* came before late/)
    await obey(late, 'redis-late-group')
    expectFound(await doctor(cwd), 0, 'redis-fences')
  })

  it('has a bound that one slot exceeds, and the run waits for readers', async () => {
    const cwd = await folderFor({ maxLength: 15 }, { source: { use: './long.mjs' } })
    await writeFile(join(cwd, 'long.mjs'), longList(20))
    expect((await owm(['produce'], { cwd })).code).toBe(75)
    await read('workers')
    const ran = await doctor(cwd)
    expectFound(ran, 75, 'outbox-pending', 'outbox-runs', 'redis-bound')
    expect(saidOf(ran, 'redis-bound')).toBe('the newest slot has 20 tasks; the bound is 15 entries')
    expect(saidOf(ran, 'outbox-space')).toMatch(/and 20 tasks of a run take/)
    expect(saidOf(ran, 'source-count')).toMatch(/too long to be counted here; the newest run, of .*, read 20$/)
    const more = ['--set', 'sink.maxLength=100'] // what the finding says
    expect((await owm(['flush', ...more], { cwd })).code).toBe(0)
    expectFound(await doctor(cwd, more), 0)
  })

  it('is gone, with all that was delivered', async () => {
    const cwd = await folderFor()
    await owm(['produce'], { cwd })
    await owm(['produce', '--slot', '2026-11-23T10:00:00Z'], { cwd })
    await admin.flushall()
    const lost = await doctor(cwd)
    expectFound(lost, 75, 'sink-receipts')
    expect(saidOf(lost, 'sink-receipts')).toMatch(/, nor of 1 other slot: 40 tasks$/)
    await owm(['flush'], { cwd }) // what the finding says
    expectFound(await doctor(cwd), 0, 'redis-no-group')
  })

  it.each(['DEL', 'RENAME'])('is gone by %s, and the keys beside it are there', async (command) => {
    const cwd = await folderFor()
    await owm(['produce'], { cwd })
    await (command === 'DEL' ? admin.del(stream) : admin.rename(stream, 'elsewhere'))
    const gone = await doctor(cwd)
    expectFound(gone, 75, 'redis-tasks', 'sink-receipts')
    expect(saidOf(gone, 'redis-tasks')).toBe(`entries of ${stream}: 0 ever; 20 when owm last added to it`)
    await owm(['flush'], { cwd }) // what the finding says
    expect(await admin.xlen(stream)).toBe(20)
    expectFound(await doctor(cwd), 0, 'redis-no-group')
  })

  it('answers again: its circuit closes by itself, and the run remembers what was the matter', async () => {
    const cwd = await folderFor({}, { breaker: { failures: 1, resetAfterMs: 600_000 } })
    const slot = '2026-11-23T10:00:00Z'
    const away = ['produce', '--slot', slot, '--set', 'sink.url=redis://127.0.0.1:1']
    expect((await owm(away, { cwd })).code).toBe(75)
    expectFound(await doctor(cwd), 75, 'outbox-circuit-closing', 'outbox-pending', 'outbox-runs')
    const dry = await owm(['flush', '--dry-run'], { cwd })
    expect(dry.stdout).toMatch(/^dry run: 20 tasks of 20 pending would be delivered to redis-stream; it was not asked:/)
    const flushed = await owm(['flush', '--force', '--set', 'sink.url=redis://127.0.0.1:1'], { cwd })
    expect(flushed.code).toBe(75)
    expect((await owm(['flush', '--force'], { cwd })).code).toBe(0)
    const { json, stdout } = await owmJson<ShowResult>(['runs', 'show', slot], { cwd })
    const [run] = json.runs
    expect(run, stdout).toMatchObject({
      state: 'done',
      lastError: null,
      lastFailure: expect.stringContaining('127.0.0.1'),
    })
    expect(run?.next).toContain(`owm verify --slot ${slot}`)
  })

  it('is no stream', async () => {
    await admin.del(stream)
    await admin.set(stream, 'something else')
    expectFound(await doctor(await folderFor()), 78, 'redis-stream')
  })

  it.each(['stream', 'slots'])('has beside it a key of a wrong type: %s', async (name) => {
    const key = `{${stream}}:owm:${name}`
    const cwd = await folderFor()
    await admin.del(key)
    await admin.set(key, 'something else')
    const ran = await doctor(cwd)
    expectFound(ran, 78, 'redis-stream')
    expect(saidOf(ran, 'redis-stream')).toContain(key)
    for (const command of [
      ['produce', '--slot', '2026-11-23T10:00:00Z'],
      ['config', 'check', '--connect'],
    ]) {
      const { code, stdout, stderr } = await owm(command, { cwd })
      expect({ code, said: stdout + stderr }).toEqual({ code: 78, said: expect.stringContaining(`the key ${key},`) })
      expect(stdout + stderr).toContain('(RENAME)')
    }
    await admin.del(key)
    expect((await owm(['flush'], { cwd })).code).toBe(0)
  })

  it.each(['receipts', 'receipts-by-time'])('has a key of a wrong type for its %s', async (name) => {
    const cwd = await folderFor()
    await owm(['produce', '--slot', '2026-11-23T10:00:00Z'], { cwd })
    const [found = ''] = await admin.keys(`*:owm:${name}:*`)
    await admin.del(found)
    await admin.set(found, 'something else')
    const { code, stdout, stderr } = await owm(['produce', '--slot', '2026-11-23T11:00:00Z'], { cwd })
    expect({ code, said: stdout + stderr }).toEqual({ code: 78, said: expect.stringContaining(`the key ${found},`) })
  })

  it('lost the tasks of a slot that is too old to be delivered again', async () => {
    const cwd = await folderFor()
    const now = Date.now()
    const started = (daysAgo: number) =>
      owm(['produce'], { cwd, ...at(new Date(now - daysAgo * 86_400_000).toISOString()) })
    expect((await started(3)).code).toBe(0)
    await admin.flushall()
    await started(0)
    await admin.xgroup('CREATE', stream, 'workers', '0')
    await read('workers')
    expectFound(await doctor(cwd), 75, 'schedule-lost')
  })
})
