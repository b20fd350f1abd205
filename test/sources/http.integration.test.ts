/** The source `http` against real servers that keep a log of what they were asked, and misbehave when told to. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { InspectResult } from '../../src/commands/outbox/inspect.js'
import type { ProduceResult } from '../../src/commands/produce.js'
import { ConfigurationError, ResumePointError, TransientError } from '../../src/errors/index.js'
import { resilience } from '../../src/pipeline/retry.js'
import { type LocationBatch, Malformed, type Source } from '../../src/plugin.js'
import { sourceChecks } from '../../src/plugins/conformance/index.js'
import http from '../../src/sources/http/index.js'
import { folderWith, owm, owmJson, startOwm, temporaryFolder, until } from '../support/cli.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'

interface City {
  id: number
  name: string
  lat: number
  lon: number
}

const cities = (count: number): City[] =>
  Array.from({ length: count }, (_, index) => ({
    id: index,
    name: `city ${index}`,
    lat: (index % 89) + 1,
    lon: -(index % 180),
  }))

interface Asked {
  /** Path and query. */
  url: string
  headers: IncomingHttpHeaders
  /** Milliseconds, monotonic. */
  at: number
  /** Whether the client left before its answer was whole. */
  left: boolean
}

type Handler = (request: IncomingMessage, response: ServerResponse, number: number) => void

interface Api {
  origin: string
  asked: Asked[]
  /** The queries that came, in order. */
  queries(): string[]
  stop(): Promise<void>
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `127.0.0.1:${addressOf(server).port}`
}

function addressOf(server: Server): AddressInfo {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen')
  return address
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

/** A server on a free port; `number` counts its requests from 1. */
async function startApi(handler: Handler): Promise<Api> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const one: Asked = { url: request.url ?? '', headers: request.headers, at: performance.now(), left: false }
    response.on('close', () => {
      one.left = !response.writableFinished
    })
    handler(request, response, asked.push(one))
  })
  const host = await listening(server)
  return {
    origin: `http://${host}`,
    asked,
    queries: () => asked.map(({ url }) => url.replace(/^[^?]*\??/, '')),
    stop: () => closed(server),
  }
}

async function api(handler: Handler): Promise<Api> {
  const started = await startApi(handler)
  onTestFinished(() => started.stop())
  return started
}

