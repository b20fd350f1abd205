/** `owm` alone: the help, and what to do next in this folder. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { owm, owmJson, temporaryFolder } from '../support/cli.js'
import { at, folderOf, produce, settings } from '../support/scheduled.js'
import { startAndStopAt, untilStopped } from './scene.js'

const ten = '2026-11-23T10:00:05Z'

/** The lines behind the help, from the word NEXT on. */
async function nextIn(cwd: string, now = ten): Promise<string[]> {
  const { code, stdout, stderr } = await owm([], at(cwd, now))
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^The first stage of a weather ETL pipeline[\s\S]*COMMANDS/)
  return stdout
    .slice(stdout.indexOf('\nNEXT\n') + 1)
    .trimEnd()
    .split('\n')
    .slice(1)
}

it('nothing is configured, or that is wrong', async () => {
  const cwd = await temporaryFolder()
  await writeFile(join(cwd, 'package.json'), '{}')
  expect(await nextIn(cwd)).toEqual(['  owm init  there is no configuration in this folder'])
  await writeFile(join(cwd, '.owmrc.json'), '{"sink": 5}')
  expect(await nextIn(cwd)).toEqual([expect.stringMatching(/^ {2}owm config check {2}.*sink/)])
})

it('nothing has run, all is delivered, a time is due, tasks wait', async () => {
  const cwd = await folderOf()
  const begin = [/produce --dry-run .*nothing has run yet/, /owm produce {2,}does it/, /init --print crontab/]
  expect(await nextIn(cwd)).toEqual(begin.map((line) => expect.stringMatching(line)))
  await produce(cwd, ten)
  expect(await nextIn(cwd)).toEqual([
    '  owm runs  nothing is to be done (`owm doctor` asks the sink, too)' +
      '; the next scheduled time is 2026-11-23T11:00:00Z',
  ])
  const eleven = '2026-11-23T11:00:05Z'
  expect(await nextIn(cwd, eleven)).toEqual([expect.stringMatching(/owm produce {2}2026-11-23T11:00:00Z is due/)])
  // Whatever was read last: what is due is told as `owm schedule` tells it.
  await produce(cwd, eleven)
  const before = ['--from', '2026-11-22T10:00:00Z', '--to', '2026-11-22T12:00:00Z']
  expect(await owmJson(['backfill', ...before], at(cwd, eleven))).toMatchObject({
    code: 0,
    json: { sink: { delivered: 9 } },
  })
  await produce(cwd, eleven, '--slot', '2026-11-22T06:00:00Z')
  expect(await nextIn(cwd, eleven)).toEqual([expect.stringMatching(/nothing is to be done.* 2026-11-23T12:00:00Z$/)])
  const noon = '2026-11-23T12:00:05Z'
  expect(await nextIn(cwd, noon)).toEqual([expect.stringMatching(/owm produce {2}2026-11-23T12:00:00Z is due/)])
  await produce(cwd, noon, '--no-flush')
  expect(await nextIn(cwd, noon)).toEqual(['  owm flush  delivers 3 pending tasks'])
})

it('a list that is too short: its slot is not served', async () => {
  const cwd = await folderOf({}, { source: { use: 'simulated-db', count: 3, minLocations: 5 } })
  expect((await produce(cwd, ten)).code).toBe(65)
  const told = /^ {2}owm doctor {2}the run of 2026-11-23T10:00:00Z stored nothing: .*3 locations/
  expect(await nextIn(cwd)).toEqual([expect.stringMatching(told)])
  // It passes with the next run that stores something.
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(settings({})))
  expect((await produce(cwd, ten)).code).toBe(0)
  expect(await nextIn(cwd)).toEqual([expect.stringMatching(/nothing is to be done/)])
})

it('an owm that is at work: any start would wait for it', async () => {
  const cwd = await folderOf()
  await produce(cwd, ten)
  const running = startAndStopAt('outbox:locked', ['produce', '--slot', '2026-11-23T11:00:00Z'], cwd)
  await untilStopped(running.child.pid)
  const eleven = '2026-11-23T11:00:05Z'
  const told = expect.stringMatching(/^ {2}owm doctor {2}whether the owm that is at work takes too long: /)
  expect(await nextIn(cwd, eleven)).toEqual([told])
  running.child.kill('SIGCONT')
  expect((await running.ended).code).toBe(0)
  expect(await nextIn(cwd, eleven)).toEqual([expect.stringMatching(/nothing is to be done/)])
})

it('a time that a wrong clock was far behind is due, as for produce', async () => {
  const cwd = await folderOf()
  await produce(cwd, ten)
  await produce(cwd, '2026-11-23T16:00:05Z')
  const noon = '2026-11-23T12:00:05Z'
  expect(await nextIn(cwd, noon)).toEqual([expect.stringMatching(/owm produce {2}2026-11-23T12:00:00Z is due/)])
  const { stderr } = await produce(cwd, noon)
  expect(stderr).toContain('2026-11-23T12:00:00Z is served by itself')
  expect(await nextIn(cwd, noon)).toEqual([expect.stringMatching(/nothing is to be done/)])
  // The coming slot may have been named by hand: it covers what lies before it, whatever comes behind it.
  await produce(cwd, '2026-11-23T18:00:05Z')
  const three = '2026-11-23T15:00:05Z'
  expect(await nextIn(cwd, three)).toEqual([expect.stringMatching(/nothing is to be done/)])
  expect(await produce(cwd, three)).toMatchObject({ json: { slot: '2026-11-23T16:00:00Z', sink: { delivered: 0 } } })
})

it('a sink that is standard output: the summary stays there', async () => {
  const cwd = await folderOf({}, { sink: { use: 'jsonl', path: '-' } })
  await owm(['produce'], at(cwd, ten))
  expect(await nextIn(cwd)).toEqual([expect.stringMatching(/nothing is to be done/)])
  expect(await owmJson(['next'], at(cwd, ten))).toMatchObject({ code: 0 })
})
