/** A list that may be half of itself isn't taken for the whole. */
import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, ResumePointError, TransientError } from '../../../src/errors/index.js'
import { api, cities, expectAll, idsOf, json, numberIn, queryOf, type Read, readAll, upTo } from './api.js'

const items = cities(20)

/** One answer to everything. */
async function answered(body: unknown, headers: Record<string, string> = {}, options: object = {}): Promise<Read> {
  const server = await api((_, response) => json(response, body, headers))
  return readAll({ url: server.origin, pagination: { type: 'link' }, ...options }, { attempts: 1 })
}

const said = ({ error }: Read): string =>
  error instanceof ConfigurationError || error instanceof TransientError ? `${error.message} ${error.hint}` : ''

describe('what an answer says of more than is read', () => {
  test.each<[sign: string, more: object]>([
    ['nextPageToken', { nextPageToken: 'abc' }],
    ['nextCursor', { nextCursor: 'abc' }],
    ['next_page', { next_page: 2 }],
    ['meta.next_cursor', { meta: { next_cursor: 'abc' } }],
    ['nextOffset', { nextOffset: 20 }],
    ['next', { next: { page: 2 } }],
    ['paging.next', { paging: { next: 2 } }],
    ['paging.after', { paging: { after: 'abc' } }],
    ['continuation', { continuation: 'abc' }],
    ['offset', { offset: 'itr/rec' }],
    ['truncated', { truncated: true }],
    ['isTruncated', { isTruncated: 'true' }],
    ['items_truncated', { items_truncated: true }],
    ['results_were_limited', { results_were_limited: true }],
    ['row_limit_exceeded', { row_limit_exceeded: true }],
    ['maxRecordsReached', { maxRecordsReached: true }],
    ['truncated', { truncated: { '#text': 'true' } }],
    ['partial', { partial: true }],
    ['isLast', { isLast: false }],
    ['meta.moreAvailable', { meta: { moreAvailable: true } }],
    ['endOfRecords', { endOfRecords: false }],
    ['paging.cursorNext', { paging: { cursorNext: 'abc' } }],
    ['warnings', { warnings: ['Results limited to 20 rows'] }],
    ['message', { message: 'Only the first 20 results are shown.' }],
    ['status', { status: 'PARTIAL' }],
  ])('%s: not whole', async (sign, more) => {
    const read = await answered({ items, ...more })
    expect(said(read)).toMatch(sign)
    expect(read.error).toBeInstanceOf(ConfigurationError)
    expect(await answered({ items, ...more }, {}, { next: false })).toMatchObject({ error: undefined })
    const byCursor = await answered({ items, ...more }, {}, { pagination: { type: 'cursor', limit: 50 } })
    expect(byCursor.error).toBeInstanceOf(ConfigurationError)
  })

  test.each<[sign: string, more: object]>([
    ['count', { count: 25 }],
    ['found', { found: '>20' }],
    ['opensearch:totalResults', { 'opensearch:totalResults': { '#text': '25' } }],
    ['20 of 25 items', { totalResults: { $t: '25' } }],
    ['20 of 25 items', { totalResults: { _: '25', $: { type: 'int' } } }],
    ['20 of 25 items', { meta: { stats: { count: 20, totalCount: 25 } } }],
    ['totalSize', { totalSize: 25 }],
    ['of 1250 items', { total_rows: '1,250' }],
    ['estimatedTotalHits', { estimatedTotalHits: 25 }],
    ['meta.total', { meta: { total: { value: 25 } } }],
    ['count_total', { count_total: 25 }],
    ['page.of', { page: { number: 1, of: 3 } }],
    ['something is missing: failed_sources', { failed_sources: ['EU'] }],
    ['items, as pagination.totalItemCount', { pagination: { totalItemCount: 25 } }],
    ['pages, as pages', { page: 1, pages: 3 }],
    ['1 of 3 pages', { total_pages: 3 }],
  ])('%s: not whole', async (sign, more) => {
    const read = await answered({ items, ...more })
    expect(said(read)).toMatch(sign)
    expect(read.error).toBeInstanceOf(TransientError)
    // What was read is kept, but no start takes it for the end of the list.
    expect(idsOf(read)).toEqual(upTo(20))
    expect(await answered({ items, ...more }, {}, { total: false, next: false })).toMatchObject({ error: undefined })
  })

  test.each<[header: string, value: string]>([
    ['x-total', '25'],
    ['x-total-pages', '3'],
    ['x-next-page', '2'],
    ['x-wp-totalpages', '3'],
    ['content-range', 'items 0-19/25'],
    ['x-truncated', 'true'],
    ['x-pagination', '{"TotalItems":25}'],
    ['x-next-cursor', 'abc='],
    ['fiware-total-count', '25'],
    ['ngsild-results-count', '25'],
    ['ogc-numbermatched', '25'],
    ['opc-next-page', 'abc'],
    ['acme-has-more', 'true'],
    ['paging-headers', '{"totalCount":25,"totalPages":3,"nextPage":"Yes"}'],
    ['x-paging-total-count', '25'],
    ['x-paging-page-count', '3'],
    ['x-pagination', 'total=25; page=1; perPage=20'],
  ])('the header %s: %s', async (header, value) => {
    expect(said(await answered(items, { [header]: value }))).toMatch(header)
    const csv = await api((_, response) => response.writeHead(200, { [header]: value }).end('name,lat,lon\na,1,2\n'))
    expect(said(await readAll({ url: csv.origin, format: 'csv', pagination: { type: 'link' } }))).toMatch(header)
  })

  test.each<[what: string, body: object, headers?: Record<string, string>]>([
    ['counts that are reached', { items, count: 20, total: 20, pages: 1, size: 100, per_page: 100 }],
    ['a count of the page', { items, count: 20, numberReturned: 20, page: 1, limit: 50 }],
    [
      'nothing that follows',
      { items, next: null, next_cursor: '', nextPage: 0, meta: { next_cursor: '0', has_more: false } },
    ],
    ['cursors without more', { items, paging: { cursors: { before: 'a', after: 'b' } } }],
    ['a last page', { items, last: true, done: true, endOfRecords: true, truncated: false, next: {} }],
    ['a cursor that is there always', { items, pageInfo: { hasNextPage: false, endCursor: 'b' } }],
    [
      'what is no sign',
      { items, nextUpdate: '2026-11-27', nextSyncToken: 'a', more_info: 'https://example.org', stats: { count: 99 } },
    ],
    ['what a server says', { items, message: 'all is well', info: { notes: ['limited edition'] }, status: 'complete' }],
    [
      'members that only resemble signs',
      { items, meta: { stats: { hits: 99, sensors: 40 } }, limits: { maxrows: 99 } },
    ],
    [
      'headers that count something else',
      { items },
      {
        ...{ 'x-ratelimit-total-count': '99', 'x-rate-limit-limit': '99', 'x-sensors-total-count': '99' },
        ...{ 'x-cache-hits': '99', 'x-request-count': '99', 'x-retry-total-count': '99', 'x-csrf-token': 'abc' },
        ...{ nel: '{"report_to":"a","max_age":99}', 'x-sparql-maxrows': '99', 'x-ratelimit': '{"total":99}' },
      },
    ],
    ['places with such words', { result: { items: items.map((item) => ({ ...item, note: 'partial' })), info: {} } }],
    ['a range of bytes', { items }, { 'content-range': 'bytes 0-99/2000' }],
    ['places with such keys', { items: items.map((item) => ({ ...item, next: 'x', count: 99, truncated: true })) }],
  ])('%s: whole', async (_, body, headers = {}) => {
    expectAll(await answered(body, headers), 20)
  })

  test('a full page that says that nothing follows is the whole list', async () => {
    for (const type of ['link', 'cursor'])
      expectAll(await answered({ items, next: null }, {}, { pagination: { type, limit: 20 } }), 20)
  })

  test('a run that ended so is read from the start by the next start, not taken for whole', async () => {
    const read = await answered({ items, pages: 3 })
    const server = await api((_, response) => json(response, { items, pages: 3 }))
    const { error, batches } = await readAll({ url: server.origin, pagination: { type: 'link' } })
    expect(error).toBeInstanceOf(TransientError)
    const again = await readAll(
      { url: server.origin, pagination: { type: 'link' } },
      { resume: batches.at(-1)?.resume ?? '' },
    )
    expect(again.error).toBeInstanceOf(ResumePointError)
    expect(read.locations).toHaveLength(20)
  })

  test('one answer of 20, 50, 100 or 1000 items that says nothing is told', async () => {
    const round = await answered(cities(1000))
    expect(round).toMatchObject({
      error: undefined,
      warnings: [{ message: expect.stringMatching(/exactly 1000 items/) }],
    })
    expect((await answered(cities(1000), {}, { total: false })).warnings).toEqual([])
    expect((await answered(cities(999))).warnings).toEqual([])
    for (const told of [{ total: 1000 }, { next: null }, { has_more: false }, { pages: 1 }])
      expect((await answered({ items: cities(1000), ...told })).warnings).toEqual([])
  })
})

