/** Whether outbox, receipt and sink say the same of a slot. Pure. */
import { compact, sumOf } from '../../../../lists.js'
import type { IdTable } from '../../../../outbox/inspect/ids/id-table.js'
import type { OwnSlot } from '../../../../outbox/inspect/ids/own-slots.js'
import type { Begun, InSink } from '../../../../pipeline/slots/in-sink.js'
import type { Receipt } from '../../../../plugin.js'
import { IdSum } from '../../../../tasks/ids/sum.js'
import { type Difference, mostIds, replays, type SinkAsked, startOf } from './difference.js'
import { elsewhereDifferences } from './elsewhere.js'
import { type Found, hasRange } from './scan.js'

/** What `owm verify --json` says of a slot. */
export interface Verified {
  readonly slot: string
  /** As `0/3`; null for the whole. */
  readonly shard: string | null
  /** `unproven`: nothing differs, but what would prove it isn't kept any more. */
  readonly state: 'same' | 'different' | 'under way' | 'unproven' | 'elsewhere' | 'discarded'
  /** Tasks that the sink took, without those of which it is known that it lost them, and how many are there. */
  readonly delivered: number
  readonly there: number
  /** Tasks that were trimmed since. */
  readonly trimmed: number
  /** Tasks that aren't there, at a sink whose readers take away what they have done. */
  readonly taken: number
  readonly dead: number
  readonly discarded: number
  /** Tasks between the slot's first and last entry that this outbox doesn't know. */
  readonly others: number
  /** Tasks of the slot that stand outside of those two: its receipt was deleted, and written again since. */
  readonly outside: number
  /** Tasks that are there more often than known of, at a sink that promises no more or was sent them more than once. */
  readonly twice: number
  readonly differences: Difference[]
}

/** What the table says of a slot's ids, in the order in which they were sent. */
interface Ids {
  there: number
  /** Missing before all that are there, and behind one that is. */
  readonly before: string[]
  readonly behind: string[]
  readonly twice: string[]
  /** Only the list has them, or only the outbox. */
  readonly onlyListed: string[]
  readonly notListed: string[]
}

/** @param listedSlot the number of the slot that is compared with the list, -1 for none */
export function idsBySlot(ids: IdTable, slots: number, listedSlot: number): Ids[] {
  const first = new Array<number>(slots).fill(Number.POSITIVE_INFINITY)
  for (const { group, order, found, expected } of ids.all())
    if (found > 0 && expected > 0) first[group] = Math.min(first[group] ?? 0, order)
  const of = first.map(() => ({ there: 0, before: [], behind: [], twice: [], onlyListed: [], notListed: [] }) as Bins)
  for (const { id, group, order, expected, found, listed, dead } of ids.all()) {
    const own = of[group]
    if (!own) continue
    const noted = { id, order }
    if (expected > 0 && found > 0) own.there++
    if (expected > 0 && found === 0) (order < (first[group] ?? 0) ? own.before : own.behind).push(noted)
    if (expected > 0 && found > expected) own.twice.push(noted)
    if (listed && expected === 0 && !dead && found === 0) own.onlyListed.push(noted)
    if (group === listedSlot && !listed && (expected > 0 || dead)) own.notListed.push(noted)
  }
  const sorted = (noted: Noted[]): string[] => noted.sort((a, b) => a.order - b.order).map(({ id }) => id)
  return of.map(({ there, before, behind, twice, onlyListed, notListed }) => ({
    there,
    before: sorted(before),
    behind: sorted(behind),
    twice: sorted(twice),
    onlyListed: sorted(onlyListed),
    notListed: sorted(notListed),
  }))
}

interface Noted {
  readonly id: string
  readonly order: number
}

type Bins = { there: number } & Record<Exclude<keyof Ids, 'there'>, Noted[]>

export interface Judged {
  readonly own: OwnSlot
  readonly found: Found
  readonly ids: Ids
  readonly sink: SinkAsked
  /** Whether a receipt in the sink says that the slot is served, in whatever number of shards. */
  readonly isServed: boolean
  /** Whether another owm is at work on the outbox. */
  readonly isHeld: boolean
  /** Whether the slot was compared with the source's list. */
  readonly isListed: boolean
  /** Its ids, where they must be those of a slot that another outbox has served. */
  readonly list?: readonly string[] | undefined
  /** Whether the sink holds nothing at all. */
  readonly isEmpty: boolean
  /** Runs that began before this time (milliseconds since 1970) aren't delivered again by `owm flush`. */
  readonly flushedSince: number
}

