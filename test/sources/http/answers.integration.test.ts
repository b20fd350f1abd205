/** What the source `http` makes of answers, good and bad. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ConfigurationError, TransientError } from '../../../src/errors/index.js'
import { Malformed } from '../../../src/plugin.js'
import { temporaryFolder, until } from '../../support/cli.js'
import {
  type Api,
  api,
  cities,
  closed,
  expectAll,
  json,
  listening,
  numberIn,
  paged,
  queryOf,
  type Read,
  readAll,
  startApi,
} from './api.js'

test.each([
  ['UTF-8 under Latin-1', 'application/json; charset=iso-8859-1', 'utf8'],
  ['UTF-8 under windows-1252', 'application/json;charset="windows-1252"', 'utf8'],
  ['Latin-1 as it is named', 'application/json; charset=ISO-8859-1', 'latin1'],
  ['UTF-16 as it is named', 'application/json; charset=utf-16le', 'utf16le'],
] as const)('reads %s', async (_, type, encoding) => {
  const body = Buffer.from(JSON.stringify([{ id: 0, name: 'Zürich', lat: 1, lon: 2 }]), encoding)
  const { origin } = await api((_, response) => response.writeHead(200, { 'content-type': type }).end(body))
  expect((await readAll({ url: origin })).locations).toMatchObject([{ city: 'Zürich' }])
})

const zurich = 'id,name,lat,lon\n0,Zürich,1,2\n'
test.each([
  ['Latin-1 that no header names', 'text/csv', Buffer.from(zurich, 'latin1'), 'latin1'],
  ['Latin-1 under a name that nobody knows', 'text/csv; charset=cp943c', Buffer.from(zurich, 'latin1'), 'latin1'],
  ['Latin-1 under another name', 'text/csv; charset=utf-8', Buffer.from(zurich, 'latin1'), 'windows-1252'],
  ['UTF-16 with a mark under UTF-8', 'text/csv; charset=utf-8', Buffer.from(`\ufeff${zurich}`, 'utf16le')],
  ['UTF-8 with a mark under UTF-16', 'text/csv; charset=utf-16', Buffer.from(`\ufeff${zurich}`)],
  ['UTF-16 without a word', 'text/csv', Buffer.from(zurich, 'utf16le')],
  ['UTF-16BE under UTF-16', 'text/csv; charset=utf-16', Buffer.from(zurich, 'utf16le').swap16()],
])('reads CSV in %s', async (_, type, body, encoding?: string) => {
  const { origin } = await api((_, response) => response.writeHead(200, { 'content-type': type }).end(body))
  const read = await readAll({ url: origin, pagination: { type: 'link' }, format: 'csv', encoding })
  expect(read.locations).toMatchObject([{ city: 'Zürich' }])
})

describe('understands', () => {
  const one = { id: 0, name: 'x', lat: 1, lon: 2 }

  test.each([
    ['a bare list', [one], {}],
    ['the only list of objects', { warnings: ['slow'], cities: [one], tags: [] }, {}],
    ['a list one level down', { status: 'ok', data: { cities: [one] } }, {}],
    ['a named list among several', { regions: [{ name: 'r' }], cities: [one] }, { items: 'cities' }],
    ['keys with dots in them', { data: { 'all.cities': [one] } }, { items: 'data.all.cities' }],
    ['the second of a pair', [{ page: 1, pages: 1, total: 1 }, [one]], {}],
    ['a byte order mark', `\ufeff${JSON.stringify([one])}`, {}],
    [
      'columns of its own',
      { list: [{ key: 0, title: 'x', geo: { point: [2, 1] } }] },
      { fields: { id: 'key', city: 'title', latitude: 'geo.point.1', longitude: 'geo.point.0' } },
    ],
  ])('%s', async (_, body, options) => {
    const server = await api((_, response) => response.end(typeof body === 'string' ? body : JSON.stringify(body)))
    const read = await readAll({ url: server.origin, pagination: { type: 'link' }, ...options })
    expect(read.error).toBeUndefined()
    expect(read.locations).toMatchObject([{ id: 0, city: 'x', latitude: 1, longitude: 2 }])
  })

  test('no gzip, though its header says so: that is told', async () => {
    const server = await api((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('[]'))
    const { error } = await readAll({ url: server.origin }, { attempts: 1 })
    expect(error).toMatchObject({
      message: expect.stringMatching(/can't be read: it says content-encoding: gzip, but its body is something/),
      hint: expect.stringContaining('the proxy before it'),
    })
  })

  test('gzip', async () => {
    const server = await api((request, response) => {
      expect(request.headers['accept-encoding']).toBe('gzip')
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(JSON.stringify(cities(500))))
    })
    expectAll(await readAll({ url: server.origin, pagination: { type: 'link' } }), 500)
  })

  test.each([
    ['no body', (response: ServerResponse) => response.writeHead(204).end()],
    ['an empty list', (response: ServerResponse) => json(response, { cities: [], notes: [{ text: 'the end' }] })],
  ])('%s as the end, where there is no total', async (_, end) => {
    const server = await api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 0)
      // A short page is no end: the server may give what it likes.
      if (page < 3) json(response, { cities: cities(30).slice(page * 10, page * 10 + 10) })
      else end(response)
    })
    expectAll(await readAll({ url: server.origin, pagination: { limit: 100 } }), 30)
    expect(server.asked).toHaveLength(4)
  })

  test('what is no object, or no UTF-8, as a record that is rejected', async () => {
    const body = Buffer.from('[{"id":0,"name":"x"},5,{"id":1,"name":"M\xe9xico"},null]', 'latin1')
    const server = await api((_, response) => response.end(body))
    const { locations, batches } = await readAll({ url: server.origin, pagination: { type: 'link' } })
    expect(locations.map((location) => (location instanceof Malformed ? location.reason : 'good'))).toEqual([
      'good',
      'an item must be an object',
      "the item isn't valid UTF-8",
      'an item must be an object',
    ])
    expect(batches[0]?.position(1)).toBe('item 2')
  })
})

describe('what is wrong with the first answer is said at once', () => {
  const cases: [string, (response: ServerResponse) => void, object, RegExp, RegExp][] = [
    ['401', (response) => response.writeHead(401).end(), {}, /answered 401 Unauthorized/, /source\.auth/],
    [
      '403',
      (response) => response.writeHead(403).end('{"detail":"no"}'),
      {},
      /403 Forbidden: {"detail":"no"}/,
      /source\.auth/,
    ],
    [
      '404',
      (response) => response.writeHead(404).end('<html><h1>Not found</h1>'),
      {},
      /answered 404 Not Found$/,
      /source\.url/,
    ],
    ['418', (response) => response.writeHead(418).end(), {}, /answered 418/, /source\.url/],
    [
      'a redirect in a circle',
      (response) => response.writeHead(302, { location: '/' }).end(),
      {},
      /again and again/,
      /source\.url/,
    ],
    [
      'a redirect elsewhere',
      (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      {},
      /plain http/,
      /source\.url/,
    ],
    [
      'no list',
      (response) => json(response, { cause: 'nope', code: 5 }),
      {},
      /no list of objects; its keys are cause, code/,
      /source\.items/,
    ],
    ...[")]}',\n", 'while(1);\n', 'for (;;);', 'cb('].map((prefix): (typeof cases)[number] => [
      `JSON behind ${prefix}`,
      (response) => response.end(`${prefix}${JSON.stringify({ data: cities(3), more: 'a,b' })}`),
      {},
      /wrapped in a script/,
      /plain JSON/,
    ]),
    ['two lists', (response) => json(response, { a: [{}], b: [{}] }), {}, /a, b/, /source\.items/],
    [
      'a list elsewhere',
      (response) => json(response, { data: [{}] }),
      { items: 'cities' },
      /no list at cities; its keys are data/,
      /source\.items/,
    ],
    [
      'items that are no list',
      (response) => json(response, { cities: { a: 1 } }),
      { items: 'cities' },
      /no list at cities/,
      /source\.items/,
    ],
    [
      'two totals',
      (response) => json(response, { c: [{}], total: 1, total_count: 2 }),
      {},
      /total, total_count/,
      /source\.total/,
    ],
    [
      'no total',
      (response) => json(response, { c: [{}], total: 'many' }),
      { total: 'total' },
      /no whole number at total/,
      /source\.total/,
    ],
    [
      'a total below the items',
      (response) => json(response, { c: [{}, {}], total: 1 }),
      {},
      /1 items in all, but 2 have come/,
      /source\.total/,
    ],
    [
      'too long',
      (response) => response.end('x'.repeat(5_001)),
      { maxBodyBytes: 5_000 },
      /longer than 5000 bytes/,
      /maxBodyBytes/,
    ],
    [
      'too long, packed',
      (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(' '.repeat(50_000))),
      { maxBodyBytes: 5_000 },
      /longer than 5000 bytes/,
      /maxBodyBytes/,
    ],
    [
      'a full page and no cursor',
      (response) => json(response, cities(10)),
      { pagination: { type: 'cursor', limit: 10 } },
      /nothing of a next one/,
      /source\.next/,
    ],
  ]
  test.each(cases)('%s', async (_, answer, options, message, hint) => {
    const server = await api((_, response) => answer(response))
    const { error, locations } = await readAll({ url: server.origin, ...options })
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({ message: expect.stringMatching(message), hint: expect.stringMatching(hint) })
    expect(locations).toEqual([])
    expect(server.asked.length, 'no retry').toBeLessThanOrEqual(6)
  })

  test('a certificate that nobody vouches for', async () => {
    const folder = await temporaryFolder()
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    await promisify(execFile)('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      '/CN=127.0.0.1',
      '-days',
      '2',
      '-keyout',
      key,
      '-out',
      cert,
    ])
    const server = createTlsServer({ key: await readFile(key), cert: await readFile(cert) }, (_, response) =>
      json(response, []),
    )
    const host = await listening(server)
    onTestFinished(() => closed(server))
    const { error } = await readAll({ url: `https://${host}/` })
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({
      message: expect.stringMatching(/certificate .* not trusted/),
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    })
  })
})

describe('a bad moment is tried again', () => {
  /** Page 1 goes wrong the first two times that it's asked for. */
  async function flaky(
    fault: (response: ServerResponse, request: IncomingMessage) => void,
    more: object = {},
  ): Promise<{ server: Api; read: Read; faults: number }> {
    const good = paged('page', cities(25))
    let faults = 0
    const server = await api((request, response, number) => {
      if (queryOf(request).get('page') !== '1' || faults === 2) return good(request, response, number)
      faults++
      fault(response, request)
    })
    const read = await readAll({ url: server.origin, pagination: { limit: 10 }, ...more })
    return { server, read, faults }
  }

  const moments: [string, (response: ServerResponse) => void, object][] = [
    ['500', (response) => response.writeHead(500).end('{"error":"oops"}'), {}],
    ['503', (response) => response.writeHead(503).end('<html>maintenance'), {}],
    ['429 without a word', (response) => response.writeHead(429).end(), {}],
    ['408', (response) => response.writeHead(408).end(), {}],
    ['a reset before the answer', (response) => response.socket?.resetAndDestroy(), {}],
    [
      'a reset in the middle of the body',
      (response) => {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('{"cities":[', () => response.socket?.resetAndDestroy())
      },
      {},
    ],
    ['a body that ends too early', (response) => response.end('{"cities":[{"id":10'), {}],
    [
      'a web page',
      (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><h1>Back soon</h1>'),
      {},
    ],
    ['another shape', (response) => json(response, { error: 'overloaded' }), {}],
    ['an empty page', (response) => json(response, { cities: [], total_count: 25, limit: 10 }), {}],
    ['silence', () => undefined, { requestTimeoutMs: 150 }],
    ['a body that never ends', (response) => response.write('{"cities":['), { requestTimeoutMs: 150 }],
    ['a broken gzip', (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('{}'), {}],
  ]
  test.each(moments)('%s', async (_, fault, more) => {
    const { server, read, faults } = await flaky(fault, more)
    expectAll(read, 25)
    expect(faults).toBe(2)
    expect(server.queries().map((query) => new URLSearchParams(query).get('page'))).toEqual(['0', '1', '1', '1', '2'])
  })

  test.each([
    ['seconds', () => '1'],
    ['a date by a clock that is wrong by hours', () => new Date(Date.now() - 7_199_000).toUTCString()],
  ])('Retry-After in %s is waited for', async (_, retryAfter) => {
    const good = paged('page', cities(5))
    const server = await api((request, response, number) => {
      if (number > 1) return good(request, response, number)
      response
        .writeHead(429, { 'retry-after': retryAfter(), date: new Date(Date.now() - 7_200_000).toUTCString() })
        .end()
    })
    const read = await readAll({ url: server.origin })
    expectAll(read, 5)
    const [first, second] = server.asked
    // HTTP dates have whole seconds: asking for one second may mean a little less.
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(995)
  })

  test('for good: the last word is the error, after all attempts', async () => {
    const server = await api((_, response) => response.writeHead(502).end('bad gateway'))
    const { error } = await readAll({ url: `${server.origin}/cities/?key=s3cret` })
    expect(error).toBeInstanceOf(TransientError)
    expect(error).not.toBeInstanceOf(ConfigurationError)
    expect(String(error)).toContain(`${server.origin}/cities/ (page 0) answered 502 Bad Gateway: bad gateway`)
    expect(server.asked).toHaveLength(3)
  })

  test('nobody listens', async () => {
    const server = await startApi((_, response) => response.end())
    await server.stop()
    const { error } = await readAll({ url: server.origin })
    expect(error).toMatchObject({
      code: 'NOT_HANDED_OVER',
      message: expect.stringContaining('ECONNREFUSED'),
      hint: expect.stringContaining('source.url'),
    })
  })

  test('but a signal ends a request at once', async () => {
    const server = await api(() => undefined)
    const abort = new AbortController()
    const reading = readAll({ url: server.origin, requestTimeoutMs: 60_000 }, { signal: abort.signal })
    await until(() => server.asked.length === 1)
    abort.abort()
    expect((await reading).error).toMatchObject({ cause: { name: 'AbortError' } })
    await until(() => server.asked[0]?.left)
    expect(server.asked).toHaveLength(1)
  })
})
