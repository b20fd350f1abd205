/** An outbox that is new, or an old copy, continues after the slots of which its sink has receipts. */
import { copyFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ProduceResult } from '../../src/commands/produce.js'
import type { VerifyResult } from '../../src/commands/verify.js'
import type { Receipt } from '../../src/plugin.js'
import { owm, type Ran, root } from '../support/cli.js'
import { redisScene, type Scene, stream } from '../support/redis-scene.js'

const clock = ['--import', join(root, 'test', 'support', 'clock-at.mjs')]
const schedule = { cron: '0 * * * *', catchUp: 'all' }

async function produce(scene: Scene, hour: string, ...args: string[]): Promise<Ran & { json: ProduceResult }> {
  const env = { OWM_TEST_NOW: `2026-11-23T${hour}:20:00Z` }
  const ran = await scene.owm(['produce', '--json', ...args], { node: clock, env })
  return { ...ran, json: JSON.parse(ran.stdout) }
}

test('the slot that an outbox before it served does not come again, those after it do', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule } })
  expect((await produce(scene, '10')).json.sink.delivered).toBe(10)
  // Like a pod without a volume, or a machine whose /tmp is emptied.
  expect((await produce(scene, '10', '--outbox', './second.db')).json.sink.delivered).toBe(0)
  const third = await produce(scene, '13', '--outbox', './third.db')
  expect(third.json.served.map(({ slot }) => slot).sort()).toEqual(
    ['11', '12', '13'].map((hour) => `2026-11-23T${hour}:00:00Z`),
  )
  expect(await scene.admin.xlen(stream)).toBe(40)
})

test('a slot that this outbox missed, and that another one served meanwhile, does not come again', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule } })
  expect((await produce(scene, '10')).code).toBe(0)
  const short = await produce(scene, '11', '--set', 'source.minLocations=20')
  expect(short).toMatchObject({ code: 65, json: { sink: { delivered: 0 } } })
  expect((await produce(scene, '11', '--outbox', './second.db')).json.sink.delivered).toBe(10)
  const again = await produce(scene, '11')
  expect(again, again.stderr).toMatchObject({ code: 0, json: { sink: { delivered: 0 } } })
  expect((await produce(scene, '12')).json.sink.delivered).toBe(10)
  expect(await scene.admin.xlen(stream)).toBe(30)
  const env = { OWM_TEST_NOW: '2026-11-23T12:20:00Z' }
  const { json } = await scene.owmJson<VerifyResult>(['verify'], { node: clock, env })
  expect(json.slots.map(({ slot, state }) => [slot.slice(11, 13), state])).toEqual([
    ['12', 'same'],
    ['11', 'elsewhere'],
    ['10', 'same'],
  ])
})

test.each(['11', '12'])('nor does one that it began without storing anything: %s', async (hour) => {
  const list = { use: 'static-list', file: './list.csv', count: undefined }
  const scene = await redisScene({ settings: { schedule, source: list } })
  const file = join(scene.folder, 'list.csv')
  await writeFile(file, 'id,city,latitude,longitude\n1,Oslo,59.9,10.7\n')
  expect((await produce(scene, '10')).json.sink.delivered).toBe(1)
  await rename(file, `${file}.bak`)
  expect((await produce(scene, '11')).code).toBe(78)
  await rename(`${file}.bak`, file)
  expect((await produce(scene, '11', '--outbox', './second.db')).json.sink.delivered).toBe(1)
  const again = await produce(scene, hour)
  expect(again, again.stderr).toMatchObject({ code: 0, json: { sink: { delivered: hour === '11' ? 0 : 1 } } })
  expect(await scene.admin.xlen(stream)).toBe(hour === '11' ? 2 : 3)
})

test('a slot that it missed and that was served in shards can be read again, if it is named', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule } })
  expect((await produce(scene, '10')).code).toBe(0)
  expect((await produce(scene, '11', '--set', 'source.minLocations=20')).code).toBe(65)
  for (const index of [0, 1])
    expect((await produce(scene, '11', '--shard', `${index}/2`, '--outbox', `./${index}.db`)).code).toBe(0)
  const refused = await produce(scene, '11')
  expect(refused).toMatchObject({ code: 78, stdout: expect.stringContaining('--again') })
  const again = await produce(scene, '11', '--slot', '2026-11-23T11:00:00Z', '--again')
  expect(again, again.stderr).toMatchObject({ code: 0 })
})

