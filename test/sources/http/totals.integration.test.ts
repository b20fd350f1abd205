/** A total that full pages reach exactly, and nothing else ends the list: it may count pages. */
import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, ResumePointError } from '../../../src/errors/index.js'
import { type Api, api, type City, cities, expectAll, idsOf, json, numberIn, queryOf, readAll, upTo } from './api.js'

const limit = 5
const pagination = { type: 'page', limit }

interface Served {
  count?: number
  /** What an answer says beside its items; `next` is the number of the page behind it, null behind the last one. */
  beside?: (next: number | null, items: readonly City[]) => object
  headers?: (next: number | null) => Record<string, string>
  /** What comes behind the last page. */
  beyond?: (response: ServerResponse) => void
}

/** A list in pages of five, by number from 0. */
const served = ({ count = 50, beside = () => ({}), headers = () => ({}), beyond }: Served): Promise<Api> =>
  api((request, response) => {
    const page = numberIn(queryOf(request), 'page', 0)
    const items = cities(count).slice(page * limit, page * limit + limit)
    const next = (page + 1) * limit < count ? page + 1 : null
    if (items.length === 0 && beyond) return beyond(response)
    json(response, { items, ...beside(next, items) }, headers(next))
  })

describe('a total that is none of items', () => {
  const total = 10
  test.each<[sign: string, beside: Served['beside'], headers?: Served['headers']]>([
    ['a next link', (next) => ({ total, next: next && `/?page=${next}` })],
    ['links.next', (next) => ({ total, links: { next: next && `/?page=${next}` } })],
    ['_links.next.href', (next) => ({ total, _links: next ? { next: { href: `/?page=${next}` } } : {} })],
    ['nextPage', (next) => ({ total, nextPage: next })],
    ['a cursor', (next) => ({ total, nextCursor: next && `c${next}` })],
    ['a page count', () => ({ total, pages: 10 })],
    ['truncated', (next) => ({ total, truncated: next !== null })],
    ['numberMatched', (_, items) => ({ numberMatched: total, numberReturned: items.length })],
    ['nothing', () => ({ total })],
    ['a header', () => ({}), () => ({ 'x-total-count': '10' })],
    [
      'two headers',
      () => ({}),
      (next) => ({ 'x-total-count': '10', ...(next ? { link: `</?page=${next}>; rel="next"` } : {}) }),
    ],
  ])('%s beside it: not taken for the end', async (_, beside, headers) => {
    const server = await served({ beside, headers })
    const read = await readAll({ url: server.origin, pagination })
    expect(read.error).toBeInstanceOf(ConfigurationError)
    expect(read.error).toMatchObject({
      message: expect.stringContaining('10 items in all, but 15 have come'),
      hint: expect.stringContaining('source.total'),
    })
    expect(idsOf(read)).toEqual(upTo(10))
    // Who starts again without a correction hears the same, once the list is read from the start.
    const again = await readAll({ url: server.origin, pagination }, { resume: read.batches.at(-1)?.resume ?? '' })
    expect(again.error).toBeInstanceOf(ResumePointError)
    expectAll(await readAll({ url: server.origin, pagination, total: false, next: false }), 50)
  })

  test('one that was named, of one page, where page 0 is page 1', async () => {
    const server = await api((request, response) => {
      const at = Math.max(0, numberIn(queryOf(request), 'page', 1) - 1) * limit
      json(response, { items: cities(50).slice(at, at + limit), size: limit, total: limit })
    })
    for (const total of ['size', undefined])
      expect(String((await readAll({ url: server.origin, pagination, total })).error)).toMatch(/5 items .*but 10 have/)
  })

  test('in CSV', async () => {
    const server = await api((request, response) => {
      const at = numberIn(queryOf(request), 'page', 0) * limit
      const rows = cities(50).slice(at, at + limit)
      response.writeHead(200, { 'x-total-count': '10' })
      response.end(`id,name,lat,lon\n${rows.map(({ id, lat, lon }) => `${id},A,${lat},${lon}\n`).join('')}`)
    })
    const { error } = await readAll({ url: server.origin, format: 'csv', pagination })
    expect(String(error)).toContain('10 items in all, but 15 have come')
  })
})

