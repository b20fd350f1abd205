/** Tells lasting failures of databases from transient ones, by SQLSTATE or the driver's own codes. */
import { codeOf, isDistrusted, isOwmError, toError } from '../errors/index.js'
import type { Section } from './server.js'
import { alertIn, expiredHint, isRefusedByTls } from './tls.js'

/** Classes of SQLSTATE that no retry helps against, in PostgreSQL and MySQL alike. */
const lastingStates = ['0A', '21', '22', '25', '26', '28', '2F', '38', '39', '3D', '3F', '42', '44']
/** A transient state in one of these classes: an idle transaction was ended. */
const passingStates = ['25P03']
/** MySQL's limits per user, on connections and other resources. */
const passingErrnos = [1203, 1226]
/**
 * MySQL, under the general state HY000: host not allowed, mixed collations, broken view, unknown authentication,
 * unknown variable; no such definer of a view, an expired password (two), a locked account (MySQL's, MariaDB's).
 */
const lastingErrnos = [1130, 1193, 1267, 1356, 1524, 1449, 1820, 1862, 3118, 4151]
/** PostgreSQL or its pooler doesn't know a parameter of the connection, or the pooler forbids transactions. */
const protocolViolation = '08P01'
/** PgBouncer reports all of its errors in that state: by its messages, the state that PostgreSQL has for each. */
const poolerMessages: readonly (readonly [said: RegExp, state: string])[] = [
  [/no such database/, '3D000'],
  [/authentication|auth failed|no such user|login rejected|(SSL|TLS) required/i, '28000'],
  [/parameter|statement pooling/, protocolViolation],
]
/** Any other error of PgBouncer's: the server is down, say, or no connection is free. */
const connectionFailure = '08006'
const lastingCodes = [
  /^SQLITE_(ERROR|CANTOPEN|NOTADB|CORRUPT|PERM|AUTH|READONLY|MISMATCH)$/,
  /^(HANDSHAKE_NO_SSL_SUPPORT|ERR_TLS_.*)$/,
]

/** Whether PostgreSQL takes a certificate for another user's, which it says in its message only. */
const isOfAnother = (error: Error): boolean => /certificate authentication failed/.test(error.message)

/** Whether the server refuses owm's certificate, or requires one: PostgreSQL says the latter in its message only. */
const isRefused = (error: Error): boolean =>
  isRefusedByTls(error) || /requires a valid client certificate/.test(error.message)

/** What to do when a certificate, the server's or owm's, isn't accepted. */
export function certificateHint(section: Section, error: Error): string {
  const expired = expiredHint(error)
  if (expired !== undefined) return expired
  if (isOfAnother(error))
    return (
      `The name (CN) in the certificate of sslcert has to be the user of ${section}.url, or pg_ident.conf has to map ` +
      'the one to the other.'
    )
  if (isRefused(error))
    return (
      'Name a certificate that the server trusts, and its key: ' +
      `sslcert=FILE and sslkey=FILE in ${section}.url, both.`
    )
  return (
    `Name the authority of its certificate: sslrootcert=FILE in ${section}.url, or NODE_EXTRA_CA_CERTS in the ` +
    'environment. Where only the host name differs, correct it, or set sslmode=verify-ca.'
  )
}

/** An error's message, without the prefix that OpenSSL puts before its alerts. */
export const driverMessage = (error: Error): string =>
  (isRefusedByTls(error) ? alertIn(error.message) : error.message) || codeOf(error)

/** The SQLSTATE of a driver's error, whatever it is wrapped in; '' if it has none. */
export function sqlStateOf(thrown: unknown): string {
  const error = driverErrorOf(thrown)
  const state = 'sqlState' in error && typeof error.sqlState === 'string' ? error.sqlState : codeOf(error)
  if (state !== protocolViolation) return state
  return poolerMessages.find(([said]) => said.test(error.message))?.[1] ?? connectionFailure
}

/** The driver's own error, unwrapped. */
export function driverErrorOf(thrown: unknown): Error {
  const error = toError(thrown)
  if ('driverError' in error) return toError(error.driverError)
  return isOwmError(error) && error.cause !== undefined ? driverErrorOf(error.cause) : error
}

/** mysql2 has one code for all failures of a TLS handshake; only network errors carry the socket's properties. */
export const isCertificateError = (error: Error): boolean =>
  isDistrusted(error) ||
  isRefused(error) ||
  isOfAnother(error) ||
  (codeOf(error) === 'HANDSHAKE_SSL_ERROR' && !('syscall' in error || 'localAddress' in error))

/** Whether a retry can't help. Unknown failures count as transient. */
export function isLasting(error: Error): boolean {
  const state = sqlStateOf(error)
  const errno = 'errno' in error && typeof error.errno === 'number' ? error.errno : 0
  return (
    (lastingStates.includes(state.slice(0, 2)) && !passingStates.includes(state) && !passingErrnos.includes(errno)) ||
    lastingErrnos.includes(errno) ||
    state === protocolViolation ||
    isCertificateError(error) ||
    lastingCodes.some((code) => code.test(codeOf(error)))
  )
}
