import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Loaded, loadConfig, type Overrides, pluginOptions } from '../../src/config/load.js'
import { defineConfig } from '../../src/config/schema.js'
import { ConfigurationError, ConfigurationErrors } from '../../src/errors/index.js'
import { loadSink, loadSource } from '../../src/plugins/load.js'
import { folderWith, owm, owmJson, type Ran, type RunOptions, root, temporaryFolder } from '../support/cli.js'

/** What a dry run tells about the configuration in force. */
interface Seen {
  source: { name: string; read: number }
  outbox: { path: string }
  sink: { name: string }
  tasks: { city: string; state: string }[]
  error?: { code: string; message: string; hint: string }
}

const dryRun = (args: readonly string[], options: RunOptions): Promise<Ran & { json: Seen }> =>
  owmJson<Seen>(['produce', '--dry-run', ...args], options)

const minimal = { source: { use: 'simulated-db', count: 3 }, sink: { use: 'jsonl', path: 'tasks.jsonl' } }
const inJson = JSON.stringify(minimal)
const inYaml = 'source:\n  use: simulated-db\n  count: 3\nsink:\n  use: jsonl\n  path: tasks.jsonl\n'

/** A folder with these files; a key may be a path. */
async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder()
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  return folder
}

async function errorOf(
  config: unknown,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<{ text: string; file: string }> {
  const cwd = await folderWith(config)
  const { code, json } = await dryRun(args, { cwd, ...options })
  expect(json.error?.code).toBe('CONFIGURATION')
  expect(code).toBe(78)
  return { text: `${json.error?.message}\n${json.error?.hint}`, file: join(cwd, '.owmrc.json') }
}

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
      'owm.config.ts': `const count: number = 3\nexport default { source: { use: 'simulated-db', count }, sink: { use: 'jsonl', path: '-' } }`,
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

  // Port 1 of loopback answers nobody, so the error names the address that was really asked.
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

  it.each(['source.count', '=5', 'source..count=5', '__proto__.polluted=1', '.=1'])(
    '%s is no assignment: 2',
    async (assignment) => {
      const { code, json } = await dryRun(['--set', assignment], { cwd: await folderWith(minimal) })
      expect({ code, error: json.error?.code }).toEqual({ code: 2, error: 'USAGE' })
    },
  )

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
      async *read() { yield { locations: [{ city: 'Mine', latitude: 1, longitude: 2 }], resume: '1', position: String } },
    }) }`
  const folder = await folderOf({
    'etc/owm.yaml': 'source: {use: ./mine.mjs}\nsink: {use: jsonl, path: "-"}\n',
    'etc/mine.mjs': plugin,
  })
  const { json } = await dryRun(['--config', 'etc/owm.yaml'], { cwd: folder })
  expect(json.tasks).toMatchObject([{ city: 'Mine' }])
})

it('without any configuration nothing is guessed: 78, and owm init is named', async () => {
  const cwd = await temporaryFolder()
  const { code, stdout, stderr } = await owm(['produce'], { cwd })
  expect({ code, stdout }).toEqual({ code: 78, stdout: '' })
  expect(stderr).toContain('owm init')
  expect(await readdir(cwd)).toEqual([])
})

// --- in this process: no command is needed to see what a configuration means ---

/** What the configuration in a folder means, its plugins' options included; or what is wrong with it. */
async function settingsOf(
  files: Record<string, string>,
  overrides: Overrides = {},
  env: Record<string, string> = {},
): Promise<Loaded> {
  const loaded = await loadConfig(overrides, env, await folderOf(files))
  for (const kind of ['source', 'sink'] as const) {
    const { use } = loaded.settings[kind] ?? {}
    if (use !== undefined)
      await pluginOptions(
        loaded,
        kind,
        (await (kind === 'source' ? loadSource : loadSink)(use, loaded.baseDir)).options,
      )
  }
  return loaded
}

/** Its messages and hints, without the folder. */
async function mistakesOf(...given: Parameters<typeof settingsOf>): Promise<string[]> {
  const error: unknown = await settingsOf(...given).catch((thrown: unknown) => thrown)
  if (!(error instanceof ConfigurationError)) throw new Error(`a ConfigurationError was expected, not ${error}`)
  const all = error instanceof ConfigurationErrors ? error.all : [error]
  return all.map(({ message, hint }) => `${message} ${hint ?? ''}`.trim().replaceAll(/\/\S*owm-test-[^/]*\//g, ''))
}

describe('an error leads to the line and the key', () => {
  it('in YAML, all of them at once, with the value and the nearest name', async () => {
    const text = [
      '# first line',
      'source:',
      '  use: simulated-db',
      '  count: 3',
      'sink: {use: jsonl, path: "-"}',
      'retry:',
      '  attempts: many',
      '  maxdelayms: 5',
      'flush: {batchSize: 0}',
      'outbx: {}',
      '',
    ].join('\n')
    expect(await mistakesOf({ '.owmrc.yaml': text })).toEqual([
      expect.stringMatching(/^flush\.batchSize in \.owmrc\.yaml:9 is wrong: .* \(it is 0\)\.$/),
      expect.stringMatching(/^retry\.attempts in \.owmrc\.yaml:7 is wrong: .*number.* \(it is "many"\)\.$/),
      'retry.maxdelayms in .owmrc.yaml:8 is not a known key. Did you mean `maxDelayMs`?',
      'outbx in .owmrc.yaml:10 is not a known key. Did you mean `outbox`?',
    ])
  })

  it.each([
    ['.owmrc', 'source:\n  use: simulated-db\n  cuont: 1\n', '.owmrc:3'],
    ['.owmrc.yml', 'sink: &all {use: simulated-db,\n  cuont: 1}\nsource: *all\n', '.owmrc.yml:2'],
    ['.owmrc.yaml', '\nsource:\n  <<: {use: simulated-db,\n    cuont: 1}\n', '.owmrc.yaml:2'],
    ['.owmrc.json', '{\n\t"source": {\n\t\t"use": "simulated-db",\n\t\t"cuont": 1\n\t}\n}', '.owmrc.json:4'],
    [
      'package.json',
      '{\n "name": "x",\n "source": {"cuont": 1},\n "owm": {\n  "source": {\n   "use": "simulated-db",\n   "cuont": 1}}}',
      'package.json:7',
    ],
    ['.config/owmrc.yaml', '\n\nsource: {use: simulated-db,\n  cuont: 1}\n', '.config/owmrc.yaml:4'],
    [
      'owm.config.mjs',
      'export default {\n  source: {\n    use: "simulated-db",\n    cuont: 1 } }',
      'owm.config.mjs is',
    ],
  ])('of %s', async (file, text, place) => {
    const mistakes = await mistakesOf({ [file]: text })
    expect(mistakes.find((mistake) => mistake.startsWith('source.cuont'))).toContain(`source.cuont in ${place}`)
  })

  it('of what encloses a value that is missing', async () => {
    expect(await mistakesOf({ '.owmrc.yaml': 'source: {use: simulated-db}\nsink:\n  use: jsonl\n' })).toEqual([
      expect.stringMatching(/^sink\.path in \.owmrc\.yaml:2 is wrong: .*Correct this value\.$/),
    ])
  })

  it('or to the flag or the variable that gave the value', async () => {
    const files = { '.owmrc.yaml': inYaml }
    const mistakes = async (overrides: Overrides, env = {}): Promise<string[]> => mistakesOf(files, overrides, env)
    expect(await mistakes({ set: ['source.count=many'] })).toEqual([
      expect.stringContaining('source.count from --set source.count is wrong'),
    ])
    expect(await mistakes({ set: ['source={"use":"simulated-db","count":"many"}'] })).toEqual([
      expect.stringContaining('source.count from --set source is wrong'),
    ])
    expect(await mistakes({ sink: 'redis-stream' }, { OWM_REDIS_URL: 'http://x' })).toEqual([
      expect.stringContaining('sink.url from OWM_REDIS_URL is wrong'),
    ])
    expect(await mistakes({ source: 'static-list' })).toEqual([
      expect.stringContaining('source from --source is wrong'),
    ])
  })

  it('also to those of a plugin, the nearest of the values that it knows', async () => {
    const text = 'source: {use: simulated-db}\nsink:\n  use: redis-stream\n  onFull: trimm\n  maxLenght: 5\n'
    expect(await mistakesOf({ '.owmrc.yaml': text })).toEqual([
      expect.stringMatching(
        /^sink\.onFull in \.owmrc\.yaml:4 is wrong: .*trim.* \(it is "trimm"\)\. Did you mean `trim`\?$/,
      ),
      'sink.maxLenght in .owmrc.yaml:5 is not a known key. Did you mean `maxLength`?',
    ])
  })

  it('and to every variable that is missing', async () => {
    const text = `${inYaml}outbox:\n  path: \${HERE}/\${THERE}.db\n`.replace('tasks.jsonl', '${TASKS}')
    expect(await mistakesOf({ '.owmrc.yaml': text }, {}, { THERE: 'x' })).toEqual([
      expect.stringContaining('sink.path in .owmrc.yaml:6 needs the environment variable TASKS'),
      expect.stringContaining('outbox.path in .owmrc.yaml:8 needs the environment variable HERE'),
    ])
  })

  it.each([
    ['.owmrc.yaml', 'source:\n  use: x\nsink: [a, b\n', /\.owmrc\.yaml:4:1 can't be read/],
    ['.owmrc.yaml', 'source:\n  use: x\n use: redis://:hunter2hunter2@h\n', /\.owmrc\.yaml:3:\d+ can't be read/],
    [
      '.owmrc.json',
      '{\n  "source": {"use": "x", "url": "redis://:hunter2hunter2@h"\n  "sink": 1}',
      /\.owmrc\.json:\d:\d+ can't be read/,
    ],
    ['.owmrc.json', '{"source": }', /\.owmrc\.json:1:12 can't be read/],
  ])('%s that cannot be parsed: %j', async (file, text, expected) => {
    const [mistake = ''] = await mistakesOf({ [file]: text })
    expect(mistake).toMatch(expected)
    expect(mistake).not.toContain('hunter2')
  })

  it('but never to a secret', async () => {
    const plugin = `import { z } from '${join(root, 'node_modules', 'zod', 'index.js')}'
      export default { kind: 'source', name: 'mine', description: '', open: () => ({}), options: z.strictObject({
        auth: z.strictObject({ user: z.string(), key: z.number().meta({ secret: true }).optional() }),
        pass: z.union([z.number(), z.array(z.number())]).optional().meta({ secret: true }), password: z.number().optional(), note: z.number().optional(),
      }) }`
    const wrong =
      'source: {use: ./mine.mjs, auth: {user: 5, key: hunter2a}, pass: hunter2b, password: hunter2c, note: "postgres://u:hunter2d@h/db"}\nsink: {use: jsonl, path: x}\n'
    const mistakes = await mistakesOf({ '.owmrc.yaml': wrong, 'mine.mjs': plugin })
    expect(mistakes.map((mistake) => mistake.split(' ')[0])).toEqual([
      'source.auth.user',
      'source.auth.key',
      'source.pass',
      'source.password',
      'source.note',
    ])
    expect(mistakes.join()).not.toContain('hunter2')
    expect(mistakes[2]).toContain('expected number or array')
    const [whole = ''] = await mistakesOf({
      '.owmrc.yaml': 'source: {use: ./mine.mjs, auth: [{key: hunter2a, password: hunter2c}]}\n',
      'mine.mjs': plugin,
    })
    expect(whole).toContain('source.auth')
    expect(whole).not.toContain('hunter2')
  })
})

it('a JSON file may name its schema, for editors', async () => {
  const { settings } = await settingsOf({ '.owmrc.json': JSON.stringify({ $schema: './owm.schema.json', ...minimal }) })
  expect(settings).toMatchObject(minimal)
})

describe('pipelines', () => {
  const shared = {
    source: { use: 'simulated-db', pageSize: 7, limit: 3 },
    sink: { use: 'jsonl', path: 'tasks.jsonl' },
    retry: { attempts: 2 },
    pipelines: {
      hourly: { source: { count: 50 }, retry: { maxDelayMs: 5 } },
      daily: { source: { use: 'static-list', locations: [] }, outbox: { path: './mine.db' } },
      idle: null,
    },
  }
  const files = (config: unknown): Record<string, string> => ({ '.owmrc.json': JSON.stringify(config, null, 1) })

  it('each have what they say, then what all share, then the defaults', async () => {
    const { settings, pipeline, baseDir } = await settingsOf(files(shared), { pipeline: 'hourly' })
    expect({ pipeline, ...settings }).toMatchObject({
      pipeline: 'hourly',
      source: { use: 'simulated-db', pageSize: 7, count: 50, limit: 3 },
      sink: { use: 'jsonl', path: 'tasks.jsonl' },
      outbox: { path: '/tmp/owm_producer_tasks-hourly.db', keepRuns: 1_000 },
      retry: { attempts: 2, maxDelayMs: 5, initialDelayMs: 1_000 },
    })
    expect(baseDir).toContain('owm-test-')
    expect((await settingsOf(files(shared), { pipeline: 'idle' })).settings.retry).toMatchObject({
      attempts: 2,
      maxDelayMs: 10_000,
    })
  })

  it("another plugin than that of all doesn't get its options, but owm's own", async () => {
    const { settings, baseDir } = await settingsOf(files(shared), {}, { OWM_PIPELINE: 'daily' })
    expect(settings.source).toEqual({
      use: 'static-list',
      locations: [],
      limit: 3,
      timeoutMs: 60_000,
      maxLocations: 100_000_000,
    })
    expect(settings.outbox.path).toBe(join(baseDir, 'mine.db'))
  })

  it('never share an outbox by accident', async () => {
    const config = { ...shared, outbox: { path: './o.db' } }
    const { settings, baseDir } = await settingsOf(files(config), { pipeline: 'hourly' })
    expect(settings.outbox.path).toBe(join(baseDir, 'o-hourly.db'))
    const same = { ...shared, pipelines: { ...shared.pipelines, hourly: { outbox: { path: 'x/../mine.db' } } } }
    expect(await mistakesOf(files(same), { pipeline: 'hourly' })).toEqual([
      expect.stringMatching(/hourly and daily .* have the same outbox/),
    ])
  })

  it('flag, environment, file, default: the first that says something wins here, too', async () => {
    const env = { OWM_PIPELINE: 'daily', OWM_OUTBOX: '/in/the/environment.db', OWM_SINK: 'redis-stream' }
    const overrides = { pipeline: 'hourly', set: ['source.count=9'] }
    const { settings, pipeline } = await settingsOf(files(shared), overrides, env)
    expect({ pipeline, ...settings }).toMatchObject({
      pipeline: 'hourly',
      source: { count: 9 },
      sink: { use: 'redis-stream' },
      outbox: { path: '/in/the/environment.db' },
    })
    expect((await settingsOf(files(shared), { ...overrides, outbox: '/in/a/flag.db' }, env)).settings.outbox.path).toBe(
      '/in/a/flag.db',
    )
  })

  it('that is not named: the only one is meant, of several their names are said', async () => {
    expect((await settingsOf(files({ ...shared, pipelines: { only: {} } }))).pipeline).toBe('only')
    expect(await mistakesOf(files(shared))).toEqual([
      expect.stringMatching(/hourly, daily, idle\. Name one with --pipeline or OWM_PIPELINE\.$/),
    ])
  })

  it.each([
    ['a name that is not there', shared, { pipeline: 'hurly' }, /no pipeline hurly .*Did you mean `hourly`\?/],
    ['a name that resembles none', shared, { pipeline: 'x' }, /no pipeline x .*hourly, daily, idle/],
    ['a name, but no pipelines', minimal, { pipeline: 'hourly' }, /no pipeline hourly/],
    ['a list', { ...shared, pipelines: [1] }, {}, /pipelines in \.owmrc\.json must be a mapping/],
    [
      'a pipeline that is none',
      { ...shared, pipelines: { hourly: 5 } },
      {},
      /pipelines\.hourly in \.owmrc\.json:\d+ must be/,
    ],
    [
      'a name that leads elsewhere',
      { ...shared, pipelines: { '../x': {} } },
      {},
      /"\.\.\/x" in \.owmrc\.json:\d+ needs another name/,
    ],
    [
      'a key that is not known',
      { ...shared, pipelines: { hourly: { source: { cuont: 1 } } } },
      {},
      /source\.cuont in \.owmrc\.json:17 .*`count`/,
    ],
    [
      'a section that is not known',
      { ...shared, pipelines: { hourly: { sorce: {} } } },
      {},
      /^sorce in \.owmrc\.json:16 .*`source`/,
    ],
  ])('%s is wrong', async (_, config, overrides, expected) => {
    expect(await mistakesOf(files(config), overrides)).toEqual([expect.stringMatching(expected)])
  })

  it('run by themselves, each with an outbox of its own', async () => {
    const cwd = await folderWith({
      sink: { use: 'jsonl', path: 'tasks.jsonl' },
      outbox: { path: 'o.db' },
      source: { use: 'simulated-db', count: 5 },
      pipelines: { hourly: {}, daily: { source: { count: 3 } } },
    })
    for (const [name, read] of Object.entries({ hourly: 5, daily: 3 })) {
      const { code, json } = await owmJson<Seen>(['produce', '--pipeline', name], { cwd })
      expect({ code, read: json.source.read, outbox: json.outbox.path }).toEqual({
        code: 0,
        read,
        outbox: join(cwd, `o-${name}.db`),
      })
    }
  })

  it('are typed in owm.config.ts', () => {
    const part = { source: { use: 'simulated-db', count: 5 } }
    expect(
      defineConfig({ pipelines: { hourly: part, daily: {} }, sink: { use: 'jsonl', path: '-' } }).pipelines,
    ).toHaveProperty('hourly', part)
    expect(defineConfig({ ...part, sink: { use: 'jsonl' }, flush: { batchSize: 5 } }).pipelines).toBeUndefined()
    const wrong = [
      // @ts-expect-error a source needs a plugin
      defineConfig({ source: { count: 5 } }),
      // @ts-expect-error batchsize is no key
      defineConfig({ flush: { batchsize: 5 } }),
      // @ts-expect-error nor in a pipeline
      defineConfig({ pipelines: { hourly: { flush: { batchsize: 5 } } } }),
      // @ts-expect-error a box has four sides
      defineConfig({ source: { use: 'x', where: { bbox: [1, 2] } } }),
    ]
    expect(wrong).toHaveLength(4)
  })
})
