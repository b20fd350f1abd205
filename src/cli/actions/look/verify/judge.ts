/** Whether outbox, receipt and sink agree about a slot. Pure. */
import { compact, sumOf } from '../../../../lists.js'
import type { IdTable } from '../../../../outbox/inspect/ids/id-table.js'
import type { OwnSlot } from '../../../../outbox/inspect/ids/own-slots.js'
import { type Begun, type InSink, standing } from '../../../../pipeline/slots/in-sink.js'
import type { Receipt } from '../../../../plugin.js'
import { sumOfKnown } from '../../../../tasks/ids/sum.js'
import { slotFlags } from '../../../../tasks/shard.js'
import { type Difference, mostIds, replays, type SinkAsked, startOf } from './difference.js'
import { elsewhereDifferences } from './elsewhere.js'
import { type Found, hasRange } from './scan.js'

/** A slot, as `owm verify --json` prints it. */
export interface Verified {
  readonly slot: string
  /** Such as `0/3`; null if the slot isn't sharded. */
  readonly shard: string | null
  /** `unproven`: nothing differs, but the proof is no longer kept. */
  readonly state: 'same' | 'different' | 'under way' | 'unproven' | 'elsewhere' | 'discarded'
  /** Tasks that the sink took, without those that it is known to have lost. */
  readonly delivered: number
  /** How many of them are in the sink. */
  readonly there: number
  /** Tasks trimmed since. */
  readonly trimmed: number
  /** Absent tasks, at a sink whose readers remove what they have processed. */
  readonly taken: number
  readonly dead: number
  readonly discarded: number
  /** Tasks between the slot's first and last entries that this outbox doesn't know. */
  readonly others: number
  /** Tasks of the slot outside of that range: its receipt was deleted and has been rewritten since. */
  readonly outside: number
  /** Tasks with more entries than expected, where that is legitimate: at-least-once, or sent more than once. */
  readonly twice: number
  readonly differences: Difference[]
}

/** A slot's ids, in the order in which they were sent. */
interface Ids {
  there: number
  /** Missing: those sent before the first id that is there, and those sent after it. */
  readonly before: string[]
  readonly behind: string[]
  readonly twice: string[]
  /** Only in the list, and only in the outbox. */
  readonly onlyListed: string[]
  readonly notListed: string[]
}

export const noIds = (): Ids => ({ there: 0, before: [], behind: [], twice: [], onlyListed: [], notListed: [] })

/** @param listedSlot the index of the slot that is compared with the list, -1 for none */
export function idsBySlot(ids: IdTable, slots: number, listedSlot: number): Ids[] {
  const first = new Array<number>(slots).fill(Number.POSITIVE_INFINITY)
  for (const { group, order, found, expected } of ids.all())
    if (found > 0 && expected > 0) first[group] = Math.min(first[group] ?? 0, order)
  const bins = first.map(() => ({ there: 0, before: [], behind: [], twice: [], onlyListed: [], notListed: [] }) as Bins)
  for (const { id, group, order, expected, found, listed, dead } of ids.all()) {
    const own = bins[group]
    if (!own) continue
    const ordered = { id, order }
    if (expected > 0 && found > 0) own.there++
    if (expected > 0 && found === 0) (order < (first[group] ?? 0) ? own.before : own.behind).push(ordered)
    if (expected > 0 && found > expected) own.twice.push(ordered)
    if (listed && expected === 0 && !dead && found === 0) own.onlyListed.push(ordered)
    if (group === listedSlot && !listed && (expected > 0 || dead)) own.notListed.push(ordered)
  }
  const sorted = (unsorted: OrderedId[]): string[] => unsorted.sort((a, b) => a.order - b.order).map(({ id }) => id)
  return bins.map(({ there, before, behind, twice, onlyListed, notListed }) => ({
    there,
    before: sorted(before),
    behind: sorted(behind),
    twice: sorted(twice),
    onlyListed: sorted(onlyListed),
    notListed: sorted(notListed),
  }))
}

