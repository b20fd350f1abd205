/** Several Redis that belong together: a master with replicas under Sentinels, and a cluster. All on loopback. */
import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { until } from './cli.js'
import { type RedisProcess, startRedisProcess } from './redis.js'

const run = promisify(execFile)

export const masterName = 'owm-master'

export const hostOf = ({ host, port }: { host: string; port: number }): string => `${host}:${port}`

interface Group {
  readonly nodes: readonly RedisProcess[]
  /** A connection of the test's own, which reconnects by itself. */
  client(node: RedisProcess): Redis
  stop(): Promise<void>
}

export interface Sentinels extends Group {
  readonly sentinels: readonly RedisProcess[]
  /** The master by what a Sentinel says. */
  master(): Promise<RedisProcess>
  /** A planned failover from this master, `SENTINEL FAILOVER`: resolves when it has happened. */
  failover(old: RedisProcess): Promise<void>
  /** Resolves when all Sentinels name another master than this one, which says so itself. */
  movedFrom(old: RedisProcess): Promise<RedisProcess>
  /** Resolves when each other node is a connected replica, and each Sentinel knows of them. */
  settled(): Promise<void>
}

export interface Cluster extends Group {
  /** The master that serves the hash slot of a key. */
  nodeOf(key: string): Promise<RedisProcess>
  /** Those that serve some hash slots. */
  masters(): Promise<RedisProcess[]>
  /** redis-cli --cluster */
  command(...args: string[]): Promise<string>
}

function group(nodes: RedisProcess[], others: readonly RedisProcess[] = [], auth = {}): Group {
  const clients = new Map<RedisProcess, Redis>()
  return {
    nodes,
    client(node) {
      const known = clients.get(node)
      if (known) return known
      const options = { ...auth, enableReadyCheck: false, maxRetriesPerRequest: null, retryStrategy: () => 50 }
      const client = new Redis(node.port, node.host, options)
      client.on('error', () => undefined)
      clients.set(node, client)
      return client
    },
    async stop() {
      for (const client of clients.values()) client.disconnect()
      await Promise.all([...nodes, ...others].map((node) => node.stop()))
    },
  }
}

export interface SentinelOptions {
  replicas?: number
  sentinels?: number
  /** More arguments for the servers, and more lines for the Sentinels. */
  args?: readonly string[]
  lines?: readonly string[]
  /** How the servers and the Sentinels are logged in to. */
  auth?: { password?: string }
  sentinelAuth?: { password?: string }
}

