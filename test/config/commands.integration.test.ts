/** `owm config show`, `check` and `schema`; the page about all of it. */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv, type ValidateFunction } from 'ajv'
import { Redis } from 'ioredis'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { filtersOf } from '../../src/config/filters.js'
import { configSchema } from '../../src/config/json-schema.js'
import { loadConfig } from '../../src/config/load.js'
import { settingsSchema } from '../../src/config/schema.js'
import { folderWith, owm, owmJson, root, temporaryFolder } from '../support/cli.js'
import { startRedisProcess } from '../support/redis.js'

interface Shown {
  file: string | null
  pipeline: string | null
  values: { key: string; value: unknown; origin: { from: string; name?: string; file?: string; line?: number } }[]
  error?: { code: string; message: string }
}

interface Checked {
  findings: { pipeline: string | null; about: string; ok: boolean; message: string; hint: string | null }[]
  error?: { code: string }
}

const password = 'hunter2-and-a-half'

describe('owm config show', () => {
  const yaml = [
    'source:',
    '  use: simulated-db',
    '  pageSize: 7',
    'sink:',
    '  use: redis-stream',
    '  url: redis://me:${PW}@127.0.0.1:1/3',
    'outbox: {path: "${HERE}/o.db"}',
    'pipelines:',
    '  hourly:',
    '    source:',
    '      count: 50',
    '  daily: {}',
    '',
  ].join('\n')

  it('says of every setting what it is and where it came from, but no secret', async () => {
    const cwd = await temporaryFolder()
    await writeFile(join(cwd, '.owmrc.yaml'), yaml)
    const options = { cwd, env: { PW: password, HERE: 'here', OWM_PIPELINE: 'hourly' } }
    const { code, json, stdout } = await owmJson<Shown>(['config', 'show', '--set', 'source.seed=9'], options)
    const file = join(cwd, '.owmrc.yaml')
    expect({ code, file: json.file, pipeline: json.pipeline, error: json.error }).toEqual({
      code: 0,
      file,
      pipeline: 'hourly',
      error: undefined,
    })
    expect(json.values).toEqual(
      expect.arrayContaining([
        { key: 'source.use', value: 'simulated-db', origin: { from: 'file', file, line: 2 } },
        { key: 'source.pageSize', value: 7, origin: { from: 'file', file, line: 3 } },
        { key: 'source.count', value: 50, origin: { from: 'file', file, line: 11 } },
        { key: 'source.seed', value: 9, origin: { from: 'flag', name: '--set source.seed' } },
        { key: 'source.latencyMs', value: 0, origin: { from: 'default' } },
        { key: 'source.timeoutMs', value: 60_000, origin: { from: 'default' } },
        { key: 'sink.url', value: 'redis://***@127.0.0.1:1/3', origin: { from: 'file', file, line: 6 } },
        { key: 'sink.onFull', value: 'trim', origin: { from: 'default' } },
        { key: 'outbox.path', value: join(cwd, 'here', 'o-hourly.db'), origin: { from: 'file', file, line: 7 } },
        { key: 'retry.attempts', value: 8, origin: { from: 'default' } },
      ]),
    )
    expect(new Set(json.values.map(({ key }) => key)).size).toBe(json.values.length)
    const human = await owm(['config', 'show'], { ...options, env: { ...options.env, OWM_OUTBOX: 'x.db' } })
    expect(human.stdout).toMatch(/^source\.count +50 +\.owmrc\.yaml:11$/m)
    expect(human.stdout).toMatch(/^outbox\.path +\S+\/x\.db +OWM_OUTBOX$/m)
    expect(stdout + human.stdout + human.stderr).not.toContain('hunter2')
  })

  it("says what it can where a plugin's options are wrong, or the plugin isn't there", async () => {
    const cwd = await folderWith({
      source: { use: 'http', url: `https://h/x?key=${password}`, tokn: password, auth: { pas: password } },
      sink: { use: './gone.mjs', pin: password },
    })
    const { code, json, stdout } = await owmJson<Shown>(['config', 'show'], { cwd })
    expect({ code, error: json.error?.code }).toEqual({ code: 78, error: 'CONFIGURATION' })
    expect(json.values).toContainEqual({
      key: 'source.url',
      value: '***',
      origin: expect.objectContaining({ line: 1 }),
    })
    for (const key of ['source.tokn', 'source.auth.pas', 'sink.pin'])
      expect(json.values, 'a misspelt secret is one').toContainEqual({ key, value: '***', origin: expect.anything() })
    expect(stdout).not.toContain('hunter2')
  })

  it('reads owm.config.ts with defineConfig, pipelines and all', async () => {
    const cwd = await temporaryFolder()
    await mkdir(join(cwd, 'node_modules'))
    await symlink(root, join(cwd, 'node_modules', 'owm'))
    await writeFile(
      join(cwd, 'owm.config.ts'),
      `import { defineConfig } from 'owm'
       const count: number = 4
       const pipelines = { a: { source: { use: 'simulated-db', count } }, b: {} }
       export default defineConfig({ sink: { use: 'jsonl', path: '-' }, pipelines })`,
    )
    const { code, json } = await owmJson<Shown>(['config', 'show', '--pipeline', 'a'], { cwd })
    expect({ code, error: json.error }).toEqual({ code: 0, error: undefined })
    expect(json.values).toContainEqual({
      key: 'source.count',
      value: 4,
      origin: { from: 'file', file: join(cwd, 'owm.config.ts') },
    })
  })
})

