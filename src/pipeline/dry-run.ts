/** `owm produce --dry-run`: reads and checks everything, writes nothing. */
import { hash } from 'node:crypto'
import type { OwmError } from '../errors/index.js'
import type { RunRow } from '../outbox/outbox.js'
import { SeenIds } from '../tasks/ids/seen.js'
import { placeText } from '../tasks/place.js'
import type { CadenceCheck, DueOf } from './input/cadence.js'
import { otherPlaceHere } from './input/intake.js'
import { checkedIn, rejectionOf, textJudgeIn } from './input/judge.js'
import { minimumOf, nothingGiven, tooFew } from './input/minimum.js'
import { pagesOf } from './input/pages.js'
import { Rejects } from './input/rejects.js'
import type { SourceDeps } from './parts.js'

/** The run to compare the list with (`source.minShare`); undefined if there is none. */
export type LastList = Pick<RunRow, 'read' | 'rejected'> | undefined

/** The most tasks in a preview. */
const mostPreviewed = 10

export interface DryRun {
  read: number
  rejected: number
  /** Without an outbox, false duplicates are possible: see tasks/ids/seen for how rarely. */
  duplicates: number
  /** With a cadence: locations without a window in the slot's interval. */
  notDue: number
  /** The first tasks, as JSON text. */
  preview: string[]
  rejects: Rejects
  /** If the source gave too little. */
  error: OwmError | undefined
  warning: string | undefined
}

/**
 * @param how namespace: see tasks/id; traceparent: see tasks/encode; dueOf: which locations the slot has; signal: ends
 *   it early, with what was read until then; check: gets all pages; last: see `LastList`
 */
export async function dryRun(
  source: SourceDeps,
  slot: string,
  {
    namespace,
    traceparent,
    dueOf,
    last,
    ...around
  }: {
    namespace: string
    traceparent?: string | undefined
    dueOf: DueOf
    signal: AbortSignal
    check?: CadenceCheck | undefined
    last?: LastList
  },
): Promise<DryRun> {
  const judge = textJudgeIn(dueOf, slot, namespace, traceparent)
  const seen = { ids: new SeenIds(), places: new SeenIds(), tasks: new SeenIds() }
  const found = { read: 0, rejected: 0, duplicates: 0, notDue: 0, preview: [] as string[] }
  const rejects = new Rejects()
  for await (const page of pagesOf(source, around))
    for (const [index, location] of page.locations.entries()) {
      found.read++
      const judged = judge(location, checkedIn(page, index))
      if (judged === 'not due') {
        found.notDue++
        continue
      }
      if ('reason' in judged) {
        found.rejected++
        rejects.add(rejectionOf(page, index, judged))
        continue
      }
      const { digits, place, text } = judged
      const isSamePlace = seen.places.add(hash('sha1', `${digits}${placeText(place)}`))
      const isSameTask = seen.tasks.add(hash('sha1', text))
      if (!seen.ids.add(digits)) {
        if (found.preview.length < mostPreviewed) found.preview.push(text)
      } else if (isSamePlace) {
        found.duplicates++
        if (!isSameTask) rejects.merge({ position: page.position(index), keys: [], values: ['', ''] })
      } else {
        found.rejected++
        rejects.add({ reason: otherPlaceHere, value: text, position: page.position(index) })
      }
    }
  return { ...found, rejects, ...enough(source, found, { rejects, last }) }
}

/** Whether a source that was read without an outbox gave enough. */
export function enough(
  source: SourceDeps,
  { read, rejected }: { read: number; rejected: number },
  { rejects, last }: { rejects: Rejects; last: LastList },
): Pick<DryRun, 'error' | 'warning'> {
  const own = { read, usable: read - rejected }
  const given = source.given?.() ?? own
  const error = tooFew(source.name, { given, own }, minimumOf(source, last), rejects, false)
  return { error, warning: error ? undefined : nothingGiven(source.name, given) }
}