test('a slot whose tasks went with the stream is served again, and only that', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule } })
  for (const hour of ['10', '11']) expect((await produce(scene, hour)).json.sink.delivered).toBe(10)
  await scene.admin.del(stream)
  const second = await produce(scene, '11', '--outbox', './second.db')
  expect(second, second.stderr).toMatchObject({
    code: 0,
    json: { slot: '2026-11-23T11:00:00Z', sink: { delivered: 10 } },
  })
  expect((await produce(scene, '11', '--outbox', './third.db')).json.sink.delivered).toBe(0)
  expect(await scene.admin.xlen(stream)).toBe(10)
  // What readers remove isn't lost.
  await scene.admin.xtrim(stream, 'MAXLEN', '=', 0)
  expect((await produce(scene, '11', '--outbox', './fourth.db')).json.sink.delivered).toBe(0)
})

test.each(['DEL', 'FLUSHALL'])(
  'what a receipt told of is seen to be gone by verify and by its slot: %s',
  async (how) => {
    const scene = await redisScene({ count: 10, settings: { schedule } })
    const verify = async (...args: string[]) => {
      const env = { OWM_TEST_NOW: '2026-11-23T11:20:00Z' }
      const { code, json } = await scene.owmJson<VerifyResult>(['verify', ...args], { node: clock, env })
      return { code, kinds: json.slots.map(({ differences }) => differences[0]?.kind), json }
    }
    for (const hour of ['10', '11']) expect((await produce(scene, hour)).code).toBe(0)
    await rm(join(scene.folder, 'outbox.db'))
    expect((await produce(scene, '11')).json).toMatchObject({ sink: { delivered: 0 } })
    expect(await verify('--source')).toMatchObject({ code: 0, json: { slots: [{ state: 'elsewhere' }] } })
    await (how === 'DEL' ? scene.admin.del(stream) : scene.admin.flushall())
    expect(await verify()).toMatchObject({ code: 75, kinds: how === 'DEL' ? ['lost', 'lost'] : ['no receipt'] })
    // After another outbox's slot, the stream is there again.
    expect((await produce(scene, '10', '--slot', '2026-11-23T10:00:00Z', '--outbox', './other.db')).code).toBe(0)
    expect(await verify()).toMatchObject({ code: 75, kinds: [how === 'DEL' ? 'lost' : 'no receipt'] })
    const again = await produce(scene, '11')
    expect(again, again.stderr).toMatchObject({ code: 0, json: { sink: { delivered: 10 } } })
    expect(again.stderr).not.toContain('another list')
    expect((await produce(scene, '11')).json).toMatchObject({ sink: { delivered: 0 } })
    expect(await verify()).toMatchObject({ code: 0, json: { slots: [{ state: 'same', delivered: 10, there: 10 }] } })
  },
)

test('a shard continues after its own receipts, another number of shards after the newest whole slot', async () => {
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

test('windows that an outbox before it served do not come again, where a clock was ahead', async () => {
  const settings = { schedule: { cron: '0 * * * *' }, cadence: { default: '6h' } }
  const scene = await redisScene({ count: 10, settings })
  for (const hour of ['10', '22']) expect((await produce(scene, hour)).code).toBe(0)
  expect(await scene.admin.xlen(stream)).toBe(10)
  // Its list has no windows but those of 12:00, which were skipped, and of 18:00, which came with the slot of 22:00.
  const second = ['--outbox', './second.db']
  const served = await produce(scene, '18', ...second)
  expect(served, served.stderr).toMatchObject({ code: 0, json: { slot: '2026-11-23T18:00:00Z' } })
  expect(await scene.admin.xlen(stream)).toBe(10)
  expect((await produce(scene, '12', ...second)).json.sink.delivered).toBe(10)
})

test('a restored backup continues after what was served since then', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule } })
  const [outbox, backup] = [join(scene.folder, 'outbox.db'), join(scene.folder, 'backup.db')]
  expect((await produce(scene, '10')).code).toBe(0)
  await copyFile(outbox, backup)
  expect((await produce(scene, '11')).code).toBe(0)
  expect((await produce(scene, '12')).code).toBe(0)
  await copyFile(backup, outbox)
  const restored = await produce(scene, '12')
  expect(restored, restored.stderr).toMatchObject({ code: 0, json: { sink: { delivered: 0 } } })
  expect(restored.stderr).toMatch(/goes on under a new id/)
  expect((await produce(scene, '14')).json.served.map(({ slot }) => slot)).toEqual([
    '2026-11-23T13:00:00Z',
    '2026-11-23T14:00:00Z',
  ])
  expect(await scene.admin.xlen(stream)).toBe(50)
})

