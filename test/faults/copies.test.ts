/** The two sides disagree: an outbox that was copied or restored, a Redis that forgot. */
import { copyFile, cp, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Ran } from '../support/cli.js'
import { countIn } from '../support/contents.js'
import { expectGood, faultScene, pidOf, produceArgs, type Scene, slotAt } from '../support/faults.js'
import { type Case, complaintsAtAnyMoment, complaintsWhenComplete } from '../support/oracle.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'

let redis: RedisProcess
let streams = 0

beforeAll(async () => {
  redis = await startRedisProcess()
})
afterAll(() => redis.stop())

const newScene = (on = redis): Promise<Scene> =>
  faultScene({ sink: { url: on.url, stream: `copies-${++streams}` }, locations: { rows: 1_200 } })

/** The file and what lies beside it, but not the lock. */
const filesOf = async (scene: Scene): Promise<string[]> =>
  (await readdir(scene.folder)).filter((name) => /^outbox\.db(-wal|-shm)?$/.test(name))

async function copyOutbox(scene: Scene): Promise<string> {
  const to = join(scene.folder, 'backup')
  await mkdir(to)
  for (const name of await filesOf(scene)) await cp(join(scene.folder, name), join(to, name))
  return to
}

async function restoreOutbox(scene: Scene, from: string): Promise<void> {
  for (const name of await filesOf(scene)) await rm(join(scene.folder, name))
  for (const name of await readdir(from)) await cp(join(from, name), join(scene.folder, name))
}

/** Nothing is missing; a task may be there twice, since its ledger was taken back. */

async function administrator(server: RedisProcess): Promise<Redis> {
  const admin = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  admin.on('error', () => undefined)
  onTestFinished(() => admin.disconnect())
  await admin.ping()
  return admin
}

const atLeastOnce = (of: Case): Case => ({ ...of, guarantee: 'at-least-once' })

/** The keys of the fences, each of which ends in an outbox's id. */
const fenceOf = async (admin: Redis, scene: Scene): Promise<string[]> => {
  const keys = await admin.keys(`{${scene.sink.kind === 'redis-stream' ? scene.sink.stream : ''}}:owm:*`)
  return keys.filter((key) => /:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(key))
}

describe('an outbox that was copied', () => {
  test('before a run and restored after it: it says so, and skips nothing', async () => {
    const scene = await newScene()
    expectGood(await scene.produce(0))
    const backup = await copyOutbox(scene)
    expectGood(await scene.produce(1))
    await restoreOutbox(scene, backup)
    scene.ledger.forgotten?.add(slotAt(1)) // this file has never heard of it
    const ran = await scene.produce(2)
    expectGood(ran)
    expect(ran.stderr).toContain('an older or a second copy')
    await scene.complete()
    // The slot that only the lost file knew, produced once more: there again or skipped, but there.
    scene.ledger.forgotten?.delete(slotAt(1))
    expectGood(await scene.produce(1))
    expect(await complaintsWhenComplete(atLeastOnce(scene.case()))).toEqual([])
  })

  test('with its write-ahead log, in the middle of a run', async () => {
    const scene = await newScene()
    await scene.crash('batch:answered:5', produceArgs(0))
    const backup = await copyOutbox(scene)
    expect(await readdir(backup)).toContain('outbox.db-wal')
    expectGood(await scene.produce(1))
    await restoreOutbox(scene, backup)
    scene.ledger.forgotten?.add(slotAt(1))
    expectGood(await scene.produce(2))
    await scene.complete()
  })

  test('and both are used in turn', async () => {
    const scene = await newScene()
    expectGood(await scene.produce(0))
    const other = join(scene.folder, 'other.db')
    await copyFile(scene.outbox, other)
    for (const [hour, outbox] of [
      [1, scene.outbox],
      [2, other],
      [3, scene.outbox],
      [4, other],
    ] as const)
      expectGood(await scene.produce(hour, ['--outbox', outbox]))
    const both: Case = {
      ...scene.case(),
      ledgers: [
        { outbox: scene.outbox, slots: slotMap(scene, [0, 1, 3]) },
        { outbox: other, slots: slotMap(scene, [0, 2, 4]) },
      ],
    }
    expect(await complaintsWhenComplete(both)).toEqual([])
  })

  test('and both deliver at the same time', async () => {
    const scene = await newScene()
    expectGood(await scene.produce(0))
    const other = join(scene.folder, 'other.db')
    await copyFile(scene.outbox, other)
    // One of them stands still behind its first batch while the other one begins and ends.
    const first = await scene.stopAt('batch:answered:1', produceArgs(1))
    expectGood(await scene.produce(2, ['--outbox', other]))
    process.kill(pidOf(first), 'SIGCONT')
    expectGood(await first.ended)
    const both: Case = {
      ...scene.case(),
      ledgers: [
        { outbox: scene.outbox, slots: slotMap(scene, [0, 1]) },
        { outbox: other, slots: slotMap(scene, [0, 2]) },
      ],
    }
    expect(await complaintsWhenComplete(both)).toEqual([])
  })
})

