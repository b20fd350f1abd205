/**
 * Delivers tasks again, because an operator says so:
 *
 *     the history has all of a run   its tasks get new seqs at the end of the queue; delivery skips the old ones, so
 *                                    that a sink that loses everything gets each task once
 *     it hasn't                      the slot is read again (ledger.ts, `again`); what the sink holds at that time is
 *                                    stored, but skipped (`held`) until the run is done
 *
 * Pending tasks aren't put back, since they are delivered anyway; for dead letters there is `outbox retry`.
 */
import { type EntityManager, In } from 'typeorm'
import { sumOf } from '../../lists.js'
import { taskIdOf } from '../../tasks/id.js'
import { shardNameIn } from '../../tasks/shard.js'
import { step } from '../../trace.js'
import { cut, placed } from '../intake.js'
import { beginningWith } from '../sqlite/criteria.js'
import { batches, deadTasks, type RunRow, runs, states } from '../sqlite/entities.js'
import { batchesFrom, passOver, storeBatches } from '../sqlite/statements.js'
import { type OutboxState, positionIn } from '../state.js'
import { noteTold } from './holder.js'
import { isPutBack } from './kept.js'
import type { RunState } from './run-states.js'
import { currentOf } from './whole-slots.js'

/** The runs whose UUID begins so, or those that count for a slot. */
export type ReplayFilter = { readonly run: string } | { readonly slot: string }

export interface Replayable {
  runId: string
  slot: string
  /** `0/3`; null for all locations. */
  shard: string | null
  state: RunState
  /** Its delivered tasks that the history has. */
  tasks: number
  /** Whether the history has all that it stored. */
  isKept: boolean
}

/** The runs that could be delivered again, oldest first. Reads only. */
export async function replayable(manager: EntityManager, filter: ReplayFilter): Promise<Replayable[]> {
  const where = 'run' in filter ? { runId: beginningWith(filter.run) } : { slot: filter.slot }
  const rows = await manager.find(runs, { where, order: { id: 'ASC' } })
  const chosen = 'run' in filter ? rows : currentOf(rows).filter(({ state }) => state !== 'missed')
  return Promise.all(
    chosen.map(async (run) => {
      const { runId, slot, state } = run
      const shard = shardNameIn(run.sourceDigest) || null
      const { delivered, isKept } = await historyOf(manager, run)
      return { runId, slot, shard, state, tasks: sumOf(delivered, ({ seqs }) => seqs.length), isKept }
    }),
  )
}

interface History {
  /** The delivered tasks of a run, by batch. */
  readonly delivered: readonly { firstSeq: number; seqs: number[] }[]
  readonly isKept: boolean
}

async function historyOf(manager: EntityManager, { id: run, persisted, state }: RunRow): Promise<History> {
  const { ackedSeq } = await positionIn(manager)
  const stored = await manager.find(batches, {
    select: { firstSeq: true, count: true },
    where: { run },
    order: { firstSeq: 'ASC' },
  })
  const passed = await manager.find(deadTasks, { select: { seq: true, fate: true }, where: { run } })
  const isPassed = new Set(passed.map(({ seq }) => seq))
  const kept = sumOf(stored, ({ count }) => count) - passed.filter(({ fate }) => isPutBack(fate)).length
  const delivered = stored.map(({ firstSeq, count }) => ({
    firstSeq,
    seqs: Array.from({ length: count }, (_, index) => firstSeq + index).filter(
      (seq) => seq <= ackedSeq && !isPassed.has(seq),
    ),
  }))
  return { delivered, isKept: persisted > 0 && state !== 'discarded' && kept >= persisted }
}

interface ReplayParts {
  readonly path: string
  readonly state: OutboxState
  readonly batchSize: number
  readonly now: number
}

export interface Replayed {
  /** Tasks that were put back. */
  tasks: number
  /** Tasks that the sink holds, and that weren't put back. */
  held: number
  /** The last `seq` that was assigned. */
  lastSeq: number
}

/** Puts delivered tasks of these runs back, at the end of the queue, except those `inSink`. Part of a transaction. */
export async function putBack(
  manager: EntityManager,
  runIds: readonly string[],
  inSink: ReadonlySet<string> | undefined,
  { path, state, batchSize, now }: ReplayParts,
): Promise<Replayed> {
  const { outboxId } = state
  const done: Replayed = { tasks: 0, held: 0, lastSeq: state.lastSeq }
  const chosen = await manager.find(runs, { where: { runId: In([...runIds]) }, order: { id: 'ASC' } })
  for (const row of chosen) {
    const { id: run, runId, slot } = row
    const store = async (tasks: string[]): Promise<void> => {
      const again = placed(cut(tasks, batchSize), { runId, slot }, { outboxId, lastSeq: done.lastSeq })
      await storeBatches(manager, run, again, now)
      done.lastSeq += tasks.length
    }
    let gathered: string[] = []
    const before = done.tasks
    for (const { firstSeq, seqs } of (await historyOf(manager, row)).delivered) {
      const [batch] = seqs.length > 0 ? await batchesFrom(manager, { path, outboxId }, firstSeq, 1) : []
      const missing = seqs.filter((seq) => batch && !inSink?.has(taskIdOf(batch.task(seq - firstSeq))))
      done.held += seqs.length - missing.length
      done.tasks += missing.length
      // guard: replayed-once
      await passOver(manager, { run, fate: 'replayed', reason: 'replayed by an operator', now }, missing)
      gathered.push(...missing.map((seq) => batch?.task(seq - firstSeq) ?? ''))
      if (gathered.length < batchSize) continue
      await store(gathered)
      gathered = []
    }
    await store(gathered)
    await noteReplay(manager, row, done.tasks - before, now)
  }
  await manager.update(states, { id: 1 }, { lastSeq: done.lastSeq })
  step('replay:written')
  return done
}

/** Reopens the run. A lost one isn't lost any more: what the sink lacks of it is pending. */
async function noteReplay(manager: EntityManager, { id, state }: RunRow, tasks: number, now: number): Promise<void> {
  if (tasks === 0 && state !== 'lost') return
  const opened = { state: 'read', lost: 0, finishedAt: null } as const
  await manager.update(runs, { id }, { ...opened, replayed: () => `replayed + ${tasks}`, replayedAt: now })
  // Its rejected locations were reported when it was done.
  await noteTold(manager, [id])
}
