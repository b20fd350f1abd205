/** What receipts, and the runs of an outbox, say of slots in several shards. */
import { expect, test } from 'vitest'
import { shardsOf } from '../../src/pipeline/slots/shards.js'
import type { Receipt } from '../../src/plugin.js'

const slot = '2026-11-23T10:00:00Z'
const receipt = (shard: number, shards: number): Receipt => ({
  ...{ pipeline: 'p', slot, shard, shards, interval: null, taskIdSum: '0'.repeat(32) },
  ...{ read: 1, rejected: 0, duplicates: 0, delivered: 1, dead: 0, discarded: 0 },
})

test('nothing is missing of a number of shards that was refused, since another one is there', () => {
  const runs = [{ slot, shard: '2/3' }]
  const kept = [receipt(0, 2), receipt(1, 2)]
  expect(shardsOf(kept, runs)).toMatchObject([{ shards: 2, missing: [] }])
  expect(shardsOf(kept.slice(1), runs)).toMatchObject([
    { shards: 2, missing: [0] },
    { shards: 3, missing: [0, 1, 2] },
  ])
})

test('a shard that the sink has lost is missing', () => {
  const [first, second] = [receipt(0, 2), { ...receipt(1, 2), isGone: true }]
  expect(shardsOf([first, second], [])).toMatchObject([{ shards: 2, there: [0], missing: [1], delivered: 1 }])
})
