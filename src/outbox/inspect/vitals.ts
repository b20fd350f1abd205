/** The figures of an outbox for metrics. Reads only. */
import { In, MoreThanOrEqual } from 'typeorm'
import { labelOfShard, shardOf } from '../../tasks/shard.js'
import { unfinishedStates } from '../runs/run-states.js'
import { deadTasks, gaps, runs } from '../sqlite/entities.js'
import { has } from '../sqlite/since.js'
import { deadIn, oldestPendingIn, ownerIn, pendingIn, type Short, shortOf } from './totals.js'
import { read, type View } from './view.js'

export interface Vitals {
  /** See owner.ts; null if no pipeline has claimed it yet. */
  owner: string | null
  pending: number
  /** When the oldest pending task was stored, ISO 8601; null if none is pending. */
  oldestPendingAt: string | null
  dead: number
  /** Dead tasks that the sink refused since a given time. */
  died: number
  /** Tasks that the sink lost, and that were neither read again nor discarded. */
  lost: number
  /** Runs that aren't delivered yet. */
  openRuns: number
  /** Scheduled times that no run serves, by reason (schedule/due). */
  missed: { maxAge: number; maxCatchUp: number }
  /** The latest run, if it is one. */
  short: Short | undefined
  /** The latest run; null if there is none. `shard`: as `0-of-3`. */
  run: { slot: string; shard: string; stored: number; rejected: number; duplicate: number; not_due: number } | null
}

/**
 * Undefined if there is no outbox, or its schema is too old. Throws OutboxError.
 * @param since milliseconds since 1970
 */
export async function vitalsOf(path: string, since: number): Promise<Vitals | undefined> {
  return read(path, async (view) => (has(view.version, 'notDue') ? vitalsIn(view, since) : undefined))
}

export async function vitalsIn(view: View, since: number): Promise<Vitals> {
  const { manager } = view
  const pending = await pendingIn(view)
  const counts = { persisted: true, rejected: true, duplicates: true, notDue: true } as const
  const select = { id: true, slot: true, sourceDigest: true, state: true, lastError: true, ...counts } as const
  const [latest] = await manager.find(runs, { select, order: { id: 'DESC' }, take: 1 })
  const missedFor = async (reason: string): Promise<number> => (await manager.sum(gaps, 'count', { reason })) ?? 0
  return {
    owner: await ownerIn(view),
    pending,
    oldestPendingAt: pending === 0 ? null : await oldestPendingIn(view),
    dead: await deadIn(view),
    died: await manager.countBy(deadTasks, { fate: 'dead', diedAt: MoreThanOrEqual(since) }),
    lost: (await manager.sum(runs, 'lost', { state: 'lost' })) ?? 0,
    openRuns: await manager.countBy(runs, { state: In(unfinishedStates) }),
    missed: { maxAge: await missedFor('maxAge'), maxCatchUp: await missedFor('maxCatchUp') },
    short: shortOf(latest),
    run: latest
      ? {
          slot: latest.slot,
          shard: labelOfShard(shardOf(latest.sourceDigest)),
          stored: latest.persisted,
          rejected: latest.rejected,
          duplicate: latest.duplicates,
          not_due: latest.notDue,
        }
      : null,
  }
}
