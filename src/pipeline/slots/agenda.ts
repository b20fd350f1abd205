/** Which slots a start serves, besides those that earlier starts left open. */
import type { Planned } from '../../outbox/runs/intervals.js'
import type { NewRun } from '../../outbox/runs/ledger.js'
import type { Deps, ProduceDeps } from '../parts.js'

/** Settings that a new run stores, and keeps. */
export type RunSettings = Pick<NewRun, 'namespace' | 'cadence'>

/** Those of a pipeline without `taskNamespace` and `cadence`. */
export const plainSettings: RunSettings = { namespace: '', cadence: null }

export interface Agenda {
  /** False if its slot is the time of the start, and wasn't named. */
  readonly slotGiven: boolean
  /** Whether a slot that was read to its end isn't read again, as it wasn't asked for by name. */
  readonly once: boolean
  /** Whether the newest open run is read first; else the oldest. */
  readonly newestFirst: boolean
  /** The last slot that was named, in milliseconds since 1970; undefined if none was. */
  readonly upTo?: number
  /** The slots of this start; the last one names it. Throws ConfigurationError. */
  slots(deps: Pick<Deps, 'outbox' | 'log'>): Promise<readonly string[]>
  /** Creates a row for each run that is due, and for what is missed; returns them. */
  enter?(deps: ProduceDeps, settings: RunSettings): Promise<Planned>
}

/** A start for one slot, which creates a row for that one only. */
export const oneSlot = (slot: string, slotGiven: boolean): Agenda => ({
  slotGiven,
  once: false,
  newestFirst: false,
  slots: async () => [slot],
})
