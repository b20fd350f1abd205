/** `owm plan`: what the coming slots bring, and what that costs. Stores nothing. */
import type { Loaded } from '../../../config/load.js'
import { ConfigurationError, OverLimitError, type OwmError } from '../../../errors/index.js'
import { compact } from '../../../lists.js'
import type { RejectedFor } from '../../../pipeline/input/rejects.js'
import { broken, costOf, perMinute, type Terms } from '../../../schedule/limits.js'
import { gapsOf } from '../../../schedule/pace.js'
import {
  type Coming,
  coming,
  type Day,
  dayMs,
  daysOf,
  type Load,
  type Rhythms,
  tasksIn,
} from '../../../schedule/plan.js'
import type { Place } from '../../../tasks/place.js'
import { slotOf } from '../../../tasks/slot.js'
import type { Done } from '../../command.js'
import { policyOf, type Surroundings, scheduleIn, sourceOf } from '../../compose.js'
import { count, plural, stopwatch } from '../../format.js'
import { lastListOf } from '../produce/dry-run.js'
import { filteredOut } from '../produce/produce.js'
import { tellRejects } from '../rejects.js'
import { overLimitInWords, planInWords } from './report.js'

/** Tasks, and by how often their locations are due: `each run`, `1h`, `1d`. Without `plan:` calls are null. */
interface Planned {
  tasks: number
  byCadence: Readonly<Record<string, number>>
  calls: number | null
}

export interface PlannedSlot extends Planned {
  slot: string
  /** To the next slot; null where none is scheduled behind it. */
  minutes: number | null
  /** Where workers spread the calls over those minutes; rounded up to a tenth. */
  callsPerMinute: number | null
}

/** A limit that is exceeded, and where first. */
export interface Over {
  limit: 'limitPerMinute' | 'limitPerDay'
  allowed: number
  /** The slot; of a day, its beginning. */
  at: string
  calls: number
  /** Of a slot. */
  callsPerMinute?: number
}

/** What `owm plan --json` prints. */
export interface PlanResult {
  cron: string | null
  timezone: string | null
  source: {
    name: string | null
    read: number
    rejected: number
    duplicates: number
    leftOut?: number
    limitReached?: boolean
    rejectedFor?: RejectedFor[]
    merged?: number
  }
  /** From when on, and how far. */
  from: string | null
  hours: number
  slots: PlannedSlot[]
  /** Locations that are due more often than the schedule comes, by their cadence: most of their windows are skipped. */
  tooOften: Readonly<Record<string, number>>
  /** The 24 hours from now on. `cost` is null without a price. */
  day: Planned & { cost: number | null }
  /** 30 such days. */
  month: { tasks: number; calls: number | null; cost: number | null }
  currency: string | null
  /** The limits that are exceeded; the first that is, first. */
  over: Over[]
  durationMs: number
}

interface PlanFlags {
  hours: number
  check: boolean
}

export const nothingPlanned = (): PlanResult => ({
  cron: null,
  timezone: null,
  from: null,
  hours: 0,
  slots: [],
  currency: null,
  over: [],
  durationMs: 0,
  tooOften: {},
  source: { name: null, read: 0, rejected: 0, duplicates: 0 },
  day: { tasks: 0, byCadence: {}, calls: null, cost: null },
  month: { tasks: 0, calls: null, cost: null },
})

/**
 * Fills `result` while it works, so that it says what was done also where an error ends it.
 * @param onPlace is told each place that the source gives
 */
export async function plan(
  result: PlanResult,
  { hours, check }: PlanFlags,
  configure: () => Promise<Loaded>,
  around: Surroundings,
  onPlace?: (place: Place) => void,
): Promise<Done<PlanResult>> {
  const elapsed = stopwatch()
  const loaded = await configure()
  const schedule = scheduleIn(loaded)
  const { plan: terms, source } = loaded.settings
  const now = Math.floor(around.now() / 1_000) * 1_000
  Object.assign(result, { cron: schedule.cron, timezone: schedule.timezone, from: slotOf(now), hours })
  Object.assign(result, { currency: terms?.currency ?? null, source: { ...result.source, name: source?.use ?? null } })
  if (check) mustHaveLimit(loaded)
  const { rhythms, error } = await readRhythms(result, loaded, around, onPlace)
  const [end, to] = [now + (hours * dayMs) / 24, now + (Math.max(24, hours) * dayMs) / 24]
  const { timetable } = policyOf(schedule, around)
  const { smallest } = gapsOf(timetable, now)
  result.tooOften = rhythms.shorterThan(smallest)
  await tellTooOften(result, smallest, around)
  const slots = coming(rhythms, timetable, now, to)
  const days = daysOf(slots, now, to)
  result.slots = slots.filter(({ slot }) => slot <= end).map((one) => shownSlot(one, terms))
  if (days[0]) Object.assign(result, shownDay(days[0], terms))
  if (terms) result.over = overOf(slots, days, terms)
  result.durationMs = elapsed()
  const errors = check ? result.over.map((over) => overLimit(over, result, loaded)) : []
  return { result, summary: await planInWords(result, terms), errors: compact(error && error, ...errors) }
}

