/**
 * A run was killed while it read, and the list has changed by the next start: the slot is read again. Reports are about
 * the whole list, and what was due in the slot is delivered, in however many starts.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ProduceResult } from '../../src/commands/produce.js'
import { folderWith, owm, owmJson, root } from '../support/cli.js'

const listLength = 3_000
const support = (name: string): string => join(root, 'test', 'support', name)
const killed = ['--import', support('clock-at.mjs'), '--import', support('crash.mjs')]

interface Failed extends ProduceResult {
  error?: { code: string; message: string; hint: string }
}

const rowsOf = (from: number, to: number): string =>
  Array.from(
    { length: to - from + 1 },
    (_, index) => `${from + index},p${from + index},1,${(from + index) % 180}\n`,
  ).join('')

async function scene(source: object, more: object = {}) {
  const cwd = await folderWith({
    schedule: { cron: '* * * * *' },
    source: { use: 'static-list', file: './list.csv', ...source },
    sink: { use: 'jsonl', path: './tasks.jsonl' },
    outbox: { path: './outbox.db' },
    flush: { batchSize: 100 },
    ...more,
  })
  const list = (...rows: string[]) => writeFile(join(cwd, 'list.csv'), `id,name,lat,lon\n${rows.join('')}`)
  const options = (now: string) => ({ cwd, node: killed, env: { OWM_TEST_NOW: now } })
  return {
    cwd,
    list,
    produce: (now: string, ...args: string[]) => owmJson<Failed>(['produce', ...args], options(now)),
    /** Reads a part of the list. */
    async dies(now: string) {
      const { env, ...others } = options(now)
      const ran = await owm(['produce'], { ...others, env: { ...env, OWM_CRASH_AT: 'intake:persisted:1' } })
      expect(ran.signal).toBe('SIGKILL')
      const { json } = await owmJson<{ runs: { state: string; persisted: number }[] }>(['outbox', 'inspect'], { cwd })
      const run = json.runs.find(({ state }) => state === 'reading')
      expect(run?.persisted).toBeGreaterThan(0)
      expect(run?.persisted).toBeLessThan(listLength)
      return run?.persisted ?? 0
    },
    ids: async () =>
      (await readFile(join(cwd, 'tasks.jsonl'), 'utf8'))
        .split('\n')
        .slice(0, -1)
        .map((line): string => JSON.parse(line).task_id),
  }
}

test('too short a list doesn’t end the slot: the next good one brings the windows that were due in it', async () => {
  const { list, produce, dies, ids } = await scene({ minLocations: 2_000 }, { cadence: { default: '10m' } })
  await list(rowsOf(1, listLength))
  expect((await produce('2026-11-24T09:59:10Z')).json.source.notDue).toBe(listLength)
  await dies('2026-11-24T10:00:10Z')
  await list(rowsOf(1, 100))
  for (const now of ['2026-11-24T10:00:20Z', '2026-11-24T10:00:30Z']) {
    const { code, json } = await produce(now)
    expect(code).toBe(65)
    expect(json.error?.message).toMatch(/ gave 100 locations that can be used, not 2,000: /)
  }
  await list(rowsOf(1, listLength))
  expect((await produce('2026-11-24T10:01:10Z')).code).toBe(0)
  const all = await ids()
  expect(all.length).toBe(listLength)
  expect(new Set(all).size).toBe(all.length)
}, 120_000)

test('the numbers, --strict and the comparison with the last list are those of what was read again', async () => {
  const { list, produce, dies } = await scene({})
  await list(rowsOf(1, listLength))
  await produce('2026-11-24T10:00:10Z')
  await dies('2026-11-24T10:01:10Z')
  await list(rowsOf(1, listLength), '99999,nowhere,91,1\n')
  const { code, json, stderr } = await produce('2026-11-24T10:01:20Z', '--strict')
  expect(code).toBe(65)
  expect(json.source).toMatchObject({ read: listLength + 1, rejected: 1 })
  expect(stderr).not.toContain('locations, and had')
}, 120_000)

test('a list that has shrunk meanwhile is reported, with what was read of it before', async () => {
  const { list, produce, dies } = await scene({})
  await list(rowsOf(1, listLength))
  await produce('2026-11-24T10:00:10Z')
  const persisted = await dies('2026-11-24T10:01:10Z')
  await list(rowsOf(1, 100))
  const { stderr, json } = await produce('2026-11-24T10:01:20Z')
  expect(json.source).toMatchObject({ read: 100, repeated: 100, absent: persisted - 100, fewer: listLength - 100 })
  expect(stderr).toContain('the list has 100 locations, and had 3,000 for the slot 2026-11-24T10:00:00Z')
  expect(stderr).toContain('100 are in both, 0 are new')
}, 120_000)

test('minShare is a share of the last whole list, not of one that was left in the middle', async () => {
  const { list, produce, dies } = await scene({ minShare: 0.5 })
  await list(rowsOf(1, listLength))
  await produce('2026-11-24T10:00:10Z')
  await dies('2026-11-24T10:01:10Z')
  await list(rowsOf(1, 1_200))
  for (const now of ['2026-11-24T10:01:20Z', '2026-11-24T10:02:10Z']) {
    const { code, json } = await produce(now)
    expect(code).toBe(65)
    expect(json.error?.message).toContain('not 1,500 (0.5 of the 3,000 of the last run)')
  }
}, 120_000)

test.each([
  ['produce --again', ['produce', '--again']],
  ['outbox replay', ['outbox', 'replay', '--yes']],
])(
  '%s of a slot that is no longer kept tells of a list that has changed since',
  async (_, args) => {
    const { cwd, list, produce } = await scene({}, { outbox: { path: './outbox.db', keepTasks: 0 } })
    const slot = '2026-11-24T10:00:00Z'
    const again = () => owm([...args, '--slot', slot], { cwd })
    await list(rowsOf(1, 1_000))
    for (const now of ['2026-11-24T10:00:10Z', '2026-11-24T10:01:10Z']) expect((await produce(now)).code).toBe(0)
    const same = await again()
    expect(same.code, same.stderr).toBe(0)
    expect(same.stderr).not.toContain('another list')
    expect((await produce('2026-11-24T10:02:10Z')).code).toBe(0)
    await list(rowsOf(301, 1_200))
    const changed = await again()
    expect(changed.code, changed.stderr).toBe(0)
    expect(changed.stderr).toContain(
      `the slot ${slot} was served with another list: that one had 1,000 tasks, this one has 900; `,
    )
  },
  120_000,
)
