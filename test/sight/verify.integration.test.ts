/** `owm verify` beside a real Redis: what is whole is proven, and what differs is named. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ProduceResult } from '../../src/commands/produce.js'
import type { VerifyResult } from '../../src/commands/verify.js'
import { base, snapshot, startAndStopAt, untilStopped } from '../cli/scene.js'
import { folderWith, owm, owmJson } from '../support/cli.js'
import { redisHere } from '../support/redis-here.js'

const redis = redisHere()
beforeEach(() => redis().client.flushall())

const stream = 'owm-ingestion-stream'
const [ten, eleven] = ['2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z']
const settingsOf = (more: object = {}): object => ({
  ...base,
  sink: { use: 'redis-stream', url: redis().server.url },
  ...more,
})
const folder = (more: object = {}): Promise<string> => folderWith(settingsOf(more))
async function produce(cwd: string, slot: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await owm(['produce', '--slot', slot, ...args], { cwd })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
}
async function verify(cwd: string, ...args: string[]) {
  const { code, json } = await owmJson<VerifyResult & { error?: { code: string } }>(['verify', ...args], { cwd })
  expect(json.error?.code).toBe(code === 0 ? undefined : 'DIFFERENT')
  return { code, ...json, kinds: json.slots.flatMap(({ differences }) => differences.map(({ kind }) => kind)) }
}
const entries = async (): Promise<{ id: string; taskId: string }[]> =>
  (await redis().client.xrange(stream, '-', '+')).map(([id, fields]) => ({
    id,
    taskId: JSON.parse(fields[1] ?? '').task_id,
  }))

it('shards that use one outbox in turn have a receipt each, of their own tasks', async () => {
  const cwd = await folder()
  for (const shard of ['0/2', '1/2']) await produce(cwd, ten, '--shard', shard)
  const { slots, code } = await verify(cwd, '--source', '--shard', '1/2')
  expect({ code, shards: slots.map(({ shard }) => shard) }).toEqual({ code: 0, shards: ['0/2', '1/2'] })
  for (const { delivered, there } of slots) expect(delivered).toBe(there)
  const all = await entries()
  expect(slots.reduce((sum, { there }) => sum + there, 0)).toBe(all.length)
  const { stdout } = await owm(['runs', '--all-shards', '--json'], { cwd })
  expect(JSON.parse(stdout).pipelines[0].shards).toMatchObject([{ there: [0, 1], missing: [], delivered: all.length }])

  const last = all.at(-1)?.id ?? ''
  await redis().client.xdel(stream, last)
  const differs = await verify(cwd)
  expect(differs.slots).toMatchObject([
    { shard: '0/2', state: 'same' },
    { shard: '1/2', state: 'different', differences: [{ kind: 'missing', count: 1 }] },
  ])
})

it('tasks that were discarded stand in a column of their own, not among the dead', async () => {
  const cwd = await folder()
  await produce(cwd, ten)
  const whole = await owm(['verify'], { cwd })
  expect(whole.stdout).toMatch(/ DEAD$/m)
  await produce(cwd, eleven, '--no-flush')
  expect((await owm(['outbox', 'discard', '--pending', '--yes'], { cwd })).code).toBe(0)
  const { stdout } = await owm(['verify'], { cwd })
  expect(stdout).toMatch(/ TRIMMED {2}DEAD {2}DISCARDED$/m)
  expect(stdout).toMatch(/11:00:00Z {2}discarded {2}0 .* 0 {5}[1-9]\d*$/m)
})

describe('two shards and another pipeline on one stream', () => {
  it('are the same each by itself, until something is removed, added or changed', async () => {
    const [cwd, shard, other] = await Promise.all([
      folder(),
      folder({ outbox: { path: 's.db' } }),
      folder({ taskNamespace: 'other' }),
    ])
    await produce(cwd, ten, '--shard', '0/2')
    await produce(shard, ten, '--shard', '1/2')
    await produce(other, ten)
    await produce(cwd, eleven, '--shard', '0/2')
    const before = await snapshot(cwd)
    const whole = await verify(cwd, '--source', '--shard', '0/2')
    expect(whole).toMatchObject({ code: 0, different: 0, source: { slot: eleven } })
    const own = whole.source?.tasks ?? 0
    const same = { state: 'same', delivered: own, there: own, trimmed: 0, others: 0, differences: [] }
    expect(whole.slots).toEqual([expect.objectContaining(same), expect.objectContaining(same)])
    expect(await snapshot(cwd)).toEqual(before)
    expect((await owm(['verify', '--source'], { cwd })).code).toBe(2)

    const all = await entries()
    const [gone, copied] = [all[2], all[4]]
    await redis().client.xdel(stream, gone?.id ?? '')
    const [[, fields] = ['', []]] = await redis().client.xrange(stream, copied?.id ?? '', copied?.id ?? '')
    await redis().client.xadd(stream, '*', ...fields)
    const differs = await verify(cwd)
    expect(differs).toMatchObject({ code: 75, different: 1, kinds: ['missing', 'twice'] })
    const found = differs.slots.find(({ slot }) => slot === ten)?.differences ?? []
    expect(found.find(({ kind }) => kind === 'missing')?.ids).toEqual([gone?.taskId])
    expect(found.find(({ kind }) => kind === 'twice')?.ids).toEqual([copied?.taskId])
    const { stdout, stderr } = await owm(['verify'], { cwd, env: { COLUMNS: '80' } })
    expect(stdout).toContain(`${gone?.taskId}`)
    expect(stdout).toContain(`owm outbox replay --slot ${ten}`)
    expect(stderr).toContain('1 slot differs')
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })
})

it('what the list has twice, or under an id that is taken, is one task, as it is to produce', async () => {
  const places = ['a', 'b', 'b', 'd', 'a'].map((id, index) => ({
    id,
    city: id === 'b' ? `b${index}` : id,
    latitude: index % 4,
    longitude: 0,
  }))
  const cwd = await folder({ source: { use: 'static-list', locations: places } })
  const { json } = await owmJson<ProduceResult>(['produce', '--slot', ten], { cwd })
  expect(json).toMatchObject({ source: { read: 5, rejected: 1, duplicates: 1 }, outbox: { persisted: 3 } })
  const { source, slots, code } = await verify(cwd, '--source')
  expect({ code, source }).toEqual({ code: 0, source: { slot: ten, tasks: 3 } })
  expect(slots).toMatchObject([{ state: 'same', delivered: 3, there: 3 }])
})

it('what was trimmed is no difference, what is gone behind it is one; and so is a receipt', async () => {
  const cwd = await folder()
  await produce(cwd, ten)
  await produce(cwd, eleven)
  await redis().client.xtrim(stream, 'MAXLEN', 32)
  // Where the stream isn't full, something else than its bound removed them.
  expect(await verify(cwd, '--slot', ten)).toMatchObject({
    code: 75,
    kinds: ['missing'],
    slots: [{ delivered: 20, there: 12, trimmed: 0, differences: [{ count: 8 }] }],
  })
  const full = ['--set', 'sink.maxLength=10']
  expect(await verify(cwd, '--slot', ten, ...full)).toMatchObject({
    code: 0,
    slots: [{ state: 'same', delivered: 20, there: 12, trimmed: 8, differences: [] }],
  })
  const all = await entries()
  await redis().client.xdel(stream, all[5]?.id ?? '')
  const { code, slots } = await verify(cwd, '--slot', ten, ...full)
  expect({ code, slots }).toMatchObject({
    code: 75,
    slots: [{ trimmed: 8, there: 11, differences: [{ kind: 'missing', ids: [all[5]?.taskId] }] }],
  })
  await redis().client.xtrim(stream, 'MAXLEN', 10)
  const [receipts = ''] = await redis().client.keys('*:receipts:*')
  const kept: Record<string, string> = await redis().client.hgetall(receipts)
  const [field = ''] = Object.keys(kept).filter((name) => name.startsWith(ten))
  await redis().client.hset(receipts, field, (kept[field] ?? '').replace('"delivered":20', '"delivered":21'))
  await redis().client.hdel(receipts, Object.keys(kept).find((name) => name.startsWith(eleven)) ?? '')
  const { slots: again, kinds } = await verify(cwd, ...full)
  expect(kinds).toEqual(['no receipt', 'missing', 'receipt'])
  expect(again[1]).toMatchObject({ slot: ten, there: 0, trimmed: 20 })
  expect(again[1]?.differences[0]?.what).toContain('delivered: 20 in the outbox, 21 in the receipt')
  // What it says to do repairs it.
  expect((await owm(['outbox', 'replay', '--slot', eleven, '--yes'], { cwd })).code).toBe(0)
  expect(await verify(cwd, '--slot', eleven)).toMatchObject({
    code: 0,
    slots: [{ state: 'same', there: 20, outside: 10 }],
  })
})

it('of a history that was purged, number and sum prove the slot, or the list does', async () => {
  const cwd = await folder()
  await produce(cwd, ten)
  expect((await owm(['outbox', 'purge', '--older-than', '0s', '--yes'], { cwd })).code).toBe(0)
  expect((await verify(cwd)).slots).toMatchObject([{ state: 'same', delivered: 20, there: 20, others: 0 }])
  const foreign = await redis().client.xadd(
    stream,
    '*',
    'data',
    JSON.stringify({ task_id: '0b5a0b5a-0b5a-5b5a-8b5a-0b5a0b5a0b5a' }),
  )
  expect((await verify(cwd)).code).toBe(0)
  const all = await entries()
  await redis().client.xdel(stream, all[3]?.id ?? '', foreign ?? '')
  expect(await verify(cwd)).toMatchObject({
    code: 75,
    slots: [{ differences: [{ kind: 'missing', count: 1, ids: [] }] }],
  })
  const { slots, kinds } = await verify(cwd, '--source')
  expect(kinds).toEqual(['missing', 'not in slot'])
  expect(slots[0]?.differences[1]?.ids).toEqual([all[3]?.taskId])
  // Without its first entry and its last one the rest is found all the same.
  await redis().client.xdel(stream, all[0]?.id ?? '', all[19]?.id ?? '')
  await produce(cwd, eleven)
  expect((await verify(cwd, '--slot', ten)).slots).toMatchObject([
    { there: 17, trimmed: 0, others: 0, outside: 0, differences: [{ kind: 'missing', count: 3 }] },
  ])
})

describe('of a history that was purged', () => {
  const purged = async (cwd: string): Promise<void> => {
    await produce(cwd, ten)
    expect((await owm(['outbox', 'purge', '--older-than', '0s', '--yes'], { cwd })).code).toBe(0)
  }
  /** Does what a difference says. */
  const repaired = async (cwd: string, todo = ''): Promise<void> => {
    const [, command = ''] = /^`owm ([^`]+)`/.exec(todo) ?? []
    expect(command).toMatch(/^outbox replay /)
    expect((await owm([...command.split(' '), '--yes'], { cwd })).code, todo).toBe(0)
    expect(await verify(cwd, '--source')).toMatchObject({ code: 0, slots: [{ state: 'same', delivered: 25 }] })
  }

  it('what the list has besides comes by what is said of it', async () => {
    const cwd = await folder()
    await purged(cwd)
    await writeFile(
      join(cwd, '.owmrc.json'),
      JSON.stringify({ ...settingsOf(), source: { ...base.source, count: 25 } }),
    )
    const { slots } = await verify(cwd, '--source')
    const [difference] = slots[0]?.differences ?? []
    // The stream isn't full, so nothing was trimmed.
    expect(difference).toMatchObject({ kind: 'not in slot', count: 5, what: expect.not.stringContaining('trimmed') })
    await repaired(cwd, difference?.todo)
    expect(await entries()).toHaveLength(25)
  })

  it('a receipt that was deleted is written again by what is said of it', async () => {
    const cwd = await folder({ source: { ...base.source, count: 25 } })
    await purged(cwd)
    await redis().client.del(await redis().client.keys('*:owm:receipts*'))
    const { slots } = await verify(cwd)
    const [difference] = slots[0]?.differences ?? []
    expect(difference?.kind).toBe('no receipt')
    await repaired(cwd, difference?.todo)
    expect(await entries()).toHaveLength(25)
  })
})

it('what a full stream took of a batch counts as delivered', async () => {
  const cwd = await folder()
  const args = ['produce', '--slot', ten, '--set', 'sink.maxLength=8']
  const { code, json } = await owmJson<ProduceResult>(args, { cwd })
  expect({ code, delivered: json.sink.delivered, pending: json.outbox.pending }).toEqual({
    code: 75,
    delivered: 8,
    pending: 12,
  })
  expect((await verify(cwd)).slots).toMatchObject([{ delivered: 8, there: 8 }])
})

it('a stream that was deleted is no trimmed one: its tasks are missing until they are delivered again', async () => {
  const cwd = await folder()
  await produce(cwd, ten)
  await redis().client.del(stream)
  const deleted = await verify(cwd)
  expect(deleted).toMatchObject({
    code: 75,
    kinds: ['missing'],
    sink: { address: expect.stringMatching(/:\d+\/0 owm-/) },
    slots: [{ delivered: 20, there: 0, trimmed: 0, differences: [{ count: 20 }] }],
  })
  // A stream that is there, but empty, looks the same.
  expect(deleted.slots[0]?.differences[0]?.todo).toContain(`owm outbox replay --slot ${ten}`)
  expect((await owm(['outbox', 'replay', '--slot', ten, '--yes'], { cwd })).code).toBe(0)
  expect(await verify(cwd)).toMatchObject({ code: 0, slots: [{ state: 'same', delivered: 20, there: 20 }] })
  // What owm sent three times may be there as often.
  await redis().client.xdel(stream, ...(await entries()).slice(0, 2).map(({ id }) => id))
  const replay = ['outbox', 'replay', '--slot', ten, '--yes']
  expect((await owm(replay, { cwd })).code).toBe(0)
  expect((await owm([...replay, '--all'], { cwd })).code).toBe(0)
  expect(await verify(cwd)).toMatchObject({ code: 0, slots: [{ state: 'same', delivered: 20, there: 20 }] })
  const [[, fields] = ['', []]] = await redis().client.xrevrange(stream, '+', '-', 'COUNT', 1)
  for (const _ of [1, 2]) await redis().client.xadd(stream, '*', ...fields)
  expect((await verify(cwd)).kinds).toEqual(['twice'])
})

it('what it says of a stream that was emptied, by whatever, repairs it', async () => {
  const cwd = await folder()
  await produce(cwd, ten)
  const emptied = {
    'XTRIM 0': () => redis().client.xtrim(stream, 'MAXLEN', 0),
    XDEL: async () => redis().client.xdel(stream, ...(await entries()).map(({ id }) => id)),
    DEL: () => redis().client.del(stream),
    FLUSHALL: () => redis().client.flushall(),
  }
  for (const [by, empty] of Object.entries(emptied)) {
    await empty()
    const { slots } = await verify(cwd)
    const [, command = ''] = /^`owm ([^`]+)`/.exec(slots[0]?.differences[0]?.todo ?? '') ?? []
    const yes = command.startsWith('outbox replay') ? ['--yes'] : []
    expect((await owm([...command.split(' '), ...yes], { cwd })).code, by).toBe(0)
    expect(await verify(cwd), by).toMatchObject({ code: 0, slots: [{ state: 'same', there: 20 }] })
  }
})

