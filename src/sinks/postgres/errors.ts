/** Errors of PostgreSQL, or on the way to it, as owm's classes. */
import {
  certificateHint,
  driverErrorOf,
  driverMessage,
  isCertificateError,
  isLasting,
  sqlStateOf,
} from '../../databases/failures.js'
import { ConfigurationError, isOwmError, type OwmError, TransientError, toError } from '../../errors/index.js'
import { quoted } from './tables.js'

/** What to do where the sequence behind the ids of a table is at its end. */
export const moreIdsHint =
  "Let the table's owner give its ids more room: ALTER TABLE … ALTER id TYPE bigint; ALTER SEQUENCE … AS bigint NO " +
  'MAXVALUE; then `owm flush`.'

/** SQLSTATEs, or their beginnings, that a retry can't fix, each with what to do. */
const lasting: readonly (readonly [state: RegExp, hint: string])[] = [
  [
    /^28/,
    'Correct user and password in sink.url, or set sink.password; a server may also want TLS: add ?sslmode=require. ' +
      'A role that may not log in: ALTER ROLE … LOGIN.',
  ],
  [/^3D/, "Correct the database's name in sink.url, or make it: CREATE DATABASE."],
  [
    /^42501$/,
    'Give the role the right (on a database: GRANT CONNECT), or let a DBA make the tables and grant them: ' +
      'docs/sinks.md has the SQL ("PostgreSQL").',
  ],
  [
    /^(42703|42P10|42804|42809|42883|23502|428C9)$/,
    "The tables aren't as owm makes them: compare them with the SQL in docs/sinks.md, or name another sink.table.",
  ],
  [/^(42P01|3F000)$/, 'Name a schema that is there in sink.table, or make it; names are taken as they are written.'],
  [/^0A000$/, 'A rule on the table may stand in the way of INSERT: drop it (DROP RULE), or name another sink.table.'],
  [/^2200H$/, moreIdsHint],
  [/^42601$/, 'PostgreSQL 11 or newer is expected.'],
  [
    /^08P01$/,
    'A pooler in front of the server refuses it: let it ignore the parameter, and pool sessions or transactions; or ' +
      'connect to the server.',
  ],
  [
    /^(23001|2350[35]|23P01)$/,
    "A constraint that isn't owm's keeps the tasks out: take it off the table, or name another one.",
  ],
]

/** SQLSTATEs of transient failures, each with what an operator can do meanwhile. */
const passing: readonly (readonly [state: RegExp, hint: string])[] = [
  [
    /^25006$/,
    'The database is read-only: a standby (name the primary in sink.url, or wait for the failover to end), or ' +
      'default_transaction_read_only is on (ALTER ROLE or ALTER DATABASE … RESET it); the tasks wait in the outbox.',
  ],
  [/^42P07$/, 'Another owm was making the tables at the same moment; the next attempt finds them.'],
  [/^53100$/, "The server's disk is full: make room there; the tasks wait in the outbox."],
  [
    /^53[03]00$/,
    'Close other connections, or raise max_connections; where the line names a role or a database, its CONNECTION ' +
      'LIMIT (ALTER ROLE, ALTER DATABASE); the tasks wait in the outbox.',
  ],
  [/^53/, 'The server lacks memory or another resource; the tasks wait in the outbox.'],
  [
    /^55P03$/,
    'Another session holds a lock on the tables for longer than sink.lockTimeoutMs: pg_stat_activity shows which ' +
      'one; the tasks wait in the outbox.',
  ],
  [
    /^57014$/,
    'It took longer than sink.statementTimeoutMs, or somebody ended it: look for locks and a busy disk; ' +
      'the tasks wait in the outbox.',
  ],
  [
    /^40/,
    "Another transaction on owm's tables, or one of their triggers, stood in the way: pg_stat_activity shows who " +
      'writes there; the tasks wait in the outbox.',
  ],
  [
    /^08/,
    'The server, or a pooler in front of it, is down or has no connection left: its log says which; the tasks wait ' +
      'in the outbox.',
  ],
  [/^(57P0|25P03)/, 'The server was stopped, or ended the connection; the tasks wait in the outbox.'],
  [/^58/, "The server can't read or write its files: look at its log and its disk; the tasks wait in the outbox."],
]

/** Whether a failure is transient, even if its class is a lasting one. */
const isPassing = (state: string): boolean => passing.some(([pattern]) => pattern.test(state))

const hintIn = (hints: typeof lasting, state: string): string | undefined =>
  hints.find(([pattern]) => pattern.test(state))?.[1]

/** pg gives these no code, only a message. */
const speaksNoTls = /server does not support SSL/
const wantsAuthentication = /SASL|unsupported authentication|Unknown authentication/i

/** A UNIQUE that is DEFERRABLE: its state is 55000, which other, transient failures have as well. */
const cannotBeUnique = /ON CONFLICT does not support deferrable/

/** A policy of row-level security: its state is that of a missing right as well. */
const isOfPolicy = (error: unknown): boolean => routineOf(error) === 'ExecWithCheckOptions'
const policyHint =
  'Row-level security is in the way: give the role a policy for INSERT, or BYPASSRLS; for graphile-worker, let owm ' +
  'use the role that owns its schema.'

const functionHint =
  'The line names a function, of a trigger on the table or of an extension: fix it, give it the right that it ' +
  'lacks, or drop the trigger; the tasks wait in the outbox.'

