/** Attach, compare, place: late answers, lost ones, and a sink or a file that changes between two steps. */
import { copyFile, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startOwm, until } from '../../support/cli.js'
import { openDatabase } from '../../support/contents.js'
import { pidOf, untilStopped } from '../../support/faults.js'
import { redisScene, type Scene, stream } from '../../support/redis-scene.js'

const slots = ['2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z', '2026-11-23T12:00:00Z'] as const
const crash = join(import.meta.dirname, '..', '..', 'support', 'crash.mjs')

const at = (step: string, signal = 'SIGKILL') => ({
  node: ['--import', crash],
  env: { OWM_CRASH_AT: step, OWM_CRASH_SIGNAL: signal },
})

async function good(scene: Scene, args: readonly string[]): Promise<void> {
  const { code, stderr } = await scene.owm(args)
  expect(code, stderr).toBe(0)
}

async function killed(scene: Scene, step: string, args: readonly string[]): Promise<void> {
  expect((await scene.owm(args, at(step))).signal).toBe('SIGKILL')
}

async function idsIn(scene: Scene): Promise<string[]> {
  const entries = await scene.admin.xrange(stream, '-', '+')
  return entries.map(([, [, task = '{}']]) => {
    const { task_id: id }: { task_id: string } = JSON.parse(task)
    return id
  })
}

/** So many tasks are in the stream, each of them once. */
async function expectOnce(scene: Scene, count: number): Promise<void> {
  const ids = await idsIn(scene)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids).toHaveLength(count)
}

async function fenceOf(scene: Scene): Promise<string> {
  const [fence = ''] = await scene.admin.keys(`{${stream}}:owm:????????-????-????-????-????????????`)
  return fence
}

const outboxFiles = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => /^outbox\.db(-wal|-shm)?$/.test(name))

async function copyOutbox(folder: string): Promise<void> {
  for (const name of await outboxFiles(folder)) await copyFile(join(folder, name), join(folder, `kept-${name}`))
}

async function restoreOutbox(folder: string): Promise<void> {
  for (const name of await outboxFiles(folder)) await rm(join(folder, name))
  for (const name of (await readdir(folder)).filter((one) => one.startsWith('kept-')))
    await copyFile(join(folder, name), join(folder, name.slice('kept-'.length)))
}

test.each(['attach', 'place'])(
  'a %s whose answer did not come, and that arrives late, changes nothing',
  async (script) => {
    const scene = await redisScene({ count: 3_000 })
    scene.proxy.onNamed(script, 1, 'late')
    scene.proxy.onScript(4, { before: () => scene.proxy.sendLate() })
    await good(scene, ['produce', '--slot', slots[0]])
    expect(scene.proxy.counts.hooks).toBe(1)
    await expectOnce(scene, 3_000)
  },
)

test.each([
  ['', [stream]],
  [' together with its mark', [stream, `{${stream}}:owm:stream`]],
])('a stream that is deleted%s and written by another outbox between attach and place is noticed', async (_, keys) => {
  const scene = await redisScene({ count: 1_000 })
  await good(scene, ['produce', '--slot', slots[0]])
  scene.proxy.onNextNamed('place', 1, {
    before: async () => {
      await scene.admin.del(keys)
      await good(scene, ['produce', '--slot', slots[2], '--outbox', './other.db'])
    },
  })
  await good(scene, ['produce', '--slot', slots[1]])
  expect(scene.proxy.counts.hooks).toBe(1)
  await expectOnce(scene, 3_000)
})

test('a stream that is deleted before the first batch is noticed, also without any key of old', async () => {
  const scene = await redisScene({ count: 1_000 })
  await good(scene, ['produce', '--slot', slots[0]])
  await scene.admin.del(await scene.admin.keys(`{${stream}}:owm:*`))
  scene.proxy.onNextNamed('add', 1, {
    before: async () => {
      await scene.admin.del(stream)
      await good(scene, ['produce', '--slot', slots[2], '--outbox', './other.db'])
    },
  })
  await good(scene, ['produce', '--slot', slots[1]])
  expect(scene.proxy.counts.hooks).toBe(1)
  await expectOnce(scene, 3_000)
})

test('another stream in the place of one that was searched is noticed by its entries, whatever it counts', async () => {
  const scene = await redisScene({ count: 1_000 })
  await good(scene, ['produce', '--slot', slots[0]])
  await scene.admin.del(await scene.admin.keys(`{${stream}}:owm:*`))
  const before = async (): Promise<void> => {
    await scene.admin.del(stream)
    const id = (await scene.admin.xadd(stream, '*', 'data', '{}')) ?? ''
    await scene.admin.call('XSETID', stream, id, 'ENTRIESADDED', '1000000')
  }
  scene.proxy.onNextNamed('place', 1, { before })
  await good(scene, ['produce', '--slot', slots[1]])
  await expectOnce(scene, 2_001)
})

