/** A sink of PostgreSQL as the relay uses it, and owm with one. */
import { randomUUID } from 'node:crypto'
import { onTestFinished } from 'vitest'
import type { Attached, Attachment, Outcome, Sink } from '../../../src/plugin.js'
import postgres from '../../../src/sinks/postgres/index.js'
import { Batch } from '../../../src/tasks/batch.js'
import { folderWith } from '../../support/cli.js'

const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** Open until the test ends. */
export async function openSink(options: object): Promise<Sink> {
  const settings = postgres.options.parse(options)
  const { signal } = new AbortController()
  const sink = await postgres.open(settings, { baseDir: process.cwd(), signal, log: silent, attempt: (call) => call() })
  onTestFinished(async () => sink.close?.())
  return sink
}

/** An outbox with tasks of its own, one a line. */
export class Caller {
  readonly outboxId = randomUUID()
  readonly runId = randomUUID()
  readonly ids: string[]
  #epoch = 0
  attachment: Attachment = { outboxId: this.outboxId, epoch: 0, word: '' }

  constructor(count: number) {
    this.ids = Array.from({ length: count }, () => randomUUID())
  }

  async attach(sink: Sink): Promise<Attached> {
    this.attachment = { outboxId: this.outboxId, epoch: ++this.#epoch, word: randomUUID() }
    const attached = await sink.attach?.(this.attachment, randomUUID())
    if (!attached) throw new Error('it can not be attached to')
    return attached
  }

  async placed(sink: Sink): Promise<void> {
    const { fence, generation } = await this.attach(sink)
    await sink.place?.(this.attachment, fence ?? { seq: 0, taskId: '' }, generation)
  }

  /** The tasks from index `from` to `to`, all of one city, or of the cities in a list by the tasks' indices. */
  async deliver(sink: Sink, from: number, to: number, city: string | string[] = 'Łódź'): Promise<readonly Outcome[]> {
    const { outboxId, runId, ids, attachment } = this
    const cityOf = (index: number) => (typeof city === 'string' ? city : city[index])
    const tasks = ids.slice(from, to).map((task_id, at) => JSON.stringify({ task_id, city: cityOf(from + at) }))
    const place = { outboxId, runId, slot: '2026-11-23T10:00:00Z', firstSeq: from + 1 }
    const after = { seq: from, taskId: ids[from - 1] ?? '' }
    return sink.deliver(Batch.of(tasks, { ...place, link: { ...attachment, after } }))
  }
}

/** A folder with owm's configuration for a table. */
export const folderFor = (sink: object, count = 300, more: object = {}): Promise<string> =>
  folderWith({
    source: { use: 'simulated-db', count },
    sink: { use: 'postgres', ...sink },
    outbox: { path: './o.db' },
    flush: { batchSize: 50 },
    retry: { attempts: 3, initialDelayMs: 20, maxDelayMs: 50 },
    ...more,
  })
