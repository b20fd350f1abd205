/**
 * SIGKILL at random moments, several times in a row on one outbox, then one
 * start that must finish everything. 20,000 locations.
 *
 * OWM_TEST_KILLS=500   how often to kill (20 in `npm test`)
 * OWM_TEST_SEED=N      repeats a run's choices (the seed is printed)
 */
import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Running, until } from '../support/cli.js'
import { expectGood, faultScene, produceArgs, randomFrom, type Scene, timelineModule } from '../support/faults.js'
import { countIn, factsOf } from '../support/oracle.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'

const kills = Number(process.env['OWM_TEST_KILLS'] ?? 20)
const seed = Number(process.env['OWM_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const rows = 20_500

let redis: RedisProcess

beforeAll(async () => {
  redis = await startRedisProcess()
})
afterAll(() => redis.stop())

async function forget(): Promise<void> {
  const admin = new Redis(redis.url)
  await admin.flushall()
  admin.disconnect()
}

/** Milliseconds since the process began. */
interface Timeline {
  /** The outbox is open and the run's row written; or, for a flush, the first batch loaded. */
  begun: number
  ended: number
}

type Kind = 'produce' | 'store' | 'flush'

function argsOf(kind: Kind, hour: number): string[] {
  if (kind === 'flush') return ['flush']
  return [...produceArgs(hour), ...(kind === 'store' ? ['--no-flush'] : [])]
}

async function measured(scene: Scene, kind: Kind, hour: number): Promise<Timeline> {
  const ran = await scene.owm(argsOf(kind, hour), { node: ['--import', timelineModule] })
  expectGood(ran)
  const at = (step: string): number =>
    Number(new RegExp(`^owm:step ${step} (.*)$`, 'm').exec(ran.stderr)?.[1] ?? Number.NaN)
  return { begun: at(kind === 'flush' ? 'batch:loaded' : 'run:started'), ended: at('settled') }
}

/** Resolves once the process says that it reached this step, or has ended. */
async function reached(step: string, { child }: Running): Promise<void> {
  let said = ''
  child.stderr?.on('data', (text) => {
    said += String(text)
  })
  await until(() => said.includes(`owm:step ${step} `) || child.exitCode !== null || child.signalCode !== null)
}

test(`${kills} kills at random moments lose nothing and hand nothing over twice`, {
  timeout: 120_000 + kills * 10_000,
}, async ({ annotate }) => {
  const say = (line: string): void => void process.stderr.write(`random-kills: ${line}\n`)
  say(`OWM_TEST_SEED=${seed} OWM_TEST_KILLS=${kills}`)
  const random = randomFrom(seed)
  const pick = <T>(first: T, ...others: T[]): T =>
    [first, ...others][Math.floor(random() * (others.length + 1))] ?? first

  const newScene = (stream: string): Promise<Scene> =>
    faultScene({
      sink: { url: redis.url, stream },
      locations: { rows, file: pick('locations.csv', 'locations.ndjson') },
      batchSize: pick(50, 100, 500),
    })

  const trial = await newScene('random-kills-trial')
  const times: Record<Kind, Timeline> = {
    produce: await measured(trial, 'produce', 0),
    store: await measured(trial, 'store', 1),
    flush: await measured(trial, 'flush', 1),
  }
  for (const [kind, { begun, ended }] of Object.entries(times))
    say(`${kind} begins its work at ${begun} ms and ends at ${ended} ms`)

  let killed = 0
  let late = 0
  const died = {
    'before its work': 0,
    reading: 0,
    'reading and handing over': 0,
    'handing over': 0,
    'all handed over': 0,
  }
  for (let outbox = 1; killed < kills; outbox++) {
    const scene = await newScene(`random-kills-${outbox}`)
    let hour = 0
    let before: Standing = { stored: 0, pending: 0, isReading: false, sent: 0, runs: 0 }
    for (let left = Math.min(kills - killed, 2 + Math.floor(random() * 5)); left > 0; ) {
      const kind =
        before.pending > 0 ? pick<Kind>('produce', 'flush', 'flush') : pick<Kind>('produce', 'produce', 'store')
      // A start that died before it entered its run owes nothing; cron would not start it again, this test does.
      if (random() < 0.25 && hour < 2 && before.runs > hour) hour++
      const time = times[kind]
      const isEarly = random() < 0.1
      const after = random() * (isEarly ? time.begun : (time.ended - time.begun) * 0.95)
      const running = scene.start(argsOf(kind, hour), { node: ['--import', timelineModule] })
      if (!isEarly) await reached(kind === 'flush' ? 'batch:loaded' : 'run:started', running)
      await delay(after)
      running.child.kill('SIGKILL')
      const ran = await running.ended
      if (ran.signal !== 'SIGKILL') {
        // It was faster than expected: then it must have done all that it should.
        expectGood(ran)
        late++
        before = await progress(scene)
        time.ended = time.begun + (time.ended - time.begun) * 0.9
        if (late > kills + 20) throw new Error('too many starts end before they can be killed')
        continue
      }
      killed++
      left--
      const now = await progress(scene)
      died[phaseOf(kind, before, now)]++
      before = now
      await scene.holds()
    }
    expectGood(await scene.produce(before.runs > hour ? pick(hour, hour + 1) : hour))
    await scene.complete()
    // Hundreds of outboxes, each with its list and its stream: only the seed is needed to have them again.
    await rm(scene.folder, { recursive: true })
    await forget()
  }
  const summary = `${killed} kills (${late} starts were too fast): ${Object.entries(died)
    .map(([phase, count]) => `${phase} ${count}`)
    .join(', ')}`
  say(summary)
  await annotate(summary)
  // A suite that kills only sleepers proves nothing.
  expect(died.reading + died['reading and handing over'] + died['handing over']).toBeGreaterThan(killed / 10)
})

interface Standing {
  stored: number
  pending: number
  isReading: boolean
  sent: number
  runs: number
}

async function progress(scene: Scene): Promise<Standing> {
  const facts = await factsOf(scene.outbox)
  return {
    stored: facts?.lastSeq ?? 0,
    pending: facts ? facts.lastSeq - facts.handedSeq : 0,
    isReading: facts?.runs.some(({ state }) => state === 'reading') ?? false,
    sent: await countIn(scene.sink),
    runs: new Set(facts?.runs.map(({ slot }) => slot)).size,
  }
}

function phaseOf(kind: Kind, before: Standing, now: Standing) {
  if (now.sent > before.sent) {
    if (kind !== 'flush' && now.isReading) return 'reading and handing over'
    return now.sent < now.stored ? 'handing over' : 'all handed over'
  }
  return now.stored > before.stored ? 'reading' : 'before its work'
}
