import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, ResumePointError, TransientError } from '../../../src/errors/index.js'
import { api, cities, expectAll, type Handler, idsOf, json, numberIn, paged, queryOf, readAll, upTo } from './api.js'

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
    expect(server.asked).toHaveLength(3)
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
      {
        fields: { event: 'total-changed', before: 50, now: 49 },
        message: expect.stringContaining('total of the list changed'),
      },
    ])
  })

  test.each(['page', 'offset'])(
    'fewer items than the total says: no success, and the next start reads from the start (%s)',
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

describe('a checkpoint', () => {
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
    'that the server no longer knows (%i) makes the list be read from the start; but not a server that fails',
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
})
