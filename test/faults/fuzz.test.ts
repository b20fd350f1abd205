/**
 * Hostile input: configuration files, location files and database files made of
 * grammar, mutations and noise. Whatever they hold, owm ends in a documented
 * exit code, says so without a stack trace, and accounts for every record.
 *
 * Most runs are in this process, against the same functions that the commands
 * call; some are the built command line, for what only a process shows.
 *
 * OWM_TEST_FUZZ_RUNS=5000   runs a property (60 in `npm test`); a twelfth of it through processes
 * OWM_TEST_SEED=N           repeats a run's choices (the seed is printed)
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import fc, { type Arbitrary } from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { filtersOf } from '../../src/config/filters.js'
import { loadConfig, pluginOptions } from '../../src/config/load.js'
import { exitCodes, OwmError } from '../../src/errors/index.js'
import { inspect } from '../../src/outbox/inspect.js'
import { Outbox } from '../../src/outbox/outbox.js'
import { flush } from '../../src/pipeline/flush.js'
import type { SourceDeps } from '../../src/pipeline/parts.js'
import { type ProduceSummary, produce } from '../../src/pipeline/produce.js'
import { resilience } from '../../src/pipeline/retry.js'
import type { Logger, Sink } from '../../src/plugin.js'
import { loadSink, loadSource } from '../../src/plugins/load.js'
import staticList from '../../src/sources/static-list/index.js'
import { owm, type Ran } from '../support/cli.js'
import { openDatabase } from '../support/contents.js'

// What decides over a change takes the same way each time; the long form looks for new ones.
const seed = Number(
  process.env['OWM_TEST_SEED'] ??
    (process.env['OWM_TEST_LONG'] === '1' ? Math.floor(Math.random() * 2 ** 31) : 20_261_123),
)
const runs = Number(process.env['OWM_TEST_FUZZ_RUNS'] ?? 60)
const processes = Math.ceil(runs / 12)
/** Milliseconds that one run may take: what takes longer hangs. */
const patience = 20_000
const documented: readonly (number | null)[] = [
  exitCodes.ok,
  exitCodes.usage,
  exitCodes.inputRejected,
  exitCodes.outbox,
  exitCodes.notDelivered,
  exitCodes.configuration,
]
const secret = 'tr0ub4dor-and-a-half'

let home: string
let rounds = 0

beforeAll(async () => {
  process.stderr.write(`fuzz: OWM_TEST_SEED=${seed} OWM_TEST_FUZZ_RUNS=${runs}\n`)
  home = await mkdtemp(join(tmpdir(), 'owm-fuzz-'))
})
afterAll(() => rm(home, { recursive: true, force: true }))

