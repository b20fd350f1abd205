/** Whether runs start when they should. */
import { type GapSeen, type SlotsSeen, slotsIn } from '../outbox/runs/slots.js'
import type { Diagnosis } from '../plugin.js'
import { timesCovered } from '../schedule/covers.js'
import type { Timetable } from '../schedule/timetable.js'
import { slotOf } from '../tasks/slot.js'
import { count, plural } from '../words.js'
import { fine, judged } from './verdict.js'

/** Scheduled times that may pass without a run: the one that is being started. */
const patience = 1

/** More than these aren't counted. */
const mostCounted = 1_000

const weekMs = 7 * 86_400_000

/** @param timetable undefined without a schedule */
export async function scheduleChecks(
  path: string,
  timetable: Timetable | undefined,
  now: number,
): Promise<Diagnosis[]> {
  const seen = await slotsIn(path)
  if (seen === undefined) return []
  return [...(timetable ? onTimeChecks(seen, timetable, now) : []), lostCheck(seen)]
}

function onTimeChecks({ coveredTo, missed, slots }: SlotsSeen, timetable: Timetable, now: number): Diagnosis[] {
  const late = slots
    .filter(({ slot }) => now - Date.parse(slot) < weekMs)
    .map(({ slot, from }) => ({ slot, times: timesCovered({ from, to: slot }, missed, timetable) }))
    .filter(({ times }) => times > 0)
  const covered = late.reduce((sum, { times }) => sum + times, 0)
  const by = late[0] ? `; a later run stands in for ${count(covered)}, the newest is that of ${late[0].slot}` : ''
  const recent = missed.filter(({ to }) => now - Date.parse(to) < weekMs)
  return [
    startedCheck(coveredTo, timetable, now),
    judged(
      'schedule-missed',
      recent.length > 0 ? recent.map(gapInWords).join('; ') : undefined,
      `no scheduled time${by}`,
    ),
  ]
}

function startedCheck(coveredTo: number | null, timetable: Timetable, now: number): Diagnosis {
  if (coveredTo === null) return fine('schedule-started', 'no run yet')
  let passed = 0
  for (const _ of timetable.between(coveredTo, now)) if (++passed >= mostCounted) break
  const newest = `the newest run is of ${slotOf(coveredTo)}`
  const more = passed >= mostCounted ? `${count(passed)} or more scheduled times` : plural(passed, 'scheduled time')
  return judged(
    'schedule-started',
    passed > patience ? `${newest}, and ${more} passed since` : undefined,
    `${newest}${passed > 0 ? `, and ${more} passed since` : ''}`,
  )
}

const gapInWords = ({ from, to, count: times, reason }: GapSeen): string =>
  `${plural(times, 'scheduled time')}, ${times === 1 ? from : `${from} to ${to}`} (${reason})`

function lostCheck({ slots }: SlotsSeen): Diagnosis {
  const lost = slots.filter(({ state }) => state === 'lost').map(({ slot }) => slot)
  return judged('schedule-lost', lost.length > 0 ? `the sink lost tasks of ${lost.join(', ')}` : undefined, 'no slot')
}
