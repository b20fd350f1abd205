/** Several owm on one outbox, several outboxes on one stream, and signals. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ran, Running } from '../support/cli.js'
import { countIn, factsOf } from '../support/contents.js'
import {
  expectGood,
  faultScene,
  pidOf,
  produceArgs,
  type Scene,
  type SceneOptions,
  slotAt,
  timelineModule,
  untilSaid,
} from '../support/faults.js'
import { complaintsWhenComplete } from '../support/oracle.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'

let redis: RedisProcess
let streams = 0

beforeAll(async () => {
  redis = await startRedisProcess()
})
afterAll(() => redis.stop())

const newScene = (options: Partial<SceneOptions> = {}): Promise<Scene> =>
  faultScene({ sink: { url: redis.url, stream: `processes-${++streams}` }, ...options })

/** Exits 75, says who holds the outbox and what to do. */
function expectTurnedAway(ran: Ran, holder: number): void {
  expect(ran, ran.stderr).toMatchObject({ code: 75, signal: null })
  expect(ran.stderr).toContain(`process ${holder} `)
  expect(ran.stderr).toContain('--wait')
}

/** An owm that waits for the outbox, and has looked in vain. */
async function startWaiting(scene: Scene, args: readonly string[]): Promise<Running> {
  const running = scene.start([...args, '--wait'], { node: ['--import', timelineModule] })
  await untilSaid(running, 'owm:step outbox:waiting')
  return running
}

describe('two at once', () => {
  test('the loser exits 75 and names the process that holds the outbox; with --wait it waits, then runs', async () => {
    const scene = await newScene()
    const holder = await scene.stopAt('batch:answered:2', produceArgs(0))
    const before = performance.now()
    for (const args of [produceArgs(1), ['flush'], ['outbox', 'purge'], ['outbox', 'retry', '--all']])
      expectTurnedAway(await scene.owm(args), pidOf(holder))
    expect(performance.now() - before).toBeLessThan(20_000)
    const turnedAway = await scene.owm([...produceArgs(1), '--json'])
    expect(turnedAway.code).toBe(75)
    expect(JSON.parse(turnedAway.stdout)).toMatchObject({ error: { code: 'OUTBOX_BUSY' }, slot: slotAt(1) })

    const [waiting, alsoWaiting] = await Promise.all([
      startWaiting(scene, produceArgs(1)),
      startWaiting(scene, ['flush']),
    ])
    process.kill(pidOf(holder), 'SIGCONT')
    for (const one of [holder, waiting, alsoWaiting]) expectGood(await one.ended)
    await scene.complete()
  })

  test.each([
    { at: 'outbox:locked', there: false },
    { at: 'outbox:locked', there: true },
    { at: 'migration:begun', there: false },
  ])(
    'a holder that has only just begun ($at, an outbox there: $there) is not taken for the last one',
    async ({ at, there }) => {
      const scene = await newScene()
      if (there) await scene.crash('batch:answered:2', produceArgs(0))
      const holder = await scene.stopAt(at, produceArgs(0))
      for (const args of [produceArgs(1), ['flush']]) {
        const ran = await scene.owm(args)
        expect(ran, ran.stderr).toMatchObject({ code: 75 })
        expect(ran.stderr).toContain('it has only just begun')
      }
      expectGood(await scene.owm(['outbox', 'inspect']))
      process.kill(pidOf(holder), 'SIGCONT')
      expectGood(await holder.ended)
      expectGood(await scene.produce(1))
      await scene.complete()
    },
  )

  test('SIGKILL frees the outbox at once', async () => {
    const scene = await newScene()
    const holder = await scene.stopAt('batch:answered:2', produceArgs(0))
    holder.child.kill('SIGKILL')
    expect(await holder.ended).toMatchObject({ signal: 'SIGKILL' })
    expectGood(await scene.produce(1))
    await scene.complete()
  })

  test('a waiting owm goes on as soon as the holder is killed', async () => {
    const scene = await newScene()
    const holder = await scene.stopAt('batch:answered:2', produceArgs(0))
    const waiting = await startWaiting(scene, produceArgs(1))
    holder.child.kill('SIGKILL')
    expect(await holder.ended).toMatchObject({ signal: 'SIGKILL' })
    expectGood(await waiting.ended)
    await scene.complete()
  })

  test('a relay that sleeps keeps the outbox, and goes on when it wakes', async () => {
    const scene = await newScene()
    expectGood(await scene.produce(0, ['--no-flush']))
    const sleeper = await scene.stopAt('batch:sent:4', ['flush'])
    expectTurnedAway(await scene.produce(1), pidOf(sleeper))
    expectTurnedAway(await scene.owm(['flush']), pidOf(sleeper))
    const looking = await scene.owm(['outbox', 'inspect'])
    expectGood(looking)
    await scene.holds()
    process.kill(pidOf(sleeper), 'SIGCONT')
    expectGood(await sleeper.ended)
    expectGood(await scene.produce(1))
    await scene.complete()
  })
})