const json = (response: ServerResponse, body: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

const queryOf = (request: IncomingMessage): URLSearchParams =>
  new URL(request.url ?? '', 'http://127.0.0.1').searchParams

const numberIn = (query: URLSearchParams, name: string, otherwise: number): number =>
  Number(query.get(name) ?? otherwise)

/** A well-behaved handler for each type of pagination, over the same list. */
function paged(type: string, list: readonly City[]): Handler {
  return (request, response) => {
    const query = queryOf(request)
    const limit = numberIn(query, 'limit', 100)
    const from =
      type === 'page'
        ? numberIn(query, 'page', 0) * limit
        : type === 'cursor'
          ? Number((query.get('cursor') ?? 'after-0').slice(6))
          : numberIn(query, 'offset', 0)
    const items = list.slice(from, from + limit)
    const hasMore = from + limit < list.length
    if (type === 'link')
      return json(
        response,
        items,
        hasMore
          ? {
              link: `</cities/?limit=${limit}&offset=0>; rel="first", </cities/?limit=${limit}&offset=${from + limit}>; rel="next"`,
            }
          : {},
      )
    if (type === 'cursor')
      return json(response, { data: items, meta: { next_cursor: hasMore ? `after-${from + limit}` : null } })
    return json(response, { cities: items, total_count: list.length, limit })
  }
}

interface Warning {
  fields: object
  message: string
}

interface Read {
  batches: LocationBatch[]
  locations: (object | Malformed)[]
  warnings: Warning[]
  error: unknown
}

interface ReadOptions {
  resume?: string
  signal?: AbortSignal
  attempts?: number
}

async function opened(
  options: Record<string, unknown>,
  { signal = new AbortController().signal, attempts = 3 }: ReadOptions = {},
): Promise<{ source: Source; warnings: Warning[] }> {
  const warnings: Warning[] = []
  const guard = resilience({
    retry: { attempts, initialDelayMs: 5, maxDelayMs: 20 },
    breaker: { failures: 1_000, resetAfterMs: 1_000 },
  })
  const source = await http.open(http.options.parse(options), {
    signal,
    baseDir: '/',
    attempt: (operation) => guard.run(operation, signal),
    log: { debug() {}, info() {}, error() {}, warn: (fields, message) => warnings.push({ fields, message }) },
  })
  return { source, warnings }
}

/** Reads all there is, or until it fails. */
async function readAll(options: Record<string, unknown>, how: ReadOptions = {}): Promise<Read> {
  const { source, warnings } = await opened(options, how)
  const batches: LocationBatch[] = []
  let error: unknown
  try {
    for await (const batch of source.read(how.resume)) batches.push(batch)
  } catch (thrown) {
    error = thrown
  }
  await source.close?.()
  return { batches, locations: batches.flatMap(({ locations }) => [...locations]), warnings, error }
}

const idsOf = ({ locations }: Read): unknown[] =>
  locations.map((location) => ('id' in location ? location.id : undefined))
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

/** Everything came, once, in order, and nothing went wrong. */
function expectAll(read: Read, count: number): void {
  expect(read.error).toBeUndefined()
  expect(idsOf(read)).toEqual(upTo(count))
}

const types = ['page', 'offset', 'cursor', 'link'] as const

describe('passes the suite for sources', () => {
  const list = cities(1_234)
  const apis = new Map<string, Api>()
  beforeAll(async () => {
    for (const type of types) apis.set(type, await startApi(paged(type, list)))
  })
  afterAll(async () => {
    for (const one of apis.values()) await one.stop()
  })
  describe.each(types)('%s', (type) => {
    const checks = () =>
      sourceChecks({
        plugin: http,
        options: { url: `${apis.get(type)?.origin}/cities/`, pagination: { type, limit: 300 } },
        count: list.length,
      })
    const names = sourceChecks({ plugin: http, options: {}, count: 0 }).map(({ name }) => name)
    test.each(names)('%s', (name) =>
      checks()
        .find((check) => check.name === name)
        ?.run(),
    )
  })
})

describe('asks for', () => {
  test.each([
    ['page', ['page=0&limit=10', 'page=1&limit=10', 'page=2&limit=10'], 25],
    ['offset', ['offset=0&limit=10', 'offset=10&limit=10', 'offset=20&limit=10'], 25],
    ['cursor', ['limit=10', 'limit=10&cursor=after-10', 'limit=10&cursor=after-20'], 25],
    ['link', ['limit=10', 'limit=10&offset=10', 'limit=10&offset=20'], 25],
  ])('%s by %s', async (type, queries, count) => {
    const server = await api(paged(type, cities(count)))
    const read = await readAll({ url: `${server.origin}/cities/`, pagination: { type, limit: 10 } })
    expectAll(read, count)
    expect(server.queries().map((query) => [...new URLSearchParams(query)].sort())).toEqual(
      queries.map((query) => [...new URLSearchParams(query)].sort()),
    )
    expect(server.asked.every(({ url }) => url.startsWith('/cities/?'))).toBe(true)
  })

  test('renamed parameters, from the first page 1, with what the URL has already', async () => {
    const list = cities(25)
    const server = await api((request, response) => {
      const query = queryOf(request)
      const from = (numberIn(query, 'p', 0) - 1) * numberIn(query, 'per_page', 0)
      json(response, { data: { places: list.slice(from, from + 10) }, meta: { count: list.length } })
    })
    const read = await readAll({
      url: `${server.origin}/v1/places?country=KE&q=a%20b`,
      pagination: { limit: 10, start: 1, parameters: { page: 'p', limit: 'per_page' } },
      items: 'data.places',
      total: 'meta.count',
    })
    expectAll(read, 25)
    expect(server.queries()).toEqual([1, 2, 3].map((page) => `country=KE&q=a+b&per_page=10&p=${page}`))
    expect(read.batches[1]?.position(2)).toBe('page 2, item 3')
  })

  test('a cursor to begin with, and further ones at a path of their own', async () => {
    const server = await api((request, response) => {
      const cursor = queryOf(request).get('mark')
      json(
        response,
        cursor === '*'
          ? { results: cities(2), paging: { cursors: { after: 77 } } }
          : { results: [{ id: 2, name: 'c', lat: 1, lon: 1 }], paging: { cursors: {} } },
      )
    })
    const read = await readAll({
      url: server.origin,
      pagination: { type: 'cursor', start: '*', parameters: { cursor: 'mark' } },
      next: 'paging.cursors.after',
    })
    expectAll(read, 3)
    expect(server.queries()).toEqual(['limit=100&mark=*', 'limit=100&mark=77'])
  })

  test('the link in the answer itself, as {href}; the URL’s own parameters go along, but not into the resume point', async () => {
    const list = cities(4)
    const server = await api((request, response) => {
      const from = numberIn(queryOf(request), 'from', 0)
      json(response, {
        _embedded: { cities: list.slice(from, from + 2) },
        _links: {
          self: { href: '/x' },
          ...(from === 0 ? { next: { href: '/more?from=2&appid=k3y&tag=a&tag=b' } } : {}),
        },
      })
    })
    const options = { url: `${server.origin}/?appid=k3y&tag=a&tag=b`, pagination: { type: 'link' } }
    const read = await readAll(options)
    expectAll(read, 4)
    expect(server.asked.map(({ url }) => url)).toEqual([
      '/?appid=k3y&tag=a&tag=b',
      '/more?from=2&appid=k3y&tag=a&tag=b',
    ])
    expect(read.batches[0]?.resume).not.toContain('k3y')
    expect(idsOf(await readAll(options, { resume: read.batches[0]?.resume ?? '' }))).toEqual([2, 3])
    expect(server.asked.at(-1)?.url).toBe('/more?from=2&appid=k3y&tag=a&tag=b')
  })

  test('no more than it must: one answer without links is all', async () => {
    const server = await api((_, response) => json(response, cities(7)))
    expectAll(await readAll({ url: `${server.origin}/all.json`, pagination: { type: 'link' } }), 7)
    expect(server.asked.map(({ url }) => url)).toEqual(['/all.json'])
  })

  test('the next page while one is being taken', async () => {
    const server = await api(paged('page', cities(30)))
    const { source } = await opened({ url: server.origin, pagination: { limit: 10 } })
    for await (const batch of source.read(undefined)) {
      if (batch.resume.includes('"next":1')) await until(() => server.asked.length === 2)
      else break
    }
    await source.close?.()
  })

  test.each([
    [{ auth: { bearer: 't0ken' } }, { authorization: 'Bearer t0ken' }],
    [
      { auth: { user: 'jané', password: 'pa:ss' } },
      { authorization: `Basic ${Buffer.from('jané:pa:ss').toString('base64')}` },
    ],
    [{ headers: { 'X-Api-Key': 'k', 'User-Agent': 'me/1' } }, { 'x-api-key': 'k', 'user-agent': 'me/1' }],
    [{}, { 'user-agent': 'owm', accept: 'application/json' }],
  ])('%j', async (options, headers) => {
    const server = await api(paged('page', cities(1)))
    expectAll(await readAll({ url: server.origin, ...options }), 1)
    expect(server.asked[0]?.headers).toMatchObject(headers)
  })
})

describe('secrets', () => {
  const credentials = { auth: { bearer: 't0ken' }, headers: { 'x-api-key': 'k' } }

  test('follow a redirect to the same origin, and no further', async () => {
    const stranger = await api(paged('page', cities(1)))
    const server = await api((request, response) => {
      if (request.url?.startsWith('/old'))
        response.writeHead(308, { location: request.url.replace('old', 'new') }).end('moved')
      else response.writeHead(302, { location: `${stranger.origin}${request.url}` }).end()
    })
    expectAll(await readAll({ url: `${server.origin}/old`, ...credentials }), 1)
    expect(server.asked.map(({ headers }) => [headers.authorization, headers['x-api-key']])).toEqual(
      Array(2 * stranger.asked.length).fill(['Bearer t0ken', 'k']),
    )
    expect(stranger.asked.length).toBeGreaterThan(0)
    for (const { headers } of stranger.asked)
      expect([headers.authorization, headers['x-api-key']]).toEqual([undefined, undefined])
  })

  test('do not follow a link to another origin', async () => {
    const stranger = await api((_, response) => json(response, [{ ...cities(2)[1] }]))
    const server = await api((_, response) =>
      json(response, cities(1), { link: `<${stranger.origin}/?page=2>; rel=next` }),
    )
    expectAll(await readAll({ url: `${server.origin}/?key=s3cret`, pagination: { type: 'link' }, ...credentials }), 2)
    expect(stranger.asked.map(({ url }) => url)).toEqual(['/?page=2'])
    expect(stranger.asked[0]?.headers).not.toHaveProperty('authorization')
    expect(stranger.asked[0]?.headers).not.toHaveProperty('x-api-key')
  })

  test('are taken out of what a server says of them', async () => {
    const basic = Buffer.from('me:pa55word').toString('base64')
    const server = await api((request, response) =>
      response.writeHead(400).end(`bad: ${request.headers.authorization}`),
    )
    const { error } = await readAll({ url: server.origin, auth: { user: 'me', password: 'pa55word' } })
    expect(server.asked[0]?.headers.authorization).toBe(`Basic ${basic}`)
    expect(String(error)).toContain('400 Bad Request: bad: Basic ***')
  })

  test.each([['http://me:pw@127.0.0.1/'], ['ftp://127.0.0.1/'], ['cities']])('and a URL must be plain: %s', (url) =>
    expect(http.options.safeParse({ url }).success).toBe(false),
  )

  test.each([{ bearer: 'a', user: 'b', password: 'c' }, {}, { user: 'b' }])(
    'and there is one way to say who asks: %j',
    (auth) => expect(http.options.safeParse({ url: 'http://127.0.0.1', auth }).success).toBe(false),
  )
})

describe('understands', () => {
  const one = { id: 0, name: 'x', lat: 1, lon: 2 }

  test.each([
    ['a bare list', [one], {}],
    ['the only list of objects', { warnings: ['slow'], cities: [one], tags: [] }, {}],
    ['a list one level down', { status: 'ok', data: { cities: [one] } }, {}],
    ['a named list among several', { regions: [{ name: 'r' }], cities: [one] }, { items: 'cities' }],
    ['keys with dots in them', { data: { 'all.cities': [one] } }, { items: 'data.all.cities' }],
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

  test('gzip', async () => {
    const server = await api((request, response) => {
      expect(request.headers['accept-encoding']).toBe('gzip')
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(JSON.stringify(cities(500))))
    })
    expectAll(await readAll({ url: server.origin, pagination: { type: 'link' } }), 500)
  })

  test.each([
    ['no body', (response: ServerResponse) => response.writeHead(204).end()],
    ['null', (response: ServerResponse) => json(response, { cities: null })],
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

  test('what is no object, or no UTF-8, as a malformed record', async () => {
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
    expect((await reading).error).toBeDefined()
    await until(() => server.asked[0]?.left)
    expect(server.asked).toHaveLength(1)
  })
})

describe('the end of the list', () => {
  test.each(['page', 'offset'])('a server that gives fewer items than asked for: %s', async (type) => {
    const list = cities(95)
    const server = await api((request, response) => {
      const query = queryOf(request)
      const from = type === 'page' ? numberIn(query, 'page', 0) * 20 : numberIn(query, 'offset', 0)
      json(response, { cities: list.slice(from, from + 20), total_count: 95, limit: 20 })
    })
    expectAll(await readAll({ url: server.origin, pagination: { type, limit: 50 } }), 95)
    expect(server.asked).toHaveLength(5)
  })

  test('a page that is short in the middle', async () => {
    const list = cities(30)
    const server = await api((request, response) => {
      const offset = numberIn(queryOf(request), 'offset', 0)
      json(response, { cities: list.slice(offset, offset + (offset === 10 ? 3 : 10)), total_count: 30 })
    })
    expectAll(await readAll({ url: server.origin, pagination: { type: 'offset', limit: 10 } }), 30)
  })

  test('an empty page with a next one', async () => {
    const pages = [{ items: cities(2), next: 'b' }, { items: [], next: 'c' }, { items: [{ id: 2 }] }]
    const server = await api((request, response) =>
      json(response, pages['abc'.indexOf(queryOf(request).get('cursor') ?? 'a')]),
    )
    expectAll(await readAll({ url: server.origin, pagination: { type: 'cursor' } }), 3)
  })

  test('a total in X-Total-Count', async () => {
    const list = cities(20)
    const server = await api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 1)
      if (page > 2) response.writeHead(404).end()
      else json(response, list.slice(page * 10 - 10, page * 10), { 'x-total-count': '20' })
    })
    expectAll(await readAll({ url: server.origin, pagination: { limit: 10, start: 1 } }), 20)
    expect(server.asked).toHaveLength(2)
  })

  test('a total that was found, and that the first page has just so many items as, is asked about', async () => {
    for (const end of [
      (response: ServerResponse) => response.writeHead(404).end(),
      (response: ServerResponse) => json(response, { cities: [], total: 0 }),
    ]) {
      const server = await api((request, response) =>
        queryOf(request).get('page') === '0' ? json(response, { cities: cities(10), total: 10 }) : end(response),
      )
      expectAll(await readAll({ url: server.origin, pagination: { limit: 10 } }), 10)
      expect(server.asked).toHaveLength(2)
    }
    // Here it counts the page only.
    const list = cities(30)
    const server = await api((request, response) => {
      const from = numberIn(queryOf(request), 'page', 0) * 10
      json(response, { cities: list.slice(from, from + 10), total: 10 })
    })
    const { error } = await readAll({ url: server.origin, pagination: { limit: 10 } })
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(String(error)).toContain('10 items in all, but 20 have come')
  })

  test('a total that changes is reported once, with both numbers; and such a total ends nothing', async () => {
    const list = cities(50)
    const totals = [50, 49, 0, 50, 50]
    const server = await api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 0)
      json(response, { cities: list.slice(page * 10, page * 10 + 10), total_count: totals[page] ?? 50 })
    })
    const read = await readAll({ url: server.origin, pagination: { limit: 10 } })
    expectAll(read, 50)
    expect(read.warnings).toEqual([
      { fields: { before: 50, now: 49 }, message: expect.stringContaining('total of the list changed') },
    ])
  })

  test.each(['page', 'offset'])(
    'fewer items than the total says: no success, and the next start reads anew (%s)',
    async (type) => {
      const list = cities(25)
      let total = 30
      const server = await api((request, response) => {
        const query = queryOf(request)
        const from = type === 'page' ? numberIn(query, 'page', 0) * 10 : numberIn(query, 'offset', 0)
        json(response, { cities: list.slice(from, from + 10), total_count: total })
      })
      const options = { url: server.origin, pagination: { type, limit: 10 } }
      const read = await readAll(options)
      expect(idsOf(read)).toEqual(upTo(25))
      expect(read.error).toBeInstanceOf(TransientError)
      expect(String(read.error)).toMatch(/only 25 of 30 items have come.*source\.total to false/)
      const again = await readAll(options, { resume: read.batches.at(-1)?.resume ?? '' })
      expect(again.error).toBeInstanceOf(ResumePointError)
      expectAll(await readAll({ ...options, total: false }), 25)
      total = 25
      expectAll(await readAll(options), 25)
    },
  )

  test('likewise by cursor', async () => {
    const server = await api((request, response) =>
      json(
        response,
        queryOf(request).has('cursor')
          ? { data: [{ id: 2 }], total: 9, next: null }
          : { data: cities(2), total: 9, next: 'b' },
      ),
    )
    const options = { url: server.origin, pagination: { type: 'cursor' } }
    const read = await readAll(options)
    expect(idsOf(read)).toEqual([0, 1, 2])
    expect(String(read.error)).toContain('ended after 3 of 9 items')
    const asked = server.asked.length
    expect((await readAll(options, { resume: read.batches.at(-1)?.resume ?? '' })).error).toBeInstanceOf(
      ResumePointError,
    )
    expect(server.asked).toHaveLength(asked)
  })

  const circles: [string, string, Handler, RegExp][] = [
    [
      'the same page again',
      'page',
      (_, response) => json(response, { cities: cities(10), total_count: 1_000 }),
      /parameters.*start/,
    ],
    ['the same items by other offsets', 'offset', (_, response) => json(response, cities(10)), /parameters/],
    [
      'the same cursor again',
      'cursor',
      (request, response) => json(response, { data: [{ id: queryOf(request).get('cursor') ?? 'first' }], next: 'b' }),
      /parameters/,
    ],
    [
      'cursors in a circle, with empty pages',
      'cursor',
      (request, response) =>
        json(response, { data: [], next: { a: 'b', b: 'c', c: 'a' }[queryOf(request).get('cursor') ?? 'a'] }),
      /./,
    ],
    [
      'links in a circle',
      'link',
      (request, response) =>
        json(response, [{ id: request.url }], { link: `</${(Number(request.url?.slice(1)) + 1) % 5}>; rel="next"` }),
      /./,
    ],
    [
      'other cursors, the same items',
      'cursor',
      (_, response) => json(response, { data: cities(3), next: String(Math.random()) }),
      /parameters/,
    ],
  ]
  test.each(circles)('%s: noticed', async (_, type, handler, hint) => {
    const server = await api(handler)
    const { error } = await readAll({ url: server.origin, pagination: { type, limit: 10 } })
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({ message: expect.stringContaining('in a circle'), hint: expect.stringMatching(hint) })
    expect(server.asked.length).toBeLessThan(20)
  })
})

