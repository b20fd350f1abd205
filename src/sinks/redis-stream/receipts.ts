/** The receipts of a stream: a hash per pipeline, `SLOT SHARD/SHARDS` -> JSON, and an index of its fields by time. */
import type { Redis } from 'ioredis'
import type { Attachment, Brought, Receipt } from '../../plugin.js'
import { newestGiven, slotsKept } from '../servers.js'
import type { Connection } from './connection/index.js'
import { namingWrongKey } from './connection/wrong-type.js'
import { listOf } from './errors.js'
import type { Keys } from './keys.js'
import { receipt as script } from './scripts/receipt.js'

/** Throws ConfigurationError, TransientError. */
export async function writeReceipt(
  connection: Connection,
  keys: Keys,
  { outboxId, epoch, word }: Attachment,
  receipt: Receipt,
  { runs, lastSeq }: Brought,
): Promise<unknown> {
  const { pipeline, slot, shard, shards } = receipt
  const beside = [keys.receipts(pipeline), keys.receiptIndex(pipeline)]
  const names = [keys.stream, keys.fence(outboxId), keys.mark, ...beside]
  const json = JSON.stringify(receipt).slice(0, -1)
  const words = [
    epoch,
    word,
    lastSeq,
    `${slot} ${shard}/${shards}`,
    Date.parse(slot),
    slotsKept * shards,
    json,
    ...runs,
  ]
  const answer = await namingWrongKey(connection, keys, names, () =>
    connection.write((redis) => redis.eval(script, names.length, ...names, ...words)),
  )
  return Array.isArray(answer) ? answer[0] : answer
}

export async function receiptsIn(
  connection: Connection,
  keys: Keys,
  pipeline: string,
  slot: string | undefined,
): Promise<Receipt[]> {
  const index = keys.receiptIndex(pipeline)
  const time = slot === undefined ? undefined : Date.parse(slot)
  const read = async (redis: Redis): Promise<readonly [(string | null)[], string | null]> => {
    const fields =
      time === undefined
        ? await redis.zrevrange(index, 0, newestGiven - 1)
        : await redis.zrangebyscore(index, time, time)
    if (listOf(fields).length === 0) return [[], null]
    return Promise.all([redis.hmget(keys.receipts(pipeline), ...fields), redis.hget(keys.mark, 'generation')])
  }
  const used = [keys.receipts(pipeline), index, keys.mark]
  const [texts, generation] = await namingWrongKey(connection, keys, used, () => connection.ask(read))
  return listOf(texts).flatMap((text) => (text === null ? [] : [receiptOf(text, Number(generation))]))
}

/** @param present the stream's generation; the tasks of a receipt of an older one are gone */
function receiptOf(text: string, present: number): Receipt {
  const { generation = present, ...receipt }: Receipt & { generation?: number } = JSON.parse(text)
  return generation < present && receipt.delivered > 0 ? { ...receipt, isGone: true } : receipt
}
