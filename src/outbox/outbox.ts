/**
 * The transactional outbox and its run ledger, held by one process at a time.
 */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { codeOf, OutboxBusyError, OutboxError } from '../errors/index.js'
import type { SinkPosition } from '../plugin.js'
import {
  type Batch,
  batchOf,
  cutText,
  type PendingBatch,
  partOf,
  pendingBatch,
  stringsOf,
  type TaskBytes,
} from '../tasks/batch.js'
import { taskIdOf } from '../tasks/task.js'
import { step } from '../trace.js'
import { Database, damaged, type Query } from './database.js'
import type { RunRow, StateRow, SuspectRow } from './entities.js'
import { OutboxLock } from './lock.js'
import { type DeadFilter, deadByRun, discardDead, forgetDelivered, forgetRuns } from './retention.js'

export type { RunRow } from './entities.js'

/** A batch in its place. */
interface Numbered extends Batch {
  firstSeq: number
}

/** What hand-over needs of a stored batch. */
interface StoredRow extends Numbered {
  runId: string
}

/** Batches that may be handed over before the acknowledgement is written, where the sink's fence makes that safe. */
const lazyBatches = 10

/**
 * Batches that one statement stores. Each statement waits until the reader has made its batch, so they aren't stored one by one; and
 * SQLite and its driver copy what a statement brings, in whichever thread runs it, so they aren't stored all at once.
 */
const batchesAStatement = 4

/** Batches that may stay in memory after they were stored, until they are handed over; all others are read back. */
const recentBatches = 40

/** Batches that are read back at once, and as long as there are fewer in memory behind the one that is asked for. */
const readAheadBatches = 4

export type BreakerName = 'source' | 'sink'
type Breakers = Partial<Record<BreakerName, string>>

export interface Quarantined {
  kind: 'rejected' | 'duplicate'
  position: string
  value: string
  reason: string
}

export interface Suspect {
  position: string
  task: string
}

/** What one transaction moves from the source to the outbox. */
export interface Intake {
  /** The source's resume point after these records. */
  resume: string | null
  /** Records read, the quarantined and the suspects among them. */
  read: number
  batches: readonly Batch[]
  quarantined: readonly Quarantined[]
  suspects: readonly Suspect[]
  /** Earlier suspects of the run, up to this id, are decided by this intake. */
  decided?: number
  /** Duplicates of what an earlier run of the slot brought: counted, not quarantined, for nothing is wrong with them. */
  repeated?: number
}

export interface OpenOptions {
  /** What this process does, for the one that finds the outbox taken: `owm produce`. */
  command: string
  /** Wait for the lock instead of throwing. */
  wait: boolean
  /** Hand-over batch: tasks a row. */
  batchSize: number
  signal: AbortSignal
  now(): number
}

export class Outbox {
  readonly path: string
  readonly #database: Database
  readonly #lock: OutboxLock
  readonly #batchSize: number
  readonly #now: () => number
  readonly #breakers: Breakers
  /** Stored batches by their first `seq`: those that were stored just now, and those that were read ahead. */
  readonly #recent = new Map<number, StoredRow>()
  #reading: Promise<unknown> | undefined
  #state: StateRow
  /** As far as the file says; `#state.handedSeq` may be ahead by some batches. */
  #handedOnDisk: number
  /** An acknowledgement that nobody waits for. */
  #acknowledging: Promise<void> | undefined
  /** Dead tasks (retried and discarded ones too) above `handed_seq`: there are some only after it went back. Not handed over again. */
  #passed: Set<number>

  private constructor(
    database: Database,
    lock: OutboxLock,
    state: StateRow,
    passed: Set<number>,
    options: OpenOptions,
  ) {
    this.path = database.path
    this.#database = database
    this.#lock = lock
    this.#state = state
    this.#handedOnDisk = state.handedSeq
    this.#passed = passed
    this.#breakers = breakersOf(state)
    this.#batchSize = options.batchSize
    this.#now = options.now
  }

