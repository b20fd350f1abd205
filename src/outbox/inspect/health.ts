/** What `owm doctor` checks of an outbox. Reads only, also outboxes of older versions. */
import { In, IsNull, MoreThan, Not } from 'typeorm'
import { sumOf } from '../../lists.js'
import { shardNameIn } from '../../tasks/shard.js'
import { type Holder, holderIn, isGone, isHeld } from '../runs/holder.js'
import { type RunState, readStates, unfinishedStates } from '../runs/run-states.js'
import { batches, runs, sinkRows, states } from '../sqlite/entities.js'
import { columnsOf, has } from '../sqlite/since.js'
import { stateIn } from '../state.js'
import {
  type BreakerReport,
  breakersIn,
  oldestPendingIn,
  ownerIn,
  type Short,
  shortOf,
  type Totals,
  totalsIn,
} from './totals.js'
import { iso, isUpToDate, read, type View } from './view.js'

export interface Health extends Totals {
  outboxId: string
  owner: string | null
  /** Who holds it, or held it last; undefined if that process is known to be gone. */
  holder: Holder | undefined
  /** Whether a process holds it; undefined if that can't be determined. */
  isHeld: boolean | undefined
  oldestPendingAt: string | null
  breakers: BreakerReport[]
  /** Mean length of the newest tasks, in bytes; null if there are none. */
  taskBytes: number | null
  /** The newest runs whose source was read to its end, the newest first. */
  whole: WholeRun[]
  /** Runs whose slot has a receipt, the newest first, with the addresses of the sinks that have all of their tasks. */
  received: { slot: string; persisted: number; addresses: string[] }[]
  /** Unfinished runs, the oldest first. */
  open: OpenRun[]
  /** The newest run, if it is one. */
  short: Short | undefined
}

export interface OpenRun {
  slot: string
  /** As `0/3`; '' for the whole. */
  shard: string
  state: RunState
  startedAt: string
  lastError: string | null
}

interface WholeRun {
  slot: string
  /** As `0/3`; '' for the whole. */
  shard: string
  /** Locations, including rejected ones. */
  read: number
  rejected: number
  /** Tasks of its list: those that it stored, and those that an earlier run of the slot had stored. */
  tasks: number
}

/** How many runs `whole` has at most. */
const lastRuns = 5

/** Batches whose tasks are measured. */
const lastBatches = 5

/** Undefined if there is no outbox, or an empty file. Throws OutboxError. */
export async function healthOf(path: string): Promise<Health | undefined> {
  return read(path, async (view) => {
    const state = await stateIn(view.manager, 'outboxId', 'holder')
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

/** Reads every JSON column that a start reads, to find damage. */
async function readJson(view: View): Promise<void> {
  if (!isUpToDate(view)) return // columns are missing until the next start migrates it
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

async function runsIn(view: View): Promise<Pick<Health, 'whole' | 'open' | 'short'>> {
  const { manager, version } = view
  const newest = { where: { state: In(readStates) }, order: { id: 'DESC' }, take: lastRuns } as const
  const counts = columnsOf(version, ['id', 'slot', 'sourceDigest', 'read', 'rejected', 'persisted', 'repeated'])
  const whole = await manager.find(runs, { select: counts, ...newest })
  const where = { state: In(unfinishedStates) }
  const select = columnsOf(version, ['id', 'slot', 'sourceDigest', 'state', 'startedAt', 'lastError'])
  const unfinished = await manager.find(runs, { select, where, order: { id: 'ASC' } })
  const [last] = await manager.find(runs, { select, order: { id: 'DESC' }, take: 1 })
  return {
    whole: whole.map(({ slot, sourceDigest, read: locations, rejected, persisted, repeated }) => ({
      slot,
      shard: shardNameIn(sourceDigest),
      read: locations,
      rejected,
      tasks: persisted + (repeated ?? 0),
    })),
    open: unfinished.map(({ slot, sourceDigest, state, startedAt, lastError }) => ({
      slot,
      shard: shardNameIn(sourceDigest),
      state,
      startedAt: iso(startedAt, view),
      lastError: lastError ?? null,
    })),
    short: shortOf(last),
  }
}
