/**
 * Does the suite notice? Each guard is taken out of a second build, by
 * an exact replacement in its source, and the oracle must complain about a fault
 * that the real build survives.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { brokenBuild } from '../support/broken.js'
import type { Ran } from '../support/cli.js'
import { faultScene, pidOf, produceArgs, type Scene, type SceneOptions } from '../support/faults.js'
import { complaintsAtAnyMoment, complaintsWhenComplete } from '../support/oracle.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'

interface Guard {
  name: string
  /** A file of src, and what to replace in it: must be there exactly once. */
  file: string
  text: string
  by: string
  sink: 'redis-stream' | 'jsonl'
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

/** A flusher falls asleep, others come by, it wakes up. */
async function sleepWhileFlushing(scene: Scene): Promise<Ran[]> {
  const stored = await scene.produce(0, ['--no-flush'])
  const sleeper = await scene.stopAt('batch:answered:3', ['flush'])
  await scene.produce(1)
  process.kill(pidOf(sleeper), 'SIGCONT')
  return [stored, await sleeper.ended, await scene.produce(1)]
}

const guards: readonly Guard[] = [
  {
    name: 'the fence is not looked at',
    file: 'sinks/redis-stream/index.ts',
    text: 'skip = math.max(0, math.min(count, seq - first + 1))',
    by: 'skip = 0',
    sink: 'redis-stream',
    fault: dieWhileFlushing('batch:answered:5'),
    complaint: /more than once/,
  },
  {
    name: 'the fence is not moved',
    file: 'sinks/redis-stream/index.ts',
    text: "redis.call('HSET', fence, 'seq', string.format('%d', first + count - 1), 'task', string.sub(ARGV[offset + count], 13, 48), 'run', run, 'from', from)",
    by: '',
    sink: 'redis-stream',
    fault: dieWhileFlushing('batch:answered:1'),
    complaint: /more than once/,
  },
  {
    name: 'acknowledged before it is sent (redis-stream)',
    file: 'pipeline/produce.ts',
    text: "step('batch:loaded')",
    by: "step('batch:loaded'); await outbox.acknowledge(batch.firstSeq + batch.count - 1); await outbox.writeAcknowledgement();",
    sink: 'redis-stream',
    fault: dieWhile('batch:sent:1'),
    complaint: /^acknowledged, but not in the sink: /, // a moment later the comparison with the fence would mend it
  },
  {
    name: 'acknowledged before it is sent (jsonl)',
    file: 'pipeline/produce.ts',
    text: "step('batch:loaded')",
    by: "step('batch:loaded'); await outbox.acknowledge(batch.firstSeq + batch.count - 1); await outbox.writeAcknowledgement();",
    sink: 'jsonl',
    fault: dieWhile('batch:sent:7'),
    complaint: /^lost: /,
  },
  {
    name: 'no lock',
    file: 'outbox/lock.ts',
    text: "connection.exec('BEGIN IMMEDIATE'",
    by: "connection.exec('BEGIN'",
    sink: 'redis-stream',
    fault: sleepWhileFlushing,
    complaint: /more than once/,
  },
  {
    name: 'the resume point stays behind its batch',
    file: 'outbox/outbox.ts',
    text: 'UPDATE run SET resume = ?, read',
    by: 'UPDATE run SET resume = CASE WHEN ? IS NULL THEN NULL END, read',
    sink: 'redis-stream',
    fault: dieWhile('intake:persisted:2'),
    complaint: /1500 rows, .* but/,
  },
  {
    name: 'half of what the source gave is stored',
    file: 'pipeline/produce.ts',
    text: 'if (from > 0) await nextTurn()',
    by: 'this.isWhole = true; if (from > 0) await new Promise((done) => setTimeout(done, 20))', // until the transaction before it is through
    sink: 'redis-stream',
    fault: dieWhile('intake:persisted:2'),
    complaint: /1500 rows, .* but/,
  },
  {
    name: 'the resume point moves before its batch',
    file: 'pipeline/produce.ts',
    text: 'storing = outbox.persist(run, full).then(',
    by:
      'storing = outbox.persist(run, { ...full, read: 0, batches: [], quarantined: [], suspects: [] })' +
      ".then(() => step('intake:read')).then(() => outbox.persist(run, full)).then(",
    sink: 'redis-stream',
    fault: dieWhile('intake:read:2'),
    complaint: /^lost: /,
  },
  {
    name: 'a run that died is not finished',
    file: 'pipeline/produce.ts',
    text: 'of await outbox.openRuns())',
    by: 'of (await outbox.openRuns()).filter((open) => open.id === run.id))',
    sink: 'redis-stream',
    fault: dieWhile('intake:persisted:1'),
    complaint: /^lost: /,
  },
  {
    name: 'a repeated location is a second task',
    file: 'pipeline/produce.ts',
    text: 'else if (this.#seen.add(written.digits))',
    by: 'else if (false)',
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
async function verdict({ sink, fault }: Guard, script?: string): Promise<string[]> {
  const options: SceneOptions = {
    sink: sink === 'jsonl' ? sink : { url: redis.url, stream: `broken-guards-${++streams}` },
  }
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
    expect(await verdict(guard, await brokenBuild(guard.file, [[guard.text, guard.by]]))).toContainEqual(
      expect.stringMatching(guard.complaint),
    )
  })
