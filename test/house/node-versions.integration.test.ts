/** owm on the oldest Node that it supports, and on newer ones. */
import { execFile } from 'node:child_process'
import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bin, root, temporaryFolder } from '../support/cli.js'
import { installNodes, type Nodes, versions } from '../support/nodes.js'

const run = promisify(execFile)
let nodes: Nodes

beforeAll(async () => {
  nodes = await installNodes()
}, 300_000)
afterAll(() => nodes.remove())

test.each(versions)('runs on Node %s, with the sqlite3 that was built for this one', async (wanted) => {
  const cwd = await temporaryFolder()
  const node = join(nodes.folderOf(wanted), 'node')
  const env = { PATH: process.env['PATH'] ?? '', HOME: cwd }
  const { stdout: version } = await run(node, ['--version'])
  expect(version.startsWith(`v${wanted}`)).toBe(true)
  const sink = ['--sink', 'jsonl', '--set', 'sink.path=tasks.jsonl', '--outbox', 'outbox.db']
  const produce = ['produce', '--source', 'simulated-db', '--set', 'source.count=1234', ...sink, '--json']
  const { stdout, stderr } = await run(node, [bin, ...produce], { cwd, env })
  expect(JSON.parse(stdout)).toMatchObject({ sink: { delivered: 1_234 }, outbox: { pending: 0 } })
  expect(stderr).toBe('')
  expect((await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).split('\n')).toHaveLength(1_235)
  // Newer Nodes give a lone plugin its owm in another way.
  await cp(join(root, 'examples', 'plugins', 'capitals-source.mjs'), join(cwd, 'lone.mjs'))
  const lone = await run(node, [bin, 'plugins', 'show', './lone.mjs'], { cwd, env })
  expect(lone.stdout).toMatch(/some capitals/)
  const compiled = await readdir(join(cwd, '.cache', 'owm')).catch(() => [])
  expect(compiled.length > 0).toBe(wanted !== '20.19.0')
  // No folder can be made there, and Node itself would try for ever.
  const homeless = { env: { ...env, HOME: '/proc' }, timeout: 20_000, killSignal: 'SIGKILL' } as const
  expect((await run(node, [bin, '--version'], homeless)).stdout).toMatch(/^owm/)
})
