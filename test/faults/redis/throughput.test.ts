/** What Sentinels, a cluster and replicas cost: runs of 200,000 tasks, the median of three. Prints it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { folderWith, owm } from '../../support/cli.js'
import { slotAt } from '../../support/faults.js'
import { type RedisProcess, startRedisProcess } from '../../support/redis.js'
import {
  type Cluster,
  hostOf,
  masterName,
  type Sentinels,
  startCluster,
  startSentinels,
} from '../../support/redis-groups.js'
import { say } from './scene.js'

const count = 200_000
let sentinels: Sentinels
let cluster: Cluster
let single: RedisProcess

beforeAll(async () => {
  single = await startRedisProcess()
  sentinels = await startSentinels({ replicas: 1 })
  cluster = await startCluster({ replicas: 1 })
  await sentinels.settled()
})
afterAll(() => Promise.all([single.stop(), sentinels.stop(), cluster.stop()]))

async function tasksASecond(sink: object, stream: string): Promise<number> {
  const cwd = await folderWith({
    source: { use: 'simulated-db', count, pageSize: 5_000 },
    sink: { use: 'redis-stream', maxLength: 10_000_000, stream, ...sink },
    outbox: { path: './outbox.db' },
  })
  const seconds: number[] = []
  for (const hour of [1, 2, 3]) {
    const started = performance.now()
    const ran = await owm(['produce', `--slot=${slotAt(hour)}`], { cwd })
    seconds.push((performance.now() - started) / 1_000)
    expect(ran.code, ran.stderr).toBe(0)
  }
  return Math.round(count / (seconds.toSorted((a, b) => a - b)[1] ?? Number.NaN))
}

test('throughput', { timeout: 600_000 }, async () => {
  const master = await sentinels.master()
  const durability = { replicas: 1, timeoutMs: 5_000 }
  const bySentinels = { sentinels: sentinels.sentinels.map(hostOf), name: masterName }
  const byCluster = { cluster: cluster.nodes.slice(0, 3).map(hostOf) }
  const all = {
    'url, a single server': { url: single.url },
    'url, with a replica': { url: master.url },
    'url, with a replica, durability 1': { url: master.url, durability },
    sentinels: bySentinels,
    'sentinels, durability 1': { ...bySentinels, durability },
    'cluster of 3 + 3': byCluster,
    'cluster of 3 + 3, durability 1': { ...byCluster, durability },
  }
  for (const [name, sink] of Object.entries(all))
    say(`${name}: ${(await tasksASecond(sink, `s-${name}`)).toLocaleString('en')} tasks a second`)
})