export async function startSentinels({
  replicas = 1,
  sentinels: count = 3,
  args = [],
  lines = [],
  auth = {},
  sentinelAuth = {},
}: SentinelOptions = {}): Promise<Sentinels> {
  const first = await startRedisProcess({ args })
  const nodes = [first]
  for (let index = 0; index < replicas; index++)
    nodes.push(await startRedisProcess({ args: [...args, '--replicaof', first.host, `${first.port}`] }))
  const text = [
    `sentinel monitor ${masterName} ${first.host} ${first.port} ${Math.floor(count / 2) + 1}`,
    `sentinel down-after-milliseconds ${masterName} 1000`,
    `sentinel failover-timeout ${masterName} 2000`,
    ...lines,
    '',
  ].join('\n')
  const sentinels: RedisProcess[] = []
  for (let index = 0; index < count; index++) sentinels.push(await startRedisProcess({ sentinel: text }))
  const own = group(nodes, sentinels, auth)
  const asked = group([...sentinels], [], sentinelAuth)
  const at = (port: number): RedisProcess | undefined => nodes.find((node) => node.port === port)
  const masterBy = async (sentinel: RedisProcess): Promise<RedisProcess | undefined> => {
    const told = await asked.client(sentinel).call('SENTINEL', 'get-master-addr-by-name', masterName)
    return Array.isArray(told) ? at(Number(told[1])) : undefined
  }
  /** The master that it names once a failover is over. */
  const switchedTo = async (sentinel: RedisProcess): Promise<RedisProcess | undefined> => {
    const told = await asked.client(sentinel).call('SENTINEL', 'MASTER', masterName)
    return Array.isArray(told) ? at(Number(told[told.indexOf('port') + 1])) : undefined
  }
  const isMaster = async (node: RedisProcess): Promise<boolean> => String(await own.client(node).role()).startsWith('m')
  const [anyOne] = sentinels
  if (!anyOne) throw new Error('at least one Sentinel is needed')
  return {
    ...own,
    sentinels,
    master: () => until(() => masterBy(anyOne)),
    async failover(old) {
      // Sentinel may not be ready for it, and may give up on the way.
      await until(async () => {
        await asked
          .client(anyOne)
          .call('SENTINEL', 'FAILOVER', masterName)
          .catch(() => undefined)
        return until(async () => (await switchedTo(anyOne)) !== old, 10_000).catch(() => false)
      }, 120_000)
    },
    movedFrom: (old) =>
      until(async () => {
        const ports = await Promise.all(sentinels.map(switchedTo))
        const [named] = new Set(ports).size === 1 ? ports : []
        return named && named !== old && (await isMaster(named)) && named
      }, 60_000),
    async settled() {
      await until(async () => {
        const master = await masterBy(anyOne)
        if (!master) return false
        const info = await own.client(master).info('replication')
        if (info.match(/state=online/g)?.length !== nodes.length - 1) return false
        const known = await Promise.all(
          sentinels.map(async (sentinel) => {
            const [slaves, others] = await Promise.all([
              asked.client(sentinel).call('SENTINEL', 'replicas', masterName),
              asked.client(sentinel).call('SENTINEL', 'sentinels', masterName),
            ])
            const isKnown = Array.isArray(slaves) && slaves.length === nodes.length - 1
            // One that is down isn't promoted.
            return (
              isKnown && !/s_down|disconnected/.test(String(slaves)) && String(others).split('name').length > count - 1
            )
          }),
        )
        return known.every(Boolean)
      }, 60_000)
    },
    async stop() {
      await asked.stop()
      await own.stop()
    },
  }
}

export async function startCluster({ replicas = 0, args = [] as readonly string[] } = {}): Promise<Cluster> {
  const cluster = [
    '--cluster-enabled',
    'yes',
    '--cluster-node-timeout',
    '1500',
    '--cluster-replica-validity-factor',
    '0',
  ]
  const nodes: RedisProcess[] = []
  for (let index = 0; index < 3 * (replicas + 1); index++)
    nodes.push(await startRedisProcess({ args: [...cluster, ...args] }))
  const own = group(nodes)
  const command = async (...words: string[]): Promise<string> =>
    (await run('redis-cli', ['--cluster', ...words])).stdout
  await command('create', ...nodes.map(hostOf), '--cluster-replicas', `${replicas}`, '--cluster-yes')
  await until(async () => {
    const infos = await Promise.all(nodes.map((node) => own.client(node).cluster('INFO')))
    return infos.every((info) => String(info).includes('cluster_state:ok'))
  })
  const [first] = nodes
  if (!first) throw new Error('no node')
  /** What a node serves, by its own word; nothing where it is down or a replica. */
  const rangesOf = async (node: RedisProcess): Promise<{ node: RedisProcess; ranges: [number, number][] }> => {
    const told = await Promise.race([own.client(node).cluster('NODES').then(String), sleep(1_000, '')])
    const line = told.split('\n').find((one) => one.includes('myself,master'))
    const words = line?.split(' ').slice(8) ?? []
    const ranges = words
      .filter((word) => /^\d/.test(word))
      .map((word): [number, number] => {
        const [from = -1, to = from] = word.split('-').map(Number)
        return [from, to]
      })
    return { node, ranges }
  }
  return {
    ...own,
    command,
    async masters() {
      return (await Promise.all(nodes.map(rangesOf))).flatMap(({ node, ranges }) => (ranges.length > 0 ? [node] : []))
    },
    async nodeOf(key) {
      const slot = await own.client(first).cluster('KEYSLOT', key)
      return until(async () => {
        const all = await Promise.all(nodes.map(rangesOf))
        return all.find(({ ranges }) => ranges.some(([from, to]) => slot >= from && slot <= to))?.node
      }, 60_000)
    },
  }
}
