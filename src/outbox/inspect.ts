/** What an operator may ask of an outbox: reads only, next to a running producer. */
import { type EntityManager, MoreThan } from 'typeorm'
import type { OutboxError } from '../errors/index.js'
import { type BreakerRecord, breakersOf } from './breakers.js'
import { among, beginningWith, containing, endingAfter, lowerAscii, ofRun } from './sqlite/criteria.js'
import { Database } from './sqlite/database.js'
import { batches, deadTasks, type RunState, rejectedRecords, runs, states } from './sqlite/entities.js'
import { breakersOfVersion1 } from './sqlite/migrations.js'
import { tasksIn } from './sqlite/statements.js'
import { damaged } from './sqlite/trouble.js'

/** What an operator may ask of an outbox: reads only, next to a running producer. */

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
  delivered: number
  dead: number
  /** Tasks that the sink had and lost, and that can't be delivered again. */
  lost: number
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

/** Columns that every version of the schema has: what is only looked at isn't brought up to date. */
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

export class Inspection {
  #database: Database | undefined

  private constructor(database: Database | undefined) {
    this.#database = database
  }

  /** Opens an outbox to look at it; a missing or empty one is no error. Throws OutboxError. */
  static async open(path: string): Promise<Inspection> {
    return new Inspection(await Database.openForReading(path))
  }

  /** False where there is no outbox yet. */
  get exists(): boolean {
    return this.#database !== undefined
  }

  async totals(): Promise<Totals> {
    const totals = await this.#read(async (manager) => {
      const { ackedSeq, lastSeq } = await positionOf(manager)
      return {
        pending: lastSeq - ackedSeq - (await manager.countBy(deadTasks, { seq: MoreThan(ackedSeq) })),
        dead: await manager.countBy(deadTasks, { fate: 'dead' }),
        rejected: await manager.countBy(rejectedRecords, { kind: 'rejected' }),
        duplicates: await manager.countBy(rejectedRecords, { kind: 'duplicate' }),
      }
    })
    return totals ?? { pending: 0, dead: 0, rejected: 0, duplicates: 0 }
  }

  /** When the oldest pending task was stored, ISO 8601. */
  async oldestPendingAt(): Promise<string | null> {
    const oldest = await this.#read(async (manager) => {
      const { ackedSeq } = await positionOf(manager)
      const firstSeq = await manager.minimum(batches, 'firstSeq', { firstSeq: endingAfter(ackedSeq) })
      return firstSeq === null ? null : manager.findOneBy(batches, { firstSeq })
    })
    return oldest ? this.#iso(oldest.createdAt) : null
  }

  /** Circuit breakers that are open or have failures to remember. */
  async breakers(): Promise<BreakerReport[]> {
    const saved = await this.#read(async (manager, version) => {
      const [state] = await manager.find(states, { select: { id: true, breaker: true } })
      return (version < 2 ? breakersOfVersion1 : breakersOf)(state?.breaker ?? null)
    })
    return Object.entries(saved ?? {}).map(([name, { state, failures, openedAt }]) => ({
      name,
      state,
      failures,
      since: openedAt ? this.#iso(openedAt) : null,
    }))
  }

  /** Runs, newest first. */
  async runs(filter: Filter): Promise<RunReport[]> {
    const found = await this.#read(async (manager, version) => {
      const where = { runId: beginningWith(filter.run ?? '') }
      const select = version < 3 ? runColumns : { ...runColumns, lost: true }
      const rows = await manager.find(runs, { select, where, order: { id: 'DESC' }, take: filter.limit })
      return { rows: this.#texts(rows), pending: await pendingByRun(manager), dead: await deadByRun(manager) }
    })
    if (!found) return []
    return found.rows.map(({ id, discarded, lost = 0, startedAt, finishedAt, ...row }) => {
      const dead = found.dead.get(id) ?? 0
      return {
        ...row,
        delivered: row.persisted - discarded - dead - lost - (found.pending.get(id) ?? 0),
        dead,
        lost,
        startedAt: this.#iso(startedAt),
        finishedAt: finishedAt === null ? null : this.#iso(finishedAt),
      }
    })
  }

  /** Single tasks: the dead and the pending ones, or those of one state. */
  async tasks(filter: Filter): Promise<TaskReport[]> {
    const wanted: readonly TaskState[] = filter.state ? [filter.state] : ['dead', 'pending']
    const found: TaskReport[] = []
    for (const state of wanted) {
      const left = filter.limit - found.length
      if (left > 0) found.push(...(await this.#tasksIn(state, { ...filter, limit: left })))
    }
    return found
  }

  async #tasksIn(state: TaskState, filter: Filter): Promise<TaskReport[]> {
    const rows = await this.#read(async (manager) => this.#texts(await rowsIn(manager, state, filter)))
    return (rows ?? []).map(({ task, createdAt, ...row }) => ({
      ...row,
      state,
      createdAt: this.#iso(createdAt),
      task: task === null ? null : this.#parsed(task),
    }))
  }

  async close(): Promise<void> {
    await this.#database?.close()
  }

  /** Reads in one snapshot; undefined where there is no outbox. */
  async #read<T>(work: (manager: EntityManager, version: number) => Promise<T>): Promise<T | undefined> {
    for (;;) {
      const database = this.#database
      if (!database) return undefined
      const read = await database
        .snapshot((manager) => work(manager, database.version))
        .then(
          (value) => ({ value }),
          (error: unknown) => ({ error }),
        )
      if (!(await database.isStale())) {
        if ('error' in read) throw read.error
        return read.value
      }
      await database.close()
      this.#database = await Database.openForReading(database.path)
    }
  }

  /** SQLite keeps bytes in any column. */
  #texts<Row extends object>(rows: Row[]): Row[] {
    if (rows.some((row) => Object.values(row).some((value) => value instanceof Uint8Array)))
      throw this.#damaged('it holds bytes in place of a text')
    return rows
  }

  #iso(time: number): string {
    const date = new Date(time)
    if (Number.isNaN(date.getTime())) throw this.#damaged(`${time} in it is no time`)
    return date.toISOString()
  }

  #parsed(task: string): unknown {
    try {
      return JSON.parse(task)
    } catch (cause) {
      throw this.#damaged('a task in it is no JSON', cause)
    }
  }

  #damaged(what: string, cause?: unknown): OutboxError {
    return damaged(this.#database?.path ?? '', what, cause)
  }
}

async function positionOf(manager: EntityManager): Promise<{ ackedSeq: number; lastSeq: number }> {
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
  const { ackedSeq } = await positionOf(manager)
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

type Row = Omit<TaskReport, 'createdAt' | 'state' | 'task'> & { createdAt: number; task: string | null }

async function rowsIn(
  manager: EntityManager,
  state: TaskState,
  { run = '', location = '', limit }: Filter,
): Promise<Row[]> {
  if (state === 'pending' || state === 'delivered')
    return tasksIn(manager, state, { run, text: lowerAscii(location), limit })
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
