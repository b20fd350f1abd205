/** Turns a location into a task, a rejection with its reason, or nothing if it isn't due. */
import { inspect } from 'node:util'
import { isMalformed, type Location, type Malformed } from '../../plugin.js'
import { Utf8 } from '../../tasks/bytes.js'
import { maxTaskBytes, taskEncoder } from '../../tasks/encode.js'
import { exactJson } from '../../tasks/json/exact.js'
import { type Place, placeOf } from '../../tasks/place.js'
import { Rejection } from '../../tasks/rejection.js'
import type { Due, DueOf } from './cadence.js'
import type { PlacedBatch } from './pages.js'

/** The place of a location, or why it can't be a task. */
export type Checked = Place | Rejection | Malformed

export const checked = (location: Location | Malformed): Checked =>
  isMalformed(location) ? location : placeOf(location)

/** Checks a location of a page, unless the filters have done so. */
export const checkedIn = ({ locations, places }: PlacedBatch, index: number): Checked =>
  places?.[index] ?? checked(locations[index] ?? {})

/** Why a location is rejected, and for which of its fields. */
export interface Why {
  readonly reason: string
  readonly field?: string | undefined
}

/** A location that is due, and has a task. */
interface Judged {
  readonly place: Place
  readonly due: Due
  /** See tasks/id. */
  readonly digits: string
}

/** Writes the task of a checked location. What it wrote of a rejected one must be dropped. */
export type Judge = (location: Location | Malformed, place: Checked, task: Utf8) => Judged | 'not due' | Why

/** @param dueOf which locations the run takes */
export function judgeIn(dueOf: DueOf, ...run: Parameters<typeof taskEncoder>): Judge {
  const encode = taskEncoder(...run)
  return (location, place, task) => {
    if (isMalformed(location)) return location
    if ('reason' in place) return place
    const due = dueOf(location, place)
    if (due === 'not due' || due instanceof Rejection) return due
    const digits = encode(place, location, task, due.window)
    return digits instanceof Rejection ? digits : { place, due, digits }
  }
}

/** A judge that returns the task as JSON text. */
export function textJudgeIn(
  ...run: Parameters<typeof judgeIn>
): (location: Location | Malformed, place: Checked) => (Judged & { readonly text: string }) | 'not due' | Why {
  const [judge, task] = [judgeIn(...run), new Utf8(maxTaskBytes)]
  return (location, place) => {
    task.end = 0
    const judged = judge(location, place, task)
    return judged !== 'not due' && 'digits' in judged ? { ...judged, text: task.toString() } : judged
  }
}

/** A rejected location, as it is reported and stored. */
export interface Told {
  readonly reason: string
  readonly value: string
  readonly position: string
}

export const rejectionOf = (page: PlacedBatch, index: number, { reason, field }: Why): Told => ({
  reason,
  value: recordInWords(page.locations[index] ?? {}),
  position: page.position(index, field),
})

/** A plugin may give what JSON can't represent: that record must be set aside, too. */
function recordInWords(location: Location | Malformed): string {
  if (isMalformed(location)) return location.value
  try {
    return exactJson(location) ?? ''
  } catch {
    return inspect(location, { depth: 2, breakLength: Number.POSITIVE_INFINITY })
  }
}
