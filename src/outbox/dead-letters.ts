/**
 * Dead letters: tasks that the sink refused for good.
 *
 *     pending --refused--> dead --retry--> retried (pending again, under a new seq; also where its slot is read again)
 *                            '---discard--> discarded (the run's row counts it, the task's text is gone)
 */
import { LessThan, LessThanOrEqual } from 'typeorm'
import { sumOf } from '../lists.js'
import type { Batch } from '../tasks/batch.js'
import { deadBySlot } from './inspect/totals.js'
import { cut, placed, taskIn } from './intake.js'
import type { Queue } from './queue.js'
import { openAgain } from './runs/holder.js'
import { among, ofRun } from './sqlite/criteria.js'
import type { Database } from './sqlite/database.js'
import { batches, deadTasks, runs, states } from './sqlite/entities.js'
import { storeBatches } from './sqlite/statements.js'
import { damaged } from './sqlite/trouble.js'
import type { OutboxState } from './state.js'

/** Which dead tasks. */
interface DeadFilter {
  /** A run's id, or its beginning; '' for every run. */
  run: string
  /** Only these tasks; undefined for all. */
  seqs: readonly number[] | undefined
}

interface DeadOfRun {
  run: number
  seqs: number[]
  tasks: string[]
}

/** Rows that one statement inserts: SQLite takes 32,766 parameters. */
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
   * Everything up to the end of `batch` is in the sink but for the tasks at `refused` (index in the batch -> reason),
   * which are dead from now on. Durable when this resolves.
   */
  async add(batch: Batch, refused: ReadonlyMap<number, string>): Promise<void> {
    const seq = batch.lastSeq
    await this.#database.transaction(
      async (manager) => {
        // A batch that is delivered may be the end of a stored one.
        const stored = await manager.findOne(batches, {
          where: { firstSeq: LessThanOrEqual(batch.firstSeq) },
          order: { firstSeq: 'DESC' },
        })
        if (!stored) throw damaged(this.#database.path, `the batch at ${batch.firstSeq} is gone`)
        const { run, failures, createdAt } = stored
        const fate = { run, attempts: failures + 1, createdAt, diedAt: this.#now(), fate: 'dead' } as const
        const dead = [...refused].map(([index, why]) => {
          const reason = this.#database.masked(why)
          return { ...fate, seq: batch.firstSeq + index, reason, task: batch.tasks[index] ?? '' }
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

  /** Puts dead tasks back, at the end of the queue. Returns their `seq`. */
  async retry(which: DeadFilter): Promise<readonly number[]> {
    let retried: number[] = []
    for (const { run, tasks, seqs } of await this.#byRun(which)) {
      for (const task of tasks) taskIn(task, this.#database.path)
      await this.#append(run, tasks, seqs)
      retried = retried.concat(seqs)
    }
    return retried
  }

  /** How many died before a time. */
  async countOlder(before: number): Promise<number> {
    return this.#database.inTurn((manager) => manager.countBy(deadTasks, { fate: 'dead', diedAt: LessThan(before) }))
  }

  /** How many dead tasks each of these slots has, the oldest slot first: those that have any. */
  async ofSlots(slots: readonly string[]): Promise<Map<string, number>> {
    const dead = await this.#database.inTurn(deadBySlot)
    const named = new Set(slots)
    return new Map([...dead].filter(([slot]) => named.has(slot)))
  }

  /** Gives up the dead tasks that died before a time; their runs remember how many. Returns how many. */
  async discard(before: number): Promise<number> {
    const old = { fate: 'dead', diedAt: LessThan(before) } as const
    return this.#database.transaction(async (manager) => {
      const counts = await manager
        .createQueryBuilder(deadTasks, 'dead')
        .select('dead.run', 'run')
        .addSelect('count(*)', 'n')
        .where(old)
        .groupBy('dead.run')
        .getRawMany<{ run: number; n: number }>()
      for (const { run, n } of counts) await manager.increment(runs, { id: run }, 'discarded', n)
      await manager.update(deadTasks, old, { fate: 'discarded', task: '' })
      return sumOf(counts, ({ n }) => n)
    })
  }

  /** Dead tasks, oldest first, by their runs. */
  async #byRun({ run, seqs }: DeadFilter): Promise<DeadOfRun[]> {
    const where = { fate: 'dead', run: ofRun(run), ...(seqs && { seq: among(seqs) }) } as const
    const rows = await this.#database.inTurn((manager) => manager.find(deadTasks, { where, order: { seq: 'ASC' } }))
    const groups = new Map<number, DeadOfRun>()
    for (const { run: id, seq, task } of rows) {
      const group = groups.get(id) ?? { run: id, seqs: [], tasks: [] }
      groups.set(id, group)
      group.seqs.push(seq)
      group.tasks.push(task)
    }
    return [...groups.values()]
  }

  async #append(run: number, tasks: readonly string[], seqs: readonly number[]): Promise<void> {
    const state = this.#state
    await this.#database.transaction(
      async (manager) => {
        const lastSeq = state.lastSeq + tasks.length
        await storeBatches(
          manager,
          run,
          placed(cut(tasks, this.#batchSize), { runId: '', slot: '' }, state),
          this.#now(),
        )
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
