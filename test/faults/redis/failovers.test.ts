/**
 * Failovers by Sentinel amid runs that are killed at random: the master is killed, frozen, or replaced as planned.
 * Every second time the replica was cut off before: it lacks what owm was told is there.
 *
 * OWM_TEST_FAILOVERS=20  how many
 * OWM_TEST_SEED=N        repeats a run's choices (the seed is printed)
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../support/cli.js'
import { slotAt } from '../../support/faults.js'
import { hostOf, masterName, type Sentinels, startSentinels } from '../../support/redis-groups.js'
import { batchSize, entriesOf, expectMended, expectOnce, folderFor, lossOf, random, restlessly, say } from './scene.js'

const failovers = Number(process.env['OWM_TEST_FAILOVERS'] ?? 20)
const stream = 'owm-ingestion-stream'
const count = 50_000
let redis: Sentinels

beforeAll(async () => {
  redis = await startSentinels()
})
afterAll(() => redis.stop())

const kinds = ['killed', 'planned', 'frozen'] as const

/** Replaces the master, and gives what it held before. */
async function failOver(kind: (typeof kinds)[number], isCut: boolean): Promise<ReadonlyMap<string, number>> {
  const old = await redis.master()
  const replica = redis.client(redis.nodes.find((node) => node !== old) ?? old)
  const master = redis.client(old)
  const far = batchSize * (4 + Math.floor(random() * 30))
  await until(async () => (await master.xlen(stream)) >= far, 60_000)
  if (isCut) {
    await replica.config('SET', 'masterauth', 'the master wants none')
    await replica.client('KILL', 'TYPE', 'MASTER')
    const length = await master.xlen(stream)
    await until(async () => (await master.xlen(stream)) >= length + 6 * batchSize, 60_000)
  }
  // No more is confirmed from here on: what is there now is all that a killed or frozen master ever had.
  if (kind !== 'planned') await master.client('PAUSE', 20_000, 'WRITE')
  const held = await entriesOf(master, stream)
  if (kind === 'killed') await old.kill('SIGKILL')
  if (kind === 'frozen') await old.kill('SIGSTOP')
  if (kind === 'planned') {
    await redis.failover(old)
    // What it took until the Sentinels told of the new one: the old master doesn't know yet that it is none.
    for (const [id, place] of await entriesOf(master, stream)) held.set(id, place)
  }
  await redis.movedFrom(old)
  await replica.config('SET', 'masterauth', '')
  if (kind === 'killed') await old.restart()
  if (kind === 'frozen') await old.kill('SIGCONT')
  return held
}

test(`${failovers} failovers lose nothing and deliver nothing twice`, { timeout: failovers * 180_000 }, async () => {
  const cwd = await folderFor({ sentinels: redis.sentinels.map(hostOf), name: masterName }, count)
  let gone = 0
  for (let index = 0; index < failovers; index++) {
    await redis.settled()
    const kind = kinds[index % kinds.length] ?? 'killed'
    const isCut = index % 2 === 0
    const args = ['produce', `--slot=${slotAt(index)}`]
    const [held, kills] = await Promise.all([failOver(kind, isCut), restlessly(args, cwd, count / batchSize)])
    await redis.settled()
    await expectMended(cwd)
    const master = redis.client(await redis.master())
    const entries = await entriesOf(master, stream)
    const { had, lacked, confirmed } = lossOf(held, entries)
    const how = `${kind}${isCut ? ', its replica cut off' : ''}`
    say(
      `failover ${index + 1} (${how}): of ${had} entries the new master lacked ${lacked}, of which at least ` +
        `${confirmed} were confirmed; owm was killed ${kills} times`,
    )
    expectOnce(entries, count)
    if (isCut) expect(confirmed, 'confirmed entries were gone').toBeGreaterThan(0)
    gone += confirmed
    await master.xtrim(stream, 'MAXLEN', 0)
  }
  say(
    `${failovers * count} tasks, ${failovers} failovers: at least ${gone} confirmed entries were gone, and came again`,
  )
})
