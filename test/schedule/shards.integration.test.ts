/** The number of shards changes, each machine with its own outbox: no time is served twice, and none left out. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { hour, Machines } from '../support/machines.js'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Two shards at 10:00, then one piece at 11:00 to 13:00, while machine 1 has nothing to do. */
async function onceInTwo(catchUp: 'latest' | 'all'): Promise<Machines> {
  const machines = await Machines.with({ catchUp })
  for (const machine of [0, 1])
    expect(await machines.produce({ machine, at: 10, shard: `${machine}/2` })).toMatchObject({ code: 0 })
  for (const at of [11, 12, 13]) expect(await machines.produce({ machine: 0, at })).toMatchObject({ code: 0 })
  return machines
}

test('a machine that catches up leaves what is whole in another number of shards', async () => {
  const machines = await onceInTwo('all')
  for (const machine of [1, 0])
    expect(await machines.produce({ machine, at: 14, shard: `${machine}/2` })).toMatchObject({
      code: 0,
      result: { served: [{ slot: hour(14) }] },
    })
  expect(await machines.tasks()).toBe(5 * 30)
})

test('what is there in part, in another number of shards, is refused until it is whole', async () => {
  const machines = await onceInTwo('all')
  expect(await machines.produce({ machine: 3, at: 14, shard: '0/3' })).toMatchObject({ code: 0 })
  expect(await machines.produce({ machine: 0, at: 15 })).toMatchObject({
    code: 75,
    error: { message: expect.stringContaining('lacks shard 1, 2'), hint: expect.stringContaining('--shard 1/3') },
  })
  // As the hint says.
  for (const [machine, shard] of [
    [4, '1/3'],
    [5, '2/3'],
  ] as const)
    expect(await machines.produce({ machine, at: 15, shard }, hour(14))).toMatchObject({ code: 0 })
  expect(await machines.produce({ machine: 0, at: 15 })).toMatchObject({
    code: 0,
    result: { served: [{ slot: hour(15) }] },
  })
  expect(await machines.tasks()).toBe(6 * 30)
})

test('what waits in this outbox is named, where it may be what lacks', async () => {
  const machines = await Machines.with({ catchUp: 'all' })
  for (const machine of [0, 1])
    expect(await machines.produce({ machine, at: 10, shard: `${machine}/2` })).toMatchObject({ code: 0 })
  expect(await machines.produce({ machine: 0, at: 11, shard: '0/2' }, undefined, { noFlush: true })).toMatchObject({
    code: 0,
  })
  expect(await machines.produce({ machine: 1, at: 11, shard: '1/2' })).toMatchObject({ code: 0 })
  expect(await machines.produce({ machine: 0, at: 12, shard: '0/3' })).toMatchObject({
    code: 75,
    error: { message: expect.stringContaining('lacks shard 0'), hint: expect.stringContaining('`owm flush`') },
  })
  expect(await machines.produce({ machine: 0, at: 12, shard: '0/2' }, hour(11))).toMatchObject({ code: 0 })
  for (const machine of [0, 1, 2])
    expect(await machines.produce({ machine, at: 12, shard: `${machine}/3` })).toMatchObject({ code: 0 })
  expect(await machines.tasks()).toBe(3 * 30)
})

test('a third number continues after all that the second one served, not its last slot alone', async () => {
  const machines = await onceInTwo('latest')
  for (const machine of [1, 0, 2])
    expect(await machines.produce({ machine, at: 14, shard: `${machine}/3` })).toMatchObject({
      code: 0,
      result: { served: [{ slot: hour(14) }] },
      // A share isn't a list that has shrunk.
      warnings: [],
    })
  expect(await machines.tasks()).toBe(5 * 30)
})

/** 10:00 to 13:00 in two shards; shard 1 was down at 11:00 and 12:00 and missed them. From 14:00 on, no shards. */
async function onceMissed(): Promise<Machines> {
  const machines = await Machines.with({ catchUp: 'all', maxCatchUp: 1 })
  for (const at of [10, 11, 12, 13])
    for (const machine of at === 11 || at === 12 ? [0] : [0, 1])
      expect(await machines.produce({ machine, at, shard: `${machine}/2` })).toMatchObject({ code: 0 })
  expect(await machines.produce({ machine: 0, at: 14 })).toMatchObject({ code: 0 })
  return machines
}