test('206 without a range says that more follows, where nothing leads on', async () => {
  const server = await api((_, response) => response.writeHead(206).end(JSON.stringify(items)))
  const read = (options: object): Promise<Read> => readAll({ url: server.origin, ...options }, { attempts: 1 })
  expect(said(await read({ pagination: { type: 'link' } }))).toMatch(/more follows.*206 Partial Content/)
  expectAll(await read({ pagination: { type: 'link' }, next: false }), 20)
  const paged = await api((request, response) => {
    const page = numberIn(queryOf(request), 'page', 0)
    response.writeHead(206).end(JSON.stringify(page === 0 ? items : []))
  })
  expectAll(await readAll({ url: paged.origin, pagination: { start: 0 } }, { attempts: 1 }), 20)
})

test('a list of places and others in GeoJSON is the one of its features', async () => {
  const features = items.map(({ id, name, lat, lon }) => ({
    type: 'Feature',
    id,
    properties: { name },
    geometry: { type: 'Point', coordinates: [lon, lat] },
  }))
  const body = {
    '@context': ['https://example.org/context', { '@version': '1.1' }],
    type: 'FeatureCollection',
    features,
  }
  expectAll(await answered(body, {}, { total: false }), 20)
})

test('a first page with a page before it is not the first', async () => {
  for (const flag of [{ first: false }, { pagination: { hasPrevious: true } }]) {
    const server = await api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 0)
      json(response, { items: cities(30).slice(page * 10, page * 10 + 10), ...(page === 0 ? {} : flag) })
    })
    const read = (start: number): Promise<Read> =>
      readAll({ url: server.origin, pagination: { limit: 10, start } }, { attempts: 1 })
    expect((await read(1)).error).toMatchObject({
      message: expect.stringMatching(/there is a page before it: (first is false|pagination\.hasPrevious is true)/),
      hint: 'Set source.pagination.start to 0.',
    })
    expectAll(await read(0), 30)
    expect(idsOf(await read(2))).toHaveLength(10)
  }
})

