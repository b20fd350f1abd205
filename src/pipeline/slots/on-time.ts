/** With a schedule: which slot a start is for, and the rows of all that is due. */
import { ConfigurationError } from '../../errors/index.js'
import type { Outbox } from '../../outbox/outbox.js'
import { due, newest, type Policy } from '../../schedule/due.js'
import { slotOf } from '../../tasks/slot.js'
import type { Agenda } from './agenda.js'

export interface OnTime extends Policy {
  now(): number
}

/** A start without a slot: it serves what is due, the newest first, so that the present hour doesn't wait. */
export function onTime(schedule: OnTime): Agenda {
  const { now, ...policy } = schedule
  return {
    slotGiven: true,
    newestFirst: true,
    slots: async (outbox) => [await slotNow(schedule, outbox)],
    enter: async ({ outbox, source }, namespace) => {
      const given = { source: source.name, sourceDigest: source.digest, namespace, slotGiven: true }
      return outbox.ledger.startDue(given, (coveredTo) => {
        const { runs, gaps } = due(policy, coveredTo, now())
        return {
          runs: runs.map(({ slot, from }) => ({ slot: slotOf(slot), from })),
          covers: policy.catchUp === 'latest',
          gaps: gaps.map((gap) => ({ ...gap, from: slotOf(gap.from), to: slotOf(gap.to) })),
        }
      })
    },
  }
}

/** The newest scheduled time, or the slot of the run that covers it. Throws ConfigurationError. */
async function slotNow({ timetable, now }: OnTime, { ledger }: Outbox): Promise<string> {
  const time = newest(timetable, now())
  if (time === undefined) throw new ConfigurationError('No time of `schedule.cron` has come yet.')
  const slot = slotOf(time)
  return (await ledger.ofSlot(slot)).length > 0 ? slot : ((await ledger.slotCovering(time)) ?? slot)
}