test('what a shard of the old number missed is reported by verify, and served as that shard', async () => {
  const machines = await onceMissed()
  const on = { machine: 0, at: 14 }
  const shards = { state: 'different', differences: [{ kind: 'shards' }] }
  const verified = await machines.verify(on)
  expect(verified).toMatchObject({
    code: 75,
    result: { different: 2, slots: [{ state: 'same' }, { state: 'same' }, shards, shards, { state: 'same' }] },
    error: { hint: expect.stringContaining(`--slot ${hour(12)} --shard 1/2`) },
  })
  for (const [machine, slot] of [
    [1, hour(11)],
    [2, hour(12)],
  ] as const)
    expect(await machines.produce({ machine, at: 14, shard: '1/2' }, slot)).toMatchObject({ code: 0 })
  expect(await machines.verify(on)).toMatchObject({ code: 0 })
  expect(await machines.tasks()).toBe(5 * 30)
})

test("another shard's receipt is not this one's: verify tells what is due, missed, and not there", async () => {
  const machines = await Machines.with({ catchUp: 'all' })
  for (const machine of [0, 1])
    expect(await machines.produce({ machine, at: 10, shard: `${machine}/2` })).toMatchObject({ code: 0 })
  expect(await machines.produce({ machine: 0, at: 13, shard: '0/2' })).toMatchObject({ code: 0 })
  // Without --shard it is the one that the outbox served.
  for (const shard of ['1/2', undefined])
    expect(await machines.verify({ machine: 1, at: 13, shard })).toMatchObject({
      code: 75,
      result: { withoutRun: { due: { count: 3, late: 2 } } },
    })
  expect(await machines.verify({ machine: 1, at: 13, shard: '1/2' }, hour(12))).toMatchObject({
    code: 75,
    error: { hint: expect.stringContaining('--shard 1/2') },
  })
  expect(await machines.verify({ machine: 2, at: 13, shard: '0/2' }, hour(12))).toMatchObject({
    code: 0,
    result: { slots: [{ state: 'elsewhere' }] },
  })
})

test('verify reads the shard that Kubernetes tells a pod, whose outbox is new', async () => {
  const machines = await Machines.with({ catchUp: 'all' }, { shards: 2 })
  expect(await machines.produce({ machine: 0, at: 10, index: '0' })).toMatchObject({ code: 0 })
  expect(await machines.verify({ machine: 1, at: 10, index: '0' }, hour(10))).toMatchObject({
    code: 0,
    result: { slots: [{ state: 'elsewhere' }] },
  })
  expect(await machines.verify({ machine: 1, at: 10, index: '1' }, hour(10))).toMatchObject({
    code: 75,
    error: { hint: expect.stringContaining('--shard 1/2') },
  })
})

test('a backfill does not take what is there in part, in another number of shards, for served', async () => {
  const machines = await onceMissed()
  const divided = [11, 12].map((at) => ({ slot: hour(at), shards: 2, missing: [1] }))
  // The outbox that has a part of it, and a new one.
  for (const machine of [0, 3])
    expect(await machines.backfill({ machine, at: 14 }, 10, 14)).toMatchObject({
      code: 75,
      result: { slots: [], alreadyServed: 3, divided },
      error: { hint: expect.stringContaining(`--slot ${hour(11)} --shard 1/2`) },
    })
  expect(await machines.backfill({ machine: 1, at: 14, shard: '1/2' }, 10, 14)).toMatchObject({ code: 0 })
  expect(await machines.backfill({ machine: 0, at: 14 }, 10, 14)).toMatchObject({ code: 0 })
  expect(await machines.tasks()).toBe(5 * 30)
})

test('a slot that this outbox served whole is refused in shards, of which others would seem to lack', async () => {
  const machines = await Machines.with({ catchUp: 'all' })
  expect(await machines.produce({ machine: 0, at: 10 })).toMatchObject({ code: 0 })
  expect(await machines.produce({ machine: 0, at: 10, shard: '0/2' })).toMatchObject({
    code: 78,
    error: { message: expect.stringContaining('in one piece'), hint: expect.stringContaining('--shard 0/2 --again') },
  })
  expect(await machines.verify({ machine: 0, at: 10 })).toMatchObject({ code: 0 })
  expect(await machines.tasks()).toBe(30)
})
