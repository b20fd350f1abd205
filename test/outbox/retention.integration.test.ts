/** `owm outbox retry` and `owm outbox purge`. */
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { InspectResult } from '../../src/commands/outbox/inspect.js'
import type { PurgeResult } from '../../src/commands/outbox/purge.js'
import type { RetryResult } from '../../src/commands/outbox/retry.js'
import type { RunsResult } from '../../src/commands/runs/index.js'
import { folderWith, owm, owmJson } from '../support/cli.js'

/** Ten of a hundred tasks are dead: the sink refused every tenth. */
async function withDead(): Promise<string> {
  const folder = await folderWith({
    source: { use: 'simulated-db', count: 100 },
    sink: { use: './sink.mjs' },
    outbox: { path: 'outbox.db' },
  })
  await writeFile(
    join(folder, 'sink.mjs'),
    `import { appendFile } from 'node:fs/promises'
     import { defineSink, z } from '${new URL('../../dist/index.js', import.meta.url).href}'
     const options = z.strictObject({ repaired: z.boolean().default(false) })
     export default defineSink({ name: 'picky', description: '', options, open: ({ repaired }, { baseDir }) => ({
       guarantee: 'at-least-once',
       async deliver({ firstSeq, tasks }) {
         const isRefused = (index) => !repaired && (firstSeq + index) % 10 === 0
         const outcomes = tasks.map((_, index) => (isRefused(index) ? { refused: 'I take no tens' } : 'delivered'))
         const taken = tasks.filter((_, index) => outcomes[index] === 'delivered')
         await appendFile(baseDir + '/tasks.jsonl', taken.map((task) => task + '\\n').join(''))
         return outcomes
       },
     }) })`,
  )
  expect((await owm(['produce', '--slot', '2026-11-23T01:00:00Z'], { cwd: folder })).code).toBe(75)
  return folder
}

const lines = async (folder: string): Promise<string[]> =>
  (await readFile(join(folder, 'tasks.jsonl'), 'utf8')).trimEnd().split('\n')

test('retry puts dead tasks back: named, of a run, or all; flush delivers them once', async () => {
  const folder = await withDead()
  const before = await owmJson<InspectResult>(['outbox', 'inspect', '--state', 'dead'], { cwd: folder })
  expect(before.json.tasks.map(({ seq, lastError }) => [seq, lastError])).toEqual(
    [10, 20, 30, 40, 50, 60, 70, 80, 90, 100].map((seq) => [seq, 'I take no tens']),
  )

  const named = await owmJson<RetryResult>(['outbox', 'retry', '10', '20', '11'], { cwd: folder })
  expect(named.json).toMatchObject({ retried: 2, outbox: { pending: 2, dead: 8 } })
  const none = await owmJson<RetryResult>(['outbox', 'retry', '--run', 'ffffffff-nope'], { cwd: folder })
  expect(none.json.retried).toBe(0)
  const all = await owmJson<RetryResult>(['outbox', 'retry', '--run', before.json.runs[0]?.runId.slice(0, 8) ?? ''], {
    cwd: folder,
  })
  expect(all.json).toMatchObject({ retried: 8, outbox: { pending: 10, dead: 0 } })

  expect(await owm(['flush', '--set', 'sink.repaired=true'], { cwd: folder })).toMatchObject({ code: 0 })
  const arrived = await lines(folder)
  expect(new Set(arrived).size).toBe(100)
  expect(arrived).toHaveLength(100)
  const after = await owmJson<InspectResult>(['outbox', 'inspect', '--state', 'delivered', '--limit', '200'], {
    cwd: folder,
  })
  expect(after.json.runs[0]).toMatchObject({ state: 'done', persisted: 100, delivered: 100, dead: 0 })
  expect(after.json.tasks).toHaveLength(100)
  expect((await owmJson<RetryResult>(['outbox', 'retry', '--all'], { cwd: folder })).json.retried).toBe(0)
})

test('all commands show one pace of a run, and no shorter time once its dead tasks were put back', async () => {
  const cwd = await withDead()
  const paceIn = async () => {
    const { json } = await owmJson<RunsResult>(['runs'], { cwd })
    const { durationMs, perSecond } = json.pipelines[0]?.runs[0] ?? {}
    const { stdout } = await owm(['outbox', 'inspect'], { cwd, env: { COLUMNS: '200' } })
    return { durationMs, perSecond, shown: /^\S{8} .*/m.exec(stdout)?.[0] }
  }
  const before = await paceIn()
  expect(before.perSecond).toBeGreaterThan(0)
  expect(before.shown).toMatch(new RegExp(` s +${before.perSecond?.toLocaleString('en-US')} `))
  expect((await owm(['outbox', 'retry', '--all'], { cwd })).code).toBe(0)
  expect((await owm(['flush', '--set', 'sink.repaired=true'], { cwd })).code).toBe(0)
  const { durationMs, perSecond } = await paceIn()
  expect({ durationMs, perSecond }).toEqual({ durationMs: null, perSecond: before.perSecond })
})

test('retry wants exactly one way to name them', async () => {
  const folder = await withDead()
  for (const args of [[], ['--all', '10'], ['--all', '--run', 'x'], ['ten'], ['0']])
    expect((await owm(['outbox', 'retry', ...args], { cwd: folder })).code, args.join(' ')).toBe(2)
})

test('purge removes delivered history, dead tasks only where told to, pending ones never', async () => {
  const folder = await withDead()
  expect(await owm(['produce', '--no-flush', '--slot', '2026-11-23T02:00:00Z'], { cwd: folder })).toMatchObject({
    code: 0,
  })

  const young = await owmJson<PurgeResult>(['outbox', 'purge', '--older-than', '1h', '--dead'], { cwd: folder })
  expect(young.json).toMatchObject({ removed: { delivered: 0, dead: 0 }, outbox: { pending: 100, dead: 10 } })
  const { size } = await stat(join(folder, 'outbox.db'))
  const history = await owmJson<PurgeResult>(['outbox', 'purge'], { cwd: folder })
  expect(history.json.outbox).toMatchObject({ pending: 100, dead: 10 })
  expect(history.json.removed.delivered).toBe(90)
  expect((await stat(join(folder, 'outbox.db'))).size).toBeLessThanOrEqual(size)
  const dead = await owmJson<PurgeResult>(['outbox', 'purge', '--dead'], { cwd: folder })
  expect(dead.json).toMatchObject({ removed: { dead: 10 }, outbox: { pending: 100, dead: 0 } })

  const { json } = await owmJson<InspectResult>(['outbox', 'inspect'], { cwd: folder })
  expect(json.runs.at(-1)).toMatchObject({ persisted: 100, delivered: 90, dead: 0 })
  // The slot is known to be complete although its tasks are gone: it isn't read again.
  const again = await owm(['produce', '--slot', '2026-11-23T01:00:00Z', '--no-flush'], { cwd: folder })
  expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/delivered before/) })
  expect((await owm(['outbox', 'purge', '--older-than', 'soon'], { cwd: folder })).code).toBe(2)
})
