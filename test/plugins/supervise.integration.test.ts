/**
 * Plugins that break their contract, with owm as a process: the error names the
 * plugin and the rule, and what was read is safe. tests/faults has what a good
 * plugin meets outside of itself.
 */
import { getEventListeners } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { ConfigurationError } from '../../src/errors/index.js'
import { loadSink, loadSource } from '../../src/plugins/load.js'
import { superviseSink, superviseSource } from '../../src/plugins/supervise/index.js'
import { folderWith, owm, type Ran, root, temporaryFolder } from '../support/cli.js'

const library = JSON.stringify(pathToFileURL(join(root, 'dist', 'index.js')).href)
const place = (id: number): string => `{ id: ${id}, city: 'city ${id}', latitude: 1, longitude: 2 }`
const batch = `{ locations: [${place(1)}], resume: '1', position: () => 'the first' }`

/** Runs `owm produce` with a plugin that is this module. */
async function produceWith(kind: 'source' | 'sink', module: string, ...more: string[]): Promise<Ran> {
  const folder = await folderWith({
    source: kind === 'source' ? { use: './bad.mjs', timeoutMs: 400 } : { use: 'simulated-db', count: 5 },
    sink: kind === 'sink' ? { use: './bad.mjs', timeoutMs: 400 } : { use: 'jsonl', path: 'tasks.jsonl' },
    outbox: { path: 'outbox.db' },
    retry: { attempts: 2, initialDelayMs: 1, maxDelayMs: 1 },
  })
  await writeFile(join(folder, 'bad.mjs'), module)
  return owm(['produce', ...more], { cwd: folder, timeout: 40_000 })
}

const defined = (kind: 'Source' | 'Sink', open: string): string => `
  import { define${kind}, Malformed, z } from ${library}
  const hang = () => new Promise(() => setInterval(() => {}, 1000))
  export default define${kind}({ name: 'bad', description: 'bad', options: z.strictObject({}), ${open} })`
const source = (opened: string): string => defined('Source', `open: () => (${opened})`)
const sink = (opened: string): string => defined('Sink', `open: () => (${opened})`)

function expectError(ran: Ran, code: number, rule: RegExp): void {
  expect(ran.code, ran.stderr).toBe(code)
  expect(ran.stderr).toMatch(rule)
  expect(ran.stderr, 'a hint').toMatch(/^owm: .*\n {5}\S/m)
  expect(ran.stderr).not.toMatch(/^\s+at /m)
}

describe('a module that is no plugin: 78', () => {
  test.each([
    ['exports nothing', '', /The source \.\/bad\.mjs isn't a source plugin: its default export has no kind/],
    ['is a sink', sink('{}'), /source \.\/bad\.mjs isn't a source plugin: it is a sink/],
    [
      'has no open',
      `import { z } from ${library}\nexport default { kind: 'source', name: 'bad', options: z.object({}) }`,
      /has no function open/,
    ],
    [
      'has a getter that throws',
      "export default { kind: 'source', get name() { throw new Error('boom') } }",
      /\.\/bad\.mjs .*reading its properties threw: boom/,
    ],
    ['throws when it is loaded', "throw new Error('boom')", /The source \.\/bad\.mjs can't be loaded: boom/],
    [
      'imports what is not there',
      "import 'no-such-package'",
      /The source \.\/bad\.mjs can't be loaded: Cannot find package 'no-such-package'/,
    ],
  ])('%s', async (_, module, rule) => {
    expectError(await produceWith('source', module), 78, rule)
  })
})

test('a module that waits at its top level is given up after 30 s', async () => {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'hang.mjs'), 'await new Promise(() => {})')
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const loading = loadSink('./hang.mjs', folder).catch((error: unknown) => error)
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1))
  vi.advanceTimersByTime(30_000)
  const error = await loading
  expect(error).toBeInstanceOf(ConfigurationError)
  expect(String(error)).toContain("The sink ./hang.mjs can't be loaded: it didn't load within 30 s")
})

