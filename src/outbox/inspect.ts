/** What an operator may ask of an outbox: reads only, next to a running producer. */

import { breakersOf } from './breakers.js'
import { Database, damaged, type Parameter } from './database.js'
import type { RunState } from './entities.js'
import { readState } from './state.js'

export type TaskState = 'pending' | 'dead' | 'rejected' | 'delivered'

export interface Totals {
  pending: number
  dead: number
  rejected: number
  duplicates: number
}

export interface RunReport {
  runId: string
  slot: string
  state: RunState
  read: number
  rejected: number
  duplicates: number
  persisted: number
  delivered: number
  dead: number
  startedAt: string
  finishedAt: string | null
}

export interface TaskReport {
  /** Null for records that never became a task. */
  seq: number | null
  runId: string
  state: TaskState
  attempts: number
  lastError: string | null
  createdAt: string
  /** The task; null for records that never became one. */
  task: unknown
  /** Rejected records only: where the record stood, and what it was. */
  position?: string
  value?: string
}

export interface Filter {
  state: TaskState | undefined
  /** A run's id, or its beginning. */
  run: string | undefined
  /** Text that the task or record must contain, in any case of ASCII letters. */
  location: string | undefined
  limit: number
}

function iso(time: number, path: string): string {
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) throw damaged(path, `${time} in it is no time`)
  return date.toISOString()
}

export class Inspection {
  #database: Database | undefined

  private constructor(database: Database | undefined) {
    this.#database = database
  }

  /** Opens an outbox to look at it; a missing or empty one is no error. */
  static async open(path: string): Promise<Inspection> {
    return new Inspection(await Database.openForReading(path))
  }

  /** False where there is no outbox yet. */
  get exists(): boolean {
    return this.#database !== undefined
  }

