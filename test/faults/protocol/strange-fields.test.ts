/** What somebody else writes into the keys beside a stream: an error that says which field, and what helps. */
import { expect, test } from 'vitest'
import { expectAllOnce, redisScene, slot, stream } from '../../support/redis-scene.js'

const mark = `{${stream}}:owm:stream`
const outboxId = /^\{.*\}:owm:([0-9a-f-]{36})$/

test('each field that owm reads a number, an entry or a position from', async () => {
  const scene = await redisScene({ count: 10 })
  expect(await scene.owm(['produce', '--slot', slot])).toMatchObject({ code: 0 })
  const fence = (await scene.admin.keys('*')).find((key) => outboxId.test(key)) ?? ''
  const at = `at:${outboxId.exec(fence)?.[1]}`
  const inFence = ['seq', 'epoch', 'generation', 'added', 'last'].map((field) => ({ key: fence, field }))
  const inMark = ['generation', 'added', 'last', at].map((field) => ({ key: mark, field }))
  const cases = [
    ...[...inFence, ...inMark].map((one) => ({ ...one, value: 'garbage' })),
    ...['', '1.5', '-3', '9'.repeat(20)].map((value) => ({ key: fence, field: 'seq', value })),
  ]
  for (const { key, field, value } of cases) {
    await scene.admin.hset(key, field, value)
    const { code, stderr } = await scene.owm(['produce', '--slot', slot])
    expect(code, `${field} ${value}: ${stderr}`).toBe(78)
    expect(stderr).toContain(`DAMAGED the hash ${key} holds a strange ${field}`)
    expect(stderr).toContain('HDEL')
    await scene.admin.hdel(key, field)
    const { code: next, stderr: said } = await scene.owm(['produce', '--slot', slot])
    expect(next, `${field} ${value}: ${said}`).toBe(0)
    await expectAllOnce(scene)
  }
})
