/** Which locations are due in a run, if they don't all have the rhythm of the schedule. */
import type { RunRow } from '../../outbox/outbox.js'
import type { Windows } from '../../outbox/runs/windows.js'
import { isMalformed, type Location, type LocationBatch, type Logger } from '../../plugin.js'
import { durationMs } from '../../schedule/duration.js'
import { newestWindow, periodMs, periodsInWords, type Rhythm, type Span } from '../../schedule/windows.js'
import type { Place } from '../../tasks/place.js'
import { Rejection, shown } from '../../tasks/rejection.js'
import { slotOf } from '../../tasks/slot.js'
import { FieldCheck } from './filters/field-check.js'
import { type Conditions, fieldOf, meetingAll } from './filters/where.js'
import { phaseShare, spreadDigits } from './spread.js'

/** How often each location is due. A run stores it as JSON, as it was configured when the run began. */
export interface Cadence {
  /** For locations without a field or rule that decides; without a default those are due in every run. */
  readonly default?: string | undefined
  /** The field of a location that has its period. */
  readonly field?: string | undefined
  /** The first one that matches counts. */
  readonly rules: readonly { readonly where: Conditions; readonly every: string }[]
  /** Whether each location has a phase of its own. */
  readonly spread: boolean
}

/** The cadence of a run; undefined if every location is due in it. */
export const cadenceOf = ({ cadence }: Pick<RunRow, 'cadence'>): Cadence | undefined =>
  cadence === null ? undefined : JSON.parse(cadence)

/** Checks the fields that a cadence uses: if one is misspelt, locations silently get another rhythm. */
export interface CadenceCheck {
  note(page: LocationBatch): void
  /** At the end of the list. */
  warn(): void
}

export function cadenceCheck(cadence: Cadence | undefined, log: Logger): CadenceCheck {
  const checks = cadence ? fieldChecks(cadence, log) : []
  return {
    note({ locations }) {
      for (const check of checks) for (const one of locations) if (!isMalformed(one)) check.note(one)
    },
    warn() {
      for (const check of checks) check.warn()
    },
  }
}

function fieldChecks({ field, rules }: Cadence, log: Logger): FieldCheck[] {
  const own = field === undefined ? [] : [new FieldCheck({ [field]: { exists: true } }, 'cadence.field', log)]
  const ofRules = rules.map(({ where }, index) => new FieldCheck(where.fields, `cadence.rules.${index}.where`, log))
  return [...own, ...ofRules]
}

/** A location that is due. */
export interface Due {
  /** Replaces the slot in the task's id; undefined if that is the slot. */
  readonly window?: string
  /** The number of older windows, which are never served. */
  readonly skipped: number
}

export type DueOf = (location: Location, place: Place) => Due | 'not due' | Rejection

/** Returns a function that decides whether a location is due in a run. */
export function dueIn(cadence: Cadence | undefined, { covering, ...span }: Windows): DueOf {
  if (!cadence) return () => always
  const rhythmOf = rhythms(cadence)
  return (location, place) => {
    const rhythm = rhythmOf(location, place)
    if (rhythm === undefined) return always
    if (rhythm instanceof Rejection) return rhythm
    return dueNow(rhythm, span, covering) ?? 'not due'
  }
}

const always: Due = { skipped: 0 }

/** @param covering the interval whose run has served the newest of its windows already */
function dueNow(rhythm: Rhythm, span: Span, covering: Span | undefined): Due | undefined {
  const window = newestWindow(rhythm, span)
  if (!window) return undefined
  // guard: window-once
  if (covering && newestWindow(rhythm, covering)?.start === window.start) return undefined
  // In an interval that was covered, they have been counted already.
  return { window: slotOf(window.start), skipped: covering ? 0 : window.older }
}

/** @param digits of its place, if the caller has them already: see ./spread */
export type RhythmOf = (location: Location, place: Place, digits?: string) => Rhythm | undefined | Rejection

/** The most durations whose meaning is cached. */
const mostKnown = 1_000

/** The rhythm of a location: the field's, else that of the first rule that matches, else the default's. */
export function rhythms(cadence: Cadence): RhythmOf {
  const rules = cadence.rules.map(({ where, every }) => ({ meets: meetingAll(where), every: durationMs(every) }))
  const byDefault = cadence.default === undefined ? undefined : durationMs(cadence.default)
  // A list has few different durations.
  const known = new Map<unknown, number | Rejection>()
  const everyOf = (location: Location, place: Place): number | undefined | Rejection => {
    const own = cadence.field === undefined ? undefined : fieldOf(location, cadence.field)
    if (own !== undefined && own !== null && own !== '') {
      const every = known.get(own)
      if (every !== undefined) return every
      const read = ownEvery(own, cadence.field)
      if (known.size < mostKnown) known.set(own, read)
      return read
    }
    const rule = rules.find(({ meets }) => meets(location, place))
    return rule ? rule.every : byDefault
  }
  return (location, place, digits) => {
    const every = everyOf(location, place)
    if (every === undefined || every instanceof Rejection) return every
    // In whole seconds, as times are written.
    const share = cadence.spread ? phaseShare(digits ?? spreadDigits(place.key)) : 0
    return { every, phase: Math.floor((share * every) / 1_000) * 1_000 }
  }
}

function ownEvery(value: unknown, field: string | undefined): number | Rejection {
  const every = typeof value === 'string' ? periodMs(value.trim()) : undefined
  if (every !== undefined) return every
  return new Rejection(`${field} must be a duration ${periodsInWords}, such as 6h, not ${shown(value)}`, field)
}
