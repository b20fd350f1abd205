/** Configuration files, whatever they hold. */
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import fc, { type Arbitrary } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { filtersOf } from '../../../src/config/filters.js'
import { loadConfig } from '../../../src/config/load.js'
import { pluginOptions } from '../../../src/config/section.js'
import { exitCodes } from '../../../src/errors/index.js'
import { loadSink, loadSource } from '../../../src/plugins/load.js'
import { owm } from '../../support/cli.js'
import {
  always,
  expectGoodEnd,
  expectOwn,
  mutated,
  patience,
  processes,
  runs,
  secret,
  timeout,
} from '../../support/fuzz.js'

/** What stands in a configuration for a value of the environment. */
const fromEnv = (name: string): string => `\${${name}}`

const wild: Arbitrary<unknown> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ maxLength: 10 }),
  fc.integer(),
  fc.double(),
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    '',
    '0',
    -1,
    1e308,
    2 ** 53,
    fromEnv('OWM_FUZZ_SECRET'),
    `redis://u:${fromEnv('OWM_FUZZ_SECRET')}@127.0.0.1:1`,
    fromEnv('OWM_FUZZ_UNSET'),
    '${',
    '$' + '{}',
    '__proto__',
    '\u0000',
    '\ud800',
    '\u001b[31m',
    'x'.repeat(5_000),
  ),
  fc.array(fc.anything({ maxDepth: 2, withNullPrototype: false }), { maxLength: 3 }),
  fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 3 }),
)

/** Mostly what is meant, now and then anything. */
const perhaps = <Value>(...meant: Value[]): Arbitrary<unknown> =>
  fc.oneof({ arbitrary: fc.constantFrom<unknown>(...meant), weight: 4 }, { arbitrary: wild, weight: 1 })

/** A section: each key may be missing, one may be unknown, all of it may be something else. */
const section = (keys: Record<string, Arbitrary<unknown>>): Arbitrary<unknown> =>
  fc.oneof(
    { arbitrary: fc.record(keys, { requiredKeys: 'use' in keys ? ['use'] : [] }), weight: 12 },
    {
      arbitrary: fc
        .tuple(fc.record(keys, { requiredKeys: [] }), fc.string({ maxLength: 8 }), wild)
        .map(([own, key, value]) => ({ ...own, [key]: value })),
      weight: 2,
    },
    { arbitrary: wild, weight: 1 },
  )

/** No path leaves the test's folder, no source is long, no server is asked for. */
const inside = fc.oneof(
  fc.constantFrom(
    './a',
    './b/c',
    './x.csv',
    './.owmrc.json',
    '.',
    './\u0000',
    `./${fromEnv('OWM_FUZZ_NAME')}`,
    `./${'long'.repeat(100)}`,
  ),
  fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => `./${text.replaceAll('..', '')}`),
)

const tree = fc.record(
  {
    source: section({
      use: perhaps('simulated-db', 'static-list', 'simulated-dp', './plugin.js', 'fs', 'node:fs'),
      file: fc.oneof(inside, fc.integer()),
      locations: perhaps(
        [],
        [{}],
        [null],
        [{ latitude: 1, longitude: 2, city: 'A' }],
        [{ lat: 1e9, lng: {}, name: [] }],
      ),
      format: perhaps('csv', 'json', 'ndjson', 'yaml'),
      delimiter: perhaps(',', ';', '""'),
      count: fc.constantFrom<unknown>(0, 1, 20, -1, 1.5, '20', null, 2 ** 53),
      pageSize: perhaps(1, 10),
      seed: perhaps(0, 1, 2 ** 32),
      latencyMs: fc.constantFrom<unknown>(0, 1, -1, 'x', null),
      failureRate: fc.constantFrom<unknown>(0, 0.5, 1, 2, '1'),
      timeoutMs: fc.constantFrom<unknown>(1_000, 60_000, 0, -1, 1e308, 'x'),
      maxLocations: fc.constantFrom<unknown>(100, 1, 0, 'x'),
      where: perhaps({ city: 'A' }, { bbox: [0, 0, 1, 1] }, { bbox: [0, 0] }),
      sample: perhaps(0, 0.5, 2),
      limit: perhaps(1, 5, 0),
      shard: perhaps('0/2', '2/2'),
      shards: perhaps(1, 2),
    }),
    sink: section({
      use: perhaps('jsonl', 'jsonl', 'jsonl', 'jsnol', './sink.js'),
      path: fc.oneof(inside, fc.constantFrom<unknown>('-', 1, null, [])),
    }),
    outbox: section({ path: inside, keepTasks: perhaps(0, 10), keepRuns: perhaps(1, 10) }),
    flush: section({ batchSize: perhaps(1, 500, 10_000, 10_001) }),
    retry: section({
      attempts: perhaps(1, 2, 101),
      initialDelayMs: fc.constantFrom<unknown>(0, 1, -1, 1e9, 'x'),
      maxDelayMs: fc.constantFrom<unknown>(0, 5, -5, 1e9),
    }),
    breaker: section({ failures: perhaps(1, 5), resetAfterMs: perhaps(0, 1_000) }),
    pipelines: perhaps({ hourly: null }, { hourly: { source: { count: 5 } } }, { a: {}, b: {} }, { '': {} }, []),
  },
  { requiredKeys: [] },
)

