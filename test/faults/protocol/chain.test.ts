/** Batches are chained: whatever was in flight when a connection dies goes again, and that is no disagreement. */
import { expect, test } from 'vitest'
import { redisScene, stream } from '../../support/redis-scene.js'

const slot = '2026-11-23T10:00:00Z'

test('connections that die behind two applied batches, again and again: a run of 20,000 ends well', async () => {
  const scene = await redisScene({ count: 20_000 })
  // The answer to a batch is dropped while the one behind it is applied: eight times.
  for (let n = 2; n <= 30; n += 4) scene.proxy.onScript(n, 'drop-reply')
  const { code, stderr } = await scene.owm(['produce', '--slot', slot])
  expect(code, stderr).toBe(0)
  expect(scene.proxy.counts.repliesDropped).toBeGreaterThanOrEqual(5)
  expect(stderr).not.toContain('disagree')
  expect(await scene.admin.xlen(stream)).toBe(20_000)
  expect(new Set(await scene.delivered()).size).toBe(20_000)
})

test('a process that was taken over stops, and sends nothing more', async () => {
  const scene = await redisScene({ count: 3_000 })
  scene.proxy.onScript(3, {
    before: async () => {
      const [fence = ''] = (await scene.admin.keys(`{${stream}}:owm:*-*-*-*-*`)).filter(
        (key) => !key.includes('receipt'),
      )
      const epoch = Number(await scene.admin.hget(fence, 'epoch'))
      await scene.admin.hset(fence, 'epoch', epoch + 1, 'word', 'of somebody else')
    },
  })
  const { code, stderr } = await scene.owm(['produce', '--slot', slot])
  expect(code).toBe(75)
  expect(stderr).toContain('has taken over')
  expect(await scene.admin.xlen(stream)).toBe(1_000)
})
