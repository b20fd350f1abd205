/** What `owm produce --dry-run` would send: everything is read and checked, nothing is written. */
import { TransientError, toError } from '../errors/index.js'
import { Malformed } from '../plugin.js'
import { SeenIds } from '../tasks/seen.js'
import { taskDigitsOf, taskMaker } from '../tasks/task.js'
import { bounded, type SourceDeps } from './produce.js'

/** So many tasks are shown. */
const shown = 10

export interface DryRun {
  read: number
  rejected: number
  /** Without an outbox to compare with, a false duplicate is possible: 1 in 3,000 of 10 million locations, next to none of 1 million. */
  duplicates: number
  /** The first tasks, as JSON text. */
  preview: string[]
}

export async function dryRun(source: SourceDeps, slot: string, signal: AbortSignal): Promise<DryRun> {
  const make = taskMaker(slot)
  const seen = new SeenIds()
  const found: DryRun = { read: 0, rejected: 0, duplicates: 0, preview: [] }
  const opened = await source.open()
  try {
    for await (const batch of bounded(opened.read(undefined), source, signal)) {
      for (const location of batch.locations) {
        found.read++
        const made = location instanceof Malformed ? location : make(location)
        if ('reason' in made) found.rejected++
        else if (seen.add(taskDigitsOf(made.payload))) found.duplicates++
        else if (found.preview.length < shown) found.preview.push(made.payload)
      }
    }
  } catch (error) {
    throw error instanceof Error && 'exitCode' in error
      ? error
      : new TransientError(`The source ${source.name} failed: ${toError(error).message}`, { cause: error })
  } finally {
    await opened.close?.()
  }
  return found
}
