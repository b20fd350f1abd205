/** SIGKILL during `owm outbox replay`: it is finished by the next start, or it is none; nothing comes twice. */
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isLong } from '../support/conditions.js'
import { entriesIn, factsOf } from '../support/contents.js'
import { expectGood, faultScene, produceArgs, type Scene, slotAt } from '../support/faults.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'

const rows = 600
let redis: RedisProcess
let admin: Redis
let streams = 0

beforeAll(async () => {
  redis = await startRedisProcess()
  admin = new Redis(redis.url)
})
afterAll(async () => {
  admin.disconnect()
  await redis.stop()
})

const sceneWith = (outbox: Record<string, unknown> = {}): Promise<Scene> =>
  faultScene({ sink: { url: redis.url, stream: `replay-${++streams}` }, locations: { rows }, outbox })

const replay = ['outbox', 'replay', `--slot=${slotAt(0)}`, '--yes']
const streamOf = ({ sink }: Scene): string => ('stream' in sink ? sink.stream : '')
/** The sink loses its oldest entries: only the newest ones are left. */
const trim = (scene: Scene, left: number): Promise<number> => admin.xtrim(streamOf(scene), 'MAXLEN', '=', left)

const later: [string, boolean][] = ['replay:stored:1', 'batch:sent:1', 'batch:acknowledged:3', 'receipt:written:1'].map(
  (at) => [at, true],
)

/** The ids in the sink, each of which is there once; and none is stored twice to be delivered. */
async function idsOnce(scene: Scene): Promise<Set<string>> {
  const ids = (await entriesIn(scene.sink)).map((text): string => JSON.parse(text).task_id)
  expect(new Set(ids).size).toBe(ids.length)
  const facts = await factsOf(scene.outbox)
  const stored = facts?.tasks.map(({ taskId }) => taskId) ?? []
  expect(new Set(stored).size).toBe(stored.length)
  return new Set(ids)
}

describe('from the history', () => {
  const moments: readonly [string, boolean][] = [
    ['replay:written:1', false],
    ['batch:answered:2', true],
    ...(isLong ? later : []),
  ]

  test.each(moments)('at %s', async (at, isPutBack) => {
    const scene = await sceneWith()
    expectGood(await scene.produce(0))
    await trim(scene, 120)
    await scene.crash(at, replay)
    await idsOnce(scene)
    const facts = await factsOf(scene.outbox)
    expect((facts?.lastSeq ?? 0) > scene.locations.valid.length).toBe(isPutBack)
    expectGood(await scene.owm(isPutBack ? ['flush'] : replay))
    await idsOnce(scene)
    await scene.complete()
    await scene.holds()
  })

  test('a sink that loses all of it afterwards gets each task once', async () => {
    const scene = await sceneWith()
    expectGood(await scene.produce(0))
    await trim(scene, 120)
    expectGood(await scene.owm(replay))
    await admin.del(streamOf(scene))
    expectGood(await scene.owm(['flush']))
    await idsOnce(scene)
    await scene.complete()
  })
})

describe('from the source, where the history is no longer kept', () => {
  async function unkept(): Promise<Scene> {
    const scene = await sceneWith({ keepTasks: 0 })
    for (const hour of [0, 1]) expectGood(await scene.produce(hour))
    // All of the later slot, and the end of the earlier one.
    await trim(scene, scene.locations.valid.length + 120)
    scene.ledger.forgotten?.add(slotAt(0))
    return scene
  }

  const allOfIt = (scene: Scene): number => 2 * scene.locations.valid.length

  test.each(['intake:persisted:1', ...(isLong ? ['run:started:1', 'intake:written:1', 'batch:answered:2'] : [])])(
    'at %s',
    async (at) => {
      const scene = await unkept()
      await scene.crash(at, replay)
      await idsOnce(scene)
      expectGood(await scene.owm(produceArgs(1)))
      expect((await idsOnce(scene)).size).toBe(allOfIt(scene))
    },
  )

  test.each([0, 40])('with %i of its tasks gone, nothing comes twice, now or with later starts', async (gone) => {
    const scene = await unkept()
    const stream = streamOf(scene)
    const [first = []] = [await admin.xrange(stream, '-', '+', 'COUNT', gone)]
    if (gone > 0) await admin.xdel(stream, ...first.map(([id]) => id))
    expectGood(await scene.owm(replay))
    expect((await idsOnce(scene)).size).toBe(allOfIt(scene))
    for (const next of [['flush'], produceArgs(1), replay, ['flush'], produceArgs(2), ['flush']]) {
      const { code, stderr } = await scene.owm(next)
      expect([code, stderr]).toEqual([0, expect.not.stringContaining('lost')])
      await idsOnce(scene)
    }
  })

  test('a sink that is down by then is told of, not the source; once it is back, nothing comes twice', async () => {
    const scene = await unkept()
    await scene.crash('run:started:1', replay)
    await redis.kill('SIGSTOP')
    const noSink = ['--set', 'sink.timeoutMs=500', '--set', 'retry.attempts=1']
    const { code, stderr } = await scene.owm([...produceArgs(2), ...noSink]).finally(() => redis.kill('SIGCONT'))
    expect([code, stderr]).toEqual([75, expect.stringMatching(/^owm: The sink redis-stream/m)])
    expect(stderr).not.toMatch(/The source/)
    expectGood(await scene.owm(['flush']))
    expectGood(await scene.owm(produceArgs(2)))
    await idsOnce(scene)
  })

  test('what it left out is delivered where the sink loses it before the end', async () => {
    const scene = await unkept()
    await scene.crash('intake:persisted:1', replay)
    await admin.flushall()
    expect((await scene.owm(produceArgs(1))).signal).toBe(null)
    expect((await idsOnce(scene)).size).toBe(allOfIt(scene))
  })
})
