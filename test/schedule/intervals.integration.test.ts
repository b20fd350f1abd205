/** Intervals follow one another without a hole, whatever happens to their runs. */
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { ledgerIn, mistakesIn } from './year/ledger.js'
import { type Ended, Scene, type Start } from './year/scene.js'
import { Stream } from './year/stream.js'
import { minute, type Schedule } from './year/times.js'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const hourly: Schedule = { cron: '0 * * * *', timezone: 'UTC', catchUp: 'latest', maxCatchUp: 24, maxAge: '24h' }

async function sceneOf(schedule: Partial<Schedule> = {}): Promise<{ scene: Scene; stream: Stream }> {
  const stream = new Stream()
  const scene = await Scene.open({ ...hourly, ...schedule }, stream)
  onTestFinished(() => scene.close())
  return { scene, stream }
}

async function startAt(scene: Scene, time: string, how: Partial<Start> = {}): Promise<Ended | undefined> {
  const clock = Date.parse(`2026-11-23T${time}:00Z`)
  const [ended] = await scene.start({ clock, isDown: false, answerLostAt: undefined, ...how })
  return ended
}

const slot = (hour: number): string => `2026-11-23T${hour}:00:00Z`

/** The hours whose tasks the stream has, each once. */
function hoursIn({ slots, complaints }: Stream): number[] {
  expect(complaints).toEqual([])
  expect([...slots.values()].every((ids) => ids.size === 3)).toBe(true)
  return [...slots.keys()].map((each) => Number(each.slice(11, 13))).sort((a, b) => a - b)
}

async function expectNoHole(scene: Scene): Promise<void> {
  const seen = await ledgerIn(scene.outbox)
  expect(mistakesIn(seen?.runs ?? [], seen?.coveredTo ?? null)).toEqual([])
}

test('the run that covers several that stored nothing gets the intervals of all', async () => {
  const { scene, stream } = await sceneOf({ catchUp: 'all' })
  await startAt(scene, '10:00')
  expect(await startAt(scene, '13:00', { sourceFailsAt: 0 })).toMatchObject({ code: 75 })
  scene.schedule = hourly
  expect(await startAt(scene, '14:00')).toMatchObject({ code: 0 })
  await expectNoHole(scene)
  expect(hoursIn(stream)).toEqual([10, 14])
})

describe('where the newest slot is served and those before it are not', () => {
  /** The source fails after 13:00, which was read first: 11:00 and 12:00 are open. */
  async function halfServed(): Promise<{ scene: Scene; stream: Stream }> {
    const { scene, stream } = await sceneOf({ catchUp: 'all' })
    expect(await startAt(scene, '10:00')).toMatchObject({ code: 0 })
    scene.copy('backup')
    await startAt(scene, '13:00', { crash: { at: 'checking:ended', nth: 1, isKill: false, arrives: false } })
    expect(await startAt(scene, '13:10', { sourceFailsAt: 0 })).toMatchObject({ code: 75 })
    expect(hoursIn(stream)).toEqual([10, 13])
    return { scene, stream }
  }

  test('a new outbox serves those', async () => {
    const { scene, stream } = await halfServed()
    await scene.lose()
    expect(await startAt(scene, '14:20')).toMatchObject({ code: 0 })
    expect(hoursIn(stream)).toEqual([10, 11, 12, 13, 14])
    await expectNoHole(scene)
  })

  test('so does a restored backup', async () => {
    const { scene, stream } = await halfServed()
    await scene.restore('backup')
    expect(await startAt(scene, '14:20')).toMatchObject({ code: 0 })
    expect(hoursIn(stream)).toEqual([10, 11, 12, 13, 14])
    await expectNoHole(scene)
  })
})

describe('a slot that is named after due ones', () => {
  test('all: those have their runs, too', async () => {
    const { scene, stream } = await sceneOf({ catchUp: 'all' })
    await startAt(scene, '10:00')
    expect(await startAt(scene, '14:20', { slot: slot(14) })).toMatchObject({ code: 0, warnings: [] })
    expect(hoursIn(stream)).toEqual([10, 11, 12, 13, 14])
  })

  test('latest: it covers those, and reports what is too old', async () => {
    const { scene, stream } = await sceneOf({ maxAge: '2h' })
    await startAt(scene, '10:00')
    const ended = await startAt(scene, '14:20', { slot: slot(14) })
    expect(ended).toMatchObject({ code: 0, warnings: [expect.stringContaining('2 scheduled times')] })
    expect(ended?.warnings[0]).toContain(`(${slot(11)} to ${slot(12)}) are missed`)
    expect(hoursIn(stream)).toEqual([10, 14])
    await expectNoHole(scene)
  })
})

test('what is missed is reported at once, also by a start that dies', async () => {
  const { scene } = await sceneOf({ maxAge: '2h' })
  await startAt(scene, '10:00')
  const crash = { at: 'run:started', nth: 1, isKill: true, arrives: false } as const
  expect(await startAt(scene, '14:20', { crash })).toMatchObject({ warnings: [expect.stringContaining('are missed')] })
})

test('of several slots that a clock was ahead for, the newest one is reported', async () => {
  const { scene } = await sceneOf({ catchUp: 'all', maxCatchUp: 3 })
  await startAt(scene, '10:00')
  await startAt(scene, '10:30', { clock: Date.parse(slot(10)) + 6 * 60 * minute })
  expect(await startAt(scene, '11:00')).toMatchObject({
    code: 0,
    warnings: [expect.stringContaining(`the slot ${slot(16)} was served, which this clock hasn't reached`)],
  })
})

test('a clock that was far ahead once is reported until it is reached; what comes is served by itself', async () => {
  const { scene, stream } = await sceneOf()
  await startAt(scene, '10:00')
  await startAt(scene, '10:30', { clock: Date.parse(slot(10)) + 6 * 60 * minute })
  expect(await startAt(scene, '11:00')).toMatchObject({
    code: 0,
    warnings: [
      `the slot ${slot(16)} was served, which this clock hasn't reached: ${slot(11)} is served by itself, ` +
        'and `owm backfill` serves the times between that were not',
    ],
  })
  expect(await startAt(scene, '17:00')).toMatchObject({ code: 0, warnings: [] })
  expect(hoursIn(stream)).toEqual([10, 11, 16, 17])
})
