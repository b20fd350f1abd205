/**
 * Outboxes left behind by older versions of owm (fixtures/make.mjs says how each was made) are inspected, opened and
 * finished by this one: no task is missed, and none is delivered twice.
 */
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { InspectResult } from '../../src/commands/outbox/inspect.js'
import type { RetryResult } from '../../src/commands/outbox/retry.js'
import { migrations } from '../../src/outbox/sqlite/migrations.js'
import { owm, owmJson, temporaryFolder } from '../support/cli.js'
import { openDatabase } from '../support/contents.js'

const fixtures = join(import.meta.dirname, 'fixtures')
const places = 38 // of forty: one has no valid latitude, one occurs twice
const slotOf = (hour: string): string => `2026-11-23T${hour}:00:00Z`

/** The outbox `name` as version 1 of the schema left it, with the configuration and the sink that it had. */
async function left(name: string): Promise<string> {
  const folder = await temporaryFolder()
  for (const file of ['.owmrc.json', 'plugins.mjs', 'source.mjs', 'sink.mjs'])
    await cp(join(fixtures, file), join(folder, file))
  for (const ending of ['', '-wal']) {
    const packed = await readFile(join(fixtures, '1', `${name}.db${ending}.gz`)).catch(() => undefined)
    if (packed) await writeFile(join(folder, `outbox.db${ending}`), await promisify(gunzip)(packed), { mode: 0o600 })
  }
  await cp(join(fixtures, '1', `${name}.jsonl`), join(folder, 'tasks.jsonl')).catch(() => undefined)
  return folder
}

const inspect = async (cwd: string, ...args: string[]): Promise<InspectResult> => {
  const { code, stderr, json } = await owmJson<InspectResult>(['outbox', 'inspect', ...args], { cwd })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return json
}

/** Ids of the tasks in the sink, in order. */
async function arrived(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, 'tasks.jsonl'), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).task_id)
}

async function schemaOf(folder: string): Promise<{ user_version: number; breaker: string | null; steps: number }> {
  const all = await openDatabase(join(folder, 'outbox.db'))
  const [facts] = await all<{ user_version: number; breaker: string | null; steps: number }>(
    'SELECT user_version, breaker, (SELECT count(*) FROM migrations) AS steps FROM pragma_user_version, state',
  )
  await all.close()
  if (!facts) throw new Error('there is no state row')
  return facts
}

const repaired = { SINK_IS_REPAIRED: '1' }
/** The fixtures' circuits opened long ago, by any clock. */
const probe = ['--set', 'breaker.resetAfterMs=0']

