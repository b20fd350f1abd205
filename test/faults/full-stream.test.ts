/**
 * The stream's bound: nothing is trimmed silently, a run never trims its
 * own tasks, and what doesn't fit waits in the outbox until there is room.
 *
 * `MAXLEN ~` removes whole nodes of 100 entries, so a stream may be that much
 * longer than its bound.
 */
import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { isLong } from '../support/conditions.js'
import {
  administrator,
  expectAllOnce,
  places,
  placesOf,
  redisScene,
  type Scene,
  type SceneOptions,
  stream,
} from '../support/redis-scene.js'

interface Answer {
  error?: { code: string; message: string; hint?: string }
  outbox: { pending: number; dead: number }
  sink: { delivered: number; evicted: number }
}

const hourly = (hour: number): string[] => ['produce', '--slot', new Date(Date.UTC(2026, 10, 23, hour)).toISOString()]

/** A scene whose stream holds 1,000 entries. */
const boundScene = (onFull: 'trim' | 'hold', options: SceneOptions = {}): Promise<Scene> =>
  redisScene({
    ...options,
    settings: { ...options.settings, sink: { maxLength: 1_000, onFull, ...options.settings?.sink } },
  })

/** A worker of a consumer group, which keeps its own account of what it read. */
class Consumer {
  readonly read: string[] = []
  readonly #redis: Redis
  readonly #group: string

  private constructor(redis: Redis, group: string) {
    this.#redis = redis
    this.#group = group
  }

  /** Makes the group as workers do: at `$`, before there is a stream. */
  static async join(scene: Scene, group: string): Promise<Consumer> {
    await scene.admin.xgroup('CREATE', stream, group, '$', 'MKSTREAM')
    return new Consumer(administrator(scene.redis), group)
  }

