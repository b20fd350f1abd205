/** Streams all that an outbox holds, in little memory. */
import { Between, LessThanOrEqual, MoreThan } from 'typeorm'
import { among } from '../../sqlite/criteria.js'
import { batches, deadTasks, rejectedRecords, runs } from '../../sqlite/entities.js'
import { withoutBytes } from '../../sqlite/trouble.js'
import { positionIn } from '../../state.js'
import { type RunsFilter, whereOf } from '../ledger/facts.js'
import { batchesIn, iso, type View } from '../view.js'
import type { TaskState } from './listed.js'

export interface Stored {
  /** Null for records that never became a task. */
  seq: number | null
  runId: string
  slot: string
  /** Duplicates are stored among the rejected records. */
  state: TaskState | 'duplicate'
  attempts: number
  /** Why it was rejected or refused, or its delivery last failed. */
  reason: string | null
  storedAt: string
  /** JSON of the task, as stored; null for records that never became one. */
  task: string | null
  /** Of such a record: its position in the source, and its text. */
  position: string | null
  record: string | null
}

type Owners = ReadonlyMap<number, { readonly runId: string; readonly slot: string }>

interface Choice {
  /** Row ids; undefined for all runs. */
  readonly ids: number[] | undefined
  readonly owners: Owners
}

/** Rows per query. */
const rowsAtOnce = 1_000

/** State by state, oldest first within each. Undefined if a filter matches no run. */
export async function storedIn(
  view: View,
  states: readonly TaskState[],
  filter: RunsFilter,
): Promise<AsyncGenerator<Stored> | undefined> {
  const isAll = Object.values(filter).every((value) => value === undefined)
  const rows = await view.manager.find(runs, { select: { id: true, runId: true, slot: true }, where: whereOf(filter) })
  if (!isAll && rows.length === 0) return undefined
  const ids = isAll ? undefined : rows.map(({ id }) => id)
  return inStates(view, states, { ids, owners: new Map(rows.map(({ id, runId, slot }) => [id, { runId, slot }])) })
}

async function* inStates(view: View, states: readonly TaskState[], choice: Choice): AsyncGenerator<Stored> {
  for (const state of states) {
    if (state === 'pending' || state === 'delivered') yield* ofBatches(view, state, choice)
    else yield* state === 'dead' ? ofDead(view, choice) : ofRejected(view, choice)
  }
}

const ownerOf = (owners: Owners, run: number): { runId: string; slot: string } =>
  owners.get(run) ?? { runId: '', slot: '' }

async function* ofBatches(view: View, state: 'pending' | 'delivered', { ids }: Choice): AsyncGenerator<Stored> {
  const { manager } = view
  const { ackedSeq } = await positionIn(manager)
  const isPending = state === 'pending'
  const last = await manager.maximum(batches, 'firstSeq', { firstSeq: LessThanOrEqual(ackedSeq) })
  const which = { runs: ids, after: isPending ? (last ?? 1) - 1 : 0 }
  for await (const { batch, failures, lastError: reason, createdAt } of batchesIn(view, which)) {
    const { firstSeq, lastSeq, runId, slot } = batch
    if (!isPending && firstSeq > ackedSeq) return
    const passed = await manager.find(deadTasks, { select: { seq: true }, where: { seq: Between(firstSeq, lastSeq) } })
    const isPassed = new Set(passed.map(({ seq }) => seq))
    const attempts = isPending ? failures : failures + 1
    const common = {
      runId,
      slot,
      state,
      attempts,
      reason,
      storedAt: iso(createdAt, view),
      position: null,
      record: null,
    }
    for (let seq = firstSeq; seq <= lastSeq; seq++)
      if (!isPassed.has(seq) && seq > ackedSeq === isPending) yield { seq, ...common, task: batch.task(seq - firstSeq) }
  }
}

async function* ofDead(view: View, { ids, owners }: Choice): AsyncGenerator<Stored> {
  for (let after = 0; ; ) {
    const where = { fate: 'dead', seq: MoreThan(after), ...(ids && { run: among(ids) }) } as const
    const rows = await view.manager.find(deadTasks, { where, order: { seq: 'ASC' }, take: rowsAtOnce })
    for (const { seq, run, attempts, reason, createdAt, task } of withoutBytes(rows, view)) {
      const common = { seq, ...ownerOf(owners, run), state: 'dead', attempts, reason } as const
      yield { ...common, storedAt: iso(createdAt, view), task, position: null, record: null }
      after = seq
    }
    if (rows.length < rowsAtOnce) return
  }
}

async function* ofRejected(view: View, { ids, owners }: Choice): AsyncGenerator<Stored> {
  for (let after = 0; ; ) {
    const where = { id: MoreThan(after), ...(ids && { run: among(ids) }) }
    const rows = await view.manager.find(rejectedRecords, { where, order: { id: 'ASC' }, take: rowsAtOnce })
    for (const { id, run, kind, position, value, reason, createdAt } of withoutBytes(rows, view)) {
      const common = { seq: null, ...ownerOf(owners, run), state: kind, attempts: 0, reason }
      yield { ...common, storedAt: iso(createdAt, view), task: null, position, record: value }
      after = id
    }
    if (rows.length < rowsAtOnce) return
  }
}
