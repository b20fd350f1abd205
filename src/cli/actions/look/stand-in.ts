/** Which run stands in for a scheduled time without a run of its own. */
import type { Loaded } from '../../../config/load.js'
import { slotsIn } from '../../../outbox/inspect/ledger/slots.js'
import { standInFor } from '../../../schedule/covers.js'
import { isTimeOf } from '../../../schedule/timetable.js'
import { onTimeIn, type Surroundings } from '../../compose.js'

/**
 * The slot of that run; undefined if the time has a run of its own, if no run stands in, or if it isn't a scheduled
 * time, which no run owes.
 */
export async function standInOf(slot: string, loaded: Loaded, around: Surroundings): Promise<string | undefined> {
  const schedule = onTimeIn(loaded, around)
  const time = Date.parse(slot)
  if (!schedule || !isTimeOf(schedule.timetable, time)) return undefined
  const seen = await slotsIn(loaded.settings.outbox.path)
  const isServed = seen.slots.some((one) => one.slot === slot && one.state !== 'covered' && one.state !== 'missed')
  return isServed ? undefined : standInFor(time, seen)?.slot
}

/** The consecutive times that were missed along with it, for the same reason; undefined if it wasn't missed. */
export async function gapOf(slot: string, loaded: Loaded, around: Surroundings) {
  const schedule = onTimeIn(loaded, around)
  const time = Date.parse(slot)
  if (!schedule || !isTimeOf(schedule.timetable, time)) return undefined
  const { missed } = await slotsIn(loaded.settings.outbox.path)
  return missed.find(({ from, to }) => Date.parse(from) <= time && time <= Date.parse(to))
}
