/**
 * A table of PostgreSQL, or graphile-worker's jobs there. One statement adds a whole batch and moves the fence: a batch
 * that is sent again adds only what is missing, and one that doesn't follow the last task is refused. So delivery is
 * exactly-once.
 *
 *     sink:
 *       use: postgres
 *       url: postgres://owm@db.example/weather
 *       password: ${DB_PASSWORD}
 *       table: owm_tasks
 */
import { randomUUID } from 'node:crypto'
import { ChangedError, ConfigurationError, RefusedError, toError } from '../../errors/index.js'
import {
  type Attached,
  type Attachment,
  type Brought,
  type Diagnosis,
  defineSink,
  type Entry,
  type Link,
  type Outcome,
  type Patient,
  type Reading,
  type Receipt,
  type Sink,
  type SinkPicture,
  type SinkPosition,
  type TaskBatch,
} from '../../plugin.js'
import { Batch, joined } from '../../tasks/batch.js'
import { taskIdOf } from '../../tasks/id.js'
import { takenOver } from '../servers.js'
import { Connection, type Query, type Row } from './connection.js'
import { checks, examined } from './doctor/index.js'
import { isAboutTasks, isMissing, mayBeAboutTasks } from './errors.js'
import { options, type Settings } from './options.js'
import { entriesOf, pictureOf, readingsOf, rowsIn, taskIdsOf } from './picture.js'
import { addSql, lostSql, refusedAs } from './statements/add.js'
import { type Answer, attach, place, positionIn } from './statements/attach.js'
import { nonPermanentTable } from './statements/permanent.js'
import { receiptsIn, writeReceipt } from './statements/receipts.js'
import { acceptsAny } from './statements/trial.js'
import { type Store, storeOf } from './store.js'
import { makeTables, type Tables, tablesOf } from './tables.js'

export default defineSink({
  name: 'postgres',
  description: 'a table of PostgreSQL, or jobs of graphile-worker, exactly once, in atomic batches',
  options,
  checks,
  async open(settings, { baseDir, signal }): Promise<Sink> {
    return new Postgres(settings, await Connection.of(settings, baseDir, signal))
  },
})

class Postgres implements Sink {
  readonly guarantee = 'exactly-once'
  readonly maxInFlight = 2
  readonly address: string
  /** Only of jobs: nothing records who has read a row. */
  readonly readings?: (entry: string) => Promise<readonly Reading[]>
  readonly #settings: Settings
  readonly #connection: Connection
  readonly #tables: Tables
  readonly #store: Store
  readonly #add: string
  /** The table accepts tasks of these seqs: if it refuses one of them, that one is at fault. */
  #accepted = { first: 0, last: -1 }