/** Pages of 10 by number from 0; page 2 is another one. */
async function withPage(other: unknown, good: object = {}, options: object = {}): Promise<Read> {
  const server = await api((request, response) => {
    const page = numberIn(queryOf(request), 'page', 0)
    if (page === 2) return typeof other === 'function' ? other(response) : json(response, other)
    json(response, { ...good, items: cities(50).slice(page * 10, page * 10 + 10) })
  })
  return readAll({ url: server.origin, pagination: { limit: 10, start: 0 }, ...options }, { attempts: 1 })
}

describe('an empty page that is a failure', () => {
  test.each<[what: string, other: object, good: object]>([
    ['ok: 0', { ok: 0, items: [] }, { ok: 1 }],
    ['another status in meta', { items: [], meta: { status: 'throttled' } }, { meta: { status: 'success' } }],
    ['a status of its own', { items: [], state: 'degraded' }, {}],
    ['another code', { items: [], code: 1042 }, { code: 0 }],
    ['a warning', { items: [], warning: 'partial result' }, {}],
    ['warnings', { items: [], warnings: ['took too long'] }, { warnings: [] }],
    ['a flag', { items: [], timedOut: true }, { timedOut: false }],
    ['a message', { items: [], message: 'Rate limit exceeded' }, { message: '' }],
    ['what was not there before', { items: [], retry_after: 30 }, {}],
    ['a flag that was not', { items: [], authenticated: false }, {}],
    ['a flag that turns', { items: [], healthy: false }, { healthy: true }],
    ['null', { items: null }, {}],
    ['timed_out', { items: [], timed_out: true }, {}],
    ['failed shards', { items: [], _shards: { failures: [{ reason: 'x' }] } }, { _shards: { failures: [] } }],
    ['nothing', {}, {}],
  ])('%s', async (_, other, good) => {
    const read = await withPage(other, good)
    expect(read.error).toBeInstanceOf(TransientError)
    expect(idsOf(read)).toEqual(upTo(20))
  })

  test.each<[what: string, other: object, good: object, options?: object]>([
    ['no more', { items: [], message: 'no more results' }, { message: 'fine' }],
    ['another good status', { items: [], status: 'ZERO_RESULTS' }, { status: 'OK' }],
    [
      'flags of pages',
      { items: [], empty: true, first: false, noData: true, hasPrevious: true },
      { empty: false, first: true },
    ],
    ['as before', { items: [], warning: 'deprecated', code: 7 }, { warning: 'deprecated', code: 7 }],
    ['numbers of its own', { items: [], page: 2, took: 5, request_id: 'x' }, { page: 0, took: 3 }],
    ['null, by configuration', { items: null }, {}, { pagination: { limit: 10, end: 'empty' } }],
    ['what `ok` names', { items: [], state: 'over' }, { state: 'on' }, { ok: { state: ['on', 'over'] } }],
  ])('but an end is one: %s', async (_, other, good, options) => {
    expectAll(await withPage(other, good, options), 20)
  })

  // No double holds it: a plain JSON.stringify of it throws.
  const long = '1161888007138312193'
  test.each<[what: string, body: string, options?: object]>([
    ['where `ok` looks', `{"items":[],"state":${long}}`, { ok: { state: 7 } }],
    ['in an error', `{"error":{"trace":[${long}],"of":{"id":${long}}}}`],
    ['in a message alone', `[{"message":${long}}]`],
    ['in warnings', `{"items":[],"warnings":[${long}],"errors":[{"id":${long}}]}`],
  ])('a long number %s is told, and no fault of owm', async (_, body, options) => {
    const read = await withPage((response: ServerResponse) => response.end(body), { state: 7 }, options)
    expect(read.error).toMatchObject({ message: expect.stringContaining(long) })
    expect(read.error).not.toBeInstanceOf(TypeError)
    expect(idsOf(read)).toEqual(upTo(20))
  })

  const lines = (text: string) => (response: ServerResponse) => response.end(text)
  test.each<[what: string, format: string, page: string]>([
    ['an error as the last line', 'ndjson', '{"name":"a","lat":1,"lon":2}\n{"error":"timeout after 100 rows"}\n'],
    ['nothing but an error', 'ndjson', '{"error":"timeout"}\n'],
    ['an error as the last line', 'csv', 'name,lat,lon\na,1,2\nERROR: canceling statement due to timeout\n'],
    ['nothing but an error', 'csv', 'ERROR: canceling statement due to timeout\n'],
    ['JSON', 'csv', '{"error": "quota"}'],
  ])('%s in %s', async (_, format, page) => {
    const first = format === 'csv' ? 'name,lat,lon\nb,1,2\n' : '{"name":"b","lat":1,"lon":2}\n'
    const server = await api((request, response) => {
      const number = numberIn(queryOf(request), 'page', 0)
      lines(number === 0 ? first : number === 1 ? page : '')(response)
    })
    const read = await readAll({ url: server.origin, format, pagination: { limit: 1, start: 0 } }, { attempts: 1 })
    expect(read.error).toBeInstanceOf(TransientError)
    expect(read.locations).toHaveLength(1)
  })

  test('an error as the last item of JSON; but one that is about its item is rejected alone', async () => {
    expect((await answered([...items, { error: 'timeout' }])).error).toBeInstanceOf(TransientError)
    expect((await answered([...items, { id: 20, error: 'no coordinates' }])).error).toBeUndefined()
  })
})

