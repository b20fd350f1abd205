/** The slots of an outbox for `owm schedule`: read-only. */
import { groupedBy, sumOf } from '../../../lists.js'
import { shardNameIn } from '../../../tasks/shard.js'
import { byTime, slotOf } from '../../../tasks/slot.js'
import { type RunState, unfinishedStates } from '../../runs/run-states.js'
import { currentOf } from '../../runs/whole-slots.js'
import { gaps, type RunRow, runs } from '../../sqlite/entities.js'
import { columnsOf, has } from '../../sqlite/since.js'
import { stateIn } from '../../state.js'
import { deadBySlot } from '../totals.js'
import { read } from '../view.js'

export interface SlotSeen {
  slot: string
  /** Of its latest run; `covered`: that stored nothing, and the run of a later slot serves it. */
  state: RunState | 'covered'
  runId: string
  /** As `0/3`, of its latest run; null for the whole. */
  shard: string | null
  /** Tasks stored by all of its runs that count: a second reading finds most of them stored already. */
  persisted: number
  /** Locations that its runs read. */
  read: number
  /** Locations that its latest run rejected. */
  rejected: number
  /** Its tasks that are dead letters. */
  dead: number
  /** Its runs cover the time after this one; null if another slot's run covers the slot. */
  from: string | null
}

export interface GapSeen {
  from: string
  to: string
  count: number
  reason: string
}

export interface SlotsSeen {
  /** The end of the last interval, in milliseconds since 1970; null if there was never a run. */
  coveredTo: number | null
  /** The newest first. */
  slots: SlotSeen[]
  /** How many slots aren't finished. */
  open: number
  /** Scheduled times that no run serves, the newest first. */
  missed: GapSeen[]
  /** The ledger may have deleted runs up to this slot; null if it has deleted none. */
  newestDeletedSlot: string | null
}

const noSlots: SlotsSeen = { coveredTo: null, slots: [], open: 0, missed: [], newestDeletedSlot: null }

const columns = [
  ...(['id', 'runId', 'slot', 'state', 'read', 'rejected', 'persisted', 'again'] as const),
  ...(['sourceDigest', 'intervalFrom', 'coveredBy'] as const),
]

/** All slots and gaps that an outbox keeps; none if there is no outbox. Throws OutboxError. */
export async function slotsIn(path: string): Promise<SlotsSeen> {
  const seen = await read(path, async ({ manager, version }): Promise<SlotsSeen> => {
    if (!has(version, 'gap')) return noSlots
    const rows = await manager.find(runs, { select: columnsOf(version, columns), order: { id: 'ASC' } })
    const bySlot = groupedBy(rows, (run) => run.slot)
    const slots = [...bySlot.values()].flatMap(wholeOf)
    slots.sort((a, b) => byTime(b.slot, a.slot))
    const dead = await deadBySlot(manager)
    const missed = await manager.find(gaps, { order: { id: 'DESC' } })
    const state = await stateIn(manager, 'coveredTo', 'newestDeletedSlot')
    return {
      coveredTo: state?.coveredTo ?? null,
      newestDeletedSlot: state?.newestDeletedSlot ?? null,
      slots: slots.map((run) => ({
        slot: run.slot,
        runId: run.runId,
        shard: shardNameIn(run.sourceDigest) || null,
        persisted: run.persisted,
        read: run.read,
        rejected: run.rejected,
        dead: dead.get(run.slot) ?? 0,
        from: run.intervalFrom === null ? null : slotOf(run.intervalFrom),
        state: run.coveredBy === null ? run.state : 'covered',
      })),
      open: slots.filter(({ state }) => unfinishedStates.includes(state)).length,
      missed: missed.map(({ firstSlot: from, lastSlot: to, count, reason }) => ({ from, to, count, reason })),
    }
  })
  return seen ?? noSlots
}

/** The latest of a slot's runs, with the interval and the tasks of all of them, and what each shard's last one read. */
function wholeOf(ofSlot: readonly RunRow[]): RunRow[] {
  const persisted = sumOf(currentOf(ofSlot), (run) => run.persisted)
  const begins = ofSlot.flatMap(({ intervalFrom }) => intervalFrom ?? [])
  const intervalFrom = begins.length > 0 ? Math.min(...begins) : null
  const byShard = groupedBy(ofSlot, ({ sourceDigest }) => shardNameIn(sourceDigest))
  const read = sumOf([...byShard.values()], (ofShard) => ofShard.at(-1)?.read ?? 0)
  return ofSlot.slice(-1).map((latest) => ({ ...latest, persisted, read, intervalFrom }))
}
