/**
 * From the source into the outbox: one transaction stores what was read, and moves the run's checkpoint and counts.
 * Also reads what a slot already has, to find duplicates.
 */
import { type EntityManager, In, LessThanOrEqual } from 'typeorm'
import { sumOf } from '../lists.js'
import { Batch } from '../tasks/batch.js'
import { taskIdOf } from '../tasks/id.js'
import { sumOfKnown } from '../tasks/ids/sum.js'
import type { Task } from '../tasks/task.js'
import { step } from '../trace.js'
import type { Queue } from './queue.js'
import { tasksKept } from './runs/kept.js'
import { among, ofEarlierRun } from './sqlite/criteria.js'
import type { Database } from './sqlite/database.js'
import { deadTasks, type RunRow, runs, type SuspectRow, states, suspects } from './sqlite/entities.js'
import { passOver, storeBatches, storeRejections, storeSuspects } from './sqlite/statements.js'
import { damaged } from './sqlite/trouble.js'
import type { OutboxState } from './state.js'

/** A location that became no task, and why. */
export interface StoredRejection {
  kind: 'rejected' | 'duplicate'
  /** Its place in the source, such as `line 17`. */
  position: string
  value: string
  reason: string
}

/** A task whose id was probably seen before: compared with the slot's tasks once the source has been read. */
export interface Suspect {
  position: string
  task: string
}

/** What one transaction stores. */
export interface Intake {
  /** Where the source resumes after these records. */
  checkpoint: string | null
  /** Records read, including rejections and suspects. */
  read: number
  batches: readonly Batch[]
  rejections: readonly StoredRejection[]
  suspects: readonly Suspect[]
  /** This intake decides the run's earlier suspects up to this id. */
  decided?: number
  /** Locations that an earlier run of the slot stored: only counted, since nothing is wrong with them. */
  repeated?: number
  /** Locations that were not due: only counted. */
  notDue?: number
  /** Windows that no run serves: see RunRow. */
  skipped?: number
  /** Windows that the run with this `id` counted as skipped, and that these tasks serve. */
  unskipped?: { readonly run: number; readonly windows: number } | undefined
  /** The sum of the ids of the tasks in the batches: see tasks/ids/sum. */
  idSum: string
}

/** Tasks of a run: parallel lists of their ids, JSON texts and parsed values. */
interface StoredTasks {
  readonly run: number
  readonly ids: readonly string[]
  readonly tasks: readonly string[]
  readonly parsed: readonly Partial<Task>[]
}

/** Tasks as batches of at most `size`, without a `seq` yet. */
export function cut(tasks: readonly string[], size: number): Batch[] {
  const batches: Batch[] = []
  for (let from = 0; from < tasks.length; from += size) batches.push(Batch.of(tasks.slice(from, from + size)))
  return batches
}

/** A run's batches, at the seqs after `lastSeq`. */
export function placed(
  batches: readonly Batch[],
  { runId, slot }: Pick<RunRow, 'runId' | 'slot'>,
  { outboxId, lastSeq }: Pick<OutboxState, 'outboxId' | 'lastSeq'>,
): Batch[] {
  let next = lastSeq + 1
  return batches.map((batch) => {
    const firstSeq = next
    next += batch.count
    return batch.at({ outboxId, runId, slot, firstSeq })
  })
}

export class IntakeWriter {
  readonly #database: Database
  readonly #state: OutboxState
  readonly #queue: Queue
  readonly #now: () => number
  readonly #keepRejected: number
  #inSink: ReadonlySet<string> | undefined
  /** Tasks stored by this process. */
  stored = 0
  /** Those of them that won't be delivered, since the sink already held them. */
  leftOut = 0

  /** @param options keepRejected: rejections stored for a run at most; further ones are only counted */
  constructor(
    database: Database,
    state: OutboxState,
    queue: Queue,
    options: { now: () => number; keepRejected: number },
  ) {
    this.#database = database
    this.#state = state
    this.#queue = queue
    this.#now = options.now
    this.#keepRejected = options.keepRejected
  }

  /** From here on tasks with these ids, which the sink holds, are stored but not delivered. Undefined: none. */
  leaveOut(inSink: ReadonlySet<string> | undefined): void {
    this.#inSink = inSink
  }