  /** Reads, and acknowledges, what is there: all of it, or so many entries. */
  async catchUp(most = Number.POSITIVE_INFINITY): Promise<number> {
    let sum = 0
    while (sum < most) {
      const count = Math.min(5_000, most - sum)
      const [found] =
        (await this.#redis.xreadgroup('GROUP', this.#group, 'worker', 'COUNT', count, 'STREAMS', stream, '>')) ?? []
      const entries = found === undefined ? [] : entriesOf(found)
      if (entries.length === 0) break
      this.read.push(...placesOf(entries))
      await this.#redis.xack(stream, this.#group, ...entries.map(([id]) => id))
      sum += entries.length
    }
    return sum
  }
}

/** The entries in an answer to XREADGROUP, whose type ioredis leaves open. */
function entriesOf(answer: unknown): [id: string, fields: string[]][] {
  if (!Array.isArray(answer) || !Array.isArray(answer[1]))
    throw new Error(`XREADGROUP answered ${JSON.stringify(answer)}`)
  return answer[1].map((entry: unknown) => {
    if (!Array.isArray(entry) || typeof entry[0] !== 'string' || !Array.isArray(entry[1]))
      throw new Error(`no entry: ${JSON.stringify(entry)}`)
    return [entry[0], entry[1].map(String)]
  })
}

/** Runs owm until nothing is pending; between two runs the consumers read everything. */
async function finish(scene: Scene, consumers: readonly Consumer[], most = 20): Promise<number> {
  for (let flushes = 1; flushes <= most; flushes++) {
    for (const consumer of consumers) await consumer.catchUp()
    const { code, json, stderr } = await scene.owmJson<Answer>(['flush'])
    expect(json.sink.evicted).toBe(0)
    if (code === 0) {
      for (const consumer of consumers) await consumer.catchUp()
      return flushes
    }
    expectHeld({ code, json, stderr })
  }
  throw new Error(`the outbox is not empty after ${most} flushes`)
}

function expectHeld({ code, json, stderr }: { code: number | null; json: Answer; stderr: string }): void {
  expect(code, stderr).toBe(75)
  expect(json.error?.code).toBe('SINK_FULL')
  expect(json.error?.message).toMatch(/owm-ingestion-stream is full/)
  expect(json.error?.hint).toMatch(/^(Let the group \w+ catch up|Make a consumer group).*`owm flush`/)
  expect(json.outbox.pending).toBeGreaterThan(0)
}

/** How many entries of the stream's beginning are gone. */
async function trimmedFrom(scene: Scene): Promise<number> {
  const info: unknown = await scene.admin.xinfo('STREAM', stream)
  const added = Array.isArray(info) ? Number(info[info.indexOf('entries-added') + 1]) : Number.NaN
  return added - (await scene.admin.xlen(stream))
}

describe.each(['trim', 'hold'] as const)('a run larger than the bound, onFull: %s', (onFull) => {
  test('never trims its own tasks: it holds, and flush goes on as the consumers read', async () => {
    const scene = await boundScene(onFull)
    const consumer = await Consumer.join(scene, 'workers')
    const first = await scene.owmJson<Answer>(hourly(10))
    expectHeld(first)
    expect(first.json.sink.evicted).toBe(0)
    expect(await trimmedFrom(scene)).toBe(0)
    expect(await scene.delivered()).toEqual(places(1_000))
    expect(first.json.outbox.pending).toBe(1_500)

    // As long as nobody reads, nothing moves, and nothing is lost either.
    expectHeld(await scene.owmJson<Answer>(['flush']))
    expect(await trimmedFrom(scene)).toBe(0)

    await finish(scene, [consumer])
    expect(consumer.read).toEqual(places(2_500))
  })

  test('and without any consumer group: holds as well', async () => {
    const scene = await boundScene(onFull)
    const first = await scene.owmJson<Answer>(hourly(10))
    expectHeld(first)
    expect(await scene.delivered()).toEqual(places(1_000))
    expectHeld(await scene.owmJson<Answer>(['flush']))
    // More room, and it ends.
    const { code, stderr } = await scene.owmJson<Answer>(['flush', '--set', 'sink.maxLength=5000'])
    expect(code, stderr).toBe(0)
    await expectAllOnce(scene)
  })

  test('with a bound that is smaller than a batch', async () => {
    const scene = await boundScene(onFull, { count: 700, settings: { sink: { maxLength: 200 } } })
    const consumer = await Consumer.join(scene, 'workers')
    const first = await scene.owmJson<Answer>(hourly(10))
    expectHeld(first)
    expect(await trimmedFrom(scene)).toBe(0)
    await finish(scene, [consumer])
    expect(consumer.read).toEqual(places(700))
  })

  test('with two groups: the slower one decides', async () => {
    const scene = await boundScene(onFull)
    const fast = await Consumer.join(scene, 'fast')
    const slow = await Consumer.join(scene, 'slow')
    expectHeld(await scene.owmJson<Answer>(hourly(10)))
    expect(await fast.catchUp()).toBe(1_000)
    expectHeld(await scene.owmJson<Answer>(['flush']))
    expect(await fast.catchUp()).toBe(0)

    await finish(scene, [fast, slow])
    expect(fast.read).toEqual(places(2_500))
    expect(slow.read).toEqual(places(2_500))
  })

  test('with a group that reads all along: nothing is held for ever, nothing is lost', async () => {
    const scene = await boundScene(onFull)
    const consumer = await Consumer.join(scene, 'workers')
    // It reads each time before the next batch arrives.
    for (const n of [1, 2, 3, 4, 5]) scene.proxy.onScript(n, { before: () => consumer.catchUp() })
    const { code, json, stderr } = await scene.owmJson<Answer>(hourly(10))
    expect(code, stderr).toBe(0)
    expect(json.sink).toMatchObject({ delivered: 2_500, evicted: 0 })
    expect(scene.proxy.counts.hooks).toBe(5)
    await consumer.catchUp()
    expect(consumer.read).toEqual(places(2_500))
    expect(await scene.admin.xlen(stream)).toBeLessThan(1_100)
  })
})

describe('later slots, onFull: trim', () => {
  test('without groups they trim the older ones, and say that nobody knows whether these were read', async () => {
    const scene = await boundScene('trim', { count: 800 })
    let trimmed = 0
    for (const hour of [10, 11, 12]) {
      const { code, json, stderr } = await scene.owmJson<Answer>(hourly(hour))
      expect(code, stderr).toBe(0)
      expect(json.sink.delivered).toBe(800)
      if (hour > 10) expect(stderr).toMatch(/no consumer group exists: nobody knows whether they were read/)
      trimmed += json.sink.evicted
    }
    expect(trimmed).toBe(await trimmedFrom(scene))
    const left = await scene.delivered()
    expect(left.length).toBeGreaterThanOrEqual(1_000)
    expect(left.length).toBeLessThan(1_100)
    expect(left.slice(-800)).toEqual(places(800))
  })

  test('with a group that read everything: nothing unread is trimmed, nothing is said', async () => {
    const scene = await boundScene('trim', { count: 800 })
    const consumer = await Consumer.join(scene, 'workers')
    for (const hour of [10, 11, 12]) {
      const { code, json, stderr } = await scene.owmJson<Answer>(hourly(hour))
      expect(code, stderr).toBe(0)
      expect(json.sink.evicted).toBe(0)
      expect(stderr).toBe('')
      await consumer.catchUp()
    }
    expect(consumer.read).toEqual([...places(800), ...places(800), ...places(800)])
    expect(await trimmedFrom(scene)).toBeGreaterThan(0)
  })

  test('with a stalled group: they say how many unread entries they trimmed, neither more nor less', async () => {
    // Small batches, so that most of them trim a part of a node, or nothing.
    const scene = await boundScene('trim', { count: 800, settings: { flush: { batchSize: 130 } } })
    const stalled = await Consumer.join(scene, 'stalled')
    const other = await Consumer.join(scene, 'other')
    expect((await scene.owmJson<Answer>(hourly(10))).json.sink.evicted).toBe(0)
    await other.catchUp()
    await stalled.catchUp(230)

    const second = await scene.owmJson<Answer>(hourly(11))
    expect(second.code, second.stderr).toBe(0)
    const gone = await trimmedFrom(scene)
    expect(gone).toBeGreaterThan(300)
    expect(second.json.sink.evicted).toBe(gone - 230)
    expect(second.stderr).toMatch(/trimmed entries that a consumer group had not read/)

    // The same for people, and for a flush.
    expect((await scene.owm([...hourly(12), '--no-flush'])).code).toBe(0)
    const flushed = await scene.owm(['flush'])
    expect(flushed.code, flushed.stderr).toBe(0)
    const more = (await trimmedFrom(scene)) - gone
    expect(flushed.stdout).toContain(`${more} entries trimmed that are not known to have been read`)
    // What the stalled group can still read is what the account says.
    await stalled.catchUp()
    expect(stalled.read).toHaveLength(2_400 - (gone - 230) - more)
  })
})

describe('later slots, onFull: trim, a group of which the server can not say how far it lags', () => {
  test('they look themselves, and count as exactly', async () => {
    const scene = await boundScene('trim', { count: 800 })
    const consumer = await Consumer.join(scene, 'workers')
    expect((await scene.owmJson<Answer>(hourly(10))).code).toBe(0)
    await consumer.catchUp(700)
    const [unread] = await scene.admin.xrevrange(stream, '+', '-', 'COUNT', 1)
    expect(await scene.admin.xdel(stream, unread?.[0] ?? '')).toBe(1)
    const [group] = z.array(z.array(z.unknown())).parse(await scene.admin.xinfo('GROUPS', stream))
    expect(group?.[group.indexOf('lag') + 1]).toBeNull()

    // 599 of the 700 that it has read have to go, and later the rest and some that it has not.
    expect((await scene.owmJson<Answer>(hourly(11))).json.sink.evicted).toBe(0)
    expect(await trimmedFrom(scene)).toBeGreaterThan(500)
    const third = await scene.owmJson<Answer>(hourly(12))
    const gone = (await trimmedFrom(scene)) - 1 // one was deleted
    expect(gone).toBeGreaterThan(1_200)
    expect(third.json.sink.evicted).toBe(gone - 700)
  })
})

describe('later slots, onFull: hold', () => {
  test('with a stalled group: they wait in the outbox, nothing is trimmed', async () => {
    const scene = await boundScene('hold', { count: 800 })
    const stalled = await Consumer.join(scene, 'stalled')
    const other = await Consumer.join(scene, 'other')
    expect((await scene.owmJson<Answer>(hourly(10))).code).toBe(0)
    await other.catchUp()
    const second = await scene.owm(hourly(11))
    expect(second.code, second.stderr).toBe(75)
    expect(second.stderr).toMatch(/owm: The stream owm-ingestion-stream is full/)
    expect(second.stderr).toMatch(/`owm flush`/)
    expect(await trimmedFrom(scene)).toBe(0)
    await finish(scene, [stalled, other])
    expect(stalled.read).toEqual([...places(800), ...places(800)])
    expect(other.read).toEqual(stalled.read)
  })

  test('with a group that read everything: they go on', async () => {
    const scene = await boundScene('hold', { count: 800 })
    const consumer = await Consumer.join(scene, 'workers')
    for (const hour of [10, 11, 12]) {
      const { code, json, stderr } = await scene.owmJson<Answer>(hourly(hour))
      expect(code, stderr).toBe(0)
      expect(json.sink.evicted).toBe(0)
      await consumer.catchUp()
    }
    expect(consumer.read).toHaveLength(2_400)
    expect(await scene.admin.xlen(stream)).toBeLessThan(1_100)
  })

  test('a full stream is no failure of the server: it is not retried and opens no circuit', async () => {
    const scene = await boundScene('hold', { settings: { breaker: { failures: 1, resetAfterMs: 86_400_000 } } })
    const consumer = await Consumer.join(scene, 'workers')
    const held = await scene.owmJson<Answer>(hourly(10))
    expectHeld(held)
    expect(held.stderr).not.toContain('tried again')
    expect(scene.proxy.counts).toMatchObject({ connections: 1, scripts: expect.toBeOneOf([3, 4]) })
    await finish(scene, [consumer])
    expect(consumer.read).toEqual(places(2_500))
  })
})

test.runIf(isLong)(
  'the long form: 250,000 locations into a bound of 100,000',
  async () => {
    const scene = await redisScene({ count: 250_000, settings: { sink: { onFull: 'hold' } } })
    const consumer = await Consumer.join(scene, 'workers')
    const first = await scene.owmJson<Answer>(hourly(10), { timeout: 300_000 })
    expectHeld(first)
    expect(await scene.admin.xlen(stream)).toBe(100_000)
    expect(first.json.outbox.pending).toBe(150_000)
    await finish(scene, [consumer])
    expect(consumer.read).toEqual(places(250_000))
  },
  900_000,
)
