/**
 * The outbox's schema, step by step. Never change a step that was released: add one, which ends with
 * `PRAGMA user_version`, the number by which an older owm refuses the file. (TypeORM's table `migrations` says the
 * same to TypeORM alone.)
 */
import { randomUUID } from 'node:crypto'
import type { MigrationInterface, QueryRunner } from 'typeorm'
import { step } from '../../trace.js'
import { type BreakerName, type BreakerRecords, breakersOf, breakersText } from '../breakers.js'

/** In the header of the file: `owm1`. Tells an outbox from any other database. */
export const applicationId = 0x6f776d31

class Outbox1700000000001 implements MigrationInterface {
  name = 'Outbox1700000000001'

  async up(runner: QueryRunner): Promise<void> {
    step('migration:begun')
    const statements = [
      `CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1), outbox_id TEXT NOT NULL, handed_seq INTEGER NOT NULL,
        last_seq INTEGER NOT NULL, breaker TEXT, holder TEXT)`,
      `CREATE TABLE run (
        id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL UNIQUE, slot TEXT NOT NULL, source TEXT NOT NULL,
        source_digest TEXT NOT NULL, state TEXT NOT NULL, resume TEXT, read INTEGER NOT NULL, rejected INTEGER NOT NULL,
        duplicates INTEGER NOT NULL, persisted INTEGER NOT NULL, discarded INTEGER NOT NULL,
        started_at INTEGER NOT NULL, finished_at INTEGER)`,
      'CREATE INDEX run_slot ON run (slot)',
      `CREATE INDEX run_open ON run (state) WHERE state <> 'done'`,
      `CREATE TABLE batch (
        first_seq INTEGER PRIMARY KEY, count INTEGER NOT NULL, run INTEGER NOT NULL REFERENCES run (id),
        failures INTEGER NOT NULL, last_error TEXT, created_at INTEGER NOT NULL, tasks TEXT NOT NULL)`,
      // With the count, so that sums by run never touch the tasks.
      'CREATE INDEX batch_run ON batch (run, count)',
      `CREATE TABLE dead (
        seq INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run (id), attempts INTEGER NOT NULL,
        reason TEXT NOT NULL, created_at INTEGER NOT NULL, died_at INTEGER NOT NULL, fate TEXT NOT NULL,
        task TEXT NOT NULL)`,
      `CREATE INDEX dead_now ON dead (run) WHERE fate = 'dead'`,
      `CREATE TABLE rejected (
        id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run (id), kind TEXT NOT NULL,
        position TEXT NOT NULL, value TEXT NOT NULL, reason TEXT NOT NULL, created_at INTEGER NOT NULL)`,
      `CREATE TABLE suspect (
        id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run (id),
        position TEXT NOT NULL, task TEXT NOT NULL)`,
      // For people with a sqlite3 shell: single tasks instead of batches.
      `CREATE VIEW task AS
        SELECT batch.first_seq + entry.key AS seq, run.run_id, run.slot,
          CASE WHEN batch.first_seq + entry.key <= state.handed_seq THEN 'delivered' ELSE 'pending' END AS state,
          batch.failures, batch.last_error, batch.created_at, entry.value AS task
        FROM batch JOIN run ON run.id = batch.run JOIN state, json_each(batch.tasks) AS entry
        WHERE batch.first_seq + entry.key NOT IN (SELECT seq FROM dead)`,
      `PRAGMA application_id = ${applicationId}`,
      'PRAGMA user_version = 1',
    ]
    for (const statement of statements) await runner.query(statement)
    await runner.query('INSERT INTO state (id, outbox_id, handed_seq, last_seq) VALUES (1, ?, 0, 0)', [randomUUID()])
    step('migration:written')
  }

  down = neverBack
}

interface SavedByVersion1 {
  ownState: { value: number; openedAt?: number }
  breakerState: number
}

