/** `owm init --print` with `source.shards`: each shard is started. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { folderWith, owm } from '../support/cli.js'
import { base, linesIn, run, textOf } from './scene.js'

it.each(['./outbox.db', './outbox-${JOB_COMPLETION_INDEX}.db'])(
  'crontab has a line for each shard, which together serve each place once (%s)',
  async (path) => {
    const source = { ...base.source, shards: 3 }
    const cwd = await folderWith({ ...base, source, outbox: { path }, sink: { use: 'jsonl', path: './tasks.jsonl' } })
    const lines = linesIn(await textOf(['crontab'], { cwd }))
    for (const { command } of lines) await run('/bin/sh', ['-c', command], { env: { PATH: '/usr/bin:/bin' } })
    const tasks = (await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).split('\n').filter(Boolean)
    const places = tasks.map((task) => /"location_id":\d+/.exec(task)?.[0])
    expect([lines.length, places.length, new Set(places).size]).toEqual([3, 20, 20])
    const units = await textOf(['systemd'], { cwd })
    for (const index of [0, 1, 2]) expect(units).toContain(`\nEnvironment=JOB_COMPLETION_INDEX=${index}\n`)
  },
)

it('crontab refuses shards that would share an outbox', async () => {
  const cwd = await folderWith({ ...base, source: { ...base.source, shards: 3 }, outbox: { path: '${HOME}/o.db' } })
  const refused = await owm(['init', '--print', 'crontab'], { cwd })
  expect(refused).toMatchObject({ code: 78, stderr: expect.stringContaining('${JOB_COMPLETION_INDEX}') })
})

it('kubernetes says which files of an Indexed Job go with its pods', async () => {
  const sink = { use: 'jsonl', path: '/var/lib/owm/tasks.jsonl' }
  const cwd = await folderWith({ ...base, source: { ...base.source, shards: 3 }, sink })
  const text = await textOf(['kubernetes'], { cwd })
  expect(text).toMatch(/goes with it\. Mount a volume that lasts[\s\S]*# {3}\/var\/lib\/owm\/tasks\.jsonl/)
})
