/** The tarball as its users get it: packed, installed globally, run, imported. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { root } from '../support/cli.js'

const run = promisify(execFile)
const { PATH = '', HOME = '' } = process.env

let folder: string
let installed: string
let owm: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'owm-test-pack-'))
  await run('npm', ['pack', '--pack-destination', folder], { cwd: root })
  const [tarball = ''] = await readdir(folder)
  const prefix = join(folder, 'global')
  await run(
    'npm',
    [
      'install',
      '--global',
      '--prefix',
      prefix,
      '--ignore-scripts',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      join(folder, tarball),
    ],
    {
      cwd: folder,
    },
  )
  installed = join(prefix, 'lib', 'node_modules', 'owm')
  owm = join(prefix, 'bin', 'owm')
  // Where sqlite3's prebuilt binary can't be downloaded, its install script compiles for minutes: this clone has done so already.
  await cp(
    join(root, 'node_modules', 'sqlite3', 'build', 'Release'),
    join(installed, 'node_modules', 'sqlite3', 'build', 'Release'),
    { recursive: true },
  )
}, 300_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

it('holds what is needed to run, and nothing of the workshop', async () => {
  const { version }: { version: string } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const names = await readdir(installed)
  expect(names).toEqual(
    expect.arrayContaining([
      'package.json',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
      'bin',
      'dist',
      'oclif.manifest.json',
      'node_modules',
    ]),
  )
  for (const name of ['src', 'test', 'bench', 'scripts', '.ci']) expect(names).not.toContain(name)
  expect(await readdir(join(installed, 'bin'))).toEqual(['package.json', 'run.js'])
  const { stdout, stderr } = await run(owm, ['--version'], { env: { PATH, HOME } })
  expect(stdout).toContain(`owm/${version}`)
  expect(stderr).toBe('')
})

it('lists its commands', async () => {
  const { stdout } = await run(owm, ['--help'], { env: { PATH, HOME } })
  for (const command of ['produce', 'flush', 'outbox', 'init']) expect(stdout).toContain(command)
})

it('produces', async () => {
  const cwd = join(folder, 'work')
  await mkdir(cwd)
  const args = [
    '--source',
    'simulated-db',
    '--set',
    'source.count=1200',
    '--sink',
    'jsonl',
    '--set',
    'sink.path=tasks.jsonl',
    '--outbox',
    'o.db',
    '--json',
  ]
  const { stdout, stderr } = await run(owm, ['produce', ...args], { cwd, env: { PATH, HOME } })
  expect(JSON.parse(stdout)).toMatchObject({
    source: { read: 1_200 },
    outbox: { pending: 0 },
    sink: { delivered: 1_200 },
  })
  expect(stderr).toBe('')
  const lines = (await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).trim().split('\n')
  expect(new Set(lines.map((line): unknown => JSON.parse(line).task_id)).size).toBe(1_200)
})

it("is a module that a plugin's author can import", async () => {
  const project = join(folder, 'project')
  await mkdir(join(project, 'node_modules'), { recursive: true })
  await symlink(installed, join(project, 'node_modules', 'owm'))
  await writeFile(
    join(project, 'plugin.mjs'),
    `import { defineSource, z } from 'owm'
     export default defineSource({
       name: 'mine', description: 'one place', options: z.strictObject({ city: z.string().describe('its name') }),
       open: ({ city }) => ({ async *read() { yield { locations: [{ city, latitude: 1, longitude: 2 }], resume: '1', position: () => 'the only one' } } }),
     })`,
  )
  await writeFile(
    join(project, '.owmrc.json'),
    JSON.stringify({
      source: { use: './plugin.mjs', city: 'Here' },
      sink: { use: 'jsonl', path: '-' },
      outbox: { path: 'o.db' },
    }),
  )
  const names = await run(
    process.execPath,
    ['--input-type=module', '-e', "console.log(Object.keys(await import('owm')).join())"],
    { cwd: project },
  )
  for (const name of ['defineSource', 'defineSink', 'defineConfig', 'TransientError', 'z'])
    expect(names.stdout.trim().split(',')).toContain(name)
  const { stdout } = await run(owm, ['produce'], { cwd: project, env: { PATH, HOME } })
  expect(JSON.parse(stdout)).toMatchObject({ city: 'Here' })
})

it('uses a lone plugin, beside which nothing is installed, and starts a project for one', async () => {
  const cwd = join(folder, 'lone')
  await mkdir(cwd)
  await cp(join(root, 'examples', 'plugins', 'capitals-source.mjs'), join(cwd, 'capitals.mjs'))
  const { stdout } = await run(
    owm,
    ['produce', '--source', './capitals.mjs', '--sink', 'jsonl', '--set', 'sink.path=-', '--outbox', 'o.db'],
    {
      cwd,
      env: { PATH, HOME },
    },
  )
  expect(stdout.trim().split('\n')).toHaveLength(8)
  for (const kind of ['source', 'sink']) {
    await run(owm, ['plugins', 'new', kind, `own-${kind}`], { cwd, env: { PATH, HOME } })
    const names = await readdir(join(root, 'templates', kind))
    expect(await readdir(join(cwd, `own-${kind}`))).toEqual(names)
    const { devDependencies }: { devDependencies: object } = JSON.parse(
      await readFile(join(cwd, `own-${kind}`, 'package.json'), 'utf8'),
    )
    expect(devDependencies).toEqual({ owm: `file:${installed}` })
  }
})
