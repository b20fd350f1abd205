/** A sink has lost only what it had: nothing that an operator discarded or that it refused. */
import { copyFile, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { RunsResult } from '../../src/commands/runs/index.js'
import { folderWith, owm, owmJson, root } from '../support/cli.js'
import { openDatabase } from '../support/contents.js'

const count = 50
const slots = ['2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z'] as const
const elsewhere = ['--set', 'sink.file=other.json']

const folder = (): Promise<string> =>
  folderWith({
    source: { use: 'simulated-db', count },
    sink: { use: join(root, 'test', 'plugins', 'chain-sink.mjs'), file: 'chain.json' },
    outbox: { path: './outbox.db' },
  })

async function run(cwd: string, code: number, ...args: string[]): Promise<string> {
  const ended = await owm(args, { cwd })
  expect({ args, code: ended.code, stderr: ended.stderr }).toMatchObject({ args, code })
  return ended.stderr
}

/** A served slot of which the sink refused one task. */
const produceRefused = (cwd: string): Promise<string> =>
  run(cwd, 75, 'produce', '--slot', slots[0], '--set', 'sink.refuses="location_id":7,')

async function runsOf(cwd: string): Promise<object[]> {
  const { json } = await owmJson<RunsResult>(['runs'], { cwd })
  return json.pipelines[0]?.runs.toReversed() ?? []
}

test('a run that was discarded and purged stays discarded', async () => {
  const cwd = await folder()
  await run(cwd, 0, 'produce', '--slot', slots[0])
  await run(cwd, 0, 'produce', '--slot', slots[1], '--no-flush')
  await run(cwd, 0, 'outbox', 'discard', '--pending', '--yes')
  await run(cwd, 0, 'flush')
  await run(cwd, 0, 'outbox', 'purge', '--older-than', '0s', '--yes')
  await rename(join(cwd, 'chain.json'), join(cwd, 'gone.json'))
  const told = await run(cwd, 75, 'flush')
  expect(told).toContain(slots[0])
  expect(told).not.toContain(slots[1])
  expect(await runsOf(cwd)).toMatchObject([
    { slot: slots[0], state: 'lost', lost: count, delivered: 0 },
    { slot: slots[1], state: 'discarded', lost: 0, discarded: count, delivered: 0, isAccounted: true },
  ])
})

test('dead letters of a run that is no longer kept are not lost, however often the sink is', async () => {
  const cwd = await folder()
  await produceRefused(cwd)
  await run(cwd, 0, 'outbox', 'purge', '--older-than', '0s', '--yes')
  for (const name of ['one.json', 'two.json']) {
    await rename(join(cwd, 'chain.json'), join(cwd, name))
    await run(cwd, 75, 'flush')
    expect(await runsOf(cwd)).toMatchObject([{ state: 'lost', lost: count - 1, dead: 1, isAccounted: true }])
  }
})

test('nor are they where another sink had its turn', async () => {
  const cwd = await folder()
  await produceRefused(cwd)
  await run(cwd, 0, 'produce', '--slot', slots[1], ...elsewhere)
  await rename(join(cwd, 'chain.json'), join(cwd, 'gone.json'))
  expect(await run(cwd, 75, 'flush')).toContain(`lost ${count - 1} tasks`)
  expect(await runsOf(cwd)).toMatchObject([
    { slot: slots[0], state: 'lost', lost: count - 1, dead: 1, delivered: 0, isAccounted: true },
    { slot: slots[1], state: 'done', lost: 0 },
  ])
})

/** All runs so far began two days earlier. */
async function twoDaysPass(cwd: string): Promise<void> {
  const database = await openDatabase(join(cwd, 'outbox.db'))
  await database('UPDATE run SET started_at = started_at - 172800000')
  await database.close()
}

const hours = [10, 11, 12, 13].map((hour) => `2026-11-23T${hour}:00:00Z`)
const [, , noon, one] = hours
const purge = ['outbox', 'purge', '--older-than', '0s', '--yes']

test('a sink that is configured again has all that it had, whatever of it the history still keeps', async () => {
  const cwd = await folder()
  await run(cwd, 0, 'produce', '--slot', slots[0])
  await run(cwd, 0, 'produce', '--slot', slots[1], ...elsewhere)
  await run(cwd, 0, ...purge, ...elsewhere)
  await run(cwd, 0, 'produce', '--slot', `${noon}`)
  await run(cwd, 0, 'produce', '--slot', `${one}`, ...elsewhere)
  await run(cwd, 0, ...purge, ...elsewhere)
  await run(cwd, 0, 'flush')
  expect(await runsOf(cwd)).toMatchObject(hours.map((slot) => ({ slot, state: 'done', lost: 0, delivered: count })))
})

test.each(['the end of its turn', 'all'])(
  'of a sink that lost %s meanwhile, only its own runs are lost',
  async (what) => {
    const cwd = await folder()
    const [chain, before] = [join(cwd, 'chain.json'), join(cwd, 'before.json')]
    await run(cwd, 0, 'produce', '--slot', slots[0])
    await copyFile(chain, before)
    await run(cwd, 0, 'produce', '--slot', slots[1])
    for (const slot of [noon, one]) await run(cwd, 0, 'produce', '--slot', `${slot}`, ...elsewhere)
    await run(cwd, 0, ...purge, ...elsewhere)
    await rename(what === 'all' ? chain : before, what === 'all' ? join(cwd, 'gone.json') : chain)
    await run(cwd, 75, 'flush')
    const first = what === 'all' ? { state: 'lost', lost: count } : { state: 'done', lost: 0 }
    const ofOther = { state: 'done', lost: 0 }
    expect(await runsOf(cwd)).toMatchObject([first, { state: 'lost', lost: count }, ofOther, ofOther])
  },
)

test('nor are they where the run is too old to be delivered again', async () => {
  const cwd = await folder()
  await run(cwd, 0, 'produce', '--slot', slots[0])
  await run(cwd, 75, 'produce', '--slot', slots[1], '--set', 'sink.refuses="city":"A')
  const refused = (await runsOf(cwd))[1]
  expect(refused).toMatchObject({ dead: expect.any(Number) })
  await twoDaysPass(cwd)
  await rename(join(cwd, 'chain.json'), join(cwd, 'gone.json'))
  const { dead } = { dead: 0, ...refused }
  const lost = 2 * count - dead
  const told = await run(cwd, 75, 'flush')
  expect(told).toContain(`none of them can be delivered again (lost ${lost}, again 0)`)
  expect(told).toContain(`has lost ${lost} tasks`)
  expect(await runsOf(cwd)).toMatchObject([
    { state: 'lost', lost: count, delivered: 0, isAccounted: true },
    { state: 'lost', lost: count - dead, dead, delivered: 0, isAccounted: true },
  ])
})

test('a dead letter at the end of a turn is no loss when the sink has another turn', async () => {
  const cwd = await folder()
  await run(cwd, 0, 'produce', '--slot', slots[0])
  await run(cwd, 75, 'produce', '--slot', slots[1], '--set', `sink.refuses="location_id":${count},`)
  await run(cwd, 0, 'produce', '--slot', '2026-11-23T12:00:00Z', ...elsewhere)
  await run(cwd, 0, 'produce', '--slot', '2026-11-23T13:00:00Z')
  expect((await runsOf(cwd)).slice(0, 2)).toMatchObject([
    { state: 'done', lost: 0, dead: 0, delivered: count },
    { state: 'done', lost: 0, dead: 1, delivered: count - 1 },
  ])
})

test("what is too old doesn't come again behind a run that was discarded", async () => {
  const cwd = await folder()
  const later = '2026-11-23T12:00:00Z'
  await run(cwd, 0, 'produce', '--slot', slots[0])
  await run(cwd, 0, 'produce', '--slot', slots[1], '--no-flush')
  await run(cwd, 0, 'outbox', 'discard', '--pending', '--yes')
  await run(cwd, 0, 'produce', '--slot', later)
  await twoDaysPass(cwd)
  await rename(join(cwd, 'chain.json'), join(cwd, 'gone.json'))
  expect(await run(cwd, 75, 'flush')).toContain(`has lost ${2 * count} tasks`)
  expect(await runsOf(cwd)).toMatchObject([
    { slot: slots[0], state: 'lost', lost: count },
    { slot: slots[1], state: 'discarded', lost: 0, discarded: count },
    { slot: later, state: 'lost', lost: count },
  ])
})

test('what a sink had of runs that the ledger has deleted is not guessed', async () => {
  const cwd = await folder()
  const keep = ['--set', 'outbox.keepTasks=0', '--set', 'outbox.keepRuns=2']
  await produceRefused(cwd)
  await run(cwd, 0, 'outbox', 'retry', '--all', '--wait')
  for (const hour of [11, 12, 13]) await run(cwd, 0, 'produce', '--slot', `2026-11-23T${hour}:00:00Z`, ...keep)
  await rename(join(cwd, 'chain.json'), join(cwd, 'gone.json'))
  const told = await run(cwd, 75, 'flush')
  expect(told).toContain('those of runs that the ledger has deleted are not counted')
  const lost = (await runsOf(cwd)).reduce((sum, one) => sum + ('lost' in one ? Number(one.lost) : 0), 0)
  expect(told).toContain(`(lost ${lost + count}, again ${count})`)
  expect(told).toContain(`has lost ${lost} tasks`)
})

test.each([1, 2])('a refused task is dead wherever a kill comes, after answer %i too', async (answer) => {
  const cwd = await folder()
  const refuses = ['--set', 'sink.refuses="location_id":7,']
  const died = await owm(['produce', '--slot', slots[0], ...refuses], {
    cwd,
    node: ['--import', join(root, 'test', 'support', 'crash.mjs')],
    env: { OWM_CRASH_AT: `batch:answered:${answer}` },
  })
  expect(died.signal).toBe('SIGKILL')
  await run(cwd, 75, 'produce', '--slot', slots[0], ...refuses)
  const [first] = await runsOf(cwd)
  expect(first).toMatchObject({ state: 'done', delivered: count - 1, dead: 1, isAccounted: true })
  const { tasks } = JSON.parse(await readFile(join(cwd, 'chain.json'), 'utf8'))
  expect(new Set(tasks).size).toBe(count - 1)
  expect(tasks.length).toBe(count - 1)
})
