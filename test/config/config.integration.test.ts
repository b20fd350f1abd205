import { chmod, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderWith, owm, owmJson, temporaryFolder } from '../support/cli.js'
import { dryRun, errorOf, folderOf, inJson, inYaml, minimal, type Seen } from './scene.js'

describe('a configuration is found in', () => {
  it.each([
    ['.owmrc', inYaml],
    ['.owmrc.yaml', inYaml],
    ['.owmrc.yml', inYaml],
    ['.owmrc.json', inJson],
    ['package.json', JSON.stringify({ name: 'weather', owm: minimal })],
    ['.owmrc.mjs', `export default ${inJson}`],
    ['.owmrc.cjs', `module.exports = ${inJson}`],
    ['.owmrc.js', `module.exports = ${inJson}`],
    ['.owmrc.ts', `const config: {source: object; sink: object} = ${inJson}\nexport default config`],
    ['owm.config.mjs', `export default ${inJson}`],
    ['owm.config.cjs', `module.exports = ${inJson}`],
    ['owm.config.js', `module.exports = ${inJson}`],
    ['owm.config.ts', `interface Config { source: object; sink: object }\nexport default ${inJson} satisfies Config`],
    ['.config/owmrc.yaml', inYaml],
    ['.config/owmrc.json', inJson],
    ['.config/owmrc.mjs', `export default ${inJson}`],
    ['.config/owmrc.ts', `export default ${inJson} as const`],
  ])('%s', async (name, text) => {
    const { code, json } = await dryRun([], { cwd: await folderOf({ [name]: text }) })
    expect(json).toMatchObject({ source: { name: 'simulated-db', read: 3 }, sink: { name: 'jsonl' } })
    expect(code).toBe(0)
  })

  it('owm.config.ts of a folder that can only be read', async () => {
    const cwd = await folderOf({
      'owm.config.ts': `const count: number = 3
        export default { source: { use: 'simulated-db', count }, sink: { use: 'jsonl', path: '-' } }`,
    })
    await chmod(cwd, 0o555)
    const before = await stat(cwd, { bigint: true })
    const { code, json } = await dryRun([], { cwd })
    expect({ code, read: json.source.read }).toEqual({ code: 0, read: 3 })
    // Root may write even there: a file that came and went would show in the folder's time.
    expect((await stat(cwd, { bigint: true })).mtimeNs).toBe(before.mtimeNs)
    expect(await readdir(cwd)).toEqual(['owm.config.ts'])
  })

  it('the file that --config names, before the one that OWM_CONFIG names, before the one in the folder', async () => {
    const config = (count: number): string => JSON.stringify({ ...minimal, source: { use: 'simulated-db', count } })
    const cwd = await folderOf({
      '.owmrc.json': config(1),
      'by-environment.json': config(2),
      'sub/by-flag.json': config(3),
    })
    const env = { OWM_CONFIG: 'by-environment.json' }
    expect((await dryRun([], { cwd })).json.source.read).toBe(1)
    expect((await dryRun([], { cwd, env })).json.source.read).toBe(2)
    expect((await dryRun(['--config', 'sub/by-flag.json'], { cwd, env })).json.source.read).toBe(3)
  })

  it.each([
    ['.owmrc.yaml', ''],
    ['.owmrc.yaml', '# source: {use: static-list}\n'],
    ['.owmrc.yaml', '---\n# source: {use: static-list}\n'],
    ['.owmrc.yaml', '~'],
    ['.owmrc.json', 'null'],
    ['owm.config.mjs', 'export default null'],
    ['package.json', '{"name": "x", "owm": null}'],
  ])('an empty %s (%j): none further up is read in its place, nor flags alone if it is named', async (name, text) => {
    const cwd = await folderOf({ '.owmrc.json': JSON.stringify(minimal), [`sub/${name}`]: text })
    const named = ['--config', `sub/${name}`, '--source', 'simulated-db', '--set', 'source.count=1', '--sink', 'jsonl']
    for (const empty of [await dryRun([], { cwd: join(cwd, 'sub') }), await dryRun(named, { cwd })]) {
      const message = `The configuration ${join(cwd, 'sub', name)} is empty.`
      expect({ code: empty.code, message: empty.json.error?.message }).toEqual({ code: 78, message })
    }
  })

  it('a manifest that is named, but has no key for owm', async () => {
    const cwd = await folderOf({ 'package.json': '{"name": "x"}' })
    const { code, json } = await dryRun(['--config', 'package.json'], { cwd })
    const message = `${join(cwd, 'package.json')} has no key \`owm\`: it configures nothing.`
    expect({ code, message: json.error?.message }).toEqual({ code: 78, message })
  })

  it('nothing, where --config names the device for it', async () => {
    const flags = ['--source', 'simulated-db', '--set', 'source.count=1', '--sink', 'jsonl', '--set', 'sink.path=-']
    const { code, json } = await dryRun(['--config', '/dev/null', ...flags], { cwd: await temporaryFolder() })
    expect({ code, read: json.source.read }).toEqual({ code: 0, read: 1 })
  })

  it('a byte order mark before its JSON; and the others in the folder are named by a check', async () => {
    const cwd = await folderOf({
      '.owmrc.json': `\ufeff${JSON.stringify({ ...minimal, source: { use: 'simulated-db', count: 3 } })}`,
      '.owmrc.yaml': 'source: {use: simulated-db, count: 5}\n',
    })
    expect((await dryRun([], { cwd })).json.source.read).toBe(3)
    const { stdout } = await owm(['config', 'check'], { cwd })
    expect(stdout).toMatch(/^warn {2}configuration: \S+\.owmrc\.json\. Beside it \.owmrc\.yaml doesn't count/)
  })

  it('nor is a package.json with one JSON for who looks for the file: that is said', async () => {
    const cwd = await folderOf({ 'package.json': '\ufeff{"name": "x"}', '.owmrc.json': inJson })
    const { code, stderr } = await owm(['produce', '--dry-run'], { cwd })
    expect({ code, stderr }).toEqual({
      code: 78,
      stderr: expect.stringMatching(
        /package\.json can't be read: it begins with a byte order mark: save it without one/,
      ),
    })
    await writeFile(join(cwd, 'package.json'), Buffer.from('\ufeff{}', 'utf16le'))
    expect((await owm(['produce', '--dry-run'], { cwd })).stderr).toContain('it is UTF-16: save it as UTF-8')
  })

  it.each([
    ['--config', ['--config', 'missing.yaml'], {}],
    ['OWM_CONFIG', [], { OWM_CONFIG: 'missing.yaml' }],
  ])('a file that %s names must be there', async (_, args, env) => {
    const { code, json } = await dryRun(args, { cwd: await folderWith(minimal), env })
    expect({ code, message: json.error?.message }).toEqual({
      code: 78,
      message: expect.stringContaining('missing.yaml'),
    })
  })

  it.each([
    ['.owmrc.yaml', 'source: [unclosed'],
    ['.owmrc.json', '{"source": }'],
    ['.owmrc.yaml', '- a\n- list\n'],
    ['owm.config.ts', 'export default {'],
    ['owm.config.mjs', 'throw new Error("on purpose")'],
  ])('%s, which is named when it says %j', async (name, text) => {
    const cwd = await folderOf({ [name]: text })
    const { code, json } = await dryRun([], { cwd })
    expect({ code, message: json.error?.message }).toEqual({ code: 78, message: expect.stringContaining(name) })
  })
})

it('reads YAML whose keys are lists without a warning of its parser', async () => {
  const cwd = await folderOf({
    '.owmrc.yaml': 'source: {use: static-list, file: list.yaml}\nsink: {use: jsonl, path: "-"}\n',
    'list.yaml': '- {[a, b]: 1, city: X, latitude: 1, longitude: 2}\n',
    'other.yaml': '[a, b]: 1\n',
  })
  expect(await owm(['produce', '--dry-run'], { cwd })).toMatchObject({ code: 0, stderr: '' })
  const other = await owm(['plan', '--config', 'other.yaml'], { cwd })
  expect(other).toMatchObject({ code: 78, stderr: expect.stringMatching(/^owm: \[ a, b \] in /) })
})

describe('flag, environment, file, default: the first that says something wins', () => {
  it.each([
    ['source', 'simulated-db', { name: 'static-list' }],
    ['sink', 'redis-stream', { name: 'jsonl' }],
  ] as const)('%s', async (section, other, { name }) => {
    const cwd = await folderWith({ source: { use: 'static-list', locations: [] }, sink: { use: 'jsonl', path: '-' } })
    const variable = `OWM_${section.toUpperCase()}`
    expect((await dryRun([], { cwd })).json[section].name).toBe(name)
    expect((await dryRun([], { cwd, env: { [variable]: other } })).json[section].name).toBe(other)
    const flagged = await dryRun([`--${section}`, name], { cwd, env: { [variable]: other } })
    expect({ code: flagged.code, name: flagged.json[section].name }).toEqual({ code: 0, name })
  })

  it('outbox', async () => {
    const path = async (config: object, args: string[], env: Record<string, string>): Promise<string> =>
      (await dryRun(args, { cwd: await folderWith({ ...minimal, ...config }), env })).json.outbox.path
    const file = { outbox: { path: '/in/the/file.db' } }
    expect(await path({}, [], {})).toBe('/tmp/owm_producer_tasks.db')
    expect(await path(file, [], {})).toBe('/in/the/file.db')
    expect(await path(file, [], { OWM_OUTBOX: '/in/the/environment.db' })).toBe('/in/the/environment.db')
    expect(await path(file, ['--outbox', '/in/a/flag.db'], { OWM_OUTBOX: '/in/the/environment.db' })).toBe(
      '/in/a/flag.db',
    )
    expect(await path(file, ['--set', 'outbox.path=/in/a/flag.db'], { OWM_OUTBOX: '/in/the/environment.db' })).toBe(
      '/in/a/flag.db',
    )
  })

  // Nothing listens on port 1 of loopback, so the error names the address that was really used.
  it('Redis URL', async () => {
    const asked = async (sink: object, args: string[], env: Record<string, string>): Promise<string | undefined> => {
      const cwd = await folderWith({
        source: { use: 'simulated-db', count: 1 },
        sink: { use: 'redis-stream', ...sink },
        outbox: { path: 'o.db' },
        retry: { attempts: 1 },
      })
      const { code, json } = await owmJson<Seen>(['produce', ...args], { cwd, env })
      expect(code).toBe(75)
      return json.error?.message.match(/127\.0\.0\.\d+:\d+/)?.[0]
    }
    const file = { url: 'redis://127.0.0.2:1' }
    const env = { OWM_REDIS_URL: 'redis://127.0.0.3:1' }
    expect(await asked(file, [], {})).toBe('127.0.0.2:1')
    expect(await asked(file, [], env)).toBe('127.0.0.3:1')
    expect(await asked(file, ['--set', 'sink.url=redis://127.0.0.4:1'], env)).toBe('127.0.0.4:1')
  })

  it("no configuration at all, but the environment's Redis and a source: enough", async () => {
    const { code, json } = await dryRun(['--source', 'simulated-db'], {
      cwd: await temporaryFolder(),
      env: { OWM_REDIS_URL: 'redis://127.0.0.1:1' },
    })
    expect({ code, sink: json.sink.name, read: json.source.read }).toEqual({
      code: 0,
      sink: 'redis-stream',
      read: 1_000,
    })
  })

  it("a source or sink that isn't the file's doesn't get that one's options", async () => {
    const cwd = await folderWith({
      source: { use: 'static-list', locations: [{ city: 'x', latitude: 1, longitude: 2 }] },
      sink: { use: 'jsonl', path: '-' },
    })
    const { code, json } = await dryRun(['--source', 'simulated-db', '--sink', 'redis-stream'], { cwd })
    expect({ code, read: json.source.read, error: json.error }).toEqual({ code: 0, read: 1_000, error: undefined })
  })
})

describe('--set', () => {
  it('takes numbers, lists, mappings and text, at any depth, the last one wins', async () => {
    const cwd = await temporaryFolder()
    const { code, json } = await dryRun(
      [
        '--set',
        'source.use=static-list',
        '--set',
        'source.locations=[{"city":"Ærø","latitude":54.9,"longitude":10.3,"state":"A=B"}]',
        '--set',
        'sink={"use":"jsonl","path":"a"}',
        '--set',
        'sink.path=-',
        '--set',
        'outbox.path=/x/y.db',
      ],
      { cwd },
    )
    expect({ code, json }).toMatchObject({
      code: 0,
      json: { tasks: [{ city: 'Ærø', state: 'A=B' }], sink: { name: 'jsonl' }, outbox: { path: '/x/y.db' } },
    })
    const again = await dryRun(['--set', 'source.count=7', '--set', 'source.count=5', '--source', 'simulated-db'], {
      cwd: await folderWith(minimal),
    })
    expect(again.json.source.read).toBe(5)
  })

  it('reaches past the file and keeps what stands beside', async () => {
    const { json } = await dryRun(['--set', 'source.count=2'], { cwd: await folderWith(minimal) })
    expect(json).toMatchObject({ source: { name: 'simulated-db', read: 2 }, sink: { name: 'jsonl' } })
  })

  it.each([
    ...['source.count', '=5', 'source..count=5', '__proto__.polluted=1', '.=1'],
    ...['source.where.country=["DE]', 'source.where={country: [DE}', 'source.where.country=[DE, [FR]'],
  ])('%s is no assignment: 2', async (assignment) => {
    const { code, json } = await dryRun(['--set', assignment], { cwd: await folderWith(minimal) })
    expect({ code, error: json.error?.code }).toEqual({ code: 2, error: 'USAGE' })
  })

  it('unknown keys are named like those of a file', async () => {
    const { code, json } = await dryRun(['--set', 'flush.batchsize=5'], { cwd: await folderWith(minimal) })
    expect({ code, ...json.error }).toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('flush.batchsize'),
      hint: expect.stringContaining('batchSize'),
    })
    expect(code).toBe(78)
  })
})

