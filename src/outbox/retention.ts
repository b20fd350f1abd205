/** What removes rows from the outbox, or puts dead tasks back: history, old runs, dead letters. */
import { step } from '../trace.js'
import type { Database } from './database.js'

export interface DeadFilter {
  /** A run's id, or its beginning; '' for every run. */
  run: string
  /** Only these tasks; undefined for all. */
  seqs: readonly number[] | undefined
}

/**
 * Deletes handed-over batches up to a `seq`, stored before a time, of finished runs of other slots. A slot that is
 * being read keeps its own: what it hands over is compared with them. Returns the tasks removed.
 */
export async function forgetDelivered(
  database: Database,
  which: { upTo: number; before: number; slot: string },
): Promise<number> {
  if (which.upTo <= 0) return 0
  let removed = 0
  // In short transactions: an inspect beside it never waits, the write-ahead log stays small.
  for (;;) {
    const rows = await database.query<{ first_seq: number; count: number }>(
      `SELECT first_seq, count FROM batch WHERE first_seq + count - 1 <= ? AND created_at < ?
        AND run IN (SELECT id FROM run WHERE state = 'done' AND slot <> ? AND slot NOT IN (SELECT slot FROM run WHERE state IN ('reading', 'checking')))
        ORDER BY first_seq LIMIT 100`,
      [which.upTo, which.before, which.slot],
    )
    if (rows.length === 0) return removed
    await database.query('DELETE FROM batch WHERE first_seq IN (SELECT value FROM json_each(?))', [
      JSON.stringify(rows.map((row) => row.first_seq)),
    ])
    step('history:forgotten')
    removed += rows.reduce((sum, row) => sum + row.count, 0)
  }
}

/** Deletes finished runs that hold nothing any more, but for the newest `keep`, with what was quarantined in them. */
export async function forgetRuns(database: Database, keep: number, slot: string): Promise<void> {
  const gone = await database.query<{ id: number }>(
    `SELECT id FROM run WHERE state = 'done' AND slot <> ?1 AND id <= (SELECT max(id) FROM run) - ?2
      AND id NOT IN (SELECT run FROM batch) AND id NOT IN (SELECT run FROM dead WHERE fate = 'dead')`,
    [slot, keep],
  )
  if (gone.length === 0) return
  const ids = JSON.stringify(gone.map((row) => row.id))
  await database.transaction(async (query) => {
    for (const table of ['rejected', 'dead'])
      await query(`DELETE FROM ${table} WHERE run IN (SELECT value FROM json_each(?))`, [ids])
    await query('DELETE FROM run WHERE id IN (SELECT value FROM json_each(?))', [ids])
    step('runs:forgotten')
  })
}

/** Dead tasks, oldest first, by their runs. */
export async function deadByRun(
  database: Database,
  { run, seqs }: DeadFilter,
): Promise<{ run: number; seqs: number[]; tasks: string[] }[]> {
  const rows = await database.query<{ run: number; seq: number; task: string }>(
    `SELECT dead.run, seq, task FROM dead JOIN run ON run.id = dead.run WHERE fate = 'dead' AND substr(run_id, 1, length(?1)) = ?1
      AND (?2 IS NULL OR seq IN (SELECT value FROM json_each(?2))) ORDER BY seq`,
    [run, seqs === undefined ? null : JSON.stringify(seqs)],
  )
  const groups = new Map<number, { run: number; seqs: number[]; tasks: string[] }>()
  for (const { run: id, seq, task } of rows) {
    const group = groups.get(id) ?? { run: id, seqs: [], tasks: [] }
    groups.set(id, group)
    group.seqs.push(seq)
    group.tasks.push(task)
  }
  return [...groups.values()]
}

/** Gives up the dead tasks that died before a time; their runs remember how many. Returns how many. */
export async function discardDead(database: Database, before: number): Promise<number> {
  let discarded = 0
  await database.transaction(async (query) => {
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
