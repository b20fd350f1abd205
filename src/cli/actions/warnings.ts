/** What a start warns of. */
import type { Loaded } from '../../config/load.js'
import { anotherOutbox } from '../../files/rules.js'
import { volatileAt } from '../../files/volatile.js'
import { leftBehind, leftInWords } from '../../outbox/inspect/left-behind.js'
import type { Outbox } from '../../outbox/outbox.js'
import type { ProduceSummary } from '../../pipeline/produce.js'
import type { OnTime } from '../../pipeline/slots/on-time.js'
import { paceInWords, paceOf } from '../../schedule/pace.js'
import { slotOf } from '../../tasks/slot.js'
import { logWarning, type Surroundings } from '../compose.js'
import { count, harmless, plural } from '../format.js'

/** Warns if the named slot is no scheduled time: a typo makes another slot, whose tasks are all new to the sink. */
export async function warnUnscheduled(slot: string, { timetable }: OnTime, around: Surroundings): Promise<void> {
  const time = Date.parse(slot)
  const before = timetable.at(time)
  if (before === undefined || before === time) return
  await logWarning(
    around,
    { event: 'slot-not-scheduled', slot },
    `the slot ${slot} is no scheduled time, and has task ids of its own; ` +
      `the scheduled time before it is ${slotOf(before)}`,
  )
}

/** Slots that a warning names. */
const slotsNamed = 5

/** Warns of earlier starts that are closed as missed: their slots aren't served. */
export async function warnMissed(missed: readonly { slot: string }[], around: Surroundings): Promise<void> {
  if (missed.length === 0) return
  const slots = missed.slice(0, slotsNamed).map(({ slot }) => slot)
  await logWarning(
    around,
    { event: 'starts-missed', slots },
    `${plural(missed.length, 'earlier start')} had stored nothing ` +
      `and ${missed.length === 1 ? 'is' : 'are'} closed as missed`,
  )
}

/** Warns if the outbox won't survive a restart of the machine: pending tasks and the ledger would be lost with it. */
export async function warnVolatile(path: string, around: Surroundings): Promise<void> {
  const why = (await volatileAt(path))?.why
  if (why === undefined) return
  await logWarning(
    around,
    { event: 'outbox-volatile' },
    harmless(`the outbox ${path} won't last: ${why}; tasks that wait in it would be lost. ${anotherOutbox()}`),
  )
}

/** Warns if a new outbox may be that of a renamed pipeline, whose tasks wait in another one. */
export async function warnLeftBehind({ isNew, path }: Outbox, { family }: Loaded, around: Surroundings): Promise<void> {
  if (!isNew || !family) return
  for (const left of await leftBehind(family))
    await logWarning(
      around,
      { event: 'outbox-left-behind' },
      harmless(
        `the outbox ${leftInWords(left)}, and no pipeline of this configuration uses it. ` +
          `If its pipeline was renamed: \`owm flush\`, move the new outbox ${path} away, ` +
          'put that one in its place (mv, with its -wal), then `owm outbox adopt --owner`',
      ),
    )
}

/** Warns if the schedule runs less often than a cadence requires. */
export async function warnPace({ settings }: Loaded, { timetable, now }: OnTime, around: Surroundings): Promise<void> {
  if (!settings.cadence) return
  const pace = paceOf(settings.cadence, timetable, now())
  if (pace.tooShort.length > 0) await logWarning(around, { event: 'cadence-too-short' }, paceInWords(pace) ?? '')
}

/** Warns if a slot was served with another list before; what is new in this one was delivered, too. */
export async function warnOtherList({ run, otherList }: ProduceSummary, around: Surroundings): Promise<void> {
  if (!otherList) return
  const { absent, tasks } = otherList
  const { slot, repeated, persisted } = run
  const how = tasks
    ? `that one had ${plural(tasks.before, 'task')}, this one has ${count(tasks.now)}; ` +
      "which ones are only in one of them isn't known any more"
    : `${plural(absent, 'location of that one is', 'locations of that one are')} not in this one, ` +
      `${plural(repeated, 'is', 'are')} in both, ${plural(persisted, 'is', 'are')} new`
  await logWarning(
    around,
    { event: 'slot-list-changed', slot, absent, repeated, persisted, ...(tasks ? { before: tasks.before } : {}) },
    `the slot ${slot} was served with another list: ${how}`,
  )
}
