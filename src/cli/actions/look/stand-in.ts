/** Which run stands in for a scheduled time without a run of its own. */
import type { Loaded } from '../../../config/load.js'
import { isTimeOf } from '../../../schedule/timetable.js'
import { type Surroundings, scheduleOf } from '../../compose.js'

/**
 * The slot of that run; undefined if the time has a run of its own, if no run stands in, or if it isn't a scheduled
 * time, which no run owes.
 */
export async function standInOf(slot: string, loaded: Loaded, around: Surroundings): Promise<string | undefined> {
  const schedule = scheduleOf(loaded, around)
  const time = Date.parse(slot)
  if (!schedule || !isTimeOf(schedule.timetable, time)) return undefined
  const { seen, covers } = await ledgerOf(loaded)
  const isServed = seen.slots.some((one) => one.slot === slot && one.state !== 'covered' && one.state !== 'missed')
  return isServed ? undefined : covers.standInFor(time, seen)?.slot
}

/** The consecutive times that were missed along with it, for the same reason; undefined if it wasn't missed. */
export async function gapOf(slot: string, loaded: Loaded, around: Surroundings) {
  const schedule = scheduleOf(loaded, around)
  const time = Date.parse(slot)
  if (!schedule || !isTimeOf(schedule.timetable, time)) return undefined
  const { seen } = await ledgerOf(loaded)
  return seen.missed.find(({ from, to }) => Date.parse(from) <= time && time <= Date.parse(to))
}

/** All slots of the outbox, and the functions that judge them. */
export async function ledgerOf({ settings }: Loaded) {
  const [{ slotsIn }, covers] = await Promise.all([
    import('../../../outbox/inspect/ledger/slots.js'),
    import('../../../schedule/covers.js'),
  ])
  return { seen: await slotsIn(settings.outbox.path), covers }
}
