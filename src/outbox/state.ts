/** The outbox's one row of state: read and checked here, and held in memory by OutboxState. */
import { type EntityManager, MoreThan } from 'typeorm'
import { OutboxError } from '../errors/index.js'
import type { Database } from './sqlite/database.js'
import { deadTasks, type StateRow, states } from './sqlite/entities.js'
import type { NextSink } from './sqlite/json.js'
import { damaged } from './sqlite/trouble.js'

/** How far the outbox is delivered: a `seq`, and how many batches were acknowledged since it was opened. */
interface Acknowledged {
  readonly seq: number
  readonly batches: number
}

/** The outbox's identity and how far it is delivered, in memory. */
export class OutboxState {
  outboxId: string
  /** Of a copy: the id that it had before, until a sink has placed it under its new one. */
  formerId: string | null
  /** Counts the processes that opened the outbox for writing, and their attachments to sinks. */
  epoch: number
  /** The row id of the sink that `acked` is about; null if none is known yet. */
  sink: number | null
  /** A sink announced to take the place of the present one; null if there is none. */
  next: NextSink | null
  /** The last `seq` that was ever assigned. */
  lastSeq: number
  newestDeletedSlot: string | null
  /** Every task up to here is in the sink or dead. */
  acked: Acknowledged
  /** The same as the file has it: some batches behind `acked` if the acknowledgement is lazy. */
  ackedOnDisk: Acknowledged
  /** Seqs above `acked` that delivery skips: the rows of `dead`, whatever their fate. */
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

  /** How many stored tasks are neither in the sink nor dead. */
  get pending(): number {
    const { lastSeq, acked } = this
    return lastSeq - acked.seq - [...this.passed].filter((seq) => seq > acked.seq).length
  }

  /** The file's acknowledged `seq` is this one now. */
  writtenAs(seq: number): void {
    this.acked = { seq, batches: this.acked.batches }
    this.ackedOnDisk = this.acked
  }
}

/** The seqs of `dead` above this one, whatever their fate. */
export async function deadAfter(manager: EntityManager, seq: number): Promise<Set<number>> {
  const rows = await manager.find(deadTasks, { select: { seq: true }, where: { seq: MoreThan(seq) } })
  return new Set(rows.map((row) => row.seq))
}

/** Throws OutboxError if the row is missing or inconsistent. */
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

/** These columns of the state row; undefined if the row is missing, as in a damaged file. */
export async function stateIn<Column extends keyof StateRow>(
  manager: EntityManager,
  ...columns: Column[]
): Promise<Pick<StateRow, Column> | undefined> {
  // TypeORM makes no entity of a row without its key.
  const select = Object.fromEntries(['id', ...columns].map((name) => [name, true]))
  const [state] = await manager.find(states, { select })
  return state
}

export const positionIn = async (manager: EntityManager): Promise<{ ackedSeq: number; lastSeq: number }> =>
  (await stateIn(manager, 'ackedSeq', 'lastSeq')) ?? { ackedSeq: 0, lastSeq: 0 }