test('a stream that is deleted before the receipt: it is filled again, then the receipt is written', async () => {
  const scene = await redisScene({ count: 1_000 })
  scene.proxy.onNamed('receipt', 1, { before: () => scene.admin.del(stream) })
  await good(scene, ['produce', '--slot', slots[0]])
  expect(scene.proxy.counts.hooks).toBe(1)
  await expectOnce(scene, 1_000)
  expect(await scene.admin.hlen(`{${stream}}:owm:receipts:${scene.folder}/.owmrc.json`)).toBe(1)
})

test.each([
  ['', async () => undefined],
  [', and readers had removed all entries', (scene: Scene) => scene.admin.xtrim(stream, 'MAXLEN', 0)],
] as const)('a fence that is deleted alone doubles nothing%s, also after a crash behind attach', async (_, also) => {
  const scene = await redisScene({ count: 1_000 })
  await good(scene, ['produce', '--slot', slots[0]])
  await also(scene)
  const kept = await scene.admin.xlen(stream)
  expect(await scene.admin.del(await fenceOf(scene))).toBe(1)
  await killed(scene, 'sink:attached', ['produce', '--slot', slots[1]])
  await good(scene, ['produce', '--slot', slots[1]])
  await expectOnce(scene, kept + 1_000)
})

test('a fence that is deleted in the middle of a run', async () => {
  const scene = await redisScene({ count: 3_000 })
  scene.proxy.onScript(3, { before: async () => scene.admin.del(await fenceOf(scene)) })
  await good(scene, ['produce', '--slot', slots[0]])
  await expectOnce(scene, 3_000)
})

test('a fence that is deleted behind a failover: only what the failover lost comes again', async () => {
  const scene = await redisScene({ count: 1_000 })
  await good(scene, ['produce', '--slot', slots[0]])
  await scene.admin.save()
  const dump = join(scene.redis.directory, 'dump.rdb')
  await copyFile(dump, `${dump}.older`)
  await good(scene, ['produce', '--slot', slots[1]])
  await scene.redis.kill('SIGKILL')
  await copyFile(`${dump}.older`, dump)
  await scene.redis.restart()
  await scene.admin.del(await fenceOf(scene))
  await good(scene, ['produce', '--slot', slots[2]])
  await expectOnce(scene, 3_000)
})

test('a mark that is deleted alone doubles nothing, also where readers had removed entries', async () => {
  const scene = await redisScene({ count: 1_000 })
  await good(scene, ['produce', '--slot', slots[0]])
  await scene.admin.xtrim(stream, 'MAXLEN', 300)
  expect(await scene.admin.del(`{${stream}}:owm:stream`)).toBe(1)
  await good(scene, ['produce', '--slot', slots[1]])
  await expectOnce(scene, 1_300)
  expect(await scene.admin.del(`{${stream}}:owm:stream`, stream)).toBe(2)
  await good(scene, ['flush'])
  await expectOnce(scene, 2_000)
})

test('a mark that is deleted in the middle of a run doubles nothing, either', async () => {
  const scene = await redisScene({ count: 3_000 })
  const before = async (): Promise<void> => {
    // Two batches are under way: the second may not be in the stream yet.
    await until(async () => (await scene.admin.xlen(stream)) === 1_000)
    await scene.admin.xtrim(stream, 'MAXLEN', 300)
    await scene.admin.del(`{${stream}}:owm:stream`)
  }
  scene.proxy.onScript(3, { before })
  await good(scene, ['produce', '--slot', slots[0]])
  await expectOnce(scene, 2_300)
})

test('the keys beside the stream are all deleted: what is still in the stream is not delivered again', async () => {
  const scene = await redisScene({ count: 1_000 })
  await good(scene, ['produce', '--slot', slots[0]])
  await scene.admin.del(await scene.admin.keys(`{${stream}}:owm:*`))
  await good(scene, ['produce', '--slot', slots[1]])
  await expectOnce(scene, 2_000)
})

test.each([
  ['that knew one word', ['placed']],
  ['that knew no attachments', ['placed', 'epoch', 'word', 'generation']],
])('the fence of an owm %s is taken over', async (_, unknown) => {
  const scene = await redisScene({ count: 1_000 })
  await good(scene, ['produce', '--slot', slots[0]])
  const fence = await fenceOf(scene)
  await scene.admin.hdel(fence, ...unknown)
  await scene.admin.hdel(`{${stream}}:owm:stream`, `at:${fence.slice(-36)}`)
  const query = await openDatabase(`${scene.folder}/outbox.db`)
  await query('UPDATE attachment SET last_seq = NULL').finally(() => query.close())
  await good(scene, ['produce', '--slot', slots[1]])
  await expectOnce(scene, 2_000)
})

