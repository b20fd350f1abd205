/** Runs as operators see them. */
import { type EntityManager, type FindManyOptions, type FindOptionsWhere, IsNull, MoreThan, Not } from 'typeorm'
import { isReading } from '../../runs/holder.js'
import { type RunState, readingStates } from '../../runs/run-states.js'
import { endingAfter, slotOrder } from '../../sqlite/criteria.js'
import { batches, deadTasks, type RunRow, runs } from '../../sqlite/entities.js'
import { columnsOf } from '../../sqlite/since.js'
import { withoutBytes } from '../../sqlite/trouble.js'
import { positionIn } from '../../state.js'
import { iso, type View } from '../view.js'

export interface RunReport {
  runId: string
  slot: string
  state: RunState
  read: number
  rejected: number
  duplicates: number
  persisted: number
  /** With a cadence: locations that were not due. */
  notDue: number
  /** With a cadence: windows that came too late for this run, and that no run has served. */
  skipped: number
  delivered: number
  dead: number
  /** Tasks that an operator discarded. */
  discarded: number
  /** Tasks that the sink lost, and that can't be delivered again. */
  lost: number
  /** Why its source last failed, or else why its tasks aren't in the sink. */
  lastError: string | null
  /** Whether a process is reading it; null once it is read. */
  isBeingRead: boolean | null
  startedAt: string
  finishedAt: string | null
}

const reportedColumns = [
  ...(['id', 'runId', 'slot', 'state', 'read', 'rejected', 'duplicates', 'persisted', 'notDue', 'skipped'] as const),
  ...(['discarded', 'lost', 'lastError', 'startedAt', 'finishedAt'] as const),
]

/** By slot rather than by start: a backfill begins late and serves old slots. */
export const ofNewestSlots = (
  manager: EntityManager,
  which: FindManyOptions<RunRow>,
  limit: number,
): Promise<RunRow[]> =>
  manager
    .createQueryBuilder(runs, 'run')
    .setFindOptions(which)
    .orderBy(slotOrder('run.slot'), 'DESC')
    .addOrderBy('run.id', 'DESC')
    .limit(limit)
    .getMany()

/** The newest slot first. */
export async function runsIn(view: View, where: FindOptionsWhere<RunRow>, limit: number): Promise<RunReport[]> {
  const { manager } = view
  const select = columnsOf(view.version, reportedColumns)
  const rows = await ofNewestSlots(manager, { select, where }, limit)
  const [pending, dead, undelivered] = [
    await pendingByRun(manager),
    await deadByRun(manager),
    await failuresByRun(manager),
  ]
  const isBeingRead = await isReading(manager, view.path)
  return withoutBytes(rows, view).map(({ id, discarded, lost = 0, lastError, startedAt, finishedAt, ...row }) => {
    const died = dead.get(id) ?? 0
    const { notDue = 0, skipped = 0 } = row
    return {
      ...row,
      notDue,
      skipped: Math.max(0, skipped),
      lastError: lastError ?? undelivered.get(id) ?? null,
      isBeingRead: readingStates.includes(row.state) ? isBeingRead : null,
      delivered: row.persisted - discarded - died - lost - (pending.get(id) ?? 0),
      dead: died,
      discarded,
      lost,
      startedAt: iso(startedAt, view),
      finishedAt: finishedAt === null ? null : iso(finishedAt, view),
    }
  })
}

type CountsByRun = Map<number, number>

const byRun = (rows: { run: number; n: number }[]): CountsByRun => new Map(rows.map(({ run, n }) => [run, n]))

async function deadByRun(manager: EntityManager): Promise<CountsByRun> {
  const dead = manager.createQueryBuilder(deadTasks, 'dead').select('dead.run', 'run').addSelect('count(*)', 'n')
  return byRun(await dead.where({ fate: 'dead' }).groupBy('dead.run').getRawMany())
}

/** Tasks after the acknowledged ones, except those that died before the acknowledgement was set back. */
async function pendingByRun(manager: EntityManager): Promise<CountsByRun> {
  const { ackedSeq } = await positionIn(manager)
  const stored = await manager
    .createQueryBuilder(batches, 'batch')
    .select('batch.run', 'run')
    .addSelect('sum(min(batch.count, batch.firstSeq + batch.count - 1 - :ackedSeq))', 'n')
    .where('batch.firstSeq + batch.count - 1 > :ackedSeq', { ackedSeq })
    .groupBy('batch.run')
    .getRawMany()
  const pending = byRun(stored)
  for (const { run } of await manager.find(deadTasks, {
    select: { seq: true, run: true },
    where: { seq: MoreThan(ackedSeq) },
  }))
    pending.set(run, (pending.get(run) ?? 0) - 1)
  return pending
}

/** Why each run's oldest batch with a failed delivery isn't in the sink yet. */
async function failuresByRun(manager: EntityManager): Promise<Map<number, string>> {
  const { ackedSeq } = await positionIn(manager)
  const failed = await manager.find(batches, {
    select: { firstSeq: true, run: true, lastError: true },
    where: { firstSeq: endingAfter(ackedSeq), lastError: Not(IsNull()) },
    order: { firstSeq: 'DESC' },
  })
  return new Map(failed.map(({ run, lastError }) => [run, lastError ?? '']))
}
