/** `owm plugins …`, as a process, in folders with plugins of each origin. */
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ProduceResult } from '../../src/commands/produce.js'
import type { PluginReport } from '../../src/plugins/catalogue.js'
import { folderWith, owm, owmJson, root, temporaryFolder } from '../support/cli.js'

const sourceModule = (name: string): string => `
  import { defineSource, z } from 'owm'
  export default defineSource({
    name: '${name}',
    description: 'places of ${name}',
    options: z.strictObject({
      url: z.url().describe('where it is').meta({ secret: true }),
      reach: z.number().min(0).default(5).describe('how far to look').meta({ unit: 'km' }),
      pages: z.discriminatedUnion('type', [
        z.strictObject({ type: z.literal('page'), limit: z.number().int().default(10).describe('places a page') }),
        z.strictObject({ type: z.literal('cursor'), path: z.string().describe('where the cursor is') }),
      ]).optional().describe('how to read on'),
    }),
    open: () => ({
      async *read() {
        const locations = [{ city: '${name}', latitude: 1, longitude: 2 }]
        yield { locations, resume: '1', position: () => 'the only one' }
      },
    }),
  })`

async function install(folder: string, name: string, manifest: object, module: string): Promise<void> {
  const path = join(folder, 'node_modules', name)
  await mkdir(path, { recursive: true })
  await writeFile(join(path, 'package.json'), JSON.stringify({ name, version: '1.2.3', type: 'module', ...manifest }))
  await writeFile(join(path, 'index.js'), module)
}

/** A configuration's folder that has everything; no owm can be found from it but the one that runs. */
async function richFolder(): Promise<string> {
  const folder = await folderWith({
    source: { use: './local.mjs', url: 'https://example.com' },
    sink: { use: 'jsonl', path: '-' },
    outbox: { path: 'o.db' },
  })
  await writeFile(join(folder, 'local.mjs'), sourceModule('local'))
  await install(folder, 'owm-source-stations', { exports: { '.': { import: './index.js' } } }, sourceModule('stations'))
  await install(
    folder,
    '@acme/owm-sink-queue',
    { exports: './index.js' },
    "throw new Error('no queue on this machine')",
  )
  await install(folder, 'weather-places', { keywords: ['owm-plugin'], exports: './index.js' }, sourceModule('places'))
  await install(folder, 'left-pad', { exports: './index.js' }, 'export default () => {}')
  return folder
}

interface Answer {
  plugins: PluginReport[]
  error?: { code: string; message: string; hint: string }
}

describe('owm plugins', () => {
  it('lists what is built in, installed and local, with every option', async () => {
    const folder = await richFolder()
    const { code, json } = await owmJson<Answer>(['plugins'], { cwd: folder })
    expect(code).toBe(0)
    expect(json.plugins.map(({ use, kind, origin, version }) => [use, kind, origin, version])).toEqual([
      ...json.plugins
        .filter(({ origin }) => origin === 'built in')
        .map(({ use, kind }) => [use, kind, 'built in', null]),
      ['@acme/owm-sink-queue', null, 'installed', '1.2.3'],
      ['owm-source-stations', 'source', 'installed', '1.2.3'],
      ['weather-places', 'source', 'installed', '1.2.3'],
      ['./local.mjs', 'source', 'local', null],
    ])
    const names = json.plugins.map(({ name }) => name)
    expect(names).toEqual(
      expect.arrayContaining(['static-list', 'simulated-db', 'redis-stream', 'jsonl', 'stations', 'places', 'local']),
    )
    expect(json.plugins.find(({ use }) => use === '@acme/owm-sink-queue')).toMatchObject({
      error: expect.stringContaining('no queue on this machine'),
    })
    expect(json.plugins.find(({ use }) => use === 'owm-source-stations')?.options).toEqual([
      { name: 'url', type: 'URL', unit: null, required: true, secret: true, description: 'where it is' },
      {
        name: 'reach',
        type: 'number, 0 or more',
        unit: 'km',
        required: false,
        secret: false,
        description: 'how far to look',
        default: 5,
      },
      { name: 'pages', type: 'object', unit: null, required: false, secret: false, description: 'how to read on' },
      { name: 'pages.type', type: 'page or cursor', unit: null, required: true, secret: false, description: '' },
      {
        name: 'pages.limit',
        type: 'integer',
        unit: null,
        required: false,
        secret: false,
        description: 'with `type: page`: places a page',
        default: 10,
      },
      {
        name: 'pages.path',
        type: 'text',
        unit: null,
        required: false,
        secret: false,
        description: 'with `type: cursor`, required: where the cursor is',
      },
    ])

    // A line each; `owm plugins show` has the options.
    const { stdout, stderr } = await owm(['plugins'], { cwd: folder })
    expect({ stderr, lines: stdout.split('\n').length - 1 }).toEqual({ stderr: '', lines: json.plugins.length })
    expect(stdout).toContain('\nowm-source-stations (source, installed, 1.2.3): places of stations\n')
    expect(stdout).toMatch(
      /^@acme\/owm-sink-queue \(plugin, installed, 1\.2\.3\): can't be used: .*no queue on this machine$/m,
    )
    expect(stdout).not.toContain('how far to look')

    // An installed one is used by its package's name.
    const produced = await owm(
      ['produce', '--source', 'owm-source-stations', '--set', 'source.url=https://example.com'],
      { cwd: folder },
    )
    expect(JSON.parse(produced.stdout)).toMatchObject({ city: 'stations' })
  })

  it('says of one that is named and not there that it is missing', async () => {
    const cwd = await folderWith({ source: { use: 'owm-source-gone' }, sink: { use: 'jsonl', path: 'x' } })
    const { json } = await owmJson<Answer>(['plugins'], { cwd })
    expect(json.plugins.at(-1)).toMatchObject({ use: 'owm-source-gone', origin: 'missing', error: expect.any(String) })
  })

  it('needs no configuration', async () => {
    const { code, json } = await owmJson<Answer>(['plugins'], { cwd: await temporaryFolder() })
    expect(code).toBe(0)
    expect(new Set(json.plugins.map(({ origin }) => origin))).toEqual(new Set(['built in']))
  })
})

