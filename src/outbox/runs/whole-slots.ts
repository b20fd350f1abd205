/** Which slots are whole, each shard of them by itself, and the receipts that prove it. */
import { type EntityManager, type FindOperator, In, LessThanOrEqual, Not } from 'typeorm'
import { groupedBy, sumOf } from '../../lists.js'
import type { Brought, Receipt } from '../../plugin.js'
import { IdSum } from '../../tasks/ids/sum.js'
import { shardNameIn, shardOf, slotOf } from '../../tasks/slot.js'
import { endingAfter } from '../sqlite/criteria.js'
import { batches, deadTasks, type RunRow, runs } from '../sqlite/entities.js'
import { readingStates } from '../sqlite/run-states.js'

export interface WholeSlot {
  /** Undefined where a run of an older version brought the slot: the sum of its ids isn't known. */
  readonly receipt: Receipt | undefined
  readonly brought: Brought
}

/** The shards of slots with runs that aren't done, all of them read, and with every task at or before `ackedSeq`. */
export async function wholeSlots(manager: EntityManager, pipeline: string, ackedSeq: number): Promise<WholeSlot[]> {
  const read = await manager.find(runs, { select: { id: true, slot: true }, where: { state: 'read' } })
  const slots = [...new Set(read.map(({ slot }) => slot))]
  const whole: WholeSlot[] = []
  for (const slot of slots) {
    // A run that was missed brought nothing.
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

/** Runs by slot and shard, in the order in which those began: several shards may use one outbox in turn. */
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

/** A run as a row, or as it is shown. */
type OfShard = { readonly again: number | boolean; readonly state: string } & (
  | { readonly sourceDigest: string }
  | { readonly shard: string | null }
)

const shardNameOf = (run: OfShard): string =>
  'sourceDigest' in run ? shardNameIn(run.sourceDigest) : (run.shard ?? '')

/**
 * What counts of a slot's runs: one that reads the slot again stands for all of its shard before it, or for all where
 * it read the whole. One that was missed stands for none.
 */
export function currentOf<Run extends OfShard>(ofSlot: readonly Run[]): Run[] {
  const standsFor = (later: Run, run: Run): boolean =>
    Boolean(later.again) && later.state !== 'missed' && ['', shardNameOf(run)].includes(shardNameOf(later))
  // guard: read-again-counts
  return ofSlot.filter((run, index) => !ofSlot.slice(index + 1).some((later) => standsFor(later, run)))
}

/**
 * Whether a run that is done only says that another outbox has served its slot (`noteServed`): what it read became
 * nothing here. A receipt's duplicates aren't noted, since some of them may be what an earlier run brought there.
 */
export const isNoted = ({
  persisted,
  read,
  rejected,
  duplicates,
  notDue,
}: Pick<RunRow, 'persisted' | 'read' | 'rejected' | 'duplicates' | 'notDue'>): boolean =>
  persisted === 0 && read > rejected + duplicates + notDue

/** @param own the runs of one shard of a slot, oldest first, without those that were missed */
export function receiptOf(
  own: readonly RunRow[],
  pipeline: string,
  dead: number,
  interval: Receipt['interval'],
): Receipt | undefined {
  const current = currentOf(own)
  const last = current.at(-1)
  if (!last) return undefined
  const idSum = new IdSum()
  for (const run of current) {
    if (run.idSum === null) return undefined
    idSum.add(run.idSum)
  }
  const sum = (of: (run: RunRow) => number): number => sumOf(current, (run) => of(run))
  const discarded = sum((run) => run.discarded)
  const [shard, shards] = shardOf(last.sourceDigest)
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
    taskIdSum: idSum.toString(),
  }
}

/** A slot's runs have one interval, if any. That of the first run of all is empty where no schedule says more. */
export function intervalOf(own: readonly RunRow[]): Receipt['interval'] {
  for (const { intervalFrom, slot } of own)
    if (intervalFrom !== null && intervalFrom < Date.parse(slot)) return { from: slotOf(intervalFrom), to: slot }
  return null
}

/** Rows that are read at once. */
const deadAtOnce = 10_000

/** The last task up to `seq` that the sink may have taken: those behind it were refused. */
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
