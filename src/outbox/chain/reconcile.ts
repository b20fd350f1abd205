/**
 * Decides where delivery goes on, by what the sink says and what the file remembers, and writes that down. Nothing
 * here changes the sink: a crash behind it repeats the comparison.
 *
 * - **same**: the sink stands where this outbox does, or is ahead (a crash came before the acknowledgement).
 * - **behind**: the sink lost tasks that it had taken: a failover to a replica that lagged.
 * - **emptied**: it lost all of them, or its id.
 * - **fence gone**: it still has its id and its tasks, but doesn't know this outbox: the newest of our tasks that is
 *   there tells how far it got.
 * - **copy**: it knows an attachment or a task that this file doesn't: this file is an old or a second copy. It goes on
 *   under a new id, so that nothing is skipped wrongly.
 * - **another sink**: with nothing pending, it gets what comes from now on; else an operator decides.
 *
 * What was lost is delivered again from the history where it is younger than `maxAgeMs`; what isn't, or is no longer
 * kept, makes its runs `lost`.
 */
import { randomUUID } from 'node:crypto'
import { And, In, LessThanOrEqual, Not } from 'typeorm'
import { ConfigurationError } from '../../errors/index.js'
import type { Attached, Attachment, SinkPosition } from '../../plugin.js'
import { taskIdOf } from '../../tasks/id.js'
import type { Queue } from '../queue.js'
import { endingAfter } from '../sqlite/criteria.js'
import type { Database } from '../sqlite/database.js'
import { batches, runs, states } from '../sqlite/entities.js'
import { deadAfter, type OutboxState } from '../state.js'
import { loseUpTo } from './lost.js'
import type { KnownSink, Sinks } from './sinks.js'

/** What the comparison needs of an outbox. */
export interface Parts {
  readonly database: Database
  readonly state: OutboxState
  readonly queue: Queue
  readonly sinks: Sinks
  /** Milliseconds: what is older isn't delivered again. */
  readonly maxAgeMs: number
  now(): number
}

export interface Met {
  readonly address: string
  readonly attachment: Attachment
  readonly attached: Attached
  /** The ids of the sink's tasks, the newest first, where it can say. */
  readonly search: (() => AsyncIterable<string>) | undefined
}

export interface Reconciled {
  readonly kind: 'same' | 'copy'
  /** The last task that the sink has, or is taken to have. */
  readonly at: SinkPosition
  readonly warnings: readonly { fields: object; message: string }[]
}

type Warning = Reconciled['warnings'][number]

/** Compares with a sink that knows attachments. Throws SupersededError, ConfigurationError, OutboxError. */
export async function reconcile(parts: Parts, met: Met): Promise<Reconciled> {
  const { state, sinks } = parts
  const { fence, sinkId, created, emptied, superseded } = met.attached
  const known = sinks.find(met.address, sinkId)
  if (sinks.known.length > 0 && (!known || (state.sink !== null && known.id !== state.sink)))
    return moveTo(parts, met, known)
  const isKnown = known !== undefined
  const note = noteOf(parts, met, known)
  if (isKnown && (created || !known.sinkIds.includes(sinkId))) return goBackTo(parts, 0, note)
  // A fence of an older owm has no epoch.
  if (superseded || (fence && fence.epoch > 0 && !(await sinks.remembers(fence)))) return becomeCopy(parts, met, known)
  if (emptied) return goBackTo(parts, 0, note)
  if (!fence || Number.isNaN(fence.seq)) return goOnBehindNewest(parts, met, known)
  return follow(parts, met, known, fence)
}

/** Compares with a sink that tells its position only, if that. */
export async function reconcilePosition(parts: Parts, position: SinkPosition | undefined): Promise<Reconciled> {
  if (!position) return goBackTo(parts, await beforeOpenRuns(parts.database), undefined)
  if ((await verdictOn(parts, position)) === 'another task') return newId(parts)
  return followPosition(parts, position, undefined)
}

async function follow(parts: Parts, met: Met, known: KnownSink | undefined, fence: SinkPosition): Promise<Reconciled> {
  if ((await verdictOn(parts, fence)) === 'another task') return becomeCopy(parts, met, known)
  return followPosition(parts, fence, noteOf(parts, met, known))
}

