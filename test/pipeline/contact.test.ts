/** The sink is opened once, whoever waits for it, and nobody waits for longer than they said. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { TransientError } from '../../src/errors/index.js'
import { Outbox } from '../../src/outbox/outbox.js'
import { Contact } from '../../src/pipeline/contact.js'
import { resilience } from '../../src/pipeline/retry.js'
import type { Sink } from '../../src/plugin.js'
import { temporaryFolder } from '../support/cli.js'

/** A contact with a sink whose `open` ends when it is told to, and what became of each. */
async function contactWith(opening: () => Promise<void>) {
  const path = join(await temporaryFolder(), 'outbox.db')
  const { signal } = new AbortController()
  const outbox = await Outbox.open(path, { command: 'test', wait: false, batchSize: 500, signal, now: Date.now })
  onTestFinished(() => outbox.close())
  const events: string[] = []
  let opened = 0
  const open = async (): Promise<Sink> => {
    const which = ++opened
    events.push(`open ${which}`)
    await opening()
    return {
      guarantee: 'at-least-once',
      deliver: async ({ tasks }) => tasks.map(() => 'delivered'),
      receipts: async () => [],
      close: async () => void events.push(`close ${which}`),
    }
  }
  const silent = (): void => undefined
  const contact = new Contact({
    outbox,
    pipeline: 'test',
    sink: { name: 'slow', open },
    resilience: resilience({
      retry: { attempts: 1, initialDelayMs: 0, maxDelayMs: 0 },
      breaker: { failures: 5, resetAfterMs: 1000 },
    }),
    log: { debug: silent, info: silent, warn: silent, error: silent },
    signal,
  })
  return { contact, events }
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

test('a sink that could not be opened is opened anew', async () => {
  let failures = 1
  const { contact, events } = await contactWith(async () => {
    if (failures-- > 0) throw new TransientError('no route')
  })
  await expect(contact.sink()).rejects.toThrow('no route')
  await contact.sink()
  await contact.close()
  expect(events).toEqual(['open 1', 'open 2', 'close 2'])
})