describe('owm plugins show', () => {
  it('one plugin, all options, an example that works', async () => {
    const folder = await richFolder()
    const { code, stdout } = await owm(['plugins', 'show', 'owm-source-stations'], { cwd: folder })
    expect(code).toBe(0)
    expect(stdout).toContain('reach  (number, 0 or more; km; default 5)\n    how far to look\n')
    const example = stdout.slice(stdout.indexOf('source:'))
    expect(example).toBe(`source:\n  use: owm-source-stations\n  url: \${URL}\n  # reach: 5\n`)
    await writeFile(join(folder, 'shown.yaml'), example)
    const dry = await owm(
      ['produce', '--config', 'shown.yaml', '--dry-run', '--sink', 'jsonl', '--set', 'sink.path=x'],
      {
        cwd: folder,
        env: { URL: 'https://example.com' },
      },
    )
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining('1 location read') })
    // By the plugin's own name, and by a path from here.
    for (const name of ['stations', './local.mjs'])
      expect((await owm(['plugins', 'show', name], { cwd: folder })).code).toBe(0)
  })

  it.each([
    ['simulated', 2, /no plugin "simulated"/, /Did you mean `simulated-db`\?/],
    ['nothing-like-it', 2, /no plugin "nothing-like-it"/, /`owm plugins` lists/],
    ['@acme/owm-sink-queue', 78, /no queue on this machine/, /Correct the plugin/],
    ['./nope.mjs', 78, /no plugin module at .*nope\.mjs/, /\w/],
  ])('%s: exit %i', async (name, exit, message, hint) => {
    const folder = await richFolder()
    const { code, json } = await owmJson<Answer>(['plugins', 'show', name], { cwd: folder })
    expect(code).toBe(exit)
    expect(json.error?.message).toMatch(message)
    expect(json.error?.hint).toMatch(hint)
  })
})

it.each([
  ['./stations/', /is a folder/, /such as \.\/stations\/index\.js/],
  ['https://example.com/x.mjs', /is an address/, /^Save it as a file/],
  ['data:text/javascript,export default 1', /is an address/, /^Save it as a file/],
])('use: %s is told of, without what npm would install', async (use, message, hint) => {
  const cwd = await folderWith({ source: { use }, sink: { use: 'jsonl', path: 't.jsonl' } })
  await mkdir(join(cwd, 'stations'))
  const { code, json } = await owmJson<Answer>(['produce', '--dry-run'], { cwd })
  expect({ code, error: json.error }).toMatchObject({
    code: 78,
    error: { message: expect.stringMatching(message), hint: expect.stringMatching(hint) },
  })
})

describe('what a plugin imports of owm is the owm that runs', () => {
  const stranger = 'export const all = () => console.log("OnlyWhatMatters")'
  const surroundings: [string, (folder: string) => Promise<void>][] = [
    ['with nothing beside it', async () => undefined],
    [
      'beside the other package that is called owm',
      (folder) => install(folder, 'owm', { exports: './index.js' }, stranger),
    ],
    [
      'beside an owm-producer that is too old for it',
      (folder) => install(folder, 'owm-producer', { exports: './index.js' }, 'export const z = undefined'),
    ],
  ]
  const cases = surroundings.flatMap(([where, prepare]) =>
    ['owm', 'owm-producer'].flatMap((name) => ['mjs', 'ts'].map((type) => [name, type, where, prepare] as const)),
  )

  it.each(cases)("'%s' in a .%s file %s", async (name, type, _, prepare) => {
    const folder = await temporaryFolder()
    await prepare(folder)
    const text = sourceModule('named').replace("'owm'", `'${name}'`)
    await writeFile(join(folder, `plugin.${type}`), `${text}\nexport { sourceChecks } from '${name}/testing'\n`)
    const { code, json } = await owmJson<{ plugin: PluginReport }>(['plugins', 'show', `./plugin.${type}`], {
      cwd: folder,
    })
    expect({ code, json }).toMatchObject({ code: 0, json: { plugin: { error: null, description: 'places of named' } } })
  })
})

