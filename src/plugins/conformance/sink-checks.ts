/** What every sink must do, and what those that say `exactly-once` must do as well. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ZodType } from 'zod'
import type { Entry, Outcome } from '../../plugin.js'
import { taskIdOf } from '../../tasks/id.js'
import { chainChecks } from './chain-checks.js'
import {
  type Check,
  doctorCheck,
  type Fault,
  graceSeconds,
  optionChecks,
  type SinkUnderTest,
  timed,
  withFault,
  withinSeconds,
} from './check.js'
import { killChecks } from './kill-checks.js'
import { Probe } from './probe.js'

export function sinkChecks<Options extends ZodType>(sink: SinkUnderTest<Options>): Check[] {
  const probe = new Probe(sink)
  const exactlyOnce = exactlyOnceChecks(probe).map(({ name, run }) => ({
    name: `if exactly-once: ${name}`,
    run: async () => {
      if ((await probe.guarantee()) === 'exactly-once') await run()
    },
  }))
  const checks = [
    ...optionChecks(sink),
    ...deliveryChecks(probe),
    abortCheck(probe),
    ...(sink.faults ?? []).map((fault) => faultCheck(fault, probe)),
    entriesCheck(probe),
    doctorCheck(sink.plugin, probe.bare),
    twoAtOnceCheck(probe),
    ...killChecks(sink, probe),
    ...chainChecks(sink, probe),
    ...exactlyOnce,
  ]
  return checks.map(timed)
}

function deliveryChecks(probe: Probe): Check[] {
  return [
    {
      name: 'takes batches in order, byte by byte, and says what became of each task',
      run: () =>
        probe.opened(async (open) => {
          const [first, second] = [probe.next(3), probe.next(500)]
          assert.deepEqual(await open.deliver(first), ['delivered', 'delivered', 'delivered'])
          assert.equal((await open.deliver(second)).length, 500)
          const tasks = [...first.tasks, ...second.tasks]
          assert.deepEqual(await probe.copies(tasks), tasks)
        }),
    },
    {
      name: 'keeps what it took when it is opened again',
      async run() {
        const batch = probe.next(2)
        await probe.opened((open) => open.deliver(batch))
        await probe.opened(async () => undefined)
        assert.deepEqual(await probe.copies(batch.tasks), [...batch.tasks])
      },
    },
    {
      name: 'loses nothing when a batch comes again, whole or in parts',
      async run() {
        const batch = probe.next(6)
        await probe.opened((open) => open.deliver(batch))
        await probe.opened(async (open) => {
          await open.deliver(batch.slice(0, 3))
          await open.deliver(batch.slice(3, 6))
        })
        await probe.assertArrived(batch.tasks)
      },
    },
    {
      name: 'tells no position of an outbox that it has taken nothing from',
      run: () =>
        probe.opened(async (open) => {
          await open.deliver(probe.next(2))
          assert.equal((await open.position?.(randomUUID()))?.seq ?? 0, 0, 'a position belongs to its `outboxId`')
        }),
    },
    {
      name: 'can be closed before anything was delivered',
      run: () => probe.opened(async () => undefined),
    },
  ]
}

function abortCheck(probe: Probe): Check {
  return {
    name: 'ends soon when it is aborted, and the batch can come again',
    async run() {
      const batch = probe.next(100)
      const abort = new AbortController()
      const interrupted = probe.opened(async (open) => {
        const answer = open.deliver(batch)
        abort.abort()
        await answer
      }, abort.signal)
      await withinSeconds(
        graceSeconds,
        interrupted.catch(() => undefined),
        'it went on after it was aborted',
      )
      await probe.opened((open) => open.deliver(batch))
      await probe.assertArrived(batch.tasks)
    },
  }
}

/** For failures that the author of a plugin can cause, but the suite can't. */
function faultCheck(fault: Fault, probe: Probe): Check {
  return {
    name: `throws, or has what it says it has, where this happens: ${fault.name}`,
    async run() {
      assert.ok(await failsUnder(fault, probe, true), `"${fault.name}", and it took a batch: does the fault begin?`)
      await failsUnder(fault, probe, false)
    },
  }
}

/** Delivers a batch during a fault, from the start or after a first batch; whether that threw. */
async function failsUnder(fault: Fault, probe: Probe, fromStart: boolean): Promise<boolean> {
  const [before, batch] = [probe.next(2), probe.next(3)]
  if (fromStart) await probe.opened((open) => open.deliver(before))
  let outcomes: readonly Outcome[] | undefined
  const delivering = (begin: () => Promise<void>): Promise<void> =>
    probe.opened(async (open) => {
      if (!fromStart) {
        await open.deliver(before)
        await begin()
      }
      outcomes = await open.deliver(batch)
    })
  const failure: unknown = await withFault(fault, fromStart, (begin) =>
    delivering(begin).then(
      () => undefined,
      (error: unknown) => error,
    ),
  )
  if (failure instanceof assert.AssertionError) throw failure
  const there = await probe.copies(batch.tasks)
  for (const [index, outcome] of (outcomes ?? []).entries()) {
    const what = `"${fault.name}", and it said ${JSON.stringify(outcome)} of a task that`
    assert.equal(typeof outcome, 'string', `${what} it may take later: throw`)
    assert.ok(there.includes(batch.task(index)), `${what} isn't there`)
  }
  await probe.opened(async (open) => {
    for (const again of [before, batch]) await open.deliver(again)
  })
  await probe.assertArrived([...before.tasks, ...batch.tasks])
  return outcomes === undefined
}