describe('where a list ends', () => {
  /** A server that never gives more than 10. */
  const capped = (count: number, beyond: (response: ServerResponse, last: object[]) => void) =>
    api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 0)
      const part = cities(count).slice(page * 10, page * 10 + 10)
      if (part.length > 0) json(response, part)
      else beyond(response, cities(count).slice(0, 10))
    })

  test.each<[what: string, beyond: (response: ServerResponse, last: object[]) => void]>([
    ['is empty', (response) => json(response, [])],
    ['is not there', (response) => response.writeHead(404).end()],
  ])('with end: short a server that gives fewer than asked for is asked again, until a page %s', async (_, beyond) => {
    for (const count of [7, 10, 25, 30]) {
      const server = await capped(count, beyond)
      const end = count === 30 ? {} : { end: 'short' }
      const read = await readAll({ url: server.origin, pagination: { limit: 1000, start: 0, ...end } }, { attempts: 1 })
      if (count !== 30 || read.error === undefined) expectAll(read, count)
      else expect(read.error).toBeInstanceOf(ConfigurationError) // a full page, and none behind it: it might go on
    }
  })

  test('with end: short a server that gives the same page for ever is told', async () => {
    const server = await api((_, response) => json(response, cities(10)))
    const read = await readAll({ url: server.origin, pagination: { limit: 1000, end: 'short', start: 0 } })
    expectAll(read, 10)
    expect(read.warnings).toMatchObject([{ message: expect.stringMatching(/first page again and again/) }])
  })

  test('a page that is not there, in the middle of a list of short pages, is no end', async () => {
    const server = await api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 0)
      if (page === 2) response.writeHead(404).end()
      else json(response, cities(50).slice(page * 10, page * 10 + 10))
    })
    const url = server.origin
    expect((await readAll({ url, pagination: { limit: 50, start: 0 } })).error).toBeInstanceOf(ConfigurationError)
  })

  test.each<[what: string, result: object, options: object, error: unknown, most: number]>([
    ['with its total', { total: 25 }, {}, undefined, 4],
    ['without, where an empty page is the end', {}, { end: 'empty' }, undefined, 4],
    ['without', {}, {}, expect.any(ConfigurationError), 20],
  ])("a next link without an end, as CKAN's: %s", async (_, result, options, error, most) => {
    const server = await api((request, response) => {
      const offset = numberIn(queryOf(request), 'offset', 0)
      const records = cities(25).slice(offset, offset + 10)
      json(response, { success: true, result: { ...result, records, _links: { next: `/?offset=${offset + 10}` } } })
    })
    const read = await readAll({ url: server.origin, pagination: { type: 'link', ...options } })
    expect(read.error).toEqual(error)
    expect(idsOf(read)).toEqual(upTo(25))
    expect(server.asked.length).toBeLessThanOrEqual(most)
  })

  test('maxPages keeps all pages that it allows; where it is raised, the next start goes on behind them', async () => {
    const server = await api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 0)
      json(response, cities(60).slice(page * 10, page * 10 + 10))
    })
    const options = { url: server.origin, pagination: { limit: 10, start: 0 } }
    const read = await readAll({ ...options, maxPages: 4 })
    expect(read.error).toBeInstanceOf(ConfigurationError)
    expect(idsOf(read)).toEqual(upTo(40))
    expect(server.asked).toHaveLength(4)
    const resume = read.batches.at(-1)?.resume ?? ''
    const again = await readAll({ ...options, maxPages: 4 }, { resume })
    expect(again).toMatchObject({ error: expect.any(ConfigurationError), locations: [] })
    const rest = await readAll({ ...options, maxPages: 10 }, { resume })
    expect(rest.error).toBeUndefined()
    expect(idsOf(rest)).toEqual(upTo(60).slice(40))
  })
})
