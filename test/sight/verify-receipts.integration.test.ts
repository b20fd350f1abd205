/** `owm verify` of slots that only a receipt knows, since the outbox that served them is gone. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import type { VerifyResult } from '../../src/commands/verify.js'
import { owm, owmJson } from '../support/cli.js'
import { redisHere } from '../support/redis-here.js'
import { at, folderOf } from '../support/scheduled.js'

const redis = redisHere()
beforeEach(() => redis().client.flushall())

const stream = 'owm-ingestion-stream'
const slotOf = (hour: number): string => `2026-11-23T${hour}:00:00Z`
const later = '2026-11-23T12:30:00Z'

/** An outbox that has served 12:00; the one before it, which had served 10:00 and 11:00, is gone. */
async function afterAnother(sink: object): Promise<string> {
  const cwd = await folderOf({ catchUp: 'all' }, { sink })
  for (const hour of [10, 11, 12]) {
    if (hour === 12) await rm(join(cwd, 'outbox.db'))
    const ran = await owm(['produce'], at(cwd, `2026-11-23T${hour}:05:00Z`))
    expect(ran, ran.stderr).toMatchObject({ code: 0 })
  }
  return cwd
}

const toRedis = () => ({ use: 'redis-stream', url: redis().server.url })

const verify = (cwd: string, ...args: string[]) => owmJson<VerifyResult>(['verify', ...args], at(cwd, later))
const againOf = (hour: number): string => `\`owm produce --slot ${slotOf(hour)} --again\` delivers what the sink lacks`

it('tells that the stream is gone with them, until they are delivered again', async () => {
  const cwd = await afterAnother(toRedis())
  expect(await verify(cwd)).toMatchObject({ code: 0, json: { slots: [{ slot: slotOf(12) }, { slot: slotOf(11) }] } })
  expect(await verify(cwd, '--slot', slotOf(10))).toMatchObject({
    code: 0,
    json: { slots: [{ state: 'elsewhere', shard: null, delivered: 3, there: 3 }] },
  })
  await redis().client.del(stream)
  const lost = { slot: slotOf(10), state: 'different', delivered: 0, there: 0 }
  const difference = { kind: 'lost', count: 3, what: 'the sink had and lost them' }
  const { code, json } = await verify(cwd)
  expect(code).toBe(75)
  expect(json.slots.map(({ slot }) => slot)).toEqual([12, 11, 10].map(slotOf))
  expect(json.slots[2]).toMatchObject({ ...lost, differences: [difference] })
  expect(json.slots[2]?.differences[0]?.todo).toContain(againOf(10))
  for (const args of [[], ['--source']])
    expect((await verify(cwd, '--slot', slotOf(10), ...args)).json.slots).toMatchObject([lost])
  // 12:00 comes again by itself.
  expect(await owm(['flush'], at(cwd, later))).toMatchObject({ code: 0 })
  for (const hour of [10, 11])
    expect(await owm(['produce', '--slot', slotOf(hour), '--again'], at(cwd, later))).toMatchObject({ code: 0 })
  expect(await verify(cwd)).toMatchObject({ code: 0, json: { different: 0 } })
  expect(await redis().client.xlen(stream)).toBe(9)
})

it('counts what is there of each', async () => {
  const cwd = await afterAnother(toRedis())
  const [[first = ''] = []] = await redis().client.xrange(stream, '-', '+', 'COUNT', 1)
  await redis().client.xdel(stream, first)
  const missing = { slot: slotOf(10), delivered: 3, there: 2, differences: [{ kind: 'missing', count: 1 }] }
  expect((await verify(cwd, '--slot', slotOf(10))).json.slots).toMatchObject([missing])
  const all = await verify(cwd)
  expect(all).toMatchObject({ code: 75, json: { different: 1 } })
  expect(all.json.slots.at(-1)).toMatchObject(missing)
  expect(await owm(['produce', '--slot', slotOf(10), '--again'], at(cwd, later))).toMatchObject({ code: 0 })
  expect(await verify(cwd)).toMatchObject({ code: 0, json: { different: 0 } })
  expect(await redis().client.xlen(stream)).toBe(9)
})

it('tells of those before it where there is no outbox yet, if they are younger than maxAge', async () => {
  const cwd = await afterAnother(toRedis())
  await rm(join(cwd, 'outbox.db'))
  expect(await verify(cwd)).toMatchObject({ code: 0, json: { slots: [] } })
  await redis().client.del(stream)
  const { json } = await verify(cwd, '--set', 'schedule.maxAge=2h')
  expect(json.slots).toMatchObject([12, 11].map((hour) => ({ slot: slotOf(hour), differences: [{ kind: 'lost' }] })))
})

it('tells that a file is gone, or has nothing of them', async () => {
  const cwd = await afterAnother({ use: 'jsonl', path: './tasks.jsonl' })
  expect(await verify(cwd, '--slot', slotOf(10))).toMatchObject({ code: 0, json: { slots: [{ state: 'elsewhere' }] } })
  await rm(join(cwd, 'tasks.jsonl'))
  const missing = { slot: slotOf(10), delivered: 3, there: 0, differences: [{ kind: 'missing', count: 3 }] }
  expect((await verify(cwd, '--slot', slotOf(10))).json.slots).toMatchObject([missing])
})
