/**
 * Compares what a sink remembers with what this outbox does, and mends the difference.
 *
 * - The sink is ahead: a crash came before the acknowledgement. Nothing to do, the sink's fence skips what it has.
 * - The sink is behind: it lost tasks that it had taken (a failover to a replica that lagged). They are delivered
 *   again from the history.
 * - The sink remembers another task at that place: this file is an old or a second copy. It goes on under a new id,
 *   so that nothing is skipped wrongly.
 * - The sink remembers nothing: it's a new one, or it lost everything. Runs that aren't done are delivered from their
 *   start, so that none is done with a gap.
 */
import { randomUUID } from 'node:crypto'
import { And, In, LessThanOrEqual, Not } from 'typeorm'
import type { SinkPosition } from '../plugin.js'
import { taskIdOf } from '../tasks/id.js'
import type { Queue } from './queue.js'
import { endingAfter } from './sqlite/criteria.js'
import type { Database } from './sqlite/database.js'
import { batches, runs, states } from './sqlite/entities.js'
import { deadAfter, type OutboxState } from './state.js'

export type Reconciled = { kind: 'same' } | { kind: 'copy' } | { kind: 'lost'; tasks: number; again: number }

/** What the comparison needs of an outbox. */
interface Parts {
  database: Database
  state: OutboxState
  queue: Queue
}

export async function reconcile(outbox: Parts, position: SinkPosition | undefined): Promise<Reconciled> {
  const { database, state, queue } = outbox
  if (!position) return deliverAgain(outbox, await beforeOpenRuns(database))
  const { seq, taskId, runId } = position
  const ackedSeq = state.acked.seq
  const remembered = seq > state.lastSeq ? undefined : await queue.taskAt(seq)
  if (remembered === undefined && seq === ackedSeq) return { kind: 'same' }
  const isOther =
    remembered !== undefined &&
    (taskIdOf(remembered.task) !== taskId || (runId !== undefined && runId !== remembered.runId))
  if (remembered === undefined ? seq > ackedSeq : isOther) {
    const outboxId = randomUUID()
    await database.inTurn((manager) => manager.update(states, { id: 1 }, { outboxId }))
    state.outboxId = outboxId
    queue.clear()
    return { kind: 'copy' }
  }
  // Behind the last task that it took, it may have refused some.
  const dead = await deadAfter(database, seq)
  let reached = seq
  while (dead.has(reached + 1)) reached++
  if (reached >= ackedSeq) return { kind: 'same' }
  return deliverAgain(outbox, seq)
}

/** Up to where a sink that remembers nothing may be new or emptied: a run isn't done until the sink has all of it. */
async function beforeOpenRuns(database: Database): Promise<number> {
  const first = await database.inTurn(async (manager) => {
    const open = await manager.find(runs, { select: { id: true }, where: { state: Not('done') } })
    return manager.minimum(batches, 'firstSeq', { run: In(open.map(({ id }) => id)) })
  })
  return (first ?? Number.POSITIVE_INFINITY) - 1
}

/** Goes back to `seq`, or as far towards it as the history goes. */
async function deliverAgain({ database, state, queue }: Parts, seq: number): Promise<Reconciled> {
  const ackedSeq = state.acked.seq
  const tasks = ackedSeq - seq
  if (tasks <= 0) return { kind: 'same' }
  const kept = And(LessThanOrEqual(ackedSeq), endingAfter(seq))
  const first = await database.inTurn((manager) => manager.minimum(batches, 'firstSeq', { firstSeq: kept }))
  if (!first) return { kind: 'lost', tasks, again: 0 }
  const from = Math.max(seq, first - 1)
  await database.transaction(
    async (manager) => {
      await manager.update(states, { id: 1 }, { ackedSeq: from })
      const again = await manager.find(batches, { select: { run: true }, where: { firstSeq: endingAfter(from) } })
      const ids = [...new Set(again.map(({ run }) => run))]
      await manager.update(runs, { state: 'done', id: In(ids) }, { state: 'read', finishedAt: null })
    },
    () => {
      queue.drop(from)
      state.writtenAs(from)
    },
  )
  state.passed = await deadAfter(database, from)
  return { kind: 'lost', tasks, again: ackedSeq - from }
}
