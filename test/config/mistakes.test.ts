/** What is wrong with a configuration, and where: in this process. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { Overrides } from '../../src/config/values/overrides.js'
import { root } from '../support/cli.js'
import { inYaml, minimal, mistakesOf, settingsOf } from './scene.js'

describe('an error leads to the line and the key', () => {
  it.each([
    ['source', '{use: static-list, __proto__: {limit: 1}}'],
    ['source.where', '{use: static-list, where: {__proto__: x}}'],
    ['sink', '{use: jsonl, path: "-", __proto__: {path: x}}'],
  ])('__proto__ is no key in %s, where plugins have theirs', async (place, section) => {
    const text = `# first line\n${place.replace(/\..*/, '')}: ${section}\n`
    const message = `${place}.__proto__ in .owmrc.yaml:2 is not a known key.`
    expect(await mistakesOf({ '.owmrc.yaml': text })).toEqual([expect.stringContaining(message)])
    const inJson = JSON.stringify(parse(text), null, 2)
    expect(await mistakesOf({ '.owmrc.json': inJson })).toEqual([expect.stringContaining('__proto__ in .owmrc.json:')])
  })

  it('in a file of two documents the second one is named', async () => {
    const two = mistakesOf({ '.owmrc.yaml': `${inYaml}---\nsink: {use: jsonl}\n` })
    expect(await two).toEqual([
      expect.stringMatching(/\.owmrc\.yaml:\d:1 can't be read: a second document begins here/),
    ])
  })

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
      '{\n "name": "x",\n "source": {"cuont": 1},\n "owm": {\n  "source": {\n' +
        '   "use": "simulated-db",\n   "cuont": 1}}}',
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

  it.each([
    ['le', 'are taken'],
    ['group', 'are taken'],
    ['a-b', 'a label has letters, digits and _'],
    ['9', 'begins with no digit'],
  ])('of a name that no label may have: %s', async (name, why) => {
    const text = `${inYaml}metrics:\n  labels:\n    ${name}: x\n`
    expect(await mistakesOf({ '.owmrc.yaml': text })).toEqual([
      expect.stringMatching(
        `^metrics\\.labels\\.${name} in \\.owmrc\\.yaml:9 has a wrong name: .*${why}.*another name`,
      ),
    ])
  })

  it('of what encloses a value that is missing', async () => {
    expect(await mistakesOf({ '.owmrc.yaml': 'source: {use: simulated-db}\nsink:\n  use: jsonl\n' })).toEqual([
      expect.stringMatching(/^sink\.path is missing in \.owmrc\.yaml:2: it must be of type string\. Add it, .*=…`\.$/),
    ])
    expect(await mistakesOf({ '.owmrc.yaml': 'source: {use: simulated-db}\n' }, { sink: 'jsonl' })).toEqual([
      expect.stringContaining('sink.path is missing from --sink: it must be of type string.'),
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

  it("also where owm's own keys stand beside a plugin's, in whatever spelling", async () => {
    const keys = ['min_locations', 'Where', 'sample-size', 'timeoutms'].map((key) => `  ${key}: 1\n`).join('')
    const text = `source:\n  use: simulated-db\n${keys}  null: 1\nsink: {use: jsonl, path: "-"}\n`
    expect(await mistakesOf({ '.owmrc.yaml': text })).toEqual([
      'source.min_locations in .owmrc.yaml:3 is not a known key. Did you mean `minLocations`?',
      'source.Where in .owmrc.yaml:4 is not a known key. Did you mean `where`?',
      expect.stringMatching(/^source\.sample-size .* Known keys here: count, .*minLocations, .*where/),
      'source.timeoutms in .owmrc.yaml:6 is not a known key. Did you mean `timeoutMs`?',
      expect.stringMatching(/^source\. .* write it in quotes\.$/),
    ])
  })

  it.each([
    ['flush: {batchSize: "5"}', /batchSize .*out of its quotes.*--set "flush\.batchSize=\$VARIABLE"/],
    ['task: {traceparent: yes}', /task\.traceparent .* Write `true`\./],
    ['task: {traceparent: Off}', /task\.traceparent .* Write `false`\./],
    ['outbox: ./o.db', /^outbox .* Write `outbox: \{path: …\}`\.$/],
  ])('and says how a value is written: %s', async (line, says) => {
    const mistakes = await mistakesOf({ '.owmrc.yaml': `${inYaml}${line}\n` })
    expect(mistakes).toEqual([expect.stringMatching(says)])
  })

  it('and to those of a condition', async () => {
    const where = [
      '  where:',
      '    size: {gte: abc}',
      '    name: {noot: x}',
      '    a: {}',
      '    b: {gt: 5, lt: 5}',
      '    c: null',
    ]
    const text = `source:\n  use: simulated-db\n${where.join('\n')}\nsink: {use: jsonl, path: "-"}\n`
    expect(await mistakesOf({ '.owmrc.yaml': text })).toEqual([
      expect.stringMatching(/^source\.where\.size\.gte in \.owmrc\.yaml:4 is wrong: .*number.* \(it is "abc"\)\.$/),
      'source.where.name.noot in .owmrc.yaml:5 is not a known key. Did you mean `not`?',
      expect.stringMatching(/^source\.where\.a in \.owmrc\.yaml:6 is wrong: an operator is expected: gte, gt, /),
      'source.where.b in .owmrc.yaml:7 is wrong: no number lies between its bounds.',
      expect.stringMatching(/^source\.where\.c in \.owmrc\.yaml:8 is wrong: .*expected string or number/),
    ])
  })

  it('and to periods in which nothing would ever be due', async () => {
    const rules = ['0m', '-1h', '1w', '3650d'].map((every) => `    - {where: {country: NO}, every: ${every}}`)
    const text = `${inYaml}schedule: {cron: "@hourly"}\ncadence:\n  rules:\n${rules.join('\n')}\n  default: `
    const ofRules = [
      'cadence.rules.0.every in .owmrc.yaml:10 is wrong: a period from 1s to 3650d is expected (it is "0m").',
      expect.stringMatching(/^cadence\.rules\.1\.every in .* a number and a unit are expected: .*"-1h"\)\.$/),
      expect.stringMatching(/^cadence\.rules\.2\.every in .* a number and a unit are expected: .*"1w"\)\.$/),
    ]
    for (const every of ['0h', '0d', '3651d', '99999999999d'])
      expect(await mistakesOf({ '.owmrc.yaml': `${text}${every}\n` })).toEqual([
        `cadence.default in .owmrc.yaml:14 is wrong: a period from 1s to 3650d is expected (it is "${every}").`,
        ...ofRules,
      ])
    expect(await mistakesOf({ '.owmrc.yaml': `${text}1s\n` })).toEqual(ofRules)
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

  it.each([
    'cron: */20 * * * *',
    'cron: * * * * *',
    'cron: @hourly',
    '{cron: */20 * * * *}',
    '[*/20 * * * *]',
    'cron: %H',
    'cron: "*/20" * * * *',
  ])('%s without quotes', async (schedule) => {
    expect(await mistakesOf({ '.owmrc.yaml': `${inYaml}schedule:\n  ${schedule}\n` })).toEqual([
      expect.stringMatching(
        /\.owmrc\.yaml:8:\d+ can't be read: a value that begins with \*, @, % or ` must be in quotes/,
      ),
    ])
  })

  it('of a key that is there twice, in a manifest only of those that are said to owm', async () => {
    const mistakes = async (manifest: string) => mistakesOf({ 'package.json': manifest })
    const twice = (line: number): unknown[] => [
      expect.stringMatching(`^The configuration package.json:${line}:\\d+ can't be read: Map keys must be unique`),
    ]
    const [first, second] = [JSON.stringify(minimal), JSON.stringify({ ...minimal, outbox: { path: 'o.db' } })]
    expect(await mistakes(`{"name": "x",\n"owm": {"source": {"use": "x",\n"use": "y"}}}`)).toEqual(twice(3))
    expect(await mistakes(`{"owm": ${first},\n"owm": ${second}}`)).toEqual(twice(2))
    const others = `{"scripts": {"a": "1",\n"a": "2"}, "owm": ${first}, "b": {"owm": 1}, "b": {"owm": 1, "owm": 2}}`
    expect((await settingsOf({ 'package.json': others })).settings).toMatchObject(minimal)
  })

  it('but never to a secret', async () => {
    const plugin = `import { z } from '${join(root, 'node_modules', 'zod', 'index.js')}'
      export default { kind: 'source', name: 'mine', description: '', open: () => ({}), options: z.strictObject({
        auth: z.strictObject({ user: z.string(), key: z.number().meta({ secret: true }).optional() }),
        pass: z.union([z.number(), z.array(z.number())]).optional().meta({ secret: true }),
        password: z.number().optional(), note: z.number().optional(),
      }) }`
    const wrong =
      'source: {use: ./mine.mjs, auth: {user: 5, key: hunter2a}, pass: hunter2b, password: hunter2c,\n' +
      '  note: "postgres://u:hunter2d@h/db"}\nsink: {use: jsonl, path: x}\n'
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