describe('a resume point', () => {
  test('of another list, or of another source, is not taken', async () => {
    const server = await api(paged('page', cities(30)))
    const { batches } = await readAll({ url: server.origin, pagination: { limit: 10 } })
    const resume = batches[0]?.resume ?? ''
    for (const [options, point] of [
      [{ url: `${server.origin}/other`, pagination: { limit: 10 } }, resume],
      [{ url: server.origin, pagination: { limit: 20 } }, resume],
      [{ url: server.origin, pagination: { limit: 10 } }, '500'],
      [{ url: server.origin, pagination: { limit: 10 } }, 'not JSON'],
    ] as const) {
      expect((await readAll(options, { resume: point })).error).toBeInstanceOf(ResumePointError)
    }
  })

  test.each([400, 404, 410, 422])(
    'that the server no longer knows (%i) makes the list be read anew; but not a server that fails',
    async (status) => {
      let code = status
      const good = paged('cursor', cities(30))
      const server = await api((request, response, number) =>
        queryOf(request).has('cursor') && code > 0 ? response.writeHead(code).end() : good(request, response, number),
      )
      const options = { url: server.origin, pagination: { type: 'cursor', limit: 10 } }
      const { batches, error } = await readAll(options)
      expect(error, 'in the same run it is an error').toBeInstanceOf(ConfigurationError)
      const resume = batches[0]?.resume ?? ''
      const expired = await readAll(options, { resume })
      expect(expired.error).toBeInstanceOf(ResumePointError)
      expect(server.queries().at(-1)).toContain('cursor=after-10')
      code = 500
      expect((await readAll(options, { resume })).error).not.toBeInstanceOf(ResumePointError)
      code = 0
      expect(idsOf(await readAll(options, { resume }))).toEqual(upTo(30).slice(10))
    },
  )

  test('a total that changed in between is reported, too', async () => {
    const list = cities(30)
    const server = await api(paged('page', list))
    const options = { url: server.origin, pagination: { limit: 10 } }
    const { batches } = await readAll(options)
    list.push(...cities(31).slice(30))
    const read = await readAll(options, { resume: batches[0]?.resume ?? '' })
    expect(idsOf(read)).toEqual(upTo(31).slice(10))
    expect(read.warnings).toMatchObject([{ fields: { before: 30, now: 31 } }])
  })
})