it('a copy of owm that a plugin brings counts as this one', async () => {
  const folder = await folderWith({
    source: { use: './own.mjs' },
    sink: { use: 'jsonl', path: 't.jsonl' },
    outbox: { path: 'o.db' },
  })
  const copy = join(folder, 'vendor', 'owm')
  await mkdir(copy, { recursive: true })
  for (const part of ['dist', 'package.json']) await cp(join(root, part), join(copy, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  await writeFile(
    join(folder, 'own.mjs'),
    `import { ConfigurationError, defineSource, Malformed, z } from './vendor/owm/dist/index.js'
     const options = z.strictObject({ fails: z.boolean().default(false) })
     const open = ({ fails }, { attempt }) => ({ async *read() {
       await attempt(async () => { if (fails) throw new ConfigurationError('for good', { hint: 'Fix it.' }) })
       yield { locations: [new Malformed('a,b', 'too short')], resume: '1', position: () => 'line 1' }
     } })
     export default defineSource({ name: 'own', description: 'own', options, open })`,
  )
  const failed = await owmJson<ProduceResult & { error: object }>(['produce', '--set', 'source.fails=true'], {
    cwd: folder,
  })
  expect(failed).toMatchObject({ code: 78, stderr: '', json: { error: { message: 'for good', hint: 'Fix it.' } } })
  const { json } = await owmJson<ProduceResult>(['produce', '--outbox', 'o.db'], { cwd: folder })
  expect(json.source).toMatchObject({ read: 1, rejected: 1 })
  const { stdout } = await owm(['outbox', 'inspect', '--state', 'rejected'], { cwd: folder })
  expect(stdout).toMatch(/line 1 .*a,b +too short/)
})

describe('a command that is not there: 2, on standard error, without a question', () => {
  it.each([
    [['prodcue'], 'Did you mean `owm produce`?'],
    [['outbox', 'inspct'], 'Did you mean `owm outbox inspect`?'],
    [['plugins', 'shwo'], 'Did you mean `owm plugins show`?'],
    [['runs', 'shwo'], 'Did you mean `owm runs show`?'],
    [['outbox', '12:00'], '`owm outbox --help` lists what there is.'],
    [['xyzzy'], '`owm --help` lists what there is.'],
  ])('%j', async (args, hint) => {
    const cwd = await temporaryFolder()
    expect(await owm(args, { cwd })).toEqual({
      code: 2,
      signal: null,
      stdout: '',
      stderr: `owm: There is no command \`owm ${args.join(' ')}\`.\n     ${hint}\n`,
    })
    const { code, json, stderr } = await owmJson<object>(args, { cwd })
    expect({ code, json, stderr }).toEqual({
      code: 2,
      json: { error: { code: 'USAGE', message: expect.any(String), hint } },
      stderr: '',
    })
  })
})

describe('an argument where the command takes none: 2, as it was typed, and the result keeps its shape', () => {
  const slot = '2026-11-27T06:00:00Z'
  it.each([
    [['produce', 'everything'], 'everything', '`owm produce --help` lists the flags.', 'source'],
    [['runs', '12:00'], '12:00', '`owm runs --help` lists the flags.', 'pipelines'],
    [['verify', slot], slot, 'Did you mean `--slot TIME`? `owm verify --help` lists the flags.', 'slots'],
    [
      ['verify', '--limit', '3', slot],
      slot,
      'Did you mean `--slot TIME`? `owm verify --help` lists the flags.',
      'slots',
    ],
    [['outbox', 'inspect', 'a:b c'], 'a:b c', '`owm outbox inspect --help` lists the flags.', 'runs'],
  ])('%j', async (args, surplus, hint, key) => {
    const cwd = await temporaryFolder()
    const message = `Unexpected argument: ${surplus}`
    expect(await owm(args, { cwd })).toEqual({
      code: 2,
      signal: null,
      stdout: '',
      stderr: `owm: ${message}\n     ${hint}\n`,
    })
    const { code, json, stderr } = await owmJson<object>(args, { cwd })
    expect({ code, stderr }).toEqual({ code: 2, stderr: '' })
    expect(json).toMatchObject({ [key]: expect.anything(), error: { code: 'USAGE', message, hint } })
  })
})
