/** `owm schedule run`: a start at each scheduled time, in one process. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { owm, type Running, startOwm } from '../support/cli.js'
import { at, folderOf, settings } from '../support/scheduled.js'

/** Until it waits for a scheduled time, for the `times`th time. */
const waiting = ({ child }: Running, times = 1): Promise<void> =>
  new Promise((resolve, reject) => {
    let said = ''
    child.stderr?.on('data', (text: string) => {
      said += text
      if (said.split('The next start is at').length > times) resolve()
    })
    child.on('exit', () => reject(new Error(`it ended: ${said}`)))
  })

test('serves what is due, then each time when it comes, and ends at a signal with 0', async () => {
  const cwd = await folderOf()
  const running = startOwm(['schedule', 'run'], at(cwd, '2026-11-23T10:59:56Z'))
  await waiting(running)
  // 11:00 was served early; the next one is an hour away.
  running.child.kill('SIGTERM')
  const ended = await running.ended
  expect(ended, ended.stderr).toMatchObject({ code: 0, signal: null })
  expect(ended.stdout).toMatch(/^slot 2026-11-23T11:00:00Z: 3 locations read/)
  expect(ended.stderr).toMatch(/The next start is at 2026-11-23T12:00:00Z/)
})

test('waits for the times of its expression', async () => {
  // Every minute: at 10:00:50 the next time is more than a tenth of the gap away.
  const cwd = await folderOf({ cron: '* * * * *' })
  const running = startOwm(['schedule', 'run'], at(cwd, '2026-11-23T10:00:50Z'))
  await waiting(running, 2)
  running.child.kill('SIGTERM')
  const ended = await running.ended
  expect(ended, ended.stderr).toMatchObject({ code: 0 })
  expect(ended.stdout).toMatch(/^slot 2026-11-23T10:00:00Z: .*\nslot 2026-11-23T10:01:00Z: /)
})

test('what the second start logs bears nothing of the first one', async () => {
  const cwd = await folderOf({ cron: '* * * * *' })
  const broken = settings({ cron: '* * * * *' }, { outbox: { path: './tasks.jsonl/outbox.db' } })
  const log = ['--log-level', 'info', '--log-format', 'json']
  const running = startOwm(['schedule', 'run', ...log], at(cwd, '2026-11-23T10:00:50Z'))
  await waiting(running)
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(broken))
  const { code, stderr } = await running.ended
  expect(code, stderr).toBe(74)
  const lines = stderr.trimEnd().split('\n')
  expect(lines.map((line): unknown => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ level: 30, event: 'start-next', at: '2026-11-23T10:01:00Z' }),
  )
  const ends = stderr.split('\n').filter((line) => line.includes('start-ended'))
  expect(ends.map((line): object => JSON.parse(line))).toEqual([
    expect.objectContaining({ exitCode: 0, slot: '2026-11-23T10:00:00Z' }),
    expect.not.objectContaining({ runId: expect.any(String) }),
  ])
})

test('what may pass is tried again; what does not ends it', async () => {
  const cwd = await folderOf({}, { source: { use: 'static-list', file: './list.csv', minLocations: 1 } })
  await writeFile(join(cwd, 'list.csv'), 'city,latitude,longitude\n')
  const running = startOwm(['schedule', 'run'], at(cwd, '2026-11-23T10:20:00Z'))
  await waiting(running)
  running.child.kill('SIGTERM')
  expect(await running.ended).toMatchObject({ code: 65, stderr: expect.stringMatching(/owm: .*location/) })

  const wrong = await folderOf({}, { sink: { use: 'no-such-sink' } })
  expect(await owm(['schedule', 'run'], at(wrong, '2026-11-23T10:20:00Z'))).toMatchObject({ code: 78 })
})

test('a slot in the environment is not meant for it', async () => {
  const cwd = await folderOf()
  const { node, env } = at(cwd, '2026-11-23T10:20:00Z')
  const running = startOwm(['schedule', 'run'], { cwd, node, env: { ...env, OWM_SLOT: '2026-11-23T07:00:00Z' } })
  await waiting(running)
  running.child.kill('SIGTERM')
  expect((await running.ended).stdout).toMatch(/^slot 2026-11-23T10:00:00Z/)
})