/** Runs `check` on many inputs, each with a folder of its own. */
async function always<Input>(
  input: Arbitrary<Input>,
  numRuns: number,
  check: (input: Input, folder: string) => Promise<void>,
): Promise<void> {
  const property = fc.asyncProperty(input, async (given) => {
    const folder = join(home, String(++rounds))
    await mkdir(folder)
    try {
      await check(given, folder)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
  await fc.assert(property, {
    seed,
    numRuns,
    timeout: patience * 3,
    interruptAfterTimeLimit: 60_000 + numRuns * 5_000,
    markInterruptAsFailure: true,
  })
}

const timeout = 120_000 + runs * 10_000

// --- what holds for every end ---

/** The error must be one of owm's own, for an operator. */
function expectOwn(thrown: unknown, codes: readonly number[]): void {
  if (!(thrown instanceof OwmError)) throw thrown
  expect(codes).toContain(thrown.exitCode)
  expect(thrown.message + (thrown.hint ?? '')).not.toMatch(/^\s+at /m)
}

function expectGoodEnd(ran: Ran, isJson: boolean): void {
  const said = `${ran.code ?? ran.signal}: ${ran.stdout.slice(0, 2000)}${ran.stderr.slice(0, 2000)}`
  expect(ran.signal, said).toBeNull()
  expect(documented, said).toContain(ran.code)
  for (const text of [ran.stdout, ran.stderr]) {
    expect(text, said).not.toMatch(/^\s+at .*:\d+/m)
    expect(text, said).not.toMatch(/INTERNAL|a fault of owm itself/)
    expect(text, said).not.toContain(secret)
  }
  if (!isJson) return
  const json: unknown = JSON.parse(ran.stdout)
  expect(typeof json, said).toBe('object')
  if (ran.code === 0) expect(json).not.toHaveProperty('error')
  else expect(json).toHaveProperty('error.code')
}

// --- configuration files ---

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

type Change = { at: number; kind: 'flip' | 'cut' | 'insert' | 'end' | 'repeat'; bytes: Uint8Array }

const change: Arbitrary<Change> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  kind: fc.constantFrom('flip', 'flip', 'cut', 'insert', 'insert', 'end', 'repeat'),
  bytes: fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 8 }),
    fc
      .constantFrom(
        '\u0000',
        '"',
        '""',
        '\n',
        '\r',
        '\r\n',
        ',',
        '\\',
        '{',
        '}',
        '[',
        ']',
        '\ufeff',
        '\u2028',
        '\ufffd',
        '\\ud800',
        ' ',
        '#',
        "'",
      )
      .map((text) => Buffer.from(text)),
    fc.constantFrom([0xff, 0xfe], [0xed, 0xa0, 0x80], [0xe9], [0xf0, 0x9f]).map((bytes) => Uint8Array.from(bytes)),
  ),
})

/** The same bytes with some of them changed; unchanged in about half of the cases. */
function mutated(bytes: Buffer, most: number): Arbitrary<Buffer> {
  return fc.oneof(
    fc.constant(bytes),
    fc.array(change, { minLength: 1, maxLength: most }).map((changes) => changes.reduce(changed, bytes)),
  )
}

function changed(bytes: Buffer, { at, kind, bytes: more }: Change): Buffer {
  const place = Math.floor(at * bytes.length)
  const [before, behind] = [bytes.subarray(0, place), bytes.subarray(place)]
  if (kind === 'insert') return Buffer.concat([before, more, behind])
  if (kind === 'cut') return Buffer.concat([before, behind.subarray(more.length)])
  if (kind === 'end') return before
  if (kind === 'repeat') return Buffer.concat([bytes, behind])
  return Buffer.concat([before, more.subarray(0, behind.length), behind.subarray(more.length)])
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

// --- location files ---

const formats = ['csv', 'tsv', 'json', 'ndjson', 'geojson', 'yaml'] as const
type Format = (typeof formats)[number]

const cell = fc.oneof(
  {
    arbitrary: fc.constantFrom(
      'A',
      'Åre',
      '東京',
      'a,b',
      '"q"',
      "L'Aquila",
      'x;y',
      ' ',
      '-0',
      '1e3',
      '0x10',
      '=1+1',
      '\u2028',
      '\u0085',
      'a\nb',
    ),
    weight: 80,
  },
  { arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }), weight: 80 },
  { arbitrary: fc.string({ unit: 'binary', maxLength: 6 }), weight: 20 },
  { arbitrary: fc.constant('x'.repeat(1 << 20)), weight: 1 },
)

interface Row {
  id?: unknown
  latitude?: unknown
  longitude?: unknown
  city?: unknown
  state?: unknown
  [extra: string]: unknown
}

const row: Arbitrary<Row> = fc.record(
  {
    id: fc.oneof(fc.integer({ min: 1, max: 30 }), cell),
    latitude: fc.oneof(
      { arbitrary: fc.double({ min: -90, max: 90, noNaN: true }), weight: 9 },
      fc.constantFrom<unknown>('', 'x', 91, null, [], 'NaN', 1e308),
    ),
    longitude: fc.oneof(
      { arbitrary: fc.double({ min: -180, max: 180, noNaN: true }), weight: 9 },
      fc.constantFrom<unknown>('', '1,5', 181, null),
    ),
    city: cell,
    state: cell,
    population: fc.oneof(cell, fc.integer()),
  },
  { requiredKeys: ['latitude', 'longitude', 'city'] },
)

