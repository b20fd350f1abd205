import { expect, it } from 'vitest'
import * as z from 'zod'
import { Secrets } from '../../src/config/redact.js'
import { masked, secretsIn, secretsMade } from '../../src/config/values/secrets.js'

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

it('hides what a schema makes of a secret, but nothing that it has by itself', () => {
  const base64 = z.string().transform((text) => Buffer.from(text).toString('base64'))
  const type = z.strictObject({
    token: base64.meta({ secret: true }),
    list: z.array(base64.meta({ secret: true })).optional(),
    user: z.string().default('guest').meta({ secret: true }),
    name: z.string().default('plain'),
  })
  const given = { token: 'hunter2secret', list: ['second secret'] }
  expect(secretsMade(type.parse(given), given, type)).toEqual(['aHVudGVyMnNlY3JldA==', 'c2Vjb25kIHNlY3JldA=='])
  const circle: Record<string, unknown> = { token: 'abcdef' }
  circle['list'] = circle
  expect(secretsMade(circle, circle, type)).toContain('abcdef')
})

it('hides a part of a path that looks like a token, and shows one that has words', () => {
  const type = z.strictObject({ url: z.string().meta({ secret: true }) })
  const secrets = (path: string): string[] => secretsIn({ url: `https://api.example/v2.1/${path}/records` }, type)
  for (const path of [
    'geonames-all-cities-with-a-population-1000',
    'weather-stations-2024',
    'airports%20and%20cities',
    'era5_land_monthly_20240131',
    'b%2Fcontinuation',
  ])
    expect(secrets(path), path).toEqual([])
  for (const path of [
    'Xb9Yc8Zd7We6Vf5Ug4',
    '3f2a9c1e-7b4d-4e8a-9c3f-1a2b3c4d5e6f',
    'AKfycbx_9Zt-Q4mRk2Lw',
    'abcdefghijklmnopq-1',
  ])
    expect(secrets(path), path).toEqual([path, path])
})
