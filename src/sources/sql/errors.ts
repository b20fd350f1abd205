/** Maps errors of drivers and databases to owm's classes. */
import {
  certificateHint,
  driverErrorOf,
  driverMessage,
  isCertificateError,
  isLasting,
  sqlStateOf,
} from '../../databases/failures.js'
import { ConfigurationError, isOwmError, type OwmError, TransientError } from '../../errors/index.js'
import type { Dialect } from './dialect/dialect.js'

const hints: readonly (readonly [state: RegExp, hint: string])[] = [
  [/^(3118|4151)$/, 'Unlock the account: ALTER USER … ACCOUNT UNLOCK.'],
  [/^(1820|1862)$/, 'Give the user a new password: ALTER USER … IDENTIFIED BY …; then correct source.password.'],
  [
    /^1449$/,
    'Give the view a user that is there (CREATE OR REPLACE DEFINER = … VIEW), or select from its tables in ' +
      'source.query.',
  ],
  [
    /^28|^1045$/,
    'Correct user and password in source.url, or set source.password; ' +
      'a server may also want TLS: add ?sslmode=require.',
  ],
  [/^3D/, "Correct the database's name in source.url."],
  [
    /^(42P01|42S02|3F000)$/,
    'Correct source.table or source.query: names are taken as they are written, upper and lower case included. ' +
      'A dot in source.table stands between schema and table: where it belongs to the name, set source.schema, too.',
  ],
  [
    /^SQLITE_ERROR$/,
    'Correct source.table, source.query or source.key. ' +
      'A dot in source.table stands between schema and table: where it belongs to the name, set source.schema to main.',
  ],
  [
    /^SQLITE_NOTADB$/,
    'The file is none of SQLite, or it is encrypted or damaged: correct source.url. A list in CSV, JSON or YAML, ' +
      'also as .gz, is for `use: static-list`; a compressed database is to be unpacked.',
  ],
  [
    /^SQLITE_CORRUPT$/,
    'The file is damaged, or only a part of it is there: make or fetch it again, beside the old one, then rename it.',
  ],
  [
    /^SQLITE_READONLY$/,
    "A journal beside the file (its name ends in -journal or -wal) has changes that aren't in it yet, and owm only " +
      'reads: open the file once with a program that writes, such as sqlite3; ' +
      'or remove the journal, if it is of another file.',
  ],
  [
    /^(42703|42S22)$/,
    'Correct source.key or source.query: names are taken as they are written, upper and lower case included.',
  ],
  [
    /^22021$/,
    "The database has no encoding (SQL_ASCII), and a text in it isn't UTF-8: let source.query convert the column, as " +
      "convert_from(convert_to(city, 'SQL_ASCII'), 'LATIN1') AS city.",
  ],
  [/^25/, 'owm only reads: take out of source.query whatever writes.'],
  [/^(42601|1064)$/, 'Correct the SQL of source.query: near what the line quotes, the server understood no more.'],
  [/^(42501|42000)$/, 'Correct source.query, or give the user the right to SELECT.'],
  [/^(42702|42S21)$/, 'Give each column of source.query a name of its own: `b.name AS country`.'],
  [
    /^08P01$/,
    'A pooler in front of the server refuses it: let it ignore the parameter, and pool sessions or transactions; or ' +
      'connect to the server itself.',
  ],
]

/** States of PostgreSQL, MySQL and MariaDB, and SQLite's code. */
const isLocked = (code: string): boolean => ['55P03', '1205', 'SQLITE_BUSY'].includes(code)

/** Whether the server ended a statement: it timed out, or was cancelled. */
export function isTimeout(thrown: unknown): boolean {
  const error = driverErrorOf(thrown)
  return sqlStateOf(error) === '57014' || ('errno' in error && [1969, 3024].includes(Number(error.errno)))
}

/** A statement took longer than the configuration allows: the next one would, too. */
export class TooSlow extends ConfigurationError {
  constructor({ title, statementTimeoutMs }: Pick<Dialect, 'title' | 'statementTimeoutMs'>, cause: unknown) {
    super(`${title}: a statement took longer than ${statementTimeoutMs / 1000} s (source.statementTimeoutMs).`, {
      hint:
        'Give the columns of source.key an index, or read fewer rows at once (source.pageSize); ' +
        'or raise source.statementTimeoutMs.',
      cause,
    })
  }
}

export function classed(thrown: unknown, { title }: Pick<Dialect, 'title'>): OwmError {
  if (isOwmError(thrown)) return thrown
  const error = driverErrorOf(thrown)
  // MySQL and MariaDB have one state for wrong SQL and for missing rights.
  const codes = ['errno' in error ? String(error.errno) : '', sqlStateOf(error)]
  const message = `${title}: ${driverMessage(error)}`
  if (isLasting(error)) {
    const hint = isCertificateError(error)
      ? certificateHint('source', error)
      : hints.find(([found]) => codes.some((code) => found.test(code)))?.[1]
    return new ConfigurationError(message, {
      hint: hint ?? 'Correct source.query, source.key or source.url.',
      cause: error,
    })
  }
  const hint =
    'Another session holds a lock on what is read, for longer than half of source.statementTimeoutMs: ' +
    'pg_stat_activity (PostgreSQL) or SHOW PROCESSLIST (MySQL, MariaDB) shows which one.'
  return new TransientError(message, codes.some(isLocked) ? { hint, cause: error } : { cause: error })
}
