/** What must hold after each command: the file and the sink's ledger agree with the model. */
import assert from 'node:assert/strict'
import { expectedTaskId } from '../support/oracle.js'
import { type Facts, factsOf, type RunFacts } from './facts.js'
import { type List, validIn } from './list.js'
import type { Server } from './server.js'
import type { System } from './system.js'

/** What the file stands for: goes back with an old copy. */
export interface Stored {
  /** By slot: the locations that a reading that was finished gave. */
  readonly required: ReadonlyMap<string, ReadonlySet<number>>
  /** Task ids that an operator gave up. */
  readonly discarded: ReadonlySet<string>
}

export interface Model {
  stored: Stored
  copy: Stored | undefined
  list: List
  slots: Set<string>
  /** Every location that any list has had. */
  places: Set<number>
  /** In the sink when an old copy was put back: it may be delivered again, with a warning. */
  mayRepeat: Set<string>
  restored: boolean
  /** Lost by the sink and not to be had again: its history is gone, or the sink looks like a new one. */
  excused: Set<string>
}

export const freshModel = (): Model => ({
  stored: { required: new Map(), discarded: new Set() },
  copy: undefined,
  list: { items: [1, 2, 'malformed', 3, 2, 4, 5], version: 0, digest: 0 },
  slots: new Set(),
  places: new Set([1, 2, 3, 4, 5]),
  mayRepeat: new Set(),
  restored: false,
  excused: new Set(),
})

const isFenced = ({ kind }: Server): boolean => kind === 'chain' || kind === 'position'

export interface Claim {
  /** The command ended without a word of trouble, and had to deliver all there is. */
  clean: boolean
}

export async function check(model: Model, real: System, { clean }: Claim): Promise<void> {
  const { server } = real
  const facts = await factsOf(real.outbox.path)
  const pending = new Set(facts.tasks.filter(({ seq }) => seq > facts.acked).map(({ id }) => id))
  const kept = new Map(facts.tasks.map((task) => [task.id, task]))
  const dead = new Set(facts.dead.map(({ id }) => id))
  const counts = new Map<string, number>()
  for (const id of server.entries) counts.set(id, (counts.get(id) ?? 0) + 1)

  // The ledger of runs.
  for (const run of facts.runs) {
    assert.equal(
      run.read,
      run.persisted + run.rejected + run.duplicates + run.suspects,
      `read isn't the sum of what became of it: ${JSON.stringify(run)}`,
    )
    assert.equal(run.rejected, run.kept, `not every rejected record is kept: ${JSON.stringify(run)}`)
  }

  // The sink has what was read and nothing else, and a fenced one has it once.
  const possible = new Set(
    [...model.slots].flatMap((slot) => [...model.places].map((place) => expectedTaskId(slot, `L${place}`))),
  )
  for (const [id, count] of counts) {
    assert.ok(possible.has(id), `in the sink, but never read: ${id}`)
    if (server.kind === 'none' || count === 1) continue
    assert.ok(
      model.mayRepeat.has(id) || (model.restored && server.cameLate.has(id)),
      `${count} times in a sink that is exactly-once: ${id}`,
    )
    assert.ok(
      real.warnings.some((warning) => /copy of one that the sink knows/.test(warning)),
      `delivered again after an old copy was put back, without a warning: ${id}`,
    )
  }

  // Persisted = delivered + pending + dead + given up, for each slot; delivered is counted in the sink.
  for (const slot of model.slots) {
    const own = facts.runs.filter((run) => run.slot === slot)
    const sum = (key: 'persisted' | 'discarded'): number => own.reduce((total, run) => total + run[key], 0)
    const waiting = facts.tasks.filter((task) => task.slot === slot && task.seq > facts.acked).length
    const dying = facts.dead.filter((task) => task.slot === slot).length
    const delivered = sum('persisted') - sum('discarded') - waiting - dying
    assert.ok(
      delivered >= 0,
      `${slot}: ${sum('persisted')} persisted, but ${waiting} pending, ${dying} dead, ${sum('discarded')} given up`,
    )
    if (model.restored) continue
    // One that was lost, refused when it came again, and given up is no delivered one any more.
    const wasTaken = (id: string): boolean => counts.has(id) || (server.lost.has(id) && !model.stored.discarded.has(id))
    const taken = new Set([...possible].filter((id) => wasTaken(id) && !pending.has(id) && !dead.has(id)))
    const here = [...model.places].filter((place) => taken.has(expectedTaskId(slot, `L${place}`))).length
    // An unfenced sink may have taken a task, lost the answer and refused it when it came again.
    if (isFenced(server))
      assert.equal(delivered, here, `${slot}: ${delivered} tasks count as delivered, ${here} are or were in the sink`)
  }

  // handed_seq <= fence <= last seq.
  const isCompared = server.askedAt >= server.lostAt
  const fence = server.positionOf(facts.outboxId)
  if (fence && isFenced(server) && !model.restored) {
    assert.ok(fence.seq <= facts.last, `the fence is at ${fence.seq}, the outbox ends at ${facts.last}`)
    if (isCompared && server.lost.size === 0) {
      // A sink that refuses may leave its fence at the last task that it took.
      let reached = fence.seq
      while (facts.refused.has(reached + 1)) reached++
      assert.ok(facts.acked <= reached, `delivered up to ${facts.acked}, the fence is at ${fence.seq}`)
    }
  }

  checkReceipts(model, server, facts)

  for (const id of server.lost) {
    const at = kept.get(id)
    const was = real.before.tasks.find((task) => task.id === id)
    if (counts.has(id)) server.lost.delete(id)
    // A sink without a fence looks like a new one: only runs that aren't done are delivered again.
    else if (!at || (was?.state === 'done' && server.lookedNew)) model.excused.add(id)
  }

  if (clean) {
    // Behind a sink that lost everything, dead tasks may stand alone.
    const refused = [...facts.refused].filter((seq) => seq > facts.acked).length
    assert.equal(facts.last - facts.acked - refused, 0, 'no error, but tasks are pending')
    for (const [slot, places] of model.stored.required) {
      if (facts.runs.some((run) => run.slot === slot && (run.state === 'reading' || run.state === 'checking'))) continue
      for (const place of places) {
        const id = expectedTaskId(slot, `L${place}`)
        if (counts.has(id) || dead.has(id) || model.stored.discarded.has(id)) continue
        if (server.lost.has(id) && model.excused.has(id)) continue
        // By a position alone, an old copy can't be told from a file that wasn't acknowledged: it goes on behind it.
        if (server.kind === 'position' && model.restored && server.everRefused.has(id)) continue
        assert.fail(`no error, but location ${place} of slot ${slot} isn't in the sink`)
      }
    }
  }
  real.before = facts
}

