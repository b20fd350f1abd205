/** owm on a newer Node than the one that runs the tests: the npm package `node` brings the binary. */
import { execFile } from 'node:child_process'
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { bin, root, temporaryFolder } from '../support/cli.js'

const run = promisify(execFile)

test('runs on Node 24, with the sqlite3 that was built for this one', async () => {
  const folder = await temporaryFolder()
  await run('npm', ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', 'node@24'], {
    timeout: 110_000,
  })
  const node = join(folder, 'node_modules', 'node', 'bin', 'node')
  const { stdout: version } = await run(node, ['--version'])
  expect(version).toMatch(/^v24\./)
  const args = [
    'produce',
    '--source',
    'simulated-db',
    '--set',
    'source.count=1234',
    '--sink',
    'jsonl',
    '--set',
    'sink.path=tasks.jsonl',
    '--outbox',
    'outbox.db',
  ]
  const { stdout, stderr } = await run(node, [bin, ...args], { cwd: folder })
  expect(stdout).toMatch(/1,234 tasks handed over/)
  expect(stderr).toBe('')
  expect((await readFile(join(folder, 'tasks.jsonl'), 'utf8')).split('\n')).toHaveLength(1_235)
  // Newer Nodes give a lone plugin its owm in another way.
  await cp(join(root, 'examples', 'plugins', 'capitals-source.mjs'), join(folder, 'lone.mjs'))
  const lone = await run(node, [bin, 'plugins', 'show', './lone.mjs'], { cwd: folder })
  expect(lone.stdout).toMatch(/some capitals/)
}, 120_000)
