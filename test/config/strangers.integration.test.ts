/** What another user of this machine left where owm looks; and secrets that come from files. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmod, chown, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { folderWith, owm, owmJson, root } from '../support/cli.js'
import { isRoot } from '../support/conditions.js'

/** The user nobody. */
const stranger = 65_534
const inYaml = 'source: {use: simulated-db, count: 3}\nsink: {use: jsonl, path: t.jsonl}\noutbox: {path: o.db}\n'
const marker = (folder: string, code: string): string =>
  `import { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(join(folder, 'ran'))}, 'x')\n${code}`

/** A folder in /tmp, which is sticky and root's. */
async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp('/tmp/owm-test-strangers-')
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  return folder
}

const dry = ['produce', '--dry-run']

describe('what was found is refused where another user could have put it there:', () => {
  it('a file of another user, unless it was named', async () => {
    const cwd = await folderOf({ '.owmrc.yaml': inYaml })
    expect((await owm(dry, { cwd })).code).toBe(0)
    await chown(join(cwd, '.owmrc.yaml'), stranger, stranger)
    for (const args of [dry, ['flush'], ['config', 'show'], ['plugins'], ['outbox', 'inspect']]) {
      const { code, stderr } = await owm(args, { cwd })
      expect({ code, stderr }).toEqual({
        code: 78,
        stderr: expect.stringMatching(/belongs to user 65534[\s\S]*--config/),
      })
    }
    const named = [...dry, '--config', '.owmrc.yaml']
    for (const [args, env] of [
      [named, {}],
      [[...dry, '--trust-config'], {}],
      [dry, { OWM_TRUST_CONFIG: '1' }],
      [dry, { OWM_CONFIG: '.owmrc.yaml' }],
    ] as const)
      expect((await owm(args, { cwd, env })).code).toBe(0)
  })

  it.each(['.owmrc.yaml', 'package.json'])('a pipe in place of %s: its writer is not waited for', async (name) => {
    const cwd = await folderOf({ 'sub/keep': '' })
    execFileSync('mkfifo', [join(cwd, name)])
    await chown(join(cwd, name), stranger, stranger)
    for (const folder of [cwd, join(cwd, 'sub')]) {
      const { code, stderr } = await owm(['config', 'show'], { cwd: folder })
      expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringContaining("isn't a regular file") })
    }
  })

  it('a file that the user may not read is an error: none further up is read in its place', async () => {
    const cwd = await folderOf({ '.owmrc.yaml': inYaml, 'sub/.owmrc.yaml': inYaml })
    await chmod(join(cwd, 'sub', '.owmrc.yaml'), 0)
    // Without its capabilities root is held back by permission bits, too.
    const asUser = isRoot ? ['setpriv', '--bounding-set=-all'] : ['env']
    const [program = '', ...args] = [...asUser, process.execPath, join(root, 'bin', 'run.js'), ...dry]
    const ran = spawnSync(program, args, { cwd: join(cwd, 'sub'), encoding: 'utf8' })
    expect({ code: ran.status, stderr: ran.stderr }).toEqual({
      code: 78,
      stderr: expect.stringMatching(/sub\/\.owmrc\.yaml can't be read: EACCES/),
    })
  })

  it.each(['.owmrc.cjs', 'owm.config.mjs', 'owm.config.ts'])('%s does not run', async (name) => {
    const folder = await folderOf({ 'sub/keep': '' })
    const code = name.endsWith('.cjs')
      ? `require('fs').writeFileSync(${JSON.stringify(join(folder, 'ran'))}, 'x'); module.exports = {}`
      : marker(folder, 'export default {}')
    await writeFile(join(folder, name), code)
    await chown(join(folder, name), stranger, stranger)
    // Also from a folder below.
    for (const cwd of [folder, join(folder, 'sub')]) {
      await owm(['config', 'show'], { cwd })
      await owm(['plugins'], { cwd })
    }
    expect(await readdir(folder)).not.toContain('ran')
    expect((await owm(['config', 'show', '--config', name], { cwd: folder })).code).not.toBe(70)
    expect(await readdir(folder)).toContain('ran')
  })

  it('code in a folder of another user, and a package there', async () => {
    const folder = await folderOf({ '.owmrc.yaml': 'source: {use: ./theirs/evil.mjs}\nsink: {use: jsonl, path: t}\n' })
    const manifest = JSON.stringify({
      name: 'owm-source-evil',
      version: '1.0.0',
      type: 'module',
      exports: './index.js',
    })
    for (const [path, text] of Object.entries({
      'theirs/evil.mjs': marker(folder, 'export default {}'),
      'node_modules/owm-source-evil/package.json': manifest,
      'node_modules/owm-source-evil/index.js': marker(folder, 'export default {}'),
    })) {
      await mkdir(join(folder, path, '..'), { recursive: true })
      await writeFile(join(folder, path), text)
    }
    for (const path of ['theirs', 'node_modules/owm-source-evil']) await chown(join(folder, path), stranger, stranger)
    const { code, stderr } = await owm(dry, { cwd: folder })
    expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringContaining("isn't trusted") })
    const { stdout } = await owm(['plugins'], { cwd: folder })
    expect(stdout).toMatch(/^owm-source-evil .*isn't trusted/m)
    expect(await readdir(folder)).not.toContain('ran')
  })

  it.each([
    ['pg', 'postgres'],
    ['mysql2', 'mysql'],
  ])("a database's package in a folder above, where another user put it: %s", async (name, scheme) => {
    const theirs = `node_modules/${name}`
    const shared = await folderOf({
      'project/.owmrc.yaml': inYaml,
      [`${theirs}/package.json`]: '{"main": "i.js"}',
      [`${theirs}/i.js`]: "process.getBuiltinModule('node:fs').writeFileSync(`${__dirname}/../../ran`, 'x')",
    })
    await chown(join(shared, theirs), stranger, stranger)
    await chmod(shared, 0o1777)
    const source = { use: 'sql', url: `${scheme}://x@127.0.0.1:1/x`, table: 't', key: 'id' }
    const { code: exit, stderr } = await owm([...dry, '--set', `source=${JSON.stringify(source)}`], {
      cwd: join(shared, 'project'),
    })
    expect({ exit, stderr }).toEqual({
      exit: 78,
      stderr: expect.stringContaining(`The package ${name} isn't trusted: ${shared}/${theirs} belongs to user 65534`),
    })
    expect(await readdir(shared)).not.toContain('ran')
  })

  it.each(['js', 'cjs', 'mjs', 'ts'])("code in the place of cosmiconfig's own settings, config.%s", async (ending) => {
    const place = `.config/config.${ending}`
    const cwd = await folderOf({ '.owmrc.yaml': inYaml, [place]: '' })
    const ran = JSON.stringify(join(cwd, 'ran'))
    const code = `process.getBuiltinModule('node:fs').writeFileSync(${ran}, 'x')\n`
    await writeFile(join(cwd, place), code)
    await chown(join(cwd, place), stranger, stranger)
    const given = ['--config', '.owmrc.yaml', '--trust-config']
    for (const args of [dry, [...dry, ...given], ['config', 'show'], ['flush', ...given]]) {
      const { code, stderr } = await owm(args, { cwd })
      expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringMatching(/isn't trusted: .* user 65534/) })
    }
    await owm(['autocomplete', 'answer', '--', 'outbox', 'inspect', '--run', ''], { cwd })
    expect(await readdir(cwd)).not.toContain('ran')
  })

  it('a file or a folder that everybody may write to; one of a group is fine', async () => {
    const cwd = await folderOf({ '.owmrc.yaml': inYaml })
    for (const [path, mode, code] of [
      ['.owmrc.yaml', 0o666, 78],
      ['.owmrc.yaml', 0o664, 0],
      ['.', 0o777, 78],
      ['.', 0o1777, 0],
      ['.', 0o775, 0],
    ] as const) {
      await chmod(join(cwd, path), mode)
      expect((await owm(dry, { cwd })).code, `${path} ${mode.toString(8)}`).toBe(code)
    }
  })

  it("never by a key in what was found; and another user's own file is fine for that user", async () => {
    const cwd = await folderOf({ '.owmrc.yaml': `${inYaml}trustConfig: true\n` })
    await chown(join(cwd, '.owmrc.yaml'), stranger, stranger)
    expect((await owm(dry, { cwd })).stderr).toContain("isn't trusted")
    await writeFile(join(cwd, '.owmrc.yaml'), inYaml)
    await chown(cwd, stranger, stranger)
    const { code } = await owm(dry, { cwd })
    expect(code).toBe(78)
    const script = join(import.meta.dirname, '..', '..', 'bin', 'run.js')
    execFileSync(process.execPath, [script, ...dry], {
      cwd,
      uid: stranger,
      gid: stranger,
      env: { PATH: '/usr/bin:/bin' },
    })
  })
})

