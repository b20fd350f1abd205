/** `owm outbox discard`: what an operator gives up isn't delivered, and the ledger says so. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { DiscardResult } from '../../src/commands/outbox/discard.js'
import type { InspectResult } from '../../src/commands/outbox/inspect.js'
import { vitalsOf } from '../../src/outbox/inspect/vitals.js'
import { base, list, pendingIn, snapshot, startAndStopAt, tasksIn, untilStopped } from '../cli/scene.js'
import { bin, folderWith, owm, owmJson, type Ran } from '../support/cli.js'

const slotAt = (hour: number): string => `2026-11-23T0${hour}:00:00Z`
const produce = (hour: number, cwd: string, ...args: string[]): Promise<Ran> =>
  owm(['produce', '--slot', slotAt(hour), ...args], { cwd })
const discard = (cwd: string, ...args: string[]): Promise<Ran & { json: DiscardResult }> =>
  owmJson<DiscardResult>(['outbox', 'discard', ...args], { cwd })
const runsIn = async (cwd: string): Promise<InspectResult['runs']> =>
  (await owmJson<InspectResult>(['outbox', 'inspect'], { cwd })).json.runs

/** Three slots of 20 tasks each, none of which is delivered. */
async function withBacklog(): Promise<string> {
  const cwd = await folderWith(base)
  for (const hour of [1, 2, 3]) expect((await produce(hour, cwd, '--no-flush')).code).toBe(0)
  return cwd
}

const cities = async (cwd: string): Promise<number> => (await tasksIn(cwd)).length

describe('owm outbox discard', () => {
  it('gives up one run, between others: they are delivered, it is not', async () => {
    const cwd = await withBacklog()
    const [, second] = await runsIn(cwd)
    const { code, json } = await discard(cwd, '--run', second?.runId.slice(0, 8) ?? '', '--yes')
    const run = { runId: second?.runId, slot: slotAt(2), state: 'read', tasks: 20 }
    expect({ code, json }).toEqual({
      code: 0,
      json: {
        outbox: { path: join(cwd, 'o.db'), pending: 40, dead: 0 },
        discarded: { runs: 1, tasks: 20 },
        runs: [run],
      },
    })
    expect((await owm(['flush'], { cwd })).code).toBe(0)
    expect(await cities(cwd)).toBe(40)
    expect(await runsIn(cwd)).toMatchObject([
      { state: 'done', delivered: 20 },
      { state: 'discarded', delivered: 0, discarded: 20 },
      { state: 'done', delivered: 20 },
    ])
  })

  it('gives up all that is pending; the next slot is served as ever', async () => {
    const cwd = await withBacklog()
    expect(await discard(cwd, '--pending', '--yes')).toMatchObject({
      code: 0,
      json: { discarded: { runs: 3, tasks: 60 } },
    })
    expect(await pendingIn(cwd)).toBe(0)
    // No dead letters are reported: the sink has refused nothing.
    expect(await vitalsOf(join(cwd, 'o.db'), 0)).toMatchObject({ dead: 0, died: 0 })
    expect((await produce(4, cwd)).code).toBe(0)
    expect(await cities(cwd)).toBe(20)
    expect(await discard(cwd, '--pending', '--yes')).toMatchObject({
      code: 0,
      json: { discarded: { runs: 0, tasks: 0 } },
    })
  })

  it('gives up what is older than an age, and nothing younger', async () => {
    const cwd = await withBacklog()
    expect((await discard(cwd, '--older-than', '1h', '--yes')).json.discarded.runs).toBe(0)
    expect((await discard(cwd, '--older-than', '0s', '--yes')).json.discarded.runs).toBe(3)
  })

  it('gives up a run that is half read and half delivered: it is not read on', async () => {
    const cwd = await folderWith({ ...base, source: { use: 'simulated-db', count: 4_000, latencyMs: 500 } })
    const { child, ended } = startAndStopAt('batch:acknowledged', ['produce', '--slot', slotAt(1)], cwd)
    await untilStopped(child.pid)
    child.kill('SIGKILL')
    await ended
    const before = await cities(cwd)
    expect(before).toBeGreaterThan(0)
    expect((await discard(cwd, '--pending', '--yes')).json.runs).toMatchObject([{ state: 'reading' }])
    expect((await produce(2, cwd, '--set', 'source.count=7', '--set', 'source.latencyMs=0')).code).toBe(0)
    // The sink remembers nothing: a batch that it has, but that isn't acknowledged, is given up, too.
    expect(await cities(cwd)).toBe(before + 7)
  })

  it('only says what it would do with --dry-run, and changes nothing', async () => {
    const cwd = await withBacklog()
    const before = await snapshot(cwd)
    const { code, stdout } = await owm(['outbox', 'discard', '--pending', '--dry-run'], { cwd })
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining('3 runs with 60 pending tasks would be discarded'),
    })
    for (const hour of [1, 2, 3]) expect(stdout).toContain(slotAt(hour))
    expect(await snapshot(cwd)).toEqual(before)
  })

  it.each([
    ['no', 'n', 60, 2],
    ['yes', 'y', 0, 0],
  ])('asks on a terminal: %s', async (_, answer, pending, code) => {
    const cwd = await withBacklog()
    const command = `${process.execPath} ${bin} outbox discard --pending; echo code $?`
    const child = promisify(execFile)('script', ['-qec', command, '/dev/null'], { cwd })
    child.child.stdin?.end(`${answer}\n`)
    const { stdout } = await child
    expect(stdout).toContain('Discard 3 runs with 60 pending tasks')
    expect(stdout).toContain(`code ${code}`)
    expect(await pendingIn(cwd)).toBe(pending)
  })

  it('does not ask without a terminal: without --yes it does nothing', async () => {
    const cwd = await withBacklog()
    const { code, stderr } = await owm(['outbox', 'discard', '--pending'], { cwd })
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('--yes') })
    expect(await pendingIn(cwd)).toBe(60)
  })

  it.each([
    ['nothing that it names', []],
    ['two things', ['--pending', '--older-than', '1d']],
    ['a run that is not there', ['--run', 'ffffffff-0000']],
    ['several runs', ['--run', '']],
    ['no age', ['--older-than', 'yesterday']],
  ])('is a usage error with %s', async (_, args) => {
    expect((await owm(['outbox', 'discard', ...args, '--yes'], { cwd: await withBacklog() })).code).toBe(2)
  })

  it.each([
    'discard --yes --run',
    'discard --yes --pending --outbox',
    'discard --yes --pending --config',
    'discard --yes --pending --pipeline',
    'retry --run',
    'replay --slot',
    'purge --older-than',
    'export --run',
    'export --slot',
    'inspect --run',
  ])('%s "", as of a variable that is not set, chooses nothing, also where there is but one run', async (args) => {
    const cwd = await folderWith(base)
    await produce(1, cwd, '--no-flush')
    const { code, stderr } = await owm(['outbox', ...args.split(' '), ''], { cwd })
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining(`owm: ${args.split(' ').at(-1)} is empty.`),
    })
    expect(await pendingIn(cwd)).toBe(20)
  })

  it('makes no outbox', async () => {
    expect((await owm(['outbox', 'discard', '--pending'], { cwd: await folderWith(base) })).code).toBe(74)
  })
})

