/** All that the ledger knows of runs, and of scheduled times that no run serves. */
import { type FindOptionsWhere, In, MoreThanOrEqual } from 'typeorm'
import { shardNameIn } from '../../../tasks/shard.js'
import { slotOf } from '../../../tasks/slot.js'
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
  /** Possible duplicates that are still to be compared. */
  undecided: number
  /** Locations that a closed run didn't store: it was missed or discarded, or another outbox served its slot. */
  notStored: number
  /** Whether the outcomes of its locations add up to `read`, and none is negative. */
  isAccounted: boolean
  /** Duplicates of what an earlier run of the slot stored. */
  repeated: number
  source: string
  /** `0/3`; null for all locations. */
  shard: string | null
  /** The time that it covers; null if another run covers its slot, or that isn't known. */
  interval: { from: string; to: string } | null
  /** The slot whose run stands in for it, which stored nothing; null if none does. */
  coveredBy: string | null
  /** Whether it read its slot again; earlier runs of the slot then don't count. */
  again: boolean
  /** JSON of the cadence when it began; null without one. */
  cadence: string | null
  /** Addresses of the sinks that have all of it, without scheme and credentials. */
  sinks: string[]
  /** Failed deliveries of those of its batches that the history still has. */
  failures: number
  /** Why the newest of them failed, also once the run is done; null without failures. */
  lastFailure: string | null
  /** Tasks put back after a loss in the sink or for another sink (`lost`), by `outbox replay`, or by `outbox retry`. */
  sentAgain: { lost: number; replayed: number; retried: number }
  replayedAt: string | null
  /** When its source was read to the end, and when all of its tasks were stored; null if unknown. */
  readAt: string | null
  storedAt: string | null
}

/** Selects runs by the beginning of their id, by slot, and by their earliest start in milliseconds since 1970. */
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
  const standIn = await standInsOf(view, [...rows.values()])
  return reports.map((report): RunFacts => {
    const row = rows.get(report.runId)
    const id = row?.id ?? 0
    const from = row?.intervalFrom ?? null
    const counted = { ...report, ...outcomeOf(report, undecided.get(id) ?? 0) }
    return {
      ...counted,
      repeated: row?.repeated ?? 0,
      source: row?.source ?? '',
      shard: shardNameIn(row?.sourceDigest ?? '') || null,
      interval: from === null || from >= Date.parse(report.slot) ? null : { from: slotOf(from), to: report.slot },
      coveredBy: standIn(row?.coveredBy),
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
function outcomeOf(
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

const moreColumns = [
  ...(['id', 'runId', 'source', 'sourceDigest', 'again', 'repeated', 'sinks', 'intervalFrom', 'cadence'] as const),
  ...(['redelivered', 'replayed', 'replayedAt', 'readAt', 'storedAt', 'coveredBy'] as const),
]

async function moreOf({ manager, version }: View, reports: readonly RunReport[]): Promise<Map<string, RunRow>> {
  const select = columnsOf(version, moreColumns)
  const rows: RunRow[] = []
  for (let from = 0; from < reports.length; from += rowsAtOnce) {
    const runId = In(reports.slice(from, from + rowsAtOnce).map((report) => report.runId))
    rows.push(...(await manager.find(runs, { select, where: { runId } })))
  }
  return new Map(rows.map((row) => [row.runId, row]))
}

/** Finds the slot of a run, by its `id`, or of the run that stands in for that one. */
async function standInsOf(
  { manager }: View,
  covered: readonly RunRow[],
): Promise<(id: number | null | undefined) => string | null> {
  if (covered.every(({ coveredBy }) => coveredBy == null)) return () => null
  const all = await manager.find(runs, { select: { id: true, slot: true, coveredBy: true } })
  const byId = new Map(all.map((run) => [run.id, run]))
  return (id) => {
    let standIn = byId.get(id ?? 0)
    for (let next = standIn; next; next = byId.get(next.coveredBy ?? 0)) standIn = next
    return standIn?.slot ?? null
  }
}

/** Parameters per query: SQLite takes at most 32,766. */
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

/** Why each run's newest batch with a failed delivery failed. */
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

/** Consecutive scheduled times that no run serves. */
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
