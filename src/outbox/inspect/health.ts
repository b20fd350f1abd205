/** What `owm doctor` wants to know of an outbox: reads only, and also what older versions of owm made. */
import { In, IsNull, MoreThan, Not } from 'typeorm'
import { sumOf } from '../../lists.js'
import { type Holder, holderIn, isGone, isHeld } from '../runs/holder.js'
import { batches, runs, sinkRows, states } from '../sqlite/entities.js'
import { type RunState, readStates, unfinishedStates } from '../sqlite/run-states.js'
import { columnsOf, has } from '../sqlite/since.js'
import { type BreakerReport, breakersIn, oldestPendingIn, ownerIn, type Totals, totalsIn } from './totals.js'
import { iso, isUpToDate, read, type View } from './view.js'

export interface Health extends Totals {
  outboxId: string
  owner: string | null
  /** Who holds it, or held it last; undefined where that process is known to be gone. */
  holder: Holder | undefined
  /** Whether somebody does; undefined where that can't be told. */
  isHeld: boolean | undefined
  oldestPendingAt: string | null
  breakers: BreakerReport[]
  /** Mean length of the newest tasks, in bytes; null where there are none. */
  taskBytes: number | null
  /** The newest runs whose source was read to its end, the newest first. */
  whole: WholeRun[]
  /** Runs of slots with a receipt, the newest first, and the addresses of the sinks that have all of it. */
  received: { slot: string; persisted: number; addresses: string[] }[]
  /** Runs that aren't finished, the oldest first. */
  open: { slot: string; state: RunState; startedAt: string; lastError: string | null }[]
}

interface WholeRun {
  slot: string
  /** Locations. */
  read: number
  /** Tasks of its list: those that it stored, and those that an earlier run of the slot had. */
  tasks: number
}

/** Runs that are looked at. */
const lastRuns = 5

/** Batches whose tasks are measured. */
const lastBatches = 5

/** Undefined where there is no outbox, or nothing in it yet. Throws OutboxError. */
export async function healthOf(path: string): Promise<Health | undefined> {
  return read(path, async (view) => {
    const [state] = await view.manager.find(states, { select: { id: true, outboxId: true, holder: true } })
    const holder = holderIn(state?.holder ?? null)
    await readJson(view)
    return {
      ...(await totalsIn(view)),
      outboxId: state?.outboxId ?? '',
      owner: await ownerIn(view),
      holder: holder && !isGone(holder) ? holder : undefined,
      isHeld: await isHeld(path, holder),
      oldestPendingAt: await oldestPendingIn(view),
      breakers: await breakersIn(view),
      taskBytes: await taskBytesIn(view),
      ...(await runsIn(view)),
      received: await receivedIn(view),
    }
  })
}

/** Every column that a start reads as JSON: what is damaged in one is found here. */
async function readJson(view: View): Promise<void> {
  if (!isUpToDate(view)) return // the next start makes it so
  await view.manager.find(states)
  await view.manager.find(sinkRows)
  await view.manager.find(runs, { select: { id: true, sinks: true, cadence: true } })
}

async function taskBytesIn({ manager }: View): Promise<number | null> {
  const select = { firstSeq: true, count: true, tasks: true } as const
  const newest = await manager.find(batches, { select, order: { firstSeq: 'DESC' }, take: lastBatches })
  const count = sumOf(newest, (batch) => batch.count)
  const bytes = sumOf(newest, ({ tasks }) => Buffer.byteLength(tasks))
  return count === 0 ? null : bytes / count
}

async function receivedIn({ manager, version }: View): Promise<Health['received']> {
  if (!has(version, 'sinks')) return []
  const select = { id: true, slot: true, persisted: true, sinks: true } as const
  const where = { state: 'done', persisted: MoreThan(0), idSum: Not(IsNull()) } as const
  const rows = await manager.find(runs, { select, where, order: { id: 'DESC' } })
  const sinks = new Map((await manager.find(sinkRows)).map(({ id, addresses }) => [id, addresses]))
  return rows.map(({ slot, persisted, sinks: ids }) => {
    return { slot, persisted, addresses: (ids ?? []).flatMap((id) => sinks.get(id) ?? []) }
  })
}

async function runsIn(view: View): Promise<Pick<Health, 'whole' | 'open'>> {
  const { manager, version } = view
  const ended = { state: In(readStates) }
  const newest = { where: ended, order: { id: 'DESC' }, take: lastRuns } as const
  const counts = columnsOf(version, ['id', 'slot', 'read', 'persisted', 'repeated'])
  const whole = await manager.find(runs, { select: counts, ...newest })
  const where = { state: In(unfinishedStates) }
  const select = columnsOf(version, ['id', 'slot', 'state', 'startedAt', 'lastError'])
  const unfinished = await manager.find(runs, { select, where, order: { id: 'ASC' } })
  return {
    whole: whole.map((run) => ({ slot: run.slot, read: run.read, tasks: run.persisted + (run.repeated ?? 0) })),
    open: unfinished.map(({ slot, state, startedAt, lastError }) => ({
      slot,
      state,
      startedAt: iso(startedAt, view),
      lastError: lastError ?? null,
    })),
  }
}
