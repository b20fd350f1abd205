/** How checks attach to a sink as an outbox would, and what they expect when it must refuse. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { isOwmError } from '../../errors/index.js'
import type { Attached, Attachment, Sink, TaskBatch } from '../../plugin.js'
import { batchLinked, type Probe, standing } from './probe.js'

type Chained = Sink & Required<Pick<Sink, 'attach' | 'place'>>

/** An outbox that attaches as often as a check wants. */
export class Caller {
  readonly probe: Probe
  readonly sink: Chained
  /** The first attachments are 9 and 10: a sink that compares them as texts takes the second for the older one. */
  #epoch = 8

  constructor(probe: Probe, sink: Chained) {
    this.probe = probe
    this.sink = sink
  }

  get newestEpoch(): number {
    return this.#epoch
  }

  another(epoch = ++this.#epoch): Attachment {
    return { outboxId: this.probe.outboxId, epoch, word: randomUUID() }
  }

  async attach(attachment = this.another()): Promise<{ attachment: Attachment; attached: Attached }> {
    return { attachment, attached: await this.sink.attach(attachment, randomUUID()) }
  }

  /** Attaches, and places the fence where the sink stands. */
  async attachAndPlace(): Promise<Attachment> {
    const { attachment, attached } = await this.attach()
    await this.sink.place(attachment, standing(attached.fence), attached.generation)
    return attachment
  }

  deliver(batch: TaskBatch, by: Attachment, after = this.probe.before(batch)): Promise<unknown> {
    return this.sink.deliver(batchLinked(batch, { ...by, after }))
  }
}

export async function mustRefuse(code: 'CHANGED' | 'SUPERSEDED', call: () => Promise<unknown>): Promise<void> {
  const name = code === 'CHANGED' ? 'ChangedError' : 'SupersededError'
  try {
    await call()
  } catch (error) {
    assert.ok(isOwmError(error, code), `a ${name} was expected, ${error} came`)
    return
  }
  assert.fail(`a ${name} was expected, and it was taken`)
}
