/** Answers of servers as they really are, asked for by the built owm. */
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import type { ProduceResult } from '../../../src/commands/produce.js'
import { owmJson, type Ran, temporaryFolder } from '../../support/cli.js'

type Produced = Ran & { json: ProduceResult & { error?: { code: string; message: string; hint: string } } }
type Handler = (query: URLSearchParams, response: ServerResponse, headers: IncomingHttpHeaders) => void

interface Api {
  readonly origin: string
  readonly asked: string[]
}

async function api(handler: Handler): Promise<Api> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://127.0.0.1')
    asked.push(url.search.slice(1))
    handler(url.searchParams, response, request.headers)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return { origin: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, asked }
}

const send = (response: ServerResponse, body: unknown, headers: Record<string, string> = {}, status = 200): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

const place = (id: number): object => ({ id, name: `p${id}`, lat: 1, lon: id + 1 })
const placesOf = (count: number): object[] => Array.from({ length: count }, (_, index) => place(index))

/** Page `page` (from 0) of a list. */
const part = (list: readonly object[], page: number, limit: number): readonly object[] =>
  list.slice(page * limit, (page + 1) * limit)

async function produce(source: Record<string, unknown>): Promise<Produced & { cities: string[] }> {
  const cwd = await temporaryFolder()
  const config = {
    source: { use: 'http', ...source },
    sink: { use: 'jsonl', path: 'tasks.jsonl' },
    outbox: { path: 'outbox.db' },
    retry: { attempts: 2, initialDelayMs: 1, maxDelayMs: 1 },
  }
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(config))
  const ran: Produced = await owmJson(['produce', '--slot', '2026-11-23T00:00:00Z'], { cwd })
  const text = await readFile(join(cwd, 'tasks.jsonl'), 'utf8').catch(() => '')
  const cities = text
    .split('\n')
    .slice(0, -1)
    .map((line): string => JSON.parse(line).city)
  return { ...ran, cities }
}

const all = (count: number): string[] => Array.from({ length: count }, (_, index) => `p${index}`)

// --- errors with status 200 ---

test.each<[what: string, body: object, says: RegExp]>([
  [
    'a status',
    { status: 'OVER_QUERY_LIMIT', error_message: 'You have exceeded your quota.', results: [] },
    /OVER_QUERY_LIMIT: You have exceeded your quota/,
  ],
  ['an error', { error: { code: 17, message: 'try later' }, results: [] }, /try later/],
  ['errors', { errors: [{ detail: 'no more' }], results: [] }, /no more/],
  ['success: false', { success: false, message: 'busy', results: [] }, /busy/],
  ['a code', { cod: '429', message: 'slow down', results: [] }, /429: slow down/],
])('an error with status 200 ends no list: %s', async (_, body, says) => {
  const list = placesOf(10)
  const server = await api((query, response) => {
    const page = Number(query.get('page'))
    send(response, page === 2 ? body : { status: 'OK', error: null, errors: [], results: part(list, page, 2) })
  })
  const ran = await produce({ url: server.origin, pagination: { limit: 2 } })
  expect(ran.code).toBe(75)
  expect(ran.json.error?.message).toMatch(says)
  expect(ran.cities).toEqual(all(4))
})

test('what a good answer is, `ok` says', async () => {
  const server = await api((query, response) =>
    send(response, query.get('page') === '0' ? { state: 'fine', data: placesOf(2) } : { state: 'tired', data: [] }),
  )
  const ran = await produce({ url: server.origin, pagination: { limit: 2 }, ok: { state: ['fine', 'well'] } })
  expect(ran).toMatchObject({ code: 75, json: { error: { message: expect.stringMatching(/state is "tired"/) } } })
})

test('a first page that is empty is told, and no success', async () => {
  const server = await api((_, response) => send(response, { data: [], meta: null }))
  const ran = await produce({ url: server.origin, pagination: { limit: 5000 } })
  expect(ran.code).toBe(65)
  expect(ran.stderr).toMatch(/first page of .* is empty/)
  expect(await produce({ url: server.origin, minLocations: 0 })).toMatchObject({ code: 0 })
})

