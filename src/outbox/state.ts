/** The outbox's one row of state: read and checked here, and held in memory by OutboxState. */
import { type EntityManager, MoreThan } from 'typeorm'
import { OutboxError } from '../errors/index.js'
import type { Database } from './sqlite/database.js'
import { deadTasks, type StateRow, states } from './sqlite/entities.js'
import type { NextSink } from './sqlite/json.js'
import { damaged } from './sqlite/trouble.js'

/** How far the outbox is delivered: a `seq`, and the batches that were acknowledged since it was opened. */
interface Acknowledged {
  readonly seq: number
  readonly batches: number
}

/** Who this outbox is and how far it is delivered, as memory knows it. */
export class OutboxState {
  outboxId: string
  /** The id that it, a copy, had before, until a sink has placed it under its own. */
  formerId: string | null
  /** Counts the processes that opened the outbox for writing, and their attachments to sinks. */
  epoch: number
  /** The row of the sink that `acked` is about; null where none is known yet. */
  sink: number | null
  /** Another sink, which is to get the tasks behind a `seq`; null where none was announced. */
  next: NextSink | null
  /** The last `seq` that was ever given out. */
  lastSeq: number
  newestDeletedSlot: string | null
  /** Every task up to here is in the sink or dead. */
  acked: Acknowledged
  /** What the file says of it: behind `acked` by some batches where the acknowledgement is lazy. */
  ackedOnDisk: Acknowledged
  /**
   * Tasks above `acked` that died before (retried and discarded ones too). There are some only after
   * the acknowledgement went back. They aren't delivered again.
   */
  passed: Set<number>

  private constructor(row: StateRow, passed: Set<number>) {
    const { outboxId, formerId, epoch, sink, next, lastSeq, ackedSeq, newestDeletedSlot } = row
    this.outboxId = outboxId
    this.formerId = formerId
    this.epoch = epoch
    this.sink = sink
    this.next = next
    this.lastSeq = lastSeq
    this.newestDeletedSlot = newestDeletedSlot
    this.acked = { seq: ackedSeq, batches: 0 }
    this.ackedOnDisk = this.acked
    this.passed = passed
  }

  static async of(database: Database, row: StateRow): Promise<OutboxState> {
    return new OutboxState(row, await database.inTurn((manager) => deadAfter(manager, row.ackedSeq)))
  }

  /** Tasks that are stored and neither in the sink nor dead. */
  get pending(): number {
    const { lastSeq, acked } = this
    return lastSeq - acked.seq - [...this.passed].filter((seq) => seq > acked.seq).length
  }

  /** The file says `seq` now. */
  writtenAs(seq: number): void {
    this.acked = { seq, batches: this.acked.batches }
    this.ackedOnDisk = this.acked
  }
}

/** Dead tasks above a `seq`, whatever became of them since. */
export async function deadAfter(manager: EntityManager, seq: number): Promise<Set<number>> {
  const rows = await manager.find(deadTasks, { select: { seq: true }, where: { seq: MoreThan(seq) } })
  return new Set(rows.map((row) => row.seq))
}

/** Throws OutboxError where the row is missing or makes no sense. */
export async function readState(database: Database): Promise<StateRow> {
  const [state] = await database.inTurn((manager) => manager.find(states))
  if (!state)
    throw new OutboxError(`The outbox ${database.path} has lost its state row.`, {
      hint: 'Keep a copy of the file, then move it away to start a new one.',
    })
  const { outboxId, ackedSeq, lastSeq } = state
  const isSound =
    typeof outboxId === 'string' &&
    Number.isSafeInteger(ackedSeq) &&
    Number.isSafeInteger(lastSeq) &&
    ackedSeq >= 0 &&
    ackedSeq <= lastSeq
  if (!isSound) throw damaged(database.path, `its state row says that ${ackedSeq} of ${lastSeq} tasks are acknowledged`)
  return state
}
