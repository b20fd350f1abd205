/** Set-ups in which nothing is wrong: `owm doctor` finds nothing there, and exits 0. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { owm, owmJson, root, startOwm, until } from '../support/cli.js'
import { isLong } from '../support/conditions.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'
import { at, doctor, expectFound, folderOf, healthy } from './scene.js'

const stream = 'owm-ingestion-stream'
let redis: RedisProcess
let admin: Redis

beforeAll(async () => {
  redis = await startRedisProcess({ args: ['--save', '3600 1'] })
  admin = new Redis(redis.url)
})
afterAll(async () => {
  admin.disconnect()
  await redis.stop()
})

/** With a group that has read everything. */
async function groupOn(key: string, client = admin): Promise<void> {
  await client.xgroup('CREATE', key, 'workers', '0', 'MKSTREAM').catch(() => undefined)
  await client.xreadgroup('GROUP', 'workers', 'one', 'COUNT', 10_000, 'STREAMS', key, '>')
}

let last = 0
/** A sink with a stream of its own. */
const sinkOn = (more: object = {}): { use: string; url: string; stream: string } => {
  return { use: 'redis-stream', url: redis.url, stream: `${stream}-${++last}`, ...more }
}

/** As the documentation has them, for the stream that it names. */
const documented = /ACL SETUSER owm on >password([^`]*)```/.exec(
  readFileSync(join(root, 'docs', 'sinks.md'), 'utf8'),
)?.[1]
const rightsFor = (key: string): string[] => [
  ...['on', '>tr0ub4dor'],
  ...(documented ?? '').trim().replaceAll('owm-ingestion-stream', key).split(/\s+/),
]

async function clusterOfOne(): Promise<string> {
  const one = await startRedisProcess({ args: ['--cluster-enabled', 'yes', '--appendonly', 'yes'] })
  onTestFinished(() => one.stop())
  const client = new Redis(one.url)
  await client.cluster('ADDSLOTSRANGE', 0, 16_383)
  await until(async () => (await client.cluster('INFO')).includes('cluster_state:ok'))
  await groupOn(stream, client)
  client.disconnect()
  return one.url
}

async function tlsServer(): Promise<{ url: string; authority: string }> {
  const free = await startRedisProcess()
  await free.stop()
  const folder = await folderOf()
  const args = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'key',
    '-out',
    'crt',
    '-subj',
    '/CN=owm-test',
  ]
  execFileSync('openssl', [...args, '-addext', 'subjectAltName=IP:127.0.0.1'], { cwd: folder, stdio: 'ignore' })
  const file = (name: string): string => join(folder, name)
  const files = ['--tls-cert-file', file('crt'), '--tls-key-file', file('key'), '--tls-ca-cert-file', file('crt')]
  const tls = ['--tls-port', `${free.port}`, ...files, '--tls-auth-clients', 'no', '--appendonly', 'yes']
  const server = await startRedisProcess({ args: tls })
  onTestFinished(() => server.stop())
  return { url: `rediss://127.0.0.1:${free.port}`, authority: file('crt') }
}

const csv = 'id,name,lat,lon\n1,Bern,46.9,7.4\n2,Oslo,59.9,10.7\n'
const inline = { use: 'static-list', locations: [{ city: 'Bern', latitude: 46.9, longitude: 7.4 }] }

interface Setup {
  config: object
  files?: Record<string, string>
  /** What was done before; by default one run. */
  before?: (cwd: string) => Promise<unknown>
  args?: readonly string[]
  env?: Record<string, string>
}

const produce = async (cwd: string, ...args: string[]): Promise<void> => {
  const { code, stderr } = await owm(['produce', ...args], { cwd })
  expect({ code }, stderr).toEqual({ code: 0 })
}

/** One run, then its readers read all. */
const readBy =
  (sink: { stream: string }) =>
  async (cwd: string): Promise<void> => {
    await groupOn(sink.stream)
    await produce(cwd)
    await groupOn(sink.stream)
  }

function onRedis(more: object = {}, rest: object = {}): Setup {
  const sink = sinkOn(more)
  return { config: { ...healthy, sink, ...rest }, before: readBy(sink) }
}

const plain: Record<string, () => Promise<Setup>> = {
  'nothing was run yet': async () => ({ config: healthy, before: async () => undefined }),
  'a file of tasks': async () => ({ config: healthy }),
  'a stream, and a group that has read all': async () => onRedis(),
  'a user with exactly the rights that owm needs': async () => {
    const setup = onRedis()
    const { stream: key } = sinkOf(setup)
    await admin.call('ACL', 'SETUSER', `exact-${last}`, ...rightsFor(key))
    const url = redis.url.replace('://', `://exact-${last}:tr0ub4dor@`)
    return { ...setup, config: { ...setup.config, sink: { ...sinkOf(setup), url } } }
  },
  'shards, each with an outbox of its own': async () => {
    const setup = onRedis()
    const shard = (index: number) => ['--shard', `${index}/2`, '--outbox', `o${index}.db`]
    const before = async (cwd: string) => {
      for (const index of [0, 1]) await produce(cwd, '--slot', '2026-11-23T10:00:00Z', ...shard(index))
      await groupOn(sinkOf(setup).stream)
    }
    return { ...setup, before, args: ['--set', 'source.shard=0/2', '--outbox', 'o0.db'] }
  },
  'a share, behind a slot that was served whole': async () => {
    const setup = onRedis()
    const before = async (cwd: string) => {
      await produce(cwd, '--slot', '2026-11-23T10:00:00Z')
      await produce(cwd, '--slot', '2026-11-23T11:00:00Z', '--shard', '0/4')
      await groupOn(sinkOf(setup).stream)
    }
    return { ...setup, before, args: ['--set', 'source.shard=0/4'] }
  },
  'a schedule that is kept': async () => {
    const config = { ...healthy, schedule: { cron: '0 * * * *' } }
    return { config, before: (cwd) => produce(cwd) }
  },
  'several pipelines in one stream, each with its own task ids': async () => {
    const { config } = onRedis({}, { taskNamespace: 'pipeline' })
    const pipelines = { one: { source: inline }, two: { source: { use: 'simulated-db', count: 3 } } }
    const sink = sinkOf({ config })
    const before = async (cwd: string) => {
      for (const name of ['one', 'two']) await produce(cwd, '--pipeline', name)
      await groupOn(sink.stream)
    }
    return { config: { ...config, pipelines }, before }
  },
  'a cluster': async () => {
    const url = await clusterOfOne()
    return { config: { ...healthy, sink: { use: 'redis-stream', url } } }
  },
  TLS: async () => {
    const { url, authority } = await tlsServer()
    const config = { ...healthy, sink: { use: 'redis-stream', url } }
    return { config, env: { NODE_EXTRA_CA_CERTS: authority }, before: async () => undefined }
  },
}

const more: Record<string, () => Promise<Setup>> = {
  'a list in a file': async () => ({
    config: { ...healthy, source: { use: 'static-list', file: './a.csv' } },
    files: { 'a.csv': csv },
  }),
  'a list in the configuration, with filters': async () => ({
    config: { ...healthy, source: { ...inline, where: { city: 'Bern' } } },
  }),
  'an API': async () => {
    const server = createServer((_, answer) => answer.end('[{"city":"Bern","latitude":46.9,"longitude":7.4}]'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())))
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    return {
      config: { ...healthy, source: { use: 'http', url: `http://127.0.0.1:${port}/`, pagination: { type: 'link' } } },
    }
  },
  'a stream that holds back when it is full': async () => onRedis({ onFull: 'hold', maxLength: 1_000 }),
  'a stream that is full of what was read': async () => onRedis({ maxLength: 20 }),
  'snapshots and another database': async () => {
    const sink = sinkOn({ url: `${redis.url}/3` })
    const client = new Redis(`${redis.url}/3`)
    onTestFinished(() => client.disconnect())
    await groupOn(sink.stream, client)
    return { config: { ...healthy, sink } }
  },
  'an append-only file': async () => {
    await admin.config('SET', 'appendonly', 'yes')
    onTestFinished(async () => {
      await admin.config('SET', 'appendonly', 'no')
    })
    return onRedis()
  },
  'a policy that only removes what expires': async () => {
    await admin.config('SET', 'maxmemory-policy', 'volatile-lru')
    onTestFinished(async () => {
      await admin.config('SET', 'maxmemory-policy', 'noeviction')
    })
    return onRedis()
  },
  'replicas, as many as it needs': async () => {
    const replica = await startRedisProcess({ args: ['--replicaof', '127.0.0.1', `${redis.port}`] })
    onTestFinished(() => replica.stop())
    await until(async () => /^slave0:.*state=online/m.test(await admin.info('replication')))
    await admin.config('SET', 'min-replicas-to-write', '1')
    onTestFinished(async () => {
      await admin.config('SET', 'min-replicas-to-write', '0')
    })
    return onRedis()
  },
  'two groups, of which one works': async () => {
    const setup = onRedis()
    const { stream: key } = sinkOf(setup)
    const before = async (cwd: string) => {
      await setup.before?.(cwd)
      await admin.xgroup('CREATE', key, 'new', '$')
    }
    return { ...setup, before }
  },
  'a group that was there before the first run': async () => {
    const setup = onRedis()
    const before = async (cwd: string) => {
      await admin.xgroup('CREATE', sinkOf(setup).stream, 'workers', '$', 'MKSTREAM')
      await produce(cwd)
    }
    return { ...setup, before }
  },
  'a name with braces': async () => onRedis({ stream: 'weather{tasks}' }),
  'a stream that was deleted, and a run since': async () => {
    const setup = onRedis()
    const { stream: key } = sinkOf(setup)
    const before = async (cwd: string) => {
      await setup.before?.(cwd)
      await admin.del(key)
      await setup.before?.(cwd)
    }
    return { ...setup, before }
  },
  'a schedule of which nothing was run': async () => ({
    config: { ...healthy, schedule: { cron: '@hourly' } },
    before: async () => undefined,
  }),
  'a cadence': async () => ({ config: { ...healthy, schedule: { cron: '0 * * * *' }, cadence: { default: '6h' } } }),
  'the limits of a weather API': async () => ({ config: { ...healthy, plan: { limitPerDay: 100_000 } } }),
  'a run that was repeated': async () => ({
    config: healthy,
    before: async (cwd) => {
      for (const _ of [1, 2]) await produce(cwd, '--slot', '2026-11-23T10:00:00Z')
    },
  }),
  'an outbox that was purged': async () => ({
    config: healthy,
    before: async (cwd) => {
      await produce(cwd)
      await owm(['outbox', 'purge', '--dead', '--yes'], { cwd })
    },
  }),
  'a run under way': async () => ({
    config: { ...healthy, source: { use: 'simulated-db', count: 300_000 } },
    before: async (cwd) => {
      const running = startOwm(['produce'], { cwd })
      onTestFinished(async () => {
        running.child.kill('SIGKILL')
        await running.ended
      })
      await until(async () => (await owm(['outbox', 'inspect'], { cwd })).stdout.includes('reading'))
    },
  }),
  'no plugin that is known': async () => ({
    config: { ...healthy, source: { use: './own.mjs' } },
    files: {
      'own.mjs': `export default { kind: 'source', name: 'own', description: 'own',
        options: { safeParse: (data) => ({ success: true, data }) },
        open: () => ({ async *read() {
          yield { resume: '1', position: () => 'a', locations: [{ city: 'Bern', latitude: 46.9, longitude: 7.4 }] }
        } }) }`,
    },
  }),
}

