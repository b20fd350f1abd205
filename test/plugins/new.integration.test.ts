/** `owm plugins new`: from nothing to a package that another folder uses, as its author would. */
import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { ProduceResult } from '../../src/commands/produce.js'
import { owm, owmJson, root, temporaryFolder } from '../support/cli.js'
import { isLong } from '../support/conditions.js'

const run = promisify(execFile)
const quiet = ['--no-audit', '--no-fund']

const manifestIn = async (folder: string) => JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))

/** The owm of "this machine" is this clone, and its compiler is there too: nothing is downloaded. */
async function linked(project: string): Promise<void> {
  const prefix = await temporaryFolder()
  const packages = { 'owm-producer': root, typescript: '', '@types/node': '' }
  for (const [name, path] of Object.entries(packages)) {
    const link = join(prefix, 'lib', 'node_modules', name)
    await mkdir(dirname(link), { recursive: true })
    await symlink(path || join(root, 'node_modules', name), link)
  }
  const env = { ...process.env, npm_config_prefix: prefix }
  await run('npm', ['link', ...Object.keys(packages), '--offline', ...quiet], { cwd: project, env })
}

/** As on another machine: from a tarball in the repository, and the registry. */
async function installed(project: string): Promise<void> {
  await mkdir(join(project, 'vendor'))
  await run('npm', ['pack', root, '--ignore-scripts', '--pack-destination', 'vendor'], { cwd: project })
  const [tarball = ''] = await readdir(join(project, 'vendor'))
  const flags = ['--save-dev', '--ignore-scripts', ...quiet]
  await run('npm', ['install', ...flags, `./vendor/${tarball}`], { cwd: project })
  const { devDependencies } = await manifestIn(project)
  expect(devDependencies['owm-producer']).toBe(`file:vendor/${tarball}`)
  // Its install script would download a binary, or compile one for minutes: this clone has one.
  const binary = join('node_modules', 'sqlite3', 'build', 'Release', 'node_sqlite3.node')
  await cp(join(root, binary), join(project, binary), { recursive: true })
}

const shared = ['LICENSE', 'README.md', 'package.json']
const projects = {
  javascript: {
    flags: [],
    files: ['.gitignore', 'LICENSE', 'README.md', 'index.js', 'index.test.js', 'package.json'],
    packed: [...shared, 'index.js'],
  },
  typescript: {
    flags: ['--typescript'],
    files: ['.gitignore', ...shared, 'src/index.test.ts', 'src/index.ts', 'tsconfig.json'],
    packed: [...shared, 'dist/index.js'],
  },
} as const
/** The code is the same in both languages, and the tutorial takes the way of a source in JavaScript. */
const cases = [
  ['sink', 'typescript', 'Big Queue', 'big-queue'],
  ...(isLong
    ? ([
        ['source', 'javascript', 'owm-source-stations', 'stations'],
        ['source', 'typescript', 'stations', 'stations'],
        ['sink', 'javascript', 'owm-sink-queue', 'queue'],
      ] as const)
    : []),
] as const

describe('owm plugins new', () => {
  const way = '%s, in %s: a project whose tests pass, and a package that owm can use'
  it.each(cases)(way, { timeout: 300_000 }, async (...one) => {
    const [kind, language, dir, name] = one
    const { flags, files, packed } = projects[language]
    const folder = await temporaryFolder()
    const project = join(folder, dir)
    const made = await owmJson<object>(['plugins', 'new', kind, dir, ...flags], { cwd: folder })
    const pack = `owm-${kind}-${name}`
    expect(made).toMatchObject({ code: 0, json: { path: project, package: pack, files } })
    expect((await readdir(project, { recursive: true })).filter((file) => file !== 'src').sort()).toEqual(files)
    for (const file of files) expect(await readFile(join(project, file), 'utf8')).not.toMatch(/__[A-Z]+__/)
    const [own, manifest] = [await manifestIn(root), await manifestIn(project)]
    expect(manifest).toMatchObject({ license: 'MIT', keywords: ['owm-plugin'], engines: own.engines })
    const range = { 'owm-producer': `^${own.version}` }
    expect(manifest).toMatchObject({ peerDependencies: range, devDependencies: range })

    await (isLong ? installed : linked)(project)
    const { stdout } = await run('npm', ['test'], { cwd: project })
    expect(stdout).toMatch(/^\S+ pass [1-9]\d\n\S+ fail 0\n/m)

    // A package holds what its users need, the licence too, and neither tests nor sources.
    const packing = await run('npm', ['pack', '--json', ...(isLong ? [] : ['--ignore-scripts'])], { cwd: project })
    const [{ filename, files: found }] = JSON.parse(packing.stdout.slice(packing.stdout.indexOf('[\n')))
    expect(found.map(({ path }: { path: string }) => path).sort()).toEqual(packed.toSorted())

    // Its user has owm, and installs it beside the configuration: nothing else comes with it.
    const user = await temporaryFolder()
    const source = kind === 'source' ? { use: pack } : { use: 'simulated-db' }
    const sink = kind === 'sink' ? { use: pack, folder: 'tasks' } : { use: 'jsonl', path: 'tasks.jsonl' }
    await writeFile(join(user, '.owmrc.json'), JSON.stringify({ source, sink, outbox: { path: 'outbox.db' } }))
    await writeFile(join(user, 'package.json'), '{}')
    await run('npm', ['install', '--offline', ...quiet, join(project, filename)], { cwd: user })
    expect((await readdir(join(user, 'node_modules'))).filter((entry) => !entry.startsWith('.'))).toEqual([pack])
    const produced = await owmJson<ProduceResult>(['produce'], { cwd: user })
    expect(produced.code, produced.stderr).toBe(0)
    expect(produced.json.sink.delivered).toBe(kind === 'source' ? 5 : 1_000)
  })

  it('takes letters with accents into the name', async () => {
    const folder = await temporaryFolder()
    const { code, stdout } = await owm(['plugins', 'new', 'source', './owm-source-é'], { cwd: folder })
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('Wrote owm-source-e to ') })
  })

  it("takes the scope of the package's name from the folder above", async () => {
    const folder = await temporaryFolder()
    const { json } = await owmJson<object>(['plugins', 'new', 'sink', './@Acme/owm-sink-queue'], { cwd: folder })
    const path = join(folder, '@Acme', 'owm-sink-queue')
    expect(json).toMatchObject({ path, package: '@acme/owm-sink-queue' })
    expect(await manifestIn(path)).toMatchObject({ name: '@acme/owm-sink-queue' })
    expect(await readFile(join(path, 'README.md'), 'utf8')).toContain("use: '@acme/owm-sink-queue' #")
    expect(await readFile(join(path, 'index.js'), 'utf8')).toContain("name: 'queue'")
  })

  it('overwrites nothing', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'mine.txt'), 'mine')
    for (const dir of ['.', 'mine.txt']) {
      const { code, stderr } = await owm(['plugins', 'new', 'source', dir], { cwd: folder })
      expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringMatching(/isn't empty|is not a folder/) })
    }
    expect(await readdir(folder)).toEqual(['mine.txt'])
  })

  it.each([
    [['plugins', 'new', 'sauce', 'x'], /one of: source, sink/],
    [['plugins', 'new', 'source'], /dir/],
    [['plugins', 'new', 'source', '!!!'], /gives the plugin no name/],
  ])('%j: 2', async (args, message) => {
    const folder = await temporaryFolder()
    const { code, stderr } = await owm(args, { cwd: folder })
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(message) })
    expect(await readdir(folder)).toEqual([])
  })
})