interface Cities {
  url: string
  asked: number
  /** What it gives. */
  list: readonly string[]
  /** Answers wait for it. */
  gate: Promise<unknown>
}

/** A source that gives cities. */
async function cities(list: readonly string[]): Promise<Cities> {
  const served: Cities = { url: '', asked: 0, list, gate: Promise.resolve() }
  const server = createServer(async (_, response) => {
    served.asked++
    await served.gate
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(served.list.map((city) => ({ latitude: 1, longitude: 1, city, id: city }))))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  served.url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/`
  return served
}

const optionsOf = ({ url }: Cities) => ({ use: 'http', url, count: undefined, pagination: { type: 'link' } })

async function citiesIn(scene: Scene): Promise<string[]> {
  const entries = await scene.admin.xrange(stream, '-', '+')
  return entries.map(([, [, task = '{}']]) => {
    const { city }: { city: string } = JSON.parse(task)
    return city
  })
}

test('a restored copy whose open run reads another list leaves nothing out, also after a lost attach', async () => {
  const source = await cities(['A', 'B', 'C'])
  const scene = await redisScene({ settings: { source: optionsOf(source) } })
  await killed(scene, 'run:started', ['produce', '--slot', slots[0]])
  await copyOutbox(scene.folder)
  await good(scene, ['produce', '--slot', slots[0]])
  await restoreOutbox(scene.folder)
  source.list = ['D', 'B', 'C']
  // The copy counts further than the original did, and its first attachment is taken without an answer.
  for (let n = 0; n < 4; n++) await good(scene, ['outbox', 'purge', '--older-than', '30d'])
  await killed(scene, 'sink:attached', ['produce', '--slot', slots[0]])
  const { code, stderr } = await scene.owm(['produce', '--slot', slots[0]])
  expect(code, stderr).toBe(0)
  expect(stderr).toContain('an older or a second copy')
  expect(new Set(await citiesIn(scene))).toEqual(new Set(['A', 'B', 'C', 'D']))
})

/** A copy that was made while a process ran, in the place of its original; the source has another list since. */
async function copiedWhileRunning(): Promise<Scene> {
  const source = await cities(['Z'])
  const scene = await redisScene({ settings: { source: optionsOf(source) } })
  await good(scene, ['produce', '--slot', slots[0], '--no-flush'])
  // What is pending makes the process attach and place before its source has said anything.
  let open = (): void => undefined
  source.gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const running = startOwm(['produce', '--slot', slots[1]], { cwd: scene.folder, ...at('sink:placed', 'SIGSTOP') })
  await untilStopped(running)
  await copyOutbox(scene.folder)
  source.list = ['A', 'B', 'C']
  process.kill(pidOf(running), 'SIGCONT')
  open()
  expect((await running.ended).code).toBe(0)
  await restoreOutbox(scene.folder)
  source.list = ['D', 'B', 'C']
  return scene
}

test('a copy made while a process ran leaves nothing out', async () => {
  const scene = await copiedWhileRunning()
  const { code, stderr } = await scene.owm(['produce', '--slot', slots[1]])
  expect(code, stderr).toBe(0)
  expect(stderr).toContain('an older or a second copy')
  expect(new Set(await citiesIn(scene))).toEqual(new Set(['Z', 'A', 'B', 'C', 'D']))
})

test('a copy made while a process ran leaves nothing out, also where it stores all before it attaches', async () => {
  const scene = await copiedWhileRunning()
  await good(scene, ['produce', '--slot', slots[1], '--no-flush'])
  await good(scene, ['flush'])
  expect(new Set(await citiesIn(scene))).toEqual(new Set(['Z', 'A', 'B', 'C', 'D']))
})

test('a copy whose sink lost everything before it was placed delivers all that it has', async () => {
  const scene = await redisScene({ count: 1_000 })
  await good(scene, ['produce', '--slot', slots[0]])
  await copyOutbox(scene.folder)
  await good(scene, ['produce', '--slot', slots[1]])
  await restoreOutbox(scene.folder)
  await killed(scene, 'sink:compared', ['produce', '--slot', slots[1]])
  await scene.admin.flushall()
  await good(scene, ['produce', '--slot', slots[1]])
  await expectOnce(scene, 2_000)
})

test('a restored copy of an outbox whose original went on doubles nothing that is in the stream', async () => {
  const scene = await redisScene({ count: 2_000 })
  await good(scene, ['produce', '--slot', slots[0]])
  await killed(scene, 'batch:answered:2', ['produce', '--slot', slots[1]])
  await copyOutbox(scene.folder)
  await good(scene, ['produce', '--slot', slots[1]])
  await restoreOutbox(scene.folder)
  const { code, stderr } = await scene.owm(['produce', '--slot', slots[1]])
  expect(code, stderr).toBe(0)
  expect(stderr).toContain('an older or a second copy')
  await expectOnce(scene, 4_000)
})