describe('with everything that can have happened in it', () => {
  const breakers = [
    { name: 'source', state: 'open', failures: 2, since: expect.stringMatching(/^20\d\d-/) },
    { name: 'sink', state: 'open', failures: 2, since: expect.stringMatching(/^20\d\d-/) },
  ]

  test('inspect shows it, and changes nothing', async () => {
    const folder = await left('eventful')
    const before = await readFile(join(folder, 'outbox.db'))
    const { totals, runs, breakers: shown, oldestPendingAt } = await inspect(folder)
    expect(totals).toEqual({ pending: places, dead: 4, rejected: 3, duplicates: 3 })
    expect(oldestPendingAt).toMatch(/^20\d\d-/)
    expect(shown).toEqual(breakers)
    const counts = { read: 40, rejected: 1, duplicates: 1, persisted: places }
    expect(runs).toMatchObject([
      { slot: slotOf('04'), state: 'reading', read: 0 },
      { slot: slotOf('03'), state: 'read', ...counts, delivered: 0, dead: 0 },
      { slot: slotOf('02'), state: 'done', ...counts, delivered: 34, dead: 4 },
      { slot: slotOf('01'), state: 'done', ...counts, delivered: 36, dead: 0 },
    ])
    const dead = await inspect(folder, '--state', 'dead')
    expect(dead.tasks).toMatchObject([46, 56, 65, 74].map((seq) => ({ seq, lastError: 'it is bad', attempts: 1 })))
    const rejected = await inspect(folder, '--state', 'rejected')
    expect(rejected.tasks.map(({ position }) => position)).toContain('place 17')
    expect(await readFile(join(folder, 'outbox.db'))).toEqual(before)
  })

  test('flush brings its schema up to date, asks an open circuit once, and delivers what is pending', async () => {
    const folder = await left('eventful')
    expect(await schemaOf(folder)).toMatchObject({ user_version: 1, steps: 1 })
    const before = await arrived(folder)

    // It would try twice, but remembers that the circuit was open.
    const failed = await owm(['flush', ...probe], { cwd: folder, env: { SINK_IS_DOWN: '1' } })
    expect(failed.code).toBe(75)
    expect(failed.stderr).not.toContain('tried again')
    const { user_version, steps, breaker } = await schemaOf(folder)
    expect({ user_version, steps }).toEqual({ user_version: migrations.length, steps: migrations.length })
    const open = { state: 'open', failures: expect.any(Number), openedAt: expect.any(Number) }
    expect(JSON.parse(breaker ?? '')).toEqual({ source: open, sink: { ...open, of: expect.any(String) } })
    const [source] = breakers
    expect((await inspect(folder)).breakers).toMatchObject([source, { name: 'sink', state: 'open', failures: 3 }])
    expect((await owm(['flush'], { cwd: folder })).stderr).toMatch(/circuit to the sink is open/)

    expect(await owm(['flush', ...probe], { cwd: folder, env: repaired })).toMatchObject({ code: 0 })
    const after = await arrived(folder)
    expect(after.slice(0, before.length)).toEqual(before)
    expect(after).toHaveLength(before.length + places)
    expect(new Set(after).size).toBe(after.length)
  })

  test('retry puts its dead tasks back; produce finishes its open run', async () => {
    const folder = await left('eventful')
    const before = await arrived(folder)
    const retried = await owmJson<RetryResult>(['outbox', 'retry', '--all'], { cwd: folder })
    expect(retried.json).toMatchObject({ retried: 4, outbox: { pending: places + 4, dead: 0 } })
    const slot = ['--slot', slotOf('05')]
    expect(await owm(['produce', ...slot, ...probe], { cwd: folder, env: repaired })).toMatchObject({ code: 0 })
    // Hour 03 was pending, 04 had not begun, 05 is new.
    const after = await arrived(folder)
    expect(after).toHaveLength(before.length + 4 + 3 * places)
    expect(new Set(after).size).toBe(after.length)
    const { totals, runs, breakers: shown } = await inspect(folder)
    expect(totals).toMatchObject({ pending: 0, dead: 0 })
    expect(runs.map(({ state }) => state)).toEqual(['done', 'done', 'done', 'done', 'done'])
    expect(shown).toEqual([])
  })
})

test('killed while it was read: looked at with its log, read on from its checkpoint', async () => {
  const folder = await left('reading')
  const { totals, runs } = await inspect(folder)
  expect(totals).toMatchObject({ pending: places + 10, dead: 0 })
  expect(runs).toMatchObject([
    { slot: slotOf('02'), state: 'reading', read: 10, persisted: 10 },
    { slot: slotOf('01'), state: 'read', read: 40, persisted: places },
  ])
  const slot = ['--slot', slotOf('02')]
  const ran = await owmJson<{ runId: string }>(['produce', ...slot], { cwd: folder, env: repaired })
  expect(ran.code).toBe(0)
  // The start that was killed may not have reported hour 01.
  expect(ran.stderr).toMatch(/^.*1 location of slot 2026-11-23T01.*\n.*1 location was rejected.*\n$/)
  const tasks = await arrived(folder)
  expect(tasks).toHaveLength(2 * places)
  expect(new Set(tasks).size).toBe(tasks.length)
  const after = await inspect(folder)
  const counts = { state: 'done', read: 40, rejected: 1, duplicates: 1, persisted: places, delivered: places }
  expect(after.runs).toMatchObject([{ runId: runs[0]?.runId, ...counts }, counts])
})

test('killed before its suspects were decided: they are', async () => {
  const folder = await left('checking')
  expect((await inspect(folder)).runs).toMatchObject([{ state: 'checking', read: 40, duplicates: 0 }])
  const slot = ['--slot', slotOf('01')]
  const ran = await owm(['produce', ...slot], { cwd: folder, env: repaired })
  expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('1 location was rejected') })
  expect(new Set(await arrived(folder)).size).toBe(places)
  expect((await inspect(folder)).runs).toMatchObject([{ state: 'done', duplicates: 1, delivered: places }])
})
