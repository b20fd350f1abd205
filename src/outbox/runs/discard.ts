/**
 * Discards runs that aren't done, with their pending tasks, because an operator says so.
 *
 *     reading, checking, read, lost --discard--> discarded
 *
 * The source of a discarded run isn't read on. Its pending tasks get rows in `dead`, so that delivery skips them; the
 * run's row stays and counts them. Dead letters that it had before stay as they are.
 */
import { type EntityManager, In, LessThan, MoreThan } from 'typeorm'
import { beginningWith, endingAfter } from '../sqlite/criteria.js'
import { batches, deadTasks, runs, suspects } from '../sqlite/entities.js'
import { passOver } from '../sqlite/statements.js'
import { positionIn } from '../state.js'
import { closed, type RunState, unfinishedStates } from './run-states.js'

export type DiscardFilter =
  /** Those whose UUID begins so. */
  | { readonly run: string }
  /** All with pending tasks, or whose source isn't read to its end. */
  | { readonly pending: true }
  /** Those that began before this time, in milliseconds since 1970. */
  | { readonly before: number }

export interface Discardable {
  runId: string
  slot: string
  /** Its state before. */
  state: RunState
  /** Its pending tasks. */
  tasks: number
}

/** The runs that would be discarded, oldest first. Reads only. */
export async function discardable(
  manager: EntityManager,
  filter: DiscardFilter,
): Promise<(Discardable & { id: number })[]> {
  const run = 'run' in filter ? { runId: beginningWith(filter.run) } : {}
  const before = 'before' in filter ? { startedAt: LessThan(filter.before) } : {}
  const state = In('pending' in filter ? unfinishedStates : [...unfinishedStates, 'lost'])
  const select = { id: true, runId: true, slot: true, state: true } as const
  const found = await manager.find(runs, { select, where: { ...run, ...before, state }, order: { id: 'ASC' } })
  const pending = await Promise.all(found.map(({ id }) => pendingOf(manager, id)))
  return found.map((run, index) => ({ ...run, tasks: pending[index]?.length ?? 0 }))
}

/** Discards them. Part of a transaction. */
export async function discard(manager: EntityManager, filter: DiscardFilter, now: number): Promise<Discardable[]> {
  const discarded = await discardable(manager, filter)
  for (const { id } of discarded) await closeDiscarding(manager, id, 'discarded', now)
  return discarded.map(({ id: _, ...run }) => run)
}

/** Closes a run and discards its pending tasks. Part of a transaction. */
export async function closeDiscarding(
  manager: EntityManager,
  id: number,
  state: 'done' | 'discarded',
  now: number,
): Promise<void> {
  const pending = await pendingOf(manager, id)
  await passOver(manager, { run: id, fate: 'discarded', reason: 'discarded before it was delivered', now }, pending)
  await manager.delete(suspects, { run: id })
  await manager.update(runs, { id }, { ...closed(state, now), discarded: () => `discarded + ${pending.length}` })
}

/** The `seq`s of a run's tasks that are neither in the sink nor dead. */
async function pendingOf(manager: EntityManager, run: number): Promise<number[]> {
  const { ackedSeq } = await positionIn(manager)
  const stored = await manager.find(batches, {
    select: { firstSeq: true, count: true },
    where: { run, firstSeq: endingAfter(ackedSeq) },
    order: { firstSeq: 'ASC' },
  })
  if (stored.length === 0) return []
  const dead = await manager.find(deadTasks, { select: { seq: true }, where: { run, seq: MoreThan(ackedSeq) } })
  const isDead = new Set(dead.map(({ seq }) => seq))
  return stored
    .flatMap(({ firstSeq, count }) => Array.from({ length: count }, (_, index) => firstSeq + index))
    .filter((seq) => seq > ackedSeq && !isDead.has(seq))
}
