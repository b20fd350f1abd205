/** Scheduled times without a run: verify, runs, why and doctor say which they are, and what serves them. */
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { RunsResult } from '../../src/commands/runs/index.js'
import type { VerifyResult } from '../../src/commands/verify.js'
import type { WhyResult } from '../../src/commands/why.js'
import { owm, owmJson } from '../support/cli.js'
import { at, folderOf, produce } from '../support/scheduled.js'

const hour = (number: number): string => `2026-11-23T${String(number).padStart(2, '0')}:00:00Z`
const verify = (cwd: string, now: string, ...args: string[]) =>
  owmJson<VerifyResult & { error?: { message: string; hint: string } }>(['verify', ...args], at(cwd, now))

test('a time that no start has come for is a difference; one due just now, covered or missed is named', async () => {
  const cwd = await folderOf({ maxAge: '3h' })
  for (const now of ['2026-11-23T05:00:10Z', '2026-11-23T10:00:10Z']) expect((await produce(cwd, now)).code).toBe(0)
  const after = await verify(cwd, '2026-11-23T11:05:00Z')
  expect(after, after.stderr).toMatchObject({
    code: 0,
    json: {
      different: 0,
      withoutRun: {
        covered: { count: 2, oldest: hour(8), newest: hour(9) },
        due: { count: 1, newest: hour(11), late: 0 },
        missed: { count: 2, oldest: hour(6), newest: hour(7) },
      },
    },
  })
  // By itself each is what it is called there.
  const covered = await verify(cwd, '2026-11-23T11:05:00Z', '--slot', hour(9), '--source')
  expect(covered, covered.stderr).toMatchObject({
    code: 0,
    json: { standIn: { slot: hour(9), by: hour(10) }, slots: [{ slot: hour(10), state: 'same' }] },
  })
  const standsIn = await owm(['runs', 'show', hour(9)], at(cwd, '2026-11-23T11:05:00Z'))
  expect(standsIn.stderr).toContain(`the run of ${hour(10)} stands in for it`)
  // What is no scheduled time nobody owes, so that nothing stands in for it.
  const [byHand, unscheduled] = ['2026-11-23T09:30:00Z', ['--set', 'schedule=null']]
  for (const args of [[byHand], [hour(9), ...unscheduled]]) {
    const none = await owm(['runs', 'show', ...args], at(cwd, '2026-11-23T11:05:00Z'))
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining(`No run serves the slot ${args[0]}`) })
    expect((await verify(cwd, '2026-11-23T11:05:00Z', '--slot', ...args)).json).not.toHaveProperty('standIn')
  }
  const missed = await verify(cwd, '2026-11-23T11:05:00Z', '--slot', hour(7))
  expect(missed).toMatchObject({ code: 75, json: { slots: [{ differences: [{ kind: 'no run' }] }] } })
  const shown = await owm(['runs', 'show', hour(7)], at(cwd, '2026-11-23T11:05:00Z'))
  expect(shown.stderr).toContain(`\`owm produce --slot ${hour(7)}\` serves this one`)
  expect(shown.stderr).toContain(`it was missed, one of 2 scheduled times, ${hour(6)} to ${hour(7)} (max`)

  const why = await owm(['why', hour(7)], at(cwd, '2026-11-23T11:05:00Z'))
  expect(why.stdout).toContain(`owm runs show ${hour(7)}`)

  const backfill = ['backfill', '--from', hour(6), '--to', hour(7)]
  expect((await owm(['verify'], at(cwd, '2026-11-23T11:05:00Z'))).stdout).toContain(`owm ${backfill.join(' ')}`)
  expect((await owm(backfill, at(cwd, '2026-11-23T11:06:00Z'))).code).toBe(0)
  expect(await verify(cwd, '2026-11-23T11:10:00Z')).toMatchObject({
    code: 0,
    json: { withoutRun: { due: { count: 1 } } },
  })

  const late = await owm(['verify'], at(cwd, '2026-11-23T11:55:00Z'))
  expect(late).toMatchObject({ code: 75, stdout: expect.stringContaining(`1 due (${hour(11)}): \`owm produce\``) })
  expect((await produce(cwd, '2026-11-23T11:56:00Z')).code).toBe(0)
  const whole = await owm(['verify'], at(cwd, '2026-11-23T11:57:00Z'))
  expect(whole.code).toBe(0)
  expect(whole.stdout).toMatch(/\n5 slots compared, none differs; a later run stands in for 2 scheduled times\n$/)
})

