/**
 * SIGKILL at every named step, one after another on the same outbox, and then a
 * start that must set all of it right. OWM_TEST_LONG=1 takes many more
 * occurrences of each step, each on an outbox of its own as well.
 */
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Step } from '../../src/trace.js'
import { isLong } from '../support/conditions.js'
import { expectGood, faultScene, produceArgs, type SceneOptions } from '../support/faults.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'

/** Steps of a start that reads and delivers 1,500 rows in batches of 50: which occurrences of each to die at. */
const ofProduce: readonly (readonly [Step, readonly number[]])[] = [
  ['run:started', [1]],
  ['intake:read', [1, 2, 4]],
  ['intake:written', [1, 2, 3]],
  ['intake:persisted', [1, 2, 3]],
  ['reading:ended', [1]],
  ['checking:ended', [1]],
  ['batch:loaded', [1, 2, 17]],
  ['batch:sent', [1, 2, 17]],
  ['batch:answered', [1, 2, 25]],
  ['acknowledgement:written', [1]], // mostly it rides on an intake's transaction; the flush below dies at later ones
  ['batch:acknowledged', [1, 2, 25]],
  ['relay:ended', [1]],
  ['settled', [1]],
]

/** Those whose order against the sink matters most where the sink has no fence. */
const ofJsonl: readonly Step[] = ['intake:written', 'batch:sent', 'batch:answered', 'acknowledgement:written']

let redis: RedisProcess
let streams = 0

beforeAll(async () => {
  redis = await startRedisProcess()
})
afterAll(() => redis.stop())

const stream = (): { url: string; stream: string } => ({ url: redis.url, stream: `crash-points-${++streams}` })

/** Dies at each of these occurrences, at a slot of its own each time; then a later slot finishes all. */
async function dieAndRecover(step: Step, occurrences: readonly number[], options: SceneOptions): Promise<void> {
  const scene = await faultScene(options)
  let hour = 0
  for (const occurrence of occurrences) {
    await scene.crash(`${step}:${occurrence}`, produceArgs(hour++))
    await scene.holds()
  }
  expectGood(await scene.produce(hour))
  await scene.complete()
}

/** Deaths one after the other: the first and the last of these; where there is one, by two starts. */
const chain = (occurrences: readonly number[]): readonly number[] =>
  isLong && occurrences.length > 1 ? occurrences : [occurrences[0] ?? 1, occurrences.at(-1) ?? 1]

describe('SIGKILL during produce, into redis-stream', () => {
  for (const [step, occurrences] of ofProduce) {
    test(`at ${step}, ${chain(occurrences).join(', ')}`, () =>
      dieAndRecover(step, chain(occurrences), { sink: stream() }))
    // In one start: a file of several chunks, each of which is more than may gather, has a fourth intake for certain.
    if (isLong)
      for (let n = 1; n <= (occurrences.at(-1) ?? 1); n++)
        test(`at ${step}, ${n}, alone`, () => dieAndRecover(step, [n], { sink: stream(), locations: { rows: 6_000 } }))
  }
})

describe('SIGKILL during produce, into jsonl', () => {
  for (const [step, occurrences] of ofProduce)
    if (isLong || ofJsonl.includes(step))
      test(`at ${step}, ${chain(occurrences).join(', ')}`, () =>
        dieAndRecover(step, chain(occurrences), {
          sink: 'jsonl',
          locations: { rows: 1_500, file: 'locations.ndjson' },
        }))
})

describe('SIGKILL during flush', () => {
  for (const step of ['batch:sent', 'batch:answered', 'acknowledgement:written', 'settled'] satisfies Step[])
    test(`at ${step}`, async () => {
      const scene = await faultScene({ sink: stream() })
      expectGood(await scene.produce(0, ['--no-flush']))
      await scene.crash(`${step}:1`, ['flush'])
      await scene.holds()
      // With the most batches that may be unacknowledged: all of them come again, and none may be added.
      if (step !== 'settled') await scene.crash(`${step}:${step === 'acknowledgement:written' ? 2 : 10}`, ['flush'])
      expectGood(await scene.owm(['flush']))
      await scene.complete()
    })

  test('and --limit: a part of a batch counts as a part', async () => {
    const scene = await faultScene({ sink: stream() })
    expectGood(await scene.produce(0, ['--no-flush']))
    await scene.crash('batch:answered:3', ['flush', '--limit', '130'])
    expectGood(await scene.owm(['flush', '--limit', '75']))
    await scene.holds()
    expectGood(await scene.owm(['flush']))
    await scene.complete()
  })
})

describe('SIGKILL during the first migration', () => {
  for (const step of ['migration:begun', 'migration:written'] satisfies Step[])
    test(`at ${step}`, async () => {
      const scene = await faultScene({ sink: stream() })
      await scene.crash(step, produceArgs(0))
      await scene.holds()
      expectGood(await scene.owm(['outbox', 'inspect']))
      await scene.crash(step, produceArgs(0))
      expectGood(await scene.produce(0))
      await scene.complete()
    })
})

describe('SIGKILL during clean-up of the history', () => {
  const small: Partial<SceneOptions> = { batchSize: 5, outbox: { keepTasks: 200, keepRuns: 10 } }

  test('at history:deleted, 1, 2', async () => {
    const scene = await faultScene({ sink: stream(), ...small })
    expectGood(await scene.produce(0))
    scene.ledger.forgotten?.add([...scene.slots.keys()].join())
    await scene.crash('history:deleted:1', produceArgs(1))
    await scene.holds()
    await scene.crash('history:deleted:2', produceArgs(1))
    await scene.holds()
    expectGood(await scene.produce(1))
    // A slot whose history is half forgotten is known all the same.
    expectGood(await scene.produce(0))
    await scene.complete()
  })

  test('at runs:deleted', async () => {
    const scene = await faultScene({ sink: stream(), ...small, outbox: { keepTasks: 0, keepRuns: 1 } })
    for (const hour of [0, 1]) expectGood(await scene.produce(hour))
    for (const slot of scene.slots.keys()) scene.ledger.forgotten?.add(slot)
    await scene.crash('runs:deleted', produceArgs(2))
    await scene.holds()
    expectGood(await scene.produce(2))
    await scene.complete()
  })

  test('at history:deleted of outbox purge, with tasks pending', async () => {
    const scene = await faultScene({ sink: stream(), batchSize: 5 })
    expectGood(await scene.produce(0))
    expectGood(await scene.produce(1, ['--no-flush']))
    scene.ledger.forgotten?.add([...scene.slots.keys()][0] ?? '')
    await scene.crash('history:deleted:1', ['outbox', 'purge'])
    await scene.holds()
    expectGood(await scene.owm(['outbox', 'purge']))
    await scene.holds()
    expectGood(await scene.owm(['flush']))
    expectGood(await scene.produce(0))
    await scene.complete()
  })
})
