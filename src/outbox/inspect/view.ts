/** Reads a snapshot of an outbox, also while a producer runs. Never writes. */
import type { EntityManager } from 'typeorm'
import { OutboxError } from '../../errors/index.js'
import { parseJson } from '../../tasks/json/parse.js'
import { Database } from '../sqlite/database.js'
import { migrations } from '../sqlite/migrations.js'
import { batchesBehind, type KeptBatch, type WhichBatches } from '../sqlite/statements.js'
import { damaged } from '../sqlite/trouble.js'

export interface View {
  path: string
  /** Of the schema. */
  version: number
  manager: EntityManager
}

/** Reads from one snapshot of the file; undefined if there is none. */
export async function read<T>(path: string, work: (view: View) => Promise<T>): Promise<T | undefined> {
  for (;;) {
    const database = await Database.openForReading(path)
    if (!database) return undefined
    const { version } = database
    try {
      const result = await database.snapshot((manager) => work({ path, version, manager }))
      if (!(await database.isStale())) return result
    } catch (error) {
      if (!(await database.isStale())) throw error
    } finally {
      await database.close()
    }
  }
}

/** Whether its schema is at least this version's. */
export const isUpToDate = ({ version }: View): boolean => version >= migrations.length

/** For queries that need the current schema. Throws OutboxError. */
export function mustBeUpToDate(view: View): void {
  const { path } = view
  if (isUpToDate(view)) return
  throw new OutboxError(`The outbox ${path} was last written by an older owm.`, {
    hint: '`owm flush` brings it up to date; then it can be looked at.',
  })
}

export function iso(time: number, { path }: View): string {
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) throw damaged(path, `${time} in it is no time`)
  return date.toISOString()
}

export function parsed(task: string, { path }: View): unknown {
  try {
    return parseJson(task)
  } catch (cause) {
    throw damaged(path, 'a task in it is no JSON', cause)
  }
}

/** Stored batches, in order of seq. Throws OutboxError if one is damaged. */
export const batchesIn = ({ manager, path }: View, which?: WhichBatches): AsyncGenerator<KeptBatch> =>
  batchesBehind((work) => work(manager), { path, outboxId: '' }, which)
