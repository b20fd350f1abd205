/** A batch comes again as it was, whatever a sink has done to the one that it got before. */
import { expect, test } from 'vitest'
import type { TaskBatch } from '../../src/plugin.js'
import { superviseSink } from '../../src/plugins/supervise/index.js'
import { Batch } from '../../src/tasks/batch.js'

const texts = ['{"n":1}', '{"n":2}', '{"n":3}', '{"n":4}']
const log = { debug() {}, info() {}, warn() {}, error() {} }

/** What a sink sees in the second call with a batch, the first of which spoils what it got and fails. */
async function secondTime<T>(
  spoil: (batch: TaskBatch) => unknown,
  see: (batch: TaskBatch) => T,
): Promise<T | undefined> {
  const terms = { name: 'spoils', timeoutMs: 1_000, signal: new AbortController().signal, log }
  let [calls, seen]: [number, T | undefined] = [0, undefined]
  const sink = await superviseSink(terms, () => ({
    guarantee: 'at-least-once',
    async deliver(batch) {
      calls++
      if (calls === 1) {
        spoil(batch)
        throw new Error('503 from the hub')
      }
      seen = see(batch)
      return texts.map(() => 'delivered' as const)
    },
  }))
  const batch = Batch.of(texts)
  await expect(sink.deliver(batch)).rejects.toThrow('503 from the hub')
  await sink.deliver(batch)
  expect(batch.tasks, "owm's own").toEqual(texts)
  return seen
}

const listOf = (given: readonly unknown[]): unknown[] => (Array.isArray(given) ? given : [])

test.each<[string, (batch: TaskBatch) => unknown, (batch: TaskBatch) => unknown, unknown]>([
  ['takes its tasks out in chunks', ({ tasks }) => listOf(tasks).splice(0, 2), ({ tasks }) => [...tasks], texts],
  ['writes another task', ({ tasks }) => listOf(tasks).fill('{}'), ({ tasks }) => [...tasks], texts],
  ['takes the offsets out', ({ starts }) => listOf(starts).splice(0), ({ count }) => count, 4],
  ['encrypts the bytes in their place', ({ bytes }) => bytes.fill(0), (batch) => batch.task(3), texts[3]],
  ['names another outbox', (batch) => Reflect.set(batch, 'outboxId', 'x'), ({ outboxId }) => outboxId, ''],
])('a sink that %s', async (_, spoil, see, expected) => {
  expect(await secondTime(spoil, see)).toEqual(expected)
})
