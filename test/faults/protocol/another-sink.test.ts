/** An outbox has a cursor for each sink: nothing goes to two of them, and nothing is left between them. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { redisScene, type Scene, secret, stream } from '../../support/redis-scene.js'

const slots = ['2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z', '2026-11-23T12:00:00Z'] as const
const [s, t] = [stream, 'another-stream']

interface Answer {
  outbox: { path: string; pending: number }
  sink: { address: string; pending: number }
  error?: { code: string; message: string; hint: string }
}

const to = (name: string): string[] => ['--set', `sink.stream=${name}`]

async function good(scene: Scene, args: readonly string[]): Promise<void> {
  const { code, stderr } = await scene.owm(args)
  expect(code, stderr).toBe(0)
}

/** 100 of 300 tasks are in stream s, 200 are pending. */
async function halfDelivered(): Promise<Scene> {
  const scene = await redisScene({ count: 300, settings: { flush: { batchSize: 100 } } })
  await good(scene, ['produce', '--slot', slots[0], '--no-flush'])
  await good(scene, ['flush', '--limit', '100'])
  return scene
}

const lengths = async ({ admin }: Scene): Promise<number[]> => [await admin.xlen(s), await admin.xlen(t)]

test('another sink with tasks pending is an error that names both, and spells out the choice', async () => {
  const scene = await halfDelivered()
  for (const command of [['flush'], ['produce', '--slot', slots[1]]]) {
    const { code, json } = await scene.owmJson<Answer>([...command, ...to(t)])
    expect(code).toBe(78)
    const { port } = scene.proxy
    for (const text of [`127.0.0.1:${port}/0 ${s}`, `127.0.0.1:${port}/0 ${t}`])
      expect(json.error?.message).toContain(text)
    expect(json.error?.message).not.toContain(secret)
    for (const text of ['owm outbox adopt --sink --from pending', 'open-runs', 'history', 'owm flush', '--outbox'])
      expect(json.error?.hint).toContain(text)
  }
  expect(await lengths(scene)).toEqual([100, 0])
  await good(scene, ['flush'])
  expect(await lengths(scene)).toEqual([300, 0])
})

test.each([
  ['pending', 200],
  ['open-runs', 300],
  ['history', 300],
] as const)(
  'adopt --sink --from %s: the other sink gets %i, and the first one nothing of it when it is back',
  async (from, gets) => {
    const scene = await halfDelivered()
    const adopted = await scene.owmJson<Answer>(['outbox', 'adopt', '--sink', '--from', from, ...to(t)])
    expect(adopted.code, adopted.stderr).toBe(0)
    expect(adopted.json.sink).toEqual({ address: expect.stringContaining(t), pending: gets })
    await good(scene, ['flush', ...to(t)])
    expect(await lengths(scene)).toEqual([100, gets])
    await good(scene, ['produce', '--slot', slots[1]])
    expect(await lengths(scene)).toEqual([400, gets])
    await good(scene, ['produce', '--slot', slots[2], ...to(t)])
    expect(await lengths(scene)).toEqual([400, gets + 300])
  },
)

test.each([
  ['open-runs', 'pending', 300],
  ['open-runs', 'open-runs', 300],
  ['history', 'pending', 300],
  ['history', 'history', 400],
] as const)(
  'adopted from %s by mistake, and back from %s: what the first sink has comes again only by history',
  async (there, back, holds) => {
    const scene = await halfDelivered()
    await good(scene, ['outbox', 'adopt', '--sink', '--from', there, ...to(t)])
    await good(scene, ['outbox', 'adopt', '--sink', '--from', back])
    await good(scene, ['flush'])
    expect(await lengths(scene)).toEqual([holds, 0])
    // Twice is twice: that was asked for.
    expect((await scene.owm(['verify', '--slot', slots[0]])).code).toBe(back === 'history' ? 75 : 0)
  },
)

test('a sink that is back behind what it has goes on with its turn: what it loses of it comes again', async () => {
  const scene = await redisScene({ count: 300 })
  await good(scene, ['produce', '--slot', slots[0]])
  await good(scene, ['outbox', 'adopt', '--sink', '--from', 'history', ...to(t)])
  await good(scene, ['outbox', 'adopt', '--sink', '--from', 'pending'])
  await good(scene, ['produce', '--slot', slots[1]])
  expect(await lengths(scene)).toEqual([600, 0])
  await scene.admin.del(s)
  await good(scene, ['flush'])
  expect(await lengths(scene)).toEqual([600, 0])
})

test('history is what finished runs have, too', async () => {
  const scene = await redisScene({ count: 300 })
  await good(scene, ['produce', '--slot', slots[0]])
  await good(scene, ['outbox', 'adopt', '--sink', '--from', 'history', ...to(t)])
  await good(scene, ['flush', ...to(t)])
  expect(await lengths(scene)).toEqual([300, 300])
  expect(await scene.admin.exists(`{${t}}:owm:receipts:${scene.folder}/.owmrc.json`)).toBe(1)
})

test('databases 0, 1 and 0 again: each task is in one of them', async () => {
  const scene = await redisScene({ count: 1_000 })
  const inDatabase = async (db: number, slot: string): Promise<void> => {
    const path = join(scene.folder, '.owmrc.json')
    const config = JSON.parse(await readFile(path, 'utf8'))
    config.sink.url = `${scene.url}/${db}`
    await writeFile(path, JSON.stringify(config))
    await good(scene, ['produce', '--slot', slot])
  }
  for (const [index, slot] of slots.entries()) await inDatabase(index % 2, slot)
  const counts = []
  for (const db of [0, 1]) {
    await scene.admin.select(db)
    counts.push(await scene.admin.xlen(s))
  }
  expect(counts).toEqual([2_000, 1_000])
})

