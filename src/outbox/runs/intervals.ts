/**
 * A run's interval: the time that it covers, from the end of the interval before it up to its slot. It is stored with
 * the run. A slot inside an existing interval, as in a backfill, gets none; that of a missed run goes to the next run.
 * So the intervals have no holes between them, and whatever is scheduled after the last one is due.
 *
 *     the first run                 from the time that the caller gives, or its slot alone
 *     after the last interval       from that one's end, or from where missed runs right before it began
 *     in an interval, or at its end what a missed run, or a later one that hasn't begun to read, has of it; else none
 */
import { type EntityManager, In, IsNull, LessThan, LessThanOrEqual, Not } from 'typeorm'
import { isSameShard } from '../../tasks/shard.js'
import { slotOf } from '../../tasks/slot.js'
import { gaps, type RunRow, runs, states, suspects } from '../sqlite/entities.js'
import { stateIn } from '../state.js'
import { closed } from './run-states.js'

/** The rows that a start enters. Times are milliseconds since 1970. */
export interface Planned {
  /** Oldest first. */
  readonly runs: readonly { readonly slot: string; readonly from: number }[]
  /** Whether the last run takes the place of earlier ones that read nothing. */
  readonly covers: boolean
  readonly gaps: readonly {
    readonly from: string
    readonly to: string
    readonly count: number
    readonly reason: 'maxAge' | 'maxCatchUp'
  }[]
}

export async function coveredTo(manager: EntityManager): Promise<number | null> {
  return (await stateIn(manager, 'coveredTo'))?.coveredTo ?? null
}

/** Where the interval of a new run begins; null if its slot is covered. Part of the run's transaction. */
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
 * Takes the part up to `to` from the intervals of consecutive missed runs, or of a later run that hasn't begun to read.
 * Returns where it begins; null if no such run has any of it.
 */
async function takeUpTo(manager: EntityManager, to: number): Promise<number | null> {
  let from = await takeFrom(manager, to)
  // Runs that one start missed, newest first, couldn't pass their intervals on to one another.
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

export async function insertGaps(manager: EntityManager, planned: Planned['gaps'], now: number): Promise<void> {
  for (const { from, to, count, reason } of planned)
    await manager.insert(gaps, { firstSlot: from, lastSlot: to, count, reason, notedAt: now })
}

/**
 * Closes the open runs of a shard that have read nothing: the run of `slot` gets their intervals. Runs without an
 * interval (a backfill's) stay, since their very slots were asked for.
 */
export async function closeCovered(
  manager: EntityManager,
  { slot, sourceDigest }: Pick<RunRow, 'slot' | 'sourceDigest'>,
  now: number,
): Promise<void> {
  const where = { state: 'reading', read: 0, slot: Not(slot), intervalFrom: Not(IsNull()) } as const
  const [by] = await manager.find(runs, { where: { slot, intervalFrom: Not(IsNull()) } })
  if (!by) return
  // The newest first: each passes on what it was given. A run that can't stays open.
  for (const run of await manager.find(runs, { where, order: { id: 'DESC' } })) {
    if (!isSameShard(run, { sourceDigest }) || run.id === by.id) continue
    if (!(await passOn(manager, run.id))) continue
    await manager.update(runs, { id: run.id }, { ...closed('missed', now), coveredBy: by.id })
  }
}

/**
 * Extends the interval of the run after this one to where this one's began. False if there is no such run yet (it gets
 * that time when it is entered), or if it has read something already, for its own interval.
 */
export async function passOn(manager: EntityManager, id: number): Promise<boolean> {
  // Read again: the run before it may have passed its own interval on to it.
  const { slot = '', intervalFrom = null } = (await manager.findOneBy(runs, { id })) ?? {}
  if (intervalFrom === null) return false
  const next = { intervalFrom: Date.parse(slot), id: Not(id), state: 'reading', read: 0 } as const
  const { affected } = await manager.update(runs, next, { intervalFrom })
  if (affected) await manager.update(runs, { id }, { intervalFrom: null })
  return Boolean(affected)
}

/**
 * Closes runs that stored nothing and whose slot is only the time of their start, except one; returns them, oldest
 * first. The next start stands in for them: after ten starts without the source it isn't read ten times. Part of a
 * transaction.
 */
export async function closeEmptyRuns(manager: EntityManager, now: number, except = 0): Promise<RunRow[]> {
  // guard: empty-runs-closed
  const empty = await manager.find(runs, {
    where: { state: 'reading', persisted: 0, slotGiven: 0, id: Not(except) },
    order: { id: 'ASC' },
  })
  const missed: RunRow[] = []
  for (const run of empty) if (!(await manager.existsBy(suspects, { run: run.id }))) missed.push(run)
  for (const { id } of missed) await passOn(manager, id)
  await manager.update(runs, { id: In(missed.map(({ id }) => id)) }, closed('missed', now))
  return missed
}