interface OrderedId {
  readonly id: string
  readonly order: number
}

type Bins = { there: number } & Record<Exclude<keyof Ids, 'there'>, OrderedId[]>

export interface Judged {
  readonly own: OwnSlot
  readonly found: Found
  readonly ids: Ids
  readonly sink: SinkAsked
  /** Whether a receipt in the sink says that the slot is served, with any number of shards. */
  readonly isServed: boolean
  /** Whether another owm is at work on the outbox. */
  readonly isHeld: boolean
  /** Whether the slot was compared with the source's list. */
  readonly isListed: boolean
  /** The list's ids, if a slot that another outbox served must have just these. */
  readonly list?: readonly string[] | undefined
  /** Whether the sink is empty. */
  readonly isEmpty: boolean
  /** `owm flush` redelivers only runs that began at this time (milliseconds since 1970) or later. */
  readonly flushedSince: number
}

export function judge(judged: Judged): Verified {
  const { own, found, ids, sink, isHeld } = judged
  const { slot, shard, delivered, dead, discarded } = own
  const isOfDiscarded = judged.isListed && areDiscarded(judged)
  const tasks = tasksOf(own, found, ids)
  const counted = { ...blank(slot, shard || null, Math.max(0, delivered - own.lost)), there: tasks.there }
  const base = { ...counted, dead, discarded }
  if (own.state === 'open') return isHeld ? { ...base, state: 'under way' } : waiting(base, own)
  const others = own.state === 'elsewhere' ? elsewhereDifferences(judged) : []
  if (others.length > 0) return { ...base, state: 'different', differences: others }
  if (own.state !== 'whole') return { ...base, state: own.state }
  const isPromised = sink.guarantee === 'exactly-once' && !own.mayBeTwice
  const absent = tasks.missing > 0 || own.lost > 0 ? [missing(judged, tasks)] : []
  const differences = [
    // The command that delivers missing tasks also rewrites the receipt.
    ...receiptDifferences(judged).map((one) => ({ ...one, todo: absent[0]?.todo ?? one.todo })),
    ...absent,
    ...(isPromised && ids.twice.length > 0 ? [twice(ids.twice)] : []),
    ...(judged.isListed ? listDifferences(judged, isOfDiscarded ? { ...ids, onlyListed: [] } : ids) : []),
  ]
  const state = differences.length > 0 ? 'different' : tasks.isProven || isOfDiscarded ? 'same' : 'unproven'
  return {
    ...base,
    state,
    differences,
    trimmed: tasks.trimmed,
    taken: tasks.taken,
    others: tasks.others,
    outside: found.outside,
    twice: isPromised ? 0 : ids.twice.length,
  }
}

const blank = (slot: string, shard: string | null, delivered: number): Omit<Verified, 'state'> => ({
  slot,
  shard,
  delivered,
  there: 0,
  trimmed: 0,
  taken: 0,
  dead: 0,
  discarded: 0,
  others: 0,
  outside: 0,
  twice: 0,
  differences: [],
})

function waiting(base: Omit<Verified, 'state'>, own: OwnSlot): Verified {
  const what = 'the slot is not whole in the sink, and no owm is at work'
  const todo = `\`${startOf(own)}\` finishes it; \`owm flush\` delivers what is stored`
  return { ...base, state: 'different', differences: [{ kind: 'waiting', count: 0, what, ids: [], todo }] }
}

interface Tasks {
  readonly there: number
  readonly trimmed: number
  readonly taken: number
  readonly missing: number
  readonly missingIds: readonly string[]
  readonly others: number
  readonly isProven: boolean
}

/** Whether the ids that only the list has are of discarded tasks, no longer kept: all ids add up to the slot's sum. */
function areDiscarded({ own, found, ids }: Judged): boolean {
  if (own.discarded === 0 || ids.onlyListed.length === 0 || !hasRange(found)) return false
  const known = [own.knownSum.toString(), found.unknownSum.toString()]
  return sumOfKnown([...known, ...ids.onlyListed]) === own.receipt?.taskIdSum
}

