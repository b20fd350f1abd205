/** A page within a list that isn't what it should be: part of itself, a server's words, an odd end. */
import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { ResumePointError, TransientError } from '../../../src/errors/index.js'
import { api, type City, cities, expectAll, idsOf, numberIn, queryOf, type Read, readAll, upTo } from './api.js'

type Send = (response: ServerResponse, page: number, items: readonly City[]) => void

/** 23 places in pages of 5, from page 0. */
async function paged(send: Send, options: object = {}, resume?: string): Promise<Read> {
  const server = await api((request, response) => {
    const page = numberIn(queryOf(request), 'page', 0)
    send(response, page, cities(23).slice(page * 5, page * 5 + 5))
  })
  const given = { url: server.origin, pagination: { limit: 5, start: 0 }, ...options }
  return readAll(given, { attempts: 1, ...(resume !== undefined && { resume }) })
}

const json = (response: ServerResponse, body: unknown, status = 200, headers: Record<string, string> = {}): void => {
  response.writeHead(status, headers).end(JSON.stringify(body))
}

describe('what any page says is missing from it', () => {
  /** Page `at` has two places only, and says why. */
  const short =
    (at: number, said: object, { status = 200, all = {} } = {}): Send =>
    (response, page, items) =>
      page === at
        ? json(response, { data: items.slice(0, 2), ...said }, status)
        : json(response, { data: items, ...all })

  test.each<[what: string, send: Send]>([
    ['failed_sources', short(2, { failed_sources: ['EU'] })],
    ['failed_sources of the first page', short(0, { failed_sources: ['EU'] })],
    ['failed_sources of the last page, before an empty one', short(4, { failed_sources: ['EU'] })],
    ['skipped_rows', short(2, { skipped_rows: 3 })],
    ['partial', short(2, { partial: true })],
    ['partial, of the last page', short(4, { partial: true })],
    ['truncated', short(2, { truncated: true }, { all: { truncated: false } })],
    ['status', short(2, { status: 'partial' }, { all: { status: 'complete' } })],
    ['warnings', short(2, { warnings: ['results truncated'] })],
    ['206', short(2, {}, { status: 206 })],
    ['207', short(2, {}, { status: 207 })],
  ])('%s: the others come, but the list is not whole', async (_, send) => {
    const read = await paged(send)
    expect(read.error).toBeInstanceOf(TransientError)
    expect(read.error).toMatchObject({
      message: expect.stringMatching(/\(page \d\) says that (something is missing|more follows)/),
    })
    expect(read.locations.length).toBeGreaterThan(19)
  })

  test('a run that stops behind such a page reads the list from the start', async () => {
    const { batches } = await paged(short(2, { partial: true }))
    const server = await api((_, response) => json(response, []))
    for (const [batch, is] of [
      [1, false],
      [2, true],
      [3, true],
    ] as const) {
      const point = JSON.parse(batches[batch]?.resume ?? '{}')
      expect('doubt' in point, `batch ${batch}`).toBe(is)
    }
    const resume = batches[2]?.resume ?? ''
    expect((await readAll({ url: server.origin }, { resume })).error).toBeInstanceOf(ResumePointError)
  })

  test('where links are followed, no hint tells to follow none', async () => {
    const server = await api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 0)
      const next = page < 4 ? `/?page=${page + 1}` : null
      const data = cities(23).slice(page * 5, page * 5 + (page === 2 ? 2 : 5))
      json(response, { data, next, ...(page === 2 && { failed_sources: ['EU'] }) })
    })
    const read = await readAll({ url: server.origin, pagination: { type: 'link' } }, { attempts: 1 })
    expect(read.error).toMatchObject({
      message: expect.stringContaining('failed_sources'),
      hint: 'Look at the server.',
    })
    expect(read.locations).toHaveLength(20)
  })

  test.each<[what: string, send: Send, options?: object]>([
    ['full pages that say that there is more', (response, page, data) => json(response, { data, truncated: page < 4 })],
    ['206 throughout', (response, _, data) => json(response, { data }, 206)],
    ['206 on full pages behind the first', (response, page, data) => json(response, { data }, page > 0 ? 206 : 200)],
    [
      'a number that is reached',
      (response, page, data) => json(response, { data, total: 23, ...(page === 2 && { skipped_rows: 3 }) }),
    ],
    [
      'nothing, by configuration',
      (response, page, data) => json(response, { data, ...(page === 2 && { skipped_rows: 3 }) }),
      { next: false },
    ],
  ])('but not %s', async (_, send, options) => {
    expectAll(await paged(send, options), 23)
  })
})

