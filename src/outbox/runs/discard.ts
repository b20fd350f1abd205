/**
 * What an operator gives up: runs that aren't done, with what of them isn't in the sink.
 *
 *     reading, checking, read, lost --discard--> discarded
 *
 * A discarded run isn't read on, and its pending tasks become dead letters that are discarded already: delivery passes
 * over them. Its row stays and says how many they were. Dead letters that it had before stay as they are.
 */
import { type EntityManager, In, LessThan, MoreThan } from 'typeorm'
import { beginningWith, endingAfter } from '../sqlite/criteria.js'
import { batches, deadTasks, runs, states, suspects } from '../sqlite/entities.js'
import { type RunState, unfinishedStates } from '../sqlite/run-states.js'
import { passOver } from '../sqlite/statements.js'

/** Which runs. */
export type DiscardFilter =
  /** The one whose id begins so. */
  | { readonly run: string }
  /** All that have tasks pending or aren't read to their end. */
  | { readonly pending: true }
  /** Those that began before this time, in milliseconds since 1970. */
  | { readonly before: number }

export interface Doomed {
  runId: string
  slot: string
  /** Before it's discarded. */
  state: RunState
  /** Its pending tasks. */
  tasks: number
}

/** What would be discarded, oldest first. Reads only. */
export async function doomed(manager: EntityManager, filter: DiscardFilter): Promise<(Doomed & { id: number })[]> {
  const run = 'run' in filter ? { runId: beginningWith(filter.run) } : {}
  const before = 'before' in filter ? { startedAt: LessThan(filter.before) } : {}
  const state = In('pending' in filter ? unfinishedStates : [...unfinishedStates, 'lost'])
  const select = { id: true, runId: true, slot: true, state: true } as const
  const found = await manager.find(runs, { select, where: { ...run, ...before, state }, order: { id: 'ASC' } })
  const pending = await Promise.all(found.map(({ id }) => pendingOf(manager, id)))
  return found.map((run, index) => ({ ...run, tasks: pending[index]?.length ?? 0 }))
}

/** Gives them up. A part of a transaction. */
export async function discard(manager: EntityManager, filter: DiscardFilter, now: number): Promise<Doomed[]> {
  const given = await doomed(manager, filter)
  for (const { id, tasks } of given) {
    await letDie(manager, id, now)
    await manager.delete(suspects, { run: id })
    const discarded = { state: 'discarded', checkpoint: null, finishedAt: now } as const
    await manager.update(runs, { id }, { ...discarded, discarded: () => `discarded + ${tasks}` })
  }
  return given.map(({ id: _, ...run }) => run)
}

/** Gives up what of a run's tasks is neither in the sink nor dead; tells how many. A part of a transaction. */
export async function letDie(manager: EntityManager, run: number, now: number): Promise<number> {
  const pending = await pendingOf(manager, run)
  await passOver(manager, { run, fate: 'discarded', reason: 'discarded before it was delivered', now }, pending)
  return pending.length
}

/** The `seq`s of a run's tasks that are neither in the sink nor dead. */
async function pendingOf(manager: EntityManager, run: number): Promise<number[]> {
  const [state] = await manager.find(states, { select: { id: true, ackedSeq: true } })
  const ackedSeq = state?.ackedSeq ?? 0
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