describe('a source that breaks its contract', () => {
  test('in the midst of a batch: no half of it is stored, so nothing is read twice', async () => {
    const folder = await folderWith({
      source: { use: './bad.mjs' },
      sink: { use: 'jsonl', path: 'tasks.jsonl' },
      outbox: { path: 'outbox.db' },
    })
    await writeFile(
      join(folder, 'bad.mjs'),
      source(`{ async *read(resume) {
        const at = (from, index) => (${place(0).replace('0', 'from + index')})
        const places = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => at(from, index))
        const position = (index) => 'place ' + index
        if (resume === undefined) yield { locations: places(1, 500), resume: '500', position }
        const rest = places(501, 1100)
        if (!process.env.REPAIRED) Object.defineProperty(rest[599], 'city', { get() { throw new Error('boom') } })
        yield { locations: rest, resume: '1100', position }
      } }`),
    )
    const args = ['produce', '--json', '--slot', '2026-11-23T10:00:00Z']
    expect((await owm(args, { cwd: folder })).code).toBe(75)
    const { code, stdout } = await owm(args, { cwd: folder, env: { REPAIRED: '1' } })
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({
      code: 0,
      source: { read: 1100, rejected: 0, duplicates: 0 },
      outbox: { persisted: 1100 },
    })
  })

  test.each([
    ['has no read', '{}', 78, /broke its contract: `open` gave an object without a function `read`/],
    [
      'has a getter that throws',
      "{ get read() { throw new Error('boom') } }",
      78,
      /broke its contract: reading its `read` threw: boom/,
    ],
    ['yields garbage', '{ async *read() { yield 42 } }', 78, /broke its contract: it gave 42 instead of a batch/],
    [
      'has a resume that is no text',
      `{ async *read() { yield { ...${batch}, resume: 7 } } }`,
      78,
      /the `resume` of a batch was 7, not text/,
    ],
    [
      'rejects in read',
      "{ async *read() { throw new Error('boom') } }",
      75,
      /^owm: The source \.\/bad\.mjs failed: boom$/m,
    ],
    [
      'returns its last batch',
      `{ async *read() { yield ${batch}; return { ...${batch}, locations: [${place(2)}] } } }`,
      78,
      /broke its contract: `read` returned an object/,
    ],
    [
      'throws in read, which is no generator',
      "{ read() { throw new Error('boom') } }",
      75,
      /^owm: The source \.\/bad\.mjs failed: boom$/m,
    ],
    [
      'has a location whose getter throws',
      `{ async *read() {
        const bad = { get city() { throw new Error('boom') }, latitude: 1, longitude: 1 }
        yield { ...${batch}, locations: [bad] }
      } }`,
      75,
      /^owm: The source \.\/bad\.mjs failed: boom$/m,
    ],
    [
      'gives batches of nothing without end',
      "{ async *read() { for (;;) yield { locations: [], resume: '', position: () => '' } } }",
      75,
      /^owm: The source \.\/bad\.mjs gave nothing but empty batches for 0\.4 s\.$/m,
    ],
    [
      'hangs in read',
      '{ async *read() { await hang() } }',
      75,
      /^owm: The source \.\/bad\.mjs gave nothing for 0\.4 s\.$/m,
    ],
  ])('%s', async (_, opened, code, rule) => {
    expectError(await produceWith('source', source(opened)), code, rule)
  })

  test('throws in open: 75', async () => {
    const ran = await produceWith('source', defined('Source', "open() { throw new Error('boom') }"))
    expectError(ran, 75, /The source \.\/bad\.mjs couldn't be opened: boom/)
  })

  test('hangs in open: 75', async () => {
    expectError(
      await produceWith('source', defined('Source', 'open: hang')),
      75,
      /The source \.\/bad\.mjs did not open within 0\.4 s/,
    )
  })

  test('hangs in open, in a dry run: 75', async () => {
    expectError(
      await produceWith('source', defined('Source', 'open: hang'), '--dry-run'),
      75,
      /The source \.\/bad\.mjs did not open within 0\.4 s/,
    )
  })

  test('hangs in close: what it gave counts, and a warning names it', async () => {
    const ran = await produceWith('source', source(`{ async *read() { yield ${batch} }, close: hang }`))
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('1 location read, 1 task delivered') })
    expect(ran.stderr).toMatch(/the source \.\/bad\.mjs could not be closed: it took longer than 5 s/)
  })

  test('gives locations that are no objects, or unreadable without a reason: the others go on', async () => {
    const locations = `[null, ${place(1)}, 7, 'x', , new Malformed(undefined, undefined)]`
    const read = source(`{ async *read() { yield { ...${batch}, locations: ${locations} } } }`)
    const ran = await produceWith('source', read, '--strict')
    const counts = '6 locations read, 5 rejected, 1 task delivered'
    expect(ran).toMatchObject({ code: 65, stdout: expect.stringContaining(counts) })
    expect(ran.stderr).toContain('must have its value and a reason')
  })
})