/** Until version 1 the column `breaker` held a vendor's JSON, as text in JSON, by the breaker's name. */
export function breakersOfVersion1(text: string | null): BreakerRecords {
  const records: BreakerRecords = {}
  for (const name of ['source', 'sink'] as const) {
    try {
      const saved: Partial<Record<BreakerName, string>> = JSON.parse(text ?? '{}')
      const { ownState, breakerState }: SavedByVersion1 = JSON.parse(saved[name] ?? '')
      const isOpen = ownState.value === 1
      const openedAt = isOpen ? (ownState.openedAt ?? 0) : null
      records[name] = { state: isOpen ? 'open' : 'closed', failures: breakerState, openedAt }
    } catch {
      // Damaged, or not there: the circuit is closed.
    }
  }
  return breakersOf(breakersText(records))
}

class Breakers1700000000002 implements MigrationInterface {
  name = 'Breakers1700000000002'

  async up(runner: QueryRunner): Promise<void> {
    const rows: { breaker: string | null }[] = await runner.query('SELECT breaker FROM state')
    await runner.query('UPDATE state SET breaker = ?', [breakersText(breakersOfVersion1(rows[0]?.breaker ?? null))])
    await runner.query('PRAGMA user_version = 2')
  }

  down = neverBack
}

class Chain1700000000003 implements MigrationInterface {
  name = 'Chain1700000000003'

  async up(runner: QueryRunner): Promise<void> {
    const statements = [
      'ALTER TABLE state ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0',
      'ALTER TABLE state ADD COLUMN sink INTEGER',
      // The attachments that the sink may know: with a word each, so that a copy of this file is told from it.
      'CREATE TABLE attachment (epoch INTEGER PRIMARY KEY, word TEXT NOT NULL)',
      'CREATE TABLE sink (id INTEGER PRIMARY KEY AUTOINCREMENT, addresses TEXT NOT NULL, sink_ids TEXT NOT NULL)',
      // Null for runs of older versions: their sum isn't known.
      'ALTER TABLE run ADD COLUMN id_sum TEXT',
      'ALTER TABLE run ADD COLUMN lost INTEGER NOT NULL DEFAULT 0',
      'ALTER TABLE run ADD COLUMN again INTEGER NOT NULL DEFAULT 0',
      'PRAGMA user_version = 3',
    ]
    for (const statement of statements) await runner.query(statement)
  }

  down = neverBack
}

class Identity1700000000004 implements MigrationInterface {
  name = 'Identity1700000000004'

  async up(runner: QueryRunner): Promise<void> {
    const statements = [
      'ALTER TABLE state ADD COLUMN owner TEXT',
      'ALTER TABLE state ADD COLUMN newest_deleted_slot TEXT',
      // Which runs were deleted isn't known; as a rule, they were older than the first one that is left.
      `UPDATE state SET newest_deleted_slot = (
        SELECT slot FROM run WHERE id = (SELECT min(id) FROM run) AND id > 1)`,
      'ALTER TABLE run ADD COLUMN slot_given INTEGER NOT NULL DEFAULT 1',
      // The time of a start has milliseconds.
      `UPDATE run SET slot_given = 0 WHERE slot LIKE '%.%'`,
      `ALTER TABLE run ADD COLUMN namespace TEXT NOT NULL DEFAULT ''`,
      'ALTER TABLE run ADD COLUMN repeated INTEGER NOT NULL DEFAULT 0',
      'PRAGMA user_version = 4',
    ]
    for (const statement of statements) await runner.query(statement)
  }

  down = neverBack
}

class Places1700000000005 implements MigrationInterface {
  name = 'Places1700000000005'

  async up(runner: QueryRunner): Promise<void> {
    const statements = [
      'ALTER TABLE attachment ADD COLUMN last_seq INTEGER',
      'ALTER TABLE state ADD COLUMN former_id TEXT',
      'ALTER TABLE state ADD COLUMN next_sink TEXT',
      'ALTER TABLE sink ADD COLUMN from_seq INTEGER NOT NULL DEFAULT 0',
      'ALTER TABLE sink ADD COLUMN acked_seq INTEGER NOT NULL DEFAULT 0',
      'PRAGMA user_version = 5',
    ]
    for (const statement of statements) await runner.query(statement)
  }

  down = neverBack
}

class LastError1700000000006 implements MigrationInterface {
  name = 'LastError1700000000006'

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE run ADD COLUMN failure TEXT')
    await runner.query('PRAGMA user_version = 6')
  }

  down = neverBack
}

