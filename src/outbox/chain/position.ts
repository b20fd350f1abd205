/** A sink's position: what the comparison needs of the outbox and the sink, and how its result is written. */
import { And, type EntityManager, LessThanOrEqual, MoreThan } from 'typeorm'
import { groupedBy, sumOf } from '../../lists.js'
import type { Attached, Attachment, SinkPosition } from '../../plugin.js'
import type { Queue } from '../queue.js'
import { openAgain } from '../runs/holder.js'
import { endingAfter } from '../sqlite/criteria.js'
import type { Database } from '../sqlite/database.js'
import { batches, deadTasks, runs, states } from '../sqlite/entities.js'
import { deliverLeftOut } from '../sqlite/statements.js'
import { deadAfter, type OutboxState } from '../state.js'
import { tasksBetween } from './lost.js'
import { knownIn, type Sinks } from './sinks.js'

/** What the comparison needs of an outbox. */
export interface OutboxParts {
  readonly database: Database
  readonly state: OutboxState
  readonly queue: Queue
  readonly sinks: Sinks
  now(): number
}

/** What another sink gets: the pending tasks, all tasks of unfinished runs, or all that are kept. */
export type From = 'pending' | 'open-runs' | 'history'

export interface Met {
  readonly address: string
  readonly attachment: Attachment
  readonly attached: Attached
  /** The ids of the sink's tasks, the newest first, if it can list them. */
  readonly search: (() => AsyncIterable<string>) | undefined
  /** What this sink gets if it is another than before, as an operator has decided. */
  readonly from?: From | undefined
}

export interface Reconciled {
  readonly kind: 'same' | 'copy'
  /** The last task that the sink has, or is assumed to have. */
  readonly at: SinkPosition
  readonly warnings: readonly { fields: object; message: string }[]
}

interface Written {
  /** The seq of the last task that the sink has, or is assumed to have. */
  readonly reached: number
  /** The sink's row id. */
  readonly sink: number
}

/** Runs `work`, and writes the sink's position and row id in the same transaction. */
export async function write<W extends Written>(
  { database, state, queue, sinks }: OutboxParts,
  work: (manager: EntityManager) => Promise<W>,
): Promise<W> {
  const { written } = await database.transaction(
    async (manager) => {
      const written = await work(manager)
      const { reached, sink } = written
      await manager.update(states, { id: 1 }, { ackedSeq: reached, next: null, sink })
      return { written, passed: await deadAfter(manager, reached), known: await knownIn(manager) }
    },
    ({ written: { reached, sink }, passed, known }) => {
      queue.drop(reached)
      state.writtenAs(reached)
      Object.assign(state, { next: null, passed, sink })
      sinks.known = known
    },
  )
  return written
}

/** Reopens the runs with tasks after `seq`, up to `ackedSeq`: these are delivered again. */
export async function reopen(manager: EntityManager, seq: number, ackedSeq: number): Promise<void> {
  const again = await manager.find(batches, {
    select: { firstSeq: true, count: true, run: true },
    where: { firstSeq: And(endingAfter(seq), LessThanOrEqual(ackedSeq)) },
  })
  await openAgain(manager, [...new Set(again.map(({ run }) => run))])
  const between = And(MoreThan(seq), LessThanOrEqual(ackedSeq))
  for (const [run, batchesOfRun] of groupedBy(again, (batch) => batch.run)) {
    const stored = sumOf(batchesOfRun, (batch) => tasksBetween(batch, seq, ackedSeq))
    const passed = await manager.countBy(deadTasks, { run, seq: between })
    await manager.increment(runs, { id: run }, 'redelivered', stored - passed)
  }
  // guard: left-out-after-loss
  await deliverLeftOut(manager, seq)
}