it('what it says of a sink that can not tell what it holds is that all comes once more', async () => {
  const cwd = await folderWith({ ...base, sink: { use: 'jsonl', path: 'tasks.jsonl' } })
  await produce(cwd, ten)
  const file = join(cwd, 'tasks.jsonl')
  const lines = (await readFile(file, 'utf8')).split('\n').slice(1)
  await writeFile(file, lines.join('\n'))
  const { slots, kinds } = await verify(cwd)
  expect(kinds).toContain('missing')
  const todo = slots[0]?.differences.find(({ kind }) => kind === 'missing')?.todo
  expect(todo).toContain("all of the slot's tasks once more")
  expect((await owm(['outbox', 'replay', '--slot', ten, '--yes'], { cwd })).code).toBe(0)
  expect((await readFile(file, 'utf8')).trimEnd().split('\n')).toHaveLength(39)
})

it('a slot that was replayed from its source counts each task once, and what is pending as not delivered', async () => {
  const cwd = await folder({ flush: { batchSize: 5 } })
  await produce(cwd, ten)
  expect((await owm(['outbox', 'purge', '--older-than', '0s', '--yes'], { cwd })).code).toBe(0)
  expect((await owm(['outbox', 'replay', '--slot', ten, '--all', '--yes'], { cwd })).code).toBe(0)
  expect(await redis().client.xlen(stream)).toBe(40)
  expect((await verify(cwd)).slots).toMatchObject([{ state: 'same', delivered: 20, there: 20 }])
  const before = await redis().client.xlen(stream)
  const { child, ended } = startAndStopAt('batch:answered', ['produce', '--slot', eleven], cwd)
  await untilStopped(child.pid)
  child.kill('SIGKILL')
  await ended
  const there = (await redis().client.xlen(stream)) - before
  expect(there).toBeGreaterThan(0)
  const waiting = await verify(cwd, '--slot', eleven)
  expect(waiting).toMatchObject({ kinds: ['waiting'], sink: { entries: before + there }, slots: [{ there }] })
  // The outbox may not have heard of all that the sink took.
  expect(waiting.slots[0]?.delivered).toBeLessThanOrEqual(there)
})

