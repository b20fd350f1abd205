/** A shard that never started has no outbox of its own to tell of it: the receipts of the others do. */
import { join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import type { VerifyResult } from '../../src/commands/verify.js'
import { slotOf } from '../../src/tasks/slot.js'
import { owm, owmJson } from '../support/cli.js'
import { redisHere } from '../support/redis-here.js'
import { doctor, expectFound, folderOf, healthy } from './scene.js'

const redis = redisHere()
beforeEach(async () => {
  await redis().client.flushall()
  await redis().client.config('SET', 'save', '3600 1')
})

/** By the true clock, since doctor compares Redis' with it. */
const ago = (minutes: number): string => slotOf(Date.now() - minutes * 60_000)

/** A configuration of three shards, and what each of them does, with an outbox of its own. */
async function threeShards() {
  const cwd = await folderOf({
    source: { ...healthy.source, shards: 3 },
    sink: { use: 'redis-stream', url: redis().server.url },
  })
  await redis().client.xgroup('CREATE', 'owm-ingestion-stream', 'workers', '0', 'MKSTREAM')
  const as = (index: number) => ['--shard', `${index}/3`, '--outbox', `./${index}.db`]
  return {
    cwd,
    as,
    serve: async (slot: string, ...shards: number[]): Promise<void> => {
      for (const index of shards) {
        const { code, stderr } = await owm(['produce', '--slot', slot, ...as(index)], { cwd })
        expect({ code }, stderr).toEqual({ code: 0 })
      }
    },
    examine: (index: number) => doctor(cwd, as(index)),
    verify: (...args: string[]) =>
      owmJson<VerifyResult & { error?: { message: string } }>(['verify', ...args], { cwd }),
  }
}

const shardsIn = ({ json }: Awaited<ReturnType<typeof doctor>>): string | undefined =>
  json.checks.find(({ code }) => code === 'sink-shards')?.found

it('doctor tells of a shard that never started, on every machine, once the others are two slots on', async () => {
  const { serve, examine } = await threeShards()
  const [before, newest] = [ago(70), ago(10)]
  const none = await examine(2)
  expectFound(none, 0)
  expect(shardsIn(none)).toBe('no slot in 3 shards yet')
  await serve(before, 0, 1)
  expectFound(await examine(0), 0)
  await serve(newest, 0, 1)
  for (const index of [0, 2]) {
    const ran = await examine(index)
    expectFound(ran, 75, 'sink-shards')
    expect(shardsIn(ran)).toBe(`shard 2/3 has no receipt, while another shard has 2 slots, the newest ${newest}`)
  }
  await serve(newest, 2)
  expectFound(await examine(0), 0)
})

it('doctor tells of one that stopped, when the slot is too old to be under way', async () => {
  const { serve, examine } = await threeShards()
  const [before, newest] = [ago(500), ago(370)]
  await serve(before, 0, 1, 2)
  await serve(newest, 1, 2)
  const ran = await examine(1)
  expectFound(ran, 75, 'sink-shards')
  const since = `shard 0/3 has nothing after ${before}, while another shard has 1 slot since`
  expect(shardsIn(ran)).toBe(`${since}, the newest ${newest}`)
})

it('doctor cannot tell where a shard is alone in its sink, unless it is another than its own', async () => {
  const { serve, examine } = await threeShards()
  for (const minutes of [70, 10]) await serve(ago(minutes), 0)
  const alone = await examine(0)
  expectFound(alone, 0)
  expect(shardsIn(alone)).toBe('only shard 0/3 is there: others deliver elsewhere, or never did')
  expectFound(await examine(1), 75, 'sink-shards')
})

it('doctor and `config check` take the shard by a flag where no Job sets it', async () => {
  const { cwd } = await threeShards()
  expectFound(await doctor(cwd, ['--outbox', './0.db']), 78, 'source-options')
  expectFound(await doctor(cwd, ['--outbox', './0.db', '--shard', '0/3']), 0)
  const check = (...args: string[]) =>
    owm(['config', 'check', '--connect', '--outbox', join(cwd, '0.db'), ...args], { cwd })
  expect(await check()).toMatchObject({ code: 78 })
  expect(await check('--shard', '0/3')).toMatchObject({ code: 0 })
})

it('`owm verify --shard` compares no other shard in its place', async () => {
  const { serve, verify } = await threeShards()
  const slot = '2026-11-23T10:00:00Z'
  await serve(slot, 0)
  const asked = ['--outbox', './0.db', '--shard', '2/3']
  const refused = await verify(...asked)
  expect(refused.code).toBe(2)
  expect(refused.json.error?.message).toMatch(/has no run of shard 2\/3, only of 0\/3\.$/)
  const lacking = {
    state: 'different',
    differences: [{ kind: 'no run', what: expect.stringContaining('lacks shard 2/3') }],
  }
  const own = { state: 'same', shard: '0/3' }
  expect(await verify(...asked, '--slot', slot)).toMatchObject({ code: 75, json: { slots: [own, lacking] } })
  await serve(slot, 2)
  const there = await verify(...asked, '--slot', slot)
  expect(there).toMatchObject({ code: 0, json: { slots: [own, { state: 'elsewhere', shard: '2/3' }] } })
  expect(await verify('--outbox', './0.db', '--shard', '0/3', '--slot', slot)).toMatchObject({
    code: 0,
    json: { slots: [own] },
  })
})
