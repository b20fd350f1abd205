/** The real pipeline, killed at each step that matters to a sink; and an outbox that was copied. */
import assert from 'node:assert/strict'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ZodType } from 'zod'
import type { Step } from '../../trace.js'
import { loadSource } from '../load.js'
import { type Check, type SinkUnderTest, withSource } from './check.js'
import { choiceOf, inTemporaryFolder, runJob, runJobToItsEnd, someSlot, tasksOf } from './jobs.js'
import type { Probe } from './probe.js'
import type { Job } from './runner.js'

const count = 20

const steps: readonly Step[] = [
  ...(['sink:attached', 'sink:compared', 'sink:placed'] as const),
  ...(['batch:sent', 'batch:answered', 'batch:acknowledged', 'receipt:written'] as const),
]

export function killChecks<Options extends ZodType>(sink: SinkUnderTest<Options>, probe: Probe): Check[] {
  return [
    {
      name: 'gets each task when the process that delivers is killed between batches',
      run: () =>
        inTemporaryFolder(async (folder) => {
          const job = jobIn(folder, sink)
          // First after a batch was taken but not acknowledged, then before one is sent.
          const killed = [
            await runJob({ ...job, kill: { at: 'batch:answered', time: 2 } }),
            await runJob({ ...job, what: 'flush', kill: { at: 'batch:sent', time: 2 } }),
          ]
          assert.deepEqual(killed, ['killed', 'killed'])
          await runJobToItsEnd({ ...job, what: 'flush' })
          await probe.assertArrived(await tasksIn(folder, job.slot))
        }),
    },
    ...steps.map((at) => ({
      name: `gets each task when the process is killed at ${at}, the first time and later`,
      run: () =>
        inTemporaryFolder(async (folder) => {
          if (at.startsWith('sink:') && !(await probe.bare(async ({ attach }) => attach !== undefined))) return
          const first = jobIn(folder, sink)
          const later = { ...first, slot: someSlot() }
          for (const job of [first, later]) await runJob({ ...job, kill: { at, time: 1 } })
          await runJobToItsEnd(later)
          for (const { slot } of [first, later]) await probe.assertArrived(await tasksIn(folder, slot))
        }),
    })),
    {
      name: 'gets each task of an outbox and of its copy',
      run: () =>
        inTemporaryFolder(async (folder) => {
          const both = jobIn(folder, sink)
          await runJobToItsEnd(both)
          const copy = join(folder, 'copy.db')
          await copyFile(both.outbox, copy)
          const jobs = [both.outbox, copy, both.outbox].map((outbox) => ({ ...both, outbox, slot: someSlot() }))
          for (const job of jobs) await runJobToItsEnd(job)
          for (const { slot } of [both, ...jobs]) await probe.assertArrived(await tasksIn(folder, slot))
        }),
    },
  ]
}

/** A run of several batches. */
export function jobIn<Options extends ZodType>(folder: string, sink: SinkUnderTest<Options>): Job {
  return {
    what: 'produce',
    outbox: join(folder, 'outbox.db'),
    slot: someSlot(),
    source: { use: 'simulated-db', options: { count }, baseDir: folder },
    sink: choiceOf(sink, 'sink'),
    deliver: true,
    batchSize: 4,
  }
}

/** The tasks of such a run. */
export async function tasksIn(folder: string, slot: string): Promise<string[]> {
  const source = { plugin: await loadSource('simulated-db', folder), options: { count }, count }
  return withSource(source, (open) => tasksOf(open, slot))
}
