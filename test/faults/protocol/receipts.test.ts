/** A slot's receipt proves that it is whole: counts, first and last entry, and the sum of its task ids. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Receipt } from '../../../src/plugin.js'
import { folderWith, owm, root } from '../../support/cli.js'
import { redisScene, type Scene, stream } from '../../support/redis-scene.js'

const slot = '2026-11-23T10:00:00Z'

/** By plain arithmetic, from the ids that are in the sink. */
const sumOf = (ids: readonly string[]): string =>
  (ids.reduce((sum, id) => sum + BigInt(`0x${id.replaceAll('-', '')}`), 0n) % 2n ** 128n).toString(16).padStart(32, '0')

async function receiptsOf(scene: Scene): Promise<Record<string, Receipt>> {
  const pipeline = join(scene.folder, '.owmrc.json')
  const all = await scene.admin.hgetall(`{${stream}}:owm:receipts:${pipeline}`)
  return Object.fromEntries(Object.entries(all).map(([field, json]): [string, Receipt] => [field, JSON.parse(json)]))
}

test('in Redis: one a slot and shard, beside the stream and not in it', async () => {
  const scene = await redisScene({ count: 2_500 })
  expect((await scene.owm(['produce', '--slot', slot])).code).toBe(0)
  const entries = await scene.admin.xrange(stream, '-', '+')
  expect(entries).toHaveLength(2_500)
  const ids = entries.map(([, [, task = '{}']]) => {
    const { task_id: id }: { task_id: string } = JSON.parse(task)
    return id
  })
  expect(await receiptsOf(scene)).toEqual({
    [`${slot} 0/1`]: {
      pipeline: join(scene.folder, '.owmrc.json'),
      slot,
      shard: 0,
      shards: 1,
      interval: null,
      read: 2_500,
      rejected: 0,
      duplicates: 0,
      delivered: 2_500,
      dead: 0,
      discarded: 0,
      taskIdSum: sumOf(ids),
      firstEntry: entries[0]?.[0],
      lastEntry: entries.at(-1)?.[0],
      generation: expect.any(Number),
    },
  })
})

test('it is written only once the slot is whole, by whichever command makes it so', async () => {
  const scene = await redisScene({ count: 2_500 })
  expect((await scene.owm(['produce', '--slot', slot, '--no-flush'])).code).toBe(0)
  expect((await scene.owm(['flush', '--limit', '1000'])).code).toBe(0)
  expect(await receiptsOf(scene)).toEqual({})
  expect((await scene.owm(['flush'])).code).toBe(0)
  expect(Object.keys(await receiptsOf(scene))).toEqual([`${slot} 0/1`])
})

test('shards have one each; a run is not done before its receipt is answered', async () => {
  const scene = await redisScene({ count: 1_000 })
  const shard = (n: number): string[] => ['produce', '--slot', slot, '--shard', `${n}/2`, '--outbox', `shard-${n}.db`]
  expect((await scene.owm(shard(0))).code).toBe(0)
  scene.proxy.swallowNext('receipt')
  const second = await scene.owm([...shard(1), '--set', 'sink.commandTimeoutMs=300'])
  expect(second.code, second.stderr).toBe(0) // tried again
  expect(scene.proxy.counts.silenced).toBe(1)
  const receipts = Object.values(await receiptsOf(scene))
  expect(receipts.map(({ shard: index, shards }) => [index, shards])).toEqual(
    expect.arrayContaining([
      [0, 2],
      [1, 2],
    ]),
  )
  expect(receipts.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(1_000)
})

test('a slot that the sink has in shards is refused in another number of them; --again is the way', async () => {
  const scene = await redisScene({ count: 300, settings: { flush: { batchSize: 100 } } })
  const shard = (n: string, more: string[] = []) =>
    scene.owmJson<{ error?: { code: string; message: string; hint: string } }>([
      ...['produce', '--slot', slot, '--shard', n, '--outbox', `shard-${n.replace('/', '-of-')}.db`, ...more],
    ])
  for (const n of ['0/2', '1/2']) expect((await shard(n)).code).toBe(0)
  const whole = await scene.owmJson<{ error?: { message: string; hint: string } }>(['produce', '--slot', slot])
  expect(whole.code).toBe(78)
  expect(whole.json.error?.message).toContain(slot)
  expect(whole.json.error?.hint).toContain('--again')
  expect((await shard('0/3')).code).toBe(78)
  // An outbox that served a share itself doesn't know the other one.
  const third = ['produce', '--slot', slot, '--shard', '0/3', '--outbox', 'shard-0-of-2.db']
  expect((await scene.owm(third)).code).toBe(78)
  expect(await scene.admin.xlen(stream)).toBe(300)
  // The same shard from a new outbox is no other number.
  expect((await shard('0/2')).code).toBe(0)
  const again = await scene.owm(['produce', '--slot', slot, '--again'])
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('300 left out, since the sink holds them') })
  expect(await scene.admin.xlen(stream)).toBe(300)
})

test('with refused tasks it says so; after a retry it is written again', async () => {
  const folder = await folderWith({
    source: { use: 'simulated-db', count: 50 },
    sink: { use: join(root, 'test', 'plugins', 'chain-sink.mjs'), file: 'chain.json' },
    outbox: { path: './outbox.db' },
  })
  const receipts = async (): Promise<Receipt[]> => {
    const { receipts: all }: { receipts: Record<string, Receipt> } = JSON.parse(
      await readFile(join(folder, 'chain.json'), 'utf8'),
    )
    return Object.values(all)
  }
  const refusing = ['--set', 'sink.refuses="location_id":7,']
  expect((await owm(['produce', '--slot', slot, ...refusing], { cwd: folder })).code).toBe(75)
  expect(await receipts()).toMatchObject([{ slot, delivered: 49, dead: 1 }])
  expect((await owm(['outbox', 'retry', '--all'], { cwd: folder })).code).toBe(0)
  expect((await owm(['flush'], { cwd: folder })).code).toBe(0)
  expect(await receipts()).toMatchObject([{ slot, delivered: 50, dead: 0 }])
})

test('in a file beside a file of tasks', async () => {
  const folder = await folderWith({
    source: { use: 'simulated-db', count: 50 },
    sink: { use: 'jsonl', path: './tasks.jsonl' },
    outbox: { path: './outbox.db' },
  })
  expect((await owm(['produce', '--slot', slot], { cwd: folder })).code).toBe(0)
  const tasks = (await readFile(join(folder, 'tasks.jsonl'), 'utf8')).trimEnd().split('\n')
  const ids = tasks.map((task) => {
    const { task_id: id }: { task_id: string } = JSON.parse(task)
    return id
  })
  const receipt: Receipt = JSON.parse(await readFile(join(folder, 'tasks.jsonl.receipts'), 'utf8'))
  expect(receipt).toMatchObject({ slot, delivered: 50, taskIdSum: sumOf(ids) })
})
