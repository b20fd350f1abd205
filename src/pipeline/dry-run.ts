/** What `owm produce --dry-run` would send: everything is read and checked, nothing is written. */
import { hash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isOwmError, type OwmError, TransientError, toError } from '../errors/index.js'
import { isMalformed, type LocationBatch } from '../plugin.js'
import { taskMaker } from '../tasks/encode.js'
import { taskIdOf } from '../tasks/id.js'
import { placeIn } from '../tasks/place.js'
import { SeenIds } from '../tasks/seen.js'
import { otherPlaceHere, wordsOf } from './input/intake.js'
import { minimumOf, nothingGiven, tooFew } from './input/minimum.js'
import { Rejects } from './input/rejects.js'
import type { SourceDeps } from './parts.js'

/** So many tasks are shown. */
const shown = 10

export interface DryRun {
  read: number
  rejected: number
  /** Without an outbox to compare with, a false duplicate is possible: see tasks/seen for how rarely. */
  duplicates: number
  /** The first tasks, as JSON text. */
  preview: string[]
  rejects: Rejects
  /** Where the source gave too little. */
  error: OwmError | undefined
  warning: string | undefined
}

/**
 * @param how namespace: see tasks/id; signal: ends it early, what was read until then is what counts
 */
export async function dryRun(
  source: SourceDeps,
  slot: string,
  { namespace, signal }: { namespace: string; signal: AbortSignal },
): Promise<DryRun> {
  const make = taskMaker(slot, namespace)
  const seen = { ids: new SeenIds(), places: new SeenIds(), tasks: new SeenIds() }
  const found = { read: 0, rejected: 0, duplicates: 0, preview: [] as string[] }
  const rejects = new Rejects()
  for await (const page of pagesOf(source, signal)) {
    for (const [index, location] of page.locations.entries()) {
      found.read++
      const task = isMalformed(location) ? location : make(location)
      if (typeof task !== 'string') {
        found.rejected++
        const value = isMalformed(location) ? location.value : wordsOf(location)
        rejects.add({ reason: task.reason, value, position: page.position(index, task.field) })
        continue
      }
      const id = taskIdOf(task)
      const isSamePlace = seen.places.add(hash('sha1', `${id}${placeIn(task)}`))
      const isSameTask = seen.tasks.add(hash('sha1', task))
      if (!seen.ids.add(id.replaceAll('-', ''))) {
        if (found.preview.length < shown) found.preview.push(task)
      } else if (isSamePlace) {
        found.duplicates++
        if (!isSameTask) rejects.merge({ position: page.position(index), keys: [], values: ['', ''] })
      } else {
        found.rejected++
        rejects.add({ reason: otherPlaceHere, value: task, position: page.position(index) })
      }
    }
  }
  return { ...found, rejects, ...judged(source, found, rejects) }
}

/** All pages of a source that is read without an outbox. A signal ends it early. */
export async function* pagesOf(source: SourceDeps, signal: AbortSignal): AsyncGenerator<LocationBatch> {
  const opened = await source.open()
  try {
    for await (const page of opened.read(undefined)) {
      await nextTurn() // a signal is heard between two turns only
      if (signal.aborted) return
      yield page
    }
  } catch (error) {
    throw isOwmError(error)
      ? error
      : new TransientError(`The source ${source.name} failed: ${toError(error).message}`, { cause: error })
  } finally {
    await opened.close?.()
  }
}

/** Whether a source that was read without an outbox gave enough. */
export function judged(
  source: SourceDeps,
  { read, rejected }: { read: number; rejected: number },
  rejects: Rejects,
): Pick<DryRun, 'error' | 'warning'> {
  const given = source.given?.() ?? { read, usable: read - rejected }
  const error = tooFew(source.name, given, minimumOf(source, undefined), rejects, false)
  return { error, warning: error ? undefined : nothingGiven(source.name, given) }
}