describe('${NAME}', () => {
  const place = (city: string): object => ({
    ...minimal,
    source: { use: 'static-list', locations: [{ city, state: 'x${A}y${B_2}z', latitude: 1, longitude: 2 }] },
  })

  it('is read from the environment, anywhere in a text, also an empty one', async () => {
    const { json } = await dryRun([], {
      cwd: await folderWith(place('${CITY}')),
      env: { CITY: 'Ulm', A: '1', B_2: '' },
    })
    expect(json.tasks).toMatchObject([{ city: 'Ulm', state: 'x1yz' }])
  })

  it('is not looked for in what came out of the environment', async () => {
    const cwd = await folderWith({ ...place('${CITY}'), sink: { use: 'jsonl', path: '-' }, outbox: { path: 'o.db' } })
    const { stdout } = await owm(['produce'], { cwd, env: { CITY: '${A}', A: 'a', B_2: 'b' } })
    expect(JSON.parse(stdout)).toMatchObject({ city: '${A}' })
  })

  it("gives the outbox's path, which --json then names", async () => {
    const { json } = await dryRun([], {
      cwd: await folderWith({ ...minimal, outbox: { path: '${STATE}/o.db' } }),
      env: { STATE: '/var/lib/weather' },
    })
    expect(json.outbox.path).toBe('/var/lib/weather/o.db')
  })

  it('names key, file and variable when that is not set', async () => {
    const { text, file } = await errorOf({
      ...minimal,
      sink: { use: 'redis-stream', url: 'redis://:${REDIS_PASSWORD}@127.0.0.1:1' },
    })
    expect(text).toContain('sink.url')
    expect(text).toContain(file)
    expect(text).toContain('REDIS_PASSWORD')
  })
})