// --- links ---

test.each<[what: string, pagination: object]>([
  ['by themselves', {}],
  ['with type: link', { pagination: { type: 'link' } }],
])('the pages of OGC API Features, %s', async (_, options) => {
  const list = placesOf(7)
  const server = await api((query, response) => {
    const offset = Number(query.get('offset') ?? 0)
    const features = list.slice(offset, offset + 3).map((properties, index) => ({
      type: 'Feature',
      id: offset + index,
      geometry: { type: 'Point', coordinates: [offset + index + 1, 1] },
      properties: { name: Object(properties).name },
    }))
    const links = [
      { rel: 'self', href: '/items' },
      ...(offset + 3 < 7 ? [{ rel: 'next', type: 'application/geo+json', href: `/items?offset=${offset + 3}` }] : []),
    ]
    send(response, { type: 'FeatureCollection', features, links, numberMatched: 7, numberReturned: features.length })
  })
  const ran = await produce({ url: `${server.origin}/items`, ...options })
  expect(ran).toMatchObject({ code: 0, cities: all(7) })
  expect(server.asked).toHaveLength(3)
})

test('a link by its relation, deep links, and one that asks for POST', async () => {
  const server = await api((query, response) =>
    send(response, {
      data: [place(query.get('at') === '1' ? 1 : 0)],
      links: query.get('at') === '1' ? [] : [{ rel: 'more', href: '?at=1' }],
    }),
  )
  const link = { url: server.origin, pagination: { type: 'link' } }
  expect(await produce({ ...link, next: 'links.more' })).toMatchObject({ code: 0, cities: all(2) })
  const deep = await api((query, response) => {
    const next = query.get('at') === '1' ? null : '?at=1'
    send(response, { data: [place(next ? 0 : 1)], meta: { pagination: { links: { next } } } })
  })
  expect(await produce({ ...link, url: deep.origin })).toMatchObject({ code: 0, cities: all(2) })
  const posting = await api((_, response) =>
    send(response, { features: [place(0)], links: [{ rel: 'next', href: '/search', method: 'POST' }] }),
  )
  const ran = await produce({ url: posting.origin })
  expect(ran).toMatchObject({ code: 78, json: { error: { message: expect.stringMatching(/by POST/) } } })
})

test('a link to another origin gets no token, and that is said', async () => {
  const other = await api((_, response, headers) => {
    if (headers.authorization) send(response, { data: [place(1)] })
    else send(response, { message: 'who are you?' }, {}, 401)
  })
  const server = await api((_, response) => send(response, { data: [place(0)], next: `${other.origin}/more` }))
  const url = `${server.origin}/places`
  const ran = await produce({ url, pagination: { type: 'link' }, auth: { bearer: 'let-me-in' } })
  expect(ran.code).toBe(78)
  expect(ran.json.error).toMatchObject({
    message: expect.stringContaining(`that was ${other.origin}, not ${server.origin}`),
    hint: expect.stringMatching(/withheld/),
  })
})

// --- where a list begins and ends ---

test.each<[what: string, answer: (page: number, list: readonly object[]) => unknown]>([
  ['page 0 equals page 1', (page, list) => ({ data: part(list, Math.max(page, 1) - 1, 4), total: 10 })],
  ['the same without a total', (page, list) => ({ data: part(list, Math.max(page, 1) - 1, 4) })],
  ['page 0 is empty', (page, list) => ({ data: page === 0 ? [] : part(list, page - 1, 4) })],
  [
    'page 0 is an error row',
    (page, list) => ({ data: page === 0 ? [{ message: 'no page' }] : part(list, page - 1, 9), total: 10 }),
  ],
])('pages that count from 1: %s', async (_, answer) => {
  const list = placesOf(10)
  const server = await api((query, response) => send(response, answer(Number(query.get('page')), list)))
  const ran = await produce({ url: server.origin, pagination: { limit: 4 } })
  expect(ran.code, ran.stderr).toBe(0)
  expect(ran.cities).toEqual(all(10))
})