/** What this file remembers at the place that a sink names. */
async function verdictOn(
  { state, queue }: Parts,
  { seq, taskId, runId }: SinkPosition,
): Promise<'the same task' | 'another task' | 'not kept'> {
  if (seq === 0) return 'the same task'
  if (seq > state.lastSeq) return 'another task'
  const remembered = await queue.taskAt(seq)
  if (!remembered) return seq > state.acked.seq ? 'another task' : 'not kept'
  if (taskId === '') return 'the same task'
  const isOther = taskIdOf(remembered.task) !== taskId || (runId !== undefined && runId !== remembered.runId)
  return isOther ? 'another task' : 'the same task'
}

/** The sink is at a task that this file gave it. */
async function followPosition(parts: Parts, position: SinkPosition, note: Note | undefined): Promise<Reconciled> {
  const { database, state } = parts
  // Behind the last task that it took, it may have refused some.
  const dead = await deadAfter(database, position.seq)
  let reached = position.seq
  while (dead.has(reached + 1)) reached++
  if (reached < state.acked.seq) return goBackTo(parts, position.seq, note, position)
  await write(parts, Math.max(reached, state.acked.seq), note)
  return { kind: 'same', at: position, warnings: [] }
}

type Note = (manager: Parameters<Sinks['note']>[0]) => Promise<number>

const noteOf =
  ({ sinks }: Parts, { address, attached }: Met, known: KnownSink | undefined): Note =>
  (manager) =>
    sinks.note(manager, known, address, attached.sinkId)

/**
 * The fence is gone, or never was. Where one of our tasks is there, the fence alone was deleted, since it moves with
 * the tasks: delivery goes on behind the later of the newest of them and what was acknowledged. Where none is there,
 * the sink may have gone back to a time before our first task.
 */
async function goOnBehindNewest(parts: Parts, met: Met, known: KnownSink | undefined): Promise<Reconciled> {
  const { state } = parts
  const note = noteOf(parts, met, known)
  // Nothing was ever delivered: a sink is noted before it gets the first task.
  if (state.lastSeq === 0 || (!known && state.acked.seq === 0)) {
    await write(parts, 0, note)
    return { kind: 'same', at: { seq: 0, taskId: '' }, warnings: [] }
  }
  const newest = await newestThere(parts, met.search)
  // An outbox of an older version knows no sinks: this may be a new one.
  if (!newest) return goBackTo(parts, known ? 0 : await beforeOpenRuns(parts.database), note)
  const seq = Math.max(newest.seq, state.acked.seq)
  await write(parts, seq, note)
  const message = 'the sink has lost its fence, not its tasks: delivery goes on behind the newest of them'
  const at = seq === newest.seq ? newest : { seq, taskId: '' }
  return { kind: 'same', at, warnings: [{ fields: { seq }, message }] }
}

/** The newest task of the history that the sink holds. */
async function newestThere({ queue }: Parts, search: Met['search']): Promise<SinkPosition | undefined> {
  if (!search) return undefined
  const ours = await queue.seqsOfHistory()
  if (ours.size === 0) return undefined
  for await (const taskId of search()) {
    const seq = ours.get(taskId)
    if (seq !== undefined) return { seq, taskId }
  }
  return undefined
}

/** This file goes on under a new id, behind the fence as far as its own history agrees with it. */
async function becomeCopy(parts: Parts, met: Met, known: KnownSink | undefined): Promise<Reconciled> {
  await parts.database.checkHold() // the other one may be a process that works on this very file
  const { fence } = met.attached
  const note = noteOf(parts, met, known)
  if (fence && fence.seq < parts.state.acked.seq && (await verdictOn(parts, fence)) === 'the same task')
    await goBackTo(parts, fence.seq, note, fence)
  else {
    const agrees = fence && (await verdictOn(parts, fence)) === 'the same task'
    const newest = agrees ? fence : await newestThere(parts, met.search)
    await write(parts, Math.max(newest?.seq ?? 0, parts.state.acked.seq), note)
  }
  return newId(parts)
}

