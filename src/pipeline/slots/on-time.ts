/** With a schedule: which slot a start is for, and the rows of all that is due. */
import { ConfigurationError } from '../../errors/index.js'
import type { Planned } from '../../outbox/runs/intervals.js'
import type { NewRun } from '../../outbox/runs/ledger.js'
import { type Due, due, newest, type Policy } from '../../schedule/due.js'
import { slotOf } from '../../tasks/slot.js'
import type { Deps } from '../parts.js'
import { type Agenda, oneSlot } from './agenda.js'

export interface OnTime extends Policy {
  now(): number
}

/** A start without a slot: it serves what is due, the newest first, so that the present hour doesn't wait. */
export function onTime(schedule: OnTime): Agenda {
  return {
    slotGiven: true,
    once: true,
    newestFirst: true,
    slots: async (deps) => [await slotNow(schedule, deps)],
    enter: async (deps, begun) => {
      const { name: source, digest: sourceDigest } = deps.source
      return enterDue(schedule, { source, sourceDigest, ...begun }, deps)
    },
  }
}

/** A start for a slot that somebody named: with `all`, what is due before it has its runs, too; else it's covered. */
export function named(slot: string, schedule: OnTime): Agenda {
  return {
    ...oneSlot(slot, true),
    newestFirst: true,
    enter: async (deps, begun) => {
      const { name: source, digest: sourceDigest } = deps.source
      return enterDue(schedule, { source, sourceDigest, ...begun }, deps, Date.parse(slot))
    },
  }
}

/**
 * Makes a row for each run that is due, and for what is missed, and tells what that is.
 * @param named a slot, in milliseconds since 1970, that has a run of its own: only what lies before it is due
 */
export async function enterDue(
  schedule: OnTime,
  given: Omit<NewRun, 'slot'>,
  { outbox, log }: Pick<Deps, 'outbox' | 'log'>,
  named?: number,
): Promise<Planned> {
  const planned = await outbox.ledger.startDue(given, (coveredTo) => {
    const { runs, gaps } = planOf(schedule, coveredTo, named)
    return {
      runs: runs.map(({ slot, from }) => ({ slot: slotOf(slot), from })),
      covers: schedule.catchUp === 'latest',
      gaps: gaps.map((gap) => ({ ...gap, from: slotOf(gap.from), to: slotOf(gap.to) })),
    }
  })
  tellGaps(planned, log)
  return planned
}

function planOf(
  { now, ...policy }: OnTime,
  coveredTo: number | null,
  named: number | undefined,
): Pick<Due, 'runs' | 'gaps'> {
  if (named === undefined) return due(policy, coveredTo, now())
  if (coveredTo === null || named <= coveredTo) return { runs: [], gaps: [] }
  const { runs, gaps } = due(policy, coveredTo, now(), policy.timetable.at(named - 1))
  return { runs: [...(policy.catchUp === 'all' ? runs : []), { slot: named, from: coveredTo }], gaps }
}

/** At once: whatever becomes of this start, somebody is told which scheduled times nobody serves. */
function tellGaps({ gaps }: Planned, log: Deps['log']): void {
  const why = { maxAge: 'older than schedule.maxAge', maxCatchUp: 'more than schedule.maxCatchUp' } as const
  for (const { from, to, count, reason } of gaps) {
    const times = count === 1 ? `1 scheduled time (${from}) is` : `${count} scheduled times (${from} to ${to}) are`
    log.warn({ reason }, `${times} missed: ${why[reason]}`)
  }
}

/** The newest scheduled time, or the slot of the run that covers it. Throws ConfigurationError. */
async function slotNow(
  { timetable, now }: OnTime,
  { outbox: { ledger }, log }: Pick<Deps, 'outbox' | 'log'>,
): Promise<string> {
  const time = newest(timetable, now())
  if (time === undefined) throw new ConfigurationError('No time of `schedule.cron` has come yet.')
  const slot = slotOf(time)
  const coveredTo = (await ledger.coveredTo()) ?? time
  // Whoever waits for the next hour shall know that it won't come.
  if (coveredTo > (timetable.after(time) ?? coveredTo))
    log.warn({}, `the slot ${slotOf(coveredTo)} was served, which this clock hasn't reached: nothing is due before it`)
  return (await ledger.ofSlot(slot)).length > 0 ? slot : ((await ledger.slotCovering(time)) ?? slot)
}
