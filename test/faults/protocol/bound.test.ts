/** The bound of the stream protects what nobody has read, whoever's it is. */
import { describe, expect, test } from 'vitest'
import { redisScene, type Scene, stream } from '../../support/redis-scene.js'

interface Answer {
  outbox: { pending: number }
  sink: { delivered: number; evicted: number }
  error?: { code: string; message: string; hint: string }
}

const slots = `{${stream}}:owm:slots`

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
    ['of the slots', [slots]],
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

/** As an older owm wrote it: a slot's first entry alone. */
async function writeAsBefore({ admin }: Scene): Promise<void> {
  for (const [slot, range] of Object.entries(await admin.hgetall(slots)))
    await admin.hset(slots, slot, range.split(' ')[0] ?? '')
}

/** Four slots in a stream that holds two and a half: the first one is gone. */
async function fullScene(): Promise<Scene> {
  const scene = await redisScene({ count: 400, settings: { sink: { maxLength: 1_000 } } })
  for (const n of [0, 1, 2, 3]) expect((await scene.owm(hour(n))).code).toBe(0)
  return scene
}

describe('onFull: trim, a slot that was begun before, none of whose entries is left', () => {
  test.each([
    ['deleted', async ({ admin }: Scene) => void (await admin.del(stream))],
    ['renamed', async ({ admin }: Scene) => void (await admin.rename(stream, 'other'))],
    [
      'deleted, and what is known of the slots is from an older owm',
      async (scene: Scene) => {
        await writeAsBefore(scene)
        await scene.admin.del(stream)
      },
    ],
  ])('the stream is %s: delivered again', async (_, lose) => {
    const scene = await fullScene()
    await lose(scene)
    const { code, stderr, json } = await scene.owmJson<Answer>(hour(4))
    expect(code, stderr).toBe(0)
    expect(json.sink).toMatchObject({ delivered: 2_000, evicted: 2_000 - (await scene.admin.xlen(stream)) })
    expect((await scene.owm(hour(5))).code).toBe(0)
  })

  test.each([false, true])('it is replayed, also beside what an older owm wrote: %s', async (isOlder) => {
    const scene = await fullScene()
    if (isOlder) await writeAsBefore(scene)
    const { code, stderr, json } = await scene.owmJson<Answer>(['outbox', 'replay', ...hour(0).slice(1), '--yes'])
    expect(code, stderr).toBe(0)
    expect(json.sink).toMatchObject({ delivered: 400, evicted: expect.any(Number) })
    expect((await scene.owm(hour(4))).code).toBe(0)
  })

  test('a shard was late with it', async () => {
    const scene = await redisScene({ count: 1_000, settings: { sink: { maxLength: 1_000 } } })
    const of = (shard: number): string[] => ['--shard', `${shard}/2`, '--outbox', `shard-${shard}.db`]
    expect((await scene.owm([...hour(0), ...of(1), '--no-flush'])).code).toBe(0)
    for (const n of [0, 1, 2, 3]) expect((await scene.owm([...hour(n), ...of(0)])).code).toBe(0)
    const late = await scene.owm(['flush', ...of(1).slice(2)])
    expect(late.code, late.stderr).toBe(0)
  })
})

describe('onFull: trim, a slot whose first entries are gone', () => {
  test.each([
    ['', async () => {}],
    ['; an older owm wrote where it begins', writeAsBefore],
    ['; that was deleted', async ({ admin }: Scene) => void (await admin.del(slots))],
  ])('the unread ones stay%s: SINK_FULL says how many', async (_, change) => {
    const scene = await redisScene({ count: 2_000, settings: { sink: { maxLength: 1_000 } } })
    await scene.admin.xgroup('CREATE', stream, 'workers', '$', 'MKSTREAM')
    expect((await scene.owm(hour(0))).code).toBe(75)
    const read = (count: number): Promise<unknown> =>
      scene.admin.xreadgroup('GROUP', 'workers', 'ann', 'COUNT', count, 'STREAMS', stream, '>')
    await read(600)
    for (const attempt of ['as it is', 'changed']) {
      if (attempt === 'changed') await change(scene)
      const { code, json } = await scene.owmJson<Answer>(['flush'])
      expect(code, attempt).toBe(75)
      expect(json.outbox.pending).toBe(500)
      expect(json.error?.message).toMatch(/own slot that nobody has read: the group workers, which is 900 entries/)
    }
    await read(1_000)
    expect((await scene.owm(['flush'])).code).toBe(0)
  })

  test.each([
    ['that are gone', '1-0', '2-0'],
    ['of which one is there', undefined, undefined],
  ])('what an older owm added behind those entries %s, too: it left them noted', async (_, from, to) => {
    const scene = await redisScene({ count: 2_000, settings: { sink: { maxLength: 1_000 } } })
    await scene.admin.xgroup('CREATE', stream, 'workers', '$', 'MKSTREAM')
    const { json: before } = await scene.owmJson<Answer>(hour(0))
    await scene.admin.xreadgroup('GROUP', 'workers', 'ann', 'COUNT', 1, 'STREAMS', stream, '>')
    const [slot = '', noted = ''] = Object.entries(await scene.admin.hgetall(slots))[0] ?? []
    const [first = ''] = noted.split(' ')
    await scene.admin.hset(slots, slot, `${from ?? first} ${to ?? first}`)
    const { code, json } = await scene.owmJson<Answer>(['flush'])
    expect({ code, pending: json.outbox.pending }).toEqual({ code: 75, pending: before.outbox.pending })
    expect(json.error?.message).toContain('own slot')
  })
})

describe('onFull: trim, a slot that was read whole before others were added', () => {
  test.each([[[1]], [[1, 2]]])("a late shard of it trims the others' (slots %j) unread entries", async (others) => {
    const scene = await redisScene({ count: 3_000, settings: { sink: { maxLength: 2_600 } } })
    const of = (shard: number): string[] => ['--shard', `${shard}/3`, '--outbox', `shard-${shard}.db`]
    await scene.admin.xgroup('CREATE', stream, 'workers', '$', 'MKSTREAM')
    expect((await scene.owm([...hour(0), ...of(0)])).code).toBe(0)
    await scene.admin.xreadgroup('GROUP', 'workers', 'ann', 'COUNT', 3_000, 'STREAMS', stream, '>')
    for (const n of others) expect((await scene.owm([...hour(n), ...of(0)])).code).toBe(0)
    let evicted = 0
    for (const shard of [1, 2]) {
      const { code, stderr, json } = await scene.owmJson<Answer>([...hour(0), ...of(shard)])
      expect(code, stderr).toBe(0)
      evicted += json.sink.evicted
    }
    expect(evicted).toBeGreaterThan(0)
  })
})