const sinkOf = ({ config }: Setup): { stream: string } =>
  'sink' in config && typeof config.sink === 'object' && config.sink !== null && 'stream' in config.sink
    ? { ...config.sink, stream: String(config.sink.stream) }
    : { stream }

const setups = Object.entries({ ...plain, ...(isLong ? more : {}) })

it.each(setups)('nothing is wrong: %s', async (_, make) => {
  const { config, files, before = produce, args = [], env = {} } = await make()
  const cwd = await folderOf(config, files)
  await before(cwd)
  expectFound(await doctor(cwd, args, { env }), 0)
})

it('one line says so, and nothing at all with --quiet', async () => {
  const cwd = await folderOf()
  expect((await owm(['doctor'], { cwd })).stdout.trimEnd().split('\n').at(-1)).toMatch(/^\d+ checks: nothing is wrong$/)
  expect(await owm(['doctor', '--quiet'], { cwd })).toMatchObject({ code: 0, stdout: '', stderr: '' })
})

it('an outbox is as it was, byte for byte, and so is the stream', async () => {
  const { config, before } = onRedis()
  const cwd = await folderOf(config)
  await before?.(cwd)
  const inspect = () => owmJson(['outbox', 'inspect', '--state', 'delivered'], { cwd })
  const [seen, keys] = [await inspect(), (await admin.keys('*')).sort()]
  expectFound(await doctor(cwd, [], at(new Date().toISOString())), 0)
  expect((await inspect()).json).toEqual(seen.json)
  expect((await admin.keys('*')).sort()).toEqual(keys)
})
