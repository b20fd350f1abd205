/** Receipts where their tasks are gone: the table is emptied, dropped, renamed or restored from a backup. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Receipt, Sink } from '../../../src/plugin.js'
import { owm, owmJson } from '../../support/cli.js'
import { startPostgres, type TestDatabase } from '../../support/databases.js'
import { at } from '../../support/scheduled.js'
import { Caller, folderFor, openSink } from './scene.js'

const slot = '2026-11-23T10:00:00Z'
const other = '2026-11-23T11:00:00Z'
let server: TestDatabase
let last = 0
const table = (): string => `receipts.t${++last}`

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

/** A table with two tasks of one slot, and none of another; both have a receipt. */
async function twoSlots(name: string): Promise<{ sink: Sink; caller: Caller }> {
  const sink = await openSink({ url: server.url, table: name })
  const caller = new Caller(2)
  await caller.placed(sink)
  await caller.deliver(sink, 0, 2)
  await sink.receipt?.(caller.attachment, receiptOf(slot, 2), { runs: [caller.runId], lastSeq: 2 })
  await sink.receipt?.(caller.attachment, receiptOf(other, 0), { runs: [], lastSeq: 0 })
  return { sink, caller }
}

const receiptOf = (slot: string, delivered: number): Receipt => ({
  ...{ pipeline: 'p', slot, shard: 0, shards: 1, interval: null },
  ...{ read: delivered, rejected: 0, duplicates: 0, delivered, dead: 0, discarded: 0, taskIdSum: '' },
})

/** By slot, the newest first: whether the tasks of its receipt are gone. */
const gone = async (sink: Sink): Promise<unknown[]> =>
  ((await sink.receipts?.('p')) ?? []).map(({ isGone }) => isGone ?? false)

describe('the tasks of a receipt are gone', () => {
  it.each([
    ['TRUNCATE', (name: string) => `TRUNCATE ${name}`],
    ['DROP', (name: string) => `DROP TABLE ${name}`],
    ['RENAME', (name: string) => `ALTER TABLE ${name} RENAME TO kept${last}`],
  ])('with %s: before the next start as after it', async (_, sql) => {
    const name = table()
    const { sink, caller } = await twoSlots(name)
    expect(await gone(sink)).toEqual([false, false])
    await server.query(sql(name))
    expect(await gone(sink)).toEqual([false, true])
    await caller.placed(sink)
    expect(await gone(sink)).toEqual([false, true])
    const place = { seq: 0, taskId: '' }
    const { generation } = await caller.attach(sink)
    await sink.place?.(caller.attachment, place, generation)
    await caller.deliver(sink, 0, 2)
    await sink.receipt?.(caller.attachment, receiptOf(slot, 2), { runs: [caller.runId], lastSeq: 2 })
    expect(await gone(sink)).toEqual([false, false])
  })

  it('not for a receipt of an older owm, which wrote no generation', async () => {
    const name = table()
    const { sink } = await twoSlots(name)
    await server.query(`UPDATE ${name}_receipt SET receipt = (receipt::jsonb - 'generation')::json`)
    await server.query(`TRUNCATE ${name}`)
    expect(await gone(sink)).toEqual([false, false])
  })

  it('not in tables that are all restored from a backup, renamed or rewritten', async () => {
    const name = table()
    const { sink, caller } = await twoSlots(name)
    await server.query(`VACUUM FULL ${name}`)
    for (const part of ['', '_sink', '_fence', '_receipt'])
      for (const sql of [
        `CREATE TABLE ${name}${part}_copy (LIKE ${name}${part} INCLUDING ALL)`,
        `INSERT INTO ${name}${part}_copy OVERRIDING SYSTEM VALUE SELECT * FROM ${name}${part}`,
        `DROP TABLE ${name}${part}`,
        `ALTER TABLE ${name}${part}_copy RENAME TO t${last}${part}`,
      ])
        await server.query(sql)
    expect(await gone(sink)).toEqual([false, false])
    await caller.placed(sink)
    expect(await gone(sink)).toEqual([false, false])
  })
})

it.each(['TRUNCATE', 'DROP TABLE'])('outbox and tasks (%s) are lost: the hour comes again', async (how) => {
  const name = table()
  const schedule = { cron: '0 * * * *', catchUp: 'all' }
  const cwd = await folderFor({ url: server.url, table: name }, 30, { schedule })
  const now = at(cwd, '2026-11-23T10:05:00Z')
  expect(await owm(['produce'], now)).toMatchObject({ code: 0 })
  await rm(join(cwd, 'o.db'))
  await server.query(`${how} ${name}`)
  expect(await owm(['produce'], now)).toMatchObject({ code: 0, stdout: expect.stringContaining('30 tasks delivered') })
  expect(await server.query(`SELECT count(*)::int AS rows FROM ${name}`)).toEqual([{ rows: 30 }])
})

it('doctor and runs say that the table is empty before the next start does', async () => {
  const name = table()
  const cwd = await folderFor({ url: server.url, table: name }, 30)
  for (const hour of [slot, other]) expect(await owm(['produce', '--slot', hour], { cwd })).toMatchObject({ code: 0 })
  await server.query(`TRUNCATE ${name}`)
  const found = `the slot ${other} was delivered, and the sink has lost its tasks, and those of 1 other slot: 60 tasks`
  const { json } = await owmJson<{ checks: object[] }>(['doctor'], { cwd })
  expect(json.checks).toContainEqual(expect.objectContaining({ code: 'sink-receipts', verdict: 'wrong', found }))
  const runs = await owmJson<{ pipelines: { shards: object[] }[] }>(['runs', '--all-shards'], { cwd })
  const missing = [other, slot].map((hour) => ({ slot: hour, missing: [0] }))
  expect(runs.json).toMatchObject({ pipelines: [{ shards: missing }] })
})
