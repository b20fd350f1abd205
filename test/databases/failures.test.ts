import { describe, expect, test } from 'vitest'
import { isCertificateError, isLasting } from '../../src/databases/failures.js'

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

test.each([
  ['42P01', true],
  ['25P03', false],
  ['57P01', false],
  ['ECONNRESET', false],
])('the state %s lasts: %s', (state, lasts) => {
  expect(isLasting(failed(state))).toBe(lasts)
})
