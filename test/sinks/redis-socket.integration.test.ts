/** A Redis behind a Unix socket, with user, password and database as options of their own. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { folderWith, owm, type Ran } from '../support/cli.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'
import { secret, slot, user, userArgs } from '../support/redis-scene.js'

let redis: RedisProcess
let socket: string

beforeAll(async () => {
  redis = await startRedisProcess({ args: [...userArgs, '--unixsocket', 'redis.sock'] })
  socket = join(redis.directory, 'redis.sock')
})
afterAll(() => redis.stop())

async function folder(sink: object): Promise<string> {
  const cwd = await folderWith({
    source: { use: 'simulated-db', count: 100 },
    sink: { use: 'redis-stream', socket, database: 3, username: user, password: `\${file:./password}`, ...sink },
    outbox: { path: './outbox.db' },
    retry: { attempts: 2, initialDelayMs: 20 },
  })
  await writeFile(join(cwd, 'password'), `${secret}\n`)
  return cwd
}

async function told(cwd: string, ...args: string[]): Promise<Ran> {
  const ran = await owm(args, { cwd })
  expect(ran.stdout + ran.stderr).not.toContain(secret)
  return ran
}

it('a run, and each look at it; no secret is shown', async () => {
  const cwd = await folder({})
  expect(await told(cwd, 'produce', '--slot', slot)).toMatchObject({ code: 0, stderr: '' })
  const client = new Redis(socket, { username: user, password: secret, db: 3 })
  expect(await client.xlen('owm-ingestion-stream')).toBe(100)
  client.disconnect()
  const picture = await told(cwd, 'stream', 'inspect', '--json')
  expect(JSON.parse(picture.stdout)).toMatchObject({
    entries: 100,
    sink: { address: `${socket}/3 owm-ingestion-stream` },
  })
  const connected = await told(cwd, 'config', 'check', '--connect')
  expect(connected).toMatchObject({ code: 0, stdout: expect.stringContaining('was opened and answered') })
  expect((await told(cwd, 'doctor')).stdout).toContain(`redis-reachable: ${socket} answers`)
  expect(await told(cwd, 'config', 'show')).toMatchObject({ code: 0, stdout: expect.stringContaining('***') })
  // The same server by its URL is the same sink.
  const url = `redis://${user}:${secret}@${redis.host}:${redis.port}/3`
  const other = { username: undefined, password: undefined, socket: undefined, database: undefined, url }
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify({ sink: { use: 'redis-stream', ...other }, ...rest }))
  expect(await told(cwd, 'verify')).toMatchObject({ code: 0, stdout: expect.stringContaining('none differs') })
  expect(await told(cwd, 'produce', '--slot', '2026-11-23T11:00:00Z')).toMatchObject({ code: 0, stderr: '' })
})

const rest = { source: { use: 'simulated-db', count: 100 }, outbox: { path: './outbox.db' } }

it('a wrong password, no socket, a mistake in the options: what to do, and no secret', async () => {
  const wrong = await told(await folder({ password: `${secret}-mistyped` }), 'produce')
  expect(wrong).toMatchObject({ code: 78, stderr: expect.stringMatching(/WRONGPASS[\s\S]*sink\.password/) })
  const missing = await told(await folder({ socket: './none.sock' }), 'produce')
  expect(missing).toMatchObject({ code: 75, stderr: expect.stringMatching(/none\.sock can't be reached: .*ENOENT/) })
  const both = await owm(['produce'], { cwd: await folder({}), env: { OWM_REDIS_URL: `redis://:${secret}@h` } })
  expect(both).toMatchObject({ code: 78, stderr: expect.stringMatching(/sink\.socket .*exactly one of url/) })
  const inNode = await told(await folder({ socket: undefined, cluster: [`${user}:${secret}@h:1`] }), 'produce')
  expect(inNode).toMatchObject({ code: 78, stderr: expect.stringMatching(/sink\.cluster\.0 .*host:port is expected/) })
})
