/** The schema version that added each column or table: read-only commands also meet older files. */
import type { RunRow } from './entities.js'

/** Columns of `run`, `state.owner` and the table `gap`. Whatever isn't listed is in every file. */
const since = {
  ...{ lost: 3, again: 3, idSum: 3 },
  ...{ repeated: 4, slotGiven: 4, namespace: 4, owner: 4 },
  lastError: 6,
  sinks: 7,
  ...{ intervalFrom: 8, coveredBy: 8, gap: 8 },
  ...{ windowsFrom: 9, cadence: 9, notDue: 9, skipped: 9 },
  ...{ redelivered: 10, replayed: 10, replayedAt: 10, readAt: 10, storedAt: 10, leavesOut: 10 },
}

export const has = (version: number, what: keyof typeof since): boolean => version >= since[what]

/** Of these columns those that a run has in this version, for `select`. */
export function columnsOf(version: number, columns: readonly (keyof RunRow)[]): Partial<Record<keyof RunRow, true>> {
  const first: Partial<Record<keyof RunRow, number>> = since
  return Object.fromEntries(columns.filter((name) => version >= (first[name] ?? 1)).map((name) => [name, true]))
}
