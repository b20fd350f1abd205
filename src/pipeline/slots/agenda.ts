/** Which slots a start serves, beside those that earlier starts left open. */
import type { Planned } from '../../outbox/runs/intervals.js'
import type { NewRun } from '../../outbox/runs/ledger.js'
import type { Deps, ProduceDeps } from '../parts.js'

/** What each new run begins with. */
export type Begun = Pick<NewRun, 'namespace' | 'cadence'>

export interface Agenda {
  /** False where its slot is the time of the start, and nobody named it. */
  readonly slotGiven: boolean
  /** Whether its slot isn't read once more where it was read to its end: nobody asked for this very one. */
  readonly once: boolean
  /** Whether the newest open run is read first; else the oldest. */
  readonly newestFirst: boolean
  /** The last slot that somebody named, in milliseconds since 1970; undefined where none is. */
  readonly upTo?: number
  /** Those that this start answers for, the one that it is told by last. Throws ConfigurationError. */
  slots(deps: Pick<Deps, 'outbox' | 'log'>): Promise<readonly string[]>
  /** Makes a row for each run that is due, and for what is missed; tells what those are. */
  enter?(deps: ProduceDeps, begun: Begun): Promise<Planned>
}

/** A start for one slot, in which a row is made for that alone. */
export const oneSlot = (slot: string, slotGiven: boolean): Agenda => ({
  slotGiven,
  once: false,
  newestFirst: false,
  slots: async () => [slot],
})