test('a sink that lost tasks while another one had its place: that is told when it is back', async () => {
  const scene = await redisScene({ count: 300 })
  await good(scene, ['produce', '--slot', slots[0]])
  await good(scene, ['produce', '--slot', slots[1], ...to(t)])
  await scene.admin.del(s)
  const { code, json } = await scene.owmJson<Answer>(['produce', '--slot', slots[2]])
  expect(code).toBe(75)
  expect(json.error).toMatchObject({ code: 'SINK_LOST', message: expect.stringContaining(slots[0]) })
  expect(await lengths(scene)).toEqual([300, 300])
})

test('a sink that is back after one that got nothing is as if it had never been away', async () => {
  const scene = await redisScene({ count: 300 })
  await good(scene, ['produce', '--slot', slots[0]])
  await good(scene, ['flush', ...to(t)])
  await good(scene, ['flush'])
  await scene.admin.del(s)
  await good(scene, ['flush'])
  expect(await lengths(scene)).toEqual([300, 0])
  await good(scene, ['flush', ...to(t)])
  await scene.admin.del(s)
  await good(scene, ['produce', '--slot', slots[1]])
  expect(await lengths(scene)).toEqual([600, 0])
})

test('what a sink had before another one had its turn is told when it loses it later on', async () => {
  const scene = await redisScene({ count: 300 })
  await good(scene, ['produce', '--slot', slots[0]])
  await good(scene, ['produce', '--slot', slots[1], ...to(t)])
  await good(scene, ['produce', '--slot', slots[2]])
  expect(await lengths(scene)).toEqual([600, 300])
  await scene.admin.del(s)
  const { code, stderr, json } = await scene.owmJson<Answer & { sink: { lost: number } }>(['flush'])
  expect(code).toBe(75)
  expect(json).toMatchObject({ sink: { lost: 300 }, error: { code: 'SINK_LOST' } })
  expect(json.error?.message).toContain(slots[0])
  expect(stderr).toMatch(/"lost":600,"again":300/)
  // The newest slot came again; the other one does when somebody says so; and it's told once.
  expect(await lengths(scene)).toEqual([300, 300])
  await good(scene, ['flush'])
  await good(scene, ['outbox', 'replay', '--slot', slots[0], '--yes'])
  expect(await lengths(scene)).toEqual([600, 300])
})

test.each(['sink:attached', 'sink:compared'])('killed at %s of the first attachment to another sink', async (step) => {
  const scene = await redisScene({ count: 300 })
  await good(scene, ['produce', '--slot', slots[0]])
  const crash = join(import.meta.dirname, '..', '..', 'support', 'crash.mjs')
  const killed = { node: ['--import', crash], env: { OWM_CRASH_AT: step } }
  expect((await scene.owm(['flush', ...to(t)], killed)).signal).toBe('SIGKILL')
  await good(scene, ['flush', ...to(t)])
  expect(await lengths(scene)).toEqual([300, 0])
})

test('a file of tasks is a sink as well: another one with tasks pending is an error', async () => {
  const scene = await redisScene({ count: 300 })
  await good(scene, ['produce', '--slot', slots[0]])
  await good(scene, ['produce', '--slot', slots[1], '--no-flush'])
  const config = join(scene.folder, 'jsonl.json')
  await writeFile(
    config,
    JSON.stringify({
      source: { use: 'simulated-db', count: 300 },
      sink: { use: 'jsonl', path: './tasks.jsonl' },
      outbox: { path: './outbox.db' },
    }),
  )
  await good(scene, ['outbox', 'adopt', '--owner', '--config', config])
  const refused = await scene.owmJson<Answer>(['flush', '--config', config])
  expect(refused.code).toBe(78)
  expect(refused.json.error?.message).toContain('tasks.jsonl')
  await good(scene, ['outbox', 'adopt', '--sink', '--from', 'pending', '--config', config])
  await good(scene, ['flush', '--config', config])
  expect((await readFile(join(scene.folder, 'tasks.jsonl'), 'utf8')).trimEnd().split('\n')).toHaveLength(300)
})

test('a trial with another plugin has an outbox of its own: the hour that was tried still comes', async () => {
  const scene = await redisScene({ count: 300 })
  const trial = ['--sink', 'jsonl', '--set', 'sink.path=./tried.jsonl']
  const { code, json } = await scene.owmJson<Answer>(['produce', '--slot', slots[0], ...trial])
  expect(code).toBe(0)
  expect(json.outbox.path).toBe(join(scene.folder, 'outbox.db-trial-jsonl.db'))
  await good(scene, ['produce', '--slot', slots[0]])
  expect(await lengths(scene)).toEqual([300, 0])
  // The same plugin, or an outbox that is named, is no trial.
  const named = await scene.owmJson<Answer>(['produce', '--slot', slots[1], '--sink', 'redis-stream'])
  expect(named.json.outbox.path).toBe(join(scene.folder, 'outbox.db'))
})

test('--sink and --from of adopt go together', async () => {
  const scene = await redisScene({ count: 10 })
  for (const args of [['--sink'], ['--from', 'pending'], ['--sink', '--from', 'all'], []])
    expect((await scene.owm(['outbox', 'adopt', ...args])).code).toBe(2)
})
