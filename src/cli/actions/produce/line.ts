/** The summary of `owm produce`, in one line. */
import { compact } from '../../../lists.js'
import type { RunRow } from '../../../outbox/outbox.js'
import type { ProduceSummary } from '../../../pipeline/produce.js'
import { count, leftIn, locationsRead, plural, seconds, tasksDelivered } from '../../format.js'
import { slotsInWords } from '../delivery.js'
import type { ProduceResult } from './produce.js'

const otherSlots = ({ served, slot }: Pick<ProduceResult, 'served' | 'slot'>): string[] =>
  slotsInWords(
    served.filter((other) => other.slot !== slot),
    'also ',
  )

/** The summary for a slot that isn't read again: this start may have delivered the rest of it, or of others. */
function servedBeforeInWords({ slot, sink, outbox, served, durationMs }: ProduceResult, run: RunRow): string {
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

export function produceInWords(
  result: ProduceResult,
  { run, isReadBefore }: ProduceSummary,
  { covers, isNew }: { covers: number; isNew: boolean },
): string {
  const { slot, source, outbox, sink, durationMs } = result
  const { notDue = 0, skipped = 0, fewer = 0 } = source
  const { held = 0 } = sink
  const { rejected, repeated } = run
  const duplicates = run.duplicates - repeated // within the list
  const isAll = run.persisted === 0 && rejected === 0
  // What an earlier start had only stored may be in the sink just now.
  const where = outbox.pending > 0 || (isAll && sink.delivered > 0) ? 'in the outbox' : 'there'
  if (isReadBefore) return servedBeforeInWords(result, run)
  return compact(
    `slot ${slot}: ${locationsRead(source)}`,
    repeated > 0 && `${isAll ? 'all' : count(repeated)} ${where} already`,
    notDue > 0 && `${count(notDue)} not due`,
    skipped > 0 && `${plural(skipped, 'older window')} skipped`,
    rejected > 0 && `${count(rejected)} rejected`,
    duplicates > 0 && plural(duplicates, 'duplicate'),
    covers > 0 && `covers ${plural(covers, 'scheduled time')} before it`,
    fewer > 0 && `${count(fewer)} fewer than last time`,
    held > 0 && `${count(held)} left out, since the sink holds them`,
    ...tasksDelivered(sink, repeated > 0),
    ...leftIn(outbox),
    ...otherSlots(result),
    isNew && `the outbox ${outbox.path} is new`,
    seconds(durationMs),
  ).join(', ')
}
