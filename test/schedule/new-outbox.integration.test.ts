/** An outbox that is new goes on behind what its sink has a receipt of. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ProduceResult } from '../../src/commands/produce.js'
import { owm, type Ran, root } from '../support/cli.js'
import { redisScene, type Scene, stream } from '../support/redis-scene.js'

const clock = ['--import', join(root, 'test', 'support', 'clock-at.mjs')]
const schedule = { cron: '0 * * * *', catchUp: 'all' }

async function produce(scene: Scene, hour: string, ...args: string[]): Promise<Ran & { json: ProduceResult }> {
  const env = { OWM_TEST_NOW: `2026-11-23T${hour}:20:00Z` }
  const ran = await scene.owm(['produce', '--json', ...args], { node: clock, env })
  return { ...ran, json: JSON.parse(ran.stdout) }
}

test('the slot that an outbox before it served does not come again, those behind it do', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule } })
  expect((await produce(scene, '10')).json.sink.delivered).toBe(10)
  // As a pod without a volume, or a machine whose /tmp is emptied.
  expect((await produce(scene, '10', '--outbox', './second.db')).json.sink.delivered).toBe(0)
  const third = await produce(scene, '13', '--outbox', './third.db')
  expect(third.json.served.map(({ slot }) => slot).sort()).toEqual(
    ['11', '12', '13'].map((hour) => `2026-11-23T${hour}:00:00Z`),
  )
  expect(await scene.admin.xlen(stream)).toBe(40)
})

test('a shard goes on behind its own receipts, another number of shards behind the newest whole slot', async () => {
  const scene = await redisScene({ count: 60, settings: { schedule } })
  const shard = (hour: string, which: string, outbox: string): Promise<Ran & { json: ProduceResult }> =>
    produce(scene, hour, '--shard', which, '--outbox', outbox)
  expect((await shard('10', '0/2', './a.db')).code).toBe(0)
  expect((await shard('10', '1/2', './b.db')).code).toBe(0)
  expect((await shard('11', '0/2', './a.db')).code).toBe(0)
  expect((await shard('11', '0/2', './new-a.db')).json.sink.delivered).toBe(0)
  const three = await shard('11', '0/3', './c.db')
  expect(three, three.stderr).toMatchObject({ code: 75 })
  expect(three.json).toMatchObject({ error: { message: expect.stringMatching(/lacks shard 1/) } })
  expect((await shard('11', '1/2', './b.db')).code).toBe(0)
  for (const which of ['0/3', '1/3', '2/3'])
    expect((await shard('12', which, `./${which.replace('/', '-')}.db`)).code).toBe(0)
  expect(await scene.admin.xlen(stream)).toBe(180)
})

test('a sink that does not answer is asked again by the next start, before anything is read', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule, retry: { attempts: 1 } } })
  expect((await produce(scene, '10')).code).toBe(0)
  await rm(join(scene.folder, 'outbox.db'))
  await scene.redis.kill('SIGKILL')
  expect((await produce(scene, '10')).code).toBe(75)
  expect((await owm(['flush'], { cwd: scene.folder })).code).not.toBe(0)
})
