/** Tasks that a sink had and lost, and that can't be delivered again: their runs become `lost` and count them. */
import { And, type EntityManager, In, LessThan, LessThanOrEqual, MoreThan, Not } from 'typeorm'
import { sumOf } from '../../lists.js'
import { tasksKept } from '../runs/kept.js'
import { readingStates } from '../runs/run-states.js'
import { currentOf } from '../runs/whole-slots.js'
import { endingAfter } from '../sqlite/criteria.js'
import { type BatchRow, batches, deadTasks, runs } from '../sqlite/entities.js'

/** Milliseconds: lost tasks of older runs aren't delivered again, such as a weekend's past hours. */
export const redeliverableMs = 86_400_000

interface Loss {
  /** The last task that the sink has. */
  readonly seq: number
  /** The last task that it had. */
  readonly ackedSeq: number
  /** Runs that began before this time (milliseconds since 1970) aren't delivered again. */
  readonly before: number
  /** Its row, where other sinks have had their turns since. */
  readonly sink?: number
}

/**
 * Marks the runs whose tasks are lost. Returns the `seq` after which delivery resumes. Of what the sink had:
 *
 *     seq        seq + unkept             reached                                  ackedSeq
 *      |  no longer kept  |  of old runs alone  |  from the first younger run on     |
 *      |       lost       |        lost         |  delivered again, old runs as well |
 */
export async function loseUpTo(manager: EntityManager, { seq, ackedSeq, before, sink }: Loss): Promise<number> {
  const kept = await manager.find(batches, {
    select: { firstSeq: true, count: true, run: true },
    where: { firstSeq: And(endingAfter(seq), LessThanOrEqual(ackedSeq)) },
    order: { firstSeq: 'ASC' },
  })
  const old = await manager.find(runs, {
    select: { id: true },
    where: {
      id: In([...new Set(kept.map(({ run }) => run))]),
      startedAt: LessThan(before),
      state: In(['done', 'lost', 'discarded']), // `lose` leaves discarded ones unchanged
    },
  })
  const tooOld = new Set(old.map(({ id }) => id))
  // Up to the first batch of a younger run: old ones after it are delivered again, since no batch can be skipped.
  const firstYoung = kept.findIndex(({ run }) => !tooOld.has(run))
  const lastOld = firstYoung < 0 ? kept.at(-1) : kept[firstYoung - 1]
  const reached = lastOld ? Math.min(ackedSeq, lastOld.firstSeq + lastOld.count - 1) : seq
  const firstKept = kept[0]?.firstSeq ?? ackedSeq + 1
  const unkept = Math.max(0, Math.min(firstKept - 1, ackedSeq) - seq)
  const from = Math.max(reached, seq + unkept)
  for (const id of tooOld) {
    const own = kept.filter(({ run, firstSeq }) => run === id && firstSeq <= reached)
    await lose(manager, id, await hadOf(manager, { id, own }, seq, reached))
  }
  if (unkept > 0) await loseUnkept(manager, seq, seq + unkept, sink)
  return from
}

/** How many of a batch's tasks lie after `seq`, up to `last`. */
export const tasksBetween = (
  { firstSeq, count }: { firstSeq: number; count: number },
  seq: number,
  last: number,
): number => Math.min(firstSeq + count - 1, last) - Math.max(firstSeq - 1, seq)

/** How many tasks of a run after `seq`, up to `last`, a sink had: not those that delivery skipped. */
async function hadOf(
  manager: EntityManager,
  { id: run, own }: { id: number; own: readonly Pick<BatchRow, 'firstSeq' | 'count'>[] },
  seq: number,
  last: number,
): Promise<number> {
  const from = Math.max(seq, (own[0]?.firstSeq ?? 1) - 1)
  const stored = sumOf(own, (batch) => Math.max(0, tasksBetween(batch, from, last)))
  return stored - (await manager.countBy(deadTasks, { run, seq: And(MoreThan(from), LessThanOrEqual(last)) }))
}

/**
 * Marks the runs whose tasks a sink got before another one took its place for a while, and lost: those after `seq`.
 * They aren't delivered again, since the other sink's tasks lie in between.
 *
 * @param fromSeq where its present turn begins
 */
export async function loseEarlier(
  manager: EntityManager,
  sink: number,
  { seq, fromSeq }: { seq: number; fromSeq: number },
): Promise<void> {
  const firstKept = (await manager.minimum(batches, 'firstSeq')) ?? fromSeq + 1
  const select = { id: true, persisted: true, sinks: true } as const
  const done = await manager.find(runs, { select, where: { state: 'done', persisted: MoreThan(0) } })
  for (const { id, persisted, sinks } of done) {
    if (!sinks?.includes(sink)) continue
    const select = { firstSeq: true, count: true } as const
    const own = await manager.find(batches, { select, where: { run: id }, order: { firstSeq: 'ASC' } })
    const first = own[0]?.firstSeq ?? fromSeq + 1
    const passed = await manager.countBy(deadTasks, { run: id, seq: LessThan(first) })
    const unkept = seq < Math.min(firstKept - 1, fromSeq) ? persisted - (await tasksKept(manager, id)) - passed : 0
    await lose(manager, id, unkept + (await hadOf(manager, { id, own }, seq, fromSeq)))
  }
}

/**
 * Marks the runs that had the tasks after `seq`, up to `last`, that are no longer kept: the newest that lack some.
 *
 * @param sink only the runs that this one got
 */
async function loseUnkept(manager: EntityManager, seq: number, last: number, sink?: number): Promise<void> {
  let left = last - seq
  const rows = await manager.find(runs, {
    select: { id: true, persisted: true, sinks: true },
    where: { persisted: MoreThan(0), state: Not(In(readingStates)) },
    order: { id: 'DESC' },
  })
  for (const { id, persisted, sinks } of rows) {
    if (left <= 0) return
    if (sink !== undefined && sinks && !sinks.includes(sink)) continue
    const own = Math.min(left, persisted - (await tasksKept(manager, id)))
    const passed = await manager.countBy(deadTasks, { run: id, seq: And(MoreThan(seq), LessThanOrEqual(last)) })
    await lose(manager, id, own - passed)
    left -= own
  }
}

/** The number of lost tasks of all runs. */
export const lostTasks = async (manager: EntityManager): Promise<number> => (await manager.sum(runs, 'lost')) ?? 0

/** Counts lost tasks of a run, at most as many as the sink had; not of one that is discarded or was read again. */
async function lose(manager: EntityManager, run: number, tasks: number): Promise<void> {
  if (tasks <= 0 || (await isReadAgain(manager, run))) return
  const dead = await manager.countBy(deadTasks, { run, fate: 'dead' })
  const lost = (): string => `min(persisted - discarded - ${dead}, lost + ${tasks})`
  await manager.update(runs, { id: run, state: Not('discarded') }, { state: 'lost', lost, finishedAt: null })
}

/** Whether later runs that replace it have brought its slot to all of its sinks: then losses count for those. */
async function isReadAgain(manager: EntityManager, id: number): Promise<boolean> {
  const [run] = await manager.find(runs, { where: { id } })
  const ofSlot = await manager.find(runs, { where: { slot: run?.slot ?? '' }, order: { id: 'ASC' } })
  const current = currentOf(ofSlot)
  if (current.some((other) => other.id === id)) return false
  const sinks = current.flatMap((other) => other.sinks ?? [])
  return sinks.length > 0 && (run?.sinks ?? []).every((sink) => sinks.includes(sink))
}