class SinksOfRuns1700000000007 implements MigrationInterface {
  name = 'SinksOfRuns1700000000007'

  async up(runner: QueryRunner): Promise<void> {
    const statements = [
      'ALTER TABLE run ADD COLUMN sinks TEXT',
      // Which of several sinks had a run isn't known.
      `UPDATE run SET sinks = (SELECT json_array(id) FROM sink)
        WHERE state = 'done' AND (SELECT count(*) FROM sink) = 1`,
      'PRAGMA user_version = 7',
    ]
    for (const statement of statements) await runner.query(statement)
  }

  down = neverBack
}

class Intervals1700000000008 implements MigrationInterface {
  name = 'Intervals1700000000008'

  async up(runner: QueryRunner): Promise<void> {
    const time = (slot: string): string =>
      `(CAST(strftime('%s', ${slot}) AS INTEGER) * 1000 + CAST(substr(strftime('%f', ${slot}), 4) AS INTEGER))`
    const statements = [
      'ALTER TABLE run ADD COLUMN interval_from INTEGER',
      'ALTER TABLE run ADD COLUMN covered_by INTEGER',
      'ALTER TABLE state ADD COLUMN covered_to INTEGER',
      `CREATE TABLE gap (
        id INTEGER PRIMARY KEY AUTOINCREMENT, first_slot TEXT NOT NULL, last_slot TEXT NOT NULL,
        count INTEGER NOT NULL, reason TEXT NOT NULL, noted_at INTEGER NOT NULL)`,
      // The first run of each slot has the interval from the slot before.
      `UPDATE run SET interval_from = coalesce(
          (SELECT max(${time('before.slot')}) FROM run before WHERE ${time('before.slot')} < ${time('run.slot')}),
          ${time('run.slot')})
        WHERE id = (SELECT min(same.id) FROM run same WHERE same.slot = run.slot)`,
      `UPDATE state SET covered_to = (SELECT max(${time('slot')}) FROM run)`,
      'PRAGMA user_version = 8',
    ]
    for (const statement of statements) await runner.query(statement)
  }

  down = neverBack
}

class Cadences1700000000009 implements MigrationInterface {
  name = 'Cadences1700000000009'

  async up(runner: QueryRunner): Promise<void> {
    const statements = [
      'ALTER TABLE run ADD COLUMN windows_from INTEGER',
      'ALTER TABLE run ADD COLUMN cadence TEXT',
      'ALTER TABLE run ADD COLUMN not_due INTEGER NOT NULL DEFAULT 0',
      'ALTER TABLE run ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0',
      'PRAGMA user_version = 9',
    ]
    for (const statement of statements) await runner.query(statement)
  }

  down = neverBack
}

class Replays1700000000010 implements MigrationInterface {
  name = 'Replays1700000000010'

  async up(runner: QueryRunner): Promise<void> {
    const statements = [
      'ALTER TABLE run ADD COLUMN read_at INTEGER',
      'ALTER TABLE run ADD COLUMN stored_at INTEGER',
      'ALTER TABLE run ADD COLUMN redelivered INTEGER NOT NULL DEFAULT 0',
      'ALTER TABLE run ADD COLUMN replayed INTEGER NOT NULL DEFAULT 0',
      'ALTER TABLE run ADD COLUMN replayed_at INTEGER',
      'ALTER TABLE run ADD COLUMN leaves_out INTEGER NOT NULL DEFAULT 0',
      `CREATE INDEX dead_held ON dead (run) WHERE fate = 'held'`,
      'PRAGMA user_version = 10',
    ]
    for (const statement of statements) await runner.query(statement)
  }

  down = neverBack
}

async function neverBack(): Promise<void> {
  throw new Error('An outbox is never taken back to an older schema: its tasks would be lost.')
}

/** In order; the schema's version is their number. */
export const migrations = [
  Outbox1700000000001,
  Breakers1700000000002,
  Chain1700000000003,
  Identity1700000000004,
  Places1700000000005,
  LastError1700000000006,
  SinksOfRuns1700000000007,
  Intervals1700000000008,
  Cadences1700000000009,
  Replays1700000000010,
]
