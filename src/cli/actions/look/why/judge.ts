/** What a run would make of a line of the list, given the filters, the cadence and the lines before it. */
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

/** Makes a function that judges the lines, which must come in the list's order. */
export function judgeOf(
  filters: Filters | undefined,
  { cadence, now }: { cadence: string | null; now: number },
): (location: Location | Malformed, position: string) => Judged {
  const earlier = new EarlierPlaces()
  const filterLeavingOut = filterCheck(filters)
  const compiled = cadenceOf({ cadence })
  const rhythmOf = compiled && rhythms(compiled)
  const idIn = idFinder()
  return (location, position) => {
    const leftOutBy = filterLeavingOut(location)
    const made = checked(location)
    const place = 'key' in made ? made : undefined
    const duplicateOf = place && leftOutBy === null ? earlier.add(place, position) : null
    const rhythm = place && !isMalformed(location) ? rhythmOf?.(location, place) : undefined
    const value = (): string => (isMalformed(location) ? location.value : (exactJson(location) ?? ''))
    const line = (): Omit<Line, 'spot' | 'position'> => ({
      value: value(),
      leftOutBy,
      duplicateOf,
      rejected: 'reason' in made ? made.reason : rhythm instanceof Rejection ? rhythm.reason : null,
      cadence: windowNow(rhythm, now),
      idIn: (told) => (place && !isMalformed(location) ? idIn(told, location, place) : ''),
    })
    return { place, value, line }
  }
}

/** Makes a function that says which filter leaves a line out; null if none does. */
function filterCheck(filters: Filters | undefined): (location: Location | Malformed) => string | null {
  if (!filters) return () => null
  const { fields, shard, limit = Number.POSITIVE_INFINITY } = filters
  let through = 0
  return (location) => {
    const filtered = throughFilters(location, filters)
    if (filtered.by === 'where') {
      const failed = Object.entries(fields).find(([field, wanted]) => !meeting(wanted)(Reflect.get(location, field)))
      return `where.${failed?.[0] ?? ''}`
    }
    if (filtered.by !== undefined) return filtered.by === 'bbox' ? 'where.bbox' : filtered.by
    if (through >= limit) return 'limit'
    through++
    return shard && shardNumber(filtered.digits) % shard.count !== shard.index ? 'shard' : null
  }
}

/** The list's places so far and their positions, by a 52-bit fingerprint. */
class EarlierPlaces {
  readonly #indexes = new Map<number, number>()
  readonly #positions = new Positions(0)

  /** The position of the place's first line; null if this is the first. */
  add({ key }: Place, position: string): string | null {
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

/** Makes a function that gives the id of a location's task in a run; `not due`; or '' if it can't be a task. */
function idFinder(): (told: RunTold, location: Location, place: Place) => string {
  const judges = new Map<string, ReturnType<typeof textJudgeIn>>()
  return ({ run, windows }, location, place) => {
    const judge = judges.get(run.runId) ?? textJudgeIn(dueIn(cadenceOf(run), windows), run.slot, run.namespace)
    judges.set(run.runId, judge)
    const judged = judge(location, place)
    if (judged === 'not due') return judged
    return 'text' in judged ? taskIdOf(judged.text) : ''
  }
}
