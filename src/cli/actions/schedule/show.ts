/** `owm schedule`: which times were served, which are due, and what a start would do now. */
import type { Loaded } from '../../../config/load.js'
import { compact } from '../../../lists.js'
import { type GapSeen, type SlotSeen, slotsIn } from '../../../outbox/inspect/ledger/slots.js'
import { asWritten, wouldServe } from '../../../pipeline/slots/on-time.js'
import { missedInWords, standInFor, timesCovered, withServed } from '../../../schedule/covers.js'
import { slotOf } from '../../../tasks/slot.js'
import type { Done } from '../../command.js'
import { mustHaveSchedule, onTimeOf, type Surroundings } from '../../compose.js'
import { count, plural } from '../../format.js'
import { table, terminalWidth } from '../../table.js'

/** What `owm schedule --json` prints. */
export interface ScheduleResult {
  outbox: string | null
  cron: string | null
  timezone: string | null
  /** Newest first. */
  slots: (SlotSeen & { covers: number })[]
  /** How many slots aren't finished; a start would finish them. */
  open: number
  /** Scheduled times that no run serves. */
  missed: Missed[]
  /** What a start without --slot would do now: its slot, and its runs. */
  now: { slot: string | null; state: SlotSeen['state'] | null; runs: string[]; covered: number; missed: GapSeen[] }
  next: string | null
}

/** `served`: how many of them have been served since; left out if 0. */
type Missed = GapSeen & { served?: number }

export const nothingScheduled = (): ScheduleResult => ({
  outbox: null,
  cron: null,
  timezone: null,
  slots: [],
  open: 0,
  missed: [],
  next: null,
  now: { slot: null, state: null, runs: [], covered: 0, missed: [] },
})

export async function showSchedule(
  { limit }: { limit: number },
  configure: () => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<ScheduleResult>> {
  const loaded = await configure()
  const { outbox } = loaded.settings
  const schedule = mustHaveSchedule(loaded)
  const onTime = onTimeOf(schedule, around)
  const now = onTime.now()
  const seen = await slotsIn(outbox.path)
  const { slot, served, covered, gaps, takenOver } = wouldServe(onTime, seen)
  const next = onTime.timetable.after(Math.max(now, slot ?? now))
  const name = slot === undefined ? null : slotOf(slot)
  const state = seen.slots.find((each) => each.slot === name)?.state ?? null
  const result: ScheduleResult = {
    outbox: outbox.path,
    cron: schedule.cron,
    timezone: schedule.timezone,
    slots: seen.slots.slice(0, limit).map(({ slot: to, ...each }) => ({
      slot: to,
      ...each,
      // Its own start stored nothing; the run of a later one took its time over.
      ...(each.state === 'missed' && standInFor(Date.parse(to), seen) && { state: 'covered' as const }),
      covers: timesCovered({ from: each.from, to, state: each.state }, seen.missed, onTime.timetable),
    })),
    open: seen.open,
    missed: withServed(seen.missed.slice(0, limit), seen.slots, onTime.timetable),
    now: { slot: name, state, runs: served, covered, missed: gaps.map(asWritten) },
    next: next === undefined ? null : slotOf(next),
  }
  const left = takenOver.filter((each) => each.state === 'reading').length
  return { result, summary: await reportOf(result, seen.open - left) }
}

/** @param left unfinished slots of earlier starts */
async function reportOf(
  { outbox, cron, timezone, slots, missed, now, next }: ScheduleResult,
  left: number,
): Promise<string[]> {
  const rows = slots.map(({ slot, state, persisted, covers }) => {
    const before = covers > 0 ? `and ${plural(covers, 'time')} before it` : ''
    return [slot, state, count(persisted), before]
  })
  return compact(
    `${cron} (${timezone}), outbox ${outbox}`,
    ...(rows.length > 0 ? ['', ...(await table(['slot', 'state', 'tasks', 'covers'], rows, terminalWidth()))] : []),
    ...(missed.length > 0 ? ['', ...missed.map((gap) => `missed: ${missedInWords(gap)}`)] : []),
    '',
    `a start now: ${startInWords(now)}`,
    left > 0 && `it also finishes ${plural(left, 'slot')} that earlier starts left`,
    ...now.missed.map((gap) => `it would miss ${missedInWords(gap)}`),
    `next: ${next ?? 'never'}`,
  )
}

const notItself = "is covered by a later slot's run"
const stateWords: Partial<Record<SlotSeen['state'], string>> = {
  read: 'is stored and waits for the sink',
  reading: 'was begun and is read on',
  checking: 'is read and is being compared',
}

function startInWords({ slot, state, runs, covered }: ScheduleResult['now']): string {
  if (slot === null) return 'no time has come yet'
  if (runs.length === 0)
    return `slot ${slot}, which ${state === null ? notItself : (stateWords[state] ?? `is ${state}`)}`
  const more = covered > 0 ? `, which covers ${count(covered)} more` : ''
  return `${plural(runs.length, 'slot')} (${runs.toReversed().join(', ')})${more}`
}
