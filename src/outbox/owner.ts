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
  // guard: owner-refused
  if (row.owner !== null && row.owner !== owner) throw foreign(database.path, row.owner, owner)
  if (row.owner === null && takes) await own(database, owner)
}

/** From here on the outbox is this owner's, whoever's it was. */
export async function own(database: Database, owner: string): Promise<void> {
  await database.inTurn((manager) => manager.update(states, { id: 1 }, { owner }))
}

export const foreign = (path: string, owner: string, own: string): ConfigurationError =>
  new ConfigurationError(`The outbox ${path} belongs to ${owner}, not to ${own}.`, {
    hint:
      'Give this pipeline an outbox of its own, with outbox.path or --outbox. ' +
      'Where the configuration or the pipeline was renamed or moved, `owm outbox adopt --owner` lets it go on.',
  })
