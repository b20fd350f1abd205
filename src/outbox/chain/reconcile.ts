/**
 * Decides where delivery resumes, from what the sink says and what the file remembers, and writes it to the file.
 * Nothing here changes the sink: after a crash the comparison is repeated.
 *
 * - **same**: the sink is where this outbox is, or ahead (after a crash before the acknowledgement).
 * - **behind**: the sink lost tasks that it had taken: a failover to a replica that lagged.
 * - **emptied**: it lost all of them, or its id, or never placed a fence for this outbox.
 * - **copy**: another file placed the fence under this outbox's id: this file is an old or a second copy. It continues
 *   under a new id, after the last task that both have.
 * - **another sink**: see move.ts.
 *
 * If the fence doesn't cover all that the sink holds (emptied, copy), the sink is searched: delivery skips the tasks
 * that are there, up to the first one that isn't. Lost tasks are delivered again from the history if their runs began
 * within a day; runs whose tasks are older, or no longer kept, become `lost`.
 */
import { randomUUID } from 'node:crypto'
import { And, type EntityManager, LessThanOrEqual, MoreThan } from 'typeorm'
import type { SinkPosition } from '../../plugin.js'
import { taskIdOf } from '../../tasks/id.js'
import { deadTasks, states } from '../sqlite/entities.js'
import { deliverLeftOut } from '../sqlite/statements.js'
import { deadAfter } from '../state.js'
import { loseEarlier, loseUpTo, lostTasks, redeliverableMs } from './lost.js'
import { isAnother, isBack, moveTo } from './move.js'
import { beforeOpenRuns } from './open-runs.js'
import { type Met, type OutboxParts, type Reconciled, reopen, write } from './position.js'

type Warning = Reconciled['warnings'][number]

/** Compares with a sink that knows attachments. Throws SupersededError, ConfigurationError, OutboxError. */
export async function reconcile(parts: OutboxParts, met: Met): Promise<Reconciled> {
  const { state, sinks } = parts
  const { fence, former, sinkId, created, emptied, superseded } = met.attached
  const known = sinks.find(met.address, sinkId)
  const isGone = emptied || (known !== undefined && (created || !known.sinkIds.includes(sinkId)))
  const stands = fence !== undefined && !isGone
  // A copy of a copy that was never placed continues after the same fence as that one.
  if (superseded || (stands && !(await isOurs(parts, fence))))
    return becomeCopy(parts, fence ? state.outboxId : (state.formerId ?? state.outboxId))
  if (isAnother(parts, known) && !(await isBack(parts, met, known))) return moveTo(parts, met, known)
  // An outbox of an older version knows no sinks: a sink without a fence for it may be new.
  const isNew = !known && !stands && state.acked.seq > 0
  const firstMeeting = isNew ? Math.min(state.acked.seq, await beforeOpenRuns(parts.database)) : undefined
  const note: Note = {
    fromSeq: firstMeeting ?? known?.fromSeq ?? 0,
    write: (manager) => sinks.note(manager, { known, address: met.address, sinkId, fromSeq: firstMeeting }),
  }
  if (stands) return followPosition(parts, fence, note)
  const search = known || state.acked.seq > 0 ? met.search : undefined
  if (state.formerId !== null && !fence) {
    const at = former && former.seq < state.acked.seq ? former : { seq: state.acked.seq, taskId: '' }
    // guard: copy-behind-both
    return goBackTo(parts, { at: former ? at : nothingTaken, note, search })
  }
  return goBackTo(parts, { at: nothingTaken, note, search })
}

const nothingTaken: SinkPosition = { seq: 0, taskId: '' }

/** A sink without attachments. */
export interface MetPlain extends Pick<Met, 'address' | 'from'> {
  /** The position that it reports; null if it can't report one. */
  readonly position: SinkPosition | undefined | null
}

/** Compares with a sink that reports its position at most, and is known by its address. */
export async function reconcilePosition(parts: OutboxParts, met: MetPlain): Promise<Reconciled> {
  const { state, sinks } = parts
  const { address, position } = met
  const known = sinks.find(address)
  const isAway = isAnother(parts, known)
  if (isAway && !(await isBack(parts, met, known)))
    return moveTo(parts, { ...met, attached: { sinkId: '', fence: position ?? undefined } }, known, position === null)
  const note: Note = {
    fromSeq: known?.fromSeq ?? 0,
    write: (manager) => sinks.note(manager, { known, address, sinkId: '' }),
  }
  if (position === null) {
    if (!known || isAway || state.sink === null || state.next !== null)
      await write(parts, async (manager) => ({ reached: state.acked.seq, sink: await note.write(manager) }))
    return { kind: 'same', at: nothingTaken, warnings: [] }
  }
  if (!position) {
    const seq = await beforeOpenRuns(parts.database)
    return goBackTo(parts, { at: { seq: Math.min(seq, state.acked.seq), taskId: '' }, note })
  }
  if (!(await isAt(parts, position))) return becomeCopy(parts, null)
  return followPosition(parts, position, note)
}

/** Whether this file placed a fence, and delivered the task that it is at. */
async function isOurs(
  parts: OutboxParts,
  fence: SinkPosition & { epoch: number; word: string; placedBy?: string },
): Promise<boolean> {
  const { seq, word, placedBy = word } = fence
  // Older versions of owm placed fences without a word.
  if (placedBy !== '' && !(await parts.sinks.placed({ word: placedBy, seq }))) return false
  return isAt(parts, fence)
}