describe('a page without anything like the places before it', () => {
  const inJson =
    (other: unknown): Send =>
    (response, page, data) =>
      json(response, page === 2 ? other : { data })
  const inLines =
    (other: string): Send =>
    (response, page, items) =>
      response.end(page === 2 ? other : items.map((item) => `${JSON.stringify(item)}\n`).join(''))
  const inCsv =
    (other: string): Send =>
    (response, page, items) =>
      response.end(
        page === 2
          ? other
          : `id,name,lat,lon\n${items.map(({ id, name, lat, lon }) => `${id},${name},${lat},${lon}\n`).join('')}`,
      )

  test.each<[what: string, send: Send, format?: string]>([
    ['a message', inJson({ data: [{ message: 'come back later' }] })],
    ['a status', inJson({ data: [{ status: 'busy', detail: 'come back later' }] })],
    ['text', inJson({ data: ['service busy'] })],
    ['nulls', inJson({ data: [null, null, null] })],
    ['nothing', inJson({ data: [{}] })],
    ['words', inLines('Please log in\n'), 'ndjson'],
    ['two lines', inLines('Oops!\nSomething went sideways.\n'), 'ndjson'],
    ['HTML', inLines('<p>Sorry</p>\n'), 'ndjson'],
    ['a message', inLines('{"message":"come back later"}\n'), 'ndjson'],
    ['null', inLines('null\n'), 'ndjson'],
    ['an empty list', inLines('[]\n'), 'ndjson'],
    ['an empty object', inLines('{}\n'), 'ndjson'],
    ['words', inCsv('id,name,lat,lon\nservice is being upgraded\n'), 'csv'],
  ])('%s: a failure', async (_, send, format) => {
    const read = await paged(send, { format })
    expect(read.error).toBeInstanceOf(TransientError)
    expect(read.error).toMatchObject({ hint: expect.stringContaining('source.pagination.end to empty') })
    expect(read.locations).toHaveLength(10)
    // The way out for servers that end their lists so.
    const ended = await paged(send, { format, pagination: { limit: 5, start: 0, end: 'empty' } })
    expect(ended.error).toBeUndefined()
    expect(ended.locations).toHaveLength(10)
  })

  test.each<[what: string, send: Send, format?: string]>([
    ['without coordinates', inJson({ data: [{ id: 90, name: 'A', lat: null, lon: null }] })],
    ['with wrong ones', inJson({ data: [{ id: 90, name: 'A', lat: 'x', lon: 'y' }] })],
    ['that is cut', inLines('{"id":90,"name":"A\n'), 'ndjson'],
    ['with a comma in its name', inCsv('id,name,lat,lon\n90,A,MD,1,2\n'), 'csv'],
    ['without coordinates', inCsv('id,name,lat,lon\n90,A,,\n'), 'csv'],
  ])('but a place %s is rejected as ever', async (_, send, format) => {
    const read = await paged(send, { format })
    expect(read.error).toBeUndefined()
    expect(read.locations).toHaveLength(19)
  })

  test('but a line of sums that every page has is rejected as ever', async () => {
    const read = await paged(
      (response, _, items) =>
        response.end([...items, { rows: items.length }].map((item) => `${JSON.stringify(item)}\n`).join('')),
      { format: 'ndjson' },
    )
    expect(read.error).toBeUndefined()
    expect(read.locations.filter((each) => !('rows' in each))).toHaveLength(23)
  })

  test.each([
    ['csv', 'id,name,lat,lon\n'],
    ['csv', ''],
    ['ndjson', ''],
  ])('nor is an empty page of %s', async (format, end) => {
    const read = await paged(format === 'csv' ? inCsv(end) : inLines(end), { format })
    expect(read.error).toBeUndefined()
    expect(read.locations).toHaveLength(10)
  })
})