/** What owm uses of graphile-worker's schema, in a message that a function or a type is missing. */
const isOfJobs = (error: unknown): boolean =>
  /^42(883|704)$/.test(sqlStateOf(error)) && /add_jobs|job_spec/.test(driverErrorOf(error).message)
const jobsHint = 'graphile-worker 0.16 or newer is expected: `npx graphile-worker --schema-only` brings its schema up.'

/** Sets the sequence behind the ids of a table, whose name is quoted. */
export const setvalSql = (table: string): string =>
  `SELECT setval(pg_get_serial_sequence('${table.replaceAll("'", "''")}', 'id'), max(id)) FROM ${table}`

/** An error of the driver or the database as one of owm's own; `title` names the server without credentials. */
export function classed(thrown: unknown, title: string): OwmError {
  if (isOwmError(thrown)) return thrown
  const error = toError(thrown)
  const state = sqlStateOf(error)
  const where = functionIn(error)
  const message = `${title}: ${driverMessage(error)}${where === undefined ? '' : ` (${where})`}`
  if (isCertificateError(error))
    return new ConfigurationError(message, { hint: certificateHint('sink', error), cause: error })
  if (speaksNoTls.test(error.message))
    return new ConfigurationError(message, { hint: 'Take sslmode out of sink.url, or turn TLS on.', cause: error })
  if (wantsAuthentication.test(error.message))
    return new ConfigurationError(message, { hint: hintIn(lasting, '28'), cause: error })
  if (cannotBeUnique.test(error.message))
    return new ConfigurationError(message, { hint: hintIn(lasting, '42P10'), cause: error })
  const isWrong = !isPassing(state) && (isLasting(error) || hintIn(lasting, state) !== undefined)
  const special = specialHint(error, where)
  if (isWrong) {
    const hint = special ?? hintIn(lasting, state) ?? 'Correct sink.url, or look at the database.'
    return new ConfigurationError(message, { hint, cause: error })
  }
  const hint = hintIn(passing, state) ?? special ?? 'Look whether the server runs; the tasks wait in the outbox.'
  return new TransientError(message, { hint, cause: error })
}

/** What to do about an error whose state means something else, too. */
function specialHint(error: Error, where: string | undefined): string | undefined {
  if (isOfPolicy(error)) return policyHint
  if (where !== undefined) return functionHint
  if (isOfJobs(error)) return jobsHint
  if (!isIdTaken(error)) return undefined
  const table = ['schema', 'table'].map((key) => quoted(wordIn(error, key))).join('.')
  return (
    "The sequence of the table's ids is behind its rows, as in a copy or on a former replica. Let its owner run: " +
    `${setvalSql(table)}; then \`owm flush\`.`
  )
}

/** A field of an error, '' if it has none: https://www.postgresql.org/docs/current/protocol-error-fields.html */
function wordIn(thrown: unknown, key: string): string {
  const value: unknown = Reflect.get(driverErrorOf(thrown), key)
  return typeof value === 'string' ? value : ''
}

/** The server's function that raised the error: unlike the message, it isn't translated. */
const routineOf = (thrown: unknown): string => wordIn(thrown, 'routine')

/** The function in which a statement failed, such as a trigger's, with its line; undefined outside of any. */
function functionIn(thrown: unknown): string | undefined {
  const lines = wordIn(thrown, 'where').split('\n')
  return lines.findLast((line) => line.includes('PL/'))
}

/** Whether the sequence gave an id that a row has. (The words of the detail are translated, the column isn't.) */
const isIdTaken = (error: unknown): boolean =>
  sqlStateOf(error) === '23505' && wordIn(error, 'detail').includes('(id)=(') && functionIn(error) === undefined

/** Whether a table or schema of the statement itself is missing, rather than one that a trigger refers to. */
export const isMissing = (error: unknown): boolean =>
  /^(42P01|3F000)$/.test(sqlStateOf(error)) && functionIn(error) === undefined

/** Whether PostgreSQL has no such class of states: then a trigger made up its own. */
const isCustom = (state: string): boolean => /^(?!5[34578]|72|P0|XX)[5-9I-Z][\dA-Z]{4}$/.test(state)

/** Whether the tasks themselves are refused: for their text, or by a rule of the table's owner (CHECK, RAISE). */
export const isAboutTasks = (error: unknown): boolean =>
  /^(22(?!00H)|23514|44|54000|P0)/.test(sqlStateOf(error)) || isCustom(sqlStateOf(error))

/**
 * Whether one task may be at fault, or else the table for all of them: another constraint, a policy, a function in any
 * language, or RAISE with one of the server's states.
 */
export const mayBeAboutTasks = (error: unknown): boolean =>
  // guard: postgres-id-taken
  (!isIdTaken(error) && /^(09|2[0137F]|3[89])/.test(sqlStateOf(error))) ||
  isOfPolicy(error) ||
  (routineOf(error) === 'exec_stmt_raise' && !isPassing(sqlStateOf(error)))

/** Whether the connection is of no more use: the server didn't answer, or can't be written to. */
export const endsConnection = (error: unknown): boolean =>
  !isOwmError(error, 'REFUSED') &&
  !isAboutTasks(error) &&
  !mayBeAboutTasks(error) &&
  !/^(0A|2[1-4]|3|4|54|55)/.test(sqlStateOf(error))
