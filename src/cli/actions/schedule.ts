/** `owm schedule`: which times were served, which are due, and what a start would do. */
import type { Loaded } from '../../config/load.js'
import type { GapSeen, SlotSeen } from '../../outbox/runs/slots.js'
import { slotOf } from '../../tasks/slot.js'
import type { Done } from '../command.js'
import { policyOf, type Surroundings, scheduleIn } from '../compose.js'
import { count, plural } from '../format.js'
import { table, terminalWidth } from '../table.js'

/** What `owm schedule --json` prints. */
export interface ScheduleResult {
  outbox: string | null
  cron: string | null
  timezone: string | null
  /** The newest first. */
  slots: SlotSeen[]
  /** Scheduled times that nobody serves. */
  missed: GapSeen[]
  /** What a start without --slot would do now: its slot, and the runs that it would make. */
  now: { slot: string | null; runs: string[]; covered: number; missed: GapSeen[] }
  next: string | null
}

export const nothingScheduled = (): ScheduleResult => ({
  ...{ outbox: null, cron: null, timezone: null, slots: [], missed: [], next: null },
  now: { slot: null, runs: [], covered: 0, missed: [] },
})

export async function showSchedule(
  { limit }: { limit: number },
  configure: () => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<ScheduleResult>> {
  const [{ noSlots, slotsIn }, { due }] = await Promise.all([
    import('../../outbox/runs/slots.js'),
    import('../../schedule/due.js'),
  ])
  const loaded = await configure()
  const { outbox } = loaded.settings
  const schedule = scheduleIn(loaded)
  const policy = policyOf(schedule, around)
  const now = policy.now()
  const seen = (await slotsIn(outbox.path, limit)) ?? noSlots
  const { slot, runs, covered, gaps } = due(policy, seen.coveredTo, now)
  const next = policy.timetable.after(Math.max(now, slot ?? now))
  const result: ScheduleResult = {
    ...{ outbox: outbox.path, cron: schedule.cron, timezone: schedule.timezone },
    ...{ slots: seen.slots, missed: seen.missed },
    now: {
      ...{ slot: slot === undefined ? null : slotOf(slot), runs: runs.map((run) => slotOf(run.slot)), covered },
      missed: gaps.map((gap) => ({ ...gap, from: slotOf(gap.from), to: slotOf(gap.to) })),
    },
    next: next === undefined ? null : slotOf(next),
  }
  return { result, summary: await reportOf(result) }
}

async function reportOf({ outbox, cron, timezone, slots, missed, now, next }: ScheduleResult): Promise<string[]> {
  const rows = slots.map(({ slot, state, persisted }) => [slot, state, count(persisted)])
  return [
    `${cron} (${timezone}), outbox ${outbox}`,
    ...(rows.length > 0 ? ['', ...(await table(['slot', 'state', 'tasks'], rows, terminalWidth()))] : []),
    ...(missed.length > 0 ? ['', ...missed.map((gap) => `missed: ${wordsOf(gap)}`)] : []),
    '',
    `a start now: ${wordsOfStart(now)}`,
    ...now.missed.map((gap) => `it would miss ${wordsOf(gap)}`),
    `next: ${next ?? 'never'}`,
  ]
}

function wordsOfStart({ slot, runs, covered }: ScheduleResult['now']): string {
  if (runs.length === 0) return slot === null ? 'no time has come yet' : `slot ${slot}, which has its run`
  const more = covered > 0 ? `, which covers ${count(covered)} more` : ''
  return `${plural(runs.length, 'slot')} (${runs.toReversed().join(', ')})${more}`
}

const wordsOf = ({ from, to, count: times, reason, served = 0 }: GapSeen): string =>
  `${plural(times, 'scheduled time')}, ${times === 1 ? from : `${from} to ${to}`} (${reason})` +
  (served > 0 ? `, ${count(served)} of them served by a backfill since` : '')
