/** The workers of docs/workers.md: each task once, what a dead one held too, and the hour that is whole. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { slot } from '../cli/scene.js'
import { folderWith, owm, root } from '../support/cli.js'
import { redisHere } from '../support/redis-here.js'

const run = promisify(execFile)
const stream = 'owm-ingestion-stream'
const worker = (name: string): string => join(root, 'examples', 'workers', name)
const redis = redisHere()

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

it.each([
  ['python', '/usr/bin/python3', [worker('worker.py')]],
  ['typescript', process.execPath, ['--import', 'tsx', worker('worker.ts')]],
])('%s', async (group, program, args) => {
  await twice()
  await redis().client.xgroup('CREATE', stream, group, '0')
  await redis().client.xreadgroup('GROUP', group, 'dead', 'COUNT', 30, 'STREAMS', stream, '>')
  const held = (await redis().client.xrange(stream, '-', '+', 'COUNT', 30)).map(([id]) => id)
  await redis().client.xclaim(stream, group, 'dead', 0, ...held, 'IDLE', 3_600_000)

  const options = { cwd: root, env: { ...process.env, OWM_REDIS_URL: redis().server.url } }
  const { stdout } = await run(program, [...args, '--group', group, '--pipeline', 'hourly', '--once'], options)
  const lines = stdout.trim().split('\n')
  const done = lines.filter((line) => line.startsWith('did ')).map((line) => line.split(' ')[1])
  expect({ done: done.length, ids: new Set(done).size }).toEqual({ done: 200, ids: 200 })
  expect(lines.filter((line) => line.startsWith('whole'))).toEqual([`whole ${slot}`])
  expect(await redis().client.xpending(stream, group)).toEqual([0, null, null, null])
})
