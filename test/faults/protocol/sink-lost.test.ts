/** What a sink lost and can't get again is an error, named by slot, and stays so until it is read again. */
import { expect, test } from 'vitest'
import { openDatabase } from '../../support/contents.js'
import { redisScene, type Scene, stream } from '../../support/redis-scene.js'

const count = 800
const slots = ['2026-11-20T10:00:00Z', '2026-11-23T10:00:00Z'] as const

interface Answer {
  sink: { delivered: number; lost: number }
  error?: { code: string; message: string; hint: string }
  runs: { slot: string; state: string; lost: number }[]
}

/** Two slots were served, the first of them three days ago; then Redis lost everything. */
async function scenePastMaxAge(): Promise<Scene> {
  const scene = await redisScene({ count })
  for (const slot of slots) expect((await scene.owm(['produce', '--slot', slot])).code).toBe(0)
  await olderByDays(scene, slots[0], 3)
  await scene.admin.flushall()
  return scene
}

async function olderByDays(scene: Scene, slot: string, days: number): Promise<void> {
  const query = await openDatabase(`${scene.folder}/outbox.db`)
  try {
    await query(`UPDATE run SET started_at = started_at - ${days * 86_400_000} WHERE slot = '${slot}'`)
  } finally {
    await query.close()
  }
}

test('what is younger than a day is delivered again; what is older is SINK_LOST, named, shown by inspect', async () => {
  const scene = await scenePastMaxAge()
  const { code, json } = await scene.owmJson<Answer>(['produce', '--slot', '2026-11-23T11:00:00Z'])
  expect(code).toBe(75)
  expect(json.error?.code).toBe('SINK_LOST')
  expect(json.error?.message).toContain(slots[0])
  expect(json.error?.message).not.toContain(slots[1])
  expect(json.error?.hint).toContain('--again')
  expect(json.sink.lost).toBe(count)
  expect(await scene.admin.xlen(stream)).toBe(2 * count)
  const { json: inspected } = await scene.owmJson<Answer>(['outbox', 'inspect'])
  expect(inspected.runs.find(({ slot }) => slot === slots[0])).toMatchObject({ state: 'lost', lost: count })
})

test('produce --again reads a lost slot again, under the same ids; a served one is refused', async () => {
  const scene = await redisScene({ count })
  for (const slot of slots) expect((await scene.owm(['produce', '--slot', slot])).code).toBe(0)
  const before = await idsOf(scene)
  await olderByDays(scene, slots[0], 3)
  await scene.admin.flushall()
  expect((await scene.owm(['flush'])).code).toBe(75)
  const again = await scene.owm(['produce', '--slot', slots[0], '--again'])
  expect(again.code, again.stderr).toBe(0)
  expect((await idsOf(scene)).toSorted()).toEqual(before.toSorted())
  const { json } = await scene.owmJson<Answer>(['outbox', 'inspect'])
  expect(json.runs.filter(({ state }) => state !== 'done')).toEqual([])
  const served = await scene.owm(['produce', '--slot', slots[1], '--again'])
  expect(served.code).toBe(2)
  expect(served.stderr).toContain('nothing of it is lost')
  expect(await scene.admin.xlen(stream)).toBe(2 * count)
})

test('what the outbox no longer keeps is lost, too, whatever its age', async () => {
  const scene = await redisScene({ count })
  for (const slot of slots) expect((await scene.owm(['produce', '--slot', slot])).code).toBe(0)
  expect((await scene.owm(['outbox', 'purge', '--older-than', '0s'])).code).toBe(0)
  await scene.admin.flushall()
  const { code, json } = await scene.owmJson<Answer>(['flush'])
  expect(code).toBe(75)
  expect(json.error?.code).toBe('SINK_LOST')
  expect(json.sink.lost).toBe(2 * count)
  for (const slot of slots) expect(json.error?.message).toContain(slot)
  // It was told; it stays in the ledger.
  expect((await scene.owm(['flush'])).code).toBe(0)
  for (const slot of slots) expect((await scene.owm(['produce', '--slot', slot, '--again'])).code).toBe(0)
  expect(await scene.admin.xlen(stream)).toBe(2 * count)
})

test('what the sink never had is not called lost: discarded and replayed tasks', async () => {
  const scene = await redisScene({ count })
  expect((await scene.owm(['produce', '--slot', slots[0]])).code).toBe(0)
  expect((await scene.owm(['outbox', 'replay', '--slot', slots[0], '--all', '--yes'])).code).toBe(0)
  expect((await scene.owm(['produce', '--slot', slots[1], '--no-flush'])).code).toBe(0)
  expect((await scene.owm(['outbox', 'discard', '--pending', '--yes'])).code).toBe(0)
  await scene.admin.del(stream)
  const { code, stderr } = await scene.owm(['flush'])
  expect(code, stderr).toBe(0)
  expect(stderr).toContain(`(lost ${count}, again ${count})`)
  expect(await scene.admin.xlen(stream)).toBe(count)
})

test('a young slot behind an old one is not lost with it', async () => {
  const scene = await redisScene({ count })
  for (const slot of slots) expect((await scene.owm(['produce', '--slot', slot])).code).toBe(0)
  await olderByDays(scene, slots[1], 3)
  await scene.admin.flushall()
  const { code, stderr } = await scene.owm(['flush'])
  expect(code, stderr).toBe(0)
  expect(await scene.admin.xlen(stream)).toBe(2 * count)
})

test('a lost slot that is produced without --again is not served by what the outbox remembers', async () => {
  const scene = await scenePastMaxAge()
  expect((await scene.owm(['flush'])).code).toBe(75)
  const { code, json } = await scene.owmJson<Answer>(['produce', '--slot', slots[0]])
  expect(code).toBe(75)
  expect(json.error?.code).toBe('SINK_LOST')
  const receipts = await scene.admin.hgetall(`{${stream}}:owm:receipts:${scene.folder}/.owmrc.json`)
  expect(Object.keys(receipts)).toEqual([`${slots[1]} 0/1`])
})

test('the receipt of a slot that is read again counts it once', async () => {
  const scene = await redisScene({ count })
  const key = `{${stream}}:owm:receipts:${scene.folder}/.owmrc.json`
  const receipt = async (): Promise<object> => JSON.parse((await scene.admin.hget(key, `${slots[0]} 0/1`)) ?? '{}')
  expect((await scene.owm(['produce', '--slot', slots[0]])).code).toBe(0)
  const before = await receipt()
  expect((await scene.owm(['outbox', 'purge', '--older-than', '0s'])).code).toBe(0)
  await scene.admin.del(stream)
  expect((await scene.owm(['flush'])).code).toBe(75)
  expect((await scene.owm(['produce', '--slot', slots[0], '--again'])).code).toBe(0)
  const ofTheNewStream = {
    firstEntry: expect.any(String),
    lastEntry: expect.any(String),
    generation: expect.any(Number),
  }
  expect(await receipt()).toMatchObject({ ...before, ...ofTheNewStream })
})

async function idsOf(scene: Scene): Promise<string[]> {
  const entries = await scene.admin.xrange(stream, '-', '+')
  return entries.map(([, [, task = '{}']]) => {
    const { task_id: id }: { task_id: string } = JSON.parse(task)
    return id
  })
}
