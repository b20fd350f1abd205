/** `owm plan`: how many tasks the coming slots bring, and what they cost. Stores nothing. */

import { cadenceKept, chosenShard } from '../../../config/filters.js'
import type { Loaded } from '../../../config/load.js'
import { ConfigurationError, OverLimitError, type OwmError, UsageError } from '../../../errors/index.js'
import { compact } from '../../../lists.js'
import type { RejectedFor } from '../../../pipeline/input/rejects.js'
import { rhythmsIn } from '../../../pipeline/slots/plan.js'
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
import { nameOfShard, type Shard } from '../../../tasks/shard.js'
import { slotOf } from '../../../tasks/slot.js'
import type { Done } from '../../command.js'
import { filteredOut, logWarning, mustHaveSchedule, onTimeOf, type Surroundings, sourceOf } from '../../compose.js'
import { count, plural, stopwatch } from '../../format.js'
import { lastListOf } from '../produce/dry-run.js'
import { logRejects } from '../rejects.js'
import { overLimitInWords, planInWords } from './report.js'

/** Tasks, in all and by the cadence of their locations: `each run`, `1h`, `1d`. `calls` is null without `plan:`. */
interface Planned {
  tasks: number
  byCadence: Readonly<Record<string, number>>
  calls: number | null
}

export interface PlannedSlot extends Planned {
  slot: string
  /** To the next slot; null if none follows. */
  minutes: number | null
  /** If workers spread the calls over those minutes; rounded up to a tenth. */
  callsPerMinute: number | null
}

/** An exceeded limit, and where it is first exceeded. */
export interface Over {
  limit: 'limitPerMinute' | 'limitPerDay'
  allowed: number
  /** The slot, or the beginning of the day. */
  at: string
  calls: number
  /** For limitPerMinute. */
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
  /** The beginning and length of the plan. */
  from: string | null
  hours: number
  slots: PlannedSlot[]
  /** Locations due more often than the schedule runs, by cadence: most of their windows are skipped. */
  tooOften: Readonly<Record<string, number>>
  /** The 24 hours from now on. `cost` is null without a price, and for a shard: free calls are those of all shards. */
  day: Planned & { cost: number | null }
  /** 30 such days. */
  month: { tasks: number; calls: number | null; cost: number | null }
  currency: string | null
  /** The exceeded limits, in order of time; none for a shard, since they are those of all shards together. */
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
 * Fills `result` while it works, so that it says what was done even if an error ends it.
 * @param onPlace called with each place of the source
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
  const schedule = mustHaveSchedule(loaded)
  const { plan: terms, source } = loaded.settings
  const now = Math.floor(around.now() / 1_000) * 1_000
  Object.assign(result, { cron: schedule.cron, timezone: schedule.timezone, from: slotOf(now), hours })
  Object.assign(result, { currency: terms?.currency ?? null, source: { ...result.source, name: source?.use ?? null } })
  const share = shareOf(loaded, around)
  if (check) mustHaveLimit(loaded, share)
  const { rhythms, error } = await readRhythms(result, loaded, around, onPlace)
  const [end, to] = [now + (hours * dayMs) / 24, now + (Math.max(24, hours) * dayMs) / 24]
  const { timetable } = onTimeOf(schedule, around)
  const { smallest } = gapsOf(timetable, now)
  result.tooOften = rhythms.shorterThan(smallest)
  await warnTooOften(result, smallest, around)
  const slots = coming(rhythms, timetable, now, to)
  const days = daysOf(slots, now, to)
  result.slots = slots.filter(({ slot }) => slot <= end).map((slot) => plannedSlot(slot, terms))
  if (days[0]) Object.assign(result, plannedDay(days[0], terms, share))
  if (terms && !share) result.over = overOf(slots, days, terms)
  result.durationMs = elapsed()
  const errors = check ? result.over.map((over) => overLimit(over, result, loaded)) : []
  return { result, summary: await planInWords(result, terms, share), errors: compact(error, ...errors) }
}

/** The shard that is planned; undefined for the whole list. */
function shareOf({ settings }: Loaded, { env }: Surroundings): Shard | undefined {
  const shard = chosenShard(settings, env)
  return shard && shard.count > 1 ? shard : undefined
}

/** Reads the source: the part of a plan that needs no schedule. */
export async function readRhythms(
  result: PlanResult,
  loaded: Loaded,
  around: Surroundings,
  onPlace?: (place: Place) => void,
): Promise<{ rhythms: Rhythms; error: OwmError | undefined }> {
  const source = await sourceOf(loaded, around)
  const log = await around.logger()
  const last = await lastListOf(source, loaded)
  const cadence = await cadenceKept(loaded)
  const reading = { signal: around.signal, log, onPlace, last }
  const { rhythms, rejects, error, warning, ...counts } = await rhythmsIn(source, cadence, reading)
  if (warning !== undefined) log.warn({ event: 'source-empty' }, warning)
  result.source = { ...result.source, ...counts, ...filteredOut(source), ...(await logRejects(rejects, around)) }
  return { rhythms, error }
}

async function warnTooOften({ tooOften }: PlanResult, gap: number, around: Surroundings): Promise<void> {
  for (const [every, locations] of Object.entries(tooOften)) {
    const are = plural(locations, 'location is', 'locations are')
    const gaps = `scheduled times are ${gap / 60_000} minutes apart or more`
    await logWarning(
      around,
      { event: 'windows-between-slots', every, locations },
      `${are} due every ${every}, and ${gaps}: most of those windows are skipped`,
    )
  }
}

function plannedOf(load: Load, terms: Terms | undefined): Planned {
  const tasks = tasksIn(load)
  return { tasks, byCadence: load, calls: terms ? tasks * terms.callsPerTask : null }
}

function plannedSlot(coming: Coming, terms: Terms | undefined): PlannedSlot {
  const planned = plannedOf(coming.load, terms)
  return {
    slot: slotOf(coming.slot),
    ...planned,
    minutes: coming.next === undefined ? null : (coming.next - coming.slot) / 60_000,
    callsPerMinute: planned.calls === null ? null : (perMinute(planned.calls, coming) ?? null),
  }
}

function plannedDay(
  { load }: Day,
  terms: Terms | undefined,
  share: Shard | undefined,
): Pick<PlanResult, 'day' | 'month'> {
  const planned = plannedOf(load, terms)
  const { tasks, calls } = planned
  const cost = (days: number): number | null => {
    const exact = terms && !share && costOf(tasks * terms.callsPerTask, terms, days)
    return exact ? Number(exact) : null
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
    const { slot, calls, callsPerMinute } = plannedSlot(minute, terms)
    const load = { calls: calls ?? 0, callsPerMinute: callsPerMinute ?? 0 }
    over.push({ limit: 'limitPerMinute', allowed: limitPerMinute, at: slot, ...load })
  }
  if (day) {
    const { calls } = plannedOf(day.load, terms)
    over.push({ limit: 'limitPerDay', allowed: limitPerDay, at: slotOf(day.from), calls: calls ?? 0 })
  }
  return over.sort((one, other) => Date.parse(one.at) - Date.parse(other.at))
}

/** `--check` that can't fail is an error. Throws UsageError and ConfigurationError. */
function mustHaveLimit({ settings: { plan: terms }, file }: Loaded, share: Shard | undefined): void {
  if (share)
    throw new UsageError(`The limits are those of all shards together: ${nameOfShard(share)} alone can't be checked.`, {
      hint: 'Leave --shard out: then the whole list is planned.',
    })
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
