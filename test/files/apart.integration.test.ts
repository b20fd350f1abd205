/** Two keys of a configuration that name one file: one would write over what the other one holds. */
import { link, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { folderWith, owm } from '../support/cli.js'

const files = {
  source: { file: './list.csv' },
  sink: { path: './tasks.jsonl' },
  outbox: { path: './o.db' },
  metrics: { textfile: './m.prom' },
}

const settings = (other: Partial<typeof files>) => {
  const { source, sink, ...rest } = { ...files, ...other }
  return { source: { use: 'static-list', ...source }, sink: { use: 'jsonl', ...sink }, ...rest }
}

async function folder(other: Partial<typeof files>): Promise<string> {
  const cwd = await folderWith(settings(other))
  await writeFile(join(cwd, 'list.csv'), 'id,city,latitude,longitude\n1,Oslo,59.9,10.7\n')
  await mkdir(join(cwd, 'folder'))
  return cwd
}

it.each([
  [{ sink: { path: './o.db' } }, 'sink.path and outbox.path are the same file'],
  [{ sink: { path: './folder/../o.db-signals' } }, 'sink.path is a file that belongs to outbox.path'],
  [{ sink: { path: './o.db-lock' } }, 'sink.path is a file that belongs to outbox.path'],
  [{ sink: { path: './o.db-signals-0-of-3' } }, 'sink.path is a file that belongs to outbox.path'],
  [{ sink: { path: './list.csv' } }, 'source.file and sink.path are the same file'],
  [{ sink: { path: './.owmrc.json' } }, 'the configuration and sink.path are the same file'],
  [{ sink: { path: './m.prom' } }, 'sink.path and metrics.textfile are the same file'],
  [{ sink: { path: './m-0-of-3.prom' } }, 'sink.path is a file that belongs to metrics.textfile'],
  [{ outbox: { path: './tasks.jsonl.receipts' } }, 'outbox.path is a file that belongs to sink.path'],
  [{ outbox: { path: './m.prom' } }, 'outbox.path and metrics.textfile are the same file'],
  [{ outbox: { path: './list.csv' } }, 'source.file and outbox.path are the same file'],
  [{ source: { file: './m.prom' } }, 'source.file and metrics.textfile are the same file'],
])('%j is refused, and nothing is written', async (other, said) => {
  const cwd = await folder(other)
  const before = await readdir(cwd)
  const ran = await owm(['produce'], { cwd })
  expect(ran).toMatchObject({ code: 78, stdout: '', stderr: expect.stringContaining(said) })
  expect(await readdir(cwd)).toEqual(before)
})

it('neither by a link nor by another name', async () => {
  const cwd = await folder({})
  const file = join(cwd, 'o.db')
  expect(await owm(['produce'], { cwd })).toMatchObject({ code: 0 })
  await symlink('o.db', join(cwd, 'soft.prom'))
  await link(file, join(cwd, 'hard.prom'))
  await symlink('.', join(cwd, 'here'))
  const before = await readFile(file)
  for (const textfile of ['./soft.prom', './hard.prom']) {
    await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(settings({ metrics: { textfile } })))
    const said = expect.stringContaining('outbox.path and metrics.textfile')
    expect(await owm(['produce'], { cwd })).toMatchObject({ code: 78, stderr: said })
  }
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(settings({ sink: { path: './here/o.db-wal' } })))
  const said = expect.stringContaining('sink.path is a file that belongs to outbox.path')
  expect(await owm(['produce'], { cwd })).toMatchObject({ code: 78, stderr: said })
  expect(await readFile(file)).toEqual(before)
})

it('names that only begin alike are no trouble, nor is a device', async () => {
  for (const other of [{ sink: { path: './o.db-tasks.jsonl' } }, { sink: { path: '/dev/null' } }])
    expect(await owm(['produce'], { cwd: await folder(other) })).toMatchObject({ code: 0 })
})
