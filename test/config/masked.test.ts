import { expect, it } from 'vitest'
import { masked } from '../../src/config/explain.js'
import { Secrets } from '../../src/config/redact.js'

it('masks a login in front of a host, wherever a host stands alone', () => {
  expect(
    masked({
      sentinels: ['joe:Geheim7890@10.0.0.1:26379', ':Geheim7890@h', 'one:26379'],
      cluster: ['[::1]:7000'],
      url: 'redis://joe:Geheim7890@h:6379',
      note: 'a place: Berne @ noon',
    }),
  ).toEqual({
    sentinels: ['***@10.0.0.1:26379', '***@h', 'one:26379'],
    cluster: ['[::1]:7000'],
    url: 'redis://***@h:6379',
    note: 'a place: Berne @ noon',
  })
})

it('keeps a private key out of all that is printed, whole or cut off', () => {
  const certificate = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
  const key = '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nR2VoZWlt\n-----END RSA PRIVATE KEY-----'
  expect(new Secrets().redact(`${certificate}${key}\nrest`)).toBe(`${certificate}***\nrest`)
  expect(new Secrets().redact(`it is ${key.slice(0, 70)}`)).toBe('it is ***')
  expect(masked({ tls: { cert: `${certificate}${key}` } })).toEqual({ tls: { cert: `${certificate}***` } })
})