test('a run that was given up stands in for nothing until its slot is read again: its times are missed', async () => {
  const cwd = await folderOf()
  await produce(cwd, '2026-11-23T05:00:10Z')
  await produce(cwd, '2026-11-23T07:00:10Z', '--no-flush')
  const now = '2026-11-23T08:05:00Z'
  const covers = async (): Promise<number[]> =>
    (await owmJson<RunsResult>(['runs'], at(cwd, now))).json.pipelines.flatMap(({ runs }) =>
      runs.map((run) => run.covers),
    )
  expect(await covers()).toEqual([1, 0])
  expect((await owm(['outbox', 'discard', '--pending', '--yes'], at(cwd, '2026-11-23T07:01:00Z'))).code).toBe(0)
  await produce(cwd, '2026-11-23T08:00:10Z')
  const given = await verify(cwd, now)
  expect(given, given.stderr).toMatchObject({
    json: { withoutRun: { covered: { count: 0 }, missed: { count: 1, newest: hour(6) } } },
  })
  expect(await covers()).toEqual([0, 0, 0])
  expect((await owm(['schedule'], at(cwd, now))).stdout).not.toContain('time before it')
  const shown = await owm(['runs', 'show', hour(6)], at(cwd, now))
  expect(shown.stderr).not.toContain('stands in')
  expect((await produce(cwd, now, '--slot', hour(7), '--again')).code).toBe(0)
  expect(await verify(cwd, now)).toMatchObject({
    json: { withoutRun: { covered: { count: 1 }, missed: { count: 0 } } },
  })
  expect(await covers()).toEqual([0, 1, 0, 0])
})

test('a run that was given up before it read had no list: --again warns of none, and why says so', async () => {
  const cwd = await folderOf({}, { source: { use: 'static-list', file: './list.csv' } })
  const list = join(cwd, 'list.csv')
  await writeFile(list, 'city,lat,lon\nPune,18.5,73.9\n')
  expect((await produce(cwd, '2026-11-23T05:00:10Z')).code).toBe(0)
  await rename(list, `${list}.gone`)
  expect((await produce(cwd, '2026-11-23T06:00:10Z')).code).toBe(78)
  expect((await owm(['outbox', 'discard', '--pending', '--yes'], at(cwd, '2026-11-23T06:01:00Z'))).code).toBe(0)
  await rename(`${list}.gone`, list)
  const why = await owmJson<WhyResult>(['why', 'Pune'], at(cwd, '2026-11-23T06:02:00Z'))
  expect(why.json.runs[0]).toMatchObject({ slot: hour(6), what: 'never read' })
  const again = await produce(cwd, '2026-11-23T06:03:00Z', '--slot', hour(6), '--again')
  expect(again, again.stderr).toMatchObject({ code: 0, stderr: expect.not.stringContaining('another list') })
})

test('what a clock that was ahead has covered does not hide that no start comes any more', async () => {
  const cwd = await folderOf()
  for (const now of ['2026-11-23T02:10:00Z', '2026-12-20T12:00:00Z', '2026-11-23T04:10:00Z'])
    expect((await produce(cwd, now)).code).toBe(0)
  const started = async (now: string) =>
    /\w+ +(?=schedule-started)/.exec((await owm(['doctor'], at(cwd, now))).stdout)?.[0].trim()
  expect((await verify(cwd, '2026-11-23T04:20:00Z')).code).toBe(0)
  expect(await started('2026-11-23T04:20:00Z')).toBe('fine')
  const { code, json } = await verify(cwd, '2026-11-23T08:10:00Z')
  const due = { count: 1, late: 1, newest: '2026-11-23T08:00:00Z' }
  expect({ code, json }).toMatchObject({ code: 75, json: { withoutRun: { due, missed: { count: 4 } } } })
  expect(await started('2026-11-23T08:10:00Z')).toBe('wrong')
  // A start serves that one by itself.
  expect((await produce(cwd, '2026-11-23T08:12:00Z')).json).toMatchObject({ slot: due.newest, sink: { delivered: 3 } })
  expect((await verify(cwd, '2026-11-23T08:15:00Z')).code).toBe(0)
})

test('times behind a list that was too short from the first start on', async () => {
  const cwd = await folderOf({ maxAge: '6h' })
  const args = ['--set', 'source.minLocations=1000']
  expect((await produce(cwd, '2026-11-23T05:00:10Z', ...args)).code).toBe(65)
  const late = await verify(cwd, '2026-11-23T09:30:00Z', ...args)
  expect(late, late.stderr).toMatchObject({
    code: 75,
    json: {
      slots: [],
      withoutRun: { due: { count: 4, oldest: hour(6), late: 4 }, missed: { count: 1, newest: hour(5) } },
    },
  })
  const words = await owm(['verify', ...args], at(cwd, '2026-11-23T09:30:00Z'))
  expect(words.stdout).toContain('has stored a slot; 5 scheduled times without a run: 4 due')
})
