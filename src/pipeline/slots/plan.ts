/** Reads a source once and counts its locations by how often they are due. */
import { isMalformed, type Location, type Logger, type Malformed } from '../../plugin.js'
import { Rhythms } from '../../schedule/plan.js'
import type { Rhythm } from '../../schedule/windows.js'
import { Utf8 } from '../../tasks/bytes.js'
import { maxTaskBytes } from '../../tasks/encode.js'
import { writeExtras } from '../../tasks/extras.js'
import { SeenIds } from '../../tasks/ids/seen.js'
import type { Place } from '../../tasks/place.js'
import { orRejection, Rejection } from '../../tasks/rejection.js'
import { type DryRun, enough, type LastList } from '../dry-run.js'
import { type Cadence, cadenceCheck, cadenceOf, type RhythmOf, rhythms } from '../input/cadence.js'
import { type Checked, checkedIn, rejectionOf, type Why } from '../input/judge.js'
import { pagesOf } from '../input/pages.js'
import { Rejects } from '../input/rejects.js'
import { spreadDigits } from '../input/spread.js'
import type { SourceDeps } from '../parts.js'

interface RhythmsFound extends Omit<DryRun, 'preview' | 'notDue'> {
  rhythms: Rhythms
}

/**
 * A place that occurs twice counts once, with its first rhythm. No task is encoded: a million locations take a second.
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
  const rejects = new Rejects()
  for await (const page of pagesOf(source, { signal, check: cadenceCheck(configured, log) }))
    for (const [index, location] of page.locations.entries()) {
      totals.read++
      const rhythm = judge(location, checkedIn(page, index))
      if (rhythm === 'seen before') totals.duplicates++
      else if (rhythm === undefined || 'every' in rhythm) totals.rhythms.add(rhythm)
      else {
        totals.rejected++
        rejects.add(rejectionOf(page, index, rhythm))
      }
    }
  return { ...totals, rejects, ...enough(source, totals, { rejects, last }) }
}

type RhythmJudge = (location: Location | Malformed, place: Checked) => Rhythm | undefined | Why | 'seen before'

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
    if (seen.add(digits)) return 'seen before'
    onPlace?.(place)
    return rhythm
  }
}
