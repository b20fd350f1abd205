/** What a sink with `attach` and `place` must do: docs/protocol.md says why. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { ZodType } from 'zod'
import type { Receipt, Sink } from '../../plugin.js'
import { taskIdOf } from '../../tasks/id.js'
import { Caller, mustRefuse } from './caller.js'
import type { Check, SinkUnderTest } from './check.js'
import { inTemporaryFolder, runJobToItsEnd, someSlot } from './jobs.js'
import { jobIn, tasksIn } from './kill-checks.js'
import { Probe, start } from './probe.js'

export function chainChecks<Options extends ZodType>(sink: SinkUnderTest<Options>, shared: Probe): Check[] {
  const checks = [...attachChecks, ...placeChecks, ...contentChecks, ...receiptChecks].map(({ name, run }) => ({
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
    name: 'takes an id when it has none, and keeps it',
    async run(caller) {
      const given = randomUUID()
      const first = await caller.sink.attach(caller.another(), given)
      if (first.created) assert.equal(first.sinkId, given, 'it had no id, and took another one than it was given')
      const second = await caller.probe.bare(async ({ attach }) => attach?.(caller.another(), randomUUID()))
      assert.equal(second?.sinkId, first.sinkId, 'it has another id when it is opened again')
      assert.ok(!second?.created, 'it had an id, and said `created`')
    },
  },
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
  {
    name: 'tells a copy how far it got under the id that it had before',
    async run(caller) {
      const batch = caller.probe.next(3)
      await caller.deliver(batch, await caller.attachAndPlace())
      const copy = { ...caller.another(), outboxId: randomUUID(), formerId: caller.probe.outboxId }
      const { fence, former } = (await caller.attach(copy)).attached
      assert.equal(fence, undefined, 'it has never taken anything of this outbox')
      assert.deepEqual([former?.seq, former?.taskId], [3, taskIdOf(batch.task(2))])
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
    name: 'refuses to be placed by who has not attached, or for tasks that it no longer holds (`generation`)',
    async run(caller) {
      await mustRefuse('CHANGED', () => caller.sink.place(caller.another(), start, 0))
      const { attachment, attached } = await caller.attach()
      await mustRefuse('CHANGED', () => caller.sink.place(caller.another(), start, attached.generation))
      if (attached.generation === undefined) return
      const older = attached.generation - 1
      await mustRefuse('CHANGED', () => caller.sink.place(attachment, start, older))
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

const contentChecks: readonly CallerCheck[] = [
  {
    name: 'gives the ids of all of its tasks, newest first',
    async run(caller) {
      const { taskIds } = caller.sink
      if (!taskIds) return
      const placed = await caller.attachAndPlace()
      const batches = [caller.probe.next(3), caller.probe.next(500)]
      for (const batch of batches) await caller.deliver(batch, placed)
      const ids = batches.flatMap(({ tasks }) => tasks.map(taskIdOf))
      const found: string[] = []
      for await (const id of taskIds()) if (ids.includes(id)) found.push(id)
      assert.deepEqual(found, ids.toReversed())
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
  {
    name: 'keeps a receipt of each pipeline, slot and shard, the newest one, as it was given',
    async run(caller) {
      const { receipt, receipts } = caller.sink
      if (!receipt || !receipts) return
      const placed = await caller.attachAndPlace()
      const batch = caller.probe.next(2)
      await caller.deliver(batch, placed)
      const first = { ...receiptOf(`owm/testing ${randomUUID()}`), slot: '2026-01-01T09:00:00Z', shards: 2 }
      const second = { ...first, shard: 1 }
      const later = { ...first, slot: '2026-01-01T10:00:00Z' }
      const ofAnother = { ...first, pipeline: `owm/testing ${randomUUID()}` }
      const replaced = { ...first, rejected: 1, taskIdSum: '1'.repeat(32) }
      for (const one of [replaced, second, later, ofAnother, first])
        await receipt(placed, one, { runs: [batch.runId], lastSeq: batch.lastSeq })
      await mustGive(receipts, [first, second], first.pipeline, first.slot)
      await mustGive(receipts, [later], first.pipeline, later.slot)
      await mustGive(receipts, [later, first, second], first.pipeline)
      await mustGive(receipts, [ofAnother], ofAnother.pipeline)
    },
  },
]

type Receipts = NonNullable<Sink['receipts']>

async function mustGive(receipts: Receipts, expected: readonly Receipt[], ...of: Parameters<Receipts>): Promise<void> {
  const found = await receipts(...of)
  const which = `the receipts of ${of.join(', ')}`
  assert.deepEqual(found.map(({ slot }) => slot).sort(), expected.map(({ slot }) => slot).sort(), `slots of ${which}`)
  // A sink may add keys of its own.
  const isThere = (one: Receipt): boolean => found.some((its) => isDeepStrictEqual({ ...its, ...one }, its))
  for (const one of expected)
    assert.ok(isThere(one), `${JSON.stringify(one)} isn't among ${which}: ${JSON.stringify(found)}`)
}

const receiptOf = (pipeline: string): Receipt => ({
  pipeline,
  slot: someSlot(),
  shard: 0,
  shards: 1,
  interval: { from: '2026-01-01T08:00:00Z', to: '2026-01-01T09:00:00Z' },
  read: 2,
  rejected: 0,
  duplicates: 0,
  delivered: 2,
  dead: 0,
  discarded: 0,
  // More digits than a number keeps, and a leading zero.
  taskIdSum: `0${'f'.repeat(31)}`,
})

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
