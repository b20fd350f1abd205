/** The sink is closed wherever a start ends. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { produce } from '../../src/pipeline/produce.js'
import { Resilience } from '../../src/pipeline/retry.js'
import { oneSlot, plainSettings } from '../../src/pipeline/slots/agenda.js'
import { temporaryFolder } from '../support/cli.js'
import { fuzzOutbox, guard, log, memory, slot, sourceOf } from '../support/fuzz-outbox.js'

it('a start that fails between its run and the relay leaves no sink open', async () => {
  const folder = await temporaryFolder()
  const list = join(folder, 'list.csv')
  await writeFile(list, 'city,latitude,longitude\nHere,1,2\n')
  const outbox = await fuzzOutbox(join(folder, 'o.db'))
  onTestFinished(() => outbox.close())
  const { sink } = memory()
  let open = 0
  const start = produce(
    { ...plainSettings, agenda: oneSlot(slot, true), flush: true, keepTasks: 100, keepRuns: 10 },
    {
      outbox,
      source: sourceOf(list),
      pipeline: 'test',
      isSharded: false,
      resilience: new Resilience(guard),
      log,
      signal: new AbortController().signal,
      sink: {
        name: 'memory',
        open: async () => {
          open++
          return { ...(await sink.open()), close: async () => void open-- }
        },
      },
      onRun: () => {
        expect(open).toBe(1)
        throw new Error('nobody listens')
      },
    },
  )
  await expect(start).rejects.toThrow('nobody listens')
  expect(open).toBe(0)
})
