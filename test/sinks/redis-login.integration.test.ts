/** Passwords that Redis doesn't want, or takes otherwise: what owm says of it, and nobody else. */
import { createServer } from 'node:net'
import { Redis } from 'ioredis'
import { expect, it, onTestFinished } from 'vitest'
import { folderWith, owm, type Ran, until } from '../support/cli.js'
import { startRedisProcess } from '../support/redis.js'
import { slot } from '../support/redis-scene.js'
import { cut, nameOf } from '../support/resp.js'

async function run(sink: object, ...flags: string[]): Promise<Ran> {
  const cwd = await folderWith({
    source: { use: 'simulated-db', count: 3 },
    sink: { use: 'redis-stream', ...sink },
    outbox: { path: './o.db' },
    retry: { attempts: 2, initialDelayMs: 20, maxDelayMs: 50 },
  })
  return owm(['produce', '--slot', slot, ...flags], { cwd })
}

async function server(...args: string[]): Promise<{ url: string; port: number }> {
  const redis = await startRedisProcess({ args })
  onTestFinished(() => redis.stop())
  return redis
}

it('a password for a server that wants none is one warning, of owm, in its own form', async () => {
  const { port } = await server()
  const url = `redis://:s3cr3t-word@127.0.0.1:${port}`
  const { code, stderr } = await run({ url }, '-q')
  const warning = /^owm: warning: this Redis wants no password, but was sent one: set requirepass .* \(server (.*)\)\n$/
  expect([code, warning.exec(stderr)?.[1]]).toEqual([0, `127.0.0.1:${port}`])
  const lines = (await run({ url }, '--json', '--log-format', 'json')).stderr.trim().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ event: 'redis-open', server: `127.0.0.1:${port}` }])
})

it('so it is of each node that a cluster asks, and once', async () => {
  const { url, port } = await server('--cluster-enabled', 'yes')
  const admin = new Redis(url)
  onTestFinished(() => admin.disconnect())
  await admin.cluster('ADDSLOTSRANGE', 0, 16_383)
  await until(async () => (await admin.cluster('INFO')).includes('cluster_state:ok'))
  const { code, stderr } = await run({ cluster: [`127.0.0.1:${port}`], password: 's3cr3t-word' })
  expect([code, stderr.match(/\bwants no password\b/g)?.length]).toEqual([0, 1])
  expect(stderr).not.toMatch(/\[(WARN|ERROR)\]|s3cr3t/)
})

/** AUTH as Redis 5 answers it; the texts are those of its source. */
async function startRedis5(): Promise<number> {
  const redis = createServer((socket) => {
    let rest = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      for (const request of cut(Buffer.concat([rest, chunk]), (left) => (rest = Buffer.from(left)))) {
        const isAuth = nameOf(request) === 'auth'
        const refusal = request.toString('latin1').startsWith('*2')
          ? '-ERR invalid password'
          : "-ERR wrong number of arguments for 'auth' command"
        socket.write(`${isAuth ? refusal : '-NOAUTH Authentication required.'}\r\n`)
      }
    })
  })
  await new Promise<void>((resolve) => redis.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void redis.close())
  return Number(Object(redis.address()).port)
}

it('Redis 5: a wrong password is 78, and so is a user, whom it does not know', async () => {
  const place = `127.0.0.1:${await startRedis5()}`
  const wrong = await run({ url: `redis://:s3cr3t-word@${place}` })
  expect([wrong.code, wrong.stderr]).toEqual([78, expect.stringMatching(/invalid password[\s\S]*Correct the user or/)])
  const named = await run({ url: `redis://joe:s3cr3t-word@${place}` })
  expect([named.code, named.stderr]).toEqual([78, expect.stringMatching(/'auth'[\s\S]*take the user out of sink.url/)])
  for (const { stderr } of [wrong, named]) expect(stderr).not.toMatch(/\[(WARN|ERROR)\]|s3cr3t|call-retried/)
})

it("a Sentinel in sink.url: that is said, and nothing of owm's script", async () => {
  const redis = await startRedisProcess({ sentinel: 'sentinel resolve-hostnames no' })
  onTestFinished(() => redis.stop())
  const { code, stderr } = await run({ url: redis.url })
  expect([code, stderr]).toEqual([78, expect.stringMatching(/unknown command [\s\S]*name it in sink\.sentinels/)])
  expect(stderr).not.toMatch(/-- owm|args beginning/)
})
