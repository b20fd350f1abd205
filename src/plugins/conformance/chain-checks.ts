/** What a sink with `attach` and `place` must do: docs/protocol.md says why. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { ZodType } from 'zod'
import { isOwmError } from '../../errors/index.js'
import type { Attached, Attachment, Receipt, Sink, SinkPosition, TaskBatch } from '../../plugin.js'
import { taskIdOf } from '../../tasks/id.js'
import type { Check, SinkUnderTest } from './check.js'
import { inTemporaryFolder, runJobToItsEnd, someSlot } from './jobs.js'
import { jobIn, tasksIn } from './kill-checks.js'
import { batchLinked, Probe } from './probe.js'

type Chained = Sink & Required<Pick<Sink, 'attach' | 'place'>>

/** An outbox that attaches as often as a check wants. */
class Caller {
  readonly probe: Probe
  readonly sink: Chained
  #epoch = 0

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
    await this.sink.place(attachment, attached.fence ?? start, attached.generation)
    return attachment
  }

  deliver(batch: TaskBatch, by: Attachment, after = this.probe.before(batch)): Promise<unknown> {
    return this.sink.deliver(batchLinked(batch, { ...by, after }))
  }
}

const start: SinkPosition = { seq: 0, taskId: '' }

export function chainChecks<Options extends ZodType>(sink: SinkUnderTest<Options>, shared: Probe): Check[] {
  const checks = [...attachChecks, ...placeChecks, ...receiptChecks].map(({ name, run }) => ({
    name,
    run: () => {
      const probe = new Probe(sink)
      return probe.bare(async (open) => {
        const { attach, place } = open
        if (attach && place) await run(new Caller(probe, { ...open, attach, place }))
      })
    },
  }))
  return [...checks, lossCheck(sink, shared)].map(({ name, run }) => ({ name: `if it attaches: ${name}`, run }))
}

interface CallerCheck {
  readonly name: string
  run(caller: Caller): Promise<void>
}

const attachChecks: readonly CallerCheck[] = [
  {
    name: 'has no fence for an outbox that was attached and never placed',
    async run(caller) {
      await caller.attach()
      assert.equal((await caller.attach()).attached.fence, undefined)
    },
  },
  {
    name: 'tells under whose word its fence was placed, also after others have attached',
    async run(caller) {
      const placed = await caller.attachAndPlace()
      const batch = caller.probe.next(3)
      await caller.deliver(batch, placed)
      await caller.attach()
      const { fence } = (await caller.attach()).attached
      assert.deepEqual([fence?.seq, fence?.taskId], [3, taskIdOf(batch.task(2))])
      assert.equal(fence?.placedBy ?? fence?.word, placed.word, 'the fence was placed by another attachment')
    },
  },
  {
    name: 'refuses an older attachment, and another one with the same number',
    async run(caller) {
      const older = caller.another()
      const newer = await caller.attachAndPlace()
      for (const attachment of [older, caller.another(caller.newestEpoch)]) {
        assert.equal((await caller.attach(attachment)).attached.superseded, true, 'attach did not say `superseded`')
        await mustRefuse('SUPERSEDED', () => caller.deliver(caller.probe.next(1), attachment, start))
      }
      await caller.deliver(caller.probe.again(1), newer, start)
    },
  },
]

