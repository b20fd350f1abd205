/** Several pipelines in one configuration file. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { defineConfig } from '../../src/config/schema.js'
import { folderWith, owmJson } from '../support/cli.js'
import { minimal, mistakesOf, type Seen, settingsOf } from './scene.js'

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
