/** What `owm doctor` checks in PostgreSQL. */
import type { Check } from '../../../plugin.js'

export const checks = {
  'postgres-reachable': {
    about: 'whether PostgreSQL answers',
    why: 'Tasks wait in the outbox until PostgreSQL answers.',
    todo: 'Do what the line says; then `owm flush`.',
    exitCode: 75,
  },
  'postgres-refused': {
    about: 'whether PostgreSQL takes role, password, certificate and database',
    why: 'A retry cannot help: nothing is delivered until this is corrected.',
    todo: 'Do what the line says, then run `owm config check --connect`.',
    exitCode: 78,
  },
  'postgres-tls': {
    about: 'whether what goes to PostgreSQL crosses the network in the clear',
    why: 'Whoever sees the packets can read and change the tasks.',
    todo: 'Let the server speak TLS and set sslmode=verify-full, or go through a tunnel.',
    exitCode: 0,
  },
  'postgres-encoding': {
    about: 'encoding of the database',
    why: 'A name with a letter that the database has no room for is a dead letter.',
    todo: "Deliver to a database made with ENCODING 'UTF8'.",
    exitCode: 78,
  },
  'postgres-primary': {
    about: 'whether the database can be written to',
    why: 'A standby, or a role or database with default_transaction_read_only, can only read: nothing is delivered.',
    todo: 'Name the primary in sink.url, wait for the failover, or RESET the setting (ALTER ROLE); then `owm flush`.',
    exitCode: 75,
  },
  'postgres-durability': {
    about: 'whether a commit is on the disk (fsync, synchronous_commit)',
    why: 'A crash of the server takes back its last seconds. owm finds that and delivers them again.',
    todo: 'Set fsync and synchronous_commit to on.',
    exitCode: 0,
  },
  'postgres-connections': {
    about: 'connections in use, against max_connections',
    why: 'A full server lets nobody in; tasks wait in the outbox.',
    todo: 'Close what is idle, use a pooler or raise max_connections.',
    exitCode: 75,
  },
  'postgres-clock': {
    about: "this machine's clock, against that of PostgreSQL",
    why: 'Slots, rows and the age of what waits are told by these clocks.',
    todo: 'Set the clock that is wrong (`timedatectl` shows whether it is synchronized).',
    exitCode: 75,
  },
  'postgres-tables': {
    about: "whether owm's tables are there, as owm makes them, or can be made",
    why: 'A run stops with 78 where it can neither find nor make them.',
    todo: 'Let a DBA run the SQL in docs/sinks.md, or give the role the right to CREATE in the schema.',
    exitCode: 78,
  },
  'postgres-permanent': {
    about: 'whether a crash of the server leaves the tables as they are (none is UNLOGGED or temporary)',
    why: 'A crash empties such a table without a word: its tasks would be lost. A run stops with 78.',
    todo: 'ALTER TABLE … SET LOGGED, for each that the line names; then `owm flush`.',
    exitCode: 78,
  },
  'postgres-rights': {
    about: 'whether this role may do with the tables what owm needs',
    why: 'A run stops with 78 at the first statement that is refused.',
    todo: 'GRANT the role what the line names.',
    exitCode: 78,
  },
  'postgres-ids': {
    about:
      "whether the sequence of the table's ids is ahead of its rows (in a copy, or on a former replica, it isn't) " +
      'and not at its end',
    why: 'A task gets an id that is taken, or none: a run stops with 78.',
    todo:
      'Let the owner of the table set the sequence (setval) to the greatest id, or make room for more (bigint); then ' +
      '`owm flush`.',
    exitCode: 78,
  },
  'postgres-truncate': {
    about: 'whether owm hears of a TRUNCATE of the tasks',
    why: 'Without the trigger, tasks that somebody empties out of the table are not delivered again.',
    todo: 'Let a DBA make the trigger: docs/sinks.md has the SQL.',
    exitCode: 0,
  },
  'postgres-fences': {
    about: 'other outboxes that write to the table',
    why: 'It may be meant. If not, a copy of the outbox, or another pipeline, delivers here too.',
    todo: 'Find who else delivers to this table; pipelines that share one need a taskNamespace.',
    exitCode: 0,
  },
  'graphile-worker': {
    about: 'whether graphile-worker is set up, and this role may add jobs (row level security is on for its tables)',
    why: 'A run stops with 78 where it cannot add jobs.',
    todo: 'Run `npx graphile-worker --schema-only`; let owm use the role that owns its schema, or a member of that.',
    exitCode: 78,
  },
  'graphile-failed': {
    about: 'jobs that have failed as often as they may',
    why: 'No worker takes them any more: their weather is missing.',
    todo: 'Look at last_error in the view graphile_worker.jobs; reschedule_jobs() puts them back.',
    exitCode: 75,
  },
} as const satisfies Readonly<Record<string, Check>>

export type Code = keyof typeof checks
