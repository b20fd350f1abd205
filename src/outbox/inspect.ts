/**
 * What an operator may ask of an outbox: reads only, next to a running producer, and all of it as it was at one moment.
 * What is only looked at isn't brought up to date, so nothing here reads a column that an older schema lacks.
 */

import { type EntityManager, IsNull, MoreThan, Not } from 'typeorm'
import { parseJson } from '../tasks/json/parse.js'
import { type BreakerRecord, breakersOf } from './breakers.js'
import { type DiscardFilter, type Doomed, doomed } from './runs/discard.js'
import { holderIn } from './runs/holder.js'
import { among, beginningWith, containing, endingAfter, lowerAscii, ofRun } from './sqlite/criteria.js'
import { Database } from './sqlite/database.js'
import { batches, deadTasks, type RunState, rejectedRecords, runs, states } from './sqlite/entities.js'
import { breakersOfVersion1 } from './sqlite/migrations.js'
import { tasksOfBatches } from './sqlite/statements.js'
import { damaged, missingOutbox } from './sqlite/trouble.js'

export type TaskState = 'pending' | 'dead' | 'rejected' | 'delivered'

export interface Totals {
  pending: number
  dead: number
  rejected: number
  duplicates: number
}

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
  /** Tasks that an operator gave up. */
  discarded: number
  /** Tasks that the sink had and lost, and that can't be delivered again. */
  lost: number
  /** Why its source failed last, or else why its tasks aren't in the sink. */
  lastError: string | null
  /** Whether a process is at work that reads it; null where it's read. */
  isBeingRead: boolean | null
  startedAt: string
  finishedAt: string | null
}

export interface BreakerReport {
  name: string
  state: BreakerRecord['state']
  failures: number
  /** ISO 8601; null while it's closed. */
  since: string | null
}

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

export interface Filter {
  state: TaskState | undefined
  /** A run's id, or its beginning. */
  run: string | undefined
  /** Text that the task or record must contain, in any case of ASCII letters. */
  location: string | undefined
  limit: number
}

/** An outbox at one moment. */
export interface Picture {
  totals: Totals
  /** Whose it is: see owner.ts; null where nobody has claimed it yet. */
  owner: string | null
  /** When the oldest pending task was stored, ISO 8601. */
  oldestPendingAt: string | null
  /** Those that are open or have failures to remember. */
  breakers: BreakerReport[]
  /** Newest first. */
  runs: RunReport[]
  /** The dead and the pending ones, or those of one state. */
  tasks: TaskReport[]
  /** How many match, whatever the limit. */
  matching: { runs: number; dead: number; rejected: number }
  /** The ten most frequent reasons of what is dead, or rejected where those are asked for. */
  reasons: ReasonReport[]
}

export interface ReasonReport {
  state: 'dead' | 'rejected'
  reason: string
  count: number
}

/** Undefined where there is no outbox, or nothing in it yet. Throws OutboxError. */
export async function inspect(path: string, filter: Filter): Promise<Picture | undefined> {
  return read(path, async (view) => ({
    totals: await totalsIn(view),
    owner: await ownerIn(view),
    oldestPendingAt: await oldestPendingIn(view),
    breakers: await breakersIn(view),
    runs: await runsIn(view, filter),
    tasks: await tasksIn(view, filter),
    matching: await matchingIn(view, filter),
    reasons: await reasonsIn(view, filter),
  }))
}

export interface Looked extends Totals, Pick<Picture, 'owner'> {}

/** Undefined where there is no outbox, or nothing in it yet. Throws OutboxError. */
export async function totalsOf(path: string): Promise<Looked | undefined> {
  return read(path, async (view) => ({ ...(await totalsIn(view)), owner: await ownerIn(view) }))
}

/** What `discard` would give up, and the totals before it. Throws OutboxError, also where there is no outbox. */
export async function doomedIn(path: string, filter: DiscardFilter): Promise<{ runs: Doomed[]; totals: Totals }> {
  const found = await read(path, async (view) => {
    const runs = await doomed(view.manager, filter)
    return { runs: runs.map(({ id: _, ...run }) => run), totals: await totalsIn(view) }
  })
  if (!found) throw missingOutbox(path)
  return found
}

export interface View {
  path: string
  /** Of the schema. */
  version: number
  manager: EntityManager
}