const slotMap = (scene: Scene, hours: readonly number[]) =>
  new Map(hours.map((hour) => [slotAt(hour), scene.locations]))

describe('a Redis that forgot', () => {
  test('the fence, between two runs', async () => {
    const scene = await newScene()
    const admin = await administrator(redis)
    expectGood(await scene.produce(0))
    const [fence = '', ...more] = await fenceOf(admin, scene)
    expect(more).toEqual([])
    expect(await admin.del(fence)).toBe(1)
    expectGood(await scene.produce(1))
    await scene.complete()
  })

  test('the fence, after a crash: nothing is lost, and nothing comes twice', async () => {
    const scene = await newScene()
    const admin = await administrator(redis)
    await scene.crash('batch:answered:5', produceArgs(0))
    const [fence = ''] = await fenceOf(admin, scene)
    expect(await admin.del(fence)).toBe(1)
    expectGood(await scene.produce(1))
    await scene.complete()
  })

  test('everything, between two runs (FLUSHALL): what is young enough is delivered again', async () => {
    const server = await ownServer()
    const scene = await newScene(server)
    expectGood(await scene.produce(0))
    await (await administrator(server)).flushall()
    expect(await countIn(scene.sink)).toBe(0)
    const ran = await scene.produce(1)
    expectGood(ran)
    expect(ran.stderr).toContain('the sink lost tasks that it had taken')
    await scene.complete()
  })

  test.each<[string, (scene: Scene) => Promise<Ran>]>([
    ['the next slot', (scene) => scene.produce(2)],
    ['the same slot again', (scene) => scene.produce(1)],
    ['flush', (scene) => scene.owm(['flush'])],
  ])(
    'its last batches, which it had confirmed, between two runs: %s delivers them again, and owm says so',
    async (_, run) => {
      const server = await ownServer()
      const scene = await newScene(server)
      expectGood(await scene.produce(0))
      const older = await snapshot(server)
      expectGood(await scene.produce(1))
      await goBack(server, older)
      expect(await countIn(scene.sink)).toBe(scene.locations.valid.length)
      const ran = await run(scene)
      expectGood(ran)
      expect(ran.stderr).toContain('the sink lost tasks that it had taken')
      await scene.complete()
      expect((await scene.owm(['flush'])).stderr).not.toContain('the sink lost')
    },
  )

  test('its last batches, in the middle of a run', async () => {
    const server = await ownServer()
    const scene = await newScene(server)
    expectGood(await scene.produce(0, ['--no-flush']))
    expectGood(await scene.owm(['flush', '--limit', '330']))
    const older = await snapshot(server)
    const running = await scene.stopAt('batch:answered:12', ['flush'])
    await goBack(server, older)
    process.kill(pidOf(running), 'SIGCONT')
    const ran = await running.ended
    expectGood(ran)
    expect(ran.stderr).toContain('the sink lost tasks that it had taken')
    await scene.complete()
  })

  test('everything, in the middle of a run: no task of the run is missing when it ends well', async () => {
    const server = await ownServer()
    const scene = await newScene(server)
    const running = await scene.stopAt('batch:answered:6', produceArgs(0))
    expect(await countIn(scene.sink)).toBeOneOf([300, 350]) // two batches may be under way
    await server.kill('SIGKILL')
    await server.restart()
    expect(await countIn(scene.sink)).toBe(0)
    process.kill(pidOf(running), 'SIGCONT')
    expectGood(await running.ended)
    await scene.complete()
  })

  test('everything, while a run that died was half delivered', async () => {
    const server = await ownServer()
    const scene = await newScene(server)
    expectGood(await scene.produce(0, ['--no-flush']))
    await scene.crash('acknowledgement:written:1', ['flush'])
    expect(await countIn(scene.sink)).toBeGreaterThan(0)
    await server.kill('SIGKILL')
    await server.restart()
    const ran = await scene.produce(1)
    expectGood(ran)
    expect(ran.stderr).toContain('the sink lost tasks that it had taken')
    await scene.complete()
    expect(await complaintsAtAnyMoment(scene.case())).toEqual([])
  })
})

async function ownServer(): Promise<RedisProcess> {
  const server = await startRedisProcess()
  onTestFinished(() => server.stop())
  return server
}

/** What is on the server's disk now. */
async function snapshot(server: RedisProcess): Promise<string> {
  await (await administrator(server)).save()
  const kept = join(server.directory, 'older.rdb')
  await copyFile(join(server.directory, 'dump.rdb'), kept)
  return kept
}

/** The server dies and comes back with an older state of its data. */
async function goBack(server: RedisProcess, older: string): Promise<void> {
  await server.kill('SIGKILL')
  await copyFile(older, join(server.directory, 'dump.rdb'))
  await server.restart()
}
