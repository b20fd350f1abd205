/**
 * Sources that misbehave and locations that can't be used: nothing is dropped,
 * nothing is waited for without end, and no half of a source passes for a whole.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { InspectResult } from '../../src/commands/outbox/inspect.js'
import type { ProduceResult } from '../../src/commands/produce.js'
import { folderWith, owm, owmJson, startOwm, temporaryFolder, until } from '../support/cli.js'

const plugin = `
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineSource, z } from '${new URL('../../dist/index.js', import.meta.url).href}'
const page = (first, size) => ({
  locations: Array.from({ length: size }, (_, index) => {
    const id = first + index
    return { id, city: 'city ' + id, latitude: 1, longitude: 2 }
  }),
  resume: String(first + size),
  position: (index) => 'row ' + (first + index),
})
export default defineSource({
  name: 'bad',
  description: 'a source that misbehaves until a file says that it is repaired',
  options: z.strictObject({ how: z.string(), repaired: z.string() }),
  open({ how, repaired }) {
    if (how === 'open' && !existsSync(repaired)) throw new Error('no such database')
    return {
      async *read(resume) {
        for (let first = Number(resume ?? 0); how === 'endless' || first < 1000; first += 100) {
          if (first === 600 && !existsSync(repaired)) {
            if (how === 'throws') throw new Error('the database went away')
            if (how === 'hangs') await sleep(1e9, undefined, { ref: false })
          }
          yield page(first, 100)
        }
      },
      async close() {
        if (how === 'close') await new Promise(() => {})
      },
    }
  },
})
`

async function scene(how: string, more: object = {}): Promise<{ folder: string; repair(): Promise<void> }> {
  const folder = await folderWith({
    source: { use: './bad.mjs', how, repaired: 'repaired', ...more },
    sink: { use: 'jsonl', path: 'tasks.jsonl' },
    outbox: { path: 'outbox.db' },
    flush: { batchSize: 50 },
  })
  await writeFile(join(folder, 'bad.mjs'), plugin)
  return { folder, repair: () => writeFile(join(folder, 'repaired'), '') }
}

const slot = (hour: number): string[] => ['--slot', `2026-11-23T0${hour}:00:00Z`]

describe('a source that', () => {
  for (const how of ['throws', 'hangs'])
    test(`${how} half-way: 75, the run stays open, the next start reads the rest under its slot`, async () => {
      const { folder, repair } = await scene(how, { timeoutMs: 500 })
      const broken = await owmJson<ProduceResult & { error: { code: string; message: string } }>(
        ['produce', ...slot(1)],
        { cwd: folder },
      )
      expect(broken.code).toBe(75)
      expect(broken.json.error).toMatchObject({
        code: 'SOURCE',
        message: expect.stringMatching(how === 'throws' ? /went away/ : /nothing for 0.5 s/),
      })
      expect(broken.json.source.read).toBeLessThan(1000)
      expect(broken.json.outbox.pending, 'what was read is delivered').toBe(0)
      const { json } = await owmJson<InspectResult>(['outbox', 'inspect'], { cwd: folder })
      expect(json.runs.map(({ state }) => state)).toEqual(['reading'])

      await repair()
      expect(await owm(['produce', ...slot(2)], { cwd: folder })).toMatchObject({ code: 0 })
      const after = await owmJson<InspectResult>(['outbox', 'inspect', '--limit', '5'], { cwd: folder })
      expect(after.json.runs.map(({ slot, state, read, delivered }) => ({ slot, state, read, delivered }))).toEqual([
        { slot: '2026-11-23T02:00:00Z', state: 'done', read: 1000, delivered: 1000 },
        { slot: '2026-11-23T01:00:00Z', state: 'done', read: 1000, delivered: 1000 },
      ])
    })

  test('throws when it is opened: 75, and the slot is in the ledger for the next start', async () => {
    const { folder, repair } = await scene('open')
    const broken = await owm(['produce', ...slot(1)], { cwd: folder })
    expect(broken.code).toBe(75)
    expect(broken.stderr).toMatch(/no such database/)
    await repair()
    const { json } = await owmJson<ProduceResult>(['produce', ...slot(2)], { cwd: folder })
    expect(json.sink.delivered).toBe(2000)
  })

  test('never ends: 78, and what it gave is safe', async () => {
    const { folder } = await scene('endless', { maxLocations: 2500 })
    const ran = await owmJson<ProduceResult & { error: { code: string; message: string } }>(['produce', ...slot(1)], {
      cwd: folder,
    })
    expect(ran.code).toBe(78)
    expect(ran.json.error.message).toMatch(/more than 2500 locations/)
    expect(ran.json.outbox.persisted).toBeLessThanOrEqual(2500)
    expect(ran.json.sink.delivered).toBe(ran.json.outbox.persisted)
  })

  test('hangs and is interrupted: 143 at once', async () => {
    const { folder } = await scene('hangs')
    const { child, ended } = startOwm(['produce', ...slot(1)], { cwd: folder })
    await until(
      async () => (await owmJson<InspectResult>(['outbox', 'inspect'], { cwd: folder })).json.runs[0]?.read === 600,
    )
    child.kill('SIGTERM')
    expect(await ended).toMatchObject({ code: 143 })
  })

  test('hangs in close: a warning, and the run is good', async () => {
    const { folder } = await scene('close')
    const ran = await owm(['produce', ...slot(1)], { cwd: folder })
    expect(ran.code).toBe(0)
    expect(ran.stderr).toMatch(/bad.mjs could not be closed/)
  })
})

test("every location that can't be used is rejected with its place, its value and the reason", async () => {
  const folder = await temporaryFolder()
  const rows: [row: string | Buffer, reason: RegExp, column?: string][] = [
    ['1,Too Far North,,91,0', /latitude must be/, 'latitude'],
    ['2,Too Far West,,0,-180.5', /longitude must be/, 'longitude'],
    ['3,No Number,,NaN,0', /latitude must be/, 'latitude'],
    ['4,,,1,1', /city is (missing|empty)/, 'city'],
    ['5,Nowhere,,,1', /latitude is missing/, 'latitude'],
    ['0,Good,,1,1', /same location already/],
    ['0,Same Id,,1,1', /its id is another place's/],
    [`7,${'x'.repeat(1_000_000)},,1,1`, /more than 200 characters/, 'city'],
    [Buffer.from('8,M\xfcnchen,,1,1', 'latin1'), /isn't valid UTF-8/],
    ['9,Too Short,,1', /has 4 columns, the header 5/],
  ]
  const lines = ['id,city,state,latitude,longitude', '0,Good,,1,1', ...rows.map(([row]) => row)]
  await writeFile(
    join(folder, 'list.csv'),
    Buffer.concat(lines.map((line) => Buffer.concat([Buffer.from(line), Buffer.from('\n')]))),
  )
  await writeFile(
    join(folder, 'list.ndjson'),
    '{"city":"lone \\ud800","latitude":1,"longitude":1}\n["no object"]\n{"city":"half',
  )
  const args = ['--source', 'static-list', '--sink', 'jsonl', '--set', 'sink.path=tasks.jsonl', '--outbox', 'outbox.db']

  const csv = await owmJson<ProduceResult>(['produce', ...args, '--set', 'source.file=list.csv', ...slot(1)], {
    cwd: folder,
  })
  expect(csv.json.source).toMatchObject({ read: 11, rejected: 9, duplicates: 1 })
  const shown = await owmJson<InspectResult>(['outbox', 'inspect', '--outbox', 'outbox.db', '--state', 'rejected'], {
    cwd: folder,
  })
  for (const [index, [row, reason, column]] of rows.entries()) {
    const line = `line ${index + 3}${column === undefined ? '' : `, column "${column}"`}`
    const found = shown.json.tasks.find(({ position }) => position === line)
    expect(found?.lastError, line).toMatch(reason)
    expect(found?.value, line).toContain(String(row).slice(2, 5).replace('\u{fc}', '\ufffd').slice(0, 1))
    expect(found?.value?.length, line).toBeLessThan(1100)
  }

  const ndjson = await owmJson<ProduceResult>(['produce', ...args, '--set', 'source.file=list.ndjson', ...slot(2)], {
    cwd: folder,
  })
  expect(ndjson.json.source).toMatchObject({ read: 3, rejected: 3 })
  const { stdout } = await owm(['outbox', 'inspect', '--outbox', 'outbox.db', '--state', 'rejected'], { cwd: folder })
  expect(stdout).toMatch(/line 1 .*lone surrogate/)
})
