/**
 * Every fault that a Redis can have: the right class, the right exit code, in bounded time, with a message that helps,
 * and every task accounted for. Each test proves that its fault really happened.
 */
import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { until } from '../support/cli.js'
import { startProxy } from '../support/proxy.js'
import { startRedisProcess } from '../support/redis.js'
import {
  budget,
  expectConfiguration,
  expectHelp,
  expectRidden,
  expectTransient,
  keepsItsData,
  type Produced,
  patient,
  ping,
  produce,
} from '../support/redis-faults.js'
import {
  administrator,
  expectAllOnce,
  redisScene,
  retriesIn,
  type Scene,
  secret,
  stream,
  user,
  userArgs,
} from '../support/redis-scene.js'

describe('the server dies', () => {
  test('killed in the middle of a run and started again: the run rides it out', async () => {
    const scene = await redisScene({ redis: keepsItsData, settings: { retry: patient } })
    const before = scene.redis.pid
    scene.proxy.onScript(3, {
      before: async () => {
        await scene.redis.kill('SIGKILL')
        await scene.redis.restart()
      },
    })
    await expectRidden(scene, 0, 500)
    expect(scene.proxy.counts.hooks).toBe(1)
    expect(scene.redis.pid).not.toBe(before)
  })

  test('killed after a batch was applied, before its reply: nothing twice', async () => {
    const scene = await redisScene({ redis: keepsItsData, settings: { retry: patient } })
    const before = scene.redis.pid
    scene.proxy.onScript(3, {
      after: async () => {
        await scene.redis.kill('SIGKILL')
        await scene.redis.restart()
      },
    })
    await expectRidden(scene, 500, 1000)
    expect(scene.proxy.counts).toMatchObject({ hooks: 1, repliesDropped: 1 })
    expect(scene.redis.pid).not.toBe(before)
  })

  test('killed and not started again: 75, and flush finishes when it is back', async () => {
    const scene = await redisScene({ redis: keepsItsData })
    scene.proxy.onScript(3, { before: () => scene.redis.kill('SIGKILL') })
    await expectTransient(scene, {
      cause: /Redis at 127\.0\.0\.1:\d+ can't be reached/,
      nextStep: /whether the server runs/,
      within: budget(5_000),
      repair: async () => {
        expect(scene.proxy.counts.hooks).toBe(1)
        expect(scene.proxy.counts.unreachable).toBe(2)
        await scene.redis.restart()
      },
    })
  })

  test('killed without a disk: what it lost is delivered again from the history', async () => {
    const scene = await redisScene({ settings: { retry: patient } })
    scene.proxy.onScript(3, {
      before: async () => {
        await scene.redis.kill('SIGKILL')
        await scene.redis.restart()
      },
    })
    const ran = await scene.owm(produce)
    expect(ran.code, ran.stderr).toBe(0)
    expect(scene.proxy.counts.hooks).toBe(1)
    await expectAllOnce(scene)
  })

  test('LOADING its data set, for longer than the retries', async () => {
    const scene = await redisScene({ redis: slowLoading })
    const loaded = await startLoading(scene)
    await expectTransient(scene, {
      cause: /LOADING/,
      nextStep: /reading its data set/,
      within: budget(5_000),
      repair: async () => {
        expect(await ping(scene)).toMatch(/LOADING/)
        await scene.admin.config('SET', 'key-load-delay', '0')
        await loaded.end
      },
    })
  })

  test('LOADING its data set, and done within the retries', async () => {
    const scene = await redisScene({ redis: slowLoading, settings: { retry: patient } })
    const loaded = await startLoading(scene)
    const running = scene.owm(produce)
    await until(() => scene.proxy.counts.connections >= 3)
    expect(await ping(scene)).toMatch(/LOADING/)
    await scene.admin.config('SET', 'key-load-delay', '0')
    const ran = await running
    expect(ran.code, ran.stderr).toBe(0)
    expect(retriesIn(ran)).toBeGreaterThanOrEqual(2)
    await loaded.end
    await expectAllOnce(scene)
  })
})

// A key takes 5 ms to load, so that the test says how long it lasts.
const slowLoading = [
  '--enable-debug-command',
  'yes',
  '--key-load-delay',
  '5000',
  '--loading-process-events-interval-bytes',
  '1024',
]

/** Resolves while the server is LOADING; `end` resolves when it has loaded. */
async function startLoading(scene: Scene): Promise<{ end: Promise<void> }> {
  await scene.admin.call('DEBUG', 'POPULATE', '5000', 'filler', '200')
  await scene.admin.save()
  const end = scene.redis.restart()
  end.catch(() => undefined) // where a test has ended before, it is of no interest
  await until(async () => (await ping(scene)).includes('LOADING'))
  return { end }
}

