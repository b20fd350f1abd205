/** How much an outbox holds, its owner, and its open circuit breakers. Reads only. */
import { type EntityManager, MoreThan } from 'typeorm'
import { type BreakerRecord, breakersOf } from '../breakers.js'
import { endingAfter, slotOrder } from '../sqlite/criteria.js'
import { batches, deadTasks, type RunRow, runs } from '../sqlite/entities.js'
import { breakersOfVersion1 } from '../sqlite/migrations.js'
import { has } from '../sqlite/since.js'
import { positionIn, stateIn } from '../state.js'
import { iso, read, type View } from './view.js'

export interface Totals {
  pending: number
  dead: number
  rejected: number
  duplicates: number
}

export interface OwnedTotals extends Totals {
  /** See owner.ts; null if it has none yet. */
  owner: string | null
}

/** A run that was closed without storing anything, for an error: as a rule, its list was too short. */
export interface Short {
  slot: string
  lastError: string
}

/** @param newest the newest run */
export const shortOf = (newest: Pick<RunRow, 'slot' | 'state' | 'lastError'> | undefined): Short | undefined =>
  newest?.state === 'missed' && newest.lastError ? { slot: newest.slot, lastError: newest.lastError } : undefined

export interface BreakerReport {
  name: string
  state: BreakerRecord['state']
  failures: number
  /** When it opened, ISO 8601; null while it's closed. */
  since: string | null
}

/** Undefined if there is no outbox, or an empty file. Throws OutboxError. */
export async function totalsOf(path: string): Promise<OwnedTotals | undefined> {
  return read(path, async (view) => ({ ...(await totalsIn(view)), owner: await ownerIn(view) }))
}

export async function totalsIn(view: View): Promise<Totals> {
  const { manager, version } = view
  const repeated = has(version, 'repeated') ? ((await manager.sum(runs, 'repeated')) ?? 0) : 0
  return {
    pending: await pendingIn(view),
    dead: await deadIn(view),
    // From the runs: of the rejections only the newest are kept.
    rejected: (await manager.sum(runs, 'rejected')) ?? 0,
    duplicates: ((await manager.sum(runs, 'duplicates')) ?? 0) - repeated,
  }
}

export async function pendingIn({ manager }: View): Promise<number> {
  const { ackedSeq, lastSeq } = await positionIn(manager)
  return lastSeq - ackedSeq - (await manager.countBy(deadTasks, { seq: MoreThan(ackedSeq) }))
}

export const deadIn = ({ manager }: View): Promise<number> => manager.countBy(deadTasks, { fate: 'dead' })

/** Dead letters by slot, the oldest slot first; without slots that have none. */
export async function deadBySlot(manager: EntityManager): Promise<Map<string, number>> {
  const query = manager.createQueryBuilder(deadTasks, 'dead').innerJoin(runs.options.name, 'run', 'run.id = dead.run')
  const rows = await query
    .select('run.slot', 'slot')
    .addSelect('count(*)', 'n')
    .where({ fate: 'dead' })
    .groupBy('run.slot')
    .orderBy(slotOrder('run.slot'))
    .getRawMany<{ slot: string; n: number }>()
  return new Map(rows.map(({ slot, n }) => [slot, n]))
}

export async function ownerIn({ manager, version }: View): Promise<string | null> {
  if (!has(version, 'owner')) return null
  return (await stateIn(manager, 'owner'))?.owner ?? null
}

export async function oldestPendingIn(view: View): Promise<string | null> {
  const { manager } = view
  if ((await pendingIn(view)) === 0) return null
  const { ackedSeq } = await positionIn(manager)
  const firstSeq = await manager.minimum(batches, 'firstSeq', { firstSeq: endingAfter(ackedSeq) })
  if (firstSeq === null) return null
  const oldest = await manager.findOne(batches, { select: { firstSeq: true, createdAt: true }, where: { firstSeq } })
  return oldest && iso(oldest.createdAt, view)
}

export async function breakersIn(view: View): Promise<BreakerReport[]> {
  const state = await stateIn(view.manager, 'breaker')
  const records = (view.version < 2 ? breakersOfVersion1 : breakersOf)(state?.breaker ?? null)
  return Object.entries(records).map(([name, { state, failures, openedAt }]) => ({
    name,
    state,
    failures,
    since: openedAt ? iso(openedAt, view) : null,
  }))
}
