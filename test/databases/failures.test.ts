import { describe, expect, test } from 'vitest'
import {
  certificateHint,
  driverMessage,
  isCertificateError,
  isLasting,
  sqlStateOf,
} from '../../src/databases/failures.js'

const failed = (code: string, more: object = {}): Error => Object.assign(new Error(code), { code }, more)

describe('a certificate', () => {
  test.each([
    'CERT_HAS_EXPIRED',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'UNABLE_TO_GET_ISSUER_CERT',
  ])('%s lasts', (code) => {
    expect(isCertificateError(failed(code))).toBe(true)
    expect(isLasting(failed(code))).toBe(true)
  })

  test('that is not valid yet passes, as with all other servers: the clock may have been wrong', () => {
    expect(isLasting(failed('CERT_NOT_YET_VALID'))).toBe(false)
  })
})

describe('the certificate of owm', () => {
  const alert =
    'error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:../rec_layer_s3.c:1601:SSL alert 48\n'

  test.each([
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', alert, /sslcert=FILE and sslkey=FILE in sink\.url, both/],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', alert, /sslcert=FILE and sslkey=FILE/],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', alert, /Renew owm's/],
    ['28000', 'connection requires a valid client certificate', /sslcert=FILE and sslkey=FILE/],
    ['28000', 'certificate authentication failed for user "owm"', /name \(CN\) .* the user of sink\.url/],
  ])('%s lasts, and says what to do', (code, message, hint) => {
    const error = Object.assign(new Error(message), { code })
    expect(isLasting(error)).toBe(true)
    expect(isCertificateError(error)).toBe(true)
    expect(certificateHint('sink', error)).toMatch(hint)
  })

  test("OpenSSL's own places are left out", () => {
    expect(driverMessage(Object.assign(new Error(alert), { code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA' }))).toBe(
      'tlsv1 alert unknown ca',
    )
  })

  test("the server's, which has expired, is to be renewed", () => {
    expect(certificateHint('source', failed('CERT_HAS_EXPIRED'))).toMatch(/Renew the server's/)
  })
})

// PgBouncer 1.18 gives all of them the state 08P01.
test.each([
  ['unsupported startup parameter: options', '08P01'],
  ['unrecognized configuration parameter "x"', '08P01'],
  ['transaction blocks not allowed in statement pooling mode', '08P01'],
  ['no such database: nix', '3D000'],
  ['"trust" authentication failed', '28000'],
  ['server login has been failing, try again later (server_login_retry)', '08006'],
  ['server conn crashed?', '08006'],
  ['database removed', '08006'],
  ['no more connections allowed (max_client_conn)', '08006'],
  ['query_wait_timeout', '08006'],
  ['pgbouncer cannot connect to server', '08006'],
])('a pooler says %s: %s', (message, state) => {
  const error = Object.assign(new Error(message), { code: '08P01' })
  expect([sqlStateOf(error), isLasting(error)]).toEqual([state, state !== '08006'])
})

test.each([
  ['42P01', true],
  ['25P03', false],
  ['57P01', false],
  ['ECONNRESET', false],
])('the state %s lasts: %s', (state, lasts) => {
  expect(isLasting(failed(state))).toBe(lasts)
})

test.each([1449, 1820, 1862, 3118, 4151])('the error %s of MySQL and MariaDB lasts', (errno) => {
  expect(isLasting(failed('ER_SOME', { errno, sqlState: 'HY000' }))).toBe(true)
})
