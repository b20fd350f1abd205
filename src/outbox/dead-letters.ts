/**
 * Dead letters: tasks that the sink refused for good.
 *
 *     pending --refused--> dead --retry--> retried (pending again, under a new seq)
 *                            '---discard--> discarded (the run's row counts it, the task's text is gone)
 */
import type { Batch } from '../tasks/batch.js'
import { type Database, damaged } from './database.js'
import { cut, placed } from './intake.js'
import { isTask, type Queue } from './queue.js'
import type { OutboxState } from './state.js'
import { storeBatches } from './statements.js'

/** Which dead tasks. */
export interface DeadFilter {
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
    const [row] = await this.#database.query<{ n: number }>("SELECT count(*) AS n FROM dead WHERE fate = 'dead'")
    return row?.n ?? 0
  }

  /**
   * Everything up to the end of `batch` is in the sink but for the tasks at `refused` (index in the batch -> reason),
   * which are dead from now on. Durable when this resolves.
   */
  async add(batch: Batch, refused: ReadonlyMap<number, string>): Promise<void> {
    const seq = batch.lastSeq
    const dead = [...refused].map(([index, reason]) => ({
      seq: batch.firstSeq + index,
      reason,
      task: batch.tasks[index],
    }))
    await this.#database.transaction(
      async (query) => {
        await query(
          `INSERT OR REPLACE INTO dead (seq, run, attempts, reason, created_at, died_at, fate, task)
            SELECT value ->> 'seq', batch.run, batch.failures + 1, value ->> 'reason', batch.created_at, ?, 'dead',
              value ->> 'task'
            FROM json_each(?) JOIN batch
              ON batch.first_seq = (SELECT max(first_seq) FROM batch WHERE first_seq <= value ->> 'seq')`,
          [this.#now(), JSON.stringify(dead)],
        )
        await query('UPDATE state SET handed_seq = ?', [seq])
      },
      () => {
        this.#queue.drop(seq)
        this.#state.writtenAs(seq)
      },
    )
  }

  /** Puts dead tasks back, at the end of the queue. Returns how many. */
  async retry(which: DeadFilter): Promise<number> {
    let retried = 0
    for (const { run, tasks, seqs } of await this.#byRun(which)) {
      if (!tasks.every(isTask)) throw damaged(this.#database.path, 'a dead task holds no task')
      await this.#append(run, tasks, seqs)
      retried += tasks.length
    }
    return retried
  }

  /** Gives up the dead tasks that died before a time; their runs remember how many. Returns how many. */
  async discard(before: number): Promise<number> {
    let discarded = 0
    await this.#database.transaction(async (query) => {
      const rows = await query<{ run: number; n: number }>(
        "SELECT run, count(*) AS n FROM dead WHERE fate = 'dead' AND died_at < ? GROUP BY run",
        [before],
      )
      for (const { run, n } of rows) {
        discarded += n
        await query('UPDATE run SET discarded = discarded + ? WHERE id = ?', [n, run])
      }
      await query("UPDATE dead SET fate = 'discarded', task = '' WHERE fate = 'dead' AND died_at < ?", [before])
    })
    return discarded
  }

  /** Dead tasks, oldest first, by their runs. */
  async #byRun({ run, seqs }: DeadFilter): Promise<DeadOfRun[]> {
    const rows = await this.#database.query<{ run: number; seq: number; task: string }>(
      `SELECT dead.run, seq, task FROM dead JOIN run ON run.id = dead.run
        WHERE fate = 'dead' AND substr(run_id, 1, length(?1)) = ?1
          AND (?2 IS NULL OR seq IN (SELECT value FROM json_each(?2))) ORDER BY seq`,
      [run, seqs === undefined ? null : JSON.stringify(seqs)],
    )
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
    let lastSeq = 0
    await this.#database.transaction(
      async (query) => {
        lastSeq = state.lastSeq + tasks.length
        await storeBatches(query, run, placed(cut(tasks, this.#batchSize), '', state), this.#now())
        await query("UPDATE dead SET fate = 'retried' WHERE seq IN (SELECT value FROM json_each(?))", [
          JSON.stringify(seqs),
        ])
        await query("UPDATE run SET state = 'read', finished_at = NULL WHERE id = ? AND state = 'done'", [run])
        await query('UPDATE state SET last_seq = ?', [lastSeq])
      },
      () => {
        state.lastSeq = lastSeq
      },
    )
  }
}
