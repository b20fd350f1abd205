/** What `owm produce` says at its end, in one line. */
import { compact } from '../../../lists.js'
import type { RunRow } from '../../../outbox/outbox.js'
import type { ProduceSummary } from '../../../pipeline/produce.js'
import { count, leftIn, locationsRead, plural, seconds, tasksDelivered } from '../../format.js'
import { slotsInWords } from '../served.js'
import type { ProduceResult } from './produce.js'

const otherSlots = ({ served, slot }: Pick<ProduceResult, 'served' | 'slot'>): string[] =>
  slotsInWords(
    served.filter((other) => other.slot !== slot),
    'also ',
  )

/** What is said of a slot that is read no more: this start may have delivered what was left of it, or of others. */
function lineOfSlotBefore({ slot, sink, outbox, served, durationMs }: ProduceResult, run: RunRow): string {
  const others = otherSlots({ served, slot })
  if (run.state === 'discarded') return [`slot ${slot}: discarded (run ${run.runId})`, ...others].join(', ')
  const isLeft = served.some((other) => other.slot === slot)
  const done = [...tasksDelivered(sink), ...leftIn(outbox)]
  if (sink.delivered + outbox.pending + others.length === 0 || !isLeft)
    return compact(
      `slot ${slot}: delivered before (run ${run.runId}), nothing to do`,
      others.length > 0 && [...slotsInWords(served), ...done, seconds(durationMs)].join(', '),
    ).join('; ')
  const were = run.state === 'done' && sink.delivered === 0 ? 'delivered' : 'read'
  return [`slot ${slot}: ${were} before (run ${run.runId})`, ...done, ...others, seconds(durationMs)].join(', ')
}

export function lineOf(
  result: ProduceResult,
  { run, alreadyComplete }: ProduceSummary,
  { covers, isNew }: { covers: number; isNew: boolean },
): string {
  const { slot, source, outbox, sink, durationMs } = result
  const { rejected, repeated } = run
  const duplicates = run.duplicates - repeated // within the list
  const isAll = run.persisted === 0 && rejected === 0
  // What an earlier start had stored alone may only now be in the sink.
  const where = outbox.pending > 0 || (isAll && sink.delivered > 0) ? 'in the outbox' : 'there'
  if (alreadyComplete) return lineOfSlotBefore(result, run)
  return compact(
    `slot ${slot}: ${locationsRead(source)}`,
    repeated > 0 && `${isAll ? 'all' : count(repeated)} ${where} already`,
    ...(source.notDue ? [`${count(source.notDue)} not due`] : []),
    ...(source.skipped ? [`${plural(source.skipped, 'older window')} skipped`] : []),
    rejected > 0 && `${count(rejected)} rejected`,
    duplicates > 0 && plural(duplicates, 'duplicate'),
    covers > 0 && `covers ${plural(covers, 'scheduled time')} before it`,
    ...(source.fewer ? [`${count(source.fewer)} fewer than last time`] : []),
    ...(sink.held ? [`${count(sink.held)} left out, since the sink holds them`] : []),
    ...tasksDelivered(sink, repeated > 0),
    ...leftIn(outbox),
    ...otherSlots(result),
    isNew && `the outbox ${outbox.path} is new`,
    seconds(durationMs),
  ).join(', ')
}
