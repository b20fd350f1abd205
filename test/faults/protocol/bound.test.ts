/** The bound of the stream protects what nobody has read, whoever's it is. */
import { describe, expect, test } from 'vitest'
import { redisScene, stream } from '../../support/redis-scene.js'

interface Answer {
  outbox: { pending: number }
  sink: { delivered: number; evicted: number }
  error?: { code: string; message: string; hint: string }
}

const hour = (n: number): string[] => ['produce', '--slot', `2026-11-23T1${n}:00:00Z`]

describe('onFull: hold', () => {
  test('without a consumer group, nothing counts as read: the rest waits', async () => {
    const scene = await redisScene({ count: 1_000, settings: { sink: { maxLength: 1_000, onFull: 'hold' } } })
    expect((await scene.owm(hour(0))).code).toBe(0)
    const { code, json } = await scene.owmJson<Answer>(hour(1))
    expect(code).toBe(75)
    expect(json.error).toMatchObject({
      code: 'SINK_FULL',
      message: expect.stringContaining('no consumer group exists'),
    })
    expect(json.error?.hint).toContain('XDEL')
    expect(await scene.admin.xlen(stream)).toBe(1_000)
    // A plain reader makes room.
    await scene.admin.xtrim(stream, 'MAXLEN', 0)
    expect((await scene.owm(['flush'])).code).toBe(0)
    expect(await scene.admin.xlen(stream)).toBe(1_000)
  })

  test('the group that blocks is named, with its lag', async () => {
    const scene = await redisScene({ count: 1_000, settings: { sink: { maxLength: 1_000, onFull: 'hold' } } })
    await scene.admin.xgroup('CREATE', stream, 'slow-workers', '$', 'MKSTREAM')
    expect((await scene.owm(hour(0))).code).toBe(0)
    const { code, json } = await scene.owmJson<Answer>(hour(1))
    expect(code).toBe(75)
    expect(json.error?.message).toMatch(/the group slow-workers, which is 1000 entries behind/)
  })
})

describe('onFull: trim', () => {
  test('without a consumer group, what goes is counted, and told: nobody knows whether it was read', async () => {
    const scene = await redisScene({ count: 3_000, settings: { sink: { maxLength: 3_000 } } })
    expect((await scene.owm(hour(0))).code).toBe(0)
    const { code, stderr, json } = await scene.owmJson<Answer>(hour(1))
    expect(code, stderr).toBe(0)
    expect(json.sink.evicted).toBe(6_000 - (await scene.admin.xlen(stream)))
    expect(json.sink.evicted).toBeGreaterThan(0)
    expect(stderr).toContain('no consumer group exists: nobody knows whether they were read')
    // Told as it begins and at the end, not of each batch: a cron mail of a large run would have a thousand lines.
    const told = stderr.split('\n').filter((line) => line.includes('"entries-trimmed"'))
    expect(told).toHaveLength(2)
    expect(told.at(-1)).toContain(`"entries":${json.sink.evicted},`)
  })

  test("unread entries of the run's own slot stay, whichever shard added them: SINK_FULL", async () => {
    const scene = await redisScene({ count: 6_000, settings: { sink: { maxLength: 4_200 } } })
    const ends = []
    for (const shard of [0, 1, 2])
      ends.push(await scene.owmJson<Answer>([...hour(0), '--shard', `${shard}/3`, '--outbox', `shard-${shard}.db`]))
    expect(ends.map(({ code }) => code)).toEqual([0, 0, 75])
    expect(ends[2]?.json.error).toMatchObject({ code: 'SINK_FULL', message: expect.stringContaining('own slot') })
    // None of the first two shards' entries is gone.
    const there = await scene.admin.xlen(stream)
    expect(there).toBe(ends.reduce((sum, { json }) => sum + json.sink.delivered, 0))
    expect(there + (ends[2]?.json.outbox.pending ?? 0)).toBe(6_000)
  })

  test.each([
    ['of the slots', [`{${stream}}:owm:slots`]],
    ['at all', undefined],
  ])('… also where what is known %s was deleted', async (_, keys) => {
    const scene = await redisScene({ count: 1_500, settings: { sink: { maxLength: 1_000 } } })
    expect((await scene.owm(hour(0))).code).toBe(75)
    expect(await scene.admin.del(keys ?? (await scene.admin.keys(`{${stream}}:owm:*`)))).toBeGreaterThan(0)
    expect(await scene.owmJson<Answer>(['flush'])).toMatchObject({ code: 75, json: { error: { code: 'SINK_FULL' } } })
    expect(await scene.admin.xlen(stream)).toBe(1_000)
    await scene.admin.xtrim(stream, 'MAXLEN', 0)
    expect((await scene.owm(['flush'])).code).toBe(0)
    expect(await scene.admin.xlen(stream)).toBe(500)
  })
})
