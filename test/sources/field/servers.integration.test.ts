import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../support/cli.js'
import { all, api, part, place, placesOf, produce, send } from './api.js'

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
    message: expect.stringContaining(`${other.origin}, to which ${url} leads, answered 401`),
    hint: expect.stringMatching(/withheld/),
  })
})

// --- where a list begins and ends ---

test.each<[what: string, answer: (page: number, list: readonly object[]) => unknown]>([
  ['page 0 equals page 1', (page, list) => ({ data: part(list, Math.max(page, 1) - 1, 4), total: 10 })],
  ['the same without a total', (page, list) => ({ data: part(list, Math.max(page, 1) - 1, 4) })],
  ['page 0 is empty', (page, list) => ({ data: page === 0 ? [] : part(list, page - 1, 4) })],
  [
    'page 0 is empty, and the pages are counted',
    (page, list) => ({ pageCount: 3, data: page === 0 ? [] : part(list, page - 1, 4) }),
  ],
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

test('pages that count from 1: page 0 is an error with status 200', async () => {
  const list = placesOf(10)
  const server = await api((query, response) => {
    const page = Number(query.get('page'))
    send(response, page === 0 ? { error: 'page must be 1 or more' } : { data: part(list, page - 1, 4) })
  })
  expect(await produce({ url: server.origin, pagination: { limit: 4 } })).toMatchObject({ code: 0, cities: all(10) })
})

test('what stands deeper in `meta` counts, too', async () => {
  const list = placesOf(4)
  const server = await api((query, response) => {
    const page = Number(query.get('page'))
    send(response, { data: part(list, page, 2), meta: { pagination: { total: 5, count: 2 } } })
  })
  const ran = await produce({ url: server.origin, pagination: { limit: 2 } })
  expect(ran).toMatchObject({ code: 75, json: { error: { message: expect.stringMatching(/only 4 of 5/) } } })
  const ends = await api((query, response) =>
    send(response, {
      data: { places: query.get('cursor') ? list.slice(2) : list.slice(0, 2) },
      meta: { pageInfo: { hasNextPage: !query.get('cursor'), endCursor: 'c' } },
    }),
  )
  const pagination = { type: 'cursor', limit: 2 }
  expect(await produce({ url: ends.origin, pagination })).toMatchObject({ code: 0, cities: all(4) })
})

test('a link that nobody follows is named where the pages go round', async () => {
  const server = await api((_, response) => send(response, { results: placesOf(2), next: '/?offset=2' }))
  const ran = await produce({ url: server.origin, pagination: { limit: 2 } })
  expect(ran).toMatchObject({ code: 78, json: { error: { hint: expect.stringMatching(/pagination\.type to link/) } } })
})

test('a page of rows may begin with its header', async () => {
  const server = await api((query, response) =>
    send(response, [
      ['id', 'name', 'lat', 'lon'],
      ...part(placesOf(3), Number(query.get('page')), 2).map((each) => Object.values(each)),
    ]),
  )
  const ran = await produce({ url: server.origin, layout: 'rows', pagination: { limit: 3, end: 'short' } })
  expect(ran).toMatchObject({ code: 0, cities: all(3), json: { source: { rejected: 0 } } })
})

test.each<[what: string, beyond: (response: ServerResponse, last: readonly object[]) => void, end: string]>([
  ['a page that is not there', (response) => send(response, { detail: 'not found' }, {}, 404), 'not-found'],
  ['a range that is not there', (response) => send(response, { detail: 'no such range' }, {}, 416), 'not-found'],
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
  const ran = await produce({ url: server.origin, pagination: { limit: 1 }, maxPages: 4, minIntervalMs: 100 })
  expect(ran).toMatchObject({ code: 78, json: { error: { message: expect.stringMatching(/behind 4 pages/) } } })
  expect(ran.cities).toEqual(all(4))
  // Three times 100 ms from request to request; on a busy machine the first one may arrive late.
  const [first = 0, , , last = 0] = server.times
  expect(last - first).toBeGreaterThan(200)
})

test('a fault half-way delivers what was read and says how far that is; the next start finishes the list', async () => {
  const list = placesOf(10)
  let isKnown = false
  const server = await api((query, response) => {
    const page = Number(query.get('page'))
    if (page === 2 && !isKnown) send(response, { message: 'token expired' }, {}, 401)
    else send(response, { data: part(list, page, 4) })
  })
  const cwd = await temporaryFolder()
  const options = { url: server.origin, pagination: { limit: 4, start: 0 } }
  const ran = await produce(options, cwd)
  expect(ran).toMatchObject({ code: 78, cities: all(8) })
  expect(ran.json.error).toMatchObject({
    message: expect.stringMatching(/answered 401/),
    hint: expect.stringMatching(/source\.auth.*: 8 locations of slot .* brings the rest/),
  })
  isKnown = true
  expect(await produce(options, cwd)).toMatchObject({ code: 0, cities: all(10) })
})

test('a list that ended too early is no whole one for the next start, either', async () => {
  const server = await api((_, response) => send(response, { data: placesOf(2), pages: 3 }))
  const cwd = await temporaryFolder()
  const options = { url: server.origin, pagination: { type: 'link' } }
  for (const _ of [1, 2]) {
    const ran = await produce(options, cwd)
    expect(ran).toMatchObject({ code: 75, cities: all(2) })
    expect(ran.json.error?.message).toMatch(/1 of 3 pages/)
  }
})
