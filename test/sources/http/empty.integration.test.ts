/** An empty page whose status or headers say that it is a failure is no end of the list. */
import { describe, expect, test } from 'vitest'
import { TransientError } from '../../../src/errors/index.js'
import { api, cities, expectAll, idsOf, numberIn, queryOf, type Read, readAll, upTo } from './api.js'

interface Said {
  status?: number
  headers?: Record<string, string>
  /** Beside its list. */
  more?: object
}

/** Pages of 5, of which the third has nothing in it; there is more behind it. */
async function withEmpty(empty: Said & { body?: string }, good: Said = {}, options: object = {}): Promise<Read> {
  const server = await api((request, response) => {
    const page = numberIn(queryOf(request), 'page', 0)
    const { status = 200, headers = {}, more = {} } = page === 2 ? empty : good
    const data = page === 2 ? [] : cities(22).slice(page * 5, page * 5 + 5)
    const body = (page === 2 ? empty.body : undefined) ?? JSON.stringify({ ...more, data })
    response.writeHead(status, headers).end(status === 204 ? undefined : body)
  })
  const given = { url: server.origin, pagination: { limit: 5, start: 0 }, ...options }
  return readAll(given, { attempts: 1 })
}

const stale = { warning: '110 - "Response is Stale"' }
const dated = (hour: number): object => ({
  warning: `299 - "Deprecated API" "Sat, 28 Nov 2026 0${hour}:00:00 GMT"`,
})

describe('is asked for again', () => {
  test.each<[what: string, said: RegExp, empty: Said & { body?: string }, good?: Said]>([
    ['202', /its status is 202/, { status: 202 }],
    ['202 without a body', /.*/, { status: 202, body: '' }],
    ['203 with a Warning', /its status is 203/, { status: 203, headers: { warning: '214 - "Transformed"' } }],
    ['206 after 200', /its status is 206|more follows/, { status: 206 }],
    ['Warning', /the header warning is 110/, { headers: stale }],
    ['another Warning', /the header warning is 110/, { headers: stale }, { headers: { ...dated(1) } }],
    ['Retry-After', /the header retry-after is 30/, { headers: { 'retry-after': '30' } }],
    ['Retry-After with 204', /the header retry-after is 30/, { status: 204, headers: { 'retry-after': '30' } }],
    ['X-Error', /the header x-error is timeout/, { headers: { 'x-error': 'timeout' } }],
    [
      'X-Error-Code',
      /the header x-error-code is 17/,
      { headers: { 'x-error-code': '17' } },
      { headers: { 'x-error-code': '0' } },
    ],
    ['X-Degraded', /the header x-degraded is true/, { headers: { 'x-degraded': 'true' } }],
    [
      'a status further in',
      /job.status is pending/,
      { more: { job: { status: 'pending' } } },
      { more: { job: { status: 'done' } } },
    ],
    ['a fault further in', /backend.error is timeout/, { more: { backend: { error: 'timeout' } } }],
  ])('%s', async (_, said, empty, good) => {
    const read = await withEmpty(empty, good)
    expect(read.error).toBeInstanceOf(TransientError)
    expect(read.error).toMatchObject({ message: expect.stringMatching(said) })
    expect(idsOf(read)).toEqual(upTo(10))
  })

  test.each(['csv', 'ndjson'])('202 in %s', async (format) => {
    const server = await api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 0)
      const text = format === 'csv' ? `id,name,lat,lon\n${page},a,1,2\n` : `{"id":${page},"name":"a","lat":1,"lon":2}\n`
      response.writeHead(page === 2 ? 202 : 200).end(page === 2 ? '' : page > 3 ? '' : text)
    })
    const read = await readAll({ url: server.origin, format, pagination: { limit: 1, start: 0 } }, { attempts: 1 })
    expect(read.error).toMatchObject({ message: expect.stringMatching(/its status is 202/) })
    expect(read.locations).toHaveLength(2)
  })

  test('a first page, too, which may not be ready', async () => {
    for (const [status, headers] of [
      [202, {}],
      [200, { 'retry-after': '5' }],
    ] as const) {
      const server = await api((_, response) => response.writeHead(status, headers).end('{"data":[]}'))
      expect((await readAll({ url: server.origin }, { attempts: 1 })).error).toBeInstanceOf(TransientError)
    }
  })

  test('until it has something', async () => {
    let asked = 0
    const server = await api((request, response) => {
      const page = numberIn(queryOf(request), 'page', 0)
      const isReady = page !== 2 || ++asked > 2
      const data = isReady ? cities(22).slice(page * 5, page * 5 + 5) : []
      response.writeHead(isReady ? 200 : 202).end(JSON.stringify({ data }))
    })
    expectAll(await readAll({ url: server.origin, pagination: { limit: 5, start: 0 } }), 22)
  })
})

describe('but an end is one', () => {
  test.each<[what: string, empty: Said, good?: Said, options?: object]>([
    ['204', { status: 204 }],
    [
      '204 with the headers of the others',
      { status: 204, headers: { status: '204 No Content' } },
      { headers: { status: '200 OK' } },
    ],
    ['the status of the pages before', { status: 203 }, { status: 203 }],
    ['200 after 206', {}, { status: 206 }],
    ['the same Warning, of another time', { headers: { ...dated(2) } }, { headers: { ...dated(1) } }],
    ['no error', { headers: { 'x-error': '', 'x-error-code': '0', 'retry-after': '0' } }],
    ['a place further in', { more: { near: { state: 'TX' } } }, { more: { near: { state: 'NY' } } }],
    ['202, by configuration', { status: 202 }, {}, { pagination: { limit: 5, start: 0, end: 'empty' } }],
  ])('%s', async (_, empty, good, options) => {
    expectAll(await withEmpty(empty, good, options), 10)
  })
})

test('204 with a link to a next page goes on', async () => {
  const server = await api((request, response) => {
    const from = numberIn(queryOf(request), 'o', 0)
    const headers = from < 10 ? { link: `</?o=${from + 5}>; rel=next` } : {}
    const data = JSON.stringify(cities(15).slice(from, from + 5))
    response.writeHead(from === 5 ? 204 : 200, headers).end(from === 5 ? undefined : data)
  })
  const read = await readAll({ url: server.origin, pagination: { type: 'link' } }, { attempts: 1 })
  expect(read.error).toBeUndefined()
  expect(idsOf(read)).toEqual([0, 1, 2, 3, 4, 10, 11, 12, 13, 14])
})