describe('eight at once', () => {
  test.each([
    { locations: { rows: 1_500 }, prepared: false },
    { locations: { rows: 6_000 }, prepared: true },
  ])('produce, flush and inspect on one outbox (there already: $prepared)', async ({ locations, prepared }) => {
    const scene = await newScene({ locations })
    if (prepared) {
      expectGood(await scene.produce(0))
      expectGood(await scene.produce(1, ['--no-flush']))
    }
    const started = [
      ...[2, 3, 4].map(produceArgs),
      ['flush'],
      ['flush'],
      ['outbox', 'inspect'],
      ['outbox', 'inspect', '--json'],
      ['outbox', 'inspect', '--state', 'delivered'],
    ]
    const ended = await Promise.all(started.map((args) => scene.owm(args)))
    for (const [index, ran] of ended.entries()) {
      // A flush that comes before everybody else finds no outbox.
      const codes = !prepared && started[index]?.[0] === 'flush' ? [0, 74, 75] : [0, 75]
      expect(codes, `${started[index]?.join(' ')}: ${ran.stdout}${ran.stderr}`).toContain(ran.code)
      expect(ran.stdout + ran.stderr).not.toMatch(/database is locked|SQLITE_|another program keeps it locked/)
      if (started[index]?.[0] === 'outbox') expect(ran.code, ran.stderr).toBe(0)
    }
    // Whoever was turned away comes again, as cron would have it.
    for (const hour of [2, 3, 4]) expectGood(await scene.produce(hour))
    await scene.complete()
  })

  test('produces of one slot: its tasks are there once', async () => {
    const scene = await newScene()
    const ended = await Promise.all(Array.from({ length: 4 }, () => scene.owm([...produceArgs(0), '--wait'])))
    for (const ran of ended) expectGood(ran)
    await scene.complete()
  })
})

test('different outboxes into one stream, at the same time, one of them killed half-way', async () => {
  const sink = { url: redis.url, stream: 'processes-shared' }
  const scenes = await Promise.all(
    ['A', 'B', 'C'].map((prefix) => faultScene({ sink, locations: { rows: 1_500, prefix } })),
  )
  const [first, ...others] = scenes
  if (!first) throw new Error('there are three')
  await Promise.all([
    first.crash('batch:answered:7', produceArgs(0)),
    ...others.map(async (scene) => expectGood(await scene.produce(0))),
  ])
  await Promise.all(scenes.map(async (scene) => expectGood(await scene.produce(1))))
  expect(await complaintsWhenComplete(first.case(others.map(({ ledger }) => ledger)))).toEqual([])
})

describe.each([
  { signal: 'SIGTERM', code: 143 },
  { signal: 'SIGINT', code: 130 },
] as const)('$signal', ({ signal, code }) => {
  /** Sends the signal to a process that stopped itself at a step, and lets it go on. */
  async function interruptedAt(scene: Scene, at: string, args: readonly string[]): Promise<Ran> {
    const running = await scene.stopAt(at, args)
    running.child.kill(signal)
    process.kill(pidOf(running), 'SIGCONT')
    return expectPrompt(running)
  }

  async function expectPrompt(running: Running): Promise<Ran> {
    const since = performance.now()
    const ran = await running.ended
    expect(performance.now() - since).toBeLessThan(5_000)
    expect(ran, ran.stderr).toMatchObject({ code, signal: null })
    expect(ran.stderr).toMatch(/Interrupted by .*\n.*resumes/)
    return ran
  }

  test('while reading', async () => {
    const scene = await newScene({ locations: { rows: 6_000 } })
    await interruptedAt(scene, 'intake:persisted:2', produceArgs(0))
    await scene.holds()
    const facts = await factsOf(scene.outbox)
    expect(facts?.runs[0]?.state).toBe('reading')
    expect(facts?.lastSeq).toBeLessThan(scene.locations.valid.length)
    expectGood(await scene.produce(1))
    await scene.complete()
  })

  test('while delivering', async () => {
    const scene = await newScene()
    expectGood(await scene.produce(0, ['--no-flush']))
    await interruptedAt(scene, 'batch:answered:5', ['flush'])
    await scene.holds()
    expect(await countIn(scene.sink)).toBeLessThan(scene.locations.valid.length)
    expectGood(await scene.owm(['flush']))
    await scene.complete()
  })

  test('while waiting to try again', async () => {
    const scene = await newScene({ retry: { attempts: 8, initialDelayMs: 60_000, maxDelayMs: 60_000 } })
    // Full jitter may draw a short wait: what counts is that it is far from its last attempt.
    const running = scene.start([
      ...produceArgs(0),
      '--set',
      'sink.url=redis://127.0.0.1:1',
      '--set',
      'breaker.failures=100',
    ])
    await untilSaid(running, 'is tried again')
    running.child.kill(signal)
    await expectPrompt(running)
    await scene.holds()
    expectGood(await scene.produce(1))
    await scene.complete()
  })

  test('while waiting for the outbox', async () => {
    const scene = await newScene()
    const holder = await scene.stopAt('batch:answered:2', produceArgs(0))
    const waiting = await startWaiting(scene, produceArgs(1))
    waiting.child.kill(signal)
    await expectPrompt(waiting)
    process.kill(pidOf(holder), 'SIGCONT')
    expectGood(await holder.ended)
    expectGood(await scene.produce(1))
    await scene.complete()
  })
})