test('pages that count from 1: there is no page 0', async () => {
  const list = placesOf(10)
  const server = await api((query, response) => {
    const page = Number(query.get('page'))
    if (page === 0) send(response, { detail: 'Invalid page.' }, {}, 404)
    else send(response, { results: part(list, page - 1, 4), total_pages: 3 })
  })
  expect(await produce({ url: server.origin, pagination: { limit: 4 } })).toMatchObject({ code: 0, cities: all(10) })
})

test.each<[what: string, beyond: (response: ServerResponse, last: readonly object[]) => void, end: string]>([
  ['a page that is not there', (response) => send(response, { detail: 'not found' }, {}, 404), 'not-found'],
  ['the last page again', (response, last) => send(response, { data: last }), 'repeat'],
])('a list that ends with %s', async (_, beyond, end) => {
  for (const [count, option] of [
    [10, undefined], // the last page is short: plain to see
    [8, end],
  ] as const) {
    const list = placesOf(count)
    const server = await api((query, response) => {
      const page = Number(query.get('page'))
      const items = part(list, page, 4)
      if (items.length > 0) send(response, { data: items })
      else beyond(response, part(list, Math.ceil(count / 4) - 1, 4))
    })
    const options = { url: server.origin, pagination: { limit: 4, start: 0 } }
    const ran = await produce({ ...options, pagination: { ...options.pagination, ...(option ? { end: option } : {}) } })
    expect(ran, ran.stderr).toMatchObject({ code: 0, cities: all(count) })
    if (option) expect((await produce(options)).code).toBe(78) // it might go on
  }
})

test('`has_more: false` ends a list; `true` and nothing more is no end', async () => {
  const list = placesOf(8)
  const server = await api((query, response) => {
    const page = Number(query.get('page'))
    send(response, { data: part(list, page, 4), has_more: page === 0 })
  })
  expect(await produce({ url: server.origin, pagination: { limit: 4 } })).toMatchObject({ code: 0, cities: all(8) })
  expect(server.asked).toHaveLength(2)
  const liar = await api((query, response) =>
    send(response, { data: part(list, Number(query.get('page')), 4), has_more: true }),
  )
  const ran = await produce({ url: liar.origin, pagination: { limit: 4 } })
  expect(ran).toMatchObject({ code: 75, json: { error: { message: expect.stringMatching(/says that more follows/) } } })
})

test.each<[what: string, total: number, code: number, says: RegExp]>([
  ['counts more', 9, 75, /ended after 8 of 9 items|only 8 of 9/],
  ['counts pages', 2, 78, /2 items.*8 have come/],
])('a total of a list of links that %s is no success', async (_, total, code, says) => {
  const list = placesOf(8)
  const server = await api((query, response) => {
    const page = Number(query.get('page') ?? 0)
    send(response, { data: part(list, page, 4), total, next: page === 0 ? '?page=1' : null })
  })
  const ran = await produce({ url: server.origin, pagination: { type: 'link' } })
  expect(ran.code).toBe(code)
  expect(ran.json.error?.message).toMatch(says)
  expect(await produce({ url: server.origin, pagination: { type: 'link' }, total: false })).toMatchObject({ code: 0 })
})

test("pages without anything usable don't go on for ever", async () => {
  const server = await api((query, response) =>
    send(response, { data: [place(0)].map(() => [Number(query.get('page'))]) }),
  )
  const ran = await produce({ url: server.origin, items: 'data', pagination: { limit: 1 } })
  expect(ran.code).toBe(78)
  expect(ran.json.error?.message).toMatch(/nothing usable in them: an item must be an object/)
  expect(server.asked.length).toBeLessThan(20)
})

