/** Totals behind which a list may go on: the server stopped counting there, or only estimates. */
import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { TransientError } from '../../../src/errors/index.js'
import { api, cities, expectAll, idsOf, json, numberIn, queryOf, type Read, readAll, upTo } from './api.js'

const limit = 5

interface Served {
  count: number
  /** The most that the server gives. */
  most?: number
  beyond?: (response: ServerResponse) => void
}

const empty = (response: ServerResponse): void => json(response, { items: [] })
const refused = (response: ServerResponse): void => {
  response.writeHead(400).end('{"error":"Result window is too large"}')
}

/** Reads a list in pages of five. */
async function read(beside: object, served: Served, options: object = {}): Promise<Read> {
  const { count, most = count, beyond = empty } = served
  const server = await api((request, response) => {
    const query = queryOf(request)
    const at = query.has('offset') ? numberIn(query, 'offset', 0) : numberIn(query, 'page', 0) * limit
    const items = cities(count).slice(at, Math.min(at + limit, most))
    if (items.length === 0) return beyond(response)
    json(response, { ...beside, items })
  })
  return readAll({ url: server.origin, pagination: { type: 'offset', limit }, ...options }, { attempts: 1 })
}

const said = ({ error }: Read): string => `${error} ${error instanceof Error && 'hint' in error ? error.hint : ''}`

describe.each<[beside: object]>([
  [{ hits: { total: { value: 10, relation: 'gte' } } }],
  [{ total: { value: 10, relation: 'gte' } }],
  [{ total: 10, total_relation: 'gte' }],
  [{ total: 10, total_is_lower_bound: true }],
  [{ total_count: '10+' }],
])('as far as the server counts, %j', (beside) => {
  test.each([refused, empty])("a list that it gives no further isn't the whole, %#", async (beyond) => {
    for (const type of ['offset', 'page']) {
      const options = { pagination: { type, limit, start: 0 } }
      const ended = await read(beside, { count: 23, most: 10, beyond }, options)
      expect(idsOf(ended)).toEqual(upTo(10))
      expect(said(ended)).toMatch(beyond === empty ? /ended after 10 of at least 11 items, as .*total/ : /answered 400/)
      expect(said(ended)).toContain('track_total_hits=true')
    }
  })

  test('one that goes on is read to its end', async () => {
    for (const count of [20, 23]) expectAll(await read(beside, { count }), count)
  })

  test('with total: false an empty page ends it', async () => {
    expectAll(await read(beside, { count: 10 }, { total: false }), 10)
  })
})

test('a bound that source.total names is one, too', async () => {
  const beside = { hits: { total: { value: 10, relation: 'gte' } } }
  const options = { items: 'items', total: 'hits.total.value' }
  expect(said(await read(beside, { count: 23, most: 10, beyond: refused }, options))).toMatch(/400.*track_total_hits/)
  expect((await read(beside, { count: 10 }, options)).error).toBeInstanceOf(TransientError)
  expectAll(await read(beside, { count: 23 }, options), 23)
  const exact = { hits: { total: { value: 20, relation: 'eq' } } }
  expectAll(await read(exact, { count: 20, beyond: refused }, options), 20)
})

test('an estimate ends no list, and may be wrong', async () => {
  for (const beside of [{ estimatedTotalHits: 10 }, { total: 10, total_was_estimated: true }, { total: '~10' }]) {
    expect(said(await read(beside, { count: 23, most: 10, beyond: refused }))).toContain('answered 400')
    expectAll(await read(beside, { count: 10 }), 10)
    expectAll(await read(beside, { count: 23 }), 23)
  }
  expectAll(await read({ estimatedTotalHits: 12 }, { count: 10 }), 10)
  expect(said(await read({ estimatedTotalHits: 21 }, { count: 10 }))).toMatch(/after 10 of about 21 items/)
})

test('an answer with a range of at least so many items', async () => {
  const server = await api((_, response) => json(response, cities(10), { 'content-range': 'items 0-9/10+' }))
  const whole = await readAll({ url: server.origin, pagination: { type: 'link' } }, { attempts: 1 })
  expect(said(whole)).toMatch(/after 10 of at least 11 items, as the header content-range says/)
})
