/** Every command in docs/outbox.md, in the order of the page, in one folder. */
import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import type { InspectResult } from '../../src/commands/outbox/inspect.js'
import { tasksIn } from '../cli/scene.js'
import { bin, folderWith, owm, owmJson, root } from '../support/cli.js'

const config = `source: {use: simulated-db, count: 12}
sink: {use: jsonl, path: tasks.jsonl}
outbox: {path: ./outbox.db}
`

it('docs/outbox.md: each block works, one after the other', async () => {
  const page = await readFile(join(root, 'docs', 'outbox.md'), 'utf8')
  const blocks = [...page.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = '']) => block)
  expect(blocks.length).toBeGreaterThan(8)
  const cwd = await folderWith({})
  await promisify(execFile)('rm', [join(cwd, '.owmrc.json')])
  await writeFile(join(cwd, '.owmrc.yaml'), config)
  // `owm` as installed, first in PATH.
  const programs = join(cwd, 'bin')
  await mkdir(programs)
  await writeFile(join(programs, 'owm'), `#!/bin/sh\nexec ${process.execPath} ${bin} "$@"\n`)
  await chmod(join(programs, 'owm'), 0o755)
  const env = { PATH: `${programs}:${process.env['PATH']}`, HOME: cwd }
  expect((await owm(['produce', '--slot', '2026-11-23T09:00:00Z', '--no-flush'], { cwd })).code).toBe(0)

  let moved = 0
  for (const block of blocks) {
    const ran = await promisify(execFile)('sh', ['-euc', block], { cwd, env }).catch((error: unknown) => error)
    expect(ran, block).toMatchObject({ stdout: expect.any(String) })
    expect(ran, block).not.toBeInstanceOf(Error)
    if (block.includes('state/')) moved = (await tasksIn(cwd)).length
  }
  // It stayed pending while the configuration was renamed and the file moved, and was then delivered once.
  expect(moved).toBe(12)
  const { json } = await owmJson<InspectResult>(['outbox', 'inspect'], { cwd })
  expect(json).toMatchObject({ totals: { pending: 0 }, runs: [{ slot: '2026-11-23T10:00:00Z', state: 'done' }] })
})