/** Whether this file has the same task as the sink at a position, or no longer keeps it. */
async function isAt({ state, queue }: OutboxParts, { seq, taskId, runId }: SinkPosition): Promise<boolean> {
  if (seq === 0) return true
  if (seq > state.lastSeq) return false
  const remembered = await queue.taskAt(seq)
  if (!remembered) return seq <= state.acked.seq
  if (taskId === '') return true
  return taskIdOf(remembered.task) === taskId && (runId === undefined || runId === remembered.runId)
}

interface Note {
  /** The sink gets the tasks after this `seq`. */
  readonly fromSeq: number
  readonly write: (manager: EntityManager) => Promise<number>
}

/** The sink is at a task that this file delivered. */
async function followPosition(parts: OutboxParts, position: SinkPosition, note: Note): Promise<Reconciled> {
  const { database, state } = parts
  // It may have refused tasks after the last one that it took.
  const dead = await database.inTurn((manager) => deadAfter(manager, position.seq))
  let reached = position.seq
  while (dead.has(reached + 1)) reached++
  if (reached < state.acked.seq) return goBackTo(parts, { at: position, note })
  await write(parts, async (manager) => ({ reached, sink: await note.write(manager) }))
  return { kind: 'same', at: position, warnings: [] }
}

/** Gives this file a new id. When it attaches, the sink reports again how far the old one is. */
async function becomeCopy({ database, state, queue }: OutboxParts, formerId: string | null): Promise<Reconciled> {
  const outboxId = randomUUID()
  const work = (manager: EntityManager) => manager.update(states, { id: 1 }, { outboxId, formerId })
  await database.transaction(work, () => {
    state.outboxId = outboxId
    state.formerId = formerId
    queue.clear()
  })
  const message = 'this outbox is an older or a second copy of one that the sink knows: it goes on under a new id'
  return {
    kind: 'copy',
    at: nothingTaken,
    warnings: [{ fields: { event: 'outbox-copied', outbox: database.path }, message }],
  }
}

interface Back {
  /** The last task that the sink certainly has. */
  readonly at: SinkPosition
  readonly note: Note
  readonly search?: Met['search']
}

/** Goes back to a task, or as far as the history and its age allow; then skips the tasks that the sink still holds. */
async function goBackTo(parts: OutboxParts, { at: given, note, search }: Back): Promise<Reconciled> {
  const { state, now } = parts
  const ackedSeq = state.acked.seq
  const fromSeq = Math.min(note.fromSeq, ackedSeq)
  const start = given.seq < fromSeq ? { seq: fromSeq, taskId: '' } : given
  const at = search ? await skipHeldTasks(parts, start, search) : start
  const { reached, lost, again, had } = await write(parts, async (manager) => {
    const before = await lostTasks(manager)
    let reached = at.seq
    if (at.seq < ackedSeq) {
      reached = await loseUpTo(manager, { seq: at.seq, ackedSeq, before: now() - redeliverableMs })
      await reopen(manager, reached, ackedSeq)
    } else await deliverLeftOut(manager, at.seq)
    const sink = await note.write(manager)
    // guard: earlier-turns-told
    if (given.seq < fromSeq) await loseEarlier(manager, sink, { seq: given.seq, fromSeq })
    const again = await deliveredBetween(manager, reached, ackedSeq)
    // By the runs in the ledger: what the sink had of deleted ones isn't known.
    const lost = again + (await lostTasks(manager)) - before
    return { reached, sink, lost, again, had: await deliveredBetween(manager, at.seq, ackedSeq) }
  })
  const place = reached === at.seq ? at : { seq: reached, taskId: '' }
  const isMore = had > lost && state.newestDeletedSlot !== null
  return { kind: 'same', at: place, warnings: lost > 0 || had > 0 ? [lossWarning(lost, again, isMore)] : [] }
}

/** How many tasks after `seq`, up to `last`, a sink had: not those that delivery is known to have skipped. */
async function deliveredBetween(manager: EntityManager, seq: number, last: number): Promise<number> {
  if (seq >= last) return 0
  return last - seq - (await manager.countBy(deadTasks, { seq: And(MoreThan(seq), LessThanOrEqual(last)) }))
}

/** The position after `start` up to which the sink holds every task. */
async function skipHeldTasks(
  { database, queue }: OutboxParts,
  start: SinkPosition,
  search: NonNullable<Met['search']>,
): Promise<SinkPosition> {
  const ours = await queue.idsBehind(start.seq)
  if (ours.size === 0) return start
  const there = new Map<number, string>()
  for await (const taskId of search()) {
    const seq = ours.get(taskId)
    if (seq !== undefined) there.set(seq, taskId)
    if (there.size === ours.size) break
  }
  const dead = await database.inTurn((manager) => deadAfter(manager, start.seq))
  let at = start
  for (let seq = start.seq + 1; there.has(seq) || dead.has(seq); seq++) {
    const taskId = there.get(seq)
    if (taskId !== undefined) at = { seq, taskId }
  }
  // With its run, even if the sink no longer knows that: its tasks there are its own.
  return at === start ? at : { ...at, runId: (await queue.taskAt(at.seq))?.runId }
}

/** @param isMore whether it may have had tasks of runs that are no longer in the ledger */
const lossWarning = (lost: number, again: number, isMore: boolean): Warning => ({
  fields: { event: 'sink-lost-tasks', lost, again },
  message:
    (again === 0
      ? 'the sink lost tasks that it had taken, and none of them can be delivered again'
      : 'the sink lost tasks that it had taken: those in the history are delivered again') +
    (isMore ? '; those of runs that the ledger has deleted are not counted' : ''),
})
