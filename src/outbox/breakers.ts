/** What the circuit breakers remember between two starts: a record for each, as JSON in the state row. */
import type { Database } from './sqlite/database.js'
import { type StateRow, states } from './sqlite/entities.js'
import { jsonIn } from './sqlite/json.js'

/**
 * closed: calls go through; `failures` counts the attempts that failed since one succeeded.
 * open: nobody is asked, until a while after `openedAt`. How they move is pipeline/retry.ts' business.
 */
export interface BreakerRecord {
  state: 'open' | 'closed'
  /** Failed attempts in a row, 0 or more. */
  failures: number
  /** Milliseconds since 1970; null while closed. */
  openedAt: number | null
  /** A digest of what was called, such as of a server's address; missing in records of older versions. */
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

  /** What the breaker around `name` saved; undefined where it's closed and unharmed, or about another than `of`. */
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

/** The column's text; null where all breakers are closed and unharmed. */
export const breakersText = (records: BreakerRecords): string | null =>
  Object.keys(records).length > 0 ? JSON.stringify(records) : null

/** The column's records. A breaker's memory can be done without: where it's damaged, the circuit is closed. */
export function breakersOf(text: string | null): BreakerRecords {
  const saved = jsonIn(text)
  const records: BreakerRecords = {}
  if (typeof saved !== 'object' || saved === null) return records
  if ('source' in saved && isRecord(saved.source)) records.source = saved.source
  if ('sink' in saved && isRecord(saved.sink)) records.sink = saved.sink
  return records
}

function isRecord(saved: unknown): saved is BreakerRecord {
  if (typeof saved !== 'object' || saved === null) return false
  if (!('state' in saved && 'failures' in saved && 'openedAt' in saved)) return false
  const { state, failures, openedAt } = saved
  if ('of' in saved && typeof saved.of !== 'string') return false
  return Number.isSafeInteger(failures) && (state === 'open' ? Number.isSafeInteger(openedAt) : state === 'closed')
}