interface List {
  format: Format
  text: Buffer
  /** Records in it, where its maker knows. */
  records: number | undefined
}

const columns = ['id', 'latitude', 'longitude', 'city', 'state', 'population']
const quoted = (value: unknown): string => {
  const text = value === undefined || value === null ? '' : String(value)
  return /[",;|\t\r\n]/.test(text) || text === '' || text.trim() !== text ? `"${text.replaceAll('"', '""')}"` : text
}

const feature = ({ latitude, longitude, ...properties }: Row): object => ({
  type: 'Feature',
  geometry: { type: 'Point', coordinates: [longitude, latitude] },
  properties,
})

const wellMade: Arbitrary<List> = fc
  .record({
    format: fc.constantFrom(...formats),
    rows: fc.array(row, { minLength: 1, maxLength: 40 }),
    eol: fc.constantFrom('\n', '\r\n'),
    bom: fc.boolean(),
    delimiter: fc.constantFrom(',', ';', '\t', '|'),
    last: fc.boolean(),
  })
  .map(({ format, rows, eol, bom, delimiter, last }) => {
    const separator = format === 'tsv' ? '\t' : delimiter
    const lines =
      format === 'csv' || format === 'tsv'
        ? [columns.join(separator), ...rows.map((one) => columns.map((name) => quoted(one[name])).join(separator))]
        : rows.map((one) => (format === 'yaml' ? '- ' : '') + JSON.stringify(format === 'geojson' ? feature(one) : one))
    const list = `[${lines.join(`,${eol}`)}]`
    const text =
      format === 'json'
        ? list
        : format === 'geojson'
          ? `{"type":"FeatureCollection","features":${list}}`
          : lines.join(eol)
    return { format, text: Buffer.from(`${bom ? '\ufeff' : ''}${text}${last ? eol : ''}`), records: rows.length }
  })

const noise: Arbitrary<List> = fc
  .record({ format: fc.constantFrom(...formats), text: fc.uint8Array({ maxLength: 200 }) })
  .map(({ format, text }) => ({ format, text: Buffer.from(text), records: undefined }))

const encodings = ['utf16le', 'latin1'] as const
const misencoded: Arbitrary<List> = fc
  .tuple(wellMade, fc.constantFrom(...encodings))
  .map(([list, encoding]) => ({ ...list, text: Buffer.from(list.text.toString(), encoding), records: undefined }))

const anyList: Arbitrary<List> = fc.oneof(
  {
    arbitrary: wellMade.chain((list) =>
      fc
        .array(change, { minLength: 1, maxLength: 6 })
        .map((changes) => ({ ...list, text: changes.reduce(changed, list.text), records: undefined })),
    ),
    weight: 6,
  },
  { arbitrary: misencoded, weight: 1 },
  { arbitrary: noise, weight: 1 },
)

/** How many records a list has, by rules of our own; undefined where nobody can say. */
function recordsIn({ format, text }: List): number | undefined {
  // UTF-16 (a byte order mark, or a zero beside the first character) and what looks like gzip's.
  if (text[0] === 0 || text[1] === 0 || (text[0] ?? 0) >= 0xfe || text[0] === 0x1f) return undefined
  const plain = text.toString()
  if (format === 'ndjson') return plain.split(/\r\n|\n|\r/).filter((line) => line.trim() !== '').length
  if (format !== 'json') return undefined
  try {
    const value: unknown = JSON.parse(plain.replace(/^[ \t\r\n]*\ufeff/, ''))
    return Array.isArray(value) ? value.length : undefined
  } catch {
    return undefined
  }
}

const log: Logger = { debug() {}, info() {}, warn() {}, error() {} }
const slot = '2026-11-23T10:00:00Z'
const guard = {
  retry: { attempts: 2, initialDelayMs: 0, maxDelayMs: 0 },
  breaker: { failures: 1_000, resetAfterMs: 0 },
}

const sourceOf = (path: string, format?: Format): SourceDeps => ({
  name: 'static-list',
  digest: 'fuzz',
  timeoutMs: 10_000,
  maxLocations: 100_000,
  open: async () =>
    staticList.open(staticList.options.parse({ file: path, format }), {
      signal: new AbortController().signal,
      log,
      baseDir: dirname(path),
      attempt: (work) => work(),
    }),
})

/** A sink in memory: it takes everything. */
function memory(): { tasks: string[]; sink: { name: string; open(): Promise<Sink> } } {
  const tasks: string[] = []
  return {
    tasks,
    sink: {
      name: 'memory',
      open: async () => ({
        guarantee: 'at-least-once',
        async deliver(batch) {
          tasks.push(...batch.tasks)
          if (tasks.length > 100_000) throw new Error('the flusher never ends')
          return batch.tasks.map(() => 'delivered' as const)
        },
      }),
    },
  }
}

const openOutbox = (path: string): Promise<Outbox> =>
  Outbox.open(path, {
    command: 'fuzz',
    wait: false,
    batchSize: 10,
    signal: new AbortController().signal,
    now: Date.now,
  })

interface Produced {
  summary: ProduceSummary
  suspects: number
  tasks: string[]
}

async function produceInto(path: string, source: SourceDeps, at = slot): Promise<Produced> {
  const { tasks, sink } = memory()
  const outbox = await openOutbox(path)
  try {
    const summary = await produce(
      { slot: at, flush: true, keepTasks: 100_000, keepRuns: 1_000 },
      {
        source,
        sink,
        outbox,
        pipeline: 'fuzz',
        resilience: resilience(guard),
        log,
        signal: new AbortController().signal,
      },
    )
    return { summary, suspects: (await outbox.intake.suspects(summary.run, 100_000)).length, tasks }
  } finally {
    await outbox.close()
  }
}

function expectTasks(tasks: readonly string[]): void {
  const ids = new Set<unknown>()
  for (const text of tasks) {
    const task: unknown = JSON.parse(text)
    expect(task).toMatchObject({
      task_id: expect.any(String),
      latitude_deg: expect.any(Number),
      longitude_deg: expect.any(Number),
      city: expect.any(String),
    })
    expect(text.isWellFormed() && !text.includes('\ufffd')).toBe(true)
    if (typeof task === 'object' && task !== null && 'task_id' in task) ids.add(task.task_id)
  }
  expect(ids.size).toBe(tasks.length)
}

describe('location files', () => {
  async function expectAccounted(list: List, folder: string): Promise<ProduceSummary> {
    const path = join(folder, `list.${list.format}`)
    await writeFile(path, list.text)
    const { summary, suspects, tasks } = await produceInto(join(folder, 'outbox.db'), sourceOf(path))
    const { run, errors, delivered } = summary
    for (const error of errors) expectOwn(error, [exitCodes.configuration, exitCodes.notDelivered])
    expect(run.read).toBe(run.persisted + run.rejected + run.duplicates + suspects)
    expect(delivered).toBe(run.persisted)
    expect(tasks).toHaveLength(run.persisted)
    expectTasks(tasks)
    const records = recordsIn(list)
    if (records !== undefined) expect({ errors, read: run.read }).toEqual({ errors: [], read: records })
    // owm's parser forgives a little more than JSON.parse; what it doesn't read it must complain about.
    if (list.format === 'json' && records === undefined) expect(errors.length + run.read).toBeGreaterThan(0)
    return summary
  }

  test('well made: every record is read', { timeout }, async () => {
    await always(wellMade, runs, async (list, folder) => {
      const { run, errors } = await expectAccounted(list, folder)
      expect({ errors, read: run.read }).toEqual({ errors: [], read: list.records })
    })
  })

  test('mutated, misencoded, noise: read = persisted + rejected + duplicates', { timeout }, async () => {
    await always(anyList, runs * 2, async (list, folder) => void (await expectAccounted(list, folder)))
  })

  test('on the command line', { timeout }, async () => {
    await always(fc.tuple(fc.oneof(wellMade, anyList), fc.boolean()), processes, async ([list, strict], folder) => {
      await writeFile(join(folder, `list.${list.format}`), list.text)
      const config = {
        source: { use: 'static-list', file: `./list.${list.format}` },
        sink: { use: 'jsonl', path: './tasks.jsonl' },
        outbox: { path: './outbox.db' },
      }
      await writeFile(join(folder, '.owmrc.json'), JSON.stringify(config))
      const ran = await owm(['produce', '--json', ...(strict ? ['--strict'] : [])], { cwd: folder, timeout: patience })
      expectGoodEnd(ran, true)
      const {
        source,
        outbox,
      }: { source: Record<'read' | 'rejected' | 'duplicates', number>; outbox: { persisted: number } } = JSON.parse(
        ran.stdout,
      )
      if (ran.code === 0 || ran.code === exitCodes.inputRejected)
        expect(source.read).toBe(outbox.persisted + source.rejected + source.duplicates)
      expectGoodEnd(await owm(['outbox', 'inspect', '--state', 'rejected'], { cwd: folder, timeout: patience }), false)
    })
  })
})

// --- database files ---

const parts = ['', '-wal', '-shm'] as const
type Part = (typeof parts)[number]
/** The files of an outbox, by what is behind its name. */
type Files = ReadonlyMap<string, Buffer>

/** At rest: one file. Open: as a process that was killed leaves it. */
let atRest: Files
let killed: Files

/** An outbox with something of everything: runs that are done, read and open, dead, rejected, duplicate, suspect, pending. */
async function makeOutbox(folder: string): Promise<void> {
  const list = join(folder, 'list.csv')
  const rows = Array.from(
    { length: 60 },
    (_, index) => `${index % 55},${index === 7 ? 99 : index},${index},City ${index},State`,
  )
  await writeFile(list, `id,latitude,longitude,city,state\n${rows.join('\n')}\n`)
  const path = join(folder, 'outbox.db')
  await produceInto(path, sourceOf(list))
  const outbox = await openOutbox(path)
  const run = await outbox.ledger.start({ slot: '2026-11-23T11:00:00Z', source: 'static-list', sourceDigest: 'fuzz' })
  const task = (index: number): string =>
    `{"task_id":"00000000-0000-5000-8000-0000000000${index + 10}","latitude_deg":1,"longitude_deg":2,"city":"P${index}","state":""}`
  await outbox.intake.write(run, {
    checkpoint: null,
    read: 40,
    batches: outbox.cut(Array.from({ length: 35 }, (_, index) => task(index))),
    rejections: [],
    suspects: [{ position: 'line 3', task: task(3) }],
    idSum: '0'.repeat(32),
  })
  const batch = await outbox.queue.after(outbox.ackedSeq, 10)
  if (!batch) throw new Error('there is nothing pending')
  await outbox.deadLetters.add(batch, new Map([[2, 'refused by the test']]))
  await outbox.noteFailure(batch.firstSeq + batch.count, 'it failed')
  await outbox.breakers.save('sink', { state: 'open', failures: 3, openedAt: 1_700_000_000_000 })
  killed = await filesOf(path)
  await outbox.close()
  atRest = await filesOf(path)
}

async function filesOf(path: string): Promise<Files> {
  const files = new Map<string, Buffer>()
  for (const part of parts) {
    const bytes = await readFile(`${path}${part}`).catch(() => undefined)
    if (bytes) files.set(part, bytes)
  }
  return files
}

const value = fc.constantFrom(
  "'x'",
  "''",
  'NULL',
  '-1',
  '0',
  '1',
  '1e300',
  '9223372036854775807',
  '0.5',
  "x'00ff'",
  'zeroblob(100)',
  "'{'",
  "'[]'",
  "'[1,2]'",
  "'null'",
  '\'{"a":1}\'',
  'char(0)',
)
const column = fc.constantFrom(
  ...['outbox_id', 'handed_seq', 'last_seq', 'breaker', 'holder'].map((name) => `state SET ${name}`),
  ...[
    'run_id',
    'slot',
    'source_digest',
    'state',
    'resume',
    'read',
    'rejected',
    'persisted',
    'discarded',
    'started_at',
    'finished_at',
  ].map((name) => `run SET ${name}`),
  ...['first_seq', 'count', 'run', 'failures', 'last_error', 'created_at', 'tasks'].map((name) => `batch SET ${name}`),
  ...['run', 'attempts', 'reason', 'created_at', 'fate', 'task'].map((name) => `dead SET ${name}`),
  ...['run', 'kind', 'position', 'value', 'created_at'].map((name) => `rejected SET ${name}`),
  ...['run', 'position', 'task'].map((name) => `suspect SET ${name}`),
)
const sql: Arbitrary<string> = fc.oneof(
  {
    arbitrary: fc
      .tuple(column, value, fc.constantFrom('', ' WHERE rowid = (SELECT max(rowid) FROM {})'))
      .map(([set, to, where]) => `UPDATE OR REPLACE ${set} = ${to}${where.replace('{}', set.split(' ')[0] ?? '')}`),
    weight: 8,
  },
  {
    arbitrary: fc
      .constantFrom('state', 'run', 'batch', 'dead', 'rejected', 'migrations')
      .map((table) => `DELETE FROM ${table}`),
    weight: 2,
  },
  {
    arbitrary: fc
      .constantFrom('state', 'run', 'batch', 'dead', 'suspect', 'migrations')
      .map((table) => `DROP TABLE ${table}`),
    weight: 1,
  },
  {
    arbitrary: fc.constantFrom(
      'DELETE FROM batch WHERE first_seq > 60 AND first_seq < 80',
      'PRAGMA user_version = 0',
      'PRAGMA user_version = -1',
      'PRAGMA application_id = 0',
      'UPDATE state SET handed_seq = last_seq + 5',
    ),
    weight: 2,
  },
)

type Damage =
  | { kind: 'bytes'; from: 'at rest' | 'killed'; part: Part; changes: Change[]; garbage: Uint8Array | undefined }
  | { kind: 'sql'; statements: string[] }

const block = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  kind: fc.constant('flip' as const),
  bytes: fc.uint8Array({ minLength: 100, maxLength: 4096, size: 'max' }),
})
const damage: Arbitrary<Damage> = fc.oneof(
  fc.record({
    kind: fc.constant('bytes' as const),
    from: fc.constantFrom('at rest' as const, 'killed' as const),
    part: fc.constantFrom<Part>('', '', '', '-wal', '-shm'),
    changes: fc.array(fc.oneof(change, change, block), { minLength: 1, maxLength: 12 }),
    garbage: fc.oneof(
      { arbitrary: fc.constant(undefined), weight: 5 },
      { arbitrary: fc.uint8Array({ maxLength: 5_000, size: 'max' }), weight: 1 },
    ),
  }),
  fc.record({ kind: fc.constant('sql' as const), statements: fc.array(sql, { minLength: 1, maxLength: 3 }) }),
)

