/** What the circuit breakers remember between two starts. */
import type { Database } from './database.js'
import type { StateRow } from './entities.js'

export type BreakerName = 'source' | 'sink'

export type SavedBreakers = Partial<Record<BreakerName, string>>

export class Breakers {
  readonly #database: Database
  readonly #saved: SavedBreakers

  constructor(database: Database, state: StateRow) {
    this.#database = database
    this.#saved = breakersOf(state)
  }

  /** What the breaker around `name` saved; undefined where it's closed and unharmed. */
  saved(name: BreakerName): string | undefined {
    return this.#saved[name]
  }

  async save(name: BreakerName, saved: string | undefined): Promise<void> {
    if (saved === this.#saved[name]) return
    if (saved === undefined) delete this.#saved[name]
    else this.#saved[name] = saved
    await this.#database.query('UPDATE state SET breaker = ?', [
      Object.keys(this.#saved).length > 0 ? JSON.stringify(this.#saved) : null,
    ])
  }
}

export function breakersOf(state: StateRow): SavedBreakers {
  const saved = parsedOrNull(state.breaker)
  const breakers: SavedBreakers = {}
  if (typeof saved !== 'object' || saved === null) return breakers
  if ('source' in saved && isBreaker(saved.source)) breakers.source = saved.source
  if ('sink' in saved && isBreaker(saved.sink)) breakers.sink = saved.sink
  return breakers
}

/** A breaker's memory can be done without: where it's damaged, the circuit is closed. */
function isBreaker(saved: unknown): saved is string {
  const state = typeof saved === 'string' ? parsedOrNull(saved) : null
  return (
    typeof state === 'object' &&
    state !== null &&
    'ownState' in state &&
    typeof state.ownState === 'object' &&
    state.ownState !== null
  )
}

function parsedOrNull(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return null
  }
}
