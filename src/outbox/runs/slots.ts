/** The slots of an outbox for `owm schedule`: read-only. */
import { read } from '../inspect.js'
import { gaps, type RunState, runs } from '../sqlite/entities.js'
import { coveredTo } from './intervals.js'

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
}

export interface SlotsSeen {
  /** Milliseconds since 1970; null where no run was ever made. */
  coveredTo: number | null
  /** The newest first. */
  slots: SlotSeen[]
  /** Scheduled times that no run serves, the newest first. */
  missed: GapSeen[]
}

/** The first version of the schema that knows intervals. */
const withIntervals = 8

/** The newest `most` slots and gaps; undefined where there is no outbox. Throws OutboxError. */
export async function slotsIn(path: string, most: number): Promise<SlotsSeen | undefined> {
  return read(path, async ({ manager, version }) => {
    if (version < withIntervals) return { coveredTo: null, slots: [], missed: [] }
    const rows = await manager.find(runs, { order: { id: 'DESC' } })
    const latest = new Map(rows.toReversed().map((run) => [run.slot, run]))
    const slots = [...latest.values()].sort((a, b) => Date.parse(b.slot) - Date.parse(a.slot)).slice(0, most)
    const missed = await manager.find(gaps, { order: { id: 'DESC' }, take: most })
    return {
      coveredTo: await coveredTo(manager),
      slots: slots.map(({ slot, state, coveredBy, runId, persisted }) => ({
        ...{ slot, runId, persisted },
        state: coveredBy === null ? state : 'covered',
      })),
      missed: missed.map(({ firstSlot, lastSlot, count, reason }) => ({
        ...{ from: firstSlot, to: lastSlot, count, reason },
      })),
    }
  })
}
