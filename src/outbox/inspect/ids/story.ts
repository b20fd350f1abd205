/** What the outbox knows of single places, run by run. Reads only. */
import { type EntityManager, In } from 'typeorm'
import { isReading } from '../../runs/holder.js'
import { isPutBack, tasksKept } from '../../runs/kept.js'
import { readingStates } from '../../runs/run-states.js'
import { currentOf } from '../../runs/whole-slots.js'
import { type Windows, windowsOf } from '../../runs/windows.js'
import { deadTasks, type RunRow, rejectedRecords, runs, suspects } from '../../sqlite/entities.js'
import { withoutBytes } from '../../sqlite/trouble.js'
import { positionIn } from '../../state.js'
import { ofNewestSlots } from '../ledger/runs.js'
import { batchesIn, iso, mustBeUpToDate, read, type View } from '../view.js'
import { type Elsewhere, elsewhereIn } from './elsewhere.js'

export interface RunTold {
  readonly run: RunRow
  readonly windows: Windows
  /** Whether a process is reading it; null once it is read to the end. */
  readonly isBeingRead: boolean | null
  /** Whether the history still has all tasks that it stored. */
  readonly isKept: boolean
  /** Whether a later run of its slot replaces it. */
  readonly isReplaced: boolean
}

/** A task, or a record that became none. */
export interface Trace {
  /** A run's `id`. */
  readonly run: number
  readonly kind: 'pending' | 'delivered' | 'dead' | 'discarded' | 'held' | 'rejected' | 'duplicate' | 'suspect'
  /** JSON of the task; or the record that became none. */
  readonly text: string
  /** The task's, and that of the first one in its batch; null for a record that became no task. */
  readonly seq: number | null
  readonly batch: number | null
  readonly attempts: number
  /** Why it was rejected, refused, or couldn't be delivered. */
  readonly reason: string | null
  /** Where a record stood in the source, such as `line 17`. */
  readonly position: string | null
  /** When it was stored, or died: ISO 8601. */
  readonly at: string
}

export interface Told {
  /** The newest first, as the traces are. */
  readonly runs: readonly RunTold[]
  readonly traces: readonly Trace[]
  /** Runs in the ledger. */
  readonly total: number
  readonly elsewhere: Elsewhere
}

/** Whether a text is wanted; `position`: in the source's list, if known. */
type Wanted = (text: string, position: string | null) => boolean

/**
 * The `limit` runs of the newest slots, and all tasks and records whose text is wanted. Undefined if there is no
 * outbox, or nothing in it yet. Throws OutboxError.
 */
export async function storyIn(
  path: string,
  limit: number,
  isWanted: (runs: readonly RunTold[]) => Wanted,
): Promise<Told | undefined> {
  return read(path, async (view) => {
    mustBeUpToDate(view)
    const { manager } = view
    const rows = await ofNewestSlots(manager, {}, limit)
    const told: RunTold[] = []
    const isAtWork = await isReading(manager, path)
    for (const run of rows) told.push(await toldOf(manager, run, isAtWork))
    const wanted = isWanted(told)
    const traces = [...(await tasksIn(view, wanted)), ...(await recordsIn(view, wanted))]
    return {
      runs: told,
      traces: traces.sort((a, b) => b.run - a.run || (b.seq ?? 0) - (a.seq ?? 0)),
      total: await manager.count(runs),
      elsewhere: await elsewhereIn(manager),
    }
  })
}

async function toldOf(manager: EntityManager, run: RunRow, isAtWork: boolean): Promise<RunTold> {
  const ofSlot = await manager.find(runs, {
    select: { id: true, again: true, state: true, sourceDigest: true },
    where: { slot: run.slot },
    order: { id: 'ASC' },
  })
  const isReplaced = !currentOf(ofSlot).some(({ id }) => id === run.id)
  const isBeingRead = readingStates.includes(run.state) ? isAtWork : null
  const windows = await windowsOf(manager, run)
  return { run, isBeingRead, windows, isKept: (await tasksKept(manager, run.id)) >= run.persisted, isReplaced }
}

async function tasksIn(view: View, wanted: Wanted): Promise<Trace[]> {
  const { ackedSeq } = await positionIn(view.manager)
  const traces: Trace[] = []
  for await (const { run, failures, lastError, createdAt, batch } of batchesIn(view))
    for (const [index, text] of batch.tasks.entries()) {
      if (!wanted(text, null)) continue
      const seq = batch.firstSeq + index
      const isThere = seq <= ackedSeq
      const [kind, attempts] = isThere ? (['delivered', failures + 1] as const) : (['pending', failures] as const)
      const base = { run, text, seq, batch: batch.firstSeq, position: null, at: iso(createdAt, view) }
      traces.push({ ...base, kind, attempts, reason: isThere ? null : lastError })
    }
  return withFates(view, traces, wanted)
}

/** With what became of each task. Dead letters outlive their batches. */
async function withFates(view: View, traces: readonly Trace[], wanted: Wanted): Promise<Trace[]> {
  const died = withoutBytes(await view.manager.find(deadTasks), view)
  const fates = new Map(died.map((row) => [row.seq, row]))
  const stored = traces.flatMap((trace): Trace[] => {
    const row = fates.get(trace.seq ?? 0)
    if (!row) return [trace]
    const { fate, reason, attempts, diedAt } = row
    // It has another trace, with its later seq.
    if (isPutBack(fate)) return []
    return [{ ...trace, kind: fate, reason, attempts, at: iso(diedAt, view) }]
  })
  const known = new Set(traces.map(({ seq }) => seq))
  const others = died.filter(({ seq, fate, task }) => !known.has(seq) && !isPutBack(fate) && wanted(task, null))
  return [
    ...stored,
    ...others.map(
      ({ run, seq, task, attempts, reason, diedAt }): Trace => ({
        run,
        kind: 'dead',
        text: task,
        seq,
        batch: null,
        attempts,
        reason,
        position: null,
        at: iso(diedAt, view),
      }),
    ),
  ]
}

async function recordsIn(view: View, wanted: Wanted): Promise<Trace[]> {
  const { manager } = view
  const none = { seq: null, batch: null, attempts: 0 }
  const rejected = await manager.find(rejectedRecords, { order: { id: 'DESC' } })
  const waiting = await manager.find(suspects)
  const started = new Map<number, number>()
  for (const { id, startedAt } of await manager.find(runs, {
    select: { id: true, startedAt: true },
    where: { id: In([...new Set(waiting.map(({ run }) => run))]) },
  }))
    started.set(id, startedAt)
  return [
    ...rejected
      .filter(({ value, position }) => wanted(value, position))
      .map(({ run, kind, position, value, reason, createdAt }): Trace => {
        return { ...none, run, kind, position, text: value, reason, at: iso(createdAt, view) }
      }),
    ...waiting
      .filter(({ task, position }) => wanted(task, position))
      .map(({ run, position, task }): Trace => {
        return {
          ...none,
          run,
          kind: 'suspect',
          position,
          text: task,
          reason: null,
          at: iso(started.get(run) ?? 0, view),
        }
      }),
  ]
}
