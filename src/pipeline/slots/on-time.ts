/** With a schedule: the slot of a start, and the rows of all that is due. */
import { ConfigurationError } from '../../errors/index.js'
import type { SlotSeen, SlotsSeen } from '../../outbox/inspect/ledger/slots.js'
import type { Planned } from '../../outbox/runs/intervals.js'
import type { DueRun } from '../../outbox/runs/ledger.js'
import { takenOver, timesCovered } from '../../schedule/covers.js'
import { type Due, due, newest, type Policy } from '../../schedule/due.js'
import type { Timetable } from '../../schedule/timetable.js'
import { slotOf } from '../../tasks/slot.js'
import type { Deps } from '../parts.js'
import { type Agenda, oneSlot } from './agenda.js'

export interface OnTime extends Policy {
  now(): number
}

/** A start without a slot: serves what is due, newest first, so that the current slot doesn't wait. */
export function onTime(schedule: OnTime): Agenda {
  return {
    slotGiven: true,
    once: true,
    newestFirst: true,
    slots: async (deps) => [await slotNow(schedule, deps)],
    enter: entering(schedule),
  }
}

/** A start for a named slot. What is due before it has its own runs with `catchUp: all`; else this slot covers it. */
export function namedSlot(slot: string, schedule: OnTime): Agenda {
  return {
    ...oneSlot(slot, true),
    newestFirst: true,
    upTo: Date.parse(slot),
    enter: entering(schedule, Date.parse(slot)),
  }
}

/** @param named see `enterDueTimes` */
const entering =
  (schedule: OnTime, named?: number): NonNullable<Agenda['enter']> =>
  async (deps, settings) => {
    const { name: source, digest: sourceDigest } = deps.source
    return enterDueTimes(schedule, { source, sourceDigest, ...settings }, deps, named)
  }

/**
 * Creates a row for each run that is due, and for what is missed, and warns of the latter.
 * @param named a slot, in milliseconds since 1970, that has a run of its own: only earlier times are due
 */
export async function enterDueTimes(
  schedule: OnTime,
  newRun: DueRun,
  { outbox, log }: Pick<Deps, 'outbox' | 'log'>,
  named?: number,
): Promise<Planned> {
  const planned = await outbox.ledger.startDue(newRun, (coveredTo) => {
    const { runs, gaps } = planOf(schedule, coveredTo, named)
    return {
      runs: runs.map(({ slot, from }) => ({ slot: slotOf(slot), from })),
      covers: schedule.catchUp === 'latest',
      gaps: gaps.map(asWritten),
    }
  })
  warnOfGaps(planned, log)
  return planned
}

/**
 * What a start would do now, without doing it.
 * @param named see `enterDueTimes`
 * @returns also the slots that would have a run; the slots whose runs stored nothing and that the first run takes over;
 *   and how many other times that one covers
 */
export function wouldServe(
  policy: OnTime,
  seen: SlotsSeen,
  named?: number,
): Due & { served: string[]; takenOver: SlotSeen[]; covered: number } {
  const { coveredTo, slots, missed } = seen
  const { runs, ...rest } = planOf(policy, coveredTo, named)
  const [first, ...others] = runs
  if (!first) {
    const { slot } = rest
    const served = slot !== undefined && isAlone(slot, seen, policy.timetable) ? [slotOf(slot)] : []
    return { ...rest, runs, served, takenOver: [], covered: 0 }
  }
  const taken = takenOver(coveredTo ?? first.from, slots, policy.catchUp)
  const from = taken.at(-1)?.from ?? slotOf(first.from)
  const gaps = [...missed, ...rest.gaps.map(asWritten)]
  const covered = timesCovered({ from, to: slotOf(first.slot) }, gaps, policy.timetable)
  const served = runs.map((run) => slotOf(run.slot))
  return { ...rest, runs: [{ ...first, from: Date.parse(from) }, ...others], served, takenOver: taken, covered }
}

/** A gap with its slots as texts. */
export const asWritten = <G extends { from: number; to: number }>(gap: G): Omit<G, 'from' | 'to'> & Written => ({
  ...gap,
  from: slotOf(gap.from),
  to: slotOf(gap.to),
})

type Written = { from: string; to: string }

function planOf({ now, ...policy }: OnTime, coveredTo: number | null, named: number | undefined): Due {
  if (named === undefined) return due(policy, coveredTo, now())
  if (coveredTo === null || named <= coveredTo) return { slot: named, runs: [], gaps: [] }
  const { runs, gaps } = due(policy, coveredTo, now(), policy.timetable.at(named - 1))
  const before = policy.catchUp === 'all' ? runs : []
  return { slot: named, runs: [...before, { slot: named, from: before.at(-1)?.slot ?? coveredTo }], gaps }
}

/** At the beginning, so that missed times are reported even if this start fails. */
function warnOfGaps({ gaps }: Planned, log: Deps['log']): void {
  const why = { maxAge: 'older than schedule.maxAge', maxCatchUp: 'more than schedule.maxCatchUp' } as const
  for (const { from, to, count, reason } of gaps) {
    const times = count === 1 ? `1 scheduled time (${from}) is` : `${count} scheduled times (${from} to ${to}) are`
    log.warn({ event: 'slots-missed', reason }, `${times} missed: ${why[reason]}`)
  }
}

/**
 * Whether a slot is so far ahead of the newest scheduled time that some clock is, or was, wrong: then the times until
 * it are served all the same.
 */
const isAhead = (slot: number, newestTime: number, timetable: Timetable): boolean =>
  slot > (timetable.after(newestTime) ?? Number.POSITIVE_INFINITY)

/** Whether a start would serve a covered time all the same: the rule of `slotNow`, by what inspection shows. */
function isAlone(time: number, { slots, newestDeletedSlot }: SlotsSeen, timetable: Timetable): boolean {
  if (slots.some(({ slot }) => Date.parse(slot) === time)) return false
  const covering = slots.findLast(({ slot, from }) => from !== null && Date.parse(slot) > time)
  const isKnown = newestDeletedSlot === null || time > Date.parse(newestDeletedSlot)
  return isKnown && covering !== undefined && isAhead(Date.parse(covering.slot), time, timetable)
}

/** The newest scheduled time, or the slot that covers it. Throws ConfigurationError. */
async function slotNow(
  { timetable, now }: OnTime,
  { outbox: { ledger, newestDeletedSlot }, log }: Pick<Deps, 'outbox' | 'log'>,
): Promise<string> {
  const time = newest(timetable, now())
  if (time === undefined)
    throw new ConfigurationError('No time of `schedule.cron` has come yet.', {
      hint: 'Correct schedule.cron, or the clock of this machine.',
    })
  const slot = slotOf(time)
  if ((await ledger.ofSlot(slot)).length > 0) return slot
  const covering = await ledger.slotCovering(time)
  if (covering === undefined || !isAhead(Date.parse(covering), time, timetable)) return covering ?? slot
  // Whether it was served is no longer known.
  if (newestDeletedSlot !== null && time <= Date.parse(newestDeletedSlot)) return covering
  const ahead = slotOf((await ledger.coveredTo()) ?? Date.parse(covering))
  log.warn(
    { event: 'clock-behind' },
    `the slot ${ahead} was served, which this clock hasn't reached: ${slot} is served by itself, ` +
      'and `owm backfill` serves the times between that were not',
  )
  return slot
}