// --- owm as a process ---

const slot = '2026-11-23T10:00:00Z'
const token = 't0p-s3cret/="token'

let redis: RedisProcess | undefined
beforeAll(async () => {
  redis = await startRedisProcess()
})
afterAll(() => redis?.stop())

/** A folder with a configuration; its stream is `name`. */
async function scene(name: string, url: string, more: object = {}): Promise<string> {
  return folderWith({
    source: { use: 'http', url, pagination: { limit: 10 }, auth: { bearer: `\${API_TOKEN}` }, ...more },
    sink: { use: 'redis-stream', url: redis?.url, stream: name },
    outbox: { path: 'outbox.db' },
    flush: { batchSize: 10 },
    retry: { attempts: 3, initialDelayMs: 5, maxDelayMs: 20 },
    breaker: { failures: 1_000 },
  })
}

/** The ids of the locations in a stream, in its order. */
async function delivered(name: string): Promise<unknown[]> {
  const client = new Redis(redis?.url ?? '')
  try {
    const entries = await client.xrange(name, '-', '+')
    return entries.map(([, fields]) => {
      const task: unknown = JSON.parse(fields[1] ?? '')
      return typeof task === 'object' && task !== null && 'location_id' in task ? task.location_id : undefined
    })
  } finally {
    client.disconnect()
  }
}

