/** The tarball as its users get it: packed, installed globally by an ordinary user, run, imported. */
import { execFile } from 'node:child_process'
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { root } from '../support/cli.js'
import { isRoot } from '../support/conditions.js'

const run = promisify(execFile)

/** Where root runs the tests, `nobody` is the user; elsewhere whoever runs them. */
const user = isRoot ? { uid: 65534, gid: 65534 } : {}

let folder: string
let prefix: string
let installed: string
let owm: string
let env: Record<string, string>

/** A folder of the user's, in the temporary one. */
async function userFolder(name: string): Promise<string> {
  const path = join(folder, name)
  await mkdir(path)
  if (user.uid !== undefined) await chown(path, user.uid, user.gid)
  return path
}

const runAsUser = (command: string, args: string[], cwd = folder) => run(command, args, { cwd, env, ...user })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'owm-test-pack-'))
  await chmod(folder, 0o755)
  if (user.uid !== undefined) await chown(folder, user.uid, user.gid)
  env = { PATH: process.env['PATH'] ?? '', HOME: await userFolder('home') }
  // What `npm test` has built is what is packed.
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: root })
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? ''
  prefix = await userFolder('global')
  const flags = ['--prefix', prefix, '--ignore-scripts', '--no-audit', '--no-fund']
  // With this machine's registry, proxy and certificates, but none of the settings of the npm that runs the tests.
  const { stdout: registry } = await run('npm', ['config', 'get', 'registry'], { cwd: root })
  const machine = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')))
  const forNpm = { ...machine, ...env, npm_config_registry: registry.trim() }
  await run('npm', ['install', '--global', ...flags, join(folder, tarball)], { cwd: folder, env: forNpm, ...user })
  installed = join(prefix, 'lib', 'node_modules', 'owm-producer')
  owm = join(prefix, 'bin', 'owm')
}, 300_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

it("says what to do where npm didn't run sqlite3's install script: npm 11 and newer need telling", async () => {
  const cwd = await userFolder('without')
  const [sink, hook] = [{ use: 'jsonl', path: './tasks.jsonl' }, { command: ['touch', 'told'] }]
  const outbox = { path: './outbox.db' }
  const config = { source: { use: 'simulated-db' }, sink, outbox, notify: { on: { failure: [hook] } } }
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(config))
  const failed: unknown = await runAsUser(owm, ['produce'], cwd).catch((error) => error)
  expect(failed).toMatchObject({ code: 78, stdout: '', stderr: expect.stringMatching(/--allow-scripts=sqlite3/) })
  // Whoever is told of failures is told of this one, and what needs no database works.
  expect(await readdir(cwd)).toContain('told')
  await runAsUser(owm, ['config', 'show'], cwd)
  // Where its prebuilt binary can't be downloaded, that script compiles for minutes: this clone has one.
  const binary = join('node_modules', 'sqlite3', 'build', 'Release', 'node_sqlite3.node')
  await cp(join(root, binary), join(installed, binary), { recursive: true })
})

it('holds what is needed to run, and nothing of the workshop', async () => {
  const { version }: { version: string } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  expect((await readdir(installed)).sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'THIRD_PARTY_LICENSES',
    'bin',
    'dist',
    'man',
    'node_modules',
    'oclif.manifest.json',
    'package.json',
    'templates',
  ])
  expect(await readdir(join(installed, 'bin'))).toEqual(['run.js'])
  const { stdout, stderr } = await runAsUser(owm, ['--version'])
  expect(stdout).toContain(`owm/${version}`)
  expect(stderr).toBe('')
})

it("has its page where `man` looks beside the program's folder", async () => {
  expect(await readFile(join(prefix, 'share', 'man', 'man1', 'owm.1'), 'utf8')).toMatch(/^\.TH OWM 1/im)
})

