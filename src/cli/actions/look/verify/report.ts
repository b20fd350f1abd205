/** What `owm verify` found, in words. */
import { compact } from '../../../../lists.js'
import { count, plural } from '../../../format.js'
import { table, terminalWidth, wrapped } from '../../../table.js'
import { entriesOf, placeOfSink } from '../sink.js'
import type { Difference } from './difference.js'
import type { Verified } from './judge.js'
import { timesInWords } from './times.js'
import type { VerifyResult } from './verify.js'

/** @param isOnce whether the sink's guarantee is exactly-once */
export async function verdictsInWords(result: VerifyResult, limit: number, isOnce: boolean): Promise<string[]> {
  const { outbox, sink, slots, source, standIn } = result
  const width = terminalWidth()
  if (slots.length === 0) {
    const none = result.withoutRun
      ? [`No run in the outbox ${outbox} has stored a slot`, ...timesInWords(result.withoutRun)].join('; ')
      : `There is no slot in the outbox ${outbox} yet: \`owm produce\` makes the first.`
    return wrapped(none, width)
  }
  // Differences first.
  const shown = slots.toSorted((one, other) => Number(isDifferent(other)) - Number(isDifferent(one))).slice(0, limit)
  const hasDiscarded = shown.some(({ discarded }) => discarded > 0)
  const rows = shown.map(({ state, delivered, there, trimmed, dead, discarded, ...one }) =>
    compact(
      nameOf(one),
      state,
      count(delivered),
      count(there),
      count(trimmed),
      count(dead),
      hasDiscarded && count(discarded),
    ),
  )
  const head = compact('SLOT', 'STATE', 'DELIVERED', 'THERE', 'TRIMMED', 'DEAD', hasDiscarded && 'DISCARDED')
  return compact(
    ...wrapped(`outbox ${outbox}, sink ${placeOfSink(sink)} with ${entriesOf(sink.entries)}`, width),
    ...(standIn ? wrapped(`${standIn.slot} has no run of its own: that of ${standIn.by} stands in for it`, width) : []),
    ...(source ? wrapped(`the list has ${plural(source.tasks, 'task')} for ${source.slot}`, width) : []),
    '',
    ...(await table(head, rows, width)),
    slots.length > limit && `and ${plural(slots.length - limit, 'slot')} more: --limit shows them`,
    ...shown.flatMap((one) => notesOf(one, isOnce, width)),
    ...shown.flatMap(({ differences, ...of }) =>
      differences.flatMap((one, index) =>
        differenceInWords(nameOf(of), one, differences[index + 1]?.todo, limit, width),
      ),
    ),
    '',
    ...wrapped(totalInWords(result), width),
  )
}

const totalInWords = ({ slots, different, withoutRun }: VerifyResult): string =>
  [
    `${plural(slots.length, 'slot')} compared, ${different === 0 ? 'none differs' : `${count(different)} different`}`,
    ...(withoutRun ? timesInWords(withoutRun) : []),
  ].join('; ')

const nameOf = ({ slot, shard }: Pick<Verified, 'slot' | 'shard'>): string =>
  shard === null ? slot : `${slot} shard ${shard}`

export const isDifferent = ({ state }: Verified): boolean => state === 'different'

/** What isn't a difference, but worth knowing. */
function notesOf(
  { state, trimmed, taken, others, outside, twice, ...one }: Verified,
  isOnce: boolean,
  width: number,
): string[] {
  const why = isOnce ? 'they were sent twice' : 'this sink may have them'
  const notes = compact(
    trimmed > 0 && `${plural(trimmed, 'task')} trimmed since`,
    taken > 0 && `${plural(taken, 'task')} taken by readers since`,
    others > 0 && `${plural(others, 'task')} of others in between`,
    outside > 0 && `${plural(outside, 'task')} outside of what its receipt calls its first and last entry`,
    twice > 0 && `${plural(twice, 'task')} there twice or more, as ${why}`,
    state === 'unproven' && 'what would prove the rest is no longer kept: --source compares the list',
    state === 'elsewhere' && 'another outbox served it, or another sink has it',
    state === 'discarded' && 'somebody gave it up',
  )
  return notes.length > 0 ? wrapped(`${nameOf(one)}: ${notes.join('; ')}`, width) : []
}

/** @param next the next difference's `todo`: if it is the same, only that one prints it */
function differenceInWords(
  slot: string,
  { kind, count: number, what, ids, todo }: Difference,
  next: string | undefined,
  limit: number,
  width: number,
) {
  const more = number - Math.min(limit, ids.length)
  const named = ids.slice(0, limit)
  return compact(
    '',
    ...wrapped(`${slot}: ${kind}${ids.length > 0 || number > 1 ? ` ${count(number)}` : ''}: ${what}`, width),
    ...named.map((id) => `  ${id}`),
    named.length > 0 && more > 0 && `  and ${count(more)} more: --limit, or --json`,
    ...(todo === next ? [] : wrapped(`  ${todo}`, width)),
  )
}