  get #path(): string {
    return this.#database?.path ?? ''
  }

  async totals(): Promise<Totals> {
    const [row] = await this.#query<Totals>(
      `SELECT last_seq - handed_seq - (SELECT count(*) FROM dead WHERE seq > handed_seq) AS pending, (SELECT count(*) FROM dead WHERE fate = 'dead') AS dead,
        (SELECT count(*) FROM rejected WHERE kind = 'rejected') AS rejected,
        (SELECT count(*) FROM rejected WHERE kind = 'duplicate') AS duplicates FROM state`,
    )
    return row ?? { pending: 0, dead: 0, rejected: 0, duplicates: 0 }
  }

  async oldestPendingAt(): Promise<string | null> {
    const [row] = await this.#query<{ createdAt: number }>(
      'SELECT created_at AS createdAt FROM batch JOIN state WHERE first_seq <= handed_seq + 1 AND first_seq + count - 1 > handed_seq ORDER BY first_seq DESC LIMIT 1',
    )
    return row ? iso(row.createdAt, this.#path) : null
  }

  /** Which circuit breakers are open, and since when. */
  async breakers(): Promise<{ name: string; state: 'open' | 'closed'; failures: number; since: string | null }[]> {
    if (!this.#database) return []
    return Object.entries(breakersOf(await readState(this.#database))).map(([name, saved]) => {
      const { ownState, breakerState }: { ownState?: { value?: number; openedAt?: number }; breakerState?: number } =
        JSON.parse(saved)
      return {
        name,
        state: ownState?.value === 1 ? 'open' : 'closed',
        failures: breakerState ?? 0,
        since: ownState?.openedAt ? iso(ownState.openedAt, this.#path) : null,
      }
    })
  }

  /** Runs, newest first. */
  async runs(filter: Filter): Promise<RunReport[]> {
    interface Row extends Omit<RunReport, 'startedAt' | 'finishedAt'> {
      startedAt: number
      finishedAt: number | null
    }
    const rows = await this.#query<Row>(
      `SELECT run_id AS runId, slot, run.state, read, rejected, duplicates, persisted,
        persisted - discarded - coalesce(waiting.n, 0) - coalesce(gone.n, 0) AS delivered, coalesce(gone.n, 0) AS dead,
        started_at AS startedAt, finished_at AS finishedAt
      FROM run
      LEFT JOIN (SELECT run, sum(min(count, first_seq + count - 1 - handed_seq)
          - (SELECT count(*) FROM dead WHERE seq BETWEEN max(first_seq, handed_seq + 1) AND first_seq + count - 1)) AS n FROM batch JOIN state
        WHERE first_seq + count - 1 > handed_seq GROUP BY run) AS waiting ON waiting.run = run.id
      LEFT JOIN (SELECT run, count(*) AS n FROM dead WHERE fate = 'dead' GROUP BY run) AS gone ON gone.run = run.id
      WHERE substr(run_id, 1, length(?1)) = ?1 ORDER BY id DESC LIMIT ?2`,
      [filter.run ?? '', filter.limit],
    )
    return rows.map((row) => ({
      ...row,
      startedAt: iso(row.startedAt, this.#path),
      finishedAt: row.finishedAt === null ? null : iso(row.finishedAt, this.#path),
    }))
  }

  /** Single tasks: the dead and the pending ones, or those of one state. */
  async tasks(filter: Filter): Promise<TaskReport[]> {
    const states: readonly TaskState[] = filter.state ? [filter.state] : ['dead', 'pending']
    const found: TaskReport[] = []
    for (const state of states) {
      const left = filter.limit - found.length
      if (left > 0) found.push(...(await this.#tasksIn(state, { ...filter, limit: left })))
    }
    return found
  }

  async #tasksIn(state: TaskState, { run, location, limit }: Filter): Promise<TaskReport[]> {
    interface Row {
      seq: number | null
      runId: string
      attempts: number
      lastError: string | null
      createdAt: number
      task: string | null
      position?: string
      value?: string
    }
    // As SQLite's lower() does it: ASCII only.
    const text = (location ?? '').replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
    // The batch is searched as a whole first, and cut into tasks only where it has the text. No sorting: rows come in key order, as long as `batch` is
    // the outermost table.
    const cut = (order: string, which: string, attempts: string): string =>
      `SELECT first_seq + entry.key AS seq, run_id AS runId, ${attempts} AS attempts, last_error AS lastError, created_at AS createdAt, entry.value AS task
        FROM batch CROSS JOIN run ON run.id = batch.run CROSS JOIN json_each(batch.tasks) AS entry
        WHERE ${which} AND substr(run_id, 1, length(?1)) = ?1 AND instr(lower(tasks), ?2) AND instr(lower(entry.value), ?2)
        ORDER BY first_seq ${order} LIMIT ?3`
    const handed = '(SELECT handed_seq FROM state)'
    const statements: Readonly<Record<TaskState, string>> = {
      pending: cut(
        'ASC',
        `first_seq + count - 1 > ${handed} AND first_seq + entry.key > ${handed} AND first_seq + entry.key NOT IN (SELECT seq FROM dead)`,
        'failures',
      ),
      delivered: cut(
        'DESC',
        `first_seq <= ${handed} AND first_seq + entry.key <= ${handed} AND first_seq + entry.key NOT IN (SELECT seq FROM dead)`,
        'failures + 1',
      ),
      dead: `SELECT seq, run_id AS runId, attempts, reason AS lastError, created_at AS createdAt, task FROM dead JOIN run ON run.id = dead.run
        WHERE fate = 'dead' AND substr(run_id, 1, length(?1)) = ?1 AND instr(lower(task), ?2) ORDER BY seq LIMIT ?3`,
      rejected: `SELECT NULL AS seq, run_id AS runId, 0 AS attempts, reason AS lastError, created_at AS createdAt, NULL AS task, position, value
        FROM rejected JOIN run ON run.id = rejected.run WHERE substr(run_id, 1, length(?1)) = ?1 AND instr(lower(value), ?2) ORDER BY rejected.id DESC LIMIT ?3`,
    }
    const rows = await this.#query<Row>(statements[state], [run ?? '', text, limit])
    return rows.map(({ task, createdAt, ...row }) => ({
      ...row,
      state,
      createdAt: iso(createdAt, this.#path),
      task: parsed(task, this.#path),
    }))
  }

  async close(): Promise<void> {
    await this.#database?.close()
  }

  async #query<Row extends object>(sql: string, parameters: Parameter[] = []): Promise<Row[]> {
    const database = this.#database
    if (!database) return []
    const rows = await database.query<Row>(sql, parameters).catch(async (error: unknown) => {
      if (!(await database.isStale())) throw error
      return []
    })
    if (await database.isStale()) {
      await database.close()
      this.#database = await Database.openForReading(database.path)
      return this.#query(sql, parameters)
    }
    // SQLite keeps bytes in any column.
    if (rows.some((row) => Object.values(row).some((value) => value instanceof Uint8Array)))
      throw damaged(database.path, 'it holds bytes in place of a text')
    return rows
  }
}

function parsed(task: string | null, path: string): unknown {
  if (task === null) return null
  try {
    return JSON.parse(task)
  } catch (cause) {
    throw damaged(path, 'a task in it is no JSON', cause)
  }
}