async function damaged(given: Damage, path: string): Promise<void> {
  const files = new Map(given.kind === 'sql' || given.from === 'at rest' ? atRest : killed)
  if (given.kind === 'bytes')
    files.set(
      given.part,
      given.garbage === undefined
        ? given.changes.reduce(changed, files.get(given.part) ?? Buffer.alloc(0))
        : Buffer.from(given.garbage),
    )
  for (const [part, bytes] of files) await writeFile(`${path}${part}`, bytes, { mode: 0o600 })
  if (given.kind === 'bytes') return
  const all = await openDatabase(path)
  await all('PRAGMA ignore_check_constraints = ON')
  await all('PRAGMA foreign_keys = OFF')
  // What the schema itself forbids can't get into a file this way.
  for (const statement of given.statements) await all(statement).catch(() => undefined)
  await all.close()
}

describe('database files', () => {
  beforeAll(async () => {
    const folder = join(home, 'outbox')
    await mkdir(folder)
    await makeOutbox(folder)
  })

  test('an undamaged one is handed over to its end (what the others are made of is good)', async () => {
    for (const files of [atRest, killed]) {
      const path = join(home, 'undamaged.db')
      for (const [part, bytes] of files) await writeFile(`${path}${part}`, bytes)
      const { errors, tasks, pending } = await flushAll(path)
      expect({ errors, pending, tasks: tasks.length }).toEqual({ errors: [], pending: 0, tasks: 25 })
      for (const part of parts) await rm(`${path}${part}`, { force: true })
    }
  })

  async function flushAll(path: string): Promise<{ errors: OwmError[]; tasks: string[]; pending: number }> {
    const { tasks, sink } = memory()
    const outbox = await openOutbox(path)
    try {
      const { errors } = await flush(
        { limit: Number.POSITIVE_INFINITY },
        { outbox, pipeline: 'fuzz', sink, resilience: resilience(guard), log, signal: new AbortController().signal },
      )
      return { errors, tasks, pending: outbox.pending }
    } finally {
      await outbox.close()
    }
  }

  async function inspectAll(path: string): Promise<void> {
    for (const state of ['pending', 'dead', 'rejected', 'delivered'] as const)
      JSON.stringify(await inspect(path, { run: undefined, location: 'City', limit: 100, state }))
  }

  // The fuzzer found it once.
  test.each(['dead SET reason', 'rejected SET position', 'run SET slot'])(
    'bytes in place of a text are told: UPDATE %s',
    async (column) => {
      const path = join(home, 'bytes.db')
      await damaged({ kind: 'sql', statements: [`UPDATE ${column} = zeroblob(100)`] }, path)
      const state = column.startsWith('rejected') ? 'rejected' : 'dead'
      const { code, stderr } = await owm(['outbox', 'inspect', '--state', state, '--outbox', path], {
        cwd: home,
        timeout: patience,
      })
      expect(code, stderr).toBe(exitCodes.outbox)
      expect(stderr).toMatch(/bytes\.db is damaged: it holds bytes in place of a text/)
    },
  )

  test('are handed over, or refused with exit 74; 0 means that nothing is pending', { timeout }, async () => {
    await always(damage, runs * 3, async (given, folder) => {
      const path = join(folder, 'outbox.db')
      await damaged(given, path)
      const own = (error: unknown): void =>
        expectOwn(error, [exitCodes.outbox, exitCodes.notDelivered, exitCodes.configuration])
      await inspectAll(path).catch(own)
      for (const step of [
        async () => flushAll(path),
        async () => {
          const list = join(folder, 'list.csv')
          await copyFile(join(home, 'outbox', 'list.csv'), list)
          const { summary, tasks } = await produceInto(path, sourceOf(list), '2026-11-23T12:00:00Z')
          return { errors: summary.errors, tasks, pending: 0 }
        },
      ])
        await step().then(({ errors, tasks, pending }) => {
          for (const error of errors) own(error)
          if (errors.length === 0) expect(pending).toBeLessThanOrEqual(0)
          expect(tasks).not.toContain('')
        }, own)
    })
  })

  test('on the command line', { timeout }, async () => {
    await always(damage, processes, async (given, folder) => {
      await damaged(given, join(folder, 'outbox.db'))
      const config = {
        source: { use: 'simulated-db', count: 20 },
        sink: { use: 'jsonl', path: './tasks.jsonl' },
        outbox: { path: './outbox.db' },
        retry: { attempts: 1 },
      }
      await writeFile(join(folder, '.owmrc.json'), JSON.stringify(config))
      for (const args of [['outbox', 'inspect'], ['flush', '--force'], ['produce']])
        expectGoodEnd(await owm([...args, '--json'], { cwd: folder, timeout: patience }), true)
    })
  })
})
