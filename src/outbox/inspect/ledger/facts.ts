/** All that the ledger says of runs, and of the times between them that no run serves. */
import { type FindOptionsWhere, In, MoreThanOrEqual } from 'typeorm'
import { shardNameIn, slotOf } from '../../../tasks/slot.js'
import { shownAddress } from '../../chain/sinks.js'
import { isNoted } from '../../runs/whole-slots.js'
import { beginningWith } from '../../sqlite/criteria.js'
import { batches, deadTasks, gaps, type RunRow, runs, sinkRows, suspects } from '../../sqlite/entities.js'
import { columnsOf, has } from '../../sqlite/since.js'
import { withoutBytes } from '../../sqlite/trouble.js'
import { iso, type View } from '../view.js'
import { type RunReport, runsIn } from './runs.js'

export interface RunFacts extends RunReport {
  pending: number
  /** Locations that may be duplicates, and that are compared yet. */
  undecided: number
  /** Locations of a run that was closed without them: it was missed or discarded, or another outbox served them. */
  notStored: number
  /** Whether `read` is the sum of what became of the locations, each of which is 0 or more. */
  isAccounted: boolean
  /** Those of the duplicates that an earlier run of the slot stored. */
  repeated: number
  source: string
  /** `0/3`; null for all locations. */
  shard: string | null
  /** The time that it covers; null where another run covers its slot, or that isn't known. */
  interval: { from: string; to: string } | null
  /** Whether it reads its slot again: then earlier runs of the slot don't count. */
  again: boolean
  /** JSON of the cadence that it was begun with; null without one. */
  cadence: string | null
  /** Addresses of the sinks that have all of it, without scheme and credentials. */
  sinks: string[]
  /** Deliveries of its batches that failed, of those that the history still has. */
  failures: number
  /** Why the newest of them did; null where none has failed. It stays when the run is done. */
  lastFailure: string | null
  /**
   * Tasks that were put back: after a loss in the sink or for another one (`lost`), by `outbox replay`, and dead ones
   * by `outbox retry`.
   */
  sentAgain: { lost: number; replayed: number; retried: number }
  replayedAt: string | null
  /** When its source was read to its end, and when all of its tasks were stored; null where that isn't known. */
  readAt: string | null
  storedAt: string | null
}

/** Which runs: those whose id begins so, those of a slot, those that began at a time (in milliseconds) or later. */
export interface RunsFilter {
  readonly run?: string | undefined
  readonly slot?: string | undefined
  readonly since?: number | undefined
}

export const whereOf = ({ run, slot, since }: RunsFilter): FindOptionsWhere<RunRow> => ({
  ...(run === undefined ? {} : { runId: beginningWith(run) }),
  ...(slot === undefined ? {} : { slot }),
  ...(since === undefined ? {} : { startedAt: MoreThanOrEqual(since) }),
})

export const countRuns = ({ manager }: View, filter: RunsFilter): Promise<number> =>
  manager.countBy(runs, whereOf(filter))

/** The newest slot first. */
export async function factsIn(view: View, filter: RunsFilter, limit: number): Promise<RunFacts[]> {
  const reports = await runsIn(view, whereOf(filter), limit)
  const rows = await moreOf(view, reports)
  const ids = [...rows.values()].map(({ id }) => id)
  const undecided = await perRun(view, suspects, 'count(*)', ids)
  const failures = await perRun(view, batches, 'sum(one.failures)', ids)
  const reasons = await failuresOf(view, ids)
  const retried = await perRun(view, deadTasks, 'count(*)', ids, 'retried')
  const sinks = await sinksIn(view)
  return reports.map((report): RunFacts => {
    const row = rows.get(report.runId)
    const id = row?.id ?? 0
    const from = row?.intervalFrom ?? null
    const counted = { ...report, ...sumOf(report, undecided.get(id) ?? 0) }
    return {
      ...counted,
      repeated: row?.repeated ?? 0,
      source: row?.source ?? '',
      shard: shardNameIn(row?.sourceDigest ?? '') || null,
      interval: from === null || from >= Date.parse(report.slot) ? null : { from: slotOf(from), to: report.slot },
      again: row?.again === 1,
      cadence: row?.cadence ?? null,
      sinks: (row?.sinks ?? []).flatMap((sink) => sinks.get(sink) ?? []),
      failures: failures.get(id) ?? 0,
      lastFailure: reasons.get(id) ?? null,
      sentAgain: { lost: row?.redelivered ?? 0, replayed: row?.replayed ?? 0, retried: retried.get(id) ?? 0 },
      replayedAt: timeOf(row?.replayedAt, view),
      readAt: timeOf(row?.readAt, view),
      storedAt: timeOf(row?.storedAt, view),
    }
  })
}

