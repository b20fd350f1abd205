/** The crontab lines of the README and of `owm init`, as cron would run them. */
import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { bin, owm, owmJson, root, temporaryFolder } from '../support/cli.js'
import { tasksIn } from './scene.js'

const run = promisify(execFile)

/** The line of a crontab, with its PATH, out of a text. */
function crontabIn(text: string): { path: string; command: string } {
  const [, path = '', command = ''] = /^#? ?PATH=(.*)\n#? ?0 \* \* \* \* +(.*)$/m.exec(text) ?? []
  // cron takes the backslash away, and would end the command at a bare percent sign.
  expect(command.replaceAll('\\%', '')).not.toContain('%')
  return { path, command: command.replaceAll('\\%', '%') }
}

it.each(['README.md', 'owm init'])(
  'of %s: an hour whose first call fails is one slot, each task once',
  async (where) => {
    const home = join(await temporaryFolder(), "it's 100 % mine")
    const folder = join(home, 'owm')
    await mkdir(folder, { recursive: true })
    if (where === 'owm init') expect((await owm(['init'], { cwd: folder })).code).toBe(0)
    const text = await readFile(where === 'owm init' ? join(folder, '.owmrc.yaml') : join(root, where), 'utf8')
    await writeFile(
      join(folder, '.owmrc.yaml'),
      'source: {use: simulated-db, count: 20}\nsink: {use: jsonl, path: ./later/tasks.jsonl}\noutbox: {path: ./o.db}\n',
    )

    // The hour may end while the test runs; and owm isn't installed.
    const programs = join(home, 'programs')
    await mkdir(programs)
    await writeFile(join(programs, 'owm'), `#!/bin/sh\nexec ${process.execPath} ${bin} "$@"\n`)
    await writeFile(join(programs, 'date'), '#!/bin/sh\nTZ=UTC exec /bin/date -d 2026-11-23T10:17:00Z "$2"\n')
    for (const name of ['owm', 'date']) await chmod(join(programs, name), 0o755)
    const { path, command } = crontabIn(text)
    expect(path.split(':')).toEqual(expect.arrayContaining(['/usr/bin', '/bin']))
    const asCron = () => run('/bin/sh', ['-c', command], { env: { HOME: home, PATH: `${programs}:${path}` } })

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
  },
)