describe('owm config check', () => {
  it('finds everything that is wrong in every pipeline: 78', async () => {
    const cwd = await folderWith({
      source: { use: 'static-list', file: 'missing.csv' },
      pipelines: {
        good: { source: { use: 'simulated-db' }, sink: { use: 'jsonl', path: 't.jsonl' } },
        bad: { sink: { use: 'jsonl', path: 'gone/t.jsonl', mode: 1 }, outbox: { path: '.owmrc.json/o.db' } },
        worse: { retry: { attempts: 0 }, flush: { batchsize: 1 } },
      },
    })
    const { code, json } = await owmJson<Checked>(['config', 'check'], { cwd })
    expect({ code, error: json.error?.code }).toEqual({ code: 78, error: 'CONFIGURATION' })
    const of = (pipeline: string, ok: boolean): string[] =>
      json.findings
        .filter((one) => one.pipeline === pipeline && one.ok === ok)
        .map(({ about, message }) => `${about}: ${message}`)
    expect(of('good', false)).toEqual([])
    expect(of('good', true).map((finding) => finding.split(':')[0])).toEqual([
      'configuration',
      'source',
      'sink',
      'sink',
      'outbox',
    ])
    expect(of('bad', false)).toEqual([
      expect.stringMatching(/^sink: sink\.mode in .*\.owmrc\.json:1 is not a known key/),
      expect.stringMatching(/^source: The file .*missing\.csv can't be read: there is no such file/),
      expect.stringMatching(/^outbox: .*\.owmrc\.json\/o-?.*db can't be written/),
    ])
    expect(of('worse', false)).toEqual([
      expect.stringContaining('flush.batchsize'),
      expect.stringContaining('retry.attempts'),
    ])
    const { code: onlyGood, stdout } = await owm(['config', 'check', '--pipeline', 'good'], { cwd })
    expect({ onlyGood, wrong: /^wrong/m.test(stdout) }).toEqual({ onlyGood: 0, wrong: false })
  })

  it('tells of a file that cannot be read, and of wrong flags', async () => {
    const cwd = await temporaryFolder()
    await writeFile(join(cwd, '.owmrc.yaml'), 'source: {\n')
    const { code, stdout } = await owm(['config', 'check'], { cwd })
    expect(code).toBe(78)
    expect(stdout).toMatch(/^wrong configuration: .*\.owmrc\.yaml:2:1 can't be read/m)
    await writeFile(join(cwd, '.owmrc.yaml'), '{}')
    expect((await owm(['config', 'check', '--set', 'nothing'], { cwd })).code).toBe(2)
  })

  it('--connect tries source and sink, and changes nothing anywhere', async () => {
    const redis = await startRedisProcess()
    onTestFinished(() => redis.stop())
    const admin = new Redis(redis.url)
    onTestFinished(() => admin.disconnect())
    const cwd = await folderWith({
      source: { use: 'simulated-db', count: 5_000, pageSize: 70, where: { id: [1, 2] } },
      sink: { use: 'redis-stream', url: redis.url },
      outbox: { path: 'sub/o.db' },
    })
    const before = await snapshot(cwd)
    const { code, json } = await owmJson<Checked>(['config', 'check', '--connect'], { cwd })
    expect({ code, wrong: json.findings.filter(({ ok }) => !ok) }).toEqual({ code: 0, wrong: [] })
    expect(json.findings.map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        'simulated-db was opened; first batch: 2 locations read (68 left out by filters)',
        'redis-stream was opened and answered',
      ]),
    )
    expect(await admin.dbsize()).toBe(0)
    expect(
      (await owm(['config', 'check', '--connect', '--sink', 'jsonl', '--set', 'sink.path=t.jsonl'], { cwd })).code,
    ).toBe(0)
    expect(await snapshot(cwd)).toEqual(before)
  })

  it('--connect: 75 where only the connection failed, after one attempt', async () => {
    const cwd = await folderWith({
      source: { use: 'simulated-db', failureRate: 1 },
      sink: { use: 'redis-stream', url: 'redis://127.0.0.1:1' },
      outbox: { path: './outbox.db' },
    })
    const started = Date.now()
    const { code, json } = await owmJson<Checked>(['config', 'check', '--connect'], { cwd, timeout: 30_000 })
    expect({ code, wrong: json.findings.filter(({ ok }) => !ok).map(({ about }) => about) }).toEqual({
      code: 75,
      wrong: ['source', 'sink'],
    })
    expect(Date.now() - started).toBeLessThan(30_000)
    expect((await owm(['config', 'check', '--connect', '--set', 'sink.stream='], { cwd })).code).toBe(78)
  })
})

/** Every file below a folder with its time and content. */
async function snapshot(folder: string): Promise<Record<string, string>> {
  const seen: Record<string, string> = {}
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const hash = entry.isFile() ? createHash('sha256').update(await readFile(path)) : undefined
    seen[path] = `${(await stat(path, { bigint: true })).mtimeNs} ${hash?.digest('hex')}`
  }
  return seen
}

