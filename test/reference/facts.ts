/** The outbox's file, by our own SQL. */
import assert from 'node:assert/strict'
import type { RunState } from '../../src/outbox/runs/run-states.js'
import { type RunFacts as Counted, openDatabase } from '../support/contents.js'

export interface RunFacts extends Counted {
  id: number
  discarded: number
}

export interface TaskFacts {
  seq: number
  slot: string
  state: string
  id: string
}

export interface DeadFacts {
  slot: string
  id: string
  diedAt: number
}

export interface Facts {
  readonly outboxId: string
  readonly acked: number
  readonly last: number
  readonly runs: readonly RunFacts[]
  /** All that is kept, the history among it. */
  readonly tasks: readonly TaskFacts[]
  readonly dead: readonly DeadFacts[]
  /** Where a task was refused, whatever became of it since. */
  readonly refused: ReadonlySet<number>
}

export async function factsOf(path: string): Promise<Facts> {
  const all = await openDatabase(path)
  try {
    const [state] = await all<{ outboxId: string; acked: number; last: number }>(
      'SELECT outbox_id AS outboxId, handed_seq AS acked, last_seq AS last FROM state',
    )
    assert.ok(state)
    const refused = await all<{ seq: number }>('SELECT seq FROM dead')
    return {
      ...state,
      refused: new Set(refused.map(({ seq }) => seq)),
      runs: await all<RunFacts>(`SELECT id, slot, state, read, rejected, duplicates, persisted, discarded,
        (SELECT count(*) FROM rejected WHERE rejected.run = run.id AND kind = 'rejected') AS kept,
        (SELECT count(*) FROM suspect WHERE suspect.run = run.id) AS suspects FROM run ORDER BY id`),
      // A task that was refused lives on as a dead one, or under another number.
      tasks: await all<TaskFacts>(`SELECT first_seq + entry.key AS seq, slot, state, entry.value ->> 'task_id' AS id
        FROM batch JOIN run ON run.id = batch.run, json_each(batch.tasks) AS entry
        WHERE first_seq + entry.key NOT IN (SELECT seq FROM dead) ORDER BY 1`),
      dead: await all<DeadFacts>(
        `SELECT slot, task ->> 'task_id' AS id, died_at AS diedAt
         FROM dead JOIN run ON run.id = dead.run WHERE fate = 'dead'`,
      ),
    }
  } finally {
    await all.close()
  }
}

/** Lets the file note each move of a run from one state to another. */
export async function noteMoves(path: string): Promise<void> {
  const all = await openDatabase(path)
  try {
    await all('CREATE TABLE moved (before TEXT, after TEXT, PRIMARY KEY (before, after))')
    await all(`CREATE TRIGGER note_move AFTER UPDATE OF state ON run WHEN OLD.state <> NEW.state
      BEGIN INSERT OR IGNORE INTO moved VALUES (OLD.state, NEW.state); END`)
  } finally {
    await all.close()
  }
}

export async function movesNoted(path: string): Promise<{ from: RunState; to: RunState }[]> {
  const all = await openDatabase(path)
  try {
    return await all('SELECT before AS "from", after AS "to" FROM moved')
  } finally {
    await all.close()
  }
}
