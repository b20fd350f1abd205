/** Which slots are whole, each shard on its own, and the receipts that prove it. */
import { type EntityManager, type FindOperator, In, LessThanOrEqual, Not } from 'typeorm'
import { groupedBy, sumOf } from '../../lists.js'
import type { Brought, Receipt } from '../../plugin.js'
import { sumOfKnown } from '../../tasks/ids/sum.js'
import { shardNameIn, shardOf } from '../../tasks/shard.js'
import { slotOf } from '../../tasks/slot.js'
import { endingAfter } from '../sqlite/criteria.js'
import { batches, deadTasks, type RunRow, runs } from '../sqlite/entities.js'
import { readingStates } from './run-states.js'

export interface WholeSlot {
  /** Undefined if an older version of owm brought the slot without a sum of its ids. */
  readonly receipt: Receipt | undefined
  readonly brought: Brought
}

/** The shards whose runs can be marked done: all are read, and every task is at or before `ackedSeq`. */
export async function wholeSlots(manager: EntityManager, pipeline: string, ackedSeq: number): Promise<WholeSlot[]> {
  const read = await manager.find(runs, { select: { id: true, slot: true }, where: { state: 'read' } })
  const slots = [...new Set(read.map(({ slot }) => slot))]
  const whole: WholeSlot[] = []
  for (const slot of slots) {
    // Missed runs brought nothing.
    const ofSlot = await manager.find(runs, { where: { slot, state: Not('missed') }, order: { id: 'ASC' } })
    for (const own of runsByShard(ofSlot)) {
      if (own.some(({ state }) => readingStates.includes(state))) continue
      if (!own.some(({ state }) => state === 'read')) continue
      const run = In(own.map(({ id }) => id))
      if (await manager.existsBy(batches, { run, firstSeq: endingAfter(ackedSeq) })) continue
      const counted = In(currentOf(own).map(({ id }) => id))
      const dead = await manager.countBy(deadTasks, { run: counted, fate: 'dead' })
      const lastSeq = await lastTaken(manager, await lastSeqOf(manager, run))
      const brought = { runs: own.map(({ runId }) => runId), lastSeq }
      whole.push({ receipt: receiptOf(own, pipeline, dead, intervalOf(ofSlot)), brought })
    }
  }
  return whole
}

/** Runs by slot and shard, in the order of their first runs. Several shards may use one outbox in turn. */
export function runsByShard<Run extends Pick<RunRow, 'slot' | 'sourceDigest'>>(rows: readonly Run[]): Run[][] {
  const shards = groupedBy(rows, ({ slot, sourceDigest }) => `${slot} ${shardNameIn(sourceDigest)}`)
  return [...shards.values()]
}

async function lastSeqOf(manager: EntityManager, run: FindOperator<number>): Promise<number> {
  const [last] = await manager.find(batches, {
    select: { firstSeq: true, count: true },
    where: { run },
    order: { firstSeq: 'DESC' },
    take: 1,
  })
  return last ? last.firstSeq + last.count - 1 : 0
}

/** A run, as its row or as reported. */
type OfShard = { readonly again: number | boolean; readonly state: string } & (
  | { readonly sourceDigest: string }
  | { readonly shard: string | null }
)

const shardNameOf = (run: OfShard): string =>
  'sourceDigest' in run ? shardNameIn(run.sourceDigest) : (run.shard ?? '')

/**
 * The runs of a slot that count. One that read the slot again replaces the earlier ones of its shard, or all of them if
 * it read the whole slot; a missed one replaces none.
 */
export function currentOf<Run extends OfShard>(ofSlot: readonly Run[]): Run[] {
  const replaces = (later: Run, run: Run): boolean =>
    Boolean(later.again) && later.state !== 'missed' && ['', shardNameOf(run)].includes(shardNameOf(later))
  // guard: read-again-counts
  return ofSlot.filter((run, index) => !ofSlot.slice(index + 1).some((later) => replaces(later, run)))
}

/**
 * Whether a run that is done only records that another outbox served its slot (`noteServed`): it stored nothing of what
 * it read. A receipt's duplicates aren't noted, since some may be what an earlier run brought there.
 */
export const isNoted = ({
  persisted,
  read,
  rejected,
  duplicates,
  notDue,
}: Pick<RunRow, 'persisted' | 'read' | 'rejected' | 'duplicates' | 'notDue'>): boolean =>
  persisted === 0 && read > rejected + duplicates + notDue

/** @param own the runs of one shard of a slot, oldest first, without missed ones */
export function receiptOf(
  own: readonly RunRow[],
  pipeline: string,
  dead: number,
  interval: Receipt['interval'],
): Receipt | undefined {
  const current = currentOf(own)
  const last = current.at(-1)
  if (!last) return undefined
  const taskIdSum = sumOfKnown(current.map(({ idSum }) => idSum))
  if (taskIdSum === null) return undefined
  const sum = (of: (run: RunRow) => number): number => sumOf(current, of)
  const discarded = sum((run) => run.discarded)
  const { index: shard, count: shards } = shardOf(last.sourceDigest)
  return {
    pipeline,
    slot: last.slot,
    shard,
    shards,
    interval,
    read: last.read,
    rejected: last.rejected,
    duplicates: last.duplicates,
    delivered: sum((run) => run.persisted) - dead - discarded,
    dead,
    discarded,
    taskIdSum,
  }
}

/** The interval that a slot's runs share, if any. Without a schedule, that of an outbox's first run is empty. */
export function intervalOf(own: readonly RunRow[]): Receipt['interval'] {
  for (const { intervalFrom, slot } of own)
    if (intervalFrom !== null && intervalFrom < Date.parse(slot)) return { from: slotOf(intervalFrom), to: slot }
  return null
}

/** Rows per query. */
const deadAtOnce = 10_000

/** The last task up to `seq` that the sink may have taken: it refused those after it. */
async function lastTaken(manager: EntityManager, seq: number): Promise<number> {
  const last = { select: { seq: true }, where: { seq: LessThanOrEqual(seq) }, order: { seq: 'DESC' } } as const
  let taken = seq
  for (let skip = 0; taken > 0; skip += deadAtOnce) {
    const dead = await manager.find(deadTasks, { ...last, skip, take: deadAtOnce })
    for (const row of dead) {
      if (row.seq !== taken) return taken
      taken--
    }
    if (dead.length < deadAtOnce) return taken
  }
  return taken
}