/** What the sink has of a slot. If readers remove what they have processed, missing tasks count as taken. */
function tasksOf(own: OwnSlot, found: Found, ids: Ids): Tasks {
  const counted = countedIn(own, found, ids)
  const { missing, isProven } = counted
  if (!found.isTakenFrom) return { ...counted, taken: 0 }
  return { ...counted, missing: 0, missingIds: [], taken: missing, isProven: isProven && missing === 0 }
}

/** Id by id if the history still has the whole slot; otherwise by count and sum. */
function countedIn(own: OwnSlot, found: Found, ids: Ids): Omit<Tasks, 'taken'> {
  const owed = Math.max(0, own.delivered - own.kept)
  // Trimming removes the oldest entries first. If none of the slot's is left, its last entry must be trimmed, too.
  const isExcused = ids.there > 0 ? found.isTrimmed : found.isGone
  const missingIds = isExcused ? ids.behind : [...ids.before, ...ids.behind]
  const known = { trimmed: isExcused ? ids.before.length : 0, missing: missingIds.length, missingIds }
  if (owed === 0) return { ...known, there: ids.there, others: found.unknown, isProven: true }
  const there = ids.there + Math.min(owed, found.unknown)
  const others = Math.max(0, found.unknown - owed)
  const short = Math.max(0, owed - found.unknown)
  if (found.isTrimmed) return { ...known, there, others, trimmed: known.trimmed + short, isProven: found.isGone }
  if (!hasRange(found)) return { ...known, there, others: 0, isProven: false }
  const sum = sumOfKnown([own.knownSum.toString(), found.unknownSum.toString()])
  const isProven = others === 0 && sum === own.receipt?.taskIdSum
  return { ...known, there, others, missing: known.missing + short, isProven }
}

const compared = ['read', 'rejected', 'duplicates', 'delivered', 'taskIdSum'] as const

function receiptDifferences({ own, found, sink }: Judged): Difference[] {
  const todo = own.isHistoryKept
    ? `\`${startOf(own)}\` compares the slot with the source and writes its receipt again`
    : `${replays(own, sink)}; its receipt is written again then`
  const { receipt: expected } = own
  const { receipt } = found
  if (!sink.receipts || !expected || own.mayLackRuns) return []
  if (!receipt) {
    const what =
      'the sink has no receipt of the slot: it may have lost more than that, unless the pipeline had another name then'
    return [{ kind: 'no receipt', count: 1, what, ids: [], todo }]
  }
  const undelivered = ({ dead, discarded }: Receipt): number => dead + discarded
  const values = compared
    .filter((name) => receipt[name] !== expected[name])
    .map((name) => valuesOf(name, expected, receipt))
  if (undelivered(receipt) !== undelivered(expected))
    values.push(`dead and discarded: ${undelivered(expected)} in the outbox, ${undelivered(receipt)} in the receipt`)
  if (values.length === 0) return []
  return [{ kind: 'receipt', count: values.length, what: `the receipt differs: ${values.join('; ')}`, ids: [], todo }]
}

const valuesOf = (name: (typeof compared)[number], outbox: Receipt, receipt: Receipt): string =>
  name === 'taskIdSum'
    ? 'the sum of the task ids is another one'
    : `${name}: ${outbox[name]} in the outbox, ${receipt[name]} in the receipt`

/**
 * A sink that keeps receipts and is empty of them, too, has lost everything, which the next delivery notices. An empty
 * sink that still has the receipt may have been emptied by its readers: the operator has to decide.
 */
