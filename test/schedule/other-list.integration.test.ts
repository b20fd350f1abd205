/** A receipt says that a slot is served, and by its sum with which list: another project may have the same name. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import type { ProduceResult } from '../../src/commands/produce.js'
import type { VerifyResult } from '../../src/commands/verify.js'
import { folderWith, owmJson } from '../support/cli.js'
import { redisHere } from '../support/redis-here.js'

const redis = redisHere()
beforeEach(() => redis().client.flushall())

// A month's slot: no test meets the next one.
const schedule = { cron: '0 0 1 * *', maxAge: '40d' }
const listOf = (...ids: string[]): string =>
  ['id,city,lat,lon', ...ids.map((id, at) => `${id},${id},1,${at}`)].join('\n')
const named = { sink: { use: 'redis-stream', url: '' }, source: { use: 'static-list', file: 'l.csv' } }

async function project(list: string, more: object = {}): Promise<string> {
  const sink = { ...named.sink, url: redis().server.url }
  const pipelines = { monthly: { schedule, ...named, sink, outbox: { path: 'o.db' }, ...more } }
  const cwd = await folderWith({ pipelines })
  await writeFile(join(cwd, 'l.csv'), list)
  return cwd
}

type Answered = ProduceResult & { error?: { code: string; message: string } }
const produce = (cwd: string, ...args: string[]) => owmJson<Answered>(['produce', ...args], { cwd })
const inStream = (): Promise<number> => redis().client.xlen('owm-ingestion-stream')

it("the first start of a project isn't served by the receipt of another one of the same name: 65", async () => {
  await produce(await project(listOf('A', 'B', 'C')))
  const other = await project(listOf('D', 'E', 'D'), { taskNamespace: 'other' })
  for (const _ of ['the first start', 'another one']) {
    const { code, json } = await produce(other)
    expect({ code, error: json.error?.code }).toEqual({ code: 65, error: 'INPUT_REJECTED' })
    expect(json.error?.message).toMatch(/of monthly from another list: that one had 3 tasks, this one has 2\.$/)
  }
  expect(await inStream()).toBe(3)
  const verified = await owmJson<VerifyResult>(['verify', '--source'], { cwd: other })
  expect(verified.code).toBe(75)
  expect(verified.json.slots).toMatchObject([{ state: 'different', differences: [{ kind: 'not in slot', count: 2 }] }])
})

it.each([{}, { taskNamespace: 'n' }, { cadence: { default: '1d' } }])(
  'an outbox that is lost goes on behind its own receipts, in silence, with %j',
  async (more) => {
    const cwd = await project(listOf('A', 'B', 'A'), more)
    expect(await produce(cwd)).toMatchObject({ code: 0, json: { sink: { delivered: 2 } } })
    await rm(join(cwd, 'o.db'))
    expect(await produce(cwd)).toMatchObject({ code: 0, json: { sink: { delivered: 0 } } })
    expect((await owmJson<VerifyResult>(['verify', '--source'], { cwd })).code).toBe(0)
    expect(await inStream()).toBe(2)

    await writeFile(join(cwd, 'l.csv'), listOf('A', 'B', 'C'))
    expect(await produce(cwd)).toMatchObject({ code: 65 })
    const { slot } = (await produce(cwd)).json
    expect(await produce(cwd, '--slot', slot ?? '', '--again')).toMatchObject({
      code: 0,
      json: { sink: { delivered: 1 } },
    })
    expect(await inStream()).toBe(3)
    expect(await produce(cwd)).toMatchObject({ code: 0 })
  },
)

it('dead letters of the outbox before it are reported: 75', async () => {
  const cwd = await project(listOf('A', 'B'))
  await produce(cwd)
  const key = '{owm-ingestion-stream}:owm:receipts:monthly'
  const [[field = '', text = ''] = []] = Object.entries(await redis().client.hgetall(key))
  const withDead = text.replace('"delivered":2,"dead":0', '"delivered":1,"dead":1')
  expect(withDead).not.toBe(text)
  await redis().client.hset(key, field, withDead)
  await rm(join(cwd, 'o.db'))
  for (const _ of ['the first start', 'another one'])
    expect(await produce(cwd)).toMatchObject({ code: 75, json: { error: { code: 'REFUSED' } } })
})