/** A slot's receipt is written when all of it is in the sink, and its sum is that of the ids that are there. */
function checkReceipts(model: Model, server: Server, facts: Facts): void {
  for (const { receipt, entries } of server.receipts.splice(0)) {
    const { slot, delivered, dead, discarded, taskIdSum } = receipt
    const isOpen = facts.runs.some((run) => run.slot === slot && run.state === 'reading' && run.read > 0)
    assert.ok(model.slots.has(slot), `a receipt for ${slot}, which nobody produced`)
    // A copy doesn't know all that the original brought; what is lost for good is in the sum, but not in the sink.
    if (model.restored || dead + discarded > 0 || isOpen || model.excused.size > 0) continue
    const own = new Set([...model.places].map((place) => expectedTaskId(slot, `L${place}`)))
    const there = new Set(entries.filter((id) => own.has(id)))
    assert.equal(there.size, delivered, `${slot}: its receipt says ${delivered} tasks, ${there.size} are in the sink`)
    assert.equal(sumOf(there), taskIdSum, `${slot}: the sum of its receipt isn't that of the ids in the sink`)
  }
}

const sumOf = (ids: ReadonlySet<string>): string =>
  BigInt.asUintN(
    128,
    [...ids].reduce((sum, id) => sum + BigInt(`0x${id.replaceAll('-', '')}`), 0n),
  )
    .toString(16)
    .padStart(32, '0')

/** After a command that may have read: which readings it finished; none is open where it said that all is well. */
export async function noteReadings(model: Model, real: System, clean: boolean): Promise<void> {
  const facts = await factsOf(real.outbox.path)
  const required = new Map(model.stored.required)
  for (const slot of model.slots) {
    const isOpen = (run: RunFacts): boolean => run.slot === slot && run.state === 'reading'
    const rows = (of: Facts): number => of.runs.filter((run) => run.slot === slot).length
    const wasReading = real.before.runs.some(isOpen) || rows(facts) > rows(real.before)
    if (clean)
      assert.ok(
        !facts.runs.some((run) => run.slot === slot && (run.state === 'reading' || run.state === 'checking')),
        `${slot} isn't read to its end`,
      )
    if (wasReading && !facts.runs.some(isOpen))
      required.set(slot, new Set([...(required.get(slot) ?? []), ...validIn(model.list.items)]))
  }
  model.stored = { ...model.stored, required }
}
