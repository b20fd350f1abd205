/** Tables page by page: rows of JSON, CSV and NDJSON, with a header in each page, in the first one, or in none. */
import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, TransientError } from '../../../src/errors/index.js'
import { api, cities, expectAll, idsOf, json, numberIn, queryOf, type Read, readAll, upTo } from './api.js'

const header = ['id', 'name', 'lat', 'lon']
const rowsOf = (count: number): unknown[][] => cities(count).map(({ id, name, lat, lon }) => [id, name, lat, lon])

interface Served {
  /** Rows in all. */
  count: number
  /** What an answer says beside its rows. */
  beside?: object
  /** The header of each page but the first. */
  later?: unknown[][]
  /** How a page is written whose rows would be none. */
  beyond?: (response: ServerResponse) => void
}

/** Rows in pages of 10, by number from 0 or by offset, with a header in the first page. */
const rowsServer = ({ count, beside = {}, later = [header], beyond }: Served) =>
  api((request, response) => {
    const query = queryOf(request)
    const from = query.has('offset') ? numberIn(query, 'offset', 0) : numberIn(query, 'page', 0) * 10
    const rows = rowsOf(count).slice(from, from + 10)
    if (rows.length === 0 && beyond) beyond(response)
    else json(response, { ...beside, data: [...(from === 0 ? [header] : later), ...rows] })
  })

const inRows = (url: string, pagination: object, more: object = {}): Promise<Read> =>
  readAll({ url, layout: 'rows', pagination: { limit: 10, ...pagination }, ...more }, { attempts: 1 })

describe('the header of rows is no item', () => {
  const ways = [{ type: 'page', start: 0 }, { type: 'page' }, { type: 'offset' }]
  test.each(ways)('in each page, $type from $start: all come, with a total and without', async (way) => {
    for (const count of [9, 10, 25, 99, 100])
      for (const beside of [{ total: count }, {}]) {
        const server = await rowsServer({ count, beside })
        expectAll(await inRows(server.origin, way), count)
      }
  })

  test('in each page, under names of its own, with spaces, or beside columns without a name', async () => {
    const named = await rowsServer({ count: 35, beside: { total: 35 } })
    expectAll(await inRows(named.origin, { start: 0 }, { header: ['id', 'city', 'latitude', 'longitude'] }), 35)
    const server = await api((request, response) => {
      const offset = numberIn(queryOf(request), 'offset', 0)
      const rows = rowsOf(35).slice(offset, offset + 10)
      json(response, { total: 35, data: [[' id', 'name ', 'lat', 'lon', null], ...rows.map((row) => [...row, 'x'])] })
    })
    expectAll(await inRows(server.origin, { type: 'offset' }), 35)
  })

  test('in the first page only', async () => {
    for (const count of [25, 30])
      for (const beside of [{ total: count }, {}])
        for (const way of ways) {
          const server = await rowsServer({ count, beside, later: [] })
          expectAll(await inRows(server.origin, way), count)
        }
  })

  test('and nothing but a header is an empty page', async () => {
    const none = await rowsServer({ count: 0 })
    const read = await inRows(none.origin, { start: 0 })
    expect(read).toMatchObject({ error: undefined, locations: [] })
    expect(read.warnings).toMatchObject([{ fields: { event: 'page-empty' } }])
    // Where there are more, it is no end.
    const short = await rowsServer({ count: 20, beside: { total: 25 } })
    expect((await inRows(short.origin, { start: 0 })).error).toBeInstanceOf(TransientError)
    const degraded = await api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 0)
      json(response, page === 2 ? { data: [header], state: 'degraded' } : { data: [header, ...rowsOf(10 * page + 10)] })
    })
    expect((await inRows(degraded.origin, { start: 0 })).error).toBeInstanceOf(TransientError)
  })

  test('a short page is one with fewer items, and a page that is not there ends a list behind such a one', async () => {
    const short = await rowsServer({ count: 39, beyond: (response) => response.writeHead(500).end() })
    expectAll(await inRows(short.origin, { start: 0, end: 'short' }), 39)
    for (const count of [25, 29, 30]) {
      const gone = await rowsServer({ count, beyond: (response) => response.writeHead(404).end() })
      const read = await inRows(gone.origin, { start: 0 })
      expect(idsOf(read)).toEqual(upTo(count))
      expect(read.error === undefined, `${count} items`).toBe(count < 30)
    }
  })

  test('but a full first page that says nothing of a next one may have it among the items', async () => {
    for (const rows of [9, 10]) {
      const server = await api((_, response) => json(response, { data: [header, ...rowsOf(rows)] }))
      expect((await inRows(server.origin, { type: 'cursor' })).error).toMatchObject({
        message: expect.stringContaining('is full, but says nothing of a next one'),
      })
      // Nor is a page that isn't there the end of it.
      const gone = await api((request, response) =>
        queryOf(request).get('page') === '0'
          ? json(response, { data: [header, ...rowsOf(rows)] })
          : response.writeHead(404).end(),
      )
      expect((await inRows(gone.origin, { start: 0 })).error).toBeInstanceOf(ConfigurationError)
    }
  })

  test('pages are told apart by their items', async () => {
    // The last row of each page is the same.
    const server = await api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 0)
      const rows = rowsOf(20).slice(page * 9, page * 9 + 9)
      json(response, { data: [header, ...rows, ...(rows.length > 0 ? [[99, 'last', 1, 2]] : [])] })
    })
    const read = await inRows(server.origin, { start: 0 })
    expect(read.error).toBeUndefined()
    expect(read.locations).toHaveLength(23)
  })

  test('positions count items', async () => {
    const server = await rowsServer({ count: 20, beside: { total: 20 } })
    const { batches } = await inRows(server.origin, { type: 'offset' })
    expect(batches.map((batch) => batch.position(0))).toEqual(['item 1', 'item 11'])
  })

  test('an answer in one page has as many items as its total says, and no more', async () => {
    const server = await api((_, response) => json(response, { total: 5, data: [header, ...rowsOf(4)] }))
    const read = await inRows(server.origin, { type: 'link' })
    expect(read.error).toMatchObject({ message: expect.stringContaining('ended after 4 of 5 items') })
  })
})
