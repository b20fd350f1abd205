/** A Redis Cluster: all keys in one hash slot, which is followed wherever it goes. */
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { hashSlotOf, keysOf } from '../../src/sinks/redis-stream/keys.js'
import { folderWith, owm, type Ran, startOwm, until } from '../support/cli.js'
import { type Cluster, hostOf, startCluster } from '../support/redis-groups.js'

const count = 600
let redis: Cluster

beforeAll(async () => {
  redis = await startCluster()
})
afterAll(() => redis.stop())

const folder = (stream: string, sink: object = {}, retry: object = {}): Promise<string> =>
  folderWith({
    source: { use: 'simulated-db', count },
    sink: { use: 'redis-stream', cluster: redis.nodes.map(hostOf), stream, ...sink },
    outbox: { path: './outbox.db' },
    retry: { attempts: 60, initialDelayMs: 20, maxDelayMs: 200, ...retry },
    breaker: { failures: 1_000 },
  })

const produce = (cwd: string, hour: number, ...more: string[]): Promise<Ran> =>
  owm(['produce', '--slot', `2026-11-23T${hour}:00:00Z`, '--log-level', 'debug', ...more], { cwd })

async function expectOnce(stream: string, tasks: number): Promise<void> {
  const entries = await redis.client(await redis.nodeOf(stream)).xrange(stream, '-', '+')
  const ids = entries.map(([, [, data = '{}']]) => JSON.parse(data).task_id)
  expect([ids.length, new Set(ids).size]).toEqual([tasks, tasks])
}

const braces = [
  'plain',
  'a{b',
  '{}x',
  'a}{b{c}',
  '{tag}y',
  'a{}{b}',
  'ü{ö}',
  '}{',
  '{{x}}',
  '{',
  '}',
  'a{b}c{d}',
  '{{}}',
]

it("all of owm's keys are in the hash slot of the stream, whatever its name: so says the cluster", async () => {
  const [node] = redis.nodes
  if (!node) throw new Error('no node')
  for (const stream of braces) {
    const { mark, slots, fence, receipts, receiptIndex } = keysOf(stream)
    const all = [stream, mark, slots, fence('id'), fence('check-{id}'), receipts('a{b}'), receiptIndex('}p{')]
    const told = await Promise.all(all.map((key) => redis.client(node).cluster('KEYSLOT', key)))
    expect(new Set(told), stream).toEqual(new Set([hashSlotOf(stream)]))
  }
})

it('a run has its keys nowhere else', async () => {
  const stream = 'a}{b{c}'
  for (const node of redis.nodes) await redis.client(node).flushall()
  expect(await produce(await folder(stream), 10)).toMatchObject({ code: 0 })
  const client = redis.client(await redis.nodeOf(stream))
  const keys = await client.keys('*')
  expect(keys.length).toBe(6) // stream, mark, slots, fence, receipts and their index
  const slots = await Promise.all(keys.map((key) => client.cluster('KEYSLOT', key)))
  expect(new Set(slots)).toEqual(new Set([hashSlotOf(stream)]))
  await expectOnce(stream, count)
})

it('each command finds the node; by the URL of another one, the error says what to do', async () => {
  const cwd = await folder('look')
  expect(await produce(cwd, 10)).toMatchObject({ code: 0 })
  for (const args of [['stream', 'inspect'], ['verify'], ['config', 'check', '--connect']])
    expect(await owm(args, { cwd }), args.join(' ')).toMatchObject({ code: 0, stderr: '' })
  const node = await redis.nodeOf('look')
  expect((await owm(['doctor'], { cwd })).stdout).toContain(`redis-reachable: ${hostOf(node)} answers`)
  const other = redis.nodes.find((one) => one !== node)
  const ran = await produce(await folder('look', { cluster: undefined, url: other?.url }, { attempts: 2 }), 11)
  expect(ran).toMatchObject({ code: 75, stderr: expect.stringMatching(/MOVED[\s\S]*sink\.cluster/) })
})

it('a slot that moves under a run, half moved and moved, is followed', async () => {
  const stream = 'moving'
  const slot = hashSlotOf(stream)
  const cwd = await folder(stream)
  expect(await produce(cwd, 10)).toMatchObject({ code: 0 })
  const from = await redis.nodeOf(stream)
  const to = redis.nodes.find((node) => node !== from) ?? from
  const [source, target] = [redis.client(from), redis.client(to)]
  const [sourceId, targetId] = [await source.cluster('MYID'), await target.cluster('MYID')].map(String)
  await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(sourceId))
  await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(targetId))
  const keys = (await source.cluster('GETKEYSINSLOT', slot, 100)).map(String)
  const move = (some: string[]) => source.call('MIGRATE', to.host, to.port, '', 0, 5_000, 'KEYS', ...some)
  // Some keys here, some there: neither node can run a script.
  await move(keys.slice(0, 3))
  const started = startOwm(['produce', '--slot', '2026-11-23T11:00:00Z', '--log-level', 'debug'], { cwd })
  let said = ''
  started.child.stderr?.on('data', (more) => {
    said += String(more)
  })
  await until(() => /TRYAGAIN/.test(said))
  await move(keys.slice(3))
  // The slot still belongs to the first node, which says ASK for it.
  expect(await started.ended, said).toMatchObject({ code: 0 })
  expect(await source.cluster('COUNTKEYSINSLOT', slot), 'the first node has nothing left').toBe(0)
  expect(await owm(['stream', 'inspect'], { cwd })).toMatchObject({ code: 0, stderr: '' })
  // A new outbox has a new key: TRYAGAIN until all of the slot has moved.
  const other = await folder(stream, {}, { attempts: 2 })
  expect(await produce(other, 12)).toMatchObject({ code: 75, stderr: expect.stringMatching(/TRYAGAIN[\s\S]*passes/) })
  for (const client of [target, source]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', String(targetId))
  expect(await owm(['flush'], { cwd: other })).toMatchObject({ code: 0 })
  expect(await produce(cwd, 13)).toMatchObject({ code: 0 })
  await expectOnce(stream, 4 * count)
})

it('a cluster that is down: 75, and doctor says so', async () => {
  const stream = 'down'
  const node = await redis.nodeOf(stream)
  const cwd = await folder(stream, { connectTimeoutMs: 500 }, { attempts: 2 })
  const lost = redis.nodes.find((one) => one !== node)
  await lost?.kill('SIGKILL')
  onTestFinished(() => lost?.restart())
  await until(async () => String(await redis.client(node).cluster('INFO')).includes('cluster_state:fail'))
  expect(await produce(cwd, 10)).toMatchObject({ code: 75, stderr: expect.stringMatching(/CLUSTERDOWN[\s\S]*check/) })
  const doctor = await owm(['doctor'], { cwd })
  expect(doctor).toMatchObject({ code: 75, stdout: expect.stringMatching(/wrong +redis-cluster: .*CLUSTERDOWN/) })
})
