/** The circuit breakers' state between two starts: a record for each, as JSON in the state row. */
import { isObject } from '../tasks/json/tree.js'
import type { Database } from './sqlite/database.js'
import { type StateRow, states } from './sqlite/entities.js'
import { jsonIn } from './sqlite/json.js'

/**
 * closed: calls go through; `failures` counts the attempts that failed since the last success.
 * open: no calls until some time after `openedAt`. The transitions are in pipeline/retry.ts.
 */
export interface BreakerRecord {
  state: 'open' | 'closed'
  /** Failed attempts in a row, 0 or more. */
  failures: number
  /** Milliseconds since 1970; null while closed. */
  openedAt: number | null
  /** A digest of what is called, such as a server's address; missing in records of older versions. */
  of?: string
}

export type BreakerName = 'source' | 'sink'

export type BreakerRecords = Partial<Record<BreakerName, BreakerRecord>>

export class Breakers {
  readonly #database: Database
  readonly #saved: BreakerRecords

  constructor(database: Database, state: StateRow) {
    this.#database = database
    this.#saved = breakersOf(state.breaker)
  }

  /** The breaker's record; undefined if it's closed without failures, or if it is about something else than `of`. */
  saved(name: BreakerName, of?: string): BreakerRecord | undefined {
    const saved = this.#saved[name]
    return of === undefined || saved?.of === undefined || saved.of === of ? saved : undefined
  }

  async save(name: BreakerName, saved: BreakerRecord | undefined): Promise<void> {
    const before = breakersText(this.#saved)
    if (saved === undefined) delete this.#saved[name]
    else this.#saved[name] = saved
    const breaker = breakersText(this.#saved)
    if (breaker !== before)
      await this.#database.transaction((manager) => manager.update(states, { id: 1 }, { breaker }))
  }
}

/** The column's text; null if all breakers are closed without failures. */
export const breakersText = (records: BreakerRecords): string | null =>
  Object.keys(records).length > 0 ? JSON.stringify(records) : null

/** The column's records. A damaged record counts as a closed circuit. */
export function breakersOf(text: string | null): BreakerRecords {
  const saved = jsonIn(text)
  const records: BreakerRecords = {}
  if (!isObject(saved)) return records
  if ('source' in saved && isRecord(saved.source)) records.source = saved.source
  if ('sink' in saved && isRecord(saved.sink)) records.sink = saved.sink
  return records
}

function isRecord(saved: unknown): saved is BreakerRecord {
  if (!isObject(saved) || !('state' in saved && 'failures' in saved && 'openedAt' in saved)) return false
  const { state, failures, openedAt } = saved
  if ('of' in saved && typeof saved.of !== 'string') return false
  return Number.isSafeInteger(failures) && (state === 'open' ? Number.isSafeInteger(openedAt) : state === 'closed')
}