  /** Opens the outbox for this process alone. Throws OutboxBusyError, OutboxError. */
  static async open(path: string, options: OpenOptions): Promise<Outbox> {
    const lock = options.wait ? await OutboxLock.take(path, options.signal) : await OutboxLock.tryTake(path)
    if (!lock)
      throw new OutboxBusyError(`Another owm holds the outbox ${path}: ${await holderOf(path)}.`, {
        hint: 'Wait for its end, or start with --wait.',
      })
    step('outbox:locked')
    try {
      const database = await Database.openForWriting(path)
      try {
        const holder = JSON.stringify({
          pid: process.pid,
          host: hostname(),
          command: options.command,
          since: new Date(options.now()).toISOString(),
        })
        await database.query('UPDATE state SET holder = ?', [holder])
        const state = await readState(database)
        return new Outbox(database, lock, state, await deadAfter(database, state.handedSeq), options)
      } catch (error) {
        await database.close()
        throw error
      }
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  get id(): string {
    return this.#state.outboxId
  }

  get handedSeq(): number {
    return this.#state.handedSeq
  }

  get lastSeq(): number {
    return this.#state.lastSeq
  }

  /** Tasks that are stored and neither in the sink nor dead. */
  get pending(): number {
    const { lastSeq, handedSeq } = this.#state
    return lastSeq - handedSeq - [...this.#passed].filter((seq) => seq > handedSeq).length
  }

  async dead(): Promise<number> {
    const [row] = await this.#database.query<{ n: number }>("SELECT count(*) AS n FROM dead WHERE fate = 'dead'")
    return row?.n ?? 0
  }

  // --- the run ledger ---

  /** Runs whose source isn't read to its end, or whose suspects aren't decided, oldest first. */
  async openRuns(): Promise<RunRow[]> {
    return this.#database.query<RunRow>(`${selectRun} WHERE state IN ('reading', 'checking') ORDER BY id`)
  }

  async runsOfSlot(slot: string): Promise<RunRow[]> {
    return this.#database.query<RunRow>(`${selectRun} WHERE slot = ? ORDER BY id`, [slot])
  }

  /** Enters a run into the ledger, before its source is opened. */
  async startRun(run: { slot: string; source: string; sourceDigest: string }): Promise<RunRow> {
    const runId = randomUUID()
    await this.#database.query(insertRun, [runId, run.slot, run.source, run.sourceDigest, this.#now()])
    return this.run(runId)
  }

  /** Closes a run whose source can't be read on, and starts another one for its slot, in one step. */
  async supersede(run: RunRow, by: { source: string; sourceDigest: string }): Promise<RunRow> {
    const runId = randomUUID()
    await this.#database.transaction(async (query) => {
      await query("UPDATE run SET state = 'checking', resume = NULL WHERE id = ?", [run.id])
      await query(insertRun, [runId, run.slot, by.source, by.sourceDigest, this.#now()])
    })
    run.state = 'checking'
    return this.run(runId)
  }

  async run(runId: string): Promise<RunRow> {
    const [row] = await this.#database.query<RunRow>(`${selectRun} WHERE run_id = ?`, [runId])
    if (!row) throw new OutboxError(`The outbox ${this.path} has no run ${runId}.`)
    return row
  }

  /**
   * Stores what was read, moves the run's resume point and writes down how far
   * was handed over, all in one transaction that is durable when this resolves.
   */
  async persist(run: RunRow, intake: Intake): Promise<void> {
    const { quarantined, suspects } = intake
    // guard: checkpoint-moves
    const { resume } = intake
    const persisted = intake.batches.reduce((sum, { count }) => sum + count, 0)
    const now = this.#now()
    let batches: Numbered[] = []
    let lastSeq = 0
    let handedSeq = 0
    const quarantinedTwice = quarantined.filter((record) => record.kind === 'duplicate').length
    const duplicates = quarantinedTwice + (intake.repeated ?? 0)
    await this.#database.transaction(
      async (query) => {
        batches = this.#numbered(intake.batches)
        lastSeq = this.#state.lastSeq + persisted
        await this.#insert(query, run.id, batches)
        handedSeq = this.#state.handedSeq
        if (quarantined.length > 0)
          await query(
            `INSERT INTO rejected (run, kind, position, value, reason, created_at)
            SELECT ?, value ->> 'kind', value ->> 'position', value ->> 'value', value ->> 'reason', ? FROM json_each(?)`,
            [run.id, now, JSON.stringify(quarantined)],
          )
        if (intake.decided !== undefined)
          await query('DELETE FROM suspect WHERE run = ? AND id <= ?', [run.id, intake.decided])
        if (suspects.length > 0)
          await query(
            "INSERT INTO suspect (run, position, task) SELECT ?, value ->> 'position', value ->> 'task' FROM json_each(?)",
            [run.id, JSON.stringify(suspects)],
          )
        await query(
          `UPDATE run SET resume = ?, read = read + ?, rejected = rejected + ?, duplicates = duplicates + ?, persisted = persisted + ? WHERE id = ?`,
          [resume, intake.read, quarantined.length - quarantinedTwice, duplicates, persisted, run.id],
        )
        await query('UPDATE state SET last_seq = ?, handed_seq = ?', [lastSeq, handedSeq])
        step('intake:written')
      },
      () => {
        this.#keep(run, batches)
        this.#state.lastSeq = lastSeq
        this.#handedOnDisk = handedSeq
      },
    )
  }

  /** Keeps what was just stored in memory where there is room, for a flusher that is close behind: it takes the oldest first. */
  #keep({ runId }: RunRow, batches: readonly Numbered[]): void {
    for (const batch of batches)
      if (this.#recent.size < recentBatches) this.#recent.set(batch.firstSeq, { ...batch, runId })
  }

  #dropUpTo(seq: number): void {
    for (const firstSeq of this.#recent.keys()) if (firstSeq <= seq) this.#recent.delete(firstSeq)
  }

  /** Tasks as hand-over batches. */
  cut(tasks: readonly string[]): Batch[] {
    const batches: Batch[] = []
    for (let from = 0; from < tasks.length; from += this.#batchSize)
      batches.push(batchOf(tasks.slice(from, from + this.#batchSize)))
    return batches
  }

  /** Batches that come behind the last one. */
  #numbered(batches: readonly Batch[]): Numbered[] {
    let next = this.#state.lastSeq + 1
    return batches.map((batch) => {
      const firstSeq = next
      next += batch.count
      return { ...batch, firstSeq }
    })
  }

  async #insert(query: Query, run: number, batches: readonly Numbered[]): Promise<void> {
    for (let from = 0; from < batches.length; from += batchesAStatement) {
      const some = batches.slice(from, from + batchesAStatement)
      await query(
        `INSERT INTO batch (first_seq, count, run, failures, created_at, tasks) VALUES ${some.map(() => '(?, ?, ?, 0, ?, CAST(? AS TEXT))').join(', ')}`,
        some.flatMap(({ firstSeq, count, text }) => [firstSeq, count, run, this.#now(), text]),
      )
    }
  }

  /** The source is read to its end: from here on only the suspects are open. */
  async endReading(run: RunRow): Promise<void> {
    await this.#database.query("UPDATE run SET state = 'checking', resume = NULL WHERE id = ?", [run.id])
  }

  /** Up to `most` tasks that may be duplicates. */
  async suspects(run: RunRow, most: number): Promise<SuspectRow[]> {
    const rows = await this.#database.query<SuspectRow>(
      'SELECT id, run, position, task FROM suspect WHERE run = ? ORDER BY id LIMIT ?',
      [run.id, most],
    )
    if (!rows.every(({ task }) => isTask(task)))
      throw damaged(this.path, 'a record that may be a duplicate holds no task')
    return rows
  }

  /** All that the source gave is stored. */
  async endChecking(run: RunRow): Promise<void> {
    await this.#database.query("UPDATE run SET state = 'read' WHERE id = ?", [run.id])
  }

  /** The stored tasks of a slot, batch by batch, whichever run brought them. (`+run`: in key order, never by an index and a sort.) */
  async *tasksOfSlot(slot: string): AsyncGenerator<{ run: number; tasks: readonly string[] }> {
    for (let after = 0; ; ) {
      const [row] = await this.#database.query<Numbered & { run: number }>(
        `SELECT first_seq AS firstSeq, count, run, CAST(tasks AS BLOB) AS text FROM batch
          WHERE first_seq > ? AND +run IN (SELECT id FROM run WHERE slot = ?) ORDER BY first_seq LIMIT 1`,
        [after, slot],
      )
      if (!row) return
      after = row.firstSeq
      yield { run: row.run, tasks: stringsOf(tasksOf(row, this.path)) }
    }
  }

  /** How many tasks of a slot are no longer kept, so that they can't be compared. */
  async forgottenOfSlot(slot: string): Promise<number> {
    const [row] = await this.#database.query<{ n: number | null }>(
      // A retried task is stored twice.
      `WITH mine AS (SELECT id, persisted FROM run WHERE slot = ?)
        SELECT (SELECT sum(persisted) FROM mine) + (SELECT count(*) FROM dead WHERE fate = 'retried' AND run IN (SELECT id FROM mine))
          - (SELECT coalesce(sum(count), 0) FROM batch WHERE run IN (SELECT id FROM mine)) AS n`,
      [slot],
    )
    return row?.n ?? 0
  }

  // --- upkeep ---

  /** Removes what was handed over long ago: all but the newest `tasks` tasks and `runs` runs; nothing of `slot`. */
  async forget(keep: { tasks: number; runs: number; slot: string }): Promise<void> {
    await forgetDelivered(this.#database, {
      upTo: Math.min(this.#handedOnDisk, this.#state.lastSeq - keep.tasks),
      before: Number.MAX_SAFE_INTEGER,
      slot: keep.slot,
    })
    await forgetRuns(this.#database, keep.runs, keep.slot)
  }

  /** Puts dead tasks back, at the end of the queue. Returns how many. */
  async retryDead(which: DeadFilter): Promise<number> {
    let retried = 0
    for (const { run, tasks, seqs } of await deadByRun(this.#database, which)) {
      if (!tasks.every(isTask)) throw damaged(this.path, 'a dead task holds no task')
      await this.#append(run, tasks, seqs)
      retried += tasks.length
    }
    return retried
  }

  /** Removes delivered tasks stored before a time, and dead ones where told to; gives their space back to the disk. */
  async purge(what: { before: number; dead: boolean }): Promise<{ delivered: number; dead: number }> {
    await this.settle()
    const delivered = await forgetDelivered(this.#database, { upTo: this.#handedOnDisk, before: what.before, slot: '' })
    const dead = what.dead ? await discardDead(this.#database, what.before) : 0
    await this.#database.query('VACUUM')
    return { delivered, dead }
  }

  async #append(run: number, tasks: readonly string[], seqs: readonly number[]): Promise<void> {
    let lastSeq = 0
    await this.#database.transaction(
      async (query) => {
        lastSeq = this.#state.lastSeq + tasks.length
        await this.#insert(query, run, this.#numbered(this.cut(tasks)))
        await query("UPDATE dead SET fate = 'retried' WHERE seq IN (SELECT value FROM json_each(?))", [
          JSON.stringify(seqs),
        ])
        await query("UPDATE run SET state = 'read', finished_at = NULL WHERE id = ? AND state = 'done'", [run])
        await query('UPDATE state SET last_seq = ?', [lastSeq])
      },
      () => {
        this.#state.lastSeq = lastSeq
      },
    )
  }

  // --- hand-over ---

  /**
   * The next tasks to hand over behind `seq`, at most one stored batch and at most `most` tasks of it.
   * Behind a `handed_seq` that went back lie dead tasks, and gaps in the history: both are passed over.
   */
  async batchAfter(seq: number, most: number): Promise<PendingBatch | undefined> {
    for (const dead of this.#passed) if (dead <= seq) this.#passed.delete(dead)
    for (let after = seq; ; ) {
      while (this.#passed.has(after + 1)) after++
      const { lastSeq } = this.#state
      if (after >= lastSeq) {
        if (after > this.#state.handedSeq) this.#state.handedSeq = after
        return undefined
      }
      const batch = await this.#storedAfter(after, most)
      if (batch) {
        let alive = 0
        while (alive < batch.count && !this.#passed.has(batch.firstSeq + alive)) alive++
        return partOf(batch, 0, alive)
      }
      const [next] = await this.#database.query<{ first: number | null }>(
        'SELECT min(first_seq) AS first FROM batch WHERE first_seq > ?',
        [after],
      )
      after = next?.first ? next.first - 1 : lastSeq
    }
  }

  /** The batch behind one that isn't acknowledged yet, where that is plain to see. */
  async batchBehind({ firstSeq, count }: PendingBatch, most: number): Promise<PendingBatch | undefined> {
    if (this.#passed.size > 0 || most <= 0) return undefined
    this.#readAhead(firstSeq + count)
    return this.#storedAfter(firstSeq + count - 1, most)
  }

  /** The tasks behind `seq` as they are stored; undefined where the next one isn't. */
  async #storedAfter(seq: number, most: number): Promise<PendingBatch | undefined> {
    if (seq >= this.#state.lastSeq) return undefined
    const row = this.#recent.get(seq + 1) ?? (await this.#onDisk(seq + 1))
    if (row && !(row.count >= 1)) throw damaged(this.path, `the batch at ${row.firstSeq} has ${row.count} tasks`)
    if (!row || row.firstSeq + row.count <= seq + 1) return undefined
    if (typeof row.runId !== 'string') throw damaged(this.path, `the batch at ${row.firstSeq} belongs to no run`)
    const { firstSeq, runId } = row
    const batch = pendingBatch({ outboxId: this.#state.outboxId, runId, firstSeq }, tasksOf(row, this.path))
    const from = seq + 1 - firstSeq
    return partOf(batch, from, from + most)
  }

  /** Nobody waits for it: behind an acknowledgement that is being written, the sink would wait as well. */
  #readAhead(seq: number): void {
    let ready = 0
    let next = seq
    for (; ready < readAheadBatches && this.#recent.has(next); ready++) next += this.#recent.get(next)?.count ?? 0
    if (ready === readAheadBatches || this.#reading || next > this.#state.lastSeq) return
    // An error isn't lost: who asks for the batch reads it again.
    this.#reading = this.#load(next)
      .catch(() => undefined)
      .finally(() => {
        this.#reading = undefined
      })
  }

  /** The stored batch that has `seq`, or the last one before it. */
  async #onDisk(seq: number): Promise<StoredRow | undefined> {
    await this.#reading
    return this.#recent.get(seq) ?? (await this.#load(seq))
  }

  /** Reads the batch that has `seq`, or the last one before it, and some behind it. */
  async #load(seq: number): Promise<StoredRow | undefined> {
    const rows = await this.#database.query<StoredRow>(
      `SELECT first_seq AS firstSeq, count, CAST(tasks AS BLOB) AS text, (SELECT run_id FROM run WHERE run.id = batch.run) AS runId
        FROM batch WHERE first_seq >= (SELECT max(first_seq) FROM batch WHERE first_seq <= ?) ORDER BY first_seq LIMIT ${readAheadBatches}`,
      [seq],
    )
    for (const row of rows) this.#recent.set(row.firstSeq, row)
    return rows[0]
  }

  /**
   * Everything up to `seq` is in the sink. Where that may be `lazy`, it is
   * written with the next intake or after ten batches, while the next ones are
   * handed over; never more than twenty aren't written.
   */
  async acknowledge(seq: number, lazy: boolean): Promise<void> {
    this.#state.handedSeq = seq
    this.#dropUpTo(seq)
    if (!lazy) return this.writeAcknowledgement()
    const behind = (seq - this.#handedOnDisk) / this.#batchSize
    if (behind < lazyBatches) return
    // Nobody waits for it: behind a transaction of the reader's, the sink would wait for the next batch as well.
    this.#acknowledging ??= this.writeAcknowledgement().finally(() => {
      this.#acknowledging = undefined
    })
    this.#acknowledging.catch(() => undefined)
    if (behind >= 2 * lazyBatches) await this.#acknowledging
  }

  async writeAcknowledgement(): Promise<void> {
    await this.#database.inTurn(async (query) => {
      const { handedSeq } = this.#state
      if (handedSeq === this.#handedOnDisk) return // the intake before it has written it
      await query('UPDATE state SET handed_seq = ?', [handedSeq])
      this.#handedOnDisk = handedSeq
      step('acknowledgement:written')
    })
  }

  /** Everything up to `seq` is in the sink but for the tasks at `refused`, which are dead from now on. Never lazy. */
  async bury(seq: number, batch: PendingBatch, refused: ReadonlyMap<number, string>): Promise<void> {
    const dead = [...refused].map(([index, reason]) => ({
      seq: batch.firstSeq + index,
      reason,
      task: batch.tasks[index],
    }))
    await this.#database.transaction(
      async (query) => {
        await query(
          `INSERT OR REPLACE INTO dead (seq, run, attempts, reason, created_at, died_at, fate, task)
          SELECT value ->> 'seq', batch.run, batch.failures + 1, value ->> 'reason', batch.created_at, ?, 'dead', value ->> 'task'
          FROM json_each(?) JOIN batch ON batch.first_seq = (SELECT max(first_seq) FROM batch WHERE first_seq <= value ->> 'seq')`,
          [this.#now(), JSON.stringify(dead)],
        )
        await query('UPDATE state SET handed_seq = ?', [seq])
      },
      () => this.#handedTo(seq),
    )
  }

  /** Notes for `inspect` why the batch at `seq` isn't in the sink. */
  async noteFailure(seq: number, error: string): Promise<void> {
    await this.#database.query(
      'UPDATE batch SET failures = failures + 1, last_error = ? WHERE first_seq = (SELECT max(first_seq) FROM batch WHERE first_seq <= ?)',
      [error, seq],
    )
  }

  /** Runs whose every task is in the sink or dead are done. */
  async settle(): Promise<void> {
    await this.writeAcknowledgement()
    await this.#database.query(
      `UPDATE run SET state = 'done', finished_at = ? WHERE state = 'read' AND NOT EXISTS (
        SELECT 1 FROM batch WHERE first_seq = (SELECT max(own.first_seq) FROM batch AS own WHERE own.run = run.id) AND first_seq + count - 1 > ?)`,
      [this.#now(), this.#state.handedSeq],
    )
  }

  /**
   * Compares what a sink remembers with what this outbox does, and mends the difference.
   *
   * - The sink is ahead: a crash came before the acknowledgement. Nothing to do,
   *   the sink's fence skips what it has.
   * - The sink is behind: it lost tasks that it had taken (a failover to a
   *   replica that lagged). They are handed over again from the history.
   * - The sink remembers another task at that place: this file is an old or a
   *   second copy. It goes on under a new id, so that nothing is skipped wrongly.
   * - The sink remembers nothing: it's a new one, or it lost everything. Runs that
   *   aren't done are handed over from their start, so that none is done with a gap.
   */
  async reconcile(position: SinkPosition | undefined): Promise<Reconciled> {
    if (!position) return this.#handOverAgain(await this.#beforeOpenRuns())
    const { seq, taskId, runId } = position
    const remembered = seq > this.#state.lastSeq ? undefined : await this.#taskAt(seq)
    if (remembered === undefined && seq === this.#state.handedSeq) return { kind: 'same' }
    const isOther =
      remembered !== undefined &&
      (taskIdOf(remembered.task) !== taskId || (runId !== undefined && runId !== remembered.runId))
    if (remembered === undefined ? seq > this.#state.handedSeq : isOther) {
      const outboxId = randomUUID()
      await this.#database.query('UPDATE state SET outbox_id = ?', [outboxId])
      this.#state.outboxId = outboxId
      return { kind: 'copy' }
    }
    // Behind the last task that it took, it may have refused some.
    const dead = await deadAfter(this.#database, seq)
    let reached = seq
    while (dead.has(reached + 1)) reached++
    if (reached >= this.#state.handedSeq) return { kind: 'same' }
    return this.#handOverAgain(seq)
  }

  /** Up to where a sink that remembers nothing may be new or emptied: a run isn't done until the sink has all of it. */
  async #beforeOpenRuns(): Promise<number> {
    const [open] = await this.#database.query<{ first: number | null }>(
      "SELECT min(first_seq) AS first FROM batch WHERE run IN (SELECT id FROM run WHERE state <> 'done')",
    )
    return (open?.first ?? Number.POSITIVE_INFINITY) - 1
  }

  /** Goes back to `seq`, or as far towards it as the history goes. */
  async #handOverAgain(seq: number): Promise<Reconciled> {
    const tasks = this.#state.handedSeq - seq
    if (tasks <= 0) return { kind: 'same' }
    const [kept] = await this.#database.query<{ first: number | null }>(
      'SELECT min(first_seq) AS first FROM batch WHERE first_seq + count - 1 > ? AND first_seq <= ?',
      [seq, this.#state.handedSeq],
    )
    if (!kept?.first) return { kind: 'lost', tasks, again: 0 }
    const from = Math.max(seq, kept.first - 1)
    const again = this.#state.handedSeq - from
    await this.#database.transaction(
      async (query) => {
        await query('UPDATE state SET handed_seq = ?', [from])
        await query(
          "UPDATE run SET state = 'read', finished_at = NULL WHERE state = 'done' AND id IN (SELECT run FROM batch WHERE first_seq + count - 1 > ?)",
          [from],
        )
      },
      () => this.#handedTo(from),
    )
    this.#passed = await deadAfter(this.#database, from)
    return { kind: 'lost', tasks, again }
  }

  #handedTo(seq: number): void {
    this.#dropUpTo(seq)
    this.#state.handedSeq = seq
    this.#handedOnDisk = seq
  }

  async #taskAt(seq: number): Promise<{ task: string; runId: string } | undefined> {
    const found = await this.#storedAfter(seq - 1, 1)
    const task = found?.tasks[0]
    return found && task !== undefined ? { task, runId: found.runId } : undefined
  }

  // --- the breaker's memory ---

  /** The saved state of the breaker around `name`: `sink` or `source`. */
  breaker(name: BreakerName): string | undefined {
    return this.#breakers[name]
  }

  async saveBreaker(name: BreakerName, saved: string | undefined): Promise<void> {
    if (saved === this.#breakers[name]) return
    if (saved === undefined) delete this.#breakers[name]
    else this.#breakers[name] = saved
    await this.#database.query('UPDATE state SET breaker = ?', [
      Object.keys(this.#breakers).length > 0 ? JSON.stringify(this.#breakers) : null,
    ])
  }

  /** Writes the last acknowledgement and lets go of the file and the lock. */
  async close(): Promise<void> {
    try {
      await this.writeAcknowledgement()
    } finally {
      await this.#database.close().finally(() => this.#lock.release())
    }
  }
}

export type Reconciled = { kind: 'same' } | { kind: 'copy' } | { kind: 'lost'; tasks: number; again: number }

const selectRun = `SELECT id, run_id AS runId, slot, source, source_digest AS sourceDigest, state, resume, read, rejected, duplicates,
  persisted, discarded, started_at AS startedAt, finished_at AS finishedAt FROM run`

const insertRun = `INSERT INTO run (run_id, slot, source, source_digest, state, read, rejected, duplicates, persisted, discarded, started_at)
  VALUES (?, ?, ?, ?, 'reading', 0, 0, 0, 0, 0, ?)`

/** A column of SQLite may hold anything. */
const isTask = (task: unknown): boolean => typeof task === 'string' && task.startsWith('{')

function tasksOf({ firstSeq, count, text }: Numbered, path: string): TaskBytes {
  // A batch that is cut wrongly would be handed over for ever, or not at all.
  const tasks = text instanceof Uint8Array ? cutText(text, count) : undefined
  if (tasks) return tasks
  throw damaged(path, `the batch at ${firstSeq} doesn't hold its ${count} tasks`)
}

/** The tasks behind `seq` that were refused, whatever became of them since. */
async function deadAfter(database: Database, seq: number): Promise<Set<number>> {
  const rows = await database.query<{ seq: number }>('SELECT seq FROM dead WHERE seq > ?', [seq])
  return new Set(rows.map((row) => row.seq))
}

export async function readState(database: Database): Promise<StateRow> {
  const [state] = await database.query<StateRow>(
    'SELECT id, outbox_id AS outboxId, handed_seq AS handedSeq, last_seq AS lastSeq, breaker, holder FROM state',
  )
  if (!state)
    throw new OutboxError(`The outbox ${database.path} has lost its state row.`, {
      hint: 'Keep a copy of the file, then move it away to start a new one.',
    })
  const { outboxId, handedSeq, lastSeq } = state
  if (
    typeof outboxId !== 'string' ||
    !Number.isSafeInteger(handedSeq) ||
    !Number.isSafeInteger(lastSeq) ||
    handedSeq < 0 ||
    handedSeq > lastSeq
  )
    throw damaged(database.path, `its state row says that ${handedSeq} of ${lastSeq} tasks are handed over`)
  return state
}

export function breakersOf(state: StateRow): Breakers {
  const saved = parsedOrNull(state.breaker)
  const breakers: Breakers = {}
  if (typeof saved !== 'object' || saved === null) return breakers
  if ('source' in saved && isBreaker(saved.source)) breakers.source = saved.source
  if ('sink' in saved && isBreaker(saved.sink)) breakers.sink = saved.sink
  return breakers
}

/** A breaker's memory can be done without: where it's damaged, the circuit is closed. */
function isBreaker(saved: unknown): saved is string {
  const state = typeof saved === 'string' ? parsedOrNull(saved) : null
  return (
    typeof state === 'object' &&
    state !== null &&
    'ownState' in state &&
    typeof state.ownState === 'object' &&
    state.ownState !== null
  )
}

function parsedOrNull(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return null
  }
}

/** Who holds the outbox, in words. */
async function holderOf(path: string): Promise<string> {
  const database = await Database.openForReading(path).catch(() => undefined)
  if (!database) return 'it has only just begun'
  try {
    const holder: unknown = JSON.parse((await readState(database)).holder ?? 'null')
    if (
      typeof holder !== 'object' ||
      holder === null ||
      !('pid' in holder && 'host' in holder && 'command' in holder && 'since' in holder)
    )
      return 'it has only just begun'
    // The last one's name stays until the next one, which has the lock already, writes its own.
    if (holder.host === hostname() && !isAlive(Number(holder.pid))) return 'it has only just begun'
    return `process ${holder.pid} on ${holder.host}, \`${holder.command}\`, since ${holder.since}`
  } catch {
    return 'it has only just begun'
  } finally {
    await database.close()
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) === 'EPERM' // somebody else's
  }
}
