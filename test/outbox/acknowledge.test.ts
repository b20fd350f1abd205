import { join } from 'node:path'
import { expect, test } from 'vitest'
import { totalsOf } from '../../src/outbox/inspect/totals.js'
import { plainSettings } from '../../src/pipeline/slots/agenda.js'
import { temporaryFolder } from '../support/cli.js'
import { openOutbox } from '../support/open-outbox.js'

test('a lazy acknowledgement is written after some batches, however small they are', async () => {
  const path = join(await temporaryFolder(), 'outbox.db')
  const outbox = await openOutbox(path)
  const onDisk = async (): Promise<number> => {
    const totals = await totalsOf(path)
    return 30 - (totals?.pending ?? 0)
  }
  const slot = '2026-11-23T10:00:00Z'
  const given = { slot, slotGiven: true, source: 'test', sourceDigest: '', ...plainSettings }
  const { run } = await outbox.ledger.start(given)
  const task = (seq: number): string => `{"task_id":"00000000-0000-5000-8000-${String(seq).padStart(12, '0')}"}`
  // As from a slow source: locations come one by one, each in a batch of its own.
  const batches = Array.from({ length: 30 }, (_, index) => outbox.cut([task(index + 1)])).flat()
  const nothing = { rejections: [], suspects: [], idSum: '0'.repeat(32), read: 0, checkpoint: null }
  await outbox.intake.write(run, { ...nothing, batches })

  const written: number[] = []
  for (let seq = 0; seq < 30; seq++) {
    const batch = await outbox.queue.after(seq, 500)
    if (!batch) throw new Error(`nothing is stored behind ${seq}`)
    await outbox.acknowledge(batch, true)
    written.push(await onDisk())
  }
  expect(written[8]).toBe(0) // lazy,
  written.forEach((seq, index) => {
    expect(index + 1 - seq).toBeLessThanOrEqual(20) // but not for ever
  })
  await outbox.close()
  expect(await onDisk()).toBe(30)
})