/** Reads the source, once: the part of a plan that needs no schedule. */
export async function readRhythms(
  result: PlanResult,
  loaded: Loaded,
  around: Surroundings,
  onPlace?: (place: Place) => void,
): Promise<{ rhythms: Rhythms; error: OwmError | undefined }> {
  const [{ rhythmsIn }, { cadenceKept }] = await Promise.all([
    import('../../../pipeline/slots/plan.js'),
    import('../../../config/filters.js'),
  ])
  const source = await sourceOf(loaded, around, () => undefined)
  const log = await around.logger()
  const last = await lastListOf(source, loaded)
  const found = await rhythmsIn(source, await cadenceKept(loaded), { signal: around.signal, log, onPlace, last })
  const { rhythms, rejects, error, warning, ...counts } = found
  if (warning !== undefined) log.warn({ event: 'source-empty' }, warning)
  result.source = { ...result.source, ...counts, ...filteredOut(source), ...(await tellRejects(rejects, around)) }
  return { rhythms, error }
}

async function tellTooOften({ tooOften }: PlanResult, gap: number, { logger }: Surroundings): Promise<void> {
  for (const [every, locations] of Object.entries(tooOften)) {
    const are = plural(locations, 'location is', 'locations are')
    const gaps = `scheduled times are ${gap / 60_000} minutes apart or more`
    const log = await logger()
    log.warn(
      { event: 'windows-between-slots', every, locations },
      `${are} due every ${every}, and ${gaps}: most of those windows are skipped`,
    )
  }
}

function plannedOf(load: Load, terms: Terms | undefined): Planned {
  const tasks = tasksIn(load)
  return { tasks, byCadence: load, calls: terms ? tasks * terms.callsPerTask : null }
}

function shownSlot(one: Coming, terms: Terms | undefined): PlannedSlot {
  const planned = plannedOf(one.load, terms)
  return {
    slot: slotOf(one.slot),
    ...planned,
    minutes: one.next === undefined ? null : (one.next - one.slot) / 60_000,
    callsPerMinute: planned.calls === null ? null : (perMinute(planned.calls, one) ?? null),
  }
}

function shownDay({ load }: Day, terms: Terms | undefined): Pick<PlanResult, 'day' | 'month'> {
  const planned = plannedOf(load, terms)
  const { tasks, calls } = planned
  const cost = (days: number): number | null => {
    const exact = terms && costOf(tasks * terms.callsPerTask, terms, days)
    return exact === undefined ? null : Number(exact)
  }
  return {
    day: { ...planned, cost: cost(1) },
    month: { tasks: 30 * tasks, calls: calls === null ? null : 30 * calls, cost: cost(30) },
  }
}

function overOf(slots: readonly Coming[], days: readonly Day[], terms: Terms): Over[] {
  const { minute, day } = broken(slots, days, terms)
  const { limitPerMinute = 0, limitPerDay = 0 } = terms
  const over: Over[] = []
  if (minute) {
    const { slot, calls, callsPerMinute } = shownSlot(minute, terms)
    const found = { calls: calls ?? 0, callsPerMinute: callsPerMinute ?? 0 }
    over.push({ limit: 'limitPerMinute', allowed: limitPerMinute, at: slot, ...found })
  }
  if (day) {
    const { calls } = plannedOf(day.load, terms)
    over.push({ limit: 'limitPerDay', allowed: limitPerDay, at: slotOf(day.from), calls: calls ?? 0 })
  }
  return over.sort((one, other) => Date.parse(one.at) - Date.parse(other.at))
}

/** A check that nothing can fail is a slip. Throws ConfigurationError. */
function mustHaveLimit({ settings: { plan: terms }, file }: Loaded): void {
  if (terms?.limitPerMinute !== undefined || terms?.limitPerDay !== undefined) return
  throw new ConfigurationError(`--check has no limit to compare with${file ? ` in ${file}` : ''}.`, {
    hint: 'Add `plan: {limitPerMinute: 60}`, or `limitPerDay`: what the weather API allows.',
  })
}

function overLimit(over: Over, { source }: PlanResult, { settings: { cadence } }: Loaded): OverLimitError {
  const spread =
    over.limit === 'limitPerMinute' && cadence && !cadence.spread
      ? 'Set cadence.spread: true for an even load, give'
      : 'Give'
  return new OverLimitError(overLimitInWords(over), {
    hint: `${spread} locations a longer cadence, or take fewer of the ${count(source.read)} (source.where).`,
  })
}
