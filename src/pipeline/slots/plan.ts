/** Reads a source once and counts its locations by how often they are due. */
import { isMalformed, type Location, type Logger, type Malformed } from '../../plugin.js'
import { Rhythms } from '../../schedule/plan.js'
import type { Rhythm } from '../../schedule/windows.js'
import { Utf8 } from '../../tasks/bytes.js'
import { maxTaskBytes } from '../../tasks/encode.js'
import { writeExtras } from '../../tasks/extras.js'
import { idDigits } from '../../tasks/id.js'
import { SeenIds } from '../../tasks/ids/seen.js'
import type { Place } from '../../tasks/place.js'
import { orRejection, Rejection } from '../../tasks/rejection.js'
import { type DryRun, enough, type LastList } from '../dry-run.js'
import { type Cadence, cadenceCheck, cadenceOf, type RhythmOf, rhythmEvery, rhythms } from '../input/cadence.js'
import { type Checked, checkedIn, rejectionOf, type Why } from '../input/judge.js'
import { pagesOf } from '../input/pages.js'
import { Rejects } from '../input/rejects.js'
import { spreadDigits } from '../input/spread.js'
import type { SourceDeps } from '../parts.js'

interface RhythmsFound extends Omit<DryRun, 'preview' | 'notDue'> {
  rhythms: Rhythms
}

/**
 * A place that occurs twice counts once, as in a run: with the first of its rhythms that is due. No task is encoded: a
 * million locations take a second.
 *
 * @param cadence as a run stores it; null if every location is due in every run
 * @param around signal: ends it early, with what was read so far; onPlace: called once for each place; last: see
 *   `LastList`
 */
export async function rhythmsIn(
  source: SourceDeps,
  cadence: string | null,
  around: { signal: AbortSignal; log: Logger; onPlace?: ((place: Place) => void) | undefined; last: LastList },
): Promise<RhythmsFound> {
  const { signal, log, onPlace, last } = around
  const configured = cadenceOf({ cadence })
  const judge = rhythmJudge(configured, onPlace)
  const totals = { read: 0, rejected: 0, duplicates: 0, rhythms: new Rhythms() }
  const further = new FurtherPeriods(configured)
  const rejects = new Rejects()
  for await (const page of pagesOf(source, { signal, check: cadenceCheck(configured, log) }))
    for (const [index, location] of page.locations.entries()) {
      totals.read++
      const judged = judge(location, checkedIn(page, index))
      if ('reason' in judged) {
        totals.rejected++
        rejects.add(rejectionOf(page, index, judged))
        continue
      }
      const { rhythm, isSeen } = judged
      const others = further.add(judged)
      if (!isSeen) totals.rhythms.add(rhythm)
      else {
        totals.duplicates++
        if (others) totals.rhythms.addFurther(rhythm, others)
      }
    }
  return { ...totals, rejects, ...enough(source, totals, { rejects, last }) }
}

/** A place, and whether it was there before. */
interface Judged {
  readonly rhythm: Rhythm | undefined
  /** See input/spread. */
  readonly digits: string
  readonly isSeen: boolean
}

type RhythmJudge = (location: Location | Malformed, place: Checked) => Judged | Why

/** Returns a function that rejects what a run would reject, and returns how often the rest is due. */
function rhythmJudge(cadence: Cadence | undefined, onPlace: ((place: Place) => void) | undefined): RhythmJudge {
  const rhythmOf: RhythmOf = cadence ? rhythms(cadence) : () => undefined
  const seen = new SeenIds()
  const extras = new Utf8(maxTaskBytes)
  return (location, place) => {
    if (isMalformed(location)) return location
    if ('reason' in place) return place
    const digits = spreadDigits(place.key)
    const rhythm = rhythmOf(location, place, digits)
    if (rhythm instanceof Rejection) return rhythm
    extras.end = 0
    const written = orRejection(() => writeExtras(location, extras))
    if (written instanceof Rejection) return written
    const isSeen = seen.add(digits)
    if (!isSeen) onPlace?.(place)
    return { rhythm, digits, isSeen }
  }
}

/** Under which periods each place is in the list; 0 is each run. */
class FurtherPeriods {
  readonly #cadence: Cadence | undefined
  readonly #periods = new Set<number>()
  readonly #seen = new SeenIds()

  constructor(cadence: Cadence | undefined) {
    this.#cadence = cadence
  }

  /** Adds a place's period. If it has others only, and none of them is each run, returns their rhythms. */
  add({ rhythm, digits, isSeen }: Judged): Rhythm[] | undefined {
    const cadence = this.#cadence
    if (!cadence) return undefined
    const own = rhythm?.every ?? 0
    this.#periods.add(own)
    const isKnown = this.#seen.add(periodDigits(`${digits} ${own}`))
    if (!isSeen || isKnown) return undefined
    const others = [...this.#periods].filter(
      (every) => every !== own && this.#seen.has(periodDigits(`${digits} ${every}`)),
    )
    return others.includes(0) ? undefined : others.map((every) => rhythmEvery(every, cadence, digits))
  }
}

const periodDigits = idDigits('period')
