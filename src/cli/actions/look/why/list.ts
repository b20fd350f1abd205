/** The line of a place in the source's list, and what a run makes of it. */
import type { RunTold } from '../../../../outbox/inspect/ids/story.js'
import type { Place } from '../../../../tasks/place.js'
import type { ChosenSource } from '../../../compose.js'
import type { Judged } from './judge.js'
import { type Fit, type Matcher, type Spot, spotOfRecord } from './match.js'

/** A line of the list. */
export interface Line {
  /** Of one that can't be a task what it says of itself; undefined where that is nothing. */
  readonly spot: Spot | undefined
  /** Such as `line 17`. */
  readonly position: string
  /** What stands there. */
  readonly value: string
  /** Which setting of the source leaves it out, such as `where.country`, `limit` or `shard`; null where none does. */
  readonly leftOutBy: string | null
  /** Why it can't be a task; null where it can. */
  readonly rejected: string | null
  /** Where the same place stood before; null where it is the first. */
  readonly duplicateOf: string | null
  /** How often it is due; null where it is due in each run. */
  readonly cadence: { readonly every: string; readonly window: string; readonly next: string } | null
  /** Its task's id in a run; why it has none: `not due`. */
  readonly idIn: (told: RunTold) => string
}

export interface Looked {
  readonly read: number
  readonly lines: readonly Line[]
  /** How well all of them fit. */
  readonly fit: Fit
  /** How many lines fit, whatever the limit. */
  readonly fitting: number
  /** The name in the list that is most like the text. */
  readonly near: string | undefined
}

interface Asked {
  readonly text: string
  readonly matcher: Matcher
  readonly limit: number
  readonly cadence: string | null
  readonly now: number
  readonly signal: AbortSignal
  /** Where the text is a task's id that the outbox no longer has: the runs that it may be of. */
  readonly runs: readonly RunTold[]
}

/** Reads the whole list, without its filters, and says which of them would leave a line out. */
export async function linesIn(source: ChosenSource, asked: Asked): Promise<Looked> {
  const [{ pagesOf }, { Nearest }, { judgeOf }] = await Promise.all([
    import('../../../../pipeline/input/pages.js'),
    import('../../../../errors/suggest.js'),
    import('./judge.js'),
  ])
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
      const of = found[fit]
      of.count++
      if (of.lines.length < asked.limit) of.lines.push({ ...judged.line(), spot, position })
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
