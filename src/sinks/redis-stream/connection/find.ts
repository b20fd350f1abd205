/**
 * Finds the server that has the stream: the master that Sentinels name, or the node of a cluster that serves its hash
 * slot.
 *
 * All are asked at once, and more than half of the answers suffice, so that a dead one costs no time. Sentinels must
 * agree: one that was cut off, or is of another group, has no say. Of a cluster's nodes, the one that knows of the
 * latest failover counts: they may have several names for a node, and one that doesn't serve the hash slot redirects.
 */
import type { Redis } from 'ioredis'
import { ConfigurationError, errorKindOf, isOwmError, TransientError, toError } from '../../../errors/index.js'
import { classed, replyCodeOf } from '../errors.js'
import { hashSlotOf } from '../keys.js'
import type { Settings } from '../options.js'
import { addressOfEndpoint, type Endpoint, type Way } from '../way.js'
import { dial, drop } from './dial.js'

/** What one Sentinel or node answers. */
interface Answer {
  /** Undefined if it knows of none. */
  readonly node: Endpoint | undefined
  /** The number of the latest failover that it knows of. */
  readonly epoch: number
}

interface Finding {
  readonly node: Endpoint
  /** Connections that hear of a failover: the caller's to close. */
  readonly listeners: readonly Redis[]
}

interface Heard {
  /** Sentinels have made another server the master. */
  onMoved(): void
  /** The server was sent a password but has none set. */
  onOpen(place: string): void
}

/** Throws ConfigurationError, TransientError. */
export async function find(way: Way, settings: Settings, signal: AbortSignal, heard: Heard): Promise<Finding> {
  const { sentinels, sentinelUsername: username, sentinelPassword: password, name = '', stream } = settings
  const login = sentinels ? { username, password: password || undefined } : way.login
  const open: Redis[] = []
  // Aborts those that are slower than the others.
  const late = new AbortController()
  const ends = AbortSignal.any([signal, late.signal])
  const ask = async (node: Endpoint): Promise<Answer> => {
    const redis = await dial({ node, login, database: '' }, settings, way, ends, heard.onOpen)
    open.push(redis)
    // The others were enough meanwhile: nothing else would close it.
    if (ends.aborted) drop(redis)
    try {
      return await (sentinels ? masterOf(redis, name, heard.onMoved) : servingNode(redis, hashSlotOf(stream), node))
    } catch (error) {
      throw classed(error, addressOfEndpoint(node))
    }
  }
  try {
    const { answers, failures } = await enough(way.nodes.map(ask), way)
    const node = agreed(answers, way) ?? onlyOne(answers, way)
    if (node) return { node, listeners: sentinels ? open.splice(0) : [] }
    throw nowhere(settings, failures, way.nodes)
  } finally {
    late.abort()
    for (const redis of open) drop(redis)
  }
}

/** The answer of more than half of all. */
function agreed(answers: readonly Answer[], { nodes, by }: Way): Endpoint | undefined {
  const known = answers.flatMap(({ node, epoch }) => (node ? [{ node, epoch }] : []))
  const isSame = (one: Endpoint, other: Endpoint): boolean =>
    by === 'cluster' || addressOfEndpoint(one) === addressOfEndpoint(other)
  // guard: majority-asked
  const most = known.filter(({ node }) => 2 * known.filter((other) => isSame(node, other.node)).length > nodes.length)
  return most.toSorted((one, other) => other.epoch - one.epoch)[0]?.node
}

/** The answer of all that know one. Throws TransientError if Sentinels contradict each other. */
function onlyOne(answers: readonly Answer[], { by }: Way): Endpoint | undefined {
  const known = answers.filter(({ node }) => node !== undefined).toSorted((one, other) => other.epoch - one.epoch)
  const names = [...new Set(known.map(({ node }) => node && addressOfEndpoint(node)))]
  if (by === 'cluster' || names.length < 2) return known[0]?.node
  throw new TransientError(`The Sentinels don't agree which server is the master: ${names.join(', ')}.`, {
    hint: 'It passes with a failover. Else one was cut off, or is of another group: correct sink.sentinels.',
  })
}

/** The first answers, as soon as they suffice, or else all. */
async function enough(
  asked: readonly Promise<Answer>[],
  way: Way,
): Promise<{ answers: Answer[]; failures: unknown[] }> {
  const [answers, failures]: [Answer[], unknown[]] = [[], []]
  await new Promise<void>((resolve) => {
    const resolveIfEnough = (): void => {
      if (agreed(answers, way) || answers.length + failures.length === asked.length) resolve()
    }
    for (const one of asked)
      one.then(
        (answer) => {
          answers.push(answer)
          resolveIfEnough()
        },
        (error: unknown) => {
          failures.push(error)
          resolveIfEnough()
        },
      )
  })
  return { answers, failures }
}