describe('what is wrong is named:', () => {
  it.each([
    ['a section', { sorce: { use: 'simulated-db' } }, 'sorce', 'source'],
    ['a key of a section', { flush: { batchsize: 5 } }, 'flush.batchsize', 'batchSize'],
    ['a key in another spelling', { retry: { 'max-delay-ms': 5 } }, 'retry.max-delay-ms', 'maxDelayMs'],
    ["a source's option", { source: { use: 'simulated-db', cuont: 5 } }, 'source.cuont', 'count'],
    ["a sink's option", { sink: { use: 'jsonl', paht: '-', path: '-' } }, 'sink.paht', 'path'],
    ["a sink's option, of Redis", { sink: { use: 'redis-stream', maxlen: 5 } }, 'sink.maxlen', 'maxLength'],
  ])('%s that is not known, with the file and the nearest known one', async (_, config, key, near) => {
    const { text, file } = await errorOf({ ...minimal, ...config })
    expect(text).toContain(key)
    expect(text).toContain(file)
    expect(text).toContain(near)
  })

  it('a key that resembles nothing, with those that are known', async () => {
    const { text } = await errorOf({ ...minimal, breaker: { xyzzy: 1 } })
    for (const word of ['breaker.xyzzy', 'failures', 'resetAfterMs']) expect(text).toContain(word)
  })

  it.each([
    ['flush.batchSize', { flush: { batchSize: 0 } }],
    ['flush.batchSize', { flush: { batchSize: '500' } }],
    ['retry.attempts', { retry: { attempts: 1.5 } }],
    ['breaker.failures', { breaker: { failures: -1 } }],
    ['outbox.path', { outbox: { path: '' } }],
    ['outbox', { outbox: 'file.db' }],
    ['source.use', { source: { count: 5 } }],
    ['source.count', { source: { use: 'simulated-db', count: 'many' } }],
    ['source.failureRate', { source: { use: 'simulated-db', failureRate: 2 } }],
    ['sink.path', { sink: { use: 'jsonl' } }],
    ['sink.onFull', { sink: { use: 'redis-stream', onFull: 'panic' } }],
    ['sink.url', { sink: { use: 'redis-stream', url: 'http://127.0.0.1' } }],
  ])('%s, with the file, where its value is %j', async (key, config) => {
    const { text, file } = await errorOf({ ...minimal, ...config })
    expect(text).toContain(key)
    expect(text).toContain(file)
  })

  it.each([
    ['source', 'simulated-bd', 'simulated-db'],
    ['sink', 'redis-steam', 'redis-stream'],
    ['sink', 'carrier-pigeon', 'redis-stream'],
    ['source', './missing.mjs', 'missing.mjs'],
  ])('the %s %s, which is not there', async (section, use, named) => {
    const { text } = await errorOf({ ...minimal, [section]: { use } })
    expect(text).toContain(use)
    expect(text).toContain(named)
  })

  it('a list that has both inline locations and a file', async () => {
    const { text } = await errorOf({ ...minimal, source: { use: 'static-list', locations: [], file: 'x.csv' } })
    expect(text).toContain('source')
  })
})