describe('the server answers, but does not work', () => {
  test('READONLY: it has become a replica', async () => {
    const scene = await redisScene()
    scene.proxy.onScript(3, { before: async () => scene.admin.replicaof('127.0.0.1', await freePort()) })
    await expectTransient(scene, {
      cause: /READONLY/,
      nextStep: /replica.*master/,
      within: budget(5_000),
      repair: async () => {
        expect(await scene.admin.info('replication')).toContain('role:slave')
        await scene.admin.replicaof('NO', 'ONE')
      },
    })
  })

  test('READONLY after a real failover: the rest goes to the new master', async () => {
    const scene = await redisScene()
    const replica = await startRedisProcess({
      args: [...userArgs, '--replicaof', scene.redis.host, `${scene.redis.port}`],
    })
    onTestFinished(() => replica.stop())
    const other = administrator(replica)
    await until(async () => (await other.info('replication')).includes('master_link_status:up'))
    scene.proxy.onScript(3, {
      before: async () => {
        await until(async () => (await other.xlen(stream)) === 1_000) // two batches
        await other.replicaof('NO', 'ONE')
        await scene.admin.replicaof(replica.host, replica.port)
      },
    })
    const ran = await scene.owm(produce)
    expect(ran.code, ran.stderr).toBe(75)
    expect(scene.proxy.counts.hooks).toBe(1)
    expectHelp(ran, /READONLY|LOADING|MASTERDOWN/, /master|data set/)

    const proxy = await startProxy(replica)
    onTestFinished(() => proxy.stop())
    const { code, json, stderr } = await scene.owmJson<Produced>([
      'flush',
      '--set',
      `sink.url=redis://${user}:${secret}@127.0.0.1:${proxy.port}`,
    ])
    expect(code, stderr).toBe(0)
    expect(json.outbox.pending).toBe(0)
    expect(proxy.counts.scripts).toBe(3)
    await until(async () => (await scene.admin.xlen(stream)) === scene.count)
    await expectAllOnce(scene)
  })

  test('OOM: maxmemory is reached and nothing may be evicted', async () => {
    const scene = await redisScene({ redis: ['--maxmemory-policy', 'noeviction'] })
    scene.proxy.onScript(3, { before: () => scene.admin.config('SET', 'maxmemory', '1') })
    await expectTransient(scene, {
      cause: /OOM/,
      nextStep: /maxmemory.*(free memory|raise)/,
      within: budget(5_000),
      repair: async () => {
        expect(scene.proxy.counts).toMatchObject({ hooks: 1, scriptsAnswered: expect.toBeOneOf([5, 6, 7]) })
        await scene.admin.config('SET', 'maxmemory', '0')
      },
    })
  })

  test('MISCONF: the snapshot can not be written', async () => {
    const scene = await redisScene({ redis: ['--enable-protected-configs', 'yes'] })
    const gone = join(scene.redis.directory, 'gone')
    scene.proxy.onScript(3, {
      before: async () => {
        await mkdir(gone)
        await scene.admin.config('SET', 'dir', gone)
        await rm(gone, { recursive: true })
        await scene.admin.config('SET', 'save', '3600 1')
        await scene.admin.bgsave()
        await until(async () => (await scene.admin.info('persistence')).includes('rdb_last_bgsave_status:err'))
      },
    })
    await expectTransient(scene, {
      cause: /MISCONF/,
      nextStep: /snapshot.*disk/,
      within: budget(5_000),
      repair: async () => {
        expect(scene.proxy.counts.hooks).toBe(1)
        await scene.admin.config('SET', 'dir', scene.redis.directory)
        await scene.admin.bgsave()
        await until(async () => (await scene.admin.info('persistence')).includes('rdb_last_bgsave_status:ok'))
      },
    })
  })

  test('CLIENT PAUSE of writes: the command time-out ends it', async () => {
    const scene = await redisScene({ settings: { sink: { commandTimeoutMs: 700, healthCheckTimeoutMs: 500 } } })
    scene.proxy.onScript(3, { before: () => scene.admin.client('PAUSE', 600_000, 'WRITE') })
    await expectTransient(scene, {
      cause: /timed out/,
      nextStep: /whether the server runs/,
      within: budget(1_200),
      repair: async () => {
        expect(scene.proxy.counts).toMatchObject({
          hooks: 1,
          scripts: expect.toBeOneOf([5, 6]),
          scriptsAnswered: expect.toBeOneOf([1, 2]),
        })
        await scene.admin.client('UNPAUSE')
      },
    })
  })

  test('CLIENT PAUSE of everything: the time-outs end it', async () => {
    const scene = await redisScene({ settings: { sink: { commandTimeoutMs: 400, healthCheckTimeoutMs: 400 } } })
    // Even the administrator can't end this one: it ends by itself, well after the retries.
    const pausedMs = 6_000
    let since = 0
    scene.proxy.onScript(3, {
      before: async () => {
        await scene.admin.client('PAUSE', pausedMs, 'ALL')
        since = performance.now()
      },
    })
    await expectTransient(scene, {
      cause: /timed out/,
      nextStep: /whether the server runs/,
      within: budget(400),
      repair: async () => {
        expect(scene.proxy.counts).toMatchObject({
          hooks: 1,
          scripts: expect.toBeOneOf([3, 4]),
          scriptsAnswered: expect.toBeOneOf([1, 2]),
        })
        await scene.admin.ping()
        expect(performance.now() - since).toBeGreaterThan(pausedMs - 100)
      },
    })
  })

  test('SCRIPT FLUSH between batches', async () => {
    const scene = await redisScene()
    for (const n of [1, 2, 3, 4, 5]) scene.proxy.onScript(n, { before: () => scene.admin.script('FLUSH') })
    await expectRidden(scene, 0)
    expect(scene.proxy.counts.hooks).toBe(5)
  })

  test('too many clients', async () => {
    const scene = await redisScene()
    await scene.admin.config('SET', 'maxclients', '1')
    // Without the proxy: a server that says why and hangs up is the fault, and the proxy would be the one to hear it.
    const direct = `redis://${user}:${secret}@${scene.redis.host}:${scene.redis.port}`
    await expectTransient(
      scene,
      {
        cause: /max number of clients reached/,
        nextStep: /maxclients/,
        within: budget(5_000),
        repair: async () => {
          expect(await scene.admin.info('stats')).toMatch(/rejected_connections:3\r/)
          await scene.admin.config('SET', 'maxclients', '100')
        },
      },
      ['--set', `sink.url=${direct}`],
    )
  })
})

