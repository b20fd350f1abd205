import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fault, sourceChecks } from '../../../src/plugins/conformance/index.js'
import http from '../../../src/sources/http/index.js'
import { until } from '../../support/cli.js'
import {
  type Api,
  api,
  cities,
  expectAll,
  type Handler,
  idsOf,
  json,
  numberIn,
  opened,
  paged,
  queryOf,
  readAll,
  startApi,
  types,
} from './api.js'

describe('passes the suite for sources', () => {
  const list = cities(1_234)
  const apis = new Map<string, Api>()
  /** Instead of the good handler. */
  let trouble: Handler | undefined
  beforeAll(async () => {
    for (const type of types) {
      const good = paged(type, list)
      apis.set(type, await startApi((...call) => (trouble ?? good)(...call)))
    }
  })
  afterAll(async () => {
    for (const one of apis.values()) await one.stop()
  })
  const fault = (name: string, handler: Handler): Fault => ({
    name,
    begin() {
      trouble = handler
      return () => {
        trouble = undefined
      }
    },
  })
  const faults = [
    fault('the server answers 500', (_, response) => response.writeHead(500).end()),
    fault('the connection is cut in the middle of an answer', (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1_000 })
      response.write('[{"id": 0', () => response.destroy())
    }),
  ]
  describe.each(types)('%s', (type) => {
    const checks = () =>
      sourceChecks({
        plugin: http,
        options: { url: `${apis.get(type)?.origin}/cities/`, pagination: { type, limit: 300 } },
        count: list.length,
        faults,
      })
    const names = checks().map(({ name }) => name)
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

  test('the link in the answer itself, as {href}; the URL’s own parameters go along, but are not kept', async () => {
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

  test.each<[how: string, answer: (response: ServerResponse, to: string) => void]>([
    ['a link', (response, to) => json(response, cities(1), { link: `<${to}/?page=2>; rel=next` })],
    ['a redirect', (response, to) => response.writeHead(302, { location: `${to}/` }).end()],
  ])('where %s leads to another origin and that fails, it is named', async (_, answer) => {
    const gone = await startApi((__, response) => response.end())
    await gone.stop()
    const broken = await api((__, response) => response.writeHead(404).end())
    const slow = await api(() => undefined)
    for (const [to, said] of [
      [gone.origin, "can't be read: connect ECONNREFUSED"],
      [broken.origin, 'answered 404'],
      [slow.origin, 'gave no whole answer'],
      [broken.origin.replace('http:', 'https:'), "can't be read: it speaks no TLS there"],
    ] as const) {
      const server = await api((__, response) => answer(response, to))
      const given = { url: server.origin, pagination: { type: 'link' }, requestTimeoutMs: 200, ...credentials }
      const { error } = await readAll(given, { attempts: 1 })
      expect(String(error)).toContain(`${to}, to which ${server.origin}/ leads, ${said}`)
      if (to === gone.origin) expect(error).toMatchObject({ hint: expect.stringContaining('neither source.auth') })
    }
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