describe('an empty page', () => {
  const empty =
    (said: object, headers: Record<string, string> = {}, good: Record<string, string> = {}): Send =>
    (response, page, data) =>
      page === 2 ? json(response, { data: [], ...said }, 200, headers) : json(response, { data }, 200, good)

  test.each<[what: string, send: Send]>([
    ['Please log in', empty({ message: 'Please log in' })],
    ['You are not logged in', empty({ message: 'You are not logged in' })],
    ['No permission', empty({ message: 'No permission' })],
    ['Your results are being prepared', empty({ message: 'Your results are being prepared' })],
    ['Slow down', empty({ message: 'Slow down' })],
    ['Your subscription has ended', empty({ message: 'Your subscription has ended' })],
    ['gRPC', empty({}, { 'grpc-status': '14' }, { 'grpc-status': '0' })],
    ['AWS', empty({}, { 'x-amzn-errortype': 'ThrottlingException' })],
    ['a gateway', empty({}, { 'x-upstream-status': '504' }, { 'x-upstream-status': '200' })],
  ])('that says so is a failure: %s', async (_, send) => {
    const read = await paged(send)
    expect(read.error).toBeInstanceOf(TransientError)
    expect(idsOf(read)).toEqual(upTo(10))
  })

  test.each<[what: string, send: Send]>([
    ['a message', empty({ message: 'No more stations' })],
    ['none', empty({ message: 'Keine weiteren Stationen' })],
    ['no page', empty({ message: 'Page 3 is beyond the last one' })],
    ['a cache', empty({}, { 'x-cache-status': 'MISS' }, { 'x-cache-status': 'HIT' })],
    ['a cache by another name', empty({}, { 'x-cdn-status': 'MISS' }, { 'x-cdn-status': 'HIT' })],
  ])('that says that it is the end is one: %s', async (_, send) => {
    expectAll(await paged(send), 10)
  })

  const redirected =
    (every: boolean): Send =>
    (response, page, data) =>
      every || page === 2
        ? response.writeHead(302, { location: `/login?page=${page}` }).end()
        : json(response, { data })

  test('to which a redirect led is a failure, if none led to the others', async () => {
    const server = await api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 0)
      if (request.url?.startsWith('/login')) return json(response, { data: [] })
      redirected(false)(response, page, cities(23).slice(page * 5, page * 5 + 5))
    })
    const read = await readAll({ url: server.origin, pagination: { limit: 5, start: 0 } }, { attempts: 1 })
    expect(read.error).toMatchObject({ message: expect.stringContaining('it was redirected to /login') })
    expect(idsOf(read)).toEqual(upTo(10))
  })

  test('and the end, if all pages are redirected', async () => {
    const server = await api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 0)
      if (request.url?.startsWith('/login'))
        return json(response, { data: page < 2 ? cities(10).slice(page * 5, page * 5 + 5) : [] })
      redirected(true)(response, page, [])
    })
    expectAll(await readAll({ url: server.origin, pagination: { limit: 5, start: 0 } }, { attempts: 1 }), 10)
  })
})

test('an empty page is the end if a redirect led to another server, or to a slash, of the same list', async () => {
  for (const to of ['/node2/list', '/list/']) {
    const server = await api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 0)
      if (page === 2 && request.url?.startsWith('/list?'))
        return response.writeHead(302, { location: `${to}?page=2` }).end()
      json(response, { data: cities(10).slice(page * 5, page * 5 + 5) })
    })
    const given = { url: `${server.origin}/list`, pagination: { limit: 5, start: 0 } }
    expectAll(await readAll(given, { attempts: 1 }), 10)
  }
})

test('a list that has fewer pages in the middle of a read is told', async () => {
  let asked = 0
  const server = await api((request, response) => {
    const page = numberIn(queryOf(request), 'page', 0)
    const list = ++asked > 3 ? cities(23).slice(4) : cities(23)
    json(response, { data: list.slice(page * 5, page * 5 + 5), total_pages: Math.ceil(list.length / 5) })
  })
  const read = await readAll({ url: server.origin, pagination: { limit: 5, start: 0 } }, { attempts: 1 })
  expect(read.error).toBeUndefined()
  expect(read.warnings).toMatchObject([{ fields: { event: 'total-changed', before: 5, now: 4 } }])
})
