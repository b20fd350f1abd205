/**
 * Does the suite notice? Each guard is taken out of a second build, and the oracle must complain about a fault
 * that the real build survives.
 */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { brokenBuild, type Changes } from '../support/broken.js'
import type { Ran } from '../support/cli.js'
import { faultScene, pidOf, produceArgs, type Scene, type SceneOptions } from '../support/faults.js'
import { complaintsAtAnyMoment, complaintsWhenComplete } from '../support/oracle.js'
import { type FaultProxy, startProxy } from '../support/proxy.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'

interface Guard {
  name: string
  changes: Changes
  sink: 'redis-stream' | 'jsonl'
  /** What becomes of a batch on its way to Redis. */
  onTheWay?(proxy: FaultProxy): void
  /** `look` asks the oracle in between. */
  fault(scene: Scene, look: () => Promise<void>): Promise<Ran[]>
  complaint: RegExp
}

const dieWhile =
  (at: string) =>
  async (scene: Scene, look: () => Promise<void>): Promise<Ran[]> => {
    await scene.crash(at, produceArgs(0))
    await look()
    return [await scene.produce(1)]
  }

const dieWhileFlushing =
  (at: string) =>
  async (scene: Scene): Promise<Ran[]> => {
    const stored = await scene.produce(0, ['--no-flush'])
    await scene.crash(at, ['flush'])
    return [stored, await scene.owm(['flush'])]
  }

/** A relay falls asleep, others come by, it wakes up. */
async function sleepWhileFlushing(scene: Scene): Promise<Ran[]> {
  const stored = await scene.produce(0, ['--no-flush'])
  const sleeper = await scene.stopAt('batch:answered:3', ['flush'])
  await scene.produce(1)
  process.kill(pidOf(sleeper), 'SIGCONT')
  return [stored, await sleeper.ended, await scene.produce(1)]
}

const acknowledgedFirst: Changes = {
  'sent-before-acknowledged': (sending) => `await outbox.acknowledge(batch, false); ${sending}`,
}

const guards: readonly Guard[] = [
  {
    name: 'the fence is not looked at',
    changes: { 'fence-skips': 'skip = 0' },
    sink: 'redis-stream',
    onTheWay: (proxy) => proxy.onScript(5, 'drop-reply'),
    fault: async (scene) => [await scene.produce(0)],
    complaint: /more than once/,
  },
  {
    name: 'the fence is not moved',
    changes: { 'fence-moves': '' },
    sink: 'redis-stream',
    fault: dieWhileFlushing('batch:answered:1'),
    complaint: /more than once/,
  },
  {
    name: 'a batch is added wherever the fence stands',
    changes: { 'chain-checked': "local fits = true; after_seq = tonumber(held[1] or 0); after_task = held[2] or ''" },
    sink: 'redis-stream',
    onTheWay: (proxy) => proxy.onScript(5, 'drop-reply'),
    fault: async (scene) => [await scene.produce(0)],
    complaint: /more than once|^lost: /,
  },
  {
    name: 'acknowledged before it is sent (redis-stream)',
    changes: acknowledgedFirst,
    sink: 'redis-stream',
    fault: dieWhile('batch:sent:1'),
    complaint: /^acknowledged, but not in the sink: /, // a moment later the comparison with the fence would repair it
  },
  {
    name: 'acknowledged before it is sent (jsonl)',
    changes: acknowledgedFirst,
    sink: 'jsonl',
    fault: dieWhile('batch:sent:7'),
    complaint: /^lost: /,
  },
  {
    name: 'no lock',
    changes: { 'one-process': 'resolve()' },
    sink: 'redis-stream',
    fault: sleepWhileFlushing,
    complaint: /more than once|has taken over/,
  },
  {
    name: 'the checkpoint stays behind its batch',
    changes: { 'checkpoint-moves': 'const checkpoint = null' },
    sink: 'redis-stream',
    fault: dieWhile('intake:persisted:2'),
    complaint: /1500 rows, .* but/,
  },
  {
    name: 'half of a page of the source is stored',
    changes: {
      // until the transaction before it is through
      'no-half-page': 'this.isWhole = true; if (from > 0) await new Promise((done) => setTimeout(done, 20))',
    },
    sink: 'redis-stream',
    fault: dieWhile('intake:persisted:2'),
    complaint: /1500 rows, .* but/,
  },
  {
    name: 'the checkpoint moves before its batch',
    changes: {
      'checkpoint-with-batch': `
        const persisted = outbox
          .intake.write(run, { ...full, read: 0, batches: [], rejections: [], suspects: [] })
          .then(() => step('intake:read'))
          .then(() => outbox.intake.write(run, full))`,
    },
    sink: 'redis-stream',
    fault: dieWhile('intake:read:2'),
    complaint: /^lost: /,
  },
  {
    name: 'a run that died is not finished',
    changes: {
      'open-runs-finished': 'let open = inOrder((await ledger.open()).slice(-1))',
    },
    sink: 'redis-stream',
    fault: dieWhile('intake:persisted:1'),
    complaint: /^lost: /,
  },
  {
    name: 'a repeated location is a second task',
    changes: { 'seen-before': 'const seen = false' },
    sink: 'redis-stream',
    fault: async (scene) => [await scene.produce(0)],
    complaint: /more than once/,
  },
]

let redis: RedisProcess
let streams = 0

beforeAll(async () => {
  redis = await startRedisProcess()
})
afterAll(() => redis.stop())

/** What the oracle, and the exit codes, say after the fault. */
async function verdict({ sink, onTheWay, fault }: Guard, script?: string): Promise<string[]> {
  const proxy = await startProxy(redis)
  onTestFinished(() => proxy.stop())
  onTheWay?.(proxy)
  const url = `redis://${proxy.host}:${proxy.port}`
  const options: SceneOptions = { sink: sink === 'jsonl' ? sink : { url, stream: `broken-guards-${++streams}` } }
  const scene = await faultScene(script === undefined ? options : { ...options, script })
  const complaints: string[] = []
  const look = async (): Promise<void> => void complaints.push(...(await complaintsAtAnyMoment(scene.case())))
  const ran = await fault(scene, look)
  await look()
  return [
    ...complaints,
    ...(await complaintsWhenComplete(scene.case())),
    ...ran
      .filter(({ code }) => code !== 0)
      .map(({ code, signal, stderr }) => `ended with ${code ?? signal}: ${stderr}`),
  ]
}

for (const guard of guards)
  test(`caught: ${guard.name}`, async () => {
    expect(await verdict(guard)).toEqual([])
    expect(await verdict(guard, await brokenBuild(guard.changes))).toContainEqual(
      expect.stringMatching(guard.complaint),
    )
  })
