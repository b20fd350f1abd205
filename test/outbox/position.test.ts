/** What memory holds of the file changes together with it: the next turn finds the new state. */
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { write } from '../../src/outbox/chain/position.js'
import { Sinks } from '../../src/outbox/chain/sinks.js'
import type { Outbox } from '../../src/outbox/outbox.js'
import { Queue } from '../../src/outbox/queue.js'
import { Database } from '../../src/outbox/sqlite/database.js'
import { OutboxState, readState } from '../../src/outbox/state.js'
import { plainSettings } from '../../src/pipeline/slots/agenda.js'
import { temporaryFolder } from '../support/cli.js'
import { openOutbox } from '../support/open-outbox.js'

const slot = '2026-11-23T10:00:00Z'

/** An outbox with three pending tasks. */
async function outboxWithThree(): Promise<Outbox> {
  const path = join(await temporaryFolder(), 'outbox.db')
  const outbox = await openOutbox(path)
  const given = { slot, slotGiven: true, source: 'test', sourceDigest: '', ...plainSettings }
  const { run } = await outbox.ledger.start(given)
  const tasks = [1, 2, 3].map((n) => `{"task_id":"00000000-0000-5000-8000-00000000000${n}"}`)
  const nothing = { rejections: [], suspects: [], idSum: '0'.repeat(32), read: 3, checkpoint: null }
  await outbox.intake.write(run, { ...nothing, batches: outbox.cut(tasks) })
  return outbox
}

test('a sink that was met, and how far it is, is known in the very next turn', async () => {
  const outbox = await outboxWithThree()
  await outbox.close()
  const database = await Database.openForWriting(outbox.path, { create: false, masked: String })
  onTestFinished(() => database.close())
  const state = await OutboxState.of(database, await readState(database))
  const sinks = await Sinks.of(database, state)
  const parts = { database, state, sinks, queue: new Queue(database, state), now: Date.now }
  const meeting = { known: undefined, address: 'here', sinkId: 'one', fromSeq: 0 }

  const writing = write(parts, async (manager) => ({ reached: 2, sink: await sinks.note(manager, meeting) }))
  const next = database.inTurn(async () => ({ pending: state.pending, present: sinks.present?.addresses }))
  expect(await next).toEqual({ pending: 1, present: ['here'] })
  await writing
})

test('tasks of a run that was given up are not pending in the very next turn', async () => {
  const outbox = await outboxWithThree()
  onTestFinished(() => outbox.close())
  const discarding = outbox.discard({ pending: true })
  await nextTurn()
  await outbox.deadLetters.count()
  expect(outbox.pending).toBe(0)
  await discarding
})
