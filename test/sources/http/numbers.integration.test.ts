/** Pages that count from 1, read from 0: a server that knows no page 0 gives page 1 for it. */
import { describe, expect, test } from 'vitest'
import { type Api, api, cities, expectAll, idsOf, json, numberIn, queryOf, readAll, upTo } from './api.js'

const limit = 10
const count = 43
const pages = 5

/** What the answers say of the whole list. */
const totals: [what: string, said: object][] = [
  ['the number of all pages', { total_pages: pages }],
  ['a total', { total: count }],
  ['nothing', {}],
]

/** A list as Kaminari, will_paginate and Laravel page it; `isLive` if its values differ in each answer. */
const fromOne = (said: object, isLive = false): Promise<Api> =>
  api((request, response, number) => {
    const page = Math.max(1, numberIn(queryOf(request), 'page', 1))
    const items = cities(count).slice((page - 1) * limit, page * limit)
    json(response, { data: items.map((item) => (isLive ? { ...item, temperature: number } : item)), ...said })
  })

describe.each(totals)('the answers say %s', (_, said) => {
  test.each([false, true])('all of it comes, once (with values that change: %s)', async (isLive) => {
    const server = await fromOne(said, isLive)
    const options = { url: server.origin, pagination: { limit } }
    const read = await readAll(options)
    expectAll(read, count)
    expect(read.warnings).toEqual([])
  })

  test.each([false, true])(
    'the rest of it comes behind each page that was stored (with values that change: %s)',
    async (isLive) => {
      const server = await fromOne(said, isLive)
      const options = { url: server.origin, pagination: { limit } }
      const { batches } = await readAll(options)
      for (const [index, batch] of batches.slice(0, -1).entries()) {
        const read = await readAll(options, { resume: batch.resume })
        expect(read.error).toBeUndefined()
        expect(idsOf(read)).toEqual(upTo(count).slice((index + 1) * limit))
        expect(read.warnings).toEqual([])
      }
    },
  )
})

test('an unusable page 0 counts no more behind it than in the first start', async () => {
  const server = await api((request, response) => {
    const page = numberIn(queryOf(request), 'page', 1)
    const items = page === 0 ? [{ note: 'pages begin at 1' }] : cities(count).slice((page - 1) * limit, page * limit)
    json(response, { data: items, total_pages: pages })
  })
  const options = { url: server.origin, pagination: { limit } }
  const { batches, error } = await readAll(options)
  expect({ error, batches: batches.length }).toEqual({ error: undefined, batches: pages + 1 })
  const read = await readAll(options, { resume: batches[0]?.resume ?? '' })
  expect(read.error).toBeUndefined()
  expect(idsOf(read)).toEqual(upTo(count))
})

test('places that each page has again, with other values, are no page again', async () => {
  // Ten stations, and one more hour of each on each page.
  const server = await api((request, response) => {
    const hour = numberIn(queryOf(request), 'page', 0)
    const items = hour < pages ? cities(limit).map((item) => ({ ...item, hour })) : []
    json(response, { data: items, total: pages * limit })
  })
  const options = { url: server.origin, pagination: { limit } }
  const { error, locations, batches } = await readAll(options)
  expect({ error, read: locations.length }).toEqual({ error: undefined, read: pages * limit })
  const later = await readAll(options, { resume: batches[0]?.resume ?? '' })
  expect({ error: later.error, read: later.locations.length }).toEqual({ error: undefined, read: (pages - 1) * limit })
})

test('a list whose first page is 0, read from page 1: the error asks for that first', async () => {
  const server = await api((request, response) => {
    const page = numberIn(queryOf(request), 'page', 0)
    json(response, { data: cities(count).slice(page * limit, (page + 1) * limit), total: count })
  })
  const { error } = await readAll({ url: server.origin, pagination: { limit, start: 1 } }, { attempts: 1 })
  expect(error).toMatchObject({
    message: expect.stringMatching(/only 33 of 43 .*; if its first page is 0, set source/),
  })
  const all = await readAll({ url: server.origin, pagination: { limit, start: 0 } })
  expectAll(all, count)
})