const timeOf = (time: number | null | undefined, view: View): string | null => (time == null ? null : iso(time, view))

/** What became of the locations that were read. */
function sumOf(
  run: RunReport,
  undecided: number,
): Pick<RunFacts, 'pending' | 'undecided' | 'notStored' | 'isAccounted'> {
  const { state, read, rejected, duplicates, notDue, persisted, delivered, dead, discarded, lost } = run
  const pending = persisted - delivered - dead - discarded - lost
  const left = read - rejected - duplicates - notDue - persisted - undecided
  const isClosed = state === 'missed' || state === 'discarded' || discarded > 0 || (state === 'done' && isNoted(run))
  const notStored = isClosed ? Math.max(0, left) : 0
  const parts = [rejected, duplicates, notDue, pending, delivered, dead, discarded, lost]
  return { pending, undecided, notStored, isAccounted: left === notStored && parts.every((part) => part >= 0) }
}

const more = [
  ...(['id', 'runId', 'source', 'sourceDigest', 'again', 'repeated', 'sinks', 'intervalFrom', 'cadence'] as const),
  ...(['redelivered', 'replayed', 'replayedAt', 'readAt', 'storedAt'] as const),
]

async function moreOf({ manager, version }: View, reports: readonly RunReport[]): Promise<Map<string, RunRow>> {
  const select = columnsOf(version, more)
  const found: RunRow[] = []
  for (let from = 0; from < reports.length; from += rowsAtOnce) {
    const runId = In(reports.slice(from, from + rowsAtOnce).map((report) => report.runId))
    found.push(...(await manager.find(runs, { select, where: { runId } })))
  }
  return new Map(found.map((row) => [row.runId, row]))
}

/** SQLite takes 32,766 parameters. */
const rowsAtOnce = 10_000

async function perRun(
  { manager }: View,
  table: typeof suspects | typeof batches | typeof deadTasks,
  value: string,
  ids: readonly number[],
  fate?: string,
): Promise<Map<number, number>> {
  const rows = await manager
    .createQueryBuilder<{ run: number }>(table, 'one')
    .select('one.run', 'run')
    .addSelect(value, 'n')
    .where('one.run IN (SELECT value FROM json_each(:ids))', { ids: JSON.stringify(ids) })
    .andWhere(fate === undefined ? '1 = 1' : 'one.fate = :fate', { fate })
    .groupBy('one.run')
    .getRawMany<{ run: number; n: number }>()
  return new Map(rows.map(({ run, n }) => [run, n]))
}

/** Why the delivery of each run's newest batch that has failed did so. */
async function failuresOf(view: View, ids: readonly number[]): Promise<Map<number, string>> {
  const rows = await view.manager
    .createQueryBuilder<{ run: number }>(batches, 'one')
    .select('one.run', 'run')
    // SQLite takes the other columns from the row of the maximum.
    .addSelect('max(one.firstSeq)', 'newest')
    .addSelect('one.lastError', 'reason')
    .where('one.run IN (SELECT value FROM json_each(:ids))', { ids: JSON.stringify(ids) })
    .andWhere('one.lastError IS NOT NULL')
    .groupBy('one.run')
    .getRawMany<{ run: number; reason: string }>()
  return new Map(withoutBytes(rows, view).map(({ run, reason }) => [run, reason]))
}

async function sinksIn({ manager, version }: View): Promise<Map<number, string>> {
  if (!has(version, 'sinks')) return new Map()
  const rows = await manager.find(sinkRows, { select: { id: true, addresses: true } })
  return new Map(rows.map(({ id, addresses }) => [id, shownAddress({ addresses })]))
}

/** Scheduled times in a row that no run serves. */
export interface Gap {
  from: string
  to: string
  count: number
  reason: string
  notedAt: string
}

/** The newest first. */
export async function gapsIn(view: View): Promise<Gap[]> {
  if (!has(view.version, 'gap')) return []
  const rows = await view.manager.find(gaps, { order: { id: 'DESC' } })
  return rows.map(({ firstSlot: from, lastSlot: to, count, reason, notedAt }) => {
    return { from, to, count, reason, notedAt: iso(notedAt, view) }
  })
}
