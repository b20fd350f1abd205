/** The sink is opened once for all callers, and no caller waits for longer than it asked to. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { TransientError } from '../../src/errors/index.js'
import { Contact } from '../../src/pipeline/contact.js'
import type { Attached, Sink } from '../../src/plugin.js'
import { partsWith, taking } from './parts.js'

/** A contact with a sink that takes that long to open, and the state of each sink that was opened. */
async function contactWith(opening: () => Promise<void>): Promise<{ contact: Contact; events: string[] }> {
  const events: string[] = []
  let opened = 0
  const deps = await partsWith(async () => {
    const which = ++opened
    events.push(`open ${which}`)
    await opening()
    return { ...taking, close: async () => void events.push(`close ${which}`) }
  })
  return { contact: new Contact(deps), events }
}

const never = new Promise<void>(() => undefined)

test('two that need the sink at once get the same one, which is closed', async () => {
  const { contact, events } = await contactWith(() => sleep(5))
  const [making, first, second] = [contact.make(), contact.sink(), contact.sink()]
  expect(await first).toBe(await second)
  await making
  await contact.close()
  expect(events).toEqual(['open 1', 'close 1'])
})

test('one that is being opened when the contact ends is closed', async () => {
  const { contact, events } = await contactWith(() => sleep(50))
  expect(await contact.newestReceipts(1)).toBeUndefined()
  await contact.close()
  expect(events).toEqual(['open 1', 'close 1'])
})

test('who asks for receipts in time waits no longer for a sink that is being opened', async () => {
  const { contact } = await contactWith(() => never)
  expect(await contact.newestReceipts(20)).toBeUndefined()
})

test('a sink that could not be opened is opened again', async () => {
  let failures = 1
  const { contact, events } = await contactWith(async () => {
    if (failures-- > 0) throw new TransientError('no route')
  })
  await expect(contact.sink()).rejects.toThrow('no route')
  await contact.sink()
  await contact.close()
  expect(events).toEqual(['open 1', 'open 2', 'close 2'])
})

test('a run that is done has nothing pending, whenever the process dies', async () => {
  const deps = await partsWith(async () => taking)
  const { ledger } = deps.outbox
  const settled: string[] = []
  vi.spyOn(deps.outbox, 'settle').mockImplementation(async () => void settled.push('acknowledged'))
  vi.spyOn(ledger, 'finish').mockImplementation(async () => void settled.push('done'))
  vi.spyOn(ledger, 'wholeSlots').mockResolvedValue([{ receipt: undefined, brought: { runs: ['a'], lastSeq: 0 } }])
  const contact = new Contact(deps)
  await contact.writeReceipts()
  await contact.close()
  expect(settled).toEqual(['acknowledged', 'done'])
})

test('a sink that keeps all of the position where it is placed keeps the newest epoch', async () => {
  let fence: Attached['fence']
  const keeping: Sink = {
    ...taking,
    attach: async () => ({ sinkId: 'sink', fence }),
    place: async ({ epoch, word }, at) => {
      fence = { epoch, word, placedBy: word, ...at }
    },
  }
  const deps = await partsWith(async () => keeping)
  const epochs: (number | undefined)[] = []
  for (let times = 0; times < 2; times++) {
    await new Contact(deps).compare()
    epochs.push(fence?.epoch)
  }
  // Opening the outbox was the first.
  expect(epochs).toEqual([2, 3])
})
