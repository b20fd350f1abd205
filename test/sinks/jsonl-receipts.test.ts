import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { receiptsBeside } from '../../src/sinks/jsonl/receipts.js'
import { temporaryFolder } from '../support/cli.js'

const counts = { read: 1, rejected: 0, duplicates: 0, delivered: 1, dead: 0, discarded: 0, taskIdSum: '' }
const place = { pipeline: 'p', shard: 0, shards: 1, interval: null }
const [first, second] = ['10', '11'].map((hour) => ({ ...place, ...counts, slot: `2026-11-23T${hour}:00:00Z` }))

test.each(['', '{"pipeline":"p","slot":"2026-11-23T09:0'])(
  'a receipt stands in a line of its own behind %j',
  async (left) => {
    const path = join(await temporaryFolder(), 'tasks.jsonl')
    await writeFile(`${path}.receipts`, left)
    const beside = await receiptsBeside(path)
    if (!first || !second) throw new Error('there are two')
    for (const receipt of [first, second]) await beside.receipt(undefined, receipt, { runs: [], lastSeq: 1 })
    expect(await beside.receipts('p')).toMatchObject([second, first])
  },
)
