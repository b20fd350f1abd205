/** The lines of a place in the source's list, and what a run would make of them. */
import { Nearest } from '../../../../errors/suggest.js'
import type { RunTold } from '../../../../outbox/inspect/ids/story.js'
import { pagesOf } from '../../../../pipeline/input/pages.js'
import type { Place } from '../../../../tasks/place.js'
import type { ChosenSource } from '../../../compose.js'
import { type Judged, judgeOf } from './judge.js'
import { type Fit, type Matcher, type Spot, spotOfRecord } from './match.js'

export interface Line {
  /** If it can't be a task: what the record itself says; undefined if it names no place. */
  readonly spot: Spot | undefined
  /** Such as `line 17`. */
  readonly position: string
  /** The record as text. */
  readonly value: string
  /** Which setting of the source leaves it out, such as `where.country`, `limit` or `shard`; null if none does. */
  readonly leftOutBy: string | null
  /** Why it can't be a task; null if it can. */
  readonly rejected: string | null
  /** The position of the place's first line; null if this is the first. */
  readonly duplicateOf: string | null
  /** How often it is due; null if in every run. */
  readonly cadence: { readonly every: string; readonly window: string; readonly next: string } | null
  /** Its task's id in a run; `not due`; or '' if it can't be a task. */
  readonly idIn: (told: RunTold) => string
}

export interface Looked {
  readonly read: number
  readonly lines: readonly Line[]
  /** How well they fit. */
  readonly fit: Fit
  /** How many lines fit, regardless of the limit. */
  readonly fitting: number
  /** The name in the list that is most similar to the text. */
  readonly near: string | undefined
}

interface Asked {
  readonly text: string
  readonly matcher: Matcher
  readonly limit: number
  readonly cadence: string | null
  readonly now: number
  readonly signal: AbortSignal
  /** The runs to search, if the text is the id of a task that the outbox no longer has. */
  readonly runs: readonly RunTold[]
}

/** Reads the whole list, bypassing the filters, and says which of them would leave a line out. */
export async function linesIn(source: ChosenSource, asked: Asked): Promise<Looked> {
  const judge = judgeOf(source.filters, asked)
  const found: Record<'exact' | 'part', { count: number; lines: Line[] }> = {
    exact: { count: 0, lines: [] },
    part: { count: 0, lines: [] },
  }
  const nearest = new Nearest(asked.text)
  let read = 0
  for await (const page of pagesOf({ ...source, open: source.openWhole }, asked))
    for (const [index, location] of page.locations.entries()) {
      read++
      const position = page.position(index)
      const judged = judge(location, position)
      const spot = judged.place ? spotOf(judged.place) : spotOfRecord(judged.value())
      if (spot) nearest.offer(spot.city)
      const fit = fitOf(asked, judged, spot, position)
      if (fit === undefined) continue
      const group = found[fit]
      group.count++
      if (group.lines.length < asked.limit) group.lines.push({ ...judged.line(), spot, position })
    }
  const fit = found.exact.count > 0 ? 'exact' : 'part'
  const { count: fitting, lines } = found[fit]
  return { read, lines, fit, fitting, near: nearest.found }
}

function fitOf({ text, matcher, runs }: Asked, judged: Judged, spot: Spot | undefined, position: string): Fit {
  const own = judged.place && spot ? matcher.ofSpot(spot) : matcher.ofRecord(judged.value())
  const fit = matcher.ofPosition(position) ?? own
  if (fit !== undefined || runs.length === 0) return fit
  const { idIn } = judged.line()
  return runs.some((run) => idIn(run) === text) ? 'exact' : undefined
}

const spotOf = ({ city, state, latitude, longitude, id }: Place): Spot => ({
  city,
  state,
  latitude,
  longitude,
  id: id === undefined ? null : String(id),
})