test('maxPages and minIntervalMs', async () => {
  const server = await api((query, response) => send(response, { data: [place(Number(query.get('page')))] }))
  const began = performance.now()
  const ran = await produce({ url: server.origin, pagination: { limit: 1 }, maxPages: 4, minIntervalMs: 100 })
  expect(ran).toMatchObject({ code: 78, json: { error: { message: expect.stringMatching(/behind 4 pages/) } } })
  expect(ran.cities).toEqual(all(3))
  expect(performance.now() - began).toBeGreaterThan(300)
})

// --- what isn't an answer ---

test.each<[what: string, body: Buffer | string, type: string, says: RegExp, hint: RegExp]>([
  ['a web page', '<!DOCTYPE html><html><title>Log in</title></html>', 'text/html', /is a web page/, /login/],
  ['CSV', 'name,lat,lon\nA,1,2\n', 'text/csv', /is CSV, not JSON/, /source\.format to csv/],
  ['NDJSON', '{"name":"A"}\n{"name":"B"}\n', 'text/plain', /is NDJSON/, /source\.format to ndjson/],
  ['a gzip file', gzipSync('[]'), 'application/gzip', /is a gzip file/, /source\.format/],
  ['a zip archive', Buffer.from('504b0304140000000800', 'hex'), 'application/zip', /is a zip archive/, /unzip/],
])('a first answer that is %s: 78 at once', async (_, body, type, says, hint) => {
  const server = await api((_, response) => response.writeHead(200, { 'content-type': type }).end(body))
  const ran = await produce({ url: server.origin })
  expect(ran.code).toBe(78)
  expect(ran.json.error).toMatchObject({ message: expect.stringMatching(says), hint: expect.stringMatching(hint) })
  expect(server.asked).toHaveLength(1)
})

test.each<[format: string, body: string]>([
  ['csv', 'id,name,lat,lon\n1,p0,1,2\n2,"p1",1,2\n'],
  ['tsv', 'id\tname\tlat\tlon\n1\tp0\t1\t2\n2\tp1\t1\t2\n'],
  [
    'ndjson',
    `${placesOf(2)
      .map((each) => JSON.stringify(each))
      .join('\n')}\n`,
  ],
  ['json', JSON.stringify(placesOf(2))],
])('answers in %s, also as .gz', async (format, text) => {
  for (const body of [text, gzipSync(text)]) {
    const server = await api((_, response) => response.writeHead(200).end(body))
    const ran = await produce({ url: server.origin, format, pagination: { type: 'link' } })
    expect(ran, ran.stderr).toMatchObject({ code: 0, cities: all(2) })
  }
})

test('pages of CSV, and where a row of one is wrong', async () => {
  const server = await api((query, response) => {
    const page = Number(query.get('page'))
    const rows = ['p0,1,2', 'p1,1,2', 'p2,91,2'].slice(page * 2, page * 2 + 2)
    response.writeHead(200).end(`name,lat,lon\n${rows.map((row) => `${row}\n`).join('')}`)
  })
  const ran = await produce({ url: server.origin, format: 'csv', pagination: { limit: 2 } })
  expect(ran).toMatchObject({ code: 0, cities: all(2) })
  expect(ran.json.source.rejectedFor?.[0]?.position).toBe('page 1, line 2, column "lat"')
})

test.each<[what: string, headers: Record<string, string>]>([
  [
    'seconds since 1970',
    { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000) + 1) },
  ],
  ['seconds from now', { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' }],
  ['Retry-After', { 'retry-after': '1' }],
])('a limit that is told with 403 passes: %s', async (_, headers) => {
  let refused = 0
  const server = await api((_, response) => {
    if (refused++ === 0) send(response, { message: 'API rate limit exceeded' }, headers, 403)
    else send(response, [place(0)])
  })
  expect(await produce({ url: server.origin, pagination: { type: 'link' } })).toMatchObject({ code: 0, cities: all(1) })
})

