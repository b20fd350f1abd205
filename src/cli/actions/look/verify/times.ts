/** Scheduled times without a run of their own, and which of them no start will serve. */
import { ownShardFlag } from '../../../../config/filters.js'
import type { Loaded } from '../../../../config/load.js'
import { compact } from '../../../../lists.js'
import { slotsIn } from '../../../../outbox/inspect/ledger/slots.js'
import { withoutRun } from '../../../../schedule/covers.js'
import { slotOf } from '../../../../tasks/slot.js'
import { onTimeIn, type Surroundings } from '../../../compose.js'
import { plural } from '../../../format.js'

/** Some scheduled times; null if there are none. */
interface Times {
  count: number
  oldest: string | null
  newest: string | null
}

/** Those since the first compared slot, or else since the first run, as `owm verify --json` prints them. */
export interface TimesWithoutRun {
  /** A later run stands in for them. */
  covered: Times
  /** The next start serves them; `late` of them are overdue, which is a difference. */
  due: Times & { late: number }
  /** No start will serve them: they were reported when they were missed, and are no difference. */
  missed: Times
  /** The commands that serve what is due, and what was missed. */
  todo: string
}

/**
 * @param compared the compared slots, the newest first; those that the sink has receipts of; whether an owm is running
 */
export async function timesWithoutRun(
  { slots, elsewhere, isHeld }: { slots: readonly string[]; elsewhere: readonly string[]; isHeld: boolean },
  loaded: Loaded,
  around: Surroundings,
): Promise<TimesWithoutRun | undefined> {
  const schedule = onTimeIn(loaded, around)
  if (!schedule) return undefined
  const seen = await slotsIn(loaded.settings.outbox.path)
  // Where each run was given up, as of a list that is too short, no slot can be compared.
  const first = slots.at(-1) ?? seen.slots.at(-1)?.slot
  if (first === undefined) return undefined
  const found = withoutRun(seen, schedule.timetable, Date.parse(first), around.now())
  const servedElsewhere = new Set(elsewhere.map((slot) => Date.parse(slot)))
  const left = (times: readonly number[]): number[] => times.filter((time) => !servedElsewhere.has(time))
  const timesIn = (times: readonly number[]): Times => {
    const slots = left(times).map(slotOf)
    return { count: slots.length, oldest: slots[0] ?? null, newest: slots.at(-1) ?? null }
  }
  // While the outbox is held, the running owm or a waiting start will serve them.
  const due = { ...timesIn(found.due), late: isHeld ? 0 : left(found.late).length }
  const missed = timesIn(found.missed)
  const todo = remedyOf(due, missed, ownShardFlag(loaded.settings, around.env))
  return { covered: timesIn(found.covered), due, missed, todo }
}

/** @param flag of the configured shard */
const remedyOf = (due: Times, missed: Times, flag: string): string =>
  compact(
    due.count > 0 && `\`owm produce${flag}\` serves what is due`,
    missed.count > 0 && `\`owm backfill --from ${missed.oldest} --to ${missed.newest}${flag}\` serves what was missed`,
  ).join('; ')

export function timesInWords(times: TimesWithoutRun): string[] {
  const { covered, due, missed } = times
  const named = ({ count, newest }: Times): string => (count === 1 ? `${newest}` : `the newest ${newest}`)
  const parts = compact(
    due.count > 0 && `${due.count} due (${named(due)})`,
    missed.count > 0 && `${missed.count} missed (${named(missed)})`,
  )
  return compact(
    covered.count > 0 && `a later run stands in for ${plural(covered.count, 'scheduled time')}`,
    parts.length > 0 &&
      `${plural(due.count + missed.count, 'scheduled time')} without a run: ${parts.join(', ')}: ${times.todo}`,
  )
}