it('has the licence of every package that is in its bundles', async () => {
  const bundled = new Set<string>()
  for (const name of await readdir(join(installed, 'dist'), { recursive: true }))
    if (name.endsWith('.js'))
      for (const [, of = ''] of (await readFile(join(installed, 'dist', name), 'utf8')).matchAll(
        /"(?:[\w@./-]*\/)?node_modules\/((?:@[\w.-]+\/)?[\w.-]+)\/[\w@./-]+"\(/g,
      ))
        bundled.add(of)
  expect([...bundled]).toEqual(expect.arrayContaining(['@oclif/core', 'ioredis', 'pino', 'undici']))
  const licences = await readFile(join(installed, 'THIRD_PARTY_LICENSES'), 'utf8')
  // ES modules leave no name in a bundle.
  for (const name of [...bundled, 'croner', 'typeorm', 'yaml'])
    expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\S+ \\(`, 'm'))
})

it('installs none of the packages that are in the bundles alone', async () => {
  const { dependencies }: { dependencies: object } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  for (const name of ['cockatiel', 'csv-parse', 'pino', 'undici', 'yaml']) expect(dependencies).not.toHaveProperty(name)
})

it.runIf(user.uid !== undefined)('runs for a user id that the system has no name and no HOME for', async () => {
  const unknown = { uid: 54_321, gid: 54_321, cwd: '/', env: { PATH: env['PATH'] } }
  const { stdout, stderr } = await run(owm, ['--help'], unknown)
  expect(stdout).toContain('produce')
  expect(stderr).toBe('')
})

it('lists its commands', async () => {
  const { stdout } = await runAsUser(owm, ['--help'])
  for (const command of ['produce', 'flush', 'outbox', 'init']) expect(stdout).toContain(command)
})

it('produces', async () => {
  const cwd = await userFolder('work')
  const source = ['--source', 'simulated-db', '--set', 'source.count=1200']
  const sink = ['--sink', 'jsonl', '--set', 'sink.path=tasks.jsonl']
  const { stdout, stderr } = await runAsUser(owm, ['produce', ...source, ...sink, '--outbox', 'o.db', '--json'], cwd)
  expect(JSON.parse(stdout)).toMatchObject({
    source: { read: 1_200 },
    outbox: { pending: 0 },
    sink: { delivered: 1_200 },
  })
  expect(stderr).toBe('')
  const lines = (await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).trim().split('\n')
  expect(new Set(lines.map((line): unknown => JSON.parse(line).task_id)).size).toBe(1_200)
})

const plugin = `import { defineSource, z } from 'owm-producer'
export default defineSource({
  name: 'mine', description: 'one place', options: z.strictObject({ city: z.string().describe('its name') }),
  open: ({ city }) => ({
    async *read() {
      yield { locations: [{ city, latitude: 1, longitude: 2 }], resume: '1', position: () => 'the only one' }
    },
  }),
})
`

/** A plugin author's project, in which the installed package is all that there is. */
async function project(name: string): Promise<string> {
  const path = await userFolder(name)
  await mkdir(join(path, 'node_modules'))
  await symlink(installed, join(path, 'node_modules', 'owm-producer'))
  return path
}

it("is a module that a plugin's author can import", async () => {
  const cwd = await project('project')
  await writeFile(join(cwd, 'plugin.mjs'), plugin)
  const source = { use: './plugin.mjs', city: 'Here' }
  const config = { source, sink: { use: 'jsonl', path: '-' }, outbox: { path: 'o.db' } }
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(config))
  const names = `const modules = [await import('owm-producer'), await import('owm-producer/testing')]
    console.log(modules.flatMap(Object.keys).join())`
  const imported = await runAsUser(process.execPath, ['--input-type=module', '-e', names], cwd)
  const expected = ['defineSource', 'defineSink', 'defineConfig', 'TransientError', 'z', 'sourceChecks', 'sinkChecks']
  expect(imported.stdout.trim().split(',')).toEqual(expect.arrayContaining(expected))
  const { stdout } = await runAsUser(owm, ['produce'], cwd)
  expect(JSON.parse(stdout)).toMatchObject({ city: 'Here' })
})

it('has all that TypeScript needs of it, with its declarations checked', async () => {
  const cwd = await project('typed')
  const checks = `import { sourceChecks } from 'owm-producer/testing'
import mine from './plugin.mjs'
export const checks = sourceChecks({ plugin: mine, module: import.meta.url, options: { city: 'Here' }, count: 1 })
export const wrong: number = mine.name
`
  await writeFile(join(cwd, 'plugin.mts'), plugin)
  await writeFile(join(cwd, 'checks.mts'), checks)
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const flags = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext']
  const failed: unknown = await run(process.execPath, [tsc, ...flags, 'checks.mts'], { cwd }).catch((error) => error)
  // That one is wrong, to see that the compiler looks at all.
  const message = "checks.mts(4,14): error TS2322: Type 'string' is not assignable to type 'number'.\n"
  expect(failed).toMatchObject({ code: 2, stdout: message })
})

it('uses a lone plugin, beside which nothing is installed, and starts a project for one', async () => {
  const cwd = await userFolder('lone')
  await cp(join(root, 'examples', 'plugins', 'capitals-source.mjs'), join(cwd, 'capitals.mjs'))
  const sink = ['--sink', 'jsonl', '--set', 'sink.path=-']
  const { stdout } = await runAsUser(owm, ['produce', '--source', './capitals.mjs', ...sink, '--outbox', 'o.db'], cwd)
  expect(stdout.trim().split('\n')).toHaveLength(8)
  for (const kind of ['source', 'sink']) {
    await runAsUser(owm, ['plugins', 'new', kind, `own-${kind}`], cwd)
    const names = await readdir(join(cwd, `own-${kind}`))
    expect(names).toEqual(expect.arrayContaining(['.gitignore', 'LICENSE', 'index.js']))
    for (const name of names)
      expect(await readFile(join(cwd, `own-${kind}`, name), 'utf8')).not.toMatch(/__|file:|\/(home|tmp|usr|global)\//)
  }
})
