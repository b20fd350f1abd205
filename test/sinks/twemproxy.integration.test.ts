/** Through twemproxy, which ends the connection at a command that it doesn't know. */
import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { expect, it, onTestFinished } from 'vitest'
import { folderWith, owm, until } from '../support/cli.js'
import { startRedisProcess } from '../support/redis.js'
import { stream } from '../support/redis-scene.js'

it('delivers each hour once', async () => {
  const [redis, free, stats] = [await startRedisProcess(), await startRedisProcess(), await startRedisProcess()]
  onTestFinished(() => redis.stop())
  await free.stop() // the ports of these two are the proxy's
  await stats.stop()
  const cwd = await folderWith({
    source: { use: 'simulated-db', count: 1_200 },
    sink: { use: 'redis-stream', url: `redis://127.0.0.1:${free.port}` },
    outbox: { path: './o.db' },
    retry: { attempts: 2, initialDelayMs: 20 },
  })
  await writeFile(
    join(cwd, 'proxy.yml'),
    `pool:\n  listen: 127.0.0.1:${free.port}\n  redis: true\n  hash: fnv1a_64\n  distribution: ketama\n` +
      `  servers:\n    - 127.0.0.1:${redis.port}:1\n`,
  )
  const proxy = spawn(
    'nutcracker',
    ['-c', join(cwd, 'proxy.yml'), '-o', join(cwd, 'proxy.log'), '-s', `${stats.port}`],
    {
      stdio: 'ignore',
    },
  )
  onTestFinished(() => void proxy.kill('SIGKILL'))
  const through = new Redis(free.port, { enableReadyCheck: false, disableClientInfo: true, retryStrategy: () => 50 })
  onTestFinished(() => through.disconnect())
  through.on('error', () => undefined)
  await until(async () => (await through.ping().catch(() => '')) === 'PONG')
  const admin = new Redis(redis.url)
  onTestFinished(() => admin.disconnect())
  for (const hour of ['10', '11']) {
    const ran = await owm(['produce', '--slot', `2026-11-23T${hour}:00:00Z`], { cwd })
    expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: '' })
  }
  expect(await admin.xlen(stream)).toBe(2_400)
})
