/** A Redis as the sink of a simulation, behind a proxy that may refuse. */
import { Redis } from 'ioredis'
import { expect } from 'vitest'
import type { FaultProxy } from '../../support/proxy.js'
import type { RedisProcess } from '../../support/redis.js'
import type { Life } from './life.js'
import type { Server } from './scene.js'

const stream = 'year'

export function watched(redis: RedisProcess, proxy: FaultProxy): Server & { look(life: Life): Promise<void> } {
  return {
    section: { use: 'redis-stream', url: `redis://${proxy.host}:${proxy.port}`, stream },
    answers(does) {
      proxy.mode = does ? 'pass' : 'refuse'
    },
    /** Each receipt's tasks, as a stream of this process would have them; and each entry once. */
    async look({ stream: { slots } }) {
      const client = new Redis(redis.url)
      try {
        const [key = ''] = (await client.keys(`*${stream}*receipts*`)).toSorted((a, b) => a.length - b.length)
        for (const [field, text] of Object.entries(await client.hgetall(key))) {
          const { delivered } = JSON.parse(text)
          slots.set(field.split(' ')[0] ?? '', new Set(Array.from({ length: delivered }, (_, index) => String(index))))
        }
        const entries = await client.xrange(stream, '-', '+')
        const ids = entries.map(([, [, data = '{}']]) => JSON.parse(data).task_id)
        expect(new Set(ids).size).toBe(ids.length)
        expect(ids.length).toBe([...slots.values()].reduce((sum, { size }) => sum + size, 0))
      } finally {
        client.disconnect()
      }
    },
  }
}
