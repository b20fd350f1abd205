/** Lists tasks and rejected records, and why they are dead or rejected. */
import type { EntityManager } from 'typeorm'
import { among, containing, lowerAscii, ofRun } from '../../sqlite/criteria.js'
import { deadTasks, rejectedRecords, runs } from '../../sqlite/entities.js'
import { tasksOfBatches } from '../../sqlite/statements.js'
import { withoutBytes } from '../../sqlite/trouble.js'
import { iso, parsed, type View } from '../view.js'

export type TaskState = 'pending' | 'dead' | 'rejected' | 'delivered'

export interface TaskReport {
  /** Null for records that never became a task. */
  seq: number | null
  runId: string
  state: TaskState
  attempts: number
  lastError: string | null
  createdAt: string
  /** The task; null for records that never became one. */
  task: unknown
  /** Rejected records only: where the record stood, and what it was. */
  position?: string
  value?: string
}

export interface ReasonReport {
  state: 'dead' | 'rejected'
  reason: string
  count: number
}

export interface Filter {
  state: TaskState | undefined
  /** A run's id, or the beginning of one. */
  run: string | undefined
  /** Text that the task or record must contain; the case of ASCII letters doesn't matter. */
  location: string | undefined
  limit: number
}

export async function tasksIn(view: View, filter: Filter): Promise<TaskReport[]> {
  const states: readonly TaskState[] = filter.state ? [filter.state] : ['dead', 'pending']
  const reports: TaskReport[] = []
  for (const state of states) {
    const limit = filter.limit - reports.length
    if (limit <= 0) break
    const rows = withoutBytes(await rowsIn(view.manager, state, { ...filter, limit }), view)
    for (const { task, createdAt, ...row } of rows)
      reports.push({ ...row, state, createdAt: iso(createdAt, view), task: task === null ? null : parsed(task, view) })
  }
  return reports
}

export async function reasonsIn(
  view: View,
  { state = 'dead', run = '', location = '' }: Filter,
): Promise<ReasonReport[]> {
  if (state !== 'dead' && state !== 'rejected') return []
  const text = containing(location)
  const query = view.manager
    .createQueryBuilder<{ reason: string }>(state === 'dead' ? deadTasks : rejectedRecords, 'one')
    .select('one.reason', 'reason')
    .addSelect('count(*)', 'count')
    .where({ run: ofRun(run), ...(state === 'dead' ? { fate: 'dead', task: text } : { value: text }) })
    .groupBy('one.reason')
    .orderBy('count(*)', 'DESC')
  const rows = await query.limit(10).getRawMany<{ reason: string; count: number }>()
  return withoutBytes(rows, view).map(({ reason, count }) => ({ state, reason, count }))
}

type Row = Omit<TaskReport, 'createdAt' | 'state' | 'task'> & { createdAt: number; task: string | null }

async function rowsIn(
  manager: EntityManager,
  state: TaskState,
  { run = '', location = '', limit }: Filter,
): Promise<Row[]> {
  if (state === 'pending' || state === 'delivered')
    return tasksOfBatches(manager, state, { run, text: lowerAscii(location), limit })
  if (state === 'dead') {
    const where = { fate: 'dead', run: ofRun(run), task: containing(location) } as const
    const rows = await manager.find(deadTasks, { where, order: { seq: 'ASC' }, take: limit })
    const runId = await runIdsOf(manager, rows)
    return rows.map(({ seq, run, attempts, reason, createdAt, task }) => {
      return { seq, runId: runId(run), attempts, lastError: reason, createdAt, task }
    })
  }
  const where = { run: ofRun(run), value: containing(location) }
  const rows = await manager.find(rejectedRecords, { where, order: { id: 'DESC' }, take: limit })
  const runId = await runIdsOf(manager, rows)
  return rows.map(({ run, reason, createdAt, position, value }) => {
    return { seq: null, runId: runId(run), attempts: 0, lastError: reason, createdAt, task: null, position, value }
  })
}

/** Maps a run's row id to its UUID. */
async function runIdsOf(manager: EntityManager, rows: { run: number }[]): Promise<(run: number) => string> {
  const where = { id: among(rows.map(({ run }) => run)) }
  const owners = await manager.find(runs, { select: { id: true, runId: true }, where })
  const runIds = new Map(owners.map(({ id, runId }) => [id, runId]))
  return (run) => runIds.get(run) ?? ''
}