async function newId({ database, state, queue }: Parts): Promise<Reconciled> {
  const outboxId = randomUUID()
  await database.transaction((manager) => manager.update(states, { id: 1 }, { outboxId }))
  state.outboxId = outboxId
  queue.clear()
  const message = 'this outbox is an older or a second copy of one that the sink knows: it goes on under a new id'
  return { kind: 'copy', at: { seq: 0, taskId: '' }, warnings: [{ fields: { outbox: database.path }, message }] }
}

/** Another sink than the last one. */
async function moveTo(parts: Parts, met: Met, known: KnownSink | undefined): Promise<Reconciled> {
  const { state } = parts
  if (state.pending > 0)
    throw new ConfigurationError(
      `The outbox ${parts.database.path} holds ${state.pending} tasks for another sink than ${met.address}.`,
      {
        hint:
          'Deliver them there first: `owm flush` with the sink as it was. ' +
          'Or give this sink an outbox of its own: --outbox.',
      },
    )
  await write(parts, state.lastSeq, noteOf(parts, met, known))
  return { kind: 'same', at: { seq: state.lastSeq, taskId: '' }, warnings: [] }
}

/** Up to where a sink that remembers nothing may be new or emptied: a run isn't done until the sink has all of it. */
async function beforeOpenRuns(database: Database): Promise<number> {
  const first = await database.inTurn(async (manager) => {
    const open = await manager.find(runs, {
      select: { id: true },
      where: { state: Not(In(['done', 'lost', 'missed'])) },
    })
    return manager.minimum(batches, 'firstSeq', { run: In(open.map(({ id }) => id)) })
  })
  return (first ?? Number.POSITIVE_INFINITY) - 1
}

/** Goes back to `seq`, or as far towards it as the history goes and its age allows. */
async function goBackTo(parts: Parts, seq: number, note: Note | undefined, at?: SinkPosition): Promise<Reconciled> {
  const { database, state, queue, maxAgeMs, now } = parts
  const ackedSeq = state.acked.seq
  if (seq >= ackedSeq) {
    await write(parts, ackedSeq, note)
    return { kind: 'same', at: at ?? { seq: ackedSeq, taskId: '' }, warnings: [] }
  }
  const from = await database.transaction(async (manager) => {
    const reached = await loseUpTo(manager, { seq, ackedSeq, before: now() - maxAgeMs })
    const again = await manager.find(batches, {
      select: { firstSeq: true, run: true },
      where: { firstSeq: And(endingAfter(reached), LessThanOrEqual(ackedSeq)) },
    })
    const ids = [...new Set(again.map(({ run }) => run))]
    await manager.update(runs, { state: 'done', id: In(ids) }, { state: 'read', finishedAt: null })
    await manager.update(states, { id: 1 }, { ackedSeq: reached, ...(note ? { sink: await note(manager) } : {}) })
    return reached
  })
  queue.drop(from)
  state.writtenAs(from)
  if (note) await readSink(parts)
  state.passed = await deadAfter(database, from)
  const place = at && from === at.seq ? at : { seq: from, taskId: '' }
  return { kind: 'same', at: place, warnings: [lossWarning(ackedSeq - seq, ackedSeq - from)] }
}

/** Writes down how far the sink is, and which one it is. */
async function write(parts: Parts, ackedSeq: number, note: Note | undefined): Promise<void> {
  const { database, state, queue } = parts
  await database.transaction(async (manager) => {
    await manager.update(states, { id: 1 }, { ackedSeq, ...(note ? { sink: await note(manager) } : {}) })
  })
  queue.drop(ackedSeq)
  state.writtenAs(ackedSeq)
  if (note) await readSink(parts)
}

async function readSink({ database, state }: Parts): Promise<void> {
  const [row] = await database.inTurn((manager) => manager.find(states, { select: { id: true, sink: true } }))
  state.sink = row?.sink ?? null
}

const lossWarning = (lost: number, again: number): Warning => ({
  fields: { lost, again },
  message:
    again === 0
      ? 'the sink lost tasks that it had taken, and none of them can be delivered again'
      : 'the sink lost tasks that it had taken: those in the history are delivered again',
})
