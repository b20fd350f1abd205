/** What `owm produce --dry-run` would send: everything is read and checked, nothing is written. */
import { hash } from 'node:crypto'
import type { OwmError } from '../errors/index.js'
import { isMalformed, type Location } from '../plugin.js'
import { taskMaker } from '../tasks/encode.js'
import { taskIdOf } from '../tasks/id.js'
import { SeenIds } from '../tasks/ids/seen.js'
import { placeIn, placeOf } from '../tasks/place.js'
import { Rejection } from '../tasks/rejection.js'
import type { DueOf } from './input/cadence.js'
import { otherPlaceHere } from './input/intake.js'
import { minimumOf, nothingGiven, tooFew } from './input/minimum.js'
import { pagesOf } from './input/pages.js'
import { Rejects, wordsOf } from './input/rejects.js'
import type { SourceDeps } from './parts.js'

/** So many tasks are shown. */
const shown = 10

export interface DryRun {
  read: number
  rejected: number
  /** Without an outbox to compare with, a false duplicate is possible: see tasks/ids/seen for how rarely. */
  duplicates: number
  /** With a cadence: those that have no window in the slot's interval. */
  notDue: number
  /** The first tasks, as JSON text. */
  preview: string[]
  rejects: Rejects
  /** Where the source gave too little. */
  error: OwmError | undefined
  warning: string | undefined
}

/**
 * @param how namespace: see tasks/id; traceparent: see tasks/encode; dueOf: which locations the slot has; signal: ends
 *   it early, what was read until then is what counts
 */
export async function dryRun(
  source: SourceDeps,
  slot: string,
  {
    namespace,
    traceparent,
    dueOf,
    signal,
  }: {
    namespace: string
    traceparent?: string | undefined
    dueOf: DueOf
    signal: AbortSignal
  },
): Promise<DryRun> {
  const make = taskMaker(slot, namespace, traceparent)
  const seen = { ids: new SeenIds(), places: new SeenIds(), tasks: new SeenIds() }
  const found = { read: 0, rejected: 0, duplicates: 0, notDue: 0, preview: [] as string[] }
  const rejects = new Rejects()
  for await (const page of pagesOf(source, signal)) {
    for (const [index, location] of page.locations.entries()) {
      found.read++
      const task = isMalformed(location) ? location : taskOf(location, dueOf, make)
      if (task === 'not due') {
        found.notDue++
        continue
      }
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

function taskOf(location: Location, dueOf: DueOf, make: ReturnType<typeof taskMaker>): string | Rejection | 'not due' {
  const place = placeOf(location)
  const due = place instanceof Rejection ? place : dueOf(location, place)
  return due === 'not due' || due instanceof Rejection ? due : make(location, due.window)
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
