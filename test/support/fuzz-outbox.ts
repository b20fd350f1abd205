/** Produces into an outbox, in this process, and looks at what came of it. */
import { dirname } from 'node:path'
import { expect } from 'vitest'
import type { Outbox } from '../../src/outbox/outbox.js'
import type { SourceDeps } from '../../src/pipeline/parts.js'
import { type ProduceSummary, produce } from '../../src/pipeline/produce.js'
import { Resilience } from '../../src/pipeline/retry.js'
import { oneSlot, plainSettings } from '../../src/pipeline/slots/agenda.js'
import type { Logger, Sink } from '../../src/plugin.js'
import staticList from '../../src/sources/static-list/index.js'
import { openOutbox } from './open-outbox.js'

export const log: Logger = { debug() {}, info() {}, warn() {}, error() {} }
export const slot = '2026-11-23T10:00:00Z'
export const guard = {
  retry: { attempts: 2, initialDelayMs: 0, maxDelayMs: 0 },
  breaker: { failures: 1_000, resetAfterMs: 0 },
}

export const sourceOf = (path: string, format?: string): SourceDeps => ({
  name: 'static-list',
  digest: 'fuzz',
  open: async () =>
    staticList.open(staticList.options.parse({ file: path, format }), {
      signal: new AbortController().signal,
      log,
      baseDir: dirname(path),
      attempt: (work) => work(),
    }),
})

/** A sink in memory: it takes everything. */
export function memory(): { tasks: string[]; sink: { name: string; open(): Promise<Sink> } } {
  const tasks: string[] = []
  return {
    tasks,
    sink: {
      name: 'memory',
      open: async () => ({
        guarantee: 'at-least-once',
        async deliver(batch) {
          tasks.push(...batch.tasks)
          if (tasks.length > 100_000) throw new Error('the relay never ends')
          return batch.tasks.map(() => 'delivered' as const)
        },
      }),
    },
  }
}

export const fuzzOutbox = (path: string): Promise<Outbox> => openOutbox(path, { batchSize: 10 })

export interface Produced {
  summary: ProduceSummary
  suspects: number
  tasks: string[]
}

export async function produceInto(path: string, source: SourceDeps, at = slot): Promise<Produced> {
  const { tasks, sink } = memory()
  const outbox = await fuzzOutbox(path)
  try {
    const summary = await produce(
      { ...plainSettings, agenda: oneSlot(at, true), flush: true, keepTasks: 100_000, keepRuns: 1_000 },
      {
        source,
        sink,
        outbox,
        pipeline: 'fuzz',
        isSharded: false,
        resilience: new Resilience(guard),
        log,
        signal: new AbortController().signal,
      },
    )
    return { summary, suspects: (await outbox.intake.suspects(summary.run, 100_000)).length, tasks }
  } finally {
    await outbox.close()
  }
}

export function expectTasks(tasks: readonly string[]): void {
  const ids = new Set<unknown>()
  for (const text of tasks) {
    const task: unknown = JSON.parse(text)
    expect(task).toMatchObject({
      task_id: expect.any(String),
      latitude_deg: expect.any(Number),
      longitude_deg: expect.any(Number),
      city: expect.any(String),
    })
    expect(text.isWellFormed() && !text.includes('\ufffd')).toBe(true)
    if (typeof task === 'object' && task !== null && 'task_id' in task) ids.add(task.task_id)
  }
  expect(ids.size).toBe(tasks.length)
}
