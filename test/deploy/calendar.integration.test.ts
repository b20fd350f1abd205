/** `owm init --print systemd`: its timers elapse at the schedule's times, as systemd reads them. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import type { PrintResult } from '../../src/commands/init.js'
import { folderWith, owmJson } from '../support/cli.js'

const run = promisify(execFile)

const base = {
  source: { use: 'simulated-db', count: 20 },
  sink: { use: 'jsonl', path: './tasks.jsonl' },
  outbox: { path: './o.db' },
}

/** The first times of a calendar expression behind a time. */
const calendar = async (expression: string, from: string): Promise<string[]> => {
  const args = ['calendar', '--iterations=12', `--base-time=${from}`, expression]
  const { stdout } = await run('systemd-analyze', args, { env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' } })
  return [...stdout.matchAll(/(?:Next elapse|\(in UTC\)|Iter\. #\d+): \w+ (\S+) (\S+) UTC/g)].map(
    ([, day, time]) => `${day}T${time}Z`,
  )
}

async function timerOf(schedule: object): Promise<string> {
  const cwd = await folderWith({ ...base, schedule })
  const { json } = await owmJson<PrintResult>(['init', '--print', 'systemd'], { cwd })
  return json.files.find(({ name }) => name.endsWith('.timer'))?.text ?? ''
}

it.each([
  ['0 * * * *', 'UTC'],
  ['*/10 6-9 * * MON-FRI', 'Europe/Berlin'],
  ['30 5 1,15 * *', 'America/St_Johns'],
  ['0 0 13 * 5', 'Asia/Kolkata'], // on the 13th, and on Fridays
  ['5 4 * * 5-7', 'UTC'],
  ['15 12 29 2 *', 'UTC'],
  ['@weekly', 'Australia/Sydney'],
])('has the times of "%s" in %s', async (cron, timezone) => {
  const { timetable } = await import('../../src/schedule/timetable.js')
  const from = '2026-11-23 10:00:30'
  const expected: string[] = []
  for (let time = Date.parse(`${from.replace(' ', 'T')}Z`); expected.length < 12; ) {
    time = timetable({ cron, timezone }).after(time) ?? Number.NaN
    expected.push(new Date(time).toISOString().replace('.000', ''))
  }
  const text = await timerOf({ cron, timezone })
  const expressions = [...text.matchAll(/^OnCalendar=(.*)$/gm)].map(([, expression = '']) => expression)
  const times = (await Promise.all(expressions.map((expression) => calendar(expression, `${from} UTC`)))).flat()
  const told = [...new Set(times)].sort().slice(0, 12)
  const due = expected.filter((time) => time <= (told.at(-1) ?? ''))
  expect(told).toEqual(expect.arrayContaining(due))
  // The others come an hour behind: see startHours.
  const hourBefore = (time: string): string => new Date(Date.parse(time) - 3_600_000).toISOString().replace('.000', '')
  for (const time of told)
    expect(
      [time, hourBefore(time)].some((one) => expected.includes(one)),
      time,
    ).toBe(true)
  if (timezone === 'UTC') expect(told).toEqual(expected)
})

it('starts owm each hour for what systemd can not say', async () => {
  const text = await timerOf({ cron: '20 5 L * *', timezone: 'Europe/Berlin' })
  expect(text).toContain('\nOnCalendar=*-*-* *:20:00 Europe/Berlin\n')
  // 02:30 isn't there on 2027-03-28, and owm's slot of that night is 03:00.
  const night = await timerOf({ cron: '30 2 * * *', timezone: 'Europe/Berlin' })
  expect(night).toContain('\nOnCalendar=*-*-* 2,3:30:00 Europe/Berlin\n')
})
