/** Which slots a backfill serves if the sink has receipts of more slots than it returns at once. */
import { expect, test } from 'vitest'
import { UsageError } from '../../src/errors/index.js'
import type { SlotsSeen } from '../../src/outbox/inspect/ledger/slots.js'
import { type AskReceipts, refusedIn, unserved } from '../../src/pipeline/slots/backfill.js'
import type { Receipt } from '../../src/plugin.js'
import { slotOf } from '../../src/tasks/slot.js'

const minute = 60_000
const start = Date.parse('2026-11-23T00:00:00Z')
const times = (count: number): number[] => Array.from({ length: count }, (_, index) => start + index * minute)
const nothing: SlotsSeen = { coveredTo: null, slots: [], open: 0, missed: [], newestDeletedSlot: null }
const source = { digest: 'd' }

const receiptOf = (time: number, isGone = false): Receipt => ({
  ...{ pipeline: 'p', slot: slotOf(time), shard: 0, shards: 1, interval: null, isGone },
  ...{ read: 1, rejected: 0, duplicates: 0, delivered: 1, dead: 0, discarded: 0, taskIdSum: '0'.repeat(32) },
})

/** As the servers answer: the newest 1,000, or those of a slot. */
const keeping = (kept: readonly Receipt[]): { ask: AskReceipts; asked: (string | undefined)[] } => {
  const asked: (string | undefined)[] = []
  const ask: AskReceipts = async (slot) => {
    asked.push(slot)
    return slot === undefined ? kept.toReversed().slice(0, 1_000) : kept.filter((one) => one.slot === slot)
  }
  return { ask, asked }
}

test('what is older than the receipts that the sink gives is asked for slot by slot', async () => {
  const [gap, gone] = [slotOf(start + 7 * minute), slotOf(start + 9 * minute)]
  const kept = times(1_200).filter((time) => slotOf(time) !== gap)
  const { ask, asked } = keeping(kept.map((time) => receiptOf(time, slotOf(time) === gone)))
  const { served, ...others } = await unserved(times(1_200), nothing, ask, source)
  expect(others).toEqual({ slots: [gap, gone], givenUp: [], divided: [] })
  expect(served.length).toBe(1_198)
  expect(asked.length).toBe(1 + 200)
  // What the outbox has forgotten, the sink still knows.
  const forgotten = { ...nothing, newestDeletedSlot: slotOf(start + 1_199 * minute) }
  expect((await unserved(times(7), forgotten, ask, source)).served.length).toBe(7)
  await expect(unserved(times(8), forgotten, ask, source)).rejects.toThrow(UsageError)
})

test('10,000 slots are served, one more is a slip; what is served already does not count', async () => {
  const { ask } = keeping([receiptOf(start)])
  expect((await unserved(times(10_001), nothing, ask, source)).slots.length).toBe(10_000)
  await expect(unserved(times(10_002), nothing, ask, source)).rejects.toThrow(/More than 10000/)
})

test('dead letters of a served slot are those of its row, or, if others served it, of all receipts', async () => {
  const [own, noted, whole] = times(3).map(slotOf)
  const row = { state: 'done', runId: 'r', shard: null, read: 3, from: null } as const
  const known: SlotsSeen = {
    ...nothing,
    slots: [
      { ...row, slot: own ?? '', persisted: 2, rejected: 1, dead: 1 },
      { ...row, slot: noted ?? '', persisted: 0, rejected: 0, dead: 0 },
    ],
  }
  const given = (time: number, shard: number, shards: number, dead: number): Receipt => ({
    ...receiptOf(time),
    ...{ shard, shards, dead, rejected: dead },
  })
  const [first = 0, second = 0, third = 0] = times(3)
  const kept = [given(first, 0, 1, 5), given(second, 0, 1, 2), given(third, 0, 2, 1), given(third, 1, 2, 3)]
  const { served } = await unserved(times(3), known, keeping(kept).ask, source)
  expect(served).toEqual([
    { slot: own, dead: 1, deadElsewhere: 0, rejected: 1 },
    { slot: noted, dead: 0, deadElsewhere: 2, rejected: 0 },
    { slot: whole, dead: 0, deadElsewhere: 4, rejected: 4 },
  ])
  expect(refusedIn(served, 'redis', '').map(({ message }) => message)).toEqual([
    `1 task of the slot ${own} is a dead letter: the sink redis had refused it for good.`,
    `6 tasks of the slots ${noted}, ${whole}: another outbox has set them aside.`,
  ])
})
