/** The mark, the key beside a stream that says which stream it is, is deleted or evicted: that hides no loss. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { redisScene, stream } from '../../support/redis-scene.js'

const slot = '2026-11-23T10:00:00Z'
const mark = `{${stream}}:owm:stream`
const crash = join(import.meta.dirname, '..', '..', 'support', 'crash.mjs')

test('a stream that is deleted together with its mark, in the middle of a run, is noticed by that run', async () => {
  const scene = await redisScene({ count: 3_000 })
  scene.proxy.onNextNamed('add', 4, { before: async () => void (await scene.admin.del(stream, mark)) })
  const { code, stderr } = await scene.owm(['produce', '--slot', slot])
  expect(code, stderr).toBe(0)
  expect(stderr).toContain('the sink and the outbox disagree')
  expect(new Set(await scene.delivered()).size).toBe(3_000)
  expect(await scene.admin.xlen(stream)).toBe(3_000)
})

test('a stream that is deleted after its mark, before the receipt, gets no receipt for nothing', async () => {
  const scene = await redisScene({ count: 1_000 })
  const killed = { node: ['--import', crash], env: { OWM_CRASH_AT: 'receipt:written' } }
  expect((await scene.owm(['produce', '--slot', slot], killed)).signal).toBe('SIGKILL')
  expect(await scene.admin.xlen(stream)).toBe(1_000)
  await scene.admin.del(mark)
  scene.proxy.onNextNamed('receipt', 1, { before: async () => void (await scene.admin.del(stream)) })
  const { code, stderr } = await scene.owm(['produce', '--slot', slot])
  expect(code, stderr).toBe(0)
  expect(await scene.admin.xlen(stream)).toBe(1_000)
})