it('relative paths start at the folder of the configuration file', async () => {
  const folder = await folderOf({
    'etc/owm.yaml':
      'source: {use: static-list, file: ./list.csv}\nsink: {use: jsonl, path: ./tasks.jsonl}\noutbox: {path: ./o.db}\n',
    'etc/list.csv': 'latitude,longitude,city\n1,2,Here\n',
    'elsewhere/list.csv': 'latitude,longitude,city\n',
  })
  const { code, json } = await owmJson<Seen>(['produce', '--config', '../etc/owm.yaml'], {
    cwd: join(folder, 'elsewhere'),
  })
  expect({ code, read: json.source.read, outbox: json.outbox.path }).toEqual({
    code: 0,
    read: 1,
    outbox: join(folder, 'etc', 'o.db'),
  })
  expect(await readdir(join(folder, 'elsewhere'))).toEqual(['list.csv'])
  expect(await readdir(join(folder, 'etc'))).toEqual(expect.arrayContaining(['o.db', 'tasks.jsonl']))
})

it("a plugin's path starts there too", async () => {
  const plugin = `const options = { safeParse: (data) => ({ success: true, data }) }
    export default { kind: 'source', name: 'mine', description: '', options, open: () => ({
      async *read() {
        yield { locations: [{ city: 'Mine', latitude: 1, longitude: 2 }], resume: '1', position: String }
      },
    }) }`
  const folder = await folderOf({
    'etc/owm.yaml': 'source: {use: ./mine.mjs}\nsink: {use: jsonl, path: "-"}\n',
    'etc/mine.mjs': plugin,
  })
  const { json } = await dryRun(['--config', 'etc/owm.yaml'], { cwd: folder })
  expect(json.tasks).toMatchObject([{ city: 'Mine' }])
})