  constructor(settings: Settings, connection: Connection) {
    this.#settings = settings
    this.#connection = connection
    this.#tables = tablesOf(settings)
    this.#store = storeOf(settings, this.#tables)
    this.#add = addSql(this.#tables, this.#store)
    this.address = `${connection.address} ${this.#tables.name}`
    if (settings.queue !== undefined) this.readings = (entry) => readingsOf(connection, this.#store, entry)
  }

  async attach(attachment: Attachment, sinkId: string): Promise<Attached> {
    const attached = await this.#connection.transaction(async (query) => {
      await this.#prepare(query)
      // Returned, not thrown: what it records must be committed.
      return (await nonPermanentTable(query, this.#parts)) ?? attach(query, this.#parts, attachment, sinkId)
    })
    if (attached instanceof Error) throw attached
    return attached
  }

  async place(attachment: Attachment, at: SinkPosition, generation = 0): Promise<void> {
    const work = (query: Query) => place(query, this.#tables, attachment, at, generation)
    this.#mustBeDone(await this.#connection.transaction(work), 'changed while it was compared')
  }

  async deliver(batch: TaskBatch): Promise<readonly Outcome[]> {
    const { link } = batch
    if (!link) throw new ChangedError('postgres takes a batch only behind another one.')
    const { name } = this.#tables
    const ids = batch.tasks.map(taskIdOf)
    const [row] = await this.#connection
      .transaction((query) => this.#addTo(query, batch, link, ids))
      .catch(async (error: unknown) => {
        if (isMissing(error)) throw new ChangedError(`The table ${name} is gone.`, { cause: error })
        if (isAboutTasks(error) || (mayBeAboutTasks(error) && (await this.#acceptsOthers(batch))))
          throw new RefusedError(toError(error).message, { cause: error })
        throw error
      })
    const skip = row ? Number(row['skip']) : refusedAs.changed
    const [expected, held] = [String(link.after.seq), String(row?.['seq'] ?? 'none')]
    const where =
      expected === held
        ? `isn't the one that had task ${expected} of this outbox`
        : `isn't at task ${expected} of this outbox, but at ${held}`
    if (skip === refusedAs.superseded) this.#mustBeDone('superseded', where)
    if (skip === refusedAs.changed) this.#mustBeDone('changed', where)
    if (Number(row?.['added']) > 0) this.#accepted = { first: batch.lastSeq + 1, last: batch.lastSeq + 1 }
    const added = row?.['ids'] === null ? undefined : new Set(listIn(row?.['ids']))
    return ids.map((id, index) => (index < skip || (added && !added.has(id)) ? 'duplicate' : 'delivered'))
  }

  /**
   * Whether the table accepts other tasks than the one, not known yet, for which it refused the batch. For a part of a
   * batch the whole batch tells, for a single task the one before it, or a made-up one.
   */
  async #acceptsOthers(batch: TaskBatch): Promise<boolean> {
    const { firstSeq: first, lastSeq: last, count } = batch
    if (this.#accepted.first <= first && last <= this.#accepted.last) return true
    const isAccepting =
      count === 1
        ? await this.check().then(
            () => true,
            () => false,
          )
        : await this.#connection.transaction((query) => acceptsAny(query, this.#store, batch), 'ROLLBACK')
    if (isAccepting) this.#accepted = { first, last }
    return isAccepting
  }

  async #addTo(
    query: Query,
    batch: TaskBatch,
    { epoch, word, after }: Omit<Link, 'outboxId'>,
    ids: readonly string[],
  ): Promise<Row[]> {
    if (this.#store.setting !== undefined) await query(this.#store.setting)
    const { outboxId, runId, firstSeq, count } = batch
    const place = [outboxId, epoch, word, after.seq, after.taskId, firstSeq, count]
    const rows = await query(this.#add, [...place, `{${ids.join()}}`, arrayOf(batch), runId])
    await this.#mustHave(query, listIn(rows[0]?.['lost']))
    return rows
  }

  /** Throws if tasks were neither added nor there already, which rolls the batch back: the fence counts them, too. */
  async #mustHave(query: Query, missing: readonly string[]): Promise<void> {
    if (missing.length === 0) return
    const [lost] = await query(lostSql(this.#store), [missing])
    // guard: postgres-left-out
    if (lost) throw new RefusedError(`${this.#store.relation} left out the task ${lost['task_id']}: ${leftOutBy}`)
  }

  async receipt(attachment: Attachment | undefined, receipt: Receipt, brought: Brought): Promise<void> {
    if (!attachment) throw new ChangedError('postgres takes a receipt only of an outbox that is attached.')
    const work = (query: Query) => writeReceipt(query, this.#parts, attachment, receipt, brought)
    this.#mustBeDone(await this.#connection.transaction(work), `lacks tasks of ${receipt.slot}`)
  }

  async receipts(pipeline: string, slot?: string): Promise<readonly Receipt[]> {
    return receiptsIn(this.#connection, this.#parts, pipeline, slot)
  }

  async position(outboxId: string): Promise<SinkPosition | undefined> {
    const sql = `SELECT * FROM ${this.#tables.fence} WHERE outbox_id = $1 AND seq IS NOT NULL`
    const [held] = await rowsIn(this.#connection, sql, [outboxId])
    return held && positionIn(held)
  }

  taskIds(): AsyncGenerator<string> {
    return taskIdsOf(this.#connection, this.#store)
  }

  entries(first?: string, last?: string): AsyncGenerator<Entry> {
    return entriesOf(this.#connection, this.#store, first, last)
  }

  async inspect(isQuick = false): Promise<SinkPicture> {
    return pictureOf(this.#connection, this.#settings, this.#store, isQuick)
  }

  /** Does all that a delivery does, with a task of its own, then rolls it back. */
  async check(): Promise<void> {
    const id = randomUUID()
    const attachment = { outboxId: id, epoch: 1, word: id }
    const after = { seq: 0, taskId: '' }
    const slot = '2000-01-01T00:00:00Z'
    const batch = Batch.of([JSON.stringify({ task_id: id })], { outboxId: id, runId: id, slot, firstSeq: 1 })
    const counts = { read: 1, rejected: 0, duplicates: 0, delivered: 1, dead: 0, discarded: 0 }
    const receipt = { pipeline: id, slot, shard: 0, shards: 1, interval: null, ...counts, taskIdSum: '' }
    await this.#connection.transaction(async (query) => {
      await this.#prepare(query)
      const trouble = await nonPermanentTable(query, this.#parts)
      if (trouble) throw trouble
      const { generation = 0 } = await attach(query, this.#parts, attachment, id)
      await place(query, this.#tables, attachment, after, generation)
      await this.#addTo(query, batch, { ...attachment, after }, [id])
      await writeReceipt(query, this.#parts, attachment, receipt, { runs: [id], lastSeq: 1 })
    }, 'ROLLBACK')
  }

  async doctor(patient: Patient): Promise<readonly Diagnosis[]> {
    return examined({ connection: this.#connection, settings: this.#settings, ...this.#parts }, patient)
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  get #parts(): { readonly tables: Tables; readonly store: Store } {
    return { tables: this.#tables, store: this.#store }
  }

  async #prepare(query: Query): Promise<void> {
    const isTable = this.#settings.queue === undefined
    await makeTables(query, this.#tables, isTable)
    if (isTable) return
    const [row] = await query('SELECT to_regclass($1) IS NOT NULL AS is_there', [this.#store.relation])
    if (row?.['is_there'] === true) return
    throw new ConfigurationError(`${this.#connection.title}: graphile-worker isn't set up there.`, {
      hint: 'Run `npx graphile-worker --schema-only` with this database, or correct sink.jobs.schema.',
    })
  }

  /** Throws if the fence wasn't as expected. */
  #mustBeDone(answer: Answer, what: string): void {
    const { name } = this.#tables
    if (answer === 'superseded') throw takenOver(`the table ${name}`)
    if (answer === 'changed') throw new ChangedError(`The table ${name} ${what}.`)
  }
}

const leftOutBy = 'a trigger there may return NULL before INSERT.'

/** The tasks as one JSON array, in bytes: as strings, each would be quoted and parsed once more. */
const arrayOf = (batch: TaskBatch): Buffer => Buffer.concat([Buffer.from('['), joined(batch), Buffer.from(']')])

const listIn = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])
