/**
 * Dead letters: tasks that the sink refused for good.
 *
 *     pending --refused--> dead --retry--> retried (pending again, under a new seq; also where its slot is read again)
 *                            '---discard--> discarded (the run's row counts it, the task's text is gone)
 */
import { LessThan, LessThanOrEqual } from 'typeorm'
import { groupedBy, sumOf } from '../lists.js'
import type { Batch } from '../tasks/batch.js'
import { deadBySlot } from './inspect/totals.js'
import { cut, placed, taskIn } from './intake.js'
import type { Queue } from './queue.js'
import { openAgain } from './runs/holder.js'
import { among, countByRun, ofRun } from './sqlite/criteria.js'
import type { Database } from './sqlite/database.js'
import { batches, deadTasks, runs, states } from './sqlite/entities.js'
import { storeBatches } from './sqlite/statements.js'
import { damaged } from './sqlite/trouble.js'
import type { OutboxState } from './state.js'

interface DeadFilter {
  /** A run's UUID, or its beginning; '' for every run. */
  run: string
  /** Only these tasks; undefined for all. */
  seqs: readonly number[] | undefined
}

interface DeadOfRun {
  run: number
  seqs: number[]
  tasks: string[]
}

/** Rows inserted by one statement: SQLite allows 32,766 parameters. */
const rowsAtOnce = 1_000

export class DeadLetters {
  readonly #database: Database
  readonly #state: OutboxState
  readonly #queue: Queue
  readonly #batchSize: number
  readonly #now: () => number

  constructor(database: Database, state: OutboxState, queue: Queue, batchSize: number, now: () => number) {
    this.#database = database
    this.#state = state
    this.#queue = queue
    this.#batchSize = batchSize
    this.#now = now
  }

  async count(): Promise<number> {
    return this.#database.inTurn((manager) => manager.countBy(deadTasks, { fate: 'dead' }))
  }

  /**
   * Everything up to the end of `batch` is in the sink, except the tasks at `refused` (index in the batch -> reason),
   * which become dead letters. Durable when this resolves.
   */
  async add(batch: Batch, refused: ReadonlyMap<number, string>): Promise<void> {
    const seq = batch.lastSeq
    await this.#database.transaction(
      async (manager) => {
        // The delivered batch may be only the end of a stored one.
        const stored = await manager.findOne(batches, {
          where: { firstSeq: LessThanOrEqual(batch.firstSeq) },
          order: { firstSeq: 'DESC' },
        })
        if (!stored) throw damaged(this.#database.path, `the batch at ${batch.firstSeq} is gone`)
        const { run, failures, createdAt } = stored
        const common = { run, attempts: failures + 1, createdAt, diedAt: this.#now(), fate: 'dead' } as const
        const dead = [...refused].map(([index, why]) => {
          const reason = this.#database.masked(why)
          return { ...common, seq: batch.firstSeq + index, reason, task: batch.tasks[index] ?? '' }
        })
        for (let from = 0; from < dead.length; from += rowsAtOnce)
          await manager.upsert(deadTasks, dead.slice(from, from + rowsAtOnce), ['seq'])
        await manager.update(states, { id: 1 }, { ackedSeq: seq })
      },
      () => {
        this.#queue.drop(seq)
        this.#state.writtenAs(seq)
      },
    )
  }

  /** Puts dead tasks back, at the end of the queue. Returns the seqs that they had. */
  async retry(filter: DeadFilter): Promise<readonly number[]> {
    let retried: number[] = []
    for (const { run, tasks, seqs } of await this.#byRun(filter)) {
      for (const task of tasks) taskIn(task, this.#database.path)
      await this.#append(run, tasks, seqs)
      retried = retried.concat(seqs)
    }
    return retried
  }

  /** How many dead letters died before a time (milliseconds since 1970). */
  async countOlder(before: number): Promise<number> {
    return this.#database.inTurn((manager) => manager.countBy(deadTasks, { fate: 'dead', diedAt: LessThan(before) }))
  }

  /** Dead letters by slot, the oldest slot first; without slots that have none. */
  async ofSlots(slots: readonly string[]): Promise<Map<string, number>> {
    const dead = await this.#database.inTurn(deadBySlot)
    const wanted = new Set(slots)
    return new Map([...dead].filter(([slot]) => wanted.has(slot)))
  }

  /** Discards the dead letters that died before a time; their runs count them. Returns how many. */
  async discard(before: number): Promise<number> {
    const old = { fate: 'dead', diedAt: LessThan(before) } as const
    return this.#database.transaction(async (manager) => {
      const counts = await countByRun(manager.createQueryBuilder(deadTasks, 'one').where(old))
      for (const [run, count] of counts) await manager.increment(runs, { id: run }, 'discarded', count)
      await manager.update(deadTasks, old, { fate: 'discarded', task: '' })
      return sumOf(counts.values(), (count) => count)
    })
  }

  /** Dead letters, oldest first, by their runs. */
  async #byRun({ run, seqs }: DeadFilter): Promise<DeadOfRun[]> {
    const where = { fate: 'dead', run: ofRun(run), ...(seqs && { seq: among(seqs) }) } as const
    const rows = await this.#database.inTurn((manager) => manager.find(deadTasks, { where, order: { seq: 'ASC' } }))
    return [...groupedBy(rows, (row) => row.run)].map(([run, dead]) => ({
      run,
      seqs: dead.map(({ seq }) => seq),
      tasks: dead.map(({ task }) => task),
    }))
  }

  async #append(run: number, tasks: readonly string[], seqs: readonly number[]): Promise<void> {
    const state = this.#state
    await this.#database.transaction(
      async (manager) => {
        const lastSeq = state.lastSeq + tasks.length
        const again = placed(cut(tasks, this.#batchSize), { runId: '', slot: '' }, state)
        await storeBatches(manager, run, again, this.#now())
        await manager.update(deadTasks, { seq: among(seqs) }, { fate: 'retried' })
        await openAgain(manager, [run])
        await manager.update(states, { id: 1 }, { lastSeq })
        return lastSeq
      },
      (lastSeq) => {
        state.lastSeq = lastSeq
      },
    )
  }
}
