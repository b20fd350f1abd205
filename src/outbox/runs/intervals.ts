/**
 * What a run covers: the time behind the end of the interval before it, up to its slot. It is written with the run's
 * row. A slot that lies in an interval already, as in a backfill, gets none; what a missed run had goes to the next
 * one. So the intervals follow one another without a hole, and what is scheduled behind the last one is due.
 *
 *     the first run                 from the time that the caller gives, or its slot alone
 *     behind the last interval      from that one's end, or where the missed runs began that it follows
 *     in an interval, or at its end what a missed run, or a later one that hasn't begun to read, has of it; else none
 */
import { type EntityManager, IsNull, LessThan, LessThanOrEqual, Not } from 'typeorm'
import { shardNameIn, slotOf } from '../../tasks/slot.js'
import { gaps, runs, states } from '../sqlite/entities.js'

/** What a start makes rows of: slots, oldest first, and what is missed. Times are milliseconds since 1970. */
export interface Planned {
  readonly runs: readonly { readonly slot: string; readonly from: number }[]
  /** Whether its one run serves what runs before it left without having stored anything. */
  readonly covers: boolean
  readonly gaps: readonly {
    readonly from: string
    readonly to: string
    readonly count: number
    readonly reason: 'maxAge' | 'maxCatchUp'
  }[]
}

export async function coveredTo(manager: EntityManager): Promise<number | null> {
  const [state] = await manager.find(states, { select: { id: true, coveredTo: true } })
  return state?.coveredTo ?? null
}

/** Where the interval of a new run begins; null where its slot is covered. A part of the run's transaction. */
export async function extendTo(manager: EntityManager, slot: string, first?: number): Promise<number | null> {
  const end = await coveredTo(manager)
  const to = Date.parse(slot)
  if (end !== null && to < end) return takeUpTo(manager, to)
  await manager.update(states, { id: 1 }, { coveredTo: to })
  if (end === null) return first ?? to
  // guard: interval
  return (await takeUpTo(manager, end)) ?? (to === end ? null : end)
}

/**
 * Takes what lies up to `to` from the intervals of runs that were missed, one behind the other, or of a later one that
 * hasn't begun to read; gives its beginning, or null where none has any of it.
 */
async function takeUpTo(manager: EntityManager, to: number): Promise<number | null> {
  let from = await takeFrom(manager, to)
  // Several that one start missed, newest first, couldn't pass theirs on to one another.
  for (let before = from; before !== null; ) {
    const missed = { state: 'missed', slot: slotOf(before), intervalFrom: LessThan(before) } as const
    const [run] = await manager.find(runs, { where: missed })
    before = run?.intervalFrom ?? null
    if (run) await manager.update(runs, { id: run.id }, { intervalFrom: null })
    from = before ?? from
  }
  return from
}

async function takeFrom(manager: EntityManager, to: number): Promise<number | null> {
  const intervalFrom = LessThanOrEqual(to)
  const where = [{ state: 'missed', intervalFrom } as const, { state: 'reading', read: 0, intervalFrom } as const]
  for (const { id, slot, state, intervalFrom } of await manager.find(runs, { where })) {
    const end = Date.parse(slot)
    if (end < to || (end > to && intervalFrom === to) || (end === to && state === 'reading')) continue
    await manager.update(runs, { id }, { intervalFrom: end === to ? null : to })
    return intervalFrom
  }
  return null
}

export async function insertGaps(manager: EntityManager, given: Planned['gaps'], now: number): Promise<void> {
  for (const { from, to, count, reason } of given)
    await manager.insert(gaps, { firstSlot: from, lastSlot: to, count, reason, notedAt: now })
}

/**
 * Closes the open runs of a shard that have read nothing: the run of `slot` serves theirs, and gets their intervals.
 * Those without an interval (a backfill's) stay: somebody asked for these very slots.
 */
export async function closeCovered(manager: EntityManager, slot: string, digest: string, now: number): Promise<void> {
  const where = { state: 'reading', read: 0, slot: Not(slot), intervalFrom: Not(IsNull()) } as const
  const [by] = await manager.find(runs, { where: { slot, intervalFrom: Not(IsNull()) } })
  if (!by) return
  // The newest first: each passes on what it was given. One that can't is served by itself.
  for (const run of await manager.find(runs, { where, order: { id: 'DESC' } })) {
    if (shardNameIn(run.sourceDigest) !== shardNameIn(digest) || run.id === by.id) continue
    if (!(await passOn(manager, run.id))) continue
    const closed = { state: 'missed', checkpoint: null, finishedAt: now, coveredBy: by.id } as const
    await manager.update(runs, { id: run.id }, closed)
  }
}

/**
 * The run behind this one begins where this one began; false where there is none yet (its row gets that when it is
 * made), or where it has read something already, in its own interval.
 */
export async function passOn(manager: EntityManager, id: number): Promise<boolean> {
  // As it is now: the run before it may have passed its own on to it.
  const { slot = '', intervalFrom = null } = (await manager.findOneBy(runs, { id })) ?? {}
  if (intervalFrom === null) return false
  const next = { intervalFrom: Date.parse(slot), id: Not(id), state: 'reading', read: 0 } as const
  const { affected } = await manager.update(runs, next, { intervalFrom })
  if (affected) await manager.update(runs, { id }, { intervalFrom: null })
  return Boolean(affected)
}