describe('the JSON Schema', () => {
  let validate: ValidateFunction
  beforeAll(async () => {
    validate = new Ajv({ allErrors: true, strict: true, strictTypes: false, strictRequired: false }).compile(
      await configSchema(),
    )
  })
  const mistakes = (config: unknown): string[] =>
    validate(config) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
  const base = { source: { use: 'simulated-db', count: 5 }, sink: { use: 'jsonl', path: '-' } }

  it('is what `owm config schema` prints, and what `owm init` writes beside a starter file that it knows', async () => {
    const cwd = await temporaryFolder()
    const printed = await owm(['config', 'schema'], { cwd })
    expect(JSON.parse(printed.stdout)).toEqual(await configSchema())
    expect((await owm(['init'], { cwd })).code).toBe(0)
    expect(await readFile(join(cwd, 'owm.schema.json'), 'utf8')).toBe(printed.stdout)
    const starter = await readFile(join(cwd, '.owmrc.yaml'), 'utf8')
    expect(starter.split('\n')[0]).toBe('# yaml-language-server: $schema=./owm.schema.json')
    expect(mistakes(parse(starter))).toEqual([])
    // What the starter shows as comments is right, too.
    const uncommented = starter
      .replace(/^sink:\n( .*\n)+/m, '')
      .replace(/^# (?!owm:)((?: {2})?[a-zA-Z]+: ?.*|sink:)$/gm, '$1')
    expect(Object.keys(parse(uncommented))).toEqual(
      expect.arrayContaining(['source', 'sink', 'flush', 'retry', 'breaker']),
    )
    expect(mistakes(parse(uncommented))).toEqual([])
  })

  it.each(['README.md', 'docs/configuration.md'])('knows the examples of %s', async (page) => {
    const configs = (await blocksOf(page))
      .flatMap((text): unknown[] => parseAllDocuments(text).map((document) => document.toJS()))
      .filter(isConfig)
    expect(configs.length).toBeGreaterThan(0)
    for (const config of configs) expect({ config, mistakes: mistakes(config) }).toEqual({ config, mistakes: [] })
  })

  it.each([
    base,
    { ...base, $schema: './owm.schema.json' },
    {
      ...base,
      source: { use: './mine.ts', whatever: [1], limit: 5, where: { state: 'x', size: [1, 2], bbox: [1, 2, 3, 4] } },
    },
    { ...base, source: { use: 'simulated-db', where: { a: { gte: 5, not: ['x'] }, b: { in: 'y', exists: true } } } },
    { ...base, sink: { use: 'redis-stream', url: '${REDIS_URL}' } },
    { ...base, sink: { use: 'redis-stream', url: '${file:/run/secrets/redis_url}' } },
    { ...base, sink: { use: 'redis-stream', url: '${file:${CREDENTIALS_DIRECTORY}/redis_url}' } },
    { ...base, source: { use: 'simulated-db', shard: '0/3', sample: 0.5 } },
    {
      sink: { stream: 'x' },
      pipelines: {
        a: null,
        b: { source: { use: 'simulated-db' }, sink: { use: 'redis-stream' }, retry: { attempts: 3 } },
      },
    },
    { outbox: { keepTasks: 5 } },
  ])('takes %j', (config) => {
    expect(mistakes(config)).toEqual([])
  })

  it.each([
    [{ ...base, sorce: {} }, ' must NOT have additional properties'],
    [{ ...base, source: { use: 'simulated-db', cuont: 5 } }, '/source must NOT have additional properties'],
    [{ ...base, source: { use: 'simulated-db', count: 'many' } }, '/source/count must be integer'],
    [{ ...base, source: { use: 'simulated-db', where: { a: { gte: '5' } } } }, '/source/where/a/gte must be number'],
    [
      { ...base, source: { use: 'simulated-db', where: { a: { gtee: 5 } } } },
      '/source/where/a must NOT have additional properties',
    ],
    [
      { ...base, source: { use: 'simulated-db', where: { a: {} } } },
      '/source/where/a must NOT have fewer than 1 properties',
    ],
    [{ ...base, source: { count: 5 } }, "/source must have required property 'use'"],
    [{ ...base, source: { use: './mine.ts', limit: 0 } }, '/source/limit must be >= 1'],
    [{ ...base, sink: { use: './mine.ts', timeoutMs: 0 } }, '/sink/timeoutMs must be >= 1'],
    [{ ...base, sink: { use: 'jsonl' } }, "/sink must have required property 'path'"],
    [
      { ...base, sink: { use: 'redis-stream', onFull: 'panic' } },
      '/sink/onFull must be equal to one of the allowed values',
    ],
    [{ ...base, sink: { use: 'redis-stream', url: 'http://x' } }, '/sink/url must match pattern "^rediss?:\\/\\/"'],
    [{ ...base, sink: { use: 'redis-stream', url: '${no name}' } }, '/sink/url must match a schema in anyOf'],
    [{ ...base, flush: { batchSize: 0 } }, '/flush/batchSize must be >= 1'],
    [{ ...base, pipelines: { 'a b': {} } }, '/pipelines must match pattern "^[A-Za-z][A-Za-z0-9_-]{0,63}$"'],
    [
      { pipelines: { a: { source: { use: 'simulated-db', cuont: 1 } } } },
      '/pipelines/a/source must NOT have additional properties',
    ],
    [{ pipelines: { a: { sorce: {} } } }, '/pipelines/a must NOT have additional properties'],
  ])('refuses %j', (config, expected) => {
    expect(mistakes(config)).toContain(expected)
  })

  it('describes every key, and gives the defaults', async () => {
    const { properties = {}, definitions } = await configSchema()
    expect(properties['retry']).toMatchObject({
      properties: { attempts: { default: 8, description: expect.any(String) } },
    })
    expect(JSON.stringify(definitions)).toContain('redis://user:password@host:port/db')
    const bare: string[] = []
    const visit = (schema: unknown, path: string): void => {
      if (typeof schema !== 'object' || schema === null) return
      if ('properties' in schema && typeof schema.properties === 'object' && schema.properties !== null)
        for (const [key, inner] of Object.entries(schema.properties))
          if (typeof inner === 'object' && inner !== null && !('description' in inner) && !('$ref' in inner))
            bare.push(`${path}.${key}`)
      for (const [key, inner] of Object.entries(schema)) visit(inner, `${path}.${key}`)
    }
    visit({ properties, definitions }, '')
    expect(bare).toEqual([])
  })
})

// --- the page ---

async function blocksOf(page: string): Promise<string[]> {
  const text = await readFile(join(root, page), 'utf8')
  return [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
}

const isConfig = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && ('source' in value || 'pipelines' in value)

describe('docs/configuration.md', () => {
  it('has every key with its default', async () => {
    const text = await readFile(join(root, 'docs', 'configuration.md'), 'utf8')
    const { source, sink, taskNamespace, schedule, cadence, plan, metrics, notify, ...others } = settingsSchema.shape
    expect(text).toContain('| `taskNamespace` |')
    for (const [name, section] of Object.entries(others))
      for (const [key, value] of Object.entries(section.parse({}))) {
        expect(text).toContain(`| \`${name}.${key}\` | ${value} |`)
      }
    for (const key of Object.keys(source.unwrap().shape).filter((key) => key !== 'use'))
      expect(text).toContain(`\`source.${key}\``)
    for (const [key, value] of Object.entries(schedule.parse({ cron: '@daily' }) ?? {}))
      expect(text).toContain(`| \`schedule.${key}\` | ${key === 'cron' ? '' : `${value} `}|`)
    const planned: Record<string, unknown> = plan.parse({}) ?? {}
    for (const key of Object.keys(plan.unwrap().shape))
      expect(text).toContain(`| \`plan.${key}\` | ${key in planned ? `${planned[key]} ` : ''}|`)
    const [notified, on] = [notify.unwrap().shape, notify.unwrap().shape.on.unwrap().shape]
    for (const key of ['ping', 'timeoutMs']) expect(Object.keys(notified)).toContain(key)
    for (const key of Object.keys(on)) expect(text).toContain(`| \`notify.on.${key}\` |`)
    const { pushgateway, ...measured } = metrics.unwrap().shape
    const keys = [
      ...Object.keys(measured),
      ...Object.keys(pushgateway.unwrap().shape).map((key) => `pushgateway.${key}`),
    ]
    for (const key of keys) expect(text).toContain(`| \`metrics.${key}\` |`)
    for (const key of Object.keys(cadence.unwrap().shape)) expect(text).toContain(`| \`cadence.${key}\` |`)
    expect([sink, taskNamespace]).not.toContain(undefined)
  })

  it('has an Indexed Job for Kubernetes whose configuration gives each index its share and its outbox', async () => {
    const folder = join(root, 'deploy', 'kubernetes', 'indexed')
    const [cronJob] = parseAllDocuments(await readFile(join(folder, 'cronjob.yaml'), 'utf8')).map((one) => one.toJS())
    const { completionMode, completions, template } = cronJob.spec.jobTemplate.spec
    expect(completionMode).toBe('Indexed')
    expect(template.spec.containers[0].args).toContain('/var/lib/owm/outbox-$(JOB_COMPLETION_INDEX).db')
    for (let index = 0; index < completions; index++) {
      const env = { JOB_COMPLETION_INDEX: String(index), REDIS_URL: 'redis://h:1' }
      const loaded = await loadConfig({ config: 'owm.yaml' }, env, folder)
      expect((await filtersOf(loaded, env))?.shard).toEqual({ index, count: completions })
    }
  })
})