const env = { API_TOKEN: token }
const pagesOf = (server: Api): number[] =>
  server.queries().map((query) => numberIn(new URLSearchParams(query), 'page', -1))

describe('owm produce', () => {
  test('killed in the middle: the next start asks for no page again that was stored, and nothing comes twice', async () => {
    const good = paged('page', cities(100))
    let holds = true
    const server = await api((request, response, number) => {
      // Page 6 never comes: so what was stored is known.
      if (holds && queryOf(request).get('page') === '6') return
      good(request, response, number)
    })
    const cwd = await scene('killed', `${server.origin}/cities/`)
    const { child, ended } = startOwm(['produce', '--slot', slot], { cwd, env })
    await until(async () => (await delivered('killed')).length === 60)
    child.kill('SIGKILL')
    expect(await ended).toMatchObject({ signal: 'SIGKILL' })
    expect(pagesOf(server)).toEqual([0, 1, 2, 3, 4, 5, 6])

    holds = false
    const { json } = await owmJson<ProduceResult>(['produce', '--slot', slot], { cwd, env })
    expect(json).toMatchObject({ source: { read: 100, rejected: 0, duplicates: 0 }, outbox: { pending: 0 } })
    expect(pagesOf(server).slice(7)).toEqual([6, 7, 8, 9])
    expect(await delivered('killed')).toEqual(upTo(100))
  })

  test('killed in the middle, and the cursor expires: read anew, and nothing comes twice', async () => {
    const good = paged('cursor', cities(100))
    let isUp = false
    const server = await api((request, response, number) => {
      if (queryOf(request).get('cursor') !== 'after-60') return good(request, response, number)
      if (!isUp) return
      if (server.queries().filter((query) => query.includes('after-60')).length === 2) response.writeHead(410).end()
      else good(request, response, number)
    })
    const cwd = await scene('expired', server.origin, { pagination: { type: 'cursor', limit: 10 } })
    const { child, ended } = startOwm(['produce', '--slot', slot], { cwd, env })
    await until(async () => (await delivered('expired')).length === 60)
    child.kill('SIGKILL')
    expect(await ended).toMatchObject({ signal: 'SIGKILL' })
    const asked = server.asked.length

    isUp = true
    const { code, stderr } = await owm(['produce', '--slot', slot], { cwd, env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('410 Gone') })
    expect(server.queries().slice(asked, asked + 2)).toEqual(['limit=10&cursor=after-60', 'limit=10'])
    expect(server.asked).toHaveLength(asked + 1 + 10)
    expect(await delivered('expired')).toEqual(upTo(100))
  })

  test('a server that dies for good: 75, the run stays open, the next start finishes it', async () => {
    const good = paged('page', cities(50))
    let isDead = true
    const server = await api((request, response, number) => {
      if (isDead && numberIn(queryOf(request), 'page', 0) >= 3) response.socket?.resetAndDestroy()
      else good(request, response, number)
    })
    const cwd = await scene('dead', server.origin)
    const broken = await owmJson<ProduceResult & { error: { code: string; message: string } }>(
      ['produce', '--slot', slot],
      { cwd, env },
    )
    expect(broken).toMatchObject({
      code: 75,
      json: { source: { read: 30 }, sink: { delivered: 30 }, error: { code: 'SOURCE' } },
    })
    expect(pagesOf(server)).toEqual([0, 1, 2, 3, 3, 3])
    const { json: ledger } = await owmJson<InspectResult>(['outbox', 'inspect'], { cwd, env })
    expect(ledger.runs.map(({ state }) => state)).toEqual(['reading'])

    isDead = false
    expect(await owm(['produce', '--slot', '2026-11-23T11:00:00Z'], { cwd, env })).toMatchObject({ code: 0 })
    const { json: after } = await owmJson<InspectResult>(['outbox', 'inspect', '--limit', '5'], { cwd, env })
    expect(after.runs.map(({ slot, state, delivered }) => ({ slot, state, delivered }))).toEqual([
      { slot: '2026-11-23T11:00:00Z', state: 'done', delivered: 50 },
      { slot, state: 'done', delivered: 50 },
    ])
    expect((await delivered('dead')).slice(0, 50)).toEqual(upTo(50))
  })

  test('a Retry-After that is longer than a source may take: given up at once', async () => {
    const server = await api((_, response) => response.writeHead(503, { 'retry-after': '3600' }).end())
    const cwd = await scene('later', server.origin)
    const { code, json } = await owmJson<ProduceResult & { error: { message: string } }>(['produce', '--slot', slot], {
      cwd,
      env,
    })
    expect({ code, message: json.error.message }).toEqual({
      code: 75,
      message: expect.stringContaining('503 Service Unavailable (try again in 3600 s)'),
    })
    expect(server.asked).toHaveLength(1)
  })

  test('a wrong token: 78, and it stands in no output, nor in the outbox', async () => {
    const server = await api((request, response) => {
      const said = `who is ${request.headers.authorization}?`
      if (queryOf(request).get('page') === '1') response.writeHead(401).end(said)
      else if (server.asked.length < 3) response.writeHead(500).end(said)
      else json(response, { cities: cities(10), total: 20 })
    })
    const cwd = await scene('secret', `${server.origin}/?key=\${API_TOKEN}`)
    for (const args of [['--json'], []]) {
      const { code, stdout, stderr } = await owm(['produce', '--slot', slot, '--log-level', 'debug', ...args], {
        cwd,
        env,
      })
      expect(code, stderr).toBe(78)
      expect(`${stdout}${stderr}`).toContain('answered 401 Unauthorized: who is Bearer ***?')
      if (args.length > 0) expect(stderr).toContain('a call failed and is tried again')
      for (const secret of [token, encodeURIComponent(token), JSON.stringify(token).slice(1, -1), 's3cret'])
        expect(`${stdout}${stderr}`).not.toContain(secret)
    }
    expect(server.asked[0]?.headers.authorization).toBe(`Bearer ${token}`)
    expect(new URLSearchParams(server.queries()[0]).get('key')).toBe(token)
    expect((await readFile(join(cwd, 'outbox.db'))).includes('s3cret')).toBe(false)
  })

  test('goes through the proxy that the environment names', async () => {
    const server = await api(paged('page', cities(5)))
    const tunnels: string[] = []
    const proxy = createServer()
    proxy.on('connect', (request, socket) => {
      tunnels.push(request.url ?? '')
      const [host, port] = (request.url ?? '').split(':')
      const onward = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        socket.pipe(onward).pipe(socket)
      })
      for (const end of [socket, onward]) end.on('error', () => undefined)
    })
    const host = await listening(proxy)
    onTestFinished(() => closed(proxy))
    const cwd = await scene('proxy', server.origin)
    expect(await owm(['produce'], { cwd, env: { ...env, HTTP_PROXY: `http://${host}` } })).toMatchObject({
      code: 0,
      stderr: '',
    })
    expect([...new Set(tunnels)]).toEqual([server.origin.replace('http://', '')])
    expect(await delivered('proxy')).toEqual(upTo(5))
  })
})
