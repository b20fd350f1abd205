/** Intervals follow one another without a hole, whatever becomes of the runs that have them. */
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { ledgerIn, mistakesIn } from './year/ledger.js'
import { type Ended, Scene, type Start } from './year/scene.js'
import { Stream } from './year/stream.js'
import type { Schedule } from './year/times.js'

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
  const [ended] = await scene.start({
    ...{ clock: Date.parse(`2026-11-23T${time}:00Z`), isDown: false, answerLostAt: undefined },
    ...how,
  })
  return ended
}

test('the run that covers several that stored nothing gets the intervals of all', async () => {
  const { scene, stream } = await sceneOf({ catchUp: 'all' })
  await startAt(scene, '10:00')
  expect(await startAt(scene, '13:00', { sourceFailsAt: 0 })).toMatchObject({ code: 75 })
  scene.schedule = hourly
  expect(await startAt(scene, '14:00')).toMatchObject({ code: 0 })
  const seen = await ledgerIn(scene.outbox)
  expect(mistakesIn(seen?.runs ?? [], seen?.coveredTo ?? null)).toEqual([])
  expect([...stream.slots.keys()]).toEqual(['2026-11-23T10:00:00Z', '2026-11-23T14:00:00Z'])
})
