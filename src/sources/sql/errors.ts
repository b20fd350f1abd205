/** Errors of drivers and databases, as owm's classes. */
import { ConfigurationError, codeOf, isOwmError, type OwmError, TransientError, toError } from '../../errors/index.js'
import type { Dialect } from './dialect/dialect.js'

/** SQLSTATE's classes against which a retry doesn't help, in PostgreSQL and MySQL alike. */
const lastingStates = ['0A', '21', '22', '25', '26', '28', '2F', '38', '39', '3D', '3F', '42', '44']
/** Of these, a state that passes: an idle transaction was ended. */
const passingStates = ['25P03']
/** MySQL: too many connections of this user; limits of a user. */
const passingErrnos = [1203, 1226]
/**
 * MySQL, under the general state HY000: host not allowed, mixed collations, broken view, unknown authentication,
 * unknown variable.
 */
const lastingErrnos = [1130, 1193, 1267, 1356, 1524]
/** PostgreSQL, or a pool before it, doesn't know a parameter of the connection. */
const unknownParameter = '08P01'
const lastingCodes = [
  /^SQLITE_(ERROR|CANTOPEN|NOTADB|CORRUPT|PERM|AUTH|READONLY|MISMATCH)$/,
  /^(HANDSHAKE_NO_SSL_SUPPORT|ERR_TLS_.*)$/,
]
const certificateCodes = /^(ERR_TLS_CERT_.*|CERT_.*|.*_CERT|DEPTH_ZERO_.*|SELF_SIGNED_.*|UNABLE_TO_.*)$/

const hints: readonly (readonly [state: RegExp, hint: string])[] = [
  [
    /^28|^1045$/,
    'Correct user and password in source.url, or set source.password; ' +
      'a server may also want TLS: add ?sslmode=require.',
  ],
  [/^3D/, "Correct the database's name in source.url."],
  [
    /^(42P01|42S02|3F000)$/,
    'Correct source.table or source.query: names are taken as they are written, upper and lower case included.',
  ],
  [
    /^(42703|42S22)$/,
    'Correct source.key or source.query: names are taken as they are written, upper and lower case included.',
  ],
  [/^25/, 'owm only reads: take out of source.query whatever writes.'],
  [/^(42501|42000)$/, 'Correct source.query, or give the user the right to SELECT.'],
  [/^(42702|42S21)$/, 'Give each column of source.query a name of its own: `b.name AS country`.'],
  [
    /^08P01$/,
    'A pooler in front of the server may refuse it: let it ignore the parameter, or connect to the server itself.',
  ],
]
const certificateHint =
  'Name the authority of its certificate: sslrootcert=FILE in source.url, or NODE_EXTRA_CA_CERTS in the environment; ' +
  'with sslmode=verify-full, correct the host name, too.'

/** The SQLSTATE of whatever a driver's error is wrapped in ('' where it has none). */
export function stateOf(thrown: unknown): string {
  const error = driverErrorOf(thrown)
  return 'sqlState' in error && typeof error.sqlState === 'string' ? error.sqlState : codeOf(error)
}

function driverErrorOf(thrown: unknown): Error {
  const error = toError(thrown)
  if ('driverError' in error) return toError(error.driverError)
  return isOwmError(error) && error.cause !== undefined ? driverErrorOf(error.cause) : error
}

/** mysql2 gives every failure of a TLS handshake the same code; those of the network still have the socket's marks. */
const isCertificateError = (error: Error): boolean =>
  certificateCodes.test(codeOf(error)) ||
  (codeOf(error) === 'HANDSHAKE_SSL_ERROR' && !('syscall' in error || 'localAddress' in error))

/** Whether a server ended a statement: for its time, or because somebody asked for it. */
export function isTimeout(thrown: unknown): boolean {
  const error = driverErrorOf(thrown)
  return stateOf(error) === '57014' || ('errno' in error && [1969, 3024].includes(Number(error.errno)))
}

/** A statement that took longer than the configuration allows: the next one would, too. */
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
  const state = stateOf(error)
  const errno = 'errno' in error && typeof error.errno === 'number' ? error.errno : 0
  const isLasting =
    (lastingStates.includes(state.slice(0, 2)) && !passingStates.includes(state) && !passingErrnos.includes(errno)) ||
    lastingErrnos.includes(errno) ||
    state === unknownParameter ||
    isCertificateError(error) ||
    lastingCodes.some((code) => code.test(codeOf(error)))
  const message = `${title}: ${error.message || codeOf(error)}`
  if (isLasting) {
    const hint = isCertificateError(error) ? certificateHint : hints.find(([found]) => found.test(state))?.[1]
    return new ConfigurationError(message, {
      hint: hint ?? 'Correct source.query, source.key or source.url.',
      cause: error,
    })
  }
  return new TransientError(message, { cause: error })
}