describe('a total that is right: one request more, whose answer may be anything', () => {
  const total = 20
  const again =
    (from: number, more: object = {}) =>
    (response: ServerResponse) =>
      json(response, {
        items: cities(20)
          .slice(from, from + limit)
          .map((item) => ({ ...item, ...more })),
        total,
      })
  const ends: [what: string, beyond: (response: ServerResponse) => void][] = [
    ['an empty page', (response) => json(response, { items: [], total })],
    ['an empty page with another total', (response) => json(response, { items: [], total: 0 })],
    ['a longer total alone', (response) => json(response, { items: [], total: 30 })],
    ...[400, 401, 403, 404, 418, 429, 500, 503].map((status): (typeof ends)[number] => [
      `${status}`,
      (response) => response.writeHead(status).end(),
    ]),
    ['no answer', (response) => response.socket?.resetAndDestroy()],
    ['no JSON', (response) => response.end('<html>no</html>')],
    ['an error', (response) => json(response, { error: 'no such page' })],
    ['words in the place of items', (response) => json(response, { items: [{ message: 'no more' }], total })],
    ['null', (response) => json(response, { items: null, total })],
    ['the last page again', again(15)],
    ['the last page again, at another time', again(15, { at: Math.random() })],
    ['the last item again', again(19)],
    ['the first page again', again(0)],
  ]
  test.each(ends)('%s', async (what, beyond) => {
    const server = await served({ count: 20, beside: () => ({ total }), beyond })
    const read = await readAll({ url: server.origin, pagination })
    expectAll(read, 20)
    expect(read.warnings).toEqual([])
    expect(server.asked).toHaveLength(5)
    server.asked.length = 0
    // Who died in front of that request asks for it; but what the first page was, it doesn't know.
    const rest = await readAll({ url: server.origin, pagination }, { resume: read.batches.at(-1)?.resume ?? '' })
    if (what === 'the first page again') expect(rest.error).toBeInstanceOf(ResumePointError)
    else expect(rest).toMatchObject({ error: undefined, locations: [] })
  })

  test.each<[what: string, given: Served, more?: object]>([
    ['it says that nothing follows', { beside: (next) => ({ total, has_more: next !== null }) }],
    ['it has a page count', { beside: () => ({ total, total_pages: 4 }) }],
    ['its next page is null', { beside: (next) => ({ total, next: next && `/?page=${next}` }) }],
    ['its last page is short', { count: 18, beside: () => ({ total: 18 }) }],
    ['no more pages are allowed', { beside: () => ({ total }) }, { maxPages: 4 }],
  ])('none where %s', async (_, given, more) => {
    const server = await served({ count: 20, ...given })
    expectAll(await readAll({ url: server.origin, pagination, ...more }), given.count ?? 20)
    expect(server.asked).toHaveLength(4)
  })

  test('an answer that names a next page for ever ends the list at the first one with nothing new', async () => {
    for (const beyond of [
      (response: ServerResponse) => response.writeHead(404).end(),
      (response: ServerResponse) => json(response, { items: [], total, next: '/?page=9' }),
      again(15),
    ]) {
      const server = await served({ count: 20, beside: () => ({ total, next: '/?page=9' }), beyond })
      expectAll(await readAll({ url: server.origin, pagination }), 20)
      expect(server.asked).toHaveLength(5)
    }
  })

  test('but a page that it names, and that fails, is a failure', async () => {
    const server = await served({
      count: 20,
      beside: () => ({ total, next: '/?page=9' }),
      beyond: (response) => response.writeHead(503).end(),
    })
    expect(String((await readAll({ url: server.origin, pagination }, { attempts: 2 })).error)).toContain('503')
  })

  test('a list that grows meanwhile is read on', async () => {
    let count = 20
    const server = await api((request, response, number) => {
      if (number === 5) count = 21
      const at = numberIn(queryOf(request), 'page', 0) * limit
      json(response, { items: cities(count).slice(at, at + limit), total: count })
    })
    const read = await readAll({ url: server.origin, pagination })
    expectAll(read, 21)
    expect(read.warnings).toMatchObject([{ fields: { event: 'total-changed', before: 20, now: 21 } }])
  })
})
