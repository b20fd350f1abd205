/**
 * Fence and stream are one fact: a stream that is gone, or is another one, is noticed by a run, by `flush` and by the
 * same slot again, and what was in it is delivered again. A fence that is deleted alone doubles nothing.
 */
import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { redisScene, type Scene, stream } from '../../support/redis-scene.js'

const count = 1_000
const slot = '2026-11-23T10:00:00Z'
const later = '2026-11-23T11:00:00Z'

interface Answer {
  outbox: { pending: number }
  sink: { delivered: number; lost: number }
}

const losses: readonly [what: string, lose: (admin: Redis) => Promise<unknown>][] = [
  ['deleted', (admin) => admin.del(stream)],
  ['renamed', (admin) => admin.rename(stream, 'elsewhere')],
  ['emptied with everything else (FLUSHALL)', (admin) => admin.flushall()],
  [
    'deleted, and begun again by another producer',
    async (admin) => {
      await admin.del(stream)
      await admin.xadd(stream, '*', 'data', '{"location_id":"of somebody else"}')
    },
  ],
]

const commands: readonly [what: string, args: readonly string[]][] = [
  ['the next run', ['produce', '--slot', later]],
  ['flush', ['flush']],
  ['the same slot again', ['produce', '--slot', slot]],
]

/** How often each place of the first slot is in the stream. */
async function copies(scene: Scene): Promise<number[]> {
  const entries = await scene.admin.xrange(stream, '-', '+')
  const ids = new Map<string, number>()
  for (const [, [, task = '{}']] of entries) {
    const { task_id: id, location_id: place }: { task_id?: string; location_id: number } = JSON.parse(task)
    if (id !== undefined && place <= count) ids.set(id, (ids.get(id) ?? 0) + 1)
  }
  return [...ids.values()]
}

describe.each(losses)('a stream that was %s', (_, lose) => {
  test.each(commands)('is noticed by %s', async (_, args) => {
    const scene = await redisScene({ count })
    expect((await scene.owm(['produce', '--slot', slot])).code).toBe(0)
    expect(await scene.admin.xlen(stream)).toBe(count)
    await lose(scene.admin)
    const { code, stderr, json } = await scene.owmJson<Answer>(args)
    expect(code, stderr).toBe(0)
    expect(stderr).toContain('the sink lost tasks that it had taken')
    expect(json.outbox.pending).toBe(0)
    const expected = args.includes(later) ? 2 * count : count
    expect(await copies(scene)).toEqual(new Array(expected).fill(1))
  })
})

test('a stream that another outbox has begun again since is noticed, too', async () => {
  const scene = await redisScene({ count })
  const other = (hour: number): string[] => ['produce', '--slot', `2026-11-23T${hour}:00:00Z`, '--outbox', 'other.db']
  expect((await scene.owm(['produce', '--slot', slot])).code).toBe(0)
  expect((await scene.owm(other(12))).code).toBe(0)
  await scene.admin.del(stream)
  // It delivers its own again, and more entries than the stream had when the first one looked.
  expect((await scene.owm(other(13))).code).toBe(0)
  expect(await scene.admin.xlen(stream)).toBe(2 * count)
  const { code, stderr } = await scene.owm(['flush'])
  expect(code, stderr).toBe(0)
  expect(stderr).toContain('the sink lost tasks that it had taken')
  expect(await copies(scene)).toEqual(new Array(3 * count).fill(1))
})

test('a stream that is deleted in the middle of a run is noticed by that run', async () => {
  const scene = await redisScene({ count: 3_000 })
  scene.proxy.onScript(4, { before: async () => void (await scene.admin.del(stream)) })
  const { code, stderr } = await scene.owm(['produce', '--slot', slot])
  expect(code, stderr).toBe(0)
  expect(stderr).toContain('the sink and the outbox disagree')
  expect(new Set(await scene.delivered()).size).toBe(3_000)
  expect(await scene.admin.xlen(stream)).toBe(3_000)
})

test('a fence that is deleted alone doubles nothing', async () => {
  const scene = await redisScene({ count })
  expect((await scene.owm(['produce', '--slot', slot])).code).toBe(0)
  const keys = await scene.admin.keys(`{${stream}}:owm:*-*-*-*-*`)
  const fences = keys.filter((key) => !key.includes(':receipts'))
  expect(fences).toHaveLength(1)
  expect(await scene.admin.del(...fences)).toBe(1)
  const { code, stderr } = await scene.owm(['produce', '--slot', later])
  expect(code, stderr).toBe(0)
  expect(await copies(scene)).toEqual(new Array(2 * count).fill(1))
})
