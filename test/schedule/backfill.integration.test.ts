/** `owm backfill`: scheduled times of the past that no start served. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { BackfillResult } from '../../src/commands/backfill.js'
import type { InspectResult } from '../../src/commands/outbox/inspect.js'
import type { RunsResult } from '../../src/commands/runs/index.js'
import type { ScheduleResult } from '../../src/commands/schedule/index.js'
import type { WhyResult } from '../../src/commands/why.js'
import { owm, owmJson, type Ran, root, startOwm } from '../support/cli.js'
import { untilSaid, untilStopped } from '../support/faults.js'
import { redisScene, stream } from '../support/redis-scene.js'
import { at, countIn, folderOf, produce } from '../support/scheduled.js'

const hour = (number: number): string => `2026-11-23T${String(number).padStart(2, '0')}:00:00Z`
const range = (from: number, to: number): string[] => ['--from', hour(from), '--to', hour(to)]

const backfill = (cwd: string, now: string, ...args: string[]): Promise<Ran & { json: BackfillResult }> =>
  owmJson<BackfillResult>(['backfill', ...args], at(cwd, now))

/** 05:00 and 10:00 are served; 06:00 and 07:00 are missed, and 10:00 covers 08:00 and 09:00. */
async function folderWithOutage(): Promise<string> {
  const cwd = await folderOf({ maxAge: '3h' })
  expect((await produce(cwd, '2026-11-23T05:00:10Z')).code).toBe(0)
  expect((await produce(cwd, '2026-11-23T10:00:10Z')).code).toBe(0)
  return cwd
}

test('serves what was missed and covered, and nothing twice', async () => {
  const cwd = await folderWithOutage()
  const dry = await backfill(cwd, '2026-11-23T10:30:00Z', ...range(5, 10), '--dry-run')
  expect(dry, dry.stderr).toMatchObject({
    code: 0,
    json: { slots: [6, 7, 8, 9].map(hour), alreadyServed: 2, served: [] },
  })
  expect(await countIn(cwd)).toBe(6)
  const ran = await backfill(cwd, '2026-11-23T10:30:00Z', ...range(5, 10))
  expect(ran, ran.stderr).toMatchObject({ code: 0, json: { slots: [6, 7, 8, 9].map(hour), sink: { delivered: 12 } } })
  expect(ran.json.served.map(({ slot, state }) => [slot, state])).toEqual(
    [6, 7, 8, 9].map((each) => [hour(each), 'done']),
  )
  expect(await countIn(cwd)).toBe(18)
  const again = await owm(['backfill', ...range(5, 10)], at(cwd, '2026-11-23T10:31:00Z'))
  expect(again).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^no scheduled time to serve, 6 served already/),
  })
  // Later starts aren't affected.
  expect((await produce(cwd, '2026-11-23T11:00:10Z')).json).toMatchObject({ slot: hour(11), sink: { delivered: 3 } })
  const { json } = await owmJson<ScheduleResult>(['schedule'], at(cwd, '2026-11-23T11:10:00Z'))
  expect(json.missed).toMatchObject([{ from: hour(6), to: hour(7), count: 2, served: 2 }])
})

test('what another one serves while it waits counts as served, not as to be served', async () => {
  const cwd = await folderWithOutage()
  const now = at(cwd, '2026-11-23T10:30:00Z')
  const stopped = { OWM_CRASH_AT: 'run:started', OWM_CRASH_SIGNAL: 'SIGSTOP' }
  const crash = ['--import', join(root, 'test', 'support', 'crash.mjs')]
  const first = startOwm(['backfill', ...range(5, 9)], {
    ...now,
    node: [...(now.node ?? []), ...crash],
    env: { ...now.env, ...stopped },
  })
  await untilStopped(first)
  const second = startOwm(['backfill', ...range(5, 10), '--wait'], now)
  await untilSaid(second, 'Waiting for the outbox')
  first.child.kill('SIGCONT')
  expect((await first.ended).stdout).toMatch(/^4 slots to serve, 1 served already/)
  const { stdout, stderr } = await second.ended
  expect(stdout, stderr).toMatch(/^no scheduled time to serve, 6 served already/)
  expect(await countIn(cwd)).toBe(18)
})