/** Good ones, in which at most one thing is wrong. */
const nearlyGood: Arbitrary<Record<string, unknown>> = fc
  .record({
    source: fc.constantFrom(
      { use: 'simulated-db', count: 20, seed: 7 },
      { use: 'static-list', locations: [{ lat: 1, lng: 2, name: 'A', note: fromEnv('OWM_FUZZ_SECRET') }] },
    ),
    retry: fc.constantFrom({}, { attempts: 1 }),
    wrong: fc.option(fc.tuple(fc.constantFrom('source', 'sink', 'outbox', 'flush', 'retry', 'breaker', 'surce'), wild)),
  })
  .map(({ wrong, ...good }) => ({
    ...good,
    sink: { use: 'jsonl', path: './tasks.jsonl' },
    outbox: { path: './a' },
    ...(wrong ? { [wrong[0]]: wrong[1] } : {}),
  }))

const odd = [
  'source: &a\n  use: simulated-db\n  locations: [*a]\n',
  'source: &a [*a]\n',
  'a: &a {b: *a}\nsource: {use: simulated-db, <<: *a}\n',
  'source: {use: simulated-db, count: 0x10, seed: .nan}\n',
  'source: {use: simulated-db, count: 2026-11-23}\n',
  'source: {use: simulated-db, count: !!binary aGVsbG8=}\n',
  'source: !!js/function "function () {}"\n',
  '%YAML 9.9\n---\nsource:\n',
  '--- 1\n--- 2\n',
  '? [source]\n: 1\n',
  '- - - - -\n',
  '\ufeffsource: {use: simulated-db}\n',
  '\tsource: 1\n',
  '"source": {"use": "simulated-db", "use": "static-list"}',
  '{"__proto__": {"source": 1}, "constructor": 2}',
  'source: {use: simulated-db, __proto__: {count: 1}}\n',
  'source: {use: __proto__}\nsink: {use: constructor}\n',
  '{"source":'.repeat(3_000),
  `${'{"source":'.repeat(20_000)}1${'}'.repeat(20_000)}`,
  `source: ${'['.repeat(5_000)}${']'.repeat(5_000)}`,
  `{"source":{"use":"static-list","locations":[${'{"a":'.repeat(3_000)}1${'}'.repeat(3_000)}]}}`,
  '',
  'null',
  '\u0000',
]

const configText: Arbitrary<Buffer> = fc
  .oneof(
    { arbitrary: tree.map((value) => JSON.stringify(value) ?? ''), weight: 6 },
    { arbitrary: tree.map(asYaml), weight: 6 },
    { arbitrary: nearlyGood.map((value) => JSON.stringify(value)), weight: 3 },
    { arbitrary: nearlyGood.map(asYaml), weight: 3 },
    { arbitrary: fc.constantFrom(...odd), weight: 3 },
  )
  .chain((text) => mutated(Buffer.from(text), 3))

/** Blocks outside, JSON inside. */
function asYaml(value: Record<string, unknown>): string {
  return Object.entries(value)
    .map(([key, inner]) => {
      if (typeof inner !== 'object' || inner === null || Array.isArray(inner))
        return `${key}: ${JSON.stringify(inner) ?? ''}\n`
      const lines = Object.entries(inner).map(
        ([name, entry]) => `  ${JSON.stringify(name)}: ${JSON.stringify(entry) ?? ''}\n`,
      )
      return `${key}:\n${lines.join('')}`
    })
    .join('')
}

const configName = fc.constantFrom(
  '.owmrc',
  '.owmrc.json',
  '.owmrc.yaml',
  '.owmrc.yml',
  '.config/owmrc.yaml',
  'package.json',
)
const configEnv = { OWM_FUZZ_SECRET: secret, OWM_FUZZ_NAME: 'name' }

async function writeConfig(folder: string, name: string, text: Buffer): Promise<void> {
  await mkdir(dirname(join(folder, name)), { recursive: true })
  const wrapped =
    basename(name) === 'package.json'
      ? Buffer.concat([Buffer.from('{"name":"x","owm":'), text, Buffer.from('}')])
      : text
  await writeFile(join(folder, name), wrapped)
}

describe('configuration files', () => {
  const input = fc.record({ name: configName, text: configText })

  test('are read, or refused with exit 2 or 78', { timeout }, async () => {
    const outcomes = { read: 0, refused: 0 }
    await always(input, runs * 4, async ({ name, text }, folder) => {
      await writeConfig(folder, name, text)
      try {
        const loaded = await loadConfig({}, configEnv, folder)
        for (const kind of ['source', 'sink'] as const) {
          const plugin = await (kind === 'source' ? loadSource : loadSink)(
            loaded.settings[kind]?.use ?? '',
            loaded.baseDir,
          )
          await pluginOptions(loaded, kind, plugin.options)
        }
        await filtersOf(loaded, configEnv)
        outcomes.read++
      } catch (error) {
        outcomes.refused++
        expectOwn(error, [exitCodes.usage, exitCodes.configuration])
        // Where the message comes from before the secrets are known, nobody can take them out later.
        if (error instanceof Error && !error.message.includes('for the ')) expect(error.message).not.toContain(secret)
      }
    })
    if (runs >= 60) expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(0)
  })

  test('on the command line', { timeout }, async () => {
    const command = fc.constantFrom<string[]>(
      ['produce', '--json'],
      ['produce'],
      ['produce', '--dry-run', '--json'],
      ['flush', '--json'],
      ['outbox', 'inspect', '--json'],
    )
    await always(
      fc.record({ name: configName, text: configText, command }),
      processes,
      async ({ name, text, command: args }, folder) => {
        await writeConfig(folder, name, text)
        // Not the default outbox: that one isn't the test's.
        const ran = await owm([...args, '--outbox', './fuzz.db'], { cwd: folder, env: configEnv, timeout: patience })
        expectGoodEnd(ran, args.includes('--json'))
      },
    )
  })
})
