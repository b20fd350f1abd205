/**
 * The outbox's schema, migration by migration. Never change one that was released, not even its white space, since
 * SQLite stores the text of definitions: add another, which ends with `PRAGMA user_version`. By that number an older
 * owm refuses the file. (TypeORM's table `migrations` is for TypeORM only.)
 */
import { randomUUID } from 'node:crypto'
import type { MigrationInterface, QueryRunner } from 'typeorm'
import { step } from '../../trace.js'
import { type BreakerName, type BreakerRecords, breakersOf, breakersText } from '../breakers.js'

/** `owm1` in the file's header: distinguishes an outbox from other databases. */
export const applicationId = 0x6f776d31

/** A statement, or a function for what SQL alone can't do. */
type Step = string | ((runner: QueryRunner) => Promise<unknown>)

/** @param name of TypeORM's row in the table `migrations` */
const migration = (name: string, ...steps: readonly Step[]) =>
  class implements MigrationInterface {
    readonly name = name

    async up(runner: QueryRunner): Promise<void> {
      for (const work of steps) await (typeof work === 'string' ? runner.query(work) : work(runner))
    }

    async down(): Promise<void> {
      throw new Error('An outbox is never taken back to an older schema: its tasks would be lost.')
    }
  }

const traced = (point: Parameters<typeof step>[0]) => async (): Promise<void> => step(point)

const outbox = migration(
  'Outbox1700000000001',
  traced('migration:begun'),
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
  (runner) =>
    runner.query('INSERT INTO state (id, outbox_id, handed_seq, last_seq) VALUES (1, ?, 0, 0)', [randomUUID()]),
  traced('migration:written'),
)

interface SavedByVersion1 {
  ownState: { value: number; openedAt?: number }
  breakerState: number
}

/** In version 1 the column `breaker` held a vendor's JSON for each breaker, as a string in JSON. */
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
      // Damaged or missing: the circuit is closed.
    }
  }
  return breakersOf(breakersText(records))
}

const breakers = migration(
  'Breakers1700000000002',
  async (runner) => {
    const rows: { breaker: string | null }[] = await runner.query('SELECT breaker FROM state')
    await runner.query('UPDATE state SET breaker = ?', [breakersText(breakersOfVersion1(rows[0]?.breaker ?? null))])
  },
  'PRAGMA user_version = 2',
)

const chain = migration(
  'Chain1700000000003',
  'ALTER TABLE state ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0',
  'ALTER TABLE state ADD COLUMN sink INTEGER',
  // The attachments that the sink may know. The word of each distinguishes this file from a copy.
  'CREATE TABLE attachment (epoch INTEGER PRIMARY KEY, word TEXT NOT NULL)',
  'CREATE TABLE sink (id INTEGER PRIMARY KEY AUTOINCREMENT, addresses TEXT NOT NULL, sink_ids TEXT NOT NULL)',
  // Null for runs of older versions: their sum isn't known.
  'ALTER TABLE run ADD COLUMN id_sum TEXT',
  'ALTER TABLE run ADD COLUMN lost INTEGER NOT NULL DEFAULT 0',
  'ALTER TABLE run ADD COLUMN again INTEGER NOT NULL DEFAULT 0',
  'PRAGMA user_version = 3',
)

const identity = migration(
  'Identity1700000000004',
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
)

const places = migration(
  'Places1700000000005',
  'ALTER TABLE attachment ADD COLUMN last_seq INTEGER',
  'ALTER TABLE state ADD COLUMN former_id TEXT',
  'ALTER TABLE state ADD COLUMN next_sink TEXT',
  'ALTER TABLE sink ADD COLUMN from_seq INTEGER NOT NULL DEFAULT 0',
  'ALTER TABLE sink ADD COLUMN acked_seq INTEGER NOT NULL DEFAULT 0',
  'PRAGMA user_version = 5',
)

const lastError = migration(
  'LastError1700000000006',
  'ALTER TABLE run ADD COLUMN failure TEXT',
  'PRAGMA user_version = 6',
)

const sinksOfRuns = migration(
  'SinksOfRuns1700000000007',
  'ALTER TABLE run ADD COLUMN sinks TEXT',
  // Which of several sinks had a run isn't known.
  `UPDATE run SET sinks = (SELECT json_array(id) FROM sink)
        WHERE state = 'done' AND (SELECT count(*) FROM sink) = 1`,
  'PRAGMA user_version = 7',
)

const timeOf = (slot: string): string =>
  `(CAST(strftime('%s', ${slot}) AS INTEGER) * 1000 + CAST(substr(strftime('%f', ${slot}), 4) AS INTEGER))`

const intervals = migration(
  'Intervals1700000000008',
  'ALTER TABLE run ADD COLUMN interval_from INTEGER',
  'ALTER TABLE run ADD COLUMN covered_by INTEGER',
  'ALTER TABLE state ADD COLUMN covered_to INTEGER',
  `CREATE TABLE gap (
        id INTEGER PRIMARY KEY AUTOINCREMENT, first_slot TEXT NOT NULL, last_slot TEXT NOT NULL,
        count INTEGER NOT NULL, reason TEXT NOT NULL, noted_at INTEGER NOT NULL)`,
  // The first run of each slot has the interval from the slot before.
  `UPDATE run SET interval_from = coalesce(
          (SELECT max(${timeOf('before.slot')}) FROM run before WHERE ${timeOf('before.slot')} < ${timeOf('run.slot')}),
          ${timeOf('run.slot')})
        WHERE id = (SELECT min(same.id) FROM run same WHERE same.slot = run.slot)`,
  `UPDATE state SET covered_to = (SELECT max(${timeOf('slot')}) FROM run)`,
  'PRAGMA user_version = 8',
)

const cadences = migration(
  'Cadences1700000000009',
  'ALTER TABLE run ADD COLUMN windows_from INTEGER',
  'ALTER TABLE run ADD COLUMN cadence TEXT',
  'ALTER TABLE run ADD COLUMN not_due INTEGER NOT NULL DEFAULT 0',
  'ALTER TABLE run ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0',
  'PRAGMA user_version = 9',
)

const replays = migration(
  'Replays1700000000010',
  'ALTER TABLE run ADD COLUMN read_at INTEGER',
  'ALTER TABLE run ADD COLUMN stored_at INTEGER',
  'ALTER TABLE run ADD COLUMN redelivered INTEGER NOT NULL DEFAULT 0',
  'ALTER TABLE run ADD COLUMN replayed INTEGER NOT NULL DEFAULT 0',
  'ALTER TABLE run ADD COLUMN replayed_at INTEGER',
  'ALTER TABLE run ADD COLUMN leaves_out INTEGER NOT NULL DEFAULT 0',
  `CREATE INDEX dead_held ON dead (run) WHERE fate = 'held'`,
  'PRAGMA user_version = 10',
)

const log = migration(
  'Log1700000000011',
  // See log.ts.
  `CREATE TABLE log (
        id INTEGER PRIMARY KEY CHECK (id = 1), mark TEXT NOT NULL, file_mark TEXT NOT NULL)`,
  `INSERT INTO log VALUES (1, lower(hex(randomblob(16))), lower(hex(zeroblob(16))))`,
  'PRAGMA user_version = 11',
)

/** In order; the schema's version is their number. */
export const migrations = [
  outbox,
  breakers,
  chain,
  identity,
  places,
  lastError,
  sinksOfRuns,
  intervals,
  cadences,
  replays,
  log,
]
