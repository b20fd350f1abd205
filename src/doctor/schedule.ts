/** Whether runs start when they should. */
import { sumOf } from '../lists.js'
import { type SlotsSeen, slotsIn } from '../outbox/inspect/ledger/slots.js'
import type { Diagnosis } from '../plugin.js'
import { isAheadOf, missedInWords, timesCovered, withServed } from '../schedule/covers.js'
import { isLate } from '../schedule/due.js'
import type { Timetable } from '../schedule/timetable.js'
import { shardFlag } from '../tasks/shard.js'
import { slotOf } from '../tasks/slot.js'
import { age, count, plural } from '../words.js'
import { fine, judged } from './verdict.js'

/** How many scheduled times may pass without a run while an owm is running. */
const patience = 1

/** Count no further. */
const mostCounted = 1_000

const weekMs = 7 * 86_400_000

/**
 * @param timetable undefined without a schedule
 * @param isSharded whether the configuration reads a shard
 */
export async function scheduleChecks(
  path: string,
  timetable: Timetable | undefined,
  { now, isHeld, isSharded }: At & { isSharded: boolean },
): Promise<Diagnosis[]> {
  const seen = await slotsIn(path)
  return [...(timetable ? onTimeChecks(seen, timetable, { now, isHeld }) : []), lostCheck(seen, isSharded)]
}

interface At {
  /** Milliseconds since 1970. */
  readonly now: number
  /** Whether an owm is running, for which a start may wait. */
  readonly isHeld: boolean
}

function onTimeChecks(seen: SlotsSeen, timetable: Timetable, at: At): Diagnosis[] {
  const { missed, slots } = seen
  const { now } = at
  const late = slots
    .filter(({ slot }) => now - Date.parse(slot) < weekMs)
    .map(({ slot, from, state }) => ({ slot, times: timesCovered({ from, to: slot, state }, missed, timetable) }))
    .filter(({ times }) => times > 0)
  const covered = sumOf(late, ({ times }) => times)
  const by = late[0] ? `; a later run stands in for ${count(covered)}, the newest is that of ${late[0].slot}` : ''
  const ofWeek = missed.filter(({ to }) => now - Date.parse(to) < weekMs)
  const recent = withServed(ofWeek, slots, timetable).filter(({ count, served = 0 }) => served < count)
  return [
    startedCheck(newestRun(seen, timetable, now), timetable, at),
    judged(
      'schedule-missed',
      recent.length > 0 ? recent.map(missedInWords).join('; ') : undefined,
      `no scheduled time${by}`,
    ),
  ]
}

/** The end of what runs cover; if a clock was ahead, the newest run up to the present time. */
function newestRun({ coveredTo, slots }: SlotsSeen, timetable: Timetable, now: number): number | null {
  if (!isAheadOf(now, coveredTo, timetable)) return coveredTo
  const served = slots.filter(({ state }) => state !== 'missed' && state !== 'covered')
  return served.map(({ slot }) => Date.parse(slot)).find((time) => time <= now) ?? coveredTo
}

function startedCheck(coveredTo: number | null, timetable: Timetable, { now, isHeld }: At): Diagnosis {
  if (coveredTo === null) return fine('schedule-started', 'no run yet')
  let passed = 0
  let oldest: number | undefined
  for (const time of timetable.between(coveredTo, now)) {
    oldest ??= time
    if (++passed >= mostCounted) break
  }
  const newest = `the newest run is of ${slotOf(coveredTo)}`
  if (oldest === undefined) return fine('schedule-started', newest)
  const more = passed >= mostCounted ? `${count(passed)} or more scheduled times` : plural(passed, 'scheduled time')
  const found = `${newest}, and ${more} passed since: ${slotOf(oldest)} is due since ${age(now - oldest)}`
  const isWrong = passed > patience || (!isHeld && isLate(timetable, oldest, now))
  return judged('schedule-started', isWrong ? `${found}, and nobody has served it` : undefined, found)
}

function lostCheck({ slots }: SlotsSeen, isSharded: boolean): Diagnosis {
  const lost = slots
    .filter(({ state }) => state === 'lost')
    .map(({ slot, shard }) => `${slot}${shardFlag(shard ?? '', isSharded)}`)
  return judged('schedule-lost', lost.length > 0 ? `the sink lost tasks of ${lost.join(', ')}` : undefined, 'no slot')
}