test('what it has served is no longer missed: not for doctor, nor for runs, nor in the report', async () => {
  const cwd = await folderWithOutage()
  const now = at(cwd, '2026-11-23T10:30:00Z')
  const told = async (): Promise<(string | undefined)[]> => {
    const [doctor, runs, report] = await Promise.all([
      owm(['doctor'], now),
      owm(['runs'], now),
      owm(['report', '--no-source', '--out', '-'], now),
    ])
    const gaps = /"gaps":\[[^\]]*\]/.exec(report.stdout)?.[0]
    return [/.* schedule-missed: .*/.exec(doctor.stdout)?.[0], /missed: .*/.exec(runs.stdout)?.[0], gaps]
  }
  const since = ', 1 of them served since'
  expect((await backfill(cwd, '2026-11-23T10:30:00Z', ...range(7, 7))).code).toBe(0)
  expect(await told()).toEqual([
    `note    schedule-missed: 2 scheduled times, ${hour(6)} to ${hour(7)} (maxAge)${since}`,
    `missed: 2 times, from ${hour(6)} (maxAge)${since}`,
    `"gaps":[{"from":"${hour(6)}","to":"${hour(7)}","count":1,"reason":"maxAge"}]`,
  ])
  expect((await backfill(cwd, '2026-11-23T10:30:00Z', ...range(6, 6))).code).toBe(0)
  expect(await told()).toEqual([
    expect.stringMatching(/^fine {4}schedule-missed: no scheduled time/),
    undefined,
    '"gaps":[]',
  ])
})

test('the slots that it has served are listed after the newer ones, wherever a limit cuts the list', async () => {
  const cwd = await folderWithOutage()
  expect((await backfill(cwd, '2026-11-23T10:30:00Z', ...range(1, 4))).code).toBe(0)
  const now = at(cwd, '2026-11-23T10:30:00Z')
  const runs = await owmJson<RunsResult>(['runs', '--limit', '3'], now)
  expect(runs.json.pipelines[0]?.runs.map(({ slot }) => slot)).toEqual([10, 5, 4].map(hour))
  const missed = `${hour(7)}  missed: 2 times, from ${hour(6)} (maxAge)`
  const told = [hour(10), missed, hour(5), hour(4)].map((text) => expect.stringContaining(text))
  const rows = (stdout: string): string[] => stdout.split('\n').filter((line) => line.startsWith('2026-'))
  expect(rows((await owm(['runs', '--limit', '3'], now)).stdout)).toEqual(told)
  const inspected = await owmJson<InspectResult>(['outbox', 'inspect', '--limit', '2'], now)
  expect(inspected.json.runs.map(({ slot }) => slot)).toEqual([10, 5].map(hour))
  const city = JSON.parse((await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).split('\n')[0] ?? '').city
  const why = await owmJson<WhyResult>(['why', city, '--limit', '3'], now)
  expect(why.json.runs.map(({ slot }) => slot)).toEqual([10, 5, 4].map(hour))
})

test('takes the newest first if asked to', async () => {
  const cwd = await folderWithOutage()
  const ran = await backfill(cwd, '2026-11-23T10:30:00Z', ...range(6, 9), '--order', 'newest')
  expect(ran.code).toBe(0)
  const { json } = await owmJson<InspectResult>(['outbox', 'inspect', '--state', 'delivered'], { cwd })
  const slotOf = (runId: string): string | undefined => json.runs.find((run) => run.runId === runId)?.slot
  const inOrder = json.tasks.toSorted((a, b) => (a.seq ?? 0) - (b.seq ?? 0)).map(({ runId }) => slotOf(runId))
  expect([...new Set(inOrder)]).toEqual([5, 10, 9, 8, 7, 6].map(hour))
})

test('times that are due and that no start has served yet are a part of it', async () => {
  const cwd = await folderOf()
  expect((await produce(cwd, '2026-11-23T05:00:10Z')).code).toBe(0)
  const ran = await backfill(cwd, '2026-11-23T10:30:00Z', ...range(6, 10))
  expect(ran, ran.stderr).toMatchObject({
    code: 0,
    json: { slots: [6, 7, 8, 9, 10].map(hour), sink: { delivered: 15 } },
  })
  expect((await produce(cwd, '2026-11-23T10:40:00Z')).json).toMatchObject({ slot: hour(10), sink: { delivered: 0 } })
  expect(await countIn(cwd)).toBe(18)
})

