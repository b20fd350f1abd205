/**
 * Whose an outbox is: a pipeline's name, or the path of a configuration (cli/owner.ts says which). One outbox serves
 * one owner, since another's locations would count as duplicates, and another's source would finish its runs.
 */
import { ConfigurationError } from '../errors/index.js'
import type { Database } from './sqlite/database.js'
import { type StateRow, states } from './sqlite/entities.js'

export interface Claim {
  readonly owner: string
  /** Whether an outbox that is nobody's becomes this owner's. */
  readonly takes: boolean
}

/** Throws ConfigurationError where the outbox is another's. */
export async function claim(database: Database, row: StateRow, { owner, takes }: Claim): Promise<void> {
  mayBe(database.path, row.owner, owner)
  if (row.owner === null && takes) await own(database, owner)
}

/** From here on the outbox is this owner's, whoever's it was. */
export async function own(database: Database, owner: string): Promise<void> {
  await database.inTurn((manager) => manager.update(states, { id: 1 }, { owner }))
}

/** Throws ConfigurationError where an outbox is another's; one that is nobody's may be anybody's. */
export function mayBe(path: string, owner: string | null, own: string): void {
  // guard: owner-refused
  if (owner !== null && owner !== own)
    throw new ConfigurationError(`The outbox ${path} belongs to ${owner}, not to ${own}.`, {
      hint:
        'Give this pipeline an outbox of its own, with outbox.path or --outbox. ' +
        'Where the configuration or the pipeline was renamed or moved, `owm outbox adopt --owner` lets it go on.',
    })
}
