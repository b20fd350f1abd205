/** The receipts of a stream: a hash per pipeline, `SLOT SHARD/SHARDS` -> JSON, and an index of its fields by time. */
import type { Redis } from 'ioredis'
import type { Attachment, Brought, Receipt } from '../../plugin.js'
import { newestGiven, receiptIn, slotsKept } from '../servers.js'
import type { Connection } from './connection/index.js'
import { namingWrongKey } from './connection/wrong-type.js'
import { listOf, unexpected } from './errors.js'
import type { Keys } from './keys.js'
import { generation } from './scripts/generation.js'
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
  const read = async (redis: Redis): Promise<Receipt[]> => {
    const fields =
      time === undefined
        ? await redis.zrevrange(index, 0, newestGiven - 1)
        : await redis.zrangebyscore(index, time, time)
    if (listOf(fields).length === 0) return []
    const [texts, present] = await Promise.all([
      redis.hmget(keys.receipts(pipeline), ...fields),
      generationOf(redis, keys),
    ])
    return listOf(texts).flatMap((text) => (text === null ? [] : [receiptIn(text, present)]))
  }
  const used = [keys.stream, keys.receipts(pipeline), index, keys.mark]
  return namingWrongKey(connection, keys, used, () => connection.ask(read))
}

/** The generation that the next start will find: newer than any before if the stream isn't that which owm added to. */
async function generationOf(redis: Redis, { stream, mark }: Keys): Promise<number> {
  const answer = await redis.eval(generation, 2, stream, mark)
  if (!Array.isArray(answer)) throw unexpected(answer)
  return answer[1] === 1 ? Number.POSITIVE_INFINITY : Number(answer[0])
}