test('one that a source ended continues with the next start, after what is due', async () => {
  const cwd = await folderWithOutage()
  const fails = ['--set', 'source.failureRate=1', '--set', 'retry.attempts=1']
  const failed = await backfill(cwd, '2026-11-23T10:30:00Z', ...range(6, 9), ...fails)
  expect(failed.code).toBe(75)
  const next = await produce(cwd, '2026-11-23T11:00:10Z')
  expect(next, next.stderr).toMatchObject({ code: 0, json: { slot: hour(11), sink: { delivered: 15 } } })
  expect(await countIn(cwd)).toBe(21)
})

test('what only the sink knows of is not served again', async () => {
  const scene = await redisScene({ count: 10, settings: { schedule: { cron: '0 * * * *' } } })
  for (const now of ['08', '09', '10']) expect((await produce(scene.folder, `2026-11-23T${now}:00:10Z`)).code).toBe(0)
  const other = ['--outbox', './other.db']
  const ran = await backfill(scene.folder, '2026-11-23T10:30:00Z', ...range(6, 10), ...other)
  expect(ran, ran.stderr).toMatchObject({ code: 0, json: { slots: [6, 7].map(hour), alreadyServed: 3 } })
  expect(await scene.admin.xlen(stream)).toBe(50)
})

test.each([
  [['--from', 'noon', '--to', hour(9)], 2, /--from noon is not a time/],
  [range(9, 6), 2, /is later than/],
  [range(9, 23), 2, /later than the next scheduled time/],
])('%j is %i', async (args, code, message) => {
  const cwd = await folderOf()
  expect(await owm(['backfill', ...args], at(cwd, '2026-11-23T10:30:00Z'))).toMatchObject({
    code,
    stderr: expect.stringMatching(message),
  })
})

test('without a schedule there is nothing to go by', async () => {
  const cwd = await folderOf({}, { schedule: undefined })
  expect(await owm(['backfill', ...range(6, 9)], { cwd })).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/No schedule is configured/),
  })
})

/** A sink that notes which receipts it is asked for. */
const counting = `
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { defineSink, z } from 'owm'
const kept = () => (existsSync('receipts') ? readFileSync('receipts', 'utf8').trim().split('\\n') : [])
export default defineSink({ name: 'counting', description: 'd', options: z.strictObject({}), open: () => ({
  guarantee: 'at-least-once',
  deliver: async ({ tasks }) => tasks.map(() => 'delivered'),
  receipt: async (_, receipt) => appendFileSync('receipts', JSON.stringify(receipt) + '\\n'),
  receipts: async (_, slot) => {
    appendFileSync('asked', (slot ?? 'newest') + '\\n')
    const all = kept().map((line) => JSON.parse(line)).reverse()
    return all.filter((receipt) => slot === undefined || receipt.slot === slot)
  },
}) })`

test('asks the sink once for the receipts of its slots, however many they are', async () => {
  const cwd = await folderOf({ maxAge: '3h' }, { sink: { use: './counting.mjs' } })
  await writeFile(join(cwd, 'counting.mjs'), counting)
  for (const number of [5, 20]) expect((await produce(cwd, hour(number).replace('00Z', '10Z'))).code).toBe(0)
  await rm(join(cwd, 'asked'))
  const slots = Array.from({ length: 14 }, (_, index) => hour(6 + index))
  const ran = await backfill(cwd, '2026-11-23T20:30:00Z', ...range(6, 19))
  expect(ran, ran.stderr).toMatchObject({ code: 0, json: { slots, sink: { delivered: 14 * 3 } } })
  // Asked by the command itself, and by the start: for the first slot, then for all.
  expect((await readFile(join(cwd, 'asked'), 'utf8')).split('\n').filter(Boolean)).toEqual([
    'newest',
    hour(6),
    'newest',
  ])
})