/** https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/#sentinel-api */
async function masterOf(redis: Redis, name: string, onMoved: () => void): Promise<Answer> {
  // GET-MASTER-ADDR-BY-NAME has the new address as soon as a failover has promoted it; MASTER has it later.
  const [address, about] = await Promise.all([
    redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name),
    redis.call('SENTINEL', 'MASTER', name).catch(() => undefined),
  ])
  if (!Array.isArray(address)) return { node: undefined, epoch: 0 }
  const isHere = ` ${address.join(' ')}`
  // `name, old host, old port, new host, new port`
  redis.on('message', (_, text: string) => {
    // guard: failover-heard
    if (text.startsWith(`${name} `) && !text.endsWith(isHere)) onMoved()
  })
  await redis.subscribe('+switch-master')
  const epoch = Array.isArray(about) ? Number(about[about.indexOf('config-epoch') + 1]) : 0
  return { node: { host: String(address[0]), port: Number(address[1]) }, epoch }
}

/** https://redis.io/docs/latest/commands/cluster-slots/ */
async function servingNode(redis: Redis, slot: number, asked: Endpoint): Promise<Answer> {
  const [ranges, info] = await Promise.all([redis.call('CLUSTER', 'SLOTS'), redis.call('CLUSTER', 'INFO')])
  const epoch = Number(/^cluster_current_epoch:(\d+)/m.exec(String(info))?.[1] ?? 0)
  for (const range of Array.isArray(ranges) ? ranges : []) {
    const [from, to, master]: unknown[] = Array.isArray(range) ? range : []
    if (slot < Number(from) || slot > Number(to) || !Array.isArray(master)) continue
    return { node: nodeAt(master[0], master[1], asked), epoch }
  }
  return { node: undefined, epoch }
}

/** A node that doesn't know its own host leaves it out: then it is the one that was asked. */
export const nodeAt = (host: unknown, port: unknown, asked: Endpoint): Endpoint => ({
  host: typeof host === 'string' && !['', '?'].includes(host) ? host : 'host' in asked ? asked.host : 'localhost',
  port: Number(port),
})

function nowhere({ sentinels, name, stream }: Settings, failures: readonly unknown[], nodes: Way['nodes']): Error {
  // Those that failed may know where it is: report a failure, best one that the configuration causes.
  const failure = failures.find((error) => errorKindOf(error) === 'configuration') ?? failures[0]
  if (failure !== undefined) return searchFailed(toError(failure), sentinels !== undefined)
  const who = nodes.map(addressOfEndpoint).join(', ')
  if (sentinels)
    return new ConfigurationError(`The Sentinels (${who}) know no master ${name}.`, {
      hint: 'Correct sink.name: `SENTINEL MASTERS` lists the names, by redis-cli at the port of a Sentinel.',
    })
  return new TransientError(`No node of the cluster (${who}) serves the hash slot ${hashSlotOf(stream)}.`, {
    hint: 'Assign it (`redis-cli --cluster fix` and a node), or wait for a failover; the tasks wait in the outbox.',
  })
}

/** Hints for error replies of Sentinels, where those for a server's don't apply. */
const hintsOfSentinels: Readonly<Record<string, string>> = {
  NOAUTH: 'Write their user and password into sink.sentinelUsername and sink.sentinelPassword.',
  WRONGPASS: 'Correct sink.sentinelUsername and sink.sentinelPassword.',
  NOUSERS: 'Sentinels of Redis 5 know no users: take sink.sentinelUsername out.',
  NOPERM: 'Give the user at the Sentinels +sentinel +subscribe +ping &+switch-master (ACL SETUSER).',
  UNKNOWN: 'That is no Sentinel: name their ports, 26379 as a rule, or the server itself in sink.url.',
}

/** The failure of one Sentinel or node, as that of the whole search. */
function searchFailed(error: Error, isSentinel: boolean): Error {
  const own = isOwmError(error) ? error.hint : undefined
  const hint =
    (isSentinel ? hintsOfSentinels[replyCodeOf(error)] : undefined) ?? own ?? 'Look whether one of them runs.'
  const message = `${isSentinel ? 'No Sentinel' : 'No node of the cluster'} told where Redis is. ${error.message}`
  const options = { hint, cause: error.cause }
  return errorKindOf(error) === 'configuration'
    ? new ConfigurationError(message, options)
    : new TransientError(message, options)
}
