/** Differences of a slot that another outbox served, or that this one delivered to another sink. Pure. */
import { sumOfKnown } from '../../../../tasks/ids/sum.js'
import { type Difference, mostIds, replayedTo, replays, startOf } from './difference.js'
import type { Judged } from './judge.js'
import { hasRange } from './scan.js'

export const elsewhereDifferences = (judged: Judged): Difference[] => [
  ...lostThere(judged),
  ...lostSince(judged),
  ...otherList(judged),
]

/** What the other sink lost is nowhere else. */
function lostThere({ own, sink }: Judged): Difference[] {
  if (own.lost === 0) return []
  const what = 'the sink that had them lost them'
  return [{ kind: 'lost', count: own.lost, what, ids: [], todo: replays(own, sink) }]
}

/** The outbox knows nothing of such a slot's tasks: only the sink can tell whether it still has them. */
function lostSince({ own, found, ids, sink, isServed, isEmpty, ...judged }: Judged): Difference[] {
  if (!own.isServedByReceipt || !sink.receipts) return []
  const todo = `\`${startOf(own)} --again\` delivers ${replayedTo(sink)}, under the same ids`
  const { receipt } = found
  if (!isServed && receipt)
    return [{ kind: 'lost', count: receipt.delivered, what: 'the sink had and lost them', ids: [], todo }]
  if (!isServed) {
    const what = 'the receipt by which the slot was served is gone, and its tasks may be, too'
    return [{ kind: 'no receipt', count: 1, what, ids: [], todo }]
  }
  if (!receipt || found.isTrimmed || found.isTakenFrom) return []
  const there = hasRange(found) ? found.unknown : isEmpty ? 0 : receipt.delivered
  // If the list is the same, absent tasks were refused, discarded or lost.
  const absent = isOfList({ found, ...judged }) ? ids.onlyListed : []
  const count = Math.max(receipt.delivered - there, absent.length - receipt.dead - receipt.discarded)
  if (count <= 0) return []
  const what = 'they were delivered and are not in the sink'
  return [{ kind: 'missing', count, what, ids: absent.slice(0, mostIds), todo }]
}

/** Whether the slot was served with this list; undefined if no list or no receipt is there to compare. */
function isOfList({ found: { receipt }, list }: Pick<Judged, 'found' | 'list'>): boolean | undefined {
  if (!list || !receipt) return undefined
  return sumOfKnown(list) === receipt.taskIdSum
}

/** For a slot that another outbox served, only the receipt tells whether it was served with this list. */
function otherList(judged: Judged): Difference[] {
  const { own, ids } = judged
  // guard: list-elsewhere
  if (isOfList(judged) !== false) return []
  const [what, kind] = ['another outbox has served the slot with another list', 'not in slot'] as const
  const todo =
    `\`${startOf(own)} --again\` delivers what the sink doesn't hold; ` +
    'where another project has a pipeline of this name, name this one under `pipelines:`'
  return [{ kind, count: ids.onlyListed.length, ids: ids.onlyListed.slice(0, mostIds), what, todo }]
}
