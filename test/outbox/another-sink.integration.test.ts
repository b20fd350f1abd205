/** A slot that was delivered to one sink doesn't count as delivered to another. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { InspectResult } from '../../src/commands/outbox/inspect.js'
import type { WhyResult } from '../../src/commands/why.js'
import { base, list, slot } from '../cli/scene.js'
import { folderWith, owm, owmJson } from '../support/cli.js'
import { redisScene } from '../support/redis-scene.js'

const places = Array.from({ length: 30 }, (_, id) => ({ id, city: `City ${id}`, latitude: 1, longitude: 2 }))
const config = { ...base, source: list(...places) }

const to = (name: string): string[] => ['--set', `sink.path=./${name}.jsonl`]
const serve = (name: string, ...args: string[]): string[] => ['produce', '--slot', slot, ...to(name), ...args]

async function idsIn(cwd: string, name: string): Promise<string[]> {
  const text = await readFile(join(cwd, `${name}.jsonl`), 'utf8').catch(() => '')
  return text.match(/(?<="task_id":")[^"]+/g) ?? []
}

async function good(cwd: string, ...commands: string[][]): Promise<void> {
  for (const command of commands) {
    const { code, stderr } = await owm(command, { cwd })
    expect(code, stderr).toBe(0)
  }
}

async function expectElsewhere(
  cwd: string,
  command: string[],
  where: string,
  then = `owm produce --slot ${slot} --again`,
): Promise<string> {
  const { code, stderr } = await owm(command, { cwd })
  expect(code, stderr).toBe(78)
  expect(stderr).toContain(where)
  expect(stderr).toContain(then)
  return stderr
}

describe('a slot that another sink has', () => {
  it.each([[], ['--no-flush']])('is refused (%s), and the history can be adopted', async (...args) => {
    const cwd = await folderWith(config)
    await good(cwd, serve('c1'))
    const told = await expectElsewhere(cwd, serve('c2', ...args), `delivered to ${cwd}/c1.jsonl, and the sink is`)
    expect(told).toContain('owm outbox adopt --sink --from history')
    const { json } = await owmJson<InspectResult>(['outbox', 'inspect'], { cwd })
    expect(json.runs).toHaveLength(1)
    await good(cwd, ['outbox', 'adopt', '--sink', '--from', 'history', ...to('c2')], ['flush', ...to('c2')])
    await good(cwd, serve('c2'), serve('c1'))
    expect(await idsIn(cwd, 'c2')).toEqual(await idsIn(cwd, 'c1'))
    expect(await idsIn(cwd, 'c1')).toHaveLength(30)
  })

  it('is delivered there with --again, once', async () => {
    const cwd = await folderWith(config)
    await good(cwd, serve('c1'), ['flush', ...to('c2')], serve('c2', '--again'), serve('c2'), serve('c1'))
    expect(await idsIn(cwd, 'c2')).toEqual(await idsIn(cwd, 'c1'))
    expect(await idsIn(cwd, 'c1')).toHaveLength(30)
    const again = await owm(serve('c2', '--again'), { cwd })
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('is served') })
  })

  it('is refused as well where the ledger keeps none of its tasks', async () => {
    const cwd = await folderWith(config)
    await good(cwd, serve('c1'), ['outbox', 'purge', '--older-than', '0s', '--yes', ...to('c1')])
    await expectElsewhere(cwd, serve('c2'), 'c1.jsonl')
  })

  it('is known by its shards, and by all of them where it is asked for in one piece', async () => {
    const cwd = await folderWith(config)
    const share = (index: number): string[] => ['--shard', `${index}/2`]
    await good(cwd, serve('c1', ...share(0)), serve('c1', ...share(1)), serve('c2', ...share(0), '--again'))
    await good(cwd, serve('c2', ...share(0)), serve('c1', ...share(0)))
    const rest = `owm produce --slot ${slot} --shard 1/2 --again`
    await expectElsewhere(cwd, serve('c2', ...share(1)), 'c1.jsonl', rest)
    await expectElsewhere(cwd, serve('c2'), 'in 2 shards')
    await good(cwd, serve('c2', ...share(1), '--again'), serve('c2', ...share(1)))
    expect((await idsIn(cwd, 'c2')).toSorted()).toEqual((await idsIn(cwd, 'c1')).toSorted())
  })

  it.each([
    ['pending', 20],
    ['open-runs', 30],
  ] as const)('was begun at one sink and adopted --from %s by another: that one has %i', async (from, has) => {
    const cwd = await folderWith(config)
    await good(cwd, serve('c1', '--no-flush'), ['flush', '--limit', '10', ...to('c1')])
    await good(cwd, ['outbox', 'adopt', '--sink', '--from', from, ...to('c2')], ['flush', ...to('c2')])
    expect(await idsIn(cwd, 'c2')).toHaveLength(has)
    const divided = ['is divided between sinks', `owm outbox replay --slot ${slot}`] as const
    if (from === 'pending') for (const name of ['c1', 'c2']) await expectElsewhere(cwd, serve(name), ...divided)
    else await expectElsewhere(cwd, serve('c1'), 'c2.jsonl')
    if (from !== 'pending') await good(cwd, serve('c2'))
    expect([await idsIn(cwd, 'c1'), await idsIn(cwd, 'c2')].map(({ length }) => length)).toEqual([10, has])
  })

  it('that is divided is whole after a replay; before that, `why` says who has a task', async () => {
    const { owm, owmJson, admin } = await redisScene({ count: 30, settings: { flush: { batchSize: 10 } } })
    const toOther = ['--set', 'sink.stream=other']
    for (const command of [
      ['produce', '--slot', slot, '--no-flush'],
      ['flush', '--limit', '10'],
      ['outbox', 'adopt', '--sink', '--from', 'pending', ...toOther],
      ['flush', ...toOther],
    ])
      expect(await owm(command)).toMatchObject({ code: 0 })
    const why = async (id: number, ...args: string[]): Promise<WhyResult['runs'][number] | undefined> =>
      (await owmJson<WhyResult>(['why', String(id), ...args])).json.runs[0]
    const at = (stream: string): object => ({
      what: 'delivered',
      gone: { how: 'elsewhere', sinks: [expect.stringMatching(`/0 ${stream}$`)] },
    })
    expect(await why(3, ...toOther)).toMatchObject(at('owm-ingestion-stream'))
    expect(await why(13)).toMatchObject(at('other'))
    expect([await why(3), await why(13, ...toOther)]).toMatchObject([{ gone: null }, { gone: null }])
    expect((await owm(['why', '3', ...toOther])).stdout.replaceAll(/\s+/g, ' ')).toContain('stream, not to this sink')
    expect(await owm(['outbox', 'replay', '--slot', slot, '--yes', ...toOther])).toMatchObject({ code: 0 })
    expect(await admin.xlen('other')).toBe(30)
    expect(await why(3, ...toOther)).toMatchObject({ entries: [{}], gone: null })
    await admin.xtrim('other', 'MAXLEN', 0)
    expect(await why(13, ...toOther)).toMatchObject({ gone: { how: 'missing', sinks: [] } })
  })

  it('is not lost where it was delivered, once that sink is back', async () => {
    const cwd = await folderWith(config)
    const later = ['produce', '--slot', '2026-11-23T11:00:00Z']
    await good(cwd, serve('c1'), [...later, ...to('c2')], ['flush', ...to('c1')], serve('c1'))
    expect(await idsIn(cwd, 'c1')).toHaveLength(30)
  })

  it('is reported as lost if the sink has lost it meanwhile, although another one has it, too', async () => {
    const scene = await redisScene({ count: 30 })
    const toOther = ['produce', '--slot', slot, '--set', 'sink.stream=other']
    for (const command of [
      ['produce', '--slot', slot],
      [...toOther, '--again'],
    ])
      expect(await scene.owm(command)).toMatchObject({ code: 0 })
    await scene.admin.del('owm-ingestion-stream')
    const told = await scene.owm(['produce', '--slot', slot])
    expect(told).toMatchObject({ code: 75, stderr: expect.stringContaining('has lost 30 tasks') })
    const again = await scene.owm(['produce', '--slot', slot])
    expect(again).toMatchObject({ code: 78, stderr: expect.stringContaining('was delivered to') })
    for (const command of [['produce', '--slot', slot, '--again'], ['produce', '--slot', slot], toOther])
      expect(await scene.owm(command)).toMatchObject({ code: 0 })
    expect(await scene.delivered()).toHaveLength(30)
    expect(await scene.admin.xlen('other')).toBe(30)
  })

  it('is there already at a stream under another address', async () => {
    const scene = await redisScene({ count: 30 })
    const path = join(scene.folder, '.owmrc.json')
    expect(await scene.owm(['produce', '--slot', slot])).toMatchObject({ code: 0 })
    await writeFile(path, (await readFile(path, 'utf8')).replace('127.0.0.1', 'localhost'))
    const { code, stdout } = await scene.owm(['produce', '--slot', slot])
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('all there already') })
    const other = await scene.owm(['produce', '--slot', slot, '--set', 'sink.stream=other'])
    expect(other).toMatchObject({ code: 78, stderr: expect.stringContaining('was delivered to localhost') })
    expect(await scene.delivered()).toHaveLength(30)
  })
})

it('a sink with a part of a run that is not done gives its place up only where an operator says so', async () => {
  const cwd = await folderWith({ ...base, source: { use: './source.mjs' } })
  await writeFile(
    join(cwd, 'source.mjs'),
    `import { defineSource, TransientError, z } from 'owm-producer'
    export default defineSource({
      name: 'mine', description: 'mine', options: z.looseObject({}),
      open: () => ({
        async *read(resume) {
          if (resume) throw new TransientError('it is down')
          yield { locations: ${JSON.stringify(places)}, resume: '30', position: String }
          throw new TransientError('it is down')
        },
      }),
    })\n`,
  )
  expect(await owm(serve('c1'), { cwd })).toMatchObject({ code: 75 })
  expect(await idsIn(cwd, 'c1')).toHaveLength(30)
  for (const command of [serve('c2'), ['produce', ...to('c2')]]) {
    const { code, stderr } = await owm(command, { cwd })
    expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringContaining('c1.jsonl has a part of it') })
    expect(stderr).toContain('--from open-runs')
  }
  await good(cwd, ['outbox', 'adopt', '--sink', '--from', 'open-runs', ...to('c2')], ['flush', ...to('c2')])
  expect(await idsIn(cwd, 'c2')).toEqual(await idsIn(cwd, 'c1'))
})

it('another sink with tasks pending is reported before anything is read', async () => {
  const cwd = await folderWith(config)
  await good(cwd, serve('c1', '--no-flush'), ['flush', '--limit', '10', ...to('c1')])
  const other = ['produce', '--slot', '2026-11-23T11:00:00Z', ...to('c2')]
  expect(await owm(other, { cwd })).toMatchObject({ code: 78, stderr: expect.stringContaining('holds 20 tasks for') })
  const { json } = await owmJson<InspectResult>(['outbox', 'inspect'], { cwd })
  expect(json).toMatchObject({ totals: { pending: 20 }, runs: [{ slot, read: 30 }] })
})