describe('a slot that was discarded', () => {
  it('is not read again by the next retry, only where somebody says so', async () => {
    const cwd = await withBacklog()
    await discard(cwd, '--pending', '--yes')
    const { code, stderr } = await produce(2, cwd)
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('was discarded') })
    expect((await produce(2, cwd, '--again')).code).toBe(0)
    expect(await cities(cwd)).toBe(20)
    expect((await produce(2, cwd)).stdout).toContain('all there already')
    expect((await produce(2, cwd, '--again')).code).toBe(2)
  })

  it('leaves with the history, and the ledger remembers that it was there', async () => {
    const cwd = await withBacklog()
    await discard(cwd, '--pending', '--yes')
    const keep = ['--set', 'outbox.keepTasks=0', '--set', 'outbox.keepRuns=1']
    for (const hour of [4, 5, 6]) expect((await produce(hour, cwd, ...keep)).code).toBe(0)
    expect((await runsIn(cwd)).map(({ state }) => state)).not.toContain('discarded')
    expect((await produce(3, cwd, ...keep)).code).toBe(2)
  })

  it('keeps its dead letters, which can still be put back', async () => {
    const cwd = await folderWith({
      ...base,
      sink: { use: './sink.mjs' },
      source: list({ city: 'A', latitude: 1, longitude: 1 }),
    })
    await writeFile(
      join(cwd, 'sink.mjs'),
      `import { defineSink, z } from 'owm-producer'
      export default defineSink({
        name: 'mine', description: 'mine', options: z.object({ good: z.boolean().default(false) }),
        open: ({ good }) => ({ guarantee: 'at-least-once',
          deliver: async ({ count }) => Array.from({ length: count }, () => good ? 'delivered' : { refused: 'no' }) }),
      })\n`,
    )
    expect((await produce(1, cwd)).code).toBe(75)
    await produce(2, cwd, '--no-flush')
    await discard(cwd, '--pending', '--yes')
    expect((await owm(['outbox', 'retry', '--all'], { cwd })).code).toBe(0)
    expect((await owm(['flush', '--set', 'sink.good=true'], { cwd })).stdout).toContain('1 task delivered')
  })
})