function entriesCheck(probe: Probe): Check {
  return {
    name: 'if it shows its entries: each task under an id, in order, and those from one entry to another',
    run: () =>
      probe.opened(async (open) => {
        const { entries } = open
        if (!entries) return
        const ids = probe.next(5).tasks.map(taskIdOf)
        await open.deliver(probe.again(5))
        const held = async (...range: string[]): Promise<Entry[]> => {
          const found: Entry[] = []
          for await (const entry of entries(...range)) found.push(entry)
          return found.filter(({ taskId }) => ids.includes(taskId))
        }
        const all = await held()
        assert.deepEqual(
          all.map(({ taskId }) => taskId),
          ids,
        )
        assert.equal(new Set(all.map(({ id }) => id)).size, 5, 'two entries have the same id')
        const [, second, , fourth] = all
        assert.deepEqual(await held(second?.id ?? '', fourth?.id ?? ''), all.slice(1, 4))
      }),
  }
}

function twoAtOnceCheck(probe: Probe): Check {
  return {
    name:
      'if it takes several batches at once: in order, and never the second without the first, ' +
      'also where it is interrupted',
    async run() {
      if ((await probe.opened(async ({ maxInFlight = 1 }) => maxInFlight)) === 1) return
      // Never, at once, and when the batches are further under way.
      for (const abortsAfter of [undefined, 0, 1, 2, 4, 8]) await assertInOrder(probe, abortsAfter)
    },
  }
}

/** Delivers two batches at once; aborts after so many turns of the event loop, or never. */
async function assertInOrder(probe: Probe, abortsAfter: number | undefined): Promise<void> {
  const batches = [probe.next(300), probe.next(1)]
  const tasks = batches.flatMap((batch) => batch.tasks)
  const abort = new AbortController()
  await probe.opened(async (open) => {
    const answers = Promise.allSettled(batches.map((batch) => open.deliver(batch)))
    for (let turn = 0; turn < (abortsAfter ?? 0); turn++) await nextTurn()
    if (abortsAfter !== undefined) abort.abort()
    for (const answer of await answers)
      if (answer.status === 'rejected' && abortsAfter === undefined) throw answer.reason
  }, abort.signal)
  const found = await probe.copies(tasks)
  const expected = tasks.slice(0, abortsAfter === undefined ? tasks.length : found.length)
  assert.deepEqual(found, expected, 'what arrived is not the beginning of both batches')
  await probe.opened(async (open) => {
    for (const batch of batches) await open.deliver(batch)
  })
  await probe.assertArrived(tasks)
  assert.deepEqual([...new Set(await probe.copies(tasks))], tasks)
}

function exactlyOnceChecks(probe: Probe): Check[] {
  return [
    {
      name: 'adds nothing when a batch comes again, from the same or from another process',
      async run() {
        const batch = probe.next(4)
        const again = Array(4).fill('duplicate')
        await probe.opened(async (open) => {
          await open.deliver(batch)
          assert.deepEqual(await open.deliver(batch), again)
        })
        await probe.opened(async (open) => assert.deepEqual(await open.deliver(batch), again))
        assert.deepEqual(await probe.copies(batch.tasks), [...batch.tasks])
      },
    },
    {
      name: 'adds only what is missing when a part of a batch was taken before',
      async run() {
        const whole = probe.next(5)
        const outcomes = ['duplicate', 'duplicate', 'delivered', 'delivered', 'delivered']
        await probe.opened((open) => open.deliver(whole.slice(0, 2)))
        await probe.opened(async (open) => assert.deepEqual(await open.deliver(whole), outcomes))
        assert.deepEqual(await probe.copies(whole.tasks), [...whole.tasks])
      },
    },
    {
      name: 'remembers the last task of each outbox',
      async run() {
        const batch = probe.next(2)
        await probe.opened(async (open) => {
          await open.deliver(batch)
          const position = await probe.position(open)
          assert.deepEqual([position?.seq, position?.taskId], [batch.firstSeq + 1, taskIdOf(batch.tasks[1] ?? '')])
          assert.ok(position?.runId === undefined || position.runId === probe.runId)
          assert.equal((await open.position?.(randomUUID()))?.seq, undefined)
        })
      },
    },
  ]
}
