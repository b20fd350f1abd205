/** One Redis for all tests of a file or a `describe`, and a client of it. */
import { Redis } from 'ioredis'
import { afterAll, beforeAll } from 'vitest'
import { startRedis, type TestRedis } from './redis.js'

export interface RedisHere {
  readonly server: TestRedis
  readonly client: Redis
}

/** Gives what runs while the tests do. */
export function redisHere(): () => RedisHere {
  let here: RedisHere | undefined
  beforeAll(async () => {
    const server = await startRedis()
    here = { server, client: new Redis(server.url) }
  })
  afterAll(async () => {
    here?.client.disconnect()
    await here?.server.stop()
  })
  return () => {
    if (!here) throw new Error('Redis runs from the first test on')
    return here
  }
}
