/** The slots of an outbox for `owm schedule`: read-only. */
import { read } from '../inspect.js'
import { type GapRow, gaps, type RunRow, type RunState, runs, states } from '../sqlite/entities.js'

export interface SlotSeen {
  slot: string
  /** Of its latest run; `covered`: it stored nothing, and the run of a later slot serves it. */
  state: RunState | 'covered'
  runId: string
  persisted: number
}

export interface GapSeen {
  from: string
  to: string
  count: number
  reason: string
  /** How many of them a backfill has served since; left out where none. */
  served?: number
}

export interface SlotsSeen {
  /** Milliseconds since 1970; null where no run was ever made. */
  coveredTo: number | null
  /** The newest first. */
  slots: SlotSeen[]
  /** Scheduled times that no run serves, the newest first. */
  missed: GapSeen[]
  /** The ledger may have deleted runs up to this slot; null where it has deleted none. */
  newestDeletedSlot: string | null
}

export const noSlots: SlotsSeen = { coveredTo: null, slots: [], missed: [], newestDeletedSlot: null }

/** The first version of the schema that has all that is read here. */
const withIntervals = 9

/** The newest `most` slots and gaps; undefined where there is no outbox. Throws OutboxError. */
export async function slotsIn(path: string, most: number): Promise<SlotsSeen | undefined> {
  return read(path, async ({ manager, version }) => {
    if (version < withIntervals) return noSlots
    const rows = await manager.find(runs, { order: { id: 'DESC' } })
    const latest = new Map(rows.toReversed().map((run) => [run.slot, run]))
    const slots = [...latest.values()].sort((a, b) => Date.parse(b.slot) - Date.parse(a.slot)).slice(0, most)
    const missed = await manager.find(gaps, { order: { id: 'DESC' }, take: most })
    const [state] = await manager.find(states, { select: { id: true, coveredTo: true, newestDeletedSlot: true } })
    return {
      coveredTo: state?.coveredTo ?? null,
      newestDeletedSlot: state?.newestDeletedSlot ?? null,
      slots: slots.map(({ slot, state, coveredBy, runId, persisted }) => ({
        ...{ slot, runId, persisted },
        state: coveredBy === null ? state : 'covered',
      })),
      missed: missed.map((gap) => gapSeen(gap, latest.values())),
    }
  })
}

function gapSeen({ firstSlot, lastSlot, count, reason }: GapRow, runs: Iterable<RunRow>): GapSeen {
  const [from, to] = [Date.parse(firstSlot), Date.parse(lastSlot)]
  const isIn = ({ slot, state }: RunRow): boolean =>
    (state === 'read' || state === 'done') && from <= Date.parse(slot) && Date.parse(slot) <= to
  const served = [...runs].filter(isIn).length
  return { from: firstSlot, to: lastSlot, count, reason, ...(served > 0 ? { served } : {}) }
}
