/**
 * The run ledger: a row for each run, written before its source is opened.
 *
 *     reading --> checking --> read --> done
 *        |                      ^        |
 *        '--- superseded        '--------' its tasks are delivered again, or dead ones retried
 *
 * - reading: the source isn't read to its end; the checkpoint says from where to go on.
 * - checking: read to its end, or superseded by a run that reads anew; locations that may be duplicates are compared.
 * - read: everything that it gave is stored.
 * - done: and each of its tasks is in the sink or dead.
 */
import { randomUUID } from 'node:crypto'
import { type EntityManager, type FindOptionsWhere, In } from 'typeorm'
import { OutboxError } from '../errors/index.js'
import type { Database } from './sqlite/database.js'
import { type RunRow, runs } from './sqlite/entities.js'

/** What a run is known by before it's read. */
export interface NewRun {
  slot: string
  source: string
  sourceDigest: string
}

export class Ledger {
  readonly #database: Database
  readonly #now: () => number

  constructor(database: Database, now: () => number) {
    this.#database = database
    this.#now = now
  }

  /** Runs whose source isn't read to its end, or whose suspects aren't decided, oldest first. */
  async open(): Promise<RunRow[]> {
    return this.#find({ state: In(['reading', 'checking']) })
  }

  async ofSlot(slot: string): Promise<RunRow[]> {
    return this.#find({ slot })
  }

  /** Throws OutboxError where there is no such run. */
  async run(runId: string): Promise<RunRow> {
    const [run] = await this.#find({ runId })
    if (!run) throw new OutboxError(`The outbox ${this.#database.path} has no run ${runId}.`)
    return run
  }

  /** Enters a run, before its source is opened. */
  async start(run: NewRun): Promise<RunRow> {
    return this.run(await this.#database.inTurn((manager) => this.#insert(manager, run)))
  }

  /** Closes a run whose source can't be read on, and starts another one for its slot, in one step. */
  async supersede(run: RunRow, by: Omit<NewRun, 'slot'>): Promise<RunRow> {
    const runId = await this.#database.transaction(async (manager) => {
      await manager.update(runs, { id: run.id }, { state: 'checking', checkpoint: null })
      return this.#insert(manager, { ...by, slot: run.slot })
    })
    run.state = 'checking'
    return this.run(runId)
  }

  /** The source is read to its end: from here on only the suspects are open. */
  async endReading(run: RunRow): Promise<void> {
    const ended = { state: 'checking', checkpoint: null } as const
    await this.#database.inTurn((manager) => manager.update(runs, { id: run.id }, ended))
    run.state = 'checking'
  }

  /** All that the source gave is stored. */
  async endChecking(run: RunRow): Promise<void> {
    await this.#database.inTurn((manager) => manager.update(runs, { id: run.id }, { state: 'read' }))
    run.state = 'read'
  }

  /** Runs that are read and whose every task is at or before `ackedSeq` are done. */
  async finish(ackedSeq: number): Promise<void> {
    await this.#database.inTurn((manager) =>
      manager
        .createQueryBuilder()
        .update(runs)
        .set({ state: 'done', finishedAt: this.#now() })
        .where({ state: 'read' })
        .andWhere('id NOT IN (SELECT run FROM batch WHERE first_seq + count - 1 > :ackedSeq)', { ackedSeq })
        .execute(),
    )
  }

  async #find(where: FindOptionsWhere<RunRow>): Promise<RunRow[]> {
    return this.#database.inTurn((manager) => manager.find(runs, { where, order: { id: 'ASC' } }))
  }

  async #insert(manager: EntityManager, run: NewRun): Promise<string> {
    const runId = randomUUID()
    const counts = { read: 0, rejected: 0, duplicates: 0, persisted: 0, discarded: 0 }
    await manager.insert(runs, { ...run, ...counts, runId, state: 'reading', startedAt: this.#now() })
    return runId
  }
}
