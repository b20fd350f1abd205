import { expect, it } from 'vitest'
import * as z from 'zod'
import { masked, secretsIn } from '../../src/config/explain.js'
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

it('shows how a database is connected to, and the path of a file; not its user, password or token', () => {
  const type = z.strictObject({ url: z.string().meta({ secret: true }) })
  const shown = (url: string, text: string): string => {
    const secrets = new Secrets()
    secrets.add(...secretsIn({ url }, type))
    return secrets.redact(text)
  }
  const base = 'postgres://joe:Geheim7890@h/geo'
  expect(shown(`${base}?sslmode=prefer`, 'sslmode=prefer, Geheim7890')).toBe('sslmode=prefer, ***')
  expect(shown(`${base}?tokn=Geheim7891`, 'tokn=Geheim7891')).toBe('***')
  expect(shown(`${base}?sslmode=prefer&tokn=Geheim7891`, 'sslmode=prefer&tokn=Geheim7891')).toBe('***')
  for (const path of ['/var/lib', './places.db', '../x/places', 'places.sqlite', 'sqlite:///x/places.db'])
    expect([shown(path, `it is ${path}`), masked({ url: path }, type)]).toEqual([`it is ${path}`, { url: path }])
  for (const secret of ['hooks.example/T00/Geheim', 'joe:Geheim@h/x.db', '/x?Geheim=1', 'Geheim7890'])
    expect([shown(secret, `it is ${secret}`), masked({ url: secret }, type)]).toEqual(['it is ***', { url: '***' }])
})