describe('secrets from files', () => {
  const secret = 'Hunter2-s3cret'

  it.each(['${file:PLACE/key}', '${file:./key}', '${file:$CREDENTIALS_DIRECTORY/key}'])('%s', async (text) => {
    const cwd = await folderWith({})
    await writeFile(join(cwd, 'key'), `${secret}\n`)
    await writeFile(
      join(cwd, '.owmrc.json'),
      JSON.stringify({
        source: { use: 'simulated-db', count: 1 },
        sink: { use: 'redis-stream', url: `redis://:${text.replace('PLACE', cwd)}@127.0.0.1:1` },
        outbox: { path: 'o.db' },
        retry: { attempts: 1 },
      }),
    )
    const env = { CREDENTIALS_DIRECTORY: cwd, DEBUG: '*' }
    for (const args of [['produce'], ['produce', '--json'], ['config', 'show'], ['produce', '--log-level', 'trace']]) {
      const { code, stdout, stderr } = await owm(args, { cwd, env })
      expect(code).toBe(args[0] === 'config' ? 0 : 75)
      expect(stdout + stderr).not.toMatch(/Hunter2|s3cret/)
    }
  })

  it('that are not there, or no files, name key, file and place: 78', async () => {
    const cwd = await folderWith({
      sink: { use: 'jsonl', path: '${file:/nowhere/key}' },
      source: { use: '${file:/tmp}' },
    })
    const { code, json } = await owmJson<{ error: { message: string } }>(['config', 'show'], { cwd })
    expect(code).toBe(78)
    expect(json.error.message).toMatch(/sink\.path in .*:1 needs the file \/nowhere\/key/)
    expect(json.error.message).toMatch(/source\.use in .*:1 needs the file \/tmp, .*not a regular file/)
  })

  it('the value of a variable in an ordinary place is no secret; a name can make it one', async () => {
    const place = { city: '${CITY}', state: '${API_TOKEN}', latitude: 1, longitude: 2 }
    const cwd = await folderWith({
      source: { use: 'static-list', locations: [place] },
      sink: { use: 'jsonl', path: '-' },
      outbox: { path: '$${o}.db' },
    })
    const env = { CITY: 'Reykjavík', API_TOKEN: secret }
    const { code, json } = await owmJson<{ tasks: object[]; outbox: { path: string } }>(dry, { cwd, env })
    expect({ code, tasks: json.tasks }).toMatchObject({ code: 0, tasks: [{ city: 'Reykjavík', state: '***' }] })
    expect(json.outbox.path).toBe(join(cwd, '${o}.db'))
  })

  it('are masked in linear time, also 20 long ones in a text that nearly has each of them', async () => {
    const env = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [`SECRET_${index}`, `b${'a'.repeat(40_000 + index)}`]),
    )
    const locations = Object.keys(env).map((name, id) => ({
      id,
      city: 'x',
      latitude: 1,
      longitude: 2,
      note: `\${${name}}`,
    }))
    const cwd = await folderWith({
      source: { use: 'static-list', locations: [...locations, { id: 99, city: 'y', latitude: 1, longitude: 2 }] },
      sink: { use: 'jsonl', path: '-', nope: 'a'.repeat(200_000) },
    })
    const { code, stderr } = await owm(dry, { cwd, env, timeout: 45_000 })
    expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringContaining('sink.nope') })
    expect(stderr).not.toContain('baaaa')
  })
})
