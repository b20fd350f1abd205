/**
 * Retries and the circuit breaker: how often, how long, who ends them, and what
 * of it the next process knows. The proxy counts the attempts; owm isn't asked.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  ChangedError,
  ConfigurationError,
  RefusedError,
  SinkFullError,
  TransientError,
} from '../../src/errors/index.js'
import { Resilience } from '../../src/pipeline/retry.js'
import { folderWith, owmJson, startOwm, until } from '../support/cli.js'
import { expectAccounted, expectAllOnce, redisScene, type Scene, slot } from '../support/redis-scene.js'

const produce = ['produce', '--slot', slot]

interface Answer {
  error?: { code: string; message: string; hint?: string }
  outbox: { pending: number }
  sink: { delivered: number }
}

interface Breaker {
  name: string
  state: string
  failures: number
  since: string | null
}

/** The retries as they are set by default but for their pace. */
const fast = { attempts: 8, initialDelayMs: 5, maxDelayMs: 20 }

describe('how often', () => {
  test('8 attempts to connect, by default', async () => {
    const scene = await redisScene({
      count: 600,
      settings: { retry: { attempts: undefined, initialDelayMs: 5, maxDelayMs: 20 }, breaker: { failures: undefined } },
    })
    scene.proxy.mode = 'refuse'
    const { code, json } = await scene.owmJson<Answer>(produce)
    expect(code).toBe(75)
    expect(json.error?.code).toBe('NOT_HANDED_OVER')
    expect(scene.proxy.counts).toMatchObject({ connections: 8, refused: 8 })
    expect(json.outbox.pending).toBe(600)
  })

  test('8 attempts to write, by default: each on a new connection', async () => {
    const scene = await redisScene({
      count: 600,
      settings: { retry: { attempts: undefined, initialDelayMs: 5, maxDelayMs: 20 }, breaker: { failures: undefined } },
    })
    scene.proxy.fromScript(2, 'reset')
    const { code } = await scene.owmJson<Answer>(produce)
    expect(code).toBe(75)
    expect(scene.proxy.counts).toMatchObject({
      scripts: 1 + 8,
      scriptsAnswered: expect.toBeOneOf([0, 1]),
      resets: 8,
      connections: 8,
    })
    await expectAccounted(scene)
  })

  test('a success in between gives the next call all its attempts again', async () => {
    const scene = await redisScene({ settings: { retry: { ...fast, attempts: 3 }, breaker: { failures: 3 } } })
    // Each of the five batches fails twice: ten failures, but never three in a row.
    for (let batch = 0; batch < 5; batch++) {
      scene.proxy.onScript(batch * 3 + 1, 'reset')
      scene.proxy.onScript(batch * 3 + 2, 'drop-reply')
    }
    const { code, stderr } = await scene.owmJson<Answer>(produce)
    expect(code, stderr).toBe(0)
    expect(scene.proxy.counts).toMatchObject({ scripts: 15, resets: 10, repliesDropped: 5 })
    await expectAllOnce(scene)
  })
})

