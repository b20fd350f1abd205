/** Where a sink stands, as the outbox has it: what the comparison needs of both, and how its result is written down. */
import { And, type EntityManager, LessThanOrEqual, MoreThan } from 'typeorm'
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
export interface Parts {
  readonly database: Database
  readonly state: OutboxState
  readonly queue: Queue
  readonly sinks: Sinks
  now(): number
}

/** What of an outbox another sink gets: what is pending, all of the runs that aren't done, or all that is kept. */
export type From = 'pending' | 'open-runs' | 'history'

export interface Met {
  readonly address: string
  readonly attachment: Attachment
  readonly attached: Attached
  /** The ids of the sink's tasks, the newest first, where it can say. */
  readonly search: (() => AsyncIterable<string>) | undefined
  /** What this sink gets where it is another one than before: an operator's word. */
  readonly from?: From | undefined
}

export interface Reconciled {
  readonly kind: 'same' | 'copy'
  /** The last task that the sink has, or is taken to have. */
  readonly at: SinkPosition
  readonly warnings: readonly { fields: object; message: string }[]
}

interface Written {
  /** The last task that the sink has, or is taken to have. */
  readonly reached: number
  /** Its row. */
  readonly sink: number
}

/** Writes down how far the sink is, and which one it is, in one step with the rest of `work`. */
export async function write<W extends Written>(
  { database, state, queue, sinks }: Parts,
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

/** The runs with tasks behind `seq`, up to `ackedSeq`, aren't done any more: those are delivered again. */
export async function reopen(manager: EntityManager, seq: number, ackedSeq: number): Promise<void> {
  const again = await manager.find(batches, {
    select: { firstSeq: true, count: true, run: true },
    where: { firstSeq: And(endingAfter(seq), LessThanOrEqual(ackedSeq)) },
  })
  await openAgain(manager, [...new Set(again.map(({ run }) => run))])
  const between = And(MoreThan(seq), LessThanOrEqual(ackedSeq))
  for (const run of new Set(again.map((batch) => batch.run))) {
    const stored = again.filter((batch) => batch.run === run).map((batch) => tasksBetween(batch, seq, ackedSeq))
    const passed = await manager.countBy(deadTasks, { run, seq: between })
    await manager.increment(
      runs,
      { id: run },
      'redelivered',
      stored.reduce((sum, tasks) => sum + tasks, -passed),
    )
  }
  // guard: left-out-after-loss
  await deliverLeftOut(manager, seq)
}