describe('a sink that breaks its contract: nothing counts as delivered', () => {
  const naive = "guarantee: 'at-least-once', async deliver({ tasks }) { return tasks.map(() => 'delivered') }"
  test.each([
    ['promises nothing', `{ ${naive}, guarantee: 'maybe' }`, 78, /its `guarantee` was "maybe"/],
    [
      'has a getter that throws',
      `{ ${naive}, get guarantee() { throw new Error('boom') } }`,
      78,
      /reading its `guarantee` threw: boom/,
    ],
    [
      'returns too few results',
      `{ ${naive}, deliver: async () => ['delivered'] }`,
      78,
      /The sink \.\/bad\.mjs broke its contract: 5 tasks were given, 1 outcomes came back/,
    ],
    [
      'returns a list with holes',
      `{ ${naive}, deliver: async ({ count }) => new Array(count) }`,
      78,
      /The sink \.\/bad\.mjs broke its contract: 5 tasks were given, 5 outcomes came back, one of them undefined/,
    ],
    [
      'has outcomes whose getter throws',
      `{ ${naive}, deliver: async ({ tasks }) => tasks.map(() => ({ get refused() { throw new Error('boom') } })) }`,
      78,
      /The sink \.\/bad\.mjs broke its contract: reading its `outcomes` threw: boom/,
    ],
    [
      'tells the same position of each outbox',
      `{ ${naive}, position: async () => ({ seq: 2, taskId: 'nope' }) }`,
      78,
      /The sink \.\/bad\.mjs broke its contract: `position` gives a new outbox another one's position/,
    ],
    [
      'knows each outbox that attaches',
      `{ ${naive}, async attach() { return { sinkId: 's', superseded: true } }, async place() {} }`,
      78,
      /The sink \.\/bad\.mjs broke its contract: `attach` gives a new outbox another one's position/,
    ],
    [
      'rejects in deliver',
      `{ ${naive}, async deliver() { throw new Error('boom') } }`,
      75,
      /The sink \.\/bad\.mjs failed: boom/,
    ],
    ['hangs in deliver', `{ ${naive}, deliver: hang }`, 75, /The sink \.\/bad\.mjs .* within 0\.4 s/],
    [
      'hangs in position',
      `{ ${naive}, position: hang }`,
      75,
      /The sink \.\/bad\.mjs did not tell its position within 0\.4 s/,
    ],
  ])('%s', async (_, opened, code, rule) => {
    const ran = await produceWith('sink', sink(opened))
    expectError(ran, code, rule)
    expect(ran.stdout).toMatch(/5 locations read, 0 tasks delivered .*5 pending/)
  })

  test('refuses tasks for a reason without an end: the beginning of it is told', async () => {
    const long = "deliver: async ({ tasks }) => tasks.map(() => ({ refused: 'x'.repeat(1e6) }))"
    const { code, stdout, stderr } = await produceWith('sink', sink(`{ ${naive}, ${long} }`), '--log-level', 'debug')
    expect({ code, isShort: stdout.length + stderr.length < 50_000 }).toEqual({ code: 75, isShort: true })
  })

  test('throws in open: 75', async () => {
    const ran = await produceWith('sink', defined('Sink', "open() { throw 'a string' }"))
    expectError(ran, 75, /The sink \.\/bad\.mjs couldn't be opened: a string/)
  })

  test('hangs in open: 75', async () => {
    expectError(
      await produceWith('sink', defined('Sink', 'open: hang')),
      75,
      /The sink \.\/bad\.mjs did not open within 0\.4 s/,
    )
  })
})

test('every rule, without a process of its own', async () => {
  const folder = await temporaryFolder()
  const terms = {
    name: './bad.mjs',
    timeoutMs: 400,
    signal: new AbortController().signal,
    log: { debug() {}, info() {}, warn() {}, error() {} },
  }
  const context = {
    baseDir: folder,
    signal: terms.signal,
    log: terms.log,
    attempt: <T>(call: () => Promise<T>) => call(),
  }
  let files = 0

  async function use(kind: 'source' | 'sink', module: string): Promise<void> {
    const file = `./bad-${files++}.mjs`
    const fresh = { ...terms, signal: new AbortController().signal }
    await writeFile(join(folder, file), module)
    if (kind === 'source') {
      const plugin = await loadSource(file, folder)
      const opened = await superviseSource(fresh, () => plugin.open({}, context))
      for await (const { position } of opened.read(undefined)) position(0)
    } else {
      const plugin = await loadSink(file, folder)
      const opened = await superviseSink(fresh, () => plugin.open({}, context))
      await opened.position?.('an outbox')
      void opened.evicted
      await opened.inspect?.()
      await opened.readings?.('1')
      await opened.receipts?.('a pipeline')
      for await (const one of opened.entries?.() ?? []) void one
      for await (const one of opened.taskIds?.() ?? []) void one
    }
  }

  const telling = (part: string): string => sink(`{ guarantee: 'at-least-once', deliver() {}, ${part} }`)
  const rules: [kind: 'source' | 'sink', module: string, rule: RegExp][] = [
    ['source', 'export default class Bad {}', /bad-\d+\.mjs isn't a source plugin: its default export has no object/],
    [
      'source',
      "export default { kind: 'source', name: 'bad', options: {}, open() {} }",
      /has no options: a zod schema/,
    ],
    ['source', source('undefined'), /`open` gave undefined/],
    ['source', source('{ read: async () => [] }'), /`read` gave an object/],
    ['source', source(`{ async *read() { yield [${place(1)}] } }`), /the `locations` of a batch were undefined/],
    [
      'source',
      source(`{ async *read() { yield { ...${batch}, position: 1 } } }`),
      /a batch had no function `position`/,
    ],
    ['source', source(`{ async *read() { yield { ...${batch}, position: () => 1 } } }`), /`position` gave 1, not text/],
    [
      'source',
      source(`{ async *read() { yield { ...${batch}, position() { throw new Error('boom') } } } }`),
      /reading its `position` threw: boom/,
    ],
    [
      'source',
      source("{ async *read() { yield { get locations() { throw new Error('boom') } } } }"),
      /reading its `locations` threw: boom/,
    ],
    ['sink', sink('null'), /`open` gave null/],
    ['sink', sink("{ guarantee: 'at-least-once', deliver() {}, evicted: -4 }"), /its `evicted` was -4/],
    ['sink', sink("{ guarantee: 'at-least-once', deliver() {}, evicted: '7' }"), /its `evicted` was "7"/],
    [
      'sink',
      sink("{ guarantee: 'at-least-once', deliver() {}, get evicted() { throw new Error('boom') } }"),
      /reading its `evicted` threw: boom/,
    ],
    ['sink', sink("{ guarantee: 'at-least-once' }"), /an object without a function `deliver`/],
    ['sink', sink("{ guarantee: 'at-least-once', deliver() {}, position: async () => 5 }"), /`position` gave 5/],
    ['sink', telling("inspect: async () => ({ entries: '7' })"), /its `inspect` gave something else at entries: /],
    ['sink', telling('readings: async () => [{}]'), /its `readings` gave something else at 0\.group: /],
    ['sink', telling('receipts: async () => ({})'), /its `receipts` gave something else: /],
    ['sink', telling('async *entries() { yield { id: 1 } }'), /its `entries` gave something else at id: /],
    ['sink', telling('entries: async () => []'), /`entries` gave an object/],
    ['sink', telling('async *entries() { return [] }'), /`entries` returned a list of 0/],
    ['sink', telling('async *taskIds() { yield 1 }'), /its `taskIds` gave something else: /],
  ]
  for (const [kind, module, rule] of rules) {
    const error = await use(kind, module).catch((thrown: unknown) => thrown)
    expect(error, module).toBeInstanceOf(ConfigurationError)
    expect(String(error), module).toMatch(rule)
    expect(String(error), module).toMatch(/bad(-\d+)?\.mjs/)
    expect(error).toHaveProperty('hint', expect.stringMatching(/\S/))
  }
})

test('a source that is closed, or was never opened, no longer listens to the signal', async () => {
  const { signal } = new AbortController()
  const silent = () => undefined
  const terms = {
    name: 's',
    timeoutMs: 1_000,
    signal,
    log: { debug: silent, info: silent, warn: silent, error: silent },
  }
  for (let run = 0; run < 5; run++) {
    const opened = await superviseSource(terms, () => ({ async *read() {} }))
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    await opened.close?.()
    await expect(superviseSource(terms, () => Promise.reject(new Error('away')))).rejects.toThrow('away')
  }
  expect(getEventListeners(signal, 'abort')).toEqual([])
})
