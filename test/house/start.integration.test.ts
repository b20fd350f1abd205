/** The code cache (src/load.ts): it may make owm faster, never wrong. And what a start does without. */
import { execFile } from 'node:child_process'
import { chmod, cp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { owm, root, temporaryFolder } from '../support/cli.js'

/** A copy of the built owm that hasn't run yet: its `bin/run.js` and the folder of its caches. */
async function fresh(): Promise<{ script: string; caches: string }> {
  const folder = await temporaryFolder()
  for (const part of ['bin', 'dist', 'package.json', 'oclif.manifest.json'])
    await cp(join(root, part), join(folder, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const caches = join(folder, 'dist', 'cache')
  await rm(caches, { recursive: true, force: true })
  return { script: join(folder, 'bin', 'run.js'), caches }
}

const produce = async (script: string, ...flags: string[]) => {
  const cwd = await temporaryFolder()
  const { code, stdout, stderr } = await owm(
    [
      'produce',
      '--json',
      '--source',
      'simulated-db',
      '--set',
      'source.count=3',
      '--sink',
      'jsonl',
      '--set',
      'sink.path=t',
      '--outbox',
      'o.db',
      ...flags,
    ],
    { cwd, script },
  )
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(JSON.parse(stdout)).toMatchObject({ source: { read: 3 }, sink: { delivered: flags.length > 0 ? 0 : 3 } })
}

const namesIn = async (caches: string): Promise<string[]> =>
  (await readdir(caches)).map((name) => name.replace(/-[0-9a-f]{12}-.*/, '')).sort()

it('keeps what was compiled for a command, once', async () => {
  const { script, caches } = await fresh()
  await produce(script)
  const names = await readdir(caches)
  expect(await namesIn(caches)).toEqual(['cli-produce', 'owm-produce'])
  const [name = ''] = names
  const first = await readFile(join(caches, name))
  await produce(script)
  expect(await readdir(caches)).toEqual(names)
  expect((await readFile(join(caches, name))).equals(first)).toBe(true)
})

it.each(['--dry-run', '--no-flush'])('of a run with %s is not that of a whole one', async (flag) => {
  const { script, caches } = await fresh()
  await produce(script, flag)
  expect(await namesIn(caches)).toEqual([`cli-produce${flag}`, `owm-produce${flag}`])
})

it('is not misled by a damaged cache, and mends it', async () => {
  const { script, caches } = await fresh()
  await produce(script)
  const good = new Map<string, Buffer>()
  for (const name of await readdir(caches)) {
    const bytes = await readFile(join(caches, name))
    good.set(name, bytes)
    // V8 alone would take this, and crash.
    const damaged = Buffer.from(bytes)
    damaged.fill(0x5a, bytes.length / 2, bytes.length / 2 + 100)
    await writeFile(join(caches, name), damaged)
  }
  await produce(script)
  for (const [name, bytes] of good)
    expect((await readFile(join(caches, name))).subarray(bytes.length / 2, bytes.length / 2 + 100)).not.toEqual(
      Buffer.alloc(100, 0x5a),
    )
})

it('does without where it may not write', async () => {
  const { script, caches } = await fresh()
  await writeFile(caches, 'no folder can be made here') // root may write anywhere, but not into a file
  await chmod(caches, 0o400)
  await produce(script)
  expect(await readFile(caches, 'utf8')).toBe('no folder can be made here')
})

it("needs neither Node's loader for ES modules nor what is behind `performance`", async () => {
  const cwd = await temporaryFolder()
  const hook = join(cwd, 'loaded.cjs')
  await writeFile(hook, "process.on('exit', () => require('fs').writeSync(2, process.moduleLoadList.join('\\n')))")
  const bare = await promisify(execFile)(process.execPath, ['--require', hook, '-e', '0'])
  const start = [
    'produce',
    '--source',
    'simulated-db',
    '--set',
    'source.count=3',
    '--sink',
    'jsonl',
    '--set',
    'sink.path=t',
    '--outbox',
    'o.db',
  ]
  const { code, stderr } = await owm(start, { cwd, node: ['--require', hook] })
  expect(code).toBe(0)
  // Newer Nodes have it in their snapshot.
  const loaded = stderr.split('\n').filter((name) => !bare.stderr.split('\n').includes(name))
  expect(loaded).toContain('NativeModule crypto') // it's a list of them
  expect(loaded).not.toContain('NativeModule internal/modules/esm/translators')
  expect(loaded).not.toContain('NativeModule perf_hooks')
})
