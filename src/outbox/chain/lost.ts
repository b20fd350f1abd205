/** Tasks that a sink had and lost, and that can't be delivered again: their runs are `lost`, and say how many. */
import { And, type EntityManager, In, LessThan, LessThanOrEqual, MoreThan, Not } from 'typeorm'
import { endingAfter } from '../sqlite/criteria.js'
import { batches, runs } from '../sqlite/entities.js'
import { readingStates } from '../sqlite/run-states.js'

/** Milliseconds: what a sink lost of runs that began earlier isn't delivered again, such as a weekend's old hours. */
export const redeliverableMs = 86_400_000

interface Loss {
  /** The last task that the sink has. */
  readonly seq: number
  /** The last task that it had. */
  readonly ackedSeq: number
  /** Runs that began before this time (milliseconds since 1970) aren't delivered again. */
  readonly before: number
}

/** Marks the runs whose tasks are lost. Returns the `seq` behind which delivery goes on. */
export async function loseUpTo(manager: EntityManager, { seq, ackedSeq, before }: Loss): Promise<number> {
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
      state: In(['done', 'lost']),
    },
  })
  const tooOld = new Set(old.map(({ id }) => id))
  // Up to the first batch of a younger run: an old one behind it comes again as well, so that none is passed over.
  const firstYoung = kept.findIndex(({ run }) => !tooOld.has(run))
  const lastOld = firstYoung < 0 ? kept.at(-1) : kept[firstYoung - 1]
  const reached = lastOld ? Math.min(ackedSeq, lastOld.firstSeq + lastOld.count - 1) : seq
  const firstKept = kept[0]?.firstSeq ?? ackedSeq + 1
  const unkept = Math.max(0, Math.min(firstKept - 1, ackedSeq) - seq)
  const from = Math.max(reached, seq + unkept)
  for (const id of tooOld) {
    const own = kept.filter(({ run, firstSeq }) => run === id && firstSeq <= reached)
    const tasks = own.reduce((sum, batch) => sum + tasksBetween(batch, seq, reached), 0)
    if (tasks > 0) await lose(manager, id, tasks)
  }
  if (unkept > 0) await loseUnkept(manager, unkept)
  return from
}

/** How many of a batch's tasks lie behind `seq`, up to `last`. */
export const tasksBetween = (
  { firstSeq, count }: { firstSeq: number; count: number },
  seq: number,
  last: number,
): number => Math.min(firstSeq + count - 1, last) - Math.max(firstSeq - 1, seq)

/**
 * Of what a sink got before another one took its place for a while, it has lost the tasks behind `seq`. They aren't
 * delivered again, since the other one's tasks lie in between: their runs are `lost`. Returns how many tasks.
 *
 * @param fromSeq where its present turn begins
 */
export async function loseEarlier(
  manager: EntityManager,
  sink: number,
  { seq, fromSeq }: { seq: number; fromSeq: number },
): Promise<number> {
  const firstKept = (await manager.minimum(batches, 'firstSeq')) ?? fromSeq + 1
  const select = { id: true, persisted: true, sinks: true } as const
  const done = await manager.find(runs, { select, where: { state: 'done', persisted: MoreThan(0) } })
  let lost = 0
  for (const { id, persisted, sinks } of done) {
    if (!sinks?.includes(sink)) continue
    const own = await manager.find(batches, { select: { firstSeq: true, count: true }, where: { run: id } })
    const kept = own.reduce((sum, { count }) => sum + count, 0)
    const behind = own.reduce((sum, batch) => sum + Math.max(0, tasksBetween(batch, seq, fromSeq)), 0)
    const tasks = behind + (seq < firstKept - 1 ? persisted - kept : 0)
    if (tasks > 0) await lose(manager, id, tasks)
    lost += Math.max(0, tasks)
  }
  return lost
}

/** Which runs had the newest tasks that are no longer kept: the newest runs that have none, or not all, of theirs. */
async function loseUnkept(manager: EntityManager, unkept: number): Promise<void> {
  let left = unkept
  const rows = await manager.find(runs, {
    select: { id: true, persisted: true },
    where: { persisted: MoreThan(0), state: Not(In(readingStates)) },
    order: { id: 'DESC' },
  })
  for (const { id, persisted } of rows) {
    if (left <= 0) return
    const kept = (await manager.sum(batches, 'count', { run: id })) ?? 0
    const tasks = Math.min(left, persisted - kept)
    if (tasks > 0) await lose(manager, id, tasks)
    left -= tasks
  }
}

async function lose(manager: EntityManager, id: number, tasks: number): Promise<void> {
  await manager.update(runs, { id }, { state: 'lost', lost: () => `min(persisted, lost + ${tasks})`, finishedAt: null })
}