describe('the configuration is wrong', () => {
  test('NOAUTH: a password is needed and none is given', async () => {
    const scene = await redisScene({ redis: ['--requirepass', secret] })
    const named = `redis://${scene.proxy.host}:${scene.proxy.port}`
    await expectConfiguration(scene, ['--set', `sink.url=${named}`], { cause: /NOAUTH/, nextStep: /password/ })
  })

  test('WRONGPASS: the password is wrong', async () => {
    const wrong = `${secret}-mistyped`
    const scene = await redisScene()
    const url = `redis://${user}:${wrong}@${scene.proxy.host}:${scene.proxy.port}`
    await expectConfiguration(scene, ['--set', `sink.url=${url}`], { cause: /WRONGPASS/, nextStep: /password/ })
    expect(await scene.admin.call('ACL', 'LOG')).toHaveLength(1)
  })

  test.each([
    ['no script', ['~*', '+@all', '-eval']],
    ['no command inside of the script', ['~*', '+@all', '-xadd']],
    ['no look at the groups', ['~*', '+@all', '-xinfo']],
    ['no question for the fence', ['~*', '+@all', '-hmget']],
    ['not this key', [`%R~*`, '~other', '+@all']],
  ])('NOPERM: the user may run %s', async (_, rights) => {
    const scene = await redisScene({ count: 600 })
    await scene.admin.xadd(stream, '*', 'data', '{"location_id":"earlier"}')
    await scene.admin.call('ACL', 'SETUSER', 'narrow', 'on', `>${secret}`, '&*', ...rights)
    const url = `redis://narrow:${secret}@${scene.proxy.host}:${scene.proxy.port}`
    // A bound that makes the script look at the groups.
    const flags = ['--set', `sink.url=${url}`, '--set', 'sink.maxLength=500']
    await expectConfiguration(scene, flags, { cause: /NOPERM|can't (run|access)|ACL/, nextStep: /ACL SETUSER/ }, () =>
      scene.admin.del(stream),
    )
    expect(await scene.admin.call('ACL', 'LOG')).not.toHaveLength(0)
  })

  test('WRONGTYPE: the key is used for something else', async () => {
    const scene = await redisScene()
    await scene.admin.set(stream, 'something else')
    await expectConfiguration(scene, [], { cause: /WRONGTYPE/, nextStep: /sink\.stream/ }, () =>
      scene.admin.del(stream),
    )
    expect(scene.proxy.counts.scripts).toBeGreaterThan(0)
  })
})

/** A port that nothing listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
