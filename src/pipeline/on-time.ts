/** With a schedule: which slot a start is for, and the rows of all that is due. */
import { ConfigurationError } from '../errors/index.js'
import type { Outbox } from '../outbox/outbox.js'
import { type Due, due, newest, type Policy } from '../schedule/due.js'
import { slotOf } from '../tasks/slot.js'
import type { SourceDeps } from './parts.js'

export interface OnTime extends Policy {
  now(): number
}

/** The newest scheduled time, or the slot of the run that covers it. Throws ConfigurationError. */
export async function slotOnTime({ timetable, now }: OnTime, { ledger }: Outbox): Promise<string> {
  const time = newest(timetable, now())
  if (time === undefined) throw new ConfigurationError('No time of `schedule.cron` has come yet.')
  const slot = slotOf(time)
  return (await ledger.ofSlot(slot)).length > 0 ? slot : ((await ledger.slotCovering(time)) ?? slot)
}

/** Makes a row for each run that is due, and for what is missed; tells what those are. */
export async function enterDue(
  { now, ...policy }: OnTime,
  namespace: string,
  { outbox, source }: { outbox: Outbox; source: SourceDeps },
): Promise<Due> {
  let found: Due | undefined
  const given = { source: source.name, sourceDigest: source.digest, namespace, slotGiven: true }
  await outbox.ledger.startDue(given, (coveredTo) => {
    found = due(policy, coveredTo, now())
    return {
      runs: found.runs.map(({ slot, from }) => ({ slot: slotOf(slot), from })),
      gaps: found.gaps.map((gap) => ({ ...gap, from: slotOf(gap.from), to: slotOf(gap.to) })),
    }
  })
  return found ?? { slot: undefined, runs: [], covered: 0, gaps: [] }
}