// --- the kinds of lists ---

test('digits, names and values of JSON answers are those of lists', async () => {
  const body = (items: string): string => `{"data": [${items}], "total": 1}`
  const answer = async (items: string, options: object = {}) => {
    const server = await api((_, response) => response.writeHead(200).end(body(items)))
    return produce({ url: server.origin, ...options })
  }
  const long = await answer('{"id":1161888007138312199,"name":" p0\u00a0","lat":1,"lon":2}')
  expect(long).toMatchObject({ code: 0, cities: ['p0'] })
  expect((await answer('{"name":"a","name":"b","lat":1,"lon":2}')).code).toBe(65)
  const typo = await answer('{"title":"a","lat":1,"lon":2}', { fields: { city: 'tite' } })
  expect(typo).toMatchObject({ code: 78, json: { error: { hint: expect.stringMatching(/Did you mean "title"/) } } })
  const none = await answer('{"titel":"a","lat":1,"lon":2}')
  expect(none).toMatchObject({ code: 78, json: { error: { message: expect.stringMatching(/no key for the city/) } } })
  const comma = await answer('{"name":"a","lat":"46,9","lon":"7,4"}')
  expect(comma).toMatchObject({ code: 65, json: { error: { message: expect.stringMatching(/source\.decimal/) } } })
  expect(await answer('{"name":"p0","lat":"46,9","lon":"7,4"}', { decimal: ',' })).toMatchObject({ code: 0 })
  expect(await answer('{"id":1,"name":"p0","lat":0,"lon":0}')).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/at 0, 0/),
  })
})

test('projections that answers name', async () => {
  const features = [{ type: 'Feature', properties: { name: 'p0' }, geometry: { type: 'Point', coordinates: [1, 2] } }]
  const answer = async (body: object, headers: Record<string, string> = {}) => {
    const server = await api((_, response) => send(response, { type: 'FeatureCollection', features, ...body }, headers))
    return produce({ url: server.origin, pagination: { type: 'link' } })
  }
  expect(await answer({})).toMatchObject({ code: 0 })
  const wrong = { code: 78, json: { error: { message: expect.stringMatching(/projection/) } } }
  expect(await answer({ crs: { type: 'name', properties: { name: 'EPSG:25832' } } })).toMatchObject(wrong)
  expect(await answer({ spatialReference: { wkid: 102100, latestWkid: 3857 } })).toMatchObject(wrong)
  const crs = 'http://www.opengis.net/def/crs/EPSG/0/25832'
  expect(await answer({}, { 'content-crs': `<${crs}>` })).toMatchObject(wrong)
})

test('layouts of answers, and a single place', async () => {
  const answer = async (body: unknown, options: object = {}) => {
    const server = await api((_, response) => send(response, body))
    return produce({ url: server.origin, pagination: { type: 'link' }, ...options })
  }
  expect(await answer(place(0))).toMatchObject({ code: 0, cities: all(1) })
  const rows = [
    ['name', 'lat', 'lon'],
    ['p0', '1', '2'],
    ['p1', '1', '3'],
  ]
  expect(await answer(rows, { layout: 'rows' })).toMatchObject({ code: 0, cities: all(2) })
  const keyed = { a: { name: 'p0', lat: 1, lon: 2 }, b: { name: 'p1', lat: 1, lon: 3 } }
  const hint = { code: 78, json: { error: { hint: expect.stringMatching(/source\.layout to keyed/) } } }
  expect(await answer(keyed)).toMatchObject(hint)
  expect(await answer(keyed, { layout: 'keyed' })).toMatchObject({ code: 0, cities: all(2) })
  const columns = { name: ['p0', 'p1'], lat: [1, 1], lon: [2, 3] }
  expect(await answer(columns, { layout: 'columns' })).toMatchObject({ code: 0, cities: all(2) })
})