it('a slot that a run is working on is under way; one that nobody works on waits', async () => {
  const cwd = await folder()
  await produce(cwd, ten)
  const { child, ended } = startAndStopAt('batch:sent', ['produce', '--slot', eleven], cwd)
  await untilStopped(child.pid)
  expect(await verify(cwd)).toMatchObject({ code: 0, slots: [{ slot: eleven, state: 'under way' }, { state: 'same' }] })
  child.kill('SIGKILL')
  await ended
  expect(await verify(cwd)).toMatchObject({ code: 75, kinds: ['waiting'] })
  expect((await owm(['produce', '--slot', eleven], { cwd })).code).toBe(0)
  expect(await verify(cwd)).toMatchObject({ code: 0, different: 0 })
  await redis().client.flushall()
  const emptied = await verify(cwd)
  expect(emptied.kinds).toEqual(['no receipt', 'missing', 'no receipt', 'missing'])
  const todos = emptied.slots.flatMap(({ differences }) => differences.map(({ todo }) => todo))
  expect([...new Set(todos)], 'one remedy').toEqual([expect.stringMatching(/^`owm flush`/)])
  await redis().client.xadd(stream, '*', 'data', 'somebody else')
  expect(await verify(cwd, '--slot', '2026-11-23T12:00:00Z')).toMatchObject({
    code: 75,
    kinds: ['no run'],
    sink: { entries: 1 },
  })
  expect((await owm(['verify', '--outbox', join(cwd, 'none.db')], { cwd })).stdout).toContain('no slot in the outbox')
})
