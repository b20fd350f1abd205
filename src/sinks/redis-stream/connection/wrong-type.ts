/** Finds the key of a wrong type: Redis' WRONGTYPE doesn't say which one it is. */
import type { Redis } from 'ioredis'
import { ConfigurationError } from '../../../errors/index.js'
import { replyCodeOf } from '../errors.js'
import type { Keys } from '../keys.js'
import type { Connection } from './index.js'

const wrongType = (place: string, key: string): ConfigurationError =>
  new ConfigurationError(
    `Redis at ${place}: the key ${key}, where owm keeps what belongs to the stream, is of another type.`,
    {
      hint: 'Find out who wrote it, then move it away (RENAME) or remove it (DEL): owm creates its own again.',
    },
  )

/** Uses commands that a run needs anyway: not every user may ask for TYPE. */
const lengthOf = (redis: Redis, { stream, receiptIndex }: Keys, key: string): Promise<number> => {
  if (key === stream) return redis.xlen(key)
  return key.startsWith(receiptIndex('')) ? redis.zcard(key) : redis.hlen(key)
}

/** Throws ConfigurationError if one of the keys beside the stream has a wrong type. */
export async function checkTypes(connection: Connection, keys: Keys, used: readonly string[]): Promise<void> {
  for (const key of new Set(used))
    await connection
      .ask((redis) => lengthOf(redis, keys, key))
      .catch((error: unknown) => {
        if (key !== keys.stream && replyCodeOf(error) === 'WRONGTYPE') throw wrongType(connection.place, key)
        throw error
      })
}

/** Runs `work`; if a key that it uses has a wrong type, the error names the key. */
export async function namingWrongKey<T>(
  connection: Connection,
  keys: Keys,
  used: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  return work().catch(async (error: unknown) => {
    if (replyCodeOf(error) === 'WRONGTYPE') await checkTypes(connection, keys, used)
    throw error
  })
}