test('a backup made in the middle of a slot does not read that slot to its end once more', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule, flush: { batchSize: 2 } } })
  const [outbox, backup] = [join(scene.folder, 'outbox.db'), join(scene.folder, 'backup.db')]
  // It stops in the middle of the list.
  const failing = ['source.pageSize=2', 'source.failureRate=0.4', 'retry.attempts=1', 'source.seed=2']
  const died = await produce(scene, '10', ...failing.flatMap((setting) => ['--set', setting]))
  expect(died.code).not.toBe(0)
  expect(died.json.outbox.persisted).toBeGreaterThan(0)
  expect(died.json.outbox.persisted).toBeLessThan(10)
  await copyFile(outbox, backup)
  expect((await produce(scene, '10')).json.sink.delivered).toBeGreaterThan(0)
  expect(await scene.admin.xlen(stream)).toBe(10)
  await copyFile(backup, outbox)
  expect((await produce(scene, '10')).code).toBe(0)
  expect(await scene.admin.xlen(stream)).toBe(10)
})

test('a copy that is flushed first knows all the same what was served', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule } })
  const [outbox, backup] = [join(scene.folder, 'outbox.db'), join(scene.folder, 'backup.db')]
  expect((await produce(scene, '10')).code).toBe(0)
  await copyFile(outbox, backup)
  expect((await produce(scene, '11')).code).toBe(0)
  await copyFile(backup, outbox)
  expect((await scene.owm(['flush'])).code).toBe(0)
  expect((await produce(scene, '11')).json.sink.delivered).toBe(0)
  expect(await scene.admin.xlen(stream)).toBe(20)
})

test('a clock that is behind the receipts serves nothing twice', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule } })
  expect((await produce(scene, '10')).code).toBe(0)
  expect((await produce(scene, '12')).code).toBe(0)
  expect(await produce(scene, '11', '--outbox', './new.db')).toMatchObject({ json: { sink: { delivered: 0 } } })
  expect(await scene.admin.xlen(stream)).toBe(30)
})

test('receipts say which time a slot covers, the first one from the scheduled time before it', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule: { cron: '0 * * * *' } } })
  expect((await produce(scene, '10', '--slot', '2026-11-23T10:00:00Z')).code).toBe(0)
  expect((await produce(scene, '13')).code).toBe(0)
  const key = (await scene.admin.keys('*:receipts:*'))[0] ?? ''
  const receipts = Object.values(await scene.admin.hgetall(key)).map((json): Receipt => JSON.parse(json))
  expect(receipts.map(({ interval }) => interval).sort((a, b) => (a?.to ?? '').localeCompare(b?.to ?? ''))).toEqual([
    { from: '2026-11-23T09:00:00Z', to: '2026-11-23T10:00:00Z' },
    { from: '2026-11-23T10:00:00Z', to: '2026-11-23T13:00:00Z' },
  ])
})

test('what is due is known of one share: another one needs an outbox of its own', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule } })
  expect((await produce(scene, '10', '--shard', '0/2')).code).toBe(0)
  const other = await produce(scene, '11', '--shard', '1/2')
  expect(other).toMatchObject({ code: 78, json: { error: { message: expect.stringMatching(/is of shard 0\/2/) } } })
})

test('an outbox whose number of shares has changed waits for the others, too', async () => {
  const scene = await redisScene({ count: 60, settings: { schedule } })
  const shard = (hour: string, which: string, outbox: string): Promise<Ran & { json: ProduceResult }> =>
    produce(scene, hour, '--shard', which, '--outbox', outbox)
  expect((await shard('10', '0/2', './0.db')).code).toBe(0)
  expect((await shard('10', '1/2', './1.db')).code).toBe(0)
  expect((await shard('11', '0/2', './0.db')).code).toBe(0)
  expect((await shard('12', '0/3', './0.db')).code).toBe(75)
  expect((await shard('11', '1/2', './1.db')).code).toBe(0)
  for (const [index, which] of ['0/3', '1/3', '2/3'].entries())
    expect((await shard('12', which, `./${index}.db`)).code).toBe(0)
  expect(await scene.admin.xlen(stream)).toBe(180)
})

test('a backup that is restored while the sink is down gives up what was served since then', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule, retry: { attempts: 1 } } })
  const [outbox, backup] = [join(scene.folder, 'outbox.db'), join(scene.folder, 'backup.db')]
  expect((await produce(scene, '10')).code).toBe(0)
  await copyFile(outbox, backup)
  expect((await produce(scene, '12')).code).toBe(0)
  await copyFile(backup, outbox)
  scene.proxy.mode = 'refuse'
  const down = await produce(scene, '12')
  expect(down).toMatchObject({ code: 75, json: { outbox: { pending: 20 } } })
  scene.proxy.mode = 'pass'
  const up = await produce(scene, '13')
  expect(up, up.stderr).toMatchObject({ code: 0, json: { slot: '2026-11-23T13:00:00Z', sink: { delivered: 10 } } })
  expect(await scene.admin.xlen(stream)).toBe(40)
})
