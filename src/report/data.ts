/** A report's data: written by owm, read by the page's script. */

/** In the order in which the map draws them: the last one lies on top. */
export const placeStates = ['waiting', 'discarded', 'delivered', 'pending', 'rejected', 'dead'] as const

/**
 * What is known of a location by its newest task. `waiting`: the source gives it, and the outbox has no task of it;
 * `discarded`: an operator gave its task up.
 */
export type PlaceState = (typeof placeStates)[number]

/** A run as the report shows it. Times are ISO 8601, UTC. */
export interface ReportRun {
  runId: string
  slot: string
  /** As `owm outbox inspect` says it; `covered`: it stored nothing, and the run of a later slot serves its slot. */
  state: string
  /** `0/3`; empty for all locations. */
  shard: string
  read: number
  rejected: number
  duplicates: number
  notDue: number
  skipped: number
  stored: number
  delivered: number
  pending: number
  dead: number
  discarded: number
  lost: number
  lastError: string
  startedAt: string
  readAt: string | null
  finishedAt: string | null
}

/** Consecutive scheduled times that no run serves. */
export interface ReportGap {
  from: string
  to: string
  count: number
  reason: string
}

/** Scheduled times that the run of a later slot, `by`, serves with its own. */
export interface ReportCovered {
  from: string
  to: string
  count: number
  by: string
}

export interface ReportReason {
  state: 'rejected' | 'dead'
  reason: string
  count: number
  /** One of them: where it stood in the source, or its seq; and what it was. */
  position: string
  value: string
}

/** The coming 24 hours. */
export interface ReportPlan {
  cron: string
  timezone: string
  slots: { slot: string; tasks: number; calls: number | null; callsPerMinute: number | null }[]
  tasks: number
  calls: number | null
  cost: number | null
  currency: string | null
  /** The limits that are exceeded, in words. */
  over: string[]
}

export interface ReportSource {
  name: string
  read: number
  rejected: number
  duplicates: number
  /** By filters. */
  leftOut: number
  /** Why it couldn't be read; empty where it could. */
  trouble: string
}

/**
 * Locations, a column for each thing that is known. A column of numbers is the base64 of a typed array, in the byte
 * order of nearly all machines (little-endian).
 */
export interface PlaceColumns {
  count: number
  /** Int32: degrees times 10^7; `nowhere` where it isn't known. */
  latitude: string
  longitude: string
  /** Uint8: an index into `placeStates`. */
  state: string
  /** Uint32: indices into `slots`, `regions` and `reasons`; each has '' where there is nothing to say. */
  slot: string
  region: string
  reason: string
  slots: string[]
  regions: string[]
  reasons: string[]
  cities: string[]
}

export const degreesScale = 1e7
export const nowhere = -(2 ** 31)

export interface ReportData {
  version: string
  /** ISO 8601. */
  madeAt: string
  /** Whose outbox it is; its file. */
  owner: string
  outbox: string
  sink: string
  totals: { pending: number; dead: number; rejected: number; duplicates: number }
  oldestPendingAt: string | null
  /** Circuits that aren't closed, in words. */
  circuits: string[]
  /** The newest first. */
  runs: ReportRun[]
  /** Runs that are older than those. */
  olderRuns: number
  gaps: ReportGap[]
  covered: ReportCovered[]
  reasons: ReportReason[]
  plan: ReportPlan | null
  source: ReportSource | null
  /** In words: how many more locations there are than the report holds, and which; empty where it holds all. */
  notShown: string
  places: PlaceColumns
}