/** Reads from the file as it is at one moment; undefined where there is none. */
export async function read<T>(path: string, work: (view: View) => Promise<T>): Promise<T | undefined> {
  for (;;) {
    const database = await Database.openForReading(path)
    if (!database) return undefined
    const { version } = database
    try {
      const picture = await database.snapshot((manager) => work({ path, version, manager }))
      if (!(await database.isStale())) return picture
    } catch (error) {
      if (!(await database.isStale())) throw error
    } finally {
      await database.close()
    }
  }
}

async function totalsIn({ manager, version }: View): Promise<Totals> {
  const { ackedSeq, lastSeq } = await positionIn(manager)
  const repeated = version < 4 ? 0 : ((await manager.sum(runs, 'repeated')) ?? 0)
  return {
    pending: lastSeq - ackedSeq - (await manager.countBy(deadTasks, { seq: MoreThan(ackedSeq) })),
    dead: await manager.countBy(deadTasks, { fate: 'dead' }),
    // Of those only the newest are kept.
    rejected: (await manager.sum(runs, 'rejected')) ?? 0,
    duplicates: ((await manager.sum(runs, 'duplicates')) ?? 0) - repeated,
  }
}

async function ownerIn({ manager, version }: View): Promise<string | null> {
  if (version < 4) return null
  const [state] = await manager.find(states, { select: { id: true, owner: true } })
  return state?.owner ?? null
}

async function oldestPendingIn(view: View): Promise<string | null> {
  const { manager } = view
  if ((await totalsIn(view)).pending === 0) return null
  const { ackedSeq } = await positionIn(manager)
  const firstSeq = await manager.minimum(batches, 'firstSeq', { firstSeq: endingAfter(ackedSeq) })
  const createdAt = { select: { firstSeq: true, createdAt: true }, where: { firstSeq: firstSeq ?? 0 } } as const
  const oldest = firstSeq === null ? null : await manager.findOne(batches, createdAt)
  return oldest && iso(oldest.createdAt, view)
}

async function breakersIn(view: View): Promise<BreakerReport[]> {
  const [state] = await view.manager.find(states, { select: { id: true, breaker: true } })
  const records = (view.version < 2 ? breakersOfVersion1 : breakersOf)(state?.breaker ?? null)
  return Object.entries(records).map(([name, { state, failures, openedAt }]) => ({
    name,
    state,
    failures,
    since: openedAt ? iso(openedAt, view) : null,
  }))
}

const runColumns = {
  id: true,
  runId: true,
  slot: true,
  state: true,
  read: true,
  rejected: true,
  duplicates: true,
  persisted: true,
  discarded: true,
  startedAt: true,
  finishedAt: true,
} as const

async function runsIn(view: View, filter: Filter): Promise<RunReport[]> {
  const { manager } = view
  const where = { runId: beginningWith(filter.run ?? '') }
  const ofVersion6 = view.version < 6 ? {} : { lastError: true }
  const ofVersion9 = view.version < 9 ? {} : { notDue: true, skipped: true }
  const select = { ...runColumns, ...(view.version < 3 ? {} : { lost: true }), ...ofVersion6, ...ofVersion9 }
  const rows = await manager.find(runs, { select, where, order: { id: 'DESC' }, take: filter.limit })
  const [pending, dead, undelivered] = [
    await pendingByRun(manager),
    await deadByRun(manager),
    await failuresByRun(manager),
  ]
  const isRead = await isProducing(manager)
  return withoutBytes(rows, view).map(({ id, discarded, lost = 0, lastError, startedAt, finishedAt, ...row }) => {
    const died = dead.get(id) ?? 0
    const { notDue = 0, skipped = 0 } = row
    return {
      ...row,
      notDue,
      skipped: Math.max(0, skipped),
      lastError: lastError ?? undelivered.get(id) ?? null,
      isBeingRead: row.state === 'reading' || row.state === 'checking' ? isRead : null,
      delivered: row.persisted - discarded - died - lost - (pending.get(id) ?? 0),
      dead: died,
      discarded,
      lost,
      startedAt: iso(startedAt, view),
      finishedAt: finishedAt === null ? null : iso(finishedAt, view),
    }
  })
}

