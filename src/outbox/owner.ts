/**
 * The owner of an outbox: a pipeline's name, or the path of a configuration (cli/owner.ts). An outbox serves one owner:
 * locations of a second one would count as duplicates, and its source would be read to finish the first one's runs.
 */
import { ConfigurationError } from '../errors/index.js'
import type { Database } from './sqlite/database.js'
import { type StateRow, states } from './sqlite/entities.js'

export interface Claim {
  readonly owner: string
  /** Whether this owner takes an outbox that has none. */
  readonly takes: boolean
}

/** Throws ConfigurationError if the outbox has another owner. */
export async function claim(database: Database, row: StateRow, { owner, takes }: Claim): Promise<void> {
  mustBeOwn(database.path, row.owner, owner)
  if (row.owner === null && takes) await own(database, owner)
}

/** Sets the owner, whichever it was before. */
export async function own(database: Database, owner: string): Promise<void> {
  await database.inTurn((manager) => manager.update(states, { id: 1 }, { owner }))
}

/** Throws ConfigurationError if the outbox has another owner; one without an owner is accepted. */
export function mustBeOwn(path: string, owner: string | null, own: string): void {
  // guard: owner-refused
  if (owner !== null && owner !== own)
    throw new ConfigurationError(`The outbox ${path} belongs to ${owner}, not to ${own}.`, {
      hint:
        'Give this pipeline an outbox of its own, with outbox.path or --outbox. ' +
        'Where the configuration or the pipeline was renamed or moved, `owm outbox adopt --owner` lets it go on.',
    })
}