const placeChecks: readonly CallerCheck[] = [
  {
    name: 'takes batches only of the attachment that placed its fence',
    async run(caller) {
      await caller.attachAndPlace()
      const { attachment } = await caller.attach()
      const batch = caller.probe.next(2)
      await mustRefuse('CHANGED', () => caller.deliver(batch, attachment))
      assert.deepEqual(await caller.probe.copies(batch.tasks), [])
    },
  },
  {
    name: 'refuses the late place of an older attachment',
    async run(caller) {
      const { attachment: older } = await caller.attach()
      const newer = await caller.attachAndPlace()
      await caller.deliver(caller.probe.next(2), newer)
      await mustRefuse('SUPERSEDED', () => caller.sink.place(older, start, 0))
      await caller.deliver(caller.probe.next(2), newer)
    },
  },
  {
    name: 'adds a batch behind the task that it names, and nowhere else',
    async run(caller) {
      const placed = await caller.attachAndPlace()
      const [first, second] = [caller.probe.next(2), caller.probe.next(2)]
      await mustRefuse('CHANGED', () => caller.deliver(second, placed))
      await caller.deliver(first, placed)
      await mustRefuse('CHANGED', () => caller.deliver(second, placed, { seq: 2, taskId: randomUUID() }))
      await caller.deliver(second, placed)
      assert.deepEqual(await caller.probe.copies([...first.tasks, ...second.tasks]), [...first.tasks, ...second.tasks])
    },
  },
  {
    name: 'can be placed further back, and goes on from there',
    async run(caller) {
      const batches = [caller.probe.next(2), caller.probe.next(2)] as const
      const before = await caller.attachAndPlace()
      for (const batch of batches) await caller.deliver(batch, before)
      const { attachment, attached } = await caller.attach()
      await caller.sink.place(attachment, start, attached.generation)
      // The sink may well know that the tasks are there: it's the fence that must be at the start.
      await mustRefuse('CHANGED', () => caller.deliver(batches[1], attachment))
      for (const batch of batches) await caller.deliver(batch, attachment)
    },
  },
]

const receiptChecks: readonly CallerCheck[] = [
  {
    name: 'takes a receipt only of who placed its fence, and only once all of its tasks are there; gives it back',
    async run(caller) {
      const { receipt, receipts } = caller.sink
      if (!receipt || !receipts) return
      const pipeline = `owm/testing ${randomUUID()}`
      const about = receiptOf(pipeline)
      const placed = await caller.attachAndPlace()
      const batch = caller.probe.next(2)
      const brought = { runs: [batch.runId], lastSeq: batch.lastSeq }
      await mustRefuse('CHANGED', () => receipt(placed, about, brought))
      await caller.deliver(batch, placed)
      await receipt(placed, about, brought)
      await receipt(placed, about, brought)
      const { attachment } = await caller.attach()
      await mustRefuse('CHANGED', () => receipt(attachment, about, brought))
      const found = await receipts(pipeline, about.slot)
      assert.deepEqual(
        found.map(({ delivered, taskIdSum }) => [delivered, taskIdSum]),
        [[about.delivered, about.taskIdSum]],
      )
    },
  },
]

const receiptOf = (pipeline: string): Receipt => ({
  pipeline,
  slot: someSlot(),
  shard: 0,
  shards: 1,
  interval: null,
  read: 2,
  rejected: 0,
  duplicates: 0,
  delivered: 2,
  dead: 0,
  discarded: 0,
  taskIdSum: '0'.repeat(32),
})

async function mustRefuse(code: 'CHANGED' | 'SUPERSEDED', call: () => Promise<unknown>): Promise<void> {
  const name = code === 'CHANGED' ? 'ChangedError' : 'SupersededError'
  try {
    await call()
  } catch (error) {
    assert.ok(isOwmError(error, code), `a ${name} was expected, ${error} came`)
    return
  }
  assert.fail(`a ${name} was expected, and it was taken`)
}

function lossCheck<Options extends ZodType>(sink: SinkUnderTest<Options>, probe: Probe): Check {
  return {
    name: 'gets again what it lost: its last batches, and everything (with `snapshot`)',
    async run() {
      const { snapshot } = sink
      if (!snapshot || !(await probe.bare(async ({ attach }) => attach !== undefined))) return
      await inTemporaryFolder(async (folder) => {
        const restoreEmpty = await snapshot()
        const first = jobIn(folder, sink)
        await runJobToItsEnd(first)
        const restoreFirst = await snapshot()
        const second = { ...first, slot: someSlot() }
        await runJobToItsEnd(second)
        const tasks = [...(await tasksIn(folder, first.slot)), ...(await tasksIn(folder, second.slot))]
        for (const lose of [restoreFirst, restoreEmpty]) {
          await lose()
          await runJobToItsEnd({ ...first, what: 'flush' })
          await probe.assertArrived(tasks)
        }
      })
    },
  }
}