async function tasksIn(view: View, filter: Filter): Promise<TaskReport[]> {
  const wanted: readonly TaskState[] = filter.state ? [filter.state] : ['dead', 'pending']
  const found: TaskReport[] = []
  for (const state of wanted) {
    const limit = filter.limit - found.length
    if (limit <= 0) break
    const rows = withoutBytes(await rowsIn(view.manager, state, { ...filter, limit }), view)
    for (const { task, createdAt, ...row } of rows)
      found.push({ ...row, state, createdAt: iso(createdAt, view), task: task === null ? null : parsed(task, view) })
  }
  return found
}

async function matchingIn({ manager }: View, { run = '', location = '' }: Filter): Promise<Picture['matching']> {
  return {
    runs: await manager.countBy(runs, { runId: beginningWith(run) }),
    dead: await manager.countBy(deadTasks, { fate: 'dead', run: ofRun(run), task: containing(location) }),
    rejected: await manager.countBy(rejectedRecords, { run: ofRun(run), value: containing(location) }),
  }
}

async function reasonsIn(view: View, { state = 'dead', run = '', location = '' }: Filter): Promise<ReasonReport[]> {
  if (state !== 'dead' && state !== 'rejected') return []
  const text = containing(location)
  const found = view.manager
    .createQueryBuilder<{ reason: string }>(state === 'dead' ? deadTasks : rejectedRecords, 'one')
    .select('one.reason', 'reason')
    .addSelect('count(*)', 'count')
    .where({ run: ofRun(run), ...(state === 'dead' ? { fate: 'dead', task: text } : { value: text }) })
    .groupBy('one.reason')
    .orderBy('count(*)', 'DESC')
  const rows = await found.limit(10).getRawMany<{ reason: string; count: number }>()
  return withoutBytes(rows, view).map(({ reason, count }) => ({ state, reason, count }))
}

/** SQLite keeps bytes in any column. */
function withoutBytes<Row extends object>(rows: Row[], { path }: View): Row[] {
  if (rows.some((row) => Object.values(row).some((value) => value instanceof Uint8Array)))
    throw damaged(path, 'it holds bytes in place of a text')
  return rows
}

function iso(time: number, { path }: View): string {
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) throw damaged(path, `${time} in it is no time`)
  return date.toISOString()
}

function parsed(task: string, { path }: View): unknown {
  try {
    return parseJson(task)
  } catch (cause) {
    throw damaged(path, 'a task in it is no JSON', cause)
  }
}

async function positionIn(manager: EntityManager): Promise<{ ackedSeq: number; lastSeq: number }> {
  const [state] = await manager.find(states, { select: { id: true, ackedSeq: true, lastSeq: true } })
  return state ?? { ackedSeq: 0, lastSeq: 0 }
}

type CountsByRun = Map<number, number>

const byRun = (rows: { run: number; n: number }[]): CountsByRun => new Map(rows.map(({ run, n }) => [run, n]))

async function deadByRun(manager: EntityManager): Promise<CountsByRun> {
  const dead = manager.createQueryBuilder(deadTasks, 'dead').select('dead.run', 'run').addSelect('count(*)', 'n')
  return byRun(await dead.where({ fate: 'dead' }).groupBy('dead.run').getRawMany())
}

/** Tasks behind the acknowledged ones, but for those that died before the acknowledgement went back. */
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

/** Why the oldest batch of each run that isn't in the sink isn't there. */
async function failuresByRun(manager: EntityManager): Promise<Map<number, string>> {
  const { ackedSeq } = await positionIn(manager)
  const failed = await manager.find(batches, {
    select: { firstSeq: true, run: true, lastError: true },
    where: { firstSeq: endingAfter(ackedSeq), lastError: Not(IsNull()) },
    order: { firstSeq: 'DESC' },
  })
  return new Map(failed.map(({ run, lastError }) => [run, lastError ?? '']))
}

/** Whether an `owm produce` is at work. */
async function isProducing(manager: EntityManager): Promise<boolean> {
  const [state] = await manager.find(states, { select: { id: true, holder: true } })
  return holderIn(state?.holder ?? null)?.command.startsWith('owm produce') === true
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

/** From a run's row id to its UUID. */
async function runIdsOf(manager: EntityManager, rows: { run: number }[]): Promise<(run: number) => string> {
  const where = { id: among(rows.map(({ run }) => run)) }
  const found = await manager.find(runs, { select: { id: true, runId: true }, where })
  const runIds = new Map(found.map(({ id, runId }) => [id, runId]))
  return (run) => runIds.get(run) ?? ''
}