export function judge(judged: Judged): Verified {
  const { own, found, ids, sink, isHeld } = judged
  const { slot, shard, delivered, dead, discarded } = own
  const isOfDiscarded = judged.isListed && areDiscarded(judged)
  const tasks = tasksOf(own, found, ids)
  const base = {
    slot,
    shard: shard || null,
    delivered: Math.max(0, delivered - own.lost),
    there: tasks.there,
    trimmed: 0,
    taken: 0,
    dead,
    discarded,
    others: 0,
    outside: 0,
    twice: 0,
    differences: [],
  }
  if (own.state === 'open') return isHeld ? { ...base, state: 'under way' } : waiting(base)
  const others = own.state === 'elsewhere' ? elsewhereDifferences(judged) : []
  if (others.length > 0) return { ...base, state: 'different', differences: others }
  if (own.state !== 'whole') return { ...base, state: own.state }
  const isPromised = sink.guarantee === 'exactly-once' && !own.mayBeTwice
  const lacking = tasks.missing > 0 || own.lost > 0 ? [missing(judged, tasks)] : []
  const differences = [
    // What brings the tasks brings the receipt.
    ...receiptDifferences(judged).map((one) => ({ ...one, todo: lacking[0]?.todo ?? one.todo })),
    ...lacking,
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

function waiting(base: Omit<Verified, 'state'>): Verified {
  const what = 'the slot is not whole in the sink, and no owm is at work'
  const todo = '`owm produce` finishes it; `owm flush` delivers what is stored'
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

/** Whether what only the list has are tasks that were discarded and are no longer kept: all ids have the slot's sum. */
function areDiscarded({ own, found, ids }: Judged): boolean {
  if (own.discarded === 0 || ids.onlyListed.length === 0 || !hasRange(found)) return false
  const sum = new IdSum()
  for (const part of [own.knownSum.toString(), found.unknownSum.toString(), ...ids.onlyListed]) sum.add(part)
  return sum.toString() === own.receipt?.taskIdSum
}

/** What of a slot is there; where readers take what they have done, what is missing was taken. */
function tasksOf(own: OwnSlot, found: Found, ids: Ids): Tasks {
  const counted = countedIn(own, found, ids)
  const { missing, isProven } = counted
  if (!found.isTakenFrom) return { ...counted, taken: 0 }
  return { ...counted, missing: 0, missingIds: [], taken: missing, isProven: isProven && missing === 0 }
}

/** Of a slot that the history still has as a whole, id by id; else by number and sum. */
function countedIn(own: OwnSlot, found: Found, ids: Ids): Omit<Tasks, 'taken'> {
  const owed = Math.max(0, own.delivered - own.kept)
  // What was trimmed was sent first. Where nothing is left of the slot, it's its end that tells.
  const isExcused = ids.there > 0 ? found.isTrimmed : found.isGone
  const missingIds = isExcused ? ids.behind : [...ids.before, ...ids.behind]
  const known = { trimmed: isExcused ? ids.before.length : 0, missing: missingIds.length, missingIds }
  if (owed === 0) return { ...known, there: ids.there, others: found.unknown, isProven: true }
  const there = ids.there + Math.min(owed, found.unknown)
  const others = Math.max(0, found.unknown - owed)
  const lacking = Math.max(0, owed - found.unknown)
  if (found.isTrimmed) return { ...known, there, others, trimmed: known.trimmed + lacking, isProven: found.isGone }
  if (!hasRange(found)) return { ...known, there, others: 0, isProven: false }
  const sum = new IdSum()
  sum.add(own.knownSum.toString())
  sum.add(found.unknownSum.toString())
  const isProven = others === 0 && sum.toString() === own.receipt?.taskIdSum
  return { ...known, there, others, missing: known.missing + lacking, isProven }
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
  const gone = (of: Receipt): number => of.dead + of.discarded
  const values = compared
    .filter((name) => receipt[name] !== expected[name])
    .map((name) => valuesOf(name, expected, receipt))
  if (gone(receipt) !== gone(expected))
    values.push(`dead and discarded: ${gone(expected)} in the outbox, ${gone(receipt)} in the receipt`)
  if (values.length === 0) return []
  return [{ kind: 'receipt', count: values.length, what: `the receipt differs: ${values.join('; ')}`, ids: [], todo }]
}

const valuesOf = (name: (typeof compared)[number], outbox: Receipt, receipt: Receipt): string =>
  name === 'taskIdSum'
    ? 'the sum of the task ids is another one'
    : `${name}: ${outbox[name]} in the outbox, ${receipt[name]} in the receipt`

/**
 * A sink that knows how far it got and has lost that, too, has lost all; the next delivery notices it by itself. One
 * that is empty and still knows it may have been emptied by its readers: that is for an operator to say.
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

/** Why the sink may not have what only the list has, where the history no longer tells. */
function whereTheyMayBe({ discarded }: OwnSlot, { isTrimmed, isTakenFrom }: Found): string {
  const may = compact(
    isTrimmed && 'have been trimmed',
    isTakenFrom && 'have been taken by readers',
    discarded > 0 && `be among the ${discarded} that were discarded`,
  )
  return may.length > 0 ? `; they may ${may.join(', or ')}` : ''
}

/**
 * A slot that the outbox has no run of.
 * @param own the shard that is verified, as `0/3`
 */
export function notThere(slot: string, receipts: readonly Receipt[], { served, begun }: InSink, own: string): Verified {
  const delivered = sumOf(receipts, (receipt) => receipt.delivered)
  const base = {
    slot,
    shard: null,
    delivered,
    there: 0,
    trimmed: 0,
    taken: 0,
    dead: 0,
    discarded: 0,
    others: 0,
    outside: 0,
    twice: 0,
  }
  if (served.length > 0) return { ...base, state: 'elsewhere', differences: [] }
  const [other] = begun
  if (other) return lacking({ ...base, state: 'different', differences: [] }, other)
  const isBegun = receipts.length > 0
  const what = isBegun
    ? `the sink has other shards of the slot, and lacks shard ${own}`
    : 'neither the outbox nor the sink has anything of the slot'
  const todo = `\`owm produce --slot ${slot}${isBegun ? ` --shard ${own}` : ''}\` serves it`
  return { ...base, state: 'different', differences: [{ kind: 'no run', count: 0, what, ids: [], todo }] }
}

/** A slot of another number of shards than the outbox serves now: nobody comes for what it lacks. */
export function lacking(verified: Verified, { slot, shards, missing }: Begun): Verified {
  const which = missing.map((shard) => `${shard}/${shards}`)
  const what = `the slot was begun in ${shards} shards, and the sink lacks shard ${which.join(', ')}`
  const todo = `\`owm produce --slot ${slot} --shard ${which[0]}\`, with that shard's outbox or a new one, serves it`
  const difference: Difference = { kind: 'shards', count: missing.length, what, ids: [], todo }
  return { ...verified, state: 'different', differences: [...verified.differences, difference] }
}
