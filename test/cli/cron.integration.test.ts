/** The crontab line of the README, as cron would run it. (`owm init --print crontab`: test/deploy.) */
import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { bin, owm, owmJson, root, temporaryFolder } from '../support/cli.js'
import { tasksIn } from './scene.js'

const run = promisify(execFile)

/** The line of a crontab, with its PATH, out of a text. */
function crontabIn(text: string): { path: string; command: string } {
  const [, path = '', command = ''] = /^PATH=(.*)\n0 \* \* \* \* +(.*)$/m.exec(text) ?? []
  // cron takes the backslash away, and would end the command at a bare percent sign.
  expect(command.replaceAll('\\%', '')).not.toContain('%')
  return { path, command: command.replaceAll('\\%', '%') }
}

/** What stands for a start without `schedule:`, in the README's words. */
const slotIn = (text: string): string => /`(--slot "\$\(date .*?\)")`/.exec(text)?.[1] ?? ''

describe.each([true, false])('of README.md, with `schedule:` %s', (isScheduled) => {
  it('an hour whose first call fails is one slot, each task once', async () => {
    const home = join(await temporaryFolder(), "it's 100 % mine")
    const folder = join(home, 'owm')
    await mkdir(folder, { recursive: true })
    expect((await owm(['init'], { cwd: folder })).code).toBe(0)
    const starter = await readFile(join(folder, '.owmrc.yaml'), 'utf8')
    const [schedule = ''] = /^schedule:\n( .*\n)+/m.exec(starter) ?? []
    expect(schedule).toContain('cron: "0 * * * *"')
    await writeFile(
      join(folder, '.owmrc.yaml'),
      `source: {use: simulated-db, count: 20}\nsink: {use: jsonl, path: ./later/tasks.jsonl}\noutbox: {path: ./o.db}\n${
        isScheduled ? schedule : ''
      }`,
    )

    // The hour may end while the test runs; and owm isn't installed.
    const programs = join(home, 'programs')
    await mkdir(programs)
    const clock = join(root, 'test', 'support', 'clock-at.mjs')
    await writeFile(join(programs, 'owm'), `#!/bin/sh\nexec ${process.execPath} --import ${clock} ${bin} "$@"\n`)
    await writeFile(join(programs, 'date'), '#!/bin/sh\nTZ=UTC exec /bin/date -d 2026-11-23T10:17:00Z "$2"\n')
    for (const name of ['owm', 'date']) await chmod(join(programs, name), 0o755)
    const text = await readFile(join(root, 'README.md'), 'utf8')
    const { path, command } = crontabIn(text)
    expect(path.split(':')).toEqual(expect.arrayContaining(['/usr/bin', '/bin']))
    const slot = slotIn(text).replaceAll('\\%', '%')
    const asCron = () =>
      run('/bin/sh', ['-c', isScheduled ? command : `${command} ${slot}`], {
        env: { HOME: home, PATH: `${programs}:${path}`, OWM_TEST_NOW: '2026-11-23T10:17:00Z' },
      })

    await expect(asCron()).rejects.toMatchObject({ code: 78, stderr: expect.stringContaining('tasks.jsonl') })
    await mkdir(join(folder, 'later'))
    await asCron()
    await asCron()
    const tasks = await tasksIn(join(folder, 'later'))
    expect({ lines: tasks.length, ids: new Set(tasks.map((task) => task.task_id)).size }).toEqual({
      lines: 20,
      ids: 20,
    })
    const { json } = await owmJson<{ runs: { slot: string }[] }>(['outbox', 'inspect'], { cwd: folder })
    expect(new Set(json.runs.map(({ slot }) => slot))).toEqual(new Set(['2026-11-23T10:00:00Z']))
  })
})
