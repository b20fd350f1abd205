/**
 * What the fault tests of the Redis sink share: a server, a proxy in front of it,
 * a folder with a configuration that goes through the proxy, and an oracle that
 * looks into the stream itself and never trusts owm's own counters.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { expect, onTestFinished } from 'vitest'
import { folderWith, owm, owmJson, type Ran, type RunOptions } from './cli.js'
import { type FaultProxy, startProxy } from './proxy.js'
import { type RedisProcess, startRedisProcess } from './redis.js'

export const stream = 'owm-ingestion-stream'
export const slot = '2026-11-23T10:00:00Z'
/** Stands in every URL that owm is given, and must stand nowhere in what it leaves behind. */
export const secret = 'tr0ub4dor-and-a-half'
export const user = 'pipeline'

/** For redis-server: a user that may do everything, with the secret as its password. */
export const userArgs = ['--user', user, 'on', `>${secret}`, '~*', '&*', '+@all']

export interface Settings {
  source?: Record<string, unknown>
  sink?: Record<string, unknown>
  retry?: Record<string, unknown>
  breaker?: Record<string, unknown>
  flush?: Record<string, unknown>
  schedule?: Record<string, unknown>
  cadence?: Record<string, unknown>
}

export interface SceneOptions {
  /** Locations of the source: 1, 2, … */
  count?: number
  /** More arguments for redis-server. */
  redis?: readonly string[]
  settings?: Settings
}

export interface Timed extends Ran {
  ms: number
}

export interface Scene {
  readonly count: number
  readonly redis: RedisProcess
  /** Straight to the server, as its administrator. It reconnects by itself. */
  readonly admin: Redis
  readonly proxy: FaultProxy
  readonly folder: string
  /** The URL that leads through the proxy, secret included. */
  readonly url: string
  /** Runs owm in the folder; checks each time that it told nobody the secret. */
  owm(args: readonly string[], options?: RunOptions): Promise<Timed>
  owmJson<T>(args: readonly string[], options?: RunOptions): Promise<Timed & { json: T }>
  /** The place of each stream entry, in the stream's order. */
  delivered(): Promise<string[]>
  /** The place of each task that `outbox inspect` calls pending. */
  pending(): Promise<string[]>
}

/** A server, a proxy, a configuration; all of it goes when the test ends. */
export async function redisScene({
  count = 2_500,
  redis: args = [],
  settings = {},
}: SceneOptions = {}): Promise<Scene> {
  const redis = await startRedisProcess({ args: [...userArgs, ...args] })
  onTestFinished(() => redis.stop())
  const proxy = await startProxy(redis)
  onTestFinished(() => proxy.stop())
  const admin = administrator(redis)
  const url = `redis://${user}:${secret}@${proxy.host}:${proxy.port}`
  const folder = await folderWith({
    source: { use: 'simulated-db', count, ...settings.source },
    sink: { use: 'redis-stream', url, ...settings.sink },
    outbox: { path: './outbox.db' },
    // Small, so that a test ends; a breaker that stays out of the way.
    retry: { attempts: 3, initialDelayMs: 20, maxDelayMs: 100, ...settings.retry },
    breaker: { failures: 1_000, ...settings.breaker },
    ...(settings.flush ? { flush: settings.flush } : {}),
    ...(settings.schedule ? { schedule: settings.schedule } : {}),
    ...(settings.cadence ? { cadence: settings.cadence } : {}),
  })

  async function watched<R extends Ran>(run: () => Promise<R>): Promise<R & Timed> {
    const started = performance.now()
    const ran = await run()
    const ms = performance.now() - started
    for (const text of [ran.stdout, ran.stderr, ...(await filesIn(folder))]) expect(text).not.toContain(secret)
    return { ...ran, ms }
  }

  return {
    count,
    redis,
    admin,
    proxy,
    folder,
    url,
    owm: (args, options) => watched(() => owm(args, { cwd: folder, ...options })),
    owmJson: <T>(args: readonly string[], options?: RunOptions) =>
      watched(() => owmJson<T>(args, { cwd: folder, ...options })),
    delivered: async () => placesOf(await admin.xrange(stream, '-', '+')),
    async pending() {
      const { json } = await owmJson<{ tasks: { task: { location_id: number } }[] }>(
        ['outbox', 'inspect', '--state', 'pending', '--limit', '1000000'],
        {
          cwd: folder,
        },
      )
      return json.tasks.map(({ task }) => `place ${task.location_id}`)
    },
  }
}

/** A connection of the test's own. */
export function administrator({ host, port }: { host: string; port: number }): Redis {
  const admin = new Redis({
    host,
    port,
    username: user,
    password: secret,
    enableReadyCheck: false,
    maxRetriesPerRequest: null,
    retryStrategy: () => 50,
  })
  admin.on('error', () => undefined) // the server is killed on purpose
  onTestFinished(() => admin.disconnect())
  return admin
}

export function placesOf(entries: readonly [id: string, fields: string[]][]): string[] {
  return entries.map(([, [field, data]]) => {
    const task: unknown = JSON.parse(field === 'data' && data !== undefined ? data : 'null')
    if (typeof task === 'object' && task !== null && 'location_id' in task) return `place ${task.location_id}`
    throw new Error(`an entry is no task: ${field} ${data}`)
  })
}

/** `place 1` … `place count`: the ids that `simulated-db` gives, in its order; its names aren't unique. */
export const places = (count: number): string[] => Array.from({ length: count }, (_, index) => `place ${index + 1}`)

/** How often owm said on standard error that it tries again. */
export const retriesIn = ({ stderr }: Ran): number => stderr.split('a call failed and is tried again').length - 1

/** Every location is in the stream, once, in order. */
export async function expectAllOnce(scene: Scene): Promise<void> {
  expect(await scene.delivered()).toEqual(places(scene.count))
}

/** Nothing is in the stream twice, and what isn't there is still pending in the outbox. */
export async function expectAccounted(scene: Scene): Promise<{ delivered: number; pending: number }> {
  const delivered = await scene.delivered()
  const pending = await scene.pending()
  expect(delivered).toEqual(places(delivered.length))
  expect(new Set([...delivered, ...pending])).toEqual(new Set(places(scene.count)))
  expect(new Set(pending).size).toBe(pending.length)
  return { delivered: delivered.length, pending: pending.length }
}

async function filesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('outbox.db'))
  return Promise.all(names.map((name) => readFile(join(folder, name), 'latin1')))
}
