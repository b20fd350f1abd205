/** A place that the list has twice, with two rhythms: it is one place, in each slot. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import type { VerifyResult } from '../../src/commands/verify.js'
import { owm, owmJson, root } from '../support/cli.js'
import { redisHere } from '../support/redis-here.js'
import { at, countIn, folderOf, produce } from '../support/scheduled.js'

const redis = redisHere()
beforeEach(() => redis().client.flushall())

const header = 'id,city,latitude,longitude,every\n'
const places = 1_500
const rows = (every: string): string =>
  Array.from({ length: places }, (_, index) => `${index},C${index},1,2,${every}\n`).join('')
const listed = { source: { use: 'static-list', file: 'list.csv' }, cadence: { field: 'every' } }

/** The list has each place with 1h, then with 90m: in the slot of 23:00 the windows of 22:30, too. */
async function project(more: object = {}): Promise<string> {
  const cwd = await folderOf({}, { ...listed, ...more })
  await writeFile(join(cwd, 'list.csv'), `${header}${rows('1h')}${rows('90m')}`)
  return cwd
}

test('it has one task, and the second record is a duplicate that differs', async () => {
  const cwd = await project()
  const dry = await produce(cwd, '2026-11-26T23:00:05Z', '--dry-run')
  const source = { read: 2 * places, duplicates: places, notDue: 0, rejected: 0, merged: places }
  for (const { code, json, stderr } of [dry, await produce(cwd, '2026-11-26T23:00:05Z', '--strict')]) {
    expect({ code, source: json.source }).toMatchObject({ code: 0, source })
    expect(stderr).toContain('taken for the same place as one before')
  }
  expect(await countIn(cwd)).toBe(places)
  // Here both have one window.
  const { json } = await produce(cwd, '2026-11-27T00:00:05Z')
  expect(json.sink.delivered).toBe(places)
})

test('also where a start goes on behind one that was killed', async () => {
  const cwd = await project()
  const now = '2026-11-26T23:00:05Z'
  const { node = [], env } = at(cwd, now)
  const crash = { node: [...node, '--import', join(root, 'test', 'support', 'crash.mjs')] }
  const { signal } = await owm(['produce', '--no-flush'], {
    cwd,
    ...crash,
    env: { ...env, OWM_CRASH_AT: 'intake:persisted:2' },
  })
  expect(signal).toBe('SIGKILL')
  expect((await produce(cwd, now)).code).toBe(0)
  expect(await countIn(cwd)).toBe(places)
})

test('the receipt and the comparison with the list know it', async () => {
  const cwd = await project({ sink: { use: 'redis-stream', url: redis().server.url } })
  const now = '2026-11-26T23:00:05Z'
  expect((await produce(cwd, now)).code).toBe(0)
  expect((await owmJson<VerifyResult>(['verify', '--source'], at(cwd, now))).code).toBe(0)
  await rm(join(cwd, 'outbox.db'))
  expect(await produce(cwd, now)).toMatchObject({ code: 0, json: { sink: { delivered: 0 } } })
  expect(await redis().client.xlen('owm-ingestion-stream')).toBe(places)
})
