/** What drivers and databases say of a failure: whether it passes, by SQLSTATE or the driver's own codes. */
import { codeOf, isDistrusted, isOwmError, toError } from '../errors/index.js'
import type { Section } from './server.js'
import { alertIn, expiredHint, isRefusedByTls } from './tls.js'

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
/** PostgreSQL, or a pooler before it, doesn't know a parameter of the connection, or a pooler forbids transactions. */
const notSpoken = '08P01'
/** PgBouncer gives all of its errors that state. By their words, the state that PostgreSQL has for each. */
const poolersWords: readonly (readonly [said: RegExp, state: string])[] = [
  [/no such database/, '3D000'],
  [/authentication|auth failed|no such user|login rejected|(SSL|TLS) required/i, '28000'],
  [/parameter|statement pooling/, notSpoken],
]
/** Of all else that it says, such as that the server is down, or that it has no connection left. */
const connectionFailure = '08006'
const lastingCodes = [
  /^SQLITE_(ERROR|CANTOPEN|NOTADB|CORRUPT|PERM|AUTH|READONLY|MISMATCH)$/,
  /^(HANDSHAKE_NO_SSL_SUPPORT|ERR_TLS_.*)$/,
]

/** Whether the server doesn't take owm's certificate, or misses it: PostgreSQL says that in words only. */
const isRefused = (error: Error): boolean =>
  isRefusedByTls(error) || /requires a valid client certificate/.test(error.message)

/** What to do where a certificate, the server's or owm's, isn't taken. */
export function certificateHint(section: Section, error: Error): string {
  const expired = expiredHint(error)
  if (expired !== undefined) return expired
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

/** What an error says, without OpenSSL's own places. */
export const wordsOf = (error: Error): string =>
  (isRefusedByTls(error) ? alertIn(error.message) : error.message) || codeOf(error)

/** The SQLSTATE of whatever a driver's error is wrapped in ('' where it has none). */
export function sqlStateOf(thrown: unknown): string {
  const error = driverErrorOf(thrown)
  const state = 'sqlState' in error && typeof error.sqlState === 'string' ? error.sqlState : codeOf(error)
  if (state !== notSpoken) return state
  return poolersWords.find(([said]) => said.test(error.message))?.[1] ?? connectionFailure
}

/** What a driver threw, out of whatever it is wrapped in. */
export function driverErrorOf(thrown: unknown): Error {
  const error = toError(thrown)
  if ('driverError' in error) return toError(error.driverError)
  return isOwmError(error) && error.cause !== undefined ? driverErrorOf(error.cause) : error
}

/** mysql2 gives every failure of a TLS handshake the same code; those of the network still have the socket's marks. */
export const isCertificateError = (error: Error): boolean =>
  isDistrusted(error) ||
  isRefused(error) ||
  (codeOf(error) === 'HANDSHAKE_SSL_ERROR' && !('syscall' in error || 'localAddress' in error))

/** Whether a retry can't help. Unknown failures pass. */
export function isLasting(error: Error): boolean {
  const state = sqlStateOf(error)
  const errno = 'errno' in error && typeof error.errno === 'number' ? error.errno : 0
  return (
    (lastingStates.includes(state.slice(0, 2)) && !passingStates.includes(state) && !passingErrnos.includes(errno)) ||
    lastingErrnos.includes(errno) ||
    state === notSpoken ||
    isCertificateError(error) ||
    lastingCodes.some((code) => code.test(codeOf(error)))
  )
}
