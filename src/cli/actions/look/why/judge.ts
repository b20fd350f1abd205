/** What the filters, the cadence and the lines before it make of a line of the list. */
import type { RunTold } from '../../../../outbox/inspect/ids/story.js'
import { cadenceOf, dueIn, type RhythmOf, rhythms } from '../../../../pipeline/input/cadence.js'
import { type Filters, throughFilters } from '../../../../pipeline/input/filters/filters.js'
import { meeting } from '../../../../pipeline/input/filters/where.js'
import { checked, textJudgeIn } from '../../../../pipeline/input/judge.js'
import { Positions } from '../../../../pipeline/input/positions.js'
import { shardNumber, spreadDigits } from '../../../../pipeline/input/spread.js'
import { isMalformed, type Location, type Malformed } from '../../../../plugin.js'
import { durationText } from '../../../../schedule/duration.js'
import { newestWindow } from '../../../../schedule/windows.js'
import { hexNumber, taskIdOf } from '../../../../tasks/id.js'
import { exactJson } from '../../../../tasks/json/exact.js'
import type { Place } from '../../../../tasks/place.js'
import { Rejection } from '../../../../tasks/rejection.js'
import { slotOf } from '../../../../tasks/slot.js'
import type { Line } from './list.js'

export interface Judged {
  readonly place: Place | undefined
  readonly value: () => string
  readonly line: () => Omit<Line, 'spot' | 'position'>
}

/** Makes the function that judges one line after the other. */
export function judgeOf(
  filters: Filters | undefined,
  { cadence, now }: { cadence: string | null; now: number },
): (location: Location | Malformed, position: string) => Judged {
  const before = new Before()
  const takes = takingOf(filters)
  const kept = cadenceOf({ cadence })
  const rhythmOf = kept && rhythms(kept)
  const idIn = idsIn()
  return (location, position) => {
    const leftOutBy = takes(location)
    const made = checked(location)
    const place = 'key' in made ? made : undefined
    const duplicateOf = place && leftOutBy === null ? before.note(place, position) : null
    const value = (): string => (isMalformed(location) ? location.value : (exactJson(location) ?? ''))
    const line = (): Omit<Line, 'spot' | 'position'> => ({
      value: value(),
      leftOutBy,
      duplicateOf,
      rejected: 'reason' in made ? made.reason : null,
      cadence: place && !isMalformed(location) ? windowNow(rhythmOf?.(location, place), now) : null,
      idIn: (told) => (place && !isMalformed(location) ? idIn(told, location, place) : ''),
    })
    return { place, value, line }
  }
}

/** Which filter leaves a line out; null where none does. */
function takingOf(filters: Filters | undefined): (location: Location | Malformed) => string | null {
  if (!filters) return () => null
  const { fields, shard, limit = Number.POSITIVE_INFINITY } = filters
  let through = 0
  return (location) => {
    const looked = throughFilters(location, filters)
    if (looked.by === 'where') {
      const failed = Object.entries(fields).find(([field, wanted]) => !meeting(wanted)(Reflect.get(location, field)))
      return `where.${failed?.[0] ?? ''}`
    }
    if (looked.by !== undefined) return looked.by === 'bbox' ? 'where.bbox' : looked.by
    if (through >= limit) return 'limit'
    through++
    return shard && shardNumber(looked.digits) % shard.count !== shard.index ? 'shard' : null
  }
}

/** The places of the list so far, by a fingerprint of 52 bits, and where they stood. */
class Before {
  readonly #indexes = new Map<number, number>()
  readonly #positions = new Positions(0)

  /** Where the same place stood before; null where it is the first. */
  note({ key }: Place, position: string): string | null {
    const fingerprint = hexNumber(spreadDigits(key), 0, 13)
    const known = this.#indexes.get(fingerprint)
    if (known !== undefined) return this.#positions.of(known) ?? 'a line before it'
    this.#indexes.set(fingerprint, this.#indexes.size)
    this.#positions.add(position)
    return null
  }
}

function windowNow(rhythm: ReturnType<RhythmOf>, now: number): Line['cadence'] {
  if (rhythm === undefined || rhythm instanceof Rejection) return null
  const window = newestWindow(rhythm, { from: now - rhythm.every, to: now })
  if (!window) return null
  return {
    every: durationText(rhythm.every),
    window: slotOf(window.start),
    next: slotOf(window.start + rhythm.every),
  }
}

/** Makes the function that tells the id of a location's task in a run; '' where it can't have one, `not due`. */
function idsIn(): (told: RunTold, location: Location, place: Place) => string {
  const judges = new Map<string, ReturnType<typeof textJudgeIn>>()
  return ({ run, windows }, location, place) => {
    const judge = judges.get(run.runId) ?? textJudgeIn(dueIn(cadenceOf(run), windows), run.slot, run.namespace)
    judges.set(run.runId, judge)
    const judged = judge(location, place)
    if (judged === 'not due') return judged
    return 'text' in judged ? taskIdOf(judged.text) : ''
  }
}