  /**
   * Stores what was read, the run's checkpoint and the acknowledged `seq` in one transaction, which is durable when
   * this resolves.
   */
  async write(run: RunRow, intake: Intake): Promise<void> {
    const state = this.#state
    const persisted = sumOf(intake.batches, ({ count }) => count)
    await this.#database.transaction(
      async (manager) => {
        const now = this.#now()
        const lastSeq = state.lastSeq + persisted
        const batches = placed(intake.batches, run, state)
        await storeBatches(manager, run.id, batches, now)
        // guard: dead-read-again
        await settleDead(manager, run, batches)
        const leftOut = this.#leftOutOf(batches)
        const held = { run: run.id, fate: 'held', reason: 'the sink held it already', now } as const
        if (leftOut.length > 0) await passOver(manager, held, leftOut)
        const { acked } = state
        const rejections = intake.rejections.map((each) => ({ ...each, reason: this.#database.masked(each.reason) }))
        if (rejections.length > 0) await storeRejections(manager, run.id, rejections, { now, keep: this.#keepRejected })
        if (intake.decided !== undefined)
          await manager.delete(suspects, { run: run.id, id: LessThanOrEqual(intake.decided) })
        if (intake.suspects.length > 0) await storeSuspects(manager, run.id, intake.suspects)
        const idSum = await moveRun(manager, run, intake, persisted)
        await manager.update(states, { id: 1 }, { lastSeq, ackedSeq: acked.seq })
        step('intake:written')
        return { batches, leftOut, lastSeq, acked, idSum }
      },
      ({ batches, leftOut, lastSeq, acked, idSum }) => {
        for (const seq of leftOut) state.passed.add(seq)
        this.stored += persisted
        this.leftOut += leftOut.length
        this.#queue.keep(batches)
        state.lastSeq = lastSeq
        state.ackedOnDisk = acked
        run.idSum = idSum
      },
    )
  }

  #leftOutOf(batches: readonly Batch[]): number[] {
    const inSink = this.#inSink
    if (!inSink) return []
    return batches.flatMap(({ firstSeq, tasks }) =>
      tasks.flatMap((task, index) => (inSink.has(taskIdOf(task)) ? [firstSeq + index] : [])),
    )
  }

  /** Up to `most` tasks of a run that may be duplicates. */
  async suspects(run: RunRow, most: number): Promise<(SuspectRow & { readonly taskId: string })[]> {
    const oldest = { where: { run: run.id }, order: { id: 'ASC' }, take: most } as const
    const rows = await this.#database.inTurn((manager) => manager.find(suspects, oldest))
    return rows.map((row) => ({ ...row, taskId: taskIn(row.task, this.#database.path).task_id }))
  }

  /** The tasks that these runs stored, batch by batch. */
  async *idsOf(ofSlot: readonly RunRow[]): AsyncGenerator<StoredTasks> {
    const { path } = this.#database
    const which = { runs: ofSlot.map(({ id }) => id) }
    for await (const { run, batch } of this.#database.batches(this.#state.outboxId, which)) {
      const { tasks } = batch
      const parsed = tasks.map((task) => taskIn(task, path))
      yield { run, ids: parsed.map((task) => task.task_id), tasks, parsed }
    }
  }

  /** How many tasks of these runs are no longer kept, so that they can't be compared. */
  async deletedOf(ofSlot: readonly RunRow[]): Promise<number> {
    const run = In(ofSlot.map(({ id }) => id))
    const persisted = sumOf(ofSlot, (row) => row.persisted)
    return persisted - (await this.#database.inTurn((manager) => tasksKept(manager, run)))
  }
}

/**
 * Marks dead letters of the slot's earlier runs as retried where these batches contain their tasks again: `retry` would
 * deliver them twice.
 */
async function settleDead(manager: EntityManager, run: RunRow, batches: readonly Batch[]): Promise<void> {
  const dead = await manager.find(deadTasks, {
    select: { seq: true, task: true },
    where: { fate: 'dead', run: ofEarlierRun(run) },
  })
  if (dead.length === 0) return
  const stored = new Set(batches.flatMap(({ tasks }) => tasks.map(taskIdOf)))
  const again = dead.filter(({ task }) => stored.has(taskIdOf(task)))
  await manager.update(deadTasks, { seq: among(again.map(({ seq }) => seq)) }, { fate: 'retried' })
}

/** Returns the sum of its ids. */
async function moveRun(manager: EntityManager, run: RunRow, intake: Intake, persisted: number): Promise<string | null> {
  // guard: checkpoint-moves
  const { checkpoint } = intake
  const rejected = intake.rejections.filter(({ kind }) => kind === 'rejected').length
  const duplicates = intake.rejections.length - rejected + (intake.repeated ?? 0)
  const moved = {
    checkpoint,
    read: () => `read + ${intake.read}`,
    rejected: () => `rejected + ${rejected}`,
    duplicates: () => `duplicates + ${duplicates}`,
    repeated: () => `repeated + ${intake.repeated ?? 0}`,
    persisted: () => `persisted + ${persisted}`,
    notDue: () => `not_due + ${intake.notDue ?? 0}`,
    skipped: () => `skipped + ${intake.skipped ?? 0}`,
    idSum: sumOfKnown([run.idSum, intake.idSum]),
  }
  await manager.update(runs, { id: run.id }, moved)
  const { unskipped } = intake
  if (unskipped && unskipped.windows > 0) {
    // Negative while that run is open and hasn't counted them yet. Once it's done at least 0: if another outbox
    // served its slot, what was skipped there isn't known.
    const left = `skipped - ${unskipped.windows}`
    const skipped = (): string => `CASE state WHEN 'done' THEN max(0, ${left}) ELSE ${left} END`
    await manager.update(runs, { id: unskipped.run }, { skipped })
  }
  return moved.idSum
}

/** Parses a stored task. Throws OutboxError if it isn't one: a column of SQLite may hold anything. */
export function taskIn(text: string, path: string): Partial<Task> & Pick<Task, 'task_id'> {
  try {
    const task: Partial<Task> = JSON.parse(text)
    const { task_id } = task
    if (typeof task_id === 'string') return Object.assign(task, { task_id })
  } catch (error) {
    throw damaged(path, 'a task in it has no id', error)
  }
  throw damaged(path, 'a task in it has no id')
}
