import { expect, test } from 'vitest'
import type { Progress } from '../../src/pipeline/parts.js'
import { produce } from '../../src/pipeline/produce.js'
import { oneSlot, plainSettings } from '../../src/pipeline/slots/agenda.js'
import { partsWith, taking } from './parts.js'

test('the total is that of all runs of a start, without what an earlier start has read', async () => {
  const deps = await partsWith(async () => taking)
  const { outbox } = deps
  const given = { slot: '2026-11-23T10:00:00Z', slotGiven: true, source: 'test', sourceDigest: '', ...plainSettings }
  const { run: left } = await outbox.ledger.start(given)
  const batches = outbox.cut(['{"task_id":"00000000-0000-5000-8000-000000000001"}'])
  const nothing = { rejections: [], suspects: [], idSum: '0'.repeat(32) }
  await outbox.intake.write(left, { ...nothing, batches, read: 2, checkpoint: '2' })

  const cities = ['Bern', 'Wien', 'Rom', 'Oslo']
  const open = async () => ({
    total: cities.length,
    async *read(resume?: string) {
      const locations = cities
        .slice(Number(resume ?? 0))
        .map((city, index) => ({ city, latitude: index, longitude: 7 }))
      yield { locations, resume: '4', position: String }
    },
  })
  const told: Progress[] = []
  const source = { name: 'test', digest: '', open }
  const onProgress = (progress: Progress): unknown => told.push({ ...progress })
  const agenda = oneSlot('2026-11-23T11:00:00Z', true)
  const { errors } = await produce(
    { ...plainSettings, agenda, flush: true, keepTasks: 100, keepRuns: 100 },
    { ...deps, source, onProgress },
  )
  expect(errors).toEqual([])
  expect(told.at(-1)).toMatchObject({ read: 6, total: 6 })
})
