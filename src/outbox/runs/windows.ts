/**
 * Which windows of locations with a cadence a run serves: the newest ones in its interval. A run whose slot lies in
 * another run's interval serves what that run skipped since the scheduled time before the slot.
 */
import { type EntityManager, IsNull, LessThan, Not } from 'typeorm'
import { slotAfter, slotBefore, slotOrder } from '../sqlite/criteria.js'
import { type RunRow, runs } from '../sqlite/entities.js'

/** A run serves the windows that begin in (from, to], in milliseconds since 1970. */
export interface Windows {
  readonly from: number
  readonly to: number
  /** The run that has already served the newest of these windows, and its interval. */
  readonly covering?: { readonly run: number; readonly from: number; readonly to: number } | undefined
}

/**
 * The cadence of a new run that gets no interval, and where its windows begin. Both are those of an earlier run of its
 * slot; otherwise the cadence is that of the run whose interval the slot lies in, if there is one.
 * @param own its own cadence; from: the scheduled time before the slot, in milliseconds since 1970
 */
export async function beginInside(
  manager: EntityManager,
  slot: string,
  own: { from?: number | undefined; cadence: string | null },
): Promise<Pick<RunRow, 'windowsFrom' | 'cadence'>> {
  const to = Date.parse(slot)
  const ofSlot = [
    { slot, intervalFrom: Not(IsNull()) },
    { slot, windowsFrom: Not(IsNull()) },
  ]
  const [same] = await manager.find(runs, { where: ofSlot })
  if (same) return { windowsFrom: same.windowsFrom, cadence: same.cadence }
  const covering = await coveringRun(manager, to)
  const cadence = covering ? covering.cadence : own.cadence
  if (cadence === null) return { windowsFrom: null, cadence }
  const isTaken = await manager.existsBy(runs, { slot: slotAfter(slot), windowsFrom: LessThan(to) })
  const before = await manager
    .createQueryBuilder(runs, 'run')
    .where({ slot: slotBefore(slot), windowsFrom: Not(IsNull()) })
    .orderBy(slotOrder('run.slot'), 'DESC')
    .limit(1)
    .getOne()
  const earliest = Math.max(own.from ?? to, covering?.intervalFrom ?? 0, before ? Date.parse(before.slot) : 0)
  return { windowsFrom: isTaken ? to : earliest, cadence }
}

/** Which windows a run serves. */
export async function windowsOf(
  manager: EntityManager,
  { slot, windowsFrom }: Pick<RunRow, 'slot' | 'windowsFrom'>,
): Promise<Windows> {
  const to = Date.parse(slot)
  const [own] = await manager.find(runs, { where: { slot, intervalFrom: Not(IsNull()) } })
  if (own?.intervalFrom != null) return { from: own.intervalFrom, to }
  if (windowsFrom === null) return { from: to, to }
  const run = await coveringRun(manager, to)
  const from = run?.intervalFrom ?? null
  return {
    from: windowsFrom,
    to,
    covering: run && from !== null ? { run: run.id, from, to: Date.parse(run.slot) } : undefined,
  }
}

/** The run whose interval a time lies in. */
async function coveringRun(manager: EntityManager, time: number): Promise<RunRow | undefined> {
  const latest = { where: { intervalFrom: LessThan(time) }, order: { intervalFrom: 'DESC' }, take: 1 } as const
  const [run] = await manager.find(runs, latest)
  return run && time <= Date.parse(run.slot) ? run : undefined
}