describe('how long', () => {
  afterEach(() => vi.restoreAllMocks())

  const options = {
    retry: { attempts: 8, initialDelayMs: 8, maxDelayMs: 50 },
    breaker: { failures: 100, resetAfterMs: 1_000 },
  }

  async function delaysFor(random: number): Promise<{ delays: number[]; calls: number; ms: number }> {
    vi.spyOn(Math, 'random').mockReturnValue(random)
    const delays: number[] = []
    let calls = 0
    const started = performance.now()
    const guard = new Resilience(options, undefined, { onRetry: ({ delayMs }) => delays.push(delayMs) })
    const call = guard.run(async () => {
      calls++
      throw new TransientError('no')
    }, new AbortController().signal)
    await expect(call).rejects.toThrow('no')
    return { delays, calls, ms: performance.now() - started }
  }

  test('the bound of the wait doubles up to the cap', async () => {
    const { delays, calls, ms } = await delaysFor(1 - Number.EPSILON)
    expect(calls).toBe(8)
    expect(delays).toEqual([7, 15, 31, 49, 49, 49, 49])
    expect(ms).toBeGreaterThan(200) // and it's really waited for: 249 ms, of which a timer may take off some
  })

  test('the jitter is full: anything from nothing to the bound', async () => {
    expect((await delaysFor(0)).delays).toEqual([0, 0, 0, 0, 0, 0, 0])
    expect((await delaysFor(0.5)).delays).toEqual([4, 8, 16, 25, 25, 25, 25])
  })

  test('never shorter than the other side asks for; where it asks for too much, it is not tried again', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    const delays: number[] = []
    const guard = new Resilience(options, undefined, {
      maxRetryAfterMs: 100,
      onRetry: ({ delayMs }) => delays.push(delayMs),
    })
    const asked = [30, 99, 100]
    const operation = vi.fn(() => Promise.reject(new TransientError('busy', { retryAfterMs: asked.shift() })))
    const started = performance.now()
    await expect(guard.run(operation, new AbortController().signal)).rejects.toThrow('busy')
    expect(delays).toEqual([30 + 4, 99 + 8])
    expect(performance.now() - started).toBeGreaterThan(135)
    expect(operation).toHaveBeenCalledTimes(3)
  })

  test.each([
    ['configuration', new ConfigurationError('no')],
    ['refused', new RefusedError('no')],
    ['full', new SinkFullError('no')],
    ['fence', new ChangedError('no')],
  ])('what a retry can not help is not retried: %s', async (_, error) => {
    const operation = vi.fn(() => Promise.reject(error))
    const guard = new Resilience({ ...options, breaker: { failures: 1, resetAfterMs: 60_000 } })
    await expect(guard.run(operation, new AbortController().signal)).rejects.toBe(error)
    await expect(guard.run(operation, new AbortController().signal)).rejects.toBe(error) // and opens no circuit
    expect(operation).toHaveBeenCalledTimes(2)
    expect(guard.save()).toBeUndefined()
  })

  test('what is not known is transient', async () => {
    const operation = vi.fn(() => Promise.reject('just a string'))
    await expect(new Resilience(options).run(operation, new AbortController().signal)).rejects.toThrow()
    expect(operation).toHaveBeenCalledTimes(8)
  })

  test('a signal ends a wait at once', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.9)
    const abort = new AbortController()
    const error = new TransientError('no')
    const guard = new Resilience(
      { ...options, retry: { attempts: 8, initialDelayMs: 3_600_000, maxDelayMs: 3_600_000 } },
      undefined,
      {
        onRetry: () => abort.abort(),
      },
    )
    const operation = vi.fn(() => Promise.reject(error))
    await expect(guard.run(operation, abort.signal)).rejects.toBe(error)
    expect(operation).toHaveBeenCalledTimes(1)
  })
})

describe('SIGTERM ends', () => {
  /** Starts a run, sends SIGTERM once it is where it should be, and resumes it afterwards. */
  async function terminated(scene: Scene, there: (stderr: string) => boolean): Promise<void> {
    const { child, ended } = startOwm([...produce, '--json'], { cwd: scene.folder })
    let stderr = ''
    child.stderr?.on('data', (text: string) => {
      stderr += text
    })
    await until(() => there(stderr))
    const sent = performance.now()
    child.kill('SIGTERM')
    const ran = await ended
    expect(ran.code, ran.stderr).toBe(143)
    expect(performance.now() - sent).toBeLessThan(10_000)
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code: 'INTERRUPTED' }, source: { name: 'simulated-db' } })

    scene.proxy.repair()
    const again = await scene.owmJson<Answer>(produce)
    expect(again.code, again.stderr).toBe(0)
    await expectAllOnce(scene)
  }

  const hour = 3_600_000

  test('a wait between two attempts', async () => {
    const scene = await redisScene({ settings: { retry: { attempts: 100, initialDelayMs: hour, maxDelayMs: hour } } })
    scene.proxy.fromScript(2, 'reset')
    await terminated(scene, (stderr) => stderr.includes('tried again'))
    expect(scene.proxy.counts.resets).toBeGreaterThan(0)
  })

  test('a connection attempt that nobody answers', async () => {
    const scene = await redisScene({ settings: { sink: { healthCheckTimeoutMs: hour, commandTimeoutMs: hour } } })
    scene.proxy.mode = 'black-hole'
    await terminated(scene, () => scene.proxy.counts.silenced > 0)
  })

  test('the question for the fence that nobody answers', async () => {
    const scene = await redisScene({ settings: { sink: { commandTimeoutMs: hour } } })
    scene.proxy.swallowNext('attach')
    await terminated(scene, () => scene.proxy.counts.silenced > 0)
  })

  test('a batch that was applied and is never answered', async () => {
    const scene = await redisScene({ settings: { sink: { commandTimeoutMs: hour } } })
    scene.proxy.onScript(2, 'swallow-reply')
    await terminated(scene, () => scene.proxy.counts.repliesDropped > 0)
  })
})

