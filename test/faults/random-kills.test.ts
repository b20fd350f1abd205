/**
 * SIGKILL at random moments, several times in a row on one outbox, then one start that must finish everything.
 *
 * A moment is a step of the process, any of those that it still has before it, and up to 15 ms behind that; one in ten
 * comes before the first step. So kills fall where the work is, however fast or slow the machine.
 *
 * OWM_TEST_KILLS=3000  how often to kill (12 in `npm test`)
 * OWM_TEST_SEED=N      repeats a run's choices (the seed is printed)
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Ran, root } from '../support/cli.js'
import { countIn, standingOf } from '../support/contents.js'
import { expectGood, faultScene, produceArgs, randomFrom, type Scene } from '../support/faults.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'

const kills = Number(process.env['OWM_TEST_KILLS'] ?? 12)
const seed = Number(process.env['OWM_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const sayModule = join(root, 'test', 'support', 'nth-step.mjs')
/** At least so many steps does owm make for a batch, from the reader to the acknowledgement. */
const stepsOfBatch = 3
/** Milliseconds behind a step. */
const after = 15
/** An outbox with more slots than these takes the oracle longer than it tells. */
const mostHours = 5

const random = randomFrom(seed)
const pick = <T>(first: T, ...others: T[]): T => [first, ...others][Math.floor(random() * (others.length + 1))] ?? first
const say = (line: string): void => void process.stderr.write(`random-kills: ${line}\n`)

type Kind = 'produce' | 'store' | 'flush'

interface Standing {
  stored: number
  pending: number
  isReading: boolean
  sent: number
  runs: number
}

const phases = ['before its work', 'reading', 'reading and delivering', 'delivering', 'all delivered'] as const
const died = new Map<(typeof phases)[number], number>(phases.map((phase) => [phase, 0]))
let killed = 0
/** Starts that ended before they could be killed. */
let late = 0
/** Milliseconds from a start to its first step, as last seen. */
let toFirstStep = 300

let redis: RedisProcess

beforeAll(async () => {
  redis = await startRedisProcess()
})
afterAll(() => redis.stop())

test(`${kills} kills at random moments lose nothing and deliver nothing twice`, {
  timeout: 120_000 + kills * 10_000,
}, async ({ annotate }) => {
  say(`OWM_TEST_SEED=${seed} OWM_TEST_KILLS=${kills}`)
  const began = performance.now()
  for (let outbox = 1; killed < kills; outbox++) {
    await killSeveralTimes(outbox)
    if (outbox % 50 === 0) say(summary(began))
  }
  say(summary(began))
  await annotate(summary(began))
  // A suite that kills only sleepers proves nothing.
  const atWork = killed - (died.get('before its work') ?? 0) - (died.get('all delivered') ?? 0)
  expect(atWork).toBeGreaterThan(killed / 4)
})

const summary = (began: number): string => {
  const minutes = ((performance.now() - began) / 60_000).toFixed(1)
  const where = phases.map((phase) => `${phase} ${died.get(phase)}`).join(', ')
  return `${killed} kills in ${minutes} minutes (${late} starts were too fast): ${where}`
}

/** One outbox: killed two to nine times, then finished. */
async function killSeveralTimes(number: number): Promise<void> {
  const rows = pick(1_500, 1_500, 1_500, 1_500, 20_500)
  const batchSize = pick(50, 100, 500)
  const scene = await faultScene({
    sink: { url: redis.url, stream: `random-kills-${number}` },
    locations: { rows, file: pick('locations.csv', 'locations.ndjson') },
    batchSize,
  })
  let hour = 0
  let before: Standing = { stored: 0, pending: 0, isReading: false, sent: 0, runs: 0 }
  for (let left = Math.min(kills - killed, 2 + Math.floor(random() * 8)); left > 0; ) {
    const kind =
      before.pending > 0 ? pick<Kind>('produce', 'flush', 'flush') : pick<Kind>('produce', 'produce', 'store')
    // A start that died before it entered its run owes nothing; cron would not start it again, this test does.
    const isEntered = before.runs > hour
    const isWhole = isEntered && !before.isReading && before.pending === 0
    if (isEntered && hour + 1 < mostHours && (isWhole || random() < 0.25)) hour++
    const tasks = before.pending + (kind === 'flush' || isWhole ? 0 : rows)
    const ran = await killAt(scene, kind, hour, 10 + (tasks / batchSize) * stepsOfBatch)
    const now = await progress(scene)
    if (ran.signal === 'SIGKILL') {
      killed++
      left--
      const phase = phaseOf(kind, before, now)
      died.set(phase, (died.get(phase) ?? 0) + 1)
      await scene.holds()
    } else {
      // It was faster than expected: then it must have done all that it should.
      expectGood(ran)
      if (++late > kills + 20) throw new Error('too many starts end before they can be killed')
      if (isWhole && hour + 1 === mostHours) break
    }
    before = now
  }
  expectGood(await scene.produce(before.runs > hour ? pick(hour, hour + 1) : hour))
  await scene.complete()
  // Hundreds of outboxes, each with its list and its stream: only the seed is needed to have them again.
  await rm(scene.folder, { recursive: true })
  const admin = new Redis(redis.url)
  await admin.flushall()
  admin.disconnect()
}

/** Starts owm and kills it at one of so many steps. */
async function killAt(scene: Scene, kind: Kind, hour: number, steps: number): Promise<Ran> {
  const args = kind === 'flush' ? ['flush'] : [...produceArgs(hour), ...(kind === 'store' ? ['--no-flush'] : [])]
  const at = 1 + Math.floor(random() * steps)
  const isEarly = random() < 0.1
  const wait = random()
  const began = performance.now()
  const running = scene.start(args, { node: ['--import', sayModule], env: { OWM_SAY_AT: String(at) } })
  let said = ''
  const reached = new Promise<void>((resolve) => {
    running.child.stderr?.on('data', (text) => {
      said += String(text)
      if (said.includes('owm:first') && said.length < 20) toFirstStep = performance.now() - began
      if (said.includes('owm:reached')) resolve()
    })
    running.child.once('exit', () => resolve())
  })
  if (!isEarly) await reached
  await delay(wait * (isEarly ? toFirstStep : after))
  running.child.kill('SIGKILL')
  return running.ended
}

async function progress(scene: Scene): Promise<Standing> {
  return { ...(await standingOf(scene.outbox)), sent: await countIn(scene.sink) }
}

function phaseOf(kind: Kind, before: Standing, now: Standing): (typeof phases)[number] {
  if (now.sent > before.sent) {
    if (kind !== 'flush' && now.isReading) return 'reading and delivering'
    return now.sent < now.stored ? 'delivering' : 'all delivered'
  }
  return now.stored > before.stored ? 'reading' : 'before its work'
}
