/**
 * A cluster of three masters and three replicas: the hash slot of the stream moves from node to node amid runs that are
 * killed at random, and its master fails.
 *
 * OWM_TEST_RESHARDINGS=5  how many
 * OWM_TEST_SEED=N         repeats a run's choices (the seed is printed)
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hashSlotOf } from '../../../src/sinks/redis-stream/keys.js'
import { until } from '../../support/cli.js'
import { slotAt } from '../../support/faults.js'
import { type Cluster, hostOf, startCluster } from '../../support/redis-groups.js'
import { batchSize, entriesOf, expectMended, expectOnce, folderFor, lossOf, random, restlessly, say } from './scene.js'

const reshardings = Number(process.env['OWM_TEST_RESHARDINGS'] ?? 5)
const count = 200_000
/** Hash slots that move at once: the lowest of a node. The stream is among them. */
const moved = 200
const names = Array.from({ length: 1_000 }, (_, index) => `stream-${index}`)
const stream = names.find((name) => hashSlotOf(name) > 50 && hashSlotOf(name) < 150) ?? ''
let redis: Cluster

beforeAll(async () => {
  redis = await startCluster({ replicas: 1 })
})
afterAll(() => redis.stop())

const farEnough = async (): Promise<void> => {
  const far = batchSize * (4 + Math.floor(random() * 20))
  await until(
    async () =>
      (await redis
        .client(await redis.nodeOf(stream))
        .xlen(stream)
        .catch(() => 0)) >= far,
    60_000,
  )
}

/** Moves the hash slot, and gives what the stream held before. */
async function reshard(): Promise<ReadonlyMap<string, number>> {
  await farEnough()
  const from = await redis.nodeOf(stream)
  const masters = await redis.masters()
  const to = masters.find((node) => node !== from) ?? from
  const [fromId, toId] = await Promise.all([from, to].map((node) => redis.client(node).cluster('MYID')))
  const ids = ['--cluster-from', String(fromId), '--cluster-to', String(toId)]
  const held = await entriesOf(redis.client(from), stream)
  await redis.command('reshard', hostOf(to), ...ids, '--cluster-slots', `${moved}`, '--cluster-yes')
  expect(await redis.nodeOf(stream)).toBe(to)
  return held
}

test(`${reshardings} reshardings lose nothing and deliver nothing twice`, {
  timeout: reshardings * 180_000,
}, async () => {
  const cwd = await folderFor({ cluster: redis.nodes.slice(0, 4).map(hostOf), stream }, count)
  for (let index = 0; index < reshardings; index++) {
    const args = ['produce', `--slot=${slotAt(index)}`]
    const [held, kills] = await Promise.all([reshard(), restlessly(args, cwd, count / batchSize)])
    await expectMended(cwd)
    const master = redis.client(await redis.nodeOf(stream))
    const entries = await entriesOf(master, stream)
    expectOnce(entries, count)
    const { had, lacked } = lossOf(held, entries)
    expect(lacked, 'a slot moves with all that it holds').toBe(0)
    say(`resharding ${index + 1}: the ${had} entries moved, none was gone; owm was killed ${kills} times`)
    await master.xtrim(stream, 'MAXLEN', 0)
  }
})

test('a master of the cluster that is killed: its replica goes on', { timeout: 180_000 }, async () => {
  const cwd = await folderFor({ cluster: redis.nodes.map(hostOf), stream: `{${stream}}-2` }, count)
  const name = `{${stream}}-2`
  const old = await redis.nodeOf(name)
  const kill = async (): Promise<ReadonlyMap<string, number>> => {
    await until(async () => (await redis.client(old).xlen(name)) >= 10 * batchSize, 60_000)
    const held = await entriesOf(redis.client(old), name)
    await old.kill('SIGKILL')
    return held
  }
  const [held, kills] = await Promise.all([
    kill(),
    restlessly(['produce', `--slot=${slotAt(0)}`], cwd, count / batchSize),
  ])
  await expectMended(cwd)
  const taker = await redis.nodeOf(name)
  expect(taker).not.toBe(old)
  const entries = await entriesOf(redis.client(taker), name)
  const { had, lacked, confirmed } = lossOf(held, entries)
  say(
    `of ${had} entries the new master lacked ${lacked}, of which at least ${confirmed} were confirmed; ${kills} kills`,
  )
  expectOnce(entries, count)
})