function missing(judged: Judged, { missing: count, missingIds }: Tasks): Difference {
  const { own, found, sink, isEmpty, flushedSince } = judged
  const { lost, runs } = own
  const isLost = isEmpty && sink.receipts !== undefined && !found.receipt
  const isFlushed = isLost && sink.guarantee === 'exactly-once' && runs.every((run) => run.startedAt >= flushedSince)
  const todo = isFlushed && lost === 0 ? '`owm flush` delivers again what the sink has lost' : replays(own, sink)
  const ids = missingIds.slice(0, mostIds)
  if (lost > 0) return { kind: 'lost', count: Math.max(lost, count), what: 'the sink had and lost them', ids, todo }
  return { kind: 'missing', count, what: 'they were delivered and are not in the sink', ids, todo }
}

const twice = (ids: readonly string[]): Difference => ({
  kind: 'twice',
  count: ids.length,
  what: 'they are in the sink more often than they were sent',
  ids: ids.slice(0, mostIds),
  todo: 'Workers that skip by task_id do each once; `owm why` with an id shows its entries',
})

function listDifferences({ own, found, sink }: Judged, { onlyListed, notListed }: Ids): Difference[] {
  const more: Difference = {
    kind: 'not in slot',
    count: onlyListed.length,
    ids: onlyListed.slice(0, mostIds),
    what: own.isHistoryKept
      ? 'the list has them, and the slot has no task of theirs'
      : `the list has them, and the sink has no task of theirs${whereTheyMayBe(own, found)}`,
    todo: own.isHistoryKept ? `\`${startOf(own)}\` adds them` : replays(own, sink),
  }
  const fewer: Difference = {
    kind: 'not in list',
    count: notListed.length,
    ids: notListed.slice(0, mostIds),
    what: 'the slot has them, and the list no longer does',
    todo: 'Compare the list with an older one; `owm why` with an id shows which place it is',
  }
  return [more, fewer].filter(({ count }) => count > 0)
}

/** Why the sink may lack what only the list has, if the history no longer says. */
function whereTheyMayBe({ discarded }: OwnSlot, { isTrimmed, isTakenFrom }: Found): string {
  const may = compact(
    isTrimmed && 'have been trimmed',
    isTakenFrom && 'have been taken by readers',
    discarded > 0 && `be among the ${discarded} that were discarded`,
  )
  return may.length > 0 ? `; they may ${may.join(', or ')}` : ''
}

/**
 * A slot that neither a run of the outbox nor receipts tell to be served.
 * @param own the shard that is verified, such as `0/3`
 * @param isSharded whether the configuration reads a shard
 */
export function notThere(
  slot: string,
  receipts: readonly Receipt[],
  { begun }: InSink,
  { own, isSharded }: { own: string; isSharded: boolean },
): Verified {
  const there = standing(receipts)
  const base = blank(
    slot,
    null,
    sumOf(there, (receipt) => receipt.delivered),
  )
  const [other] = begun
  if (other) return lacking({ ...base, state: 'different' }, other)
  const isBegun = there.length > 0
  const what = isBegun
    ? `the sink has other shards of the slot, and lacks shard ${own}`
    : 'neither the outbox nor the sink has anything of the slot'
  const todo = `\`owm produce ${slotFlags(slot, own === '0/1' ? '' : own, isSharded)}\` serves it`
  return { ...base, state: 'different', differences: [{ kind: 'no run', count: 0, what, ids: [], todo }] }
}

/** A slot with another shard count than the outbox serves now: no start will deliver what it lacks. */
export function lacking(verified: Verified, { slot, shards, missing }: Begun): Verified {
  const which = missing.map((shard) => `${shard}/${shards}`)
  const what = `the slot was begun in ${shards} shards, and the sink lacks shard ${which.join(', ')}`
  const todo = `\`owm produce --slot ${slot} --shard ${which[0]}\`, with that shard's outbox or a new one, serves it`
  const difference: Difference = { kind: 'shards', count: missing.length, what, ids: [], todo }
  return { ...verified, state: 'different', differences: [...verified.differences, difference] }
}