describe('the circuit breaker', () => {
  const never = ['--set', 'breaker.resetAfterMs=86400000']
  const atOnce = ['--set', 'breaker.resetAfterMs=0']

  const breakersOf = async (scene: Scene): Promise<Breaker[]> =>
    (await scene.owmJson<{ breakers: Breaker[] }>(['outbox', 'inspect'])).json.breakers

  async function expectOpen(scene: Scene, args: readonly string[]): Promise<void> {
    const before = scene.proxy.counts.connections
    const { code, json, ms } = await scene.owmJson<Answer>([...args, ...never])
    expect(code).toBe(75)
    expect(json.error?.code).toBe('CIRCUIT_OPEN')
    expect(json.error?.hint).toContain('owm flush --force')
    expect(ms).toBeLessThan(15_000)
    expect(scene.proxy.counts.connections).toBe(before)
  }

  test('opens after so many failures, over several processes, and stays open in the next ones', async () => {
    const scene = await redisScene({
      count: 600,
      settings: { retry: { ...fast, attempts: 2 }, breaker: { failures: 4 } },
    })
    scene.proxy.mode = 'refuse'
    expect((await scene.owmJson<Answer>([...produce, ...never])).json.error?.code).toBe('NOT_HANDED_OVER')
    expect(await breakersOf(scene)).toEqual([{ name: 'sink', state: 'closed', failures: 2, since: null }])
    const begun = Date.now()
    expect((await scene.owmJson<Answer>(['flush', ...never])).json.error?.code).toBe('NOT_HANDED_OVER')
    expect(scene.proxy.counts.connections).toBe(4)

    const [breaker] = await breakersOf(scene)
    expect(breaker).toMatchObject({ name: 'sink', state: 'open', failures: 4 })
    expect(Date.parse(breaker?.since ?? '')).toBeGreaterThanOrEqual(begun)
    expect(Date.parse(breaker?.since ?? '')).toBeLessThanOrEqual(Date.now())
    const { stdout } = await scene.owm(['outbox', 'inspect'])
    expect(stdout).toMatch(/circuit to the sink: open, 4 failures in a row, open since 20\d\d-/)

    scene.proxy.repair()
    await expectOpen(scene, ['flush'])
    // A later slot is stored although the sink isn't asked.
    await expectOpen(scene, ['produce', '--slot', '2026-11-23T11:00:00Z'])
    expect(await scene.pending()).toHaveLength(1_200)
  })

  test('is probed once when its time has come: a failure keeps it open, a success closes it', async () => {
    const scene = await redisScene({ settings: { retry: fast, breaker: { failures: 5 } } })
    scene.proxy.mode = 'refuse'
    await scene.owmJson<Answer>([...produce, ...never])
    expect(scene.proxy.counts.connections).toBe(8)
    await expectOpen(scene, ['flush'])

    const failed = await scene.owmJson<Answer>(['flush', ...atOnce])
    expect(failed.code).toBe(75)
    expect(failed.json.error?.code).toBe('NOT_HANDED_OVER')
    expect(scene.proxy.counts.connections).toBe(9)
    await expectOpen(scene, ['flush'])

    scene.proxy.repair()
    const probed = await scene.owmJson<Answer>(['flush', ...atOnce])
    expect(probed.code, probed.stderr).toBe(0)
    expect(scene.proxy.counts.connections).toBe(10)
    await expectAllOnce(scene)
    expect(await breakersOf(scene)).toEqual([])
  })

  test('is closed for good by a probe that succeeds: what fails later has all its attempts', async () => {
    const scene = await redisScene({ settings: { retry: fast, breaker: { failures: 5 } } })
    scene.proxy.mode = 'refuse'
    await scene.owmJson<Answer>([...produce, ...never])
    scene.proxy.repair()
    for (const n of [1, 2, 3]) scene.proxy.onScript(n, 'reset')
    const { code, stderr } = await scene.owmJson<Answer>(['flush', ...atOnce])
    expect(code, stderr).toBe(0)
    expect(scene.proxy.counts.resets).toBe(3)
    await expectAllOnce(scene)
  })

  test('is ignored by flush --force', async () => {
    const scene = await redisScene({ settings: { retry: fast, breaker: { failures: 5 } } })
    scene.proxy.mode = 'refuse'
    await scene.owmJson<Answer>([...produce, ...never])
    await expectOpen(scene, ['flush'])
    scene.proxy.repair()
    const { code, stderr } = await scene.owmJson<Answer>(['flush', '--force', ...never])
    expect(code, stderr).toBe(0)
    await expectAllOnce(scene)
    expect(await breakersOf(scene)).toEqual([])
  })

  test('is not opened by a wrong configuration', async () => {
    const scene = await redisScene({ count: 600, settings: { retry: fast, breaker: { failures: 1 } } })
    await scene.admin.set('owm-ingestion-stream', 'something else')
    expect((await scene.owmJson<Answer>(produce)).code).toBe(78)
    expect(await breakersOf(scene)).toEqual([])
    await scene.admin.del('owm-ingestion-stream')
    expect((await scene.owmJson<Answer>(['flush', ...never])).code).toBe(0)
    await expectAllOnce(scene)
  })

  test('a clock that went backwards does not hold it open', async () => {
    const scene = await redisScene({ count: 600, settings: { retry: fast, breaker: { failures: 5 } } })
    scene.proxy.mode = 'refuse'
    // The clock is a day ahead while the circuit opens; then it's set right.
    const ahead = join(scene.folder, 'ahead.mjs')
    await writeFile(ahead, 'const now = Date.now; Date.now = () => now() + 86_400_000\n')
    await scene.owmJson<Answer>([...produce, ...never], { node: ['--import', ahead] })
    const [breaker] = await breakersOf(scene)
    expect(Date.parse(breaker?.since ?? '')).toBeGreaterThan(Date.now() + 80_000_000)

    scene.proxy.repair()
    await expectOpen(scene, ['flush'])
    await until(async () => (await scene.owmJson<Answer>(['flush', '--set', 'breaker.resetAfterMs=1500'])).code === 0)
    await expectAllOnce(scene)
  })

  test('an open one keeps batches from a sink that is never asked for its position, too', async () => {
    const folder = await folderWith({
      source: { use: 'simulated-db', count: 20 },
      sink: { use: './sink.mjs' },
      outbox: { path: './outbox.db' },
      flush: { batchSize: 5 },
      retry: { ...fast, attempts: 2 },
      breaker: { failures: 2 },
    })
    const calls = join(folder, 'calls.txt')
    await writeFile(
      join(folder, 'sink.mjs'),
      `import { appendFileSync } from 'node:fs'
       const options = { safeParse: (data) => ({ success: true, data }) }
       const deliver = async () => { appendFileSync(${JSON.stringify(calls)}, 'x'); throw new Error('down') }
       const open = () => ({ guarantee: 'at-least-once', deliver })
       export default { kind: 'sink', name: 'down', description: '', options, open }`,
    )
    expect((await owmJson<Answer>([...produce, ...never], { cwd: folder })).code).toBe(75)
    expect(await readFile(calls, 'utf8')).toBe('xx')
    const { code, json } = await owmJson<Answer>(['flush', ...never], { cwd: folder })
    expect({ code, error: json.error?.code }).toEqual({ code: 75, error: 'CIRCUIT_OPEN' })
    expect(await readFile(calls, 'utf8')).toBe('xx')
  })

  test('stands around a source as well, and says so', async () => {
    const folder = await folderWith({
      source: { use: 'simulated-db', count: 600, failureRate: 1 },
      sink: { use: 'jsonl', path: './tasks.jsonl' },
      outbox: { path: './outbox.db' },
      retry: { ...fast, attempts: 3 },
      breaker: { failures: 3 },
    })
    const failed = await owmJson<Answer>([...produce, ...never], { cwd: folder })
    expect({ code: failed.code, error: failed.json.error?.code }).toEqual({ code: 75, error: 'SOURCE' })
    expect(failed.stderr.split('tried again').length - 1).toBe(2)
    const { json } = await owmJson<{ breakers: Breaker[] }>(['outbox', 'inspect'], { cwd: folder })
    expect(json.breakers).toMatchObject([{ name: 'source', state: 'open', failures: 3 }])

    const again = await owmJson<Answer>([...produce, ...never], { cwd: folder })
    expect(again.code).toBe(75)
    expect(again.stderr).not.toContain('tried again')
    expect(again.json.error?.message).toMatch(/circuit to the source is open/)
    const healthy = await owmJson<Answer>([...produce, ...atOnce, '--set', 'source.failureRate=0'], { cwd: folder })
    expect(healthy.code, healthy.stderr).toBe(0)
    expect(healthy.json.sink.delivered).toBe(600)
  })
})
