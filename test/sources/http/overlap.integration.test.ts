/** Pages that share items: the server orders the list differently for each answer, so that others never come. */
import { describe, expect, test } from 'vitest'
import { ConfigurationError, ResumePointError } from '../../../src/errors/index.js'
import { type Api, api, cities, idsOf, json, numberIn, queryOf, readAll, upTo } from './api.js'

const limit = 4
const unstable = [0, 1, 2, 3, 2, 3, 4, 5, 8, 9, 10, 11]
const pagination = { type: 'page', limit, start: 1 }

/** A list of these cities, by number from 1, or by offset. */
const served = (order: readonly number[], beside: object = {}, change: (item: object) => object = (item) => item) =>
  api((request, response) => {
    const query = queryOf(request)
    const from = query.has('page') ? (numberIn(query, 'page', 1) - 1) * limit : numberIn(query, 'offset', 0)
    const items = order.slice(from, from + limit).map((id) => change(cities(20)[id] ?? {}))
    json(response, { items, ...beside })
  })

const reading = (server: Api, options: object = {}, resume?: string) =>
  readAll({ url: server.origin, pagination, ...options }, resume === undefined ? {} : { resume })

describe('fewer different items than the list says', () => {
  test.each([
    ['by page', { total: 12 }, {}, /\(pages 1 and 2\)/],
    ['by offset', { total: 12 }, { pagination: { type: 'offset', limit } }, /\(offsets 0 and 4\)/],
    ['with a count that is no total by its name', { availableItems: 12 }, {}, /12 items, but only 10/],
    ['with fewer columns', { total: 12 }, { columns: [] }, /12 items, but only 10/],
  ])('%s: an error, behind all that came', async (_, beside, options, words) => {
    const read = await reading(await served(unstable, beside), options)
    expect(read.error).toBeInstanceOf(ConfigurationError)
    expect(read.error).toMatchObject({
      message: expect.stringMatching(words),
      hint: expect.stringMatching(/source\.url.*source\.total to false/),
    })
    expect(new Set(idsOf(read)).size).toBe(10)
  })

  test('in CSV', async () => {
    const server = await api((request, response) => {
      const from = (numberIn(queryOf(request), 'page', 1) - 1) * limit
      response.writeHead(200, { 'x-total-count': '12' })
      response.end(
        `id,name,lat,lon\n${unstable
          .slice(from, from + limit)
          .map((id) => `${id},A,${id},1\n`)
          .join('')}`,
      )
    })
    const { error } = await reading(server, { format: 'csv' })
    expect(String(error)).toContain('12 items, but only 10 different ones')
  })

  test('who died behind such pages reads the list from the start', async () => {
    const server = await served(unstable, { total: 12 })
    const { batches } = await reading(server)
    for (const { resume } of batches.slice(1))
      expect((await reading(server, {}, resume)).error).toBeInstanceOf(ResumePointError)
    // Behind the first page, it is the second one that shows it.
    const { error } = await reading(server, {}, batches[0]?.resume)
    expect(error).toBeInstanceOf(ResumePointError)
    expect(String(error)).toContain('pages 1 and 2')
  })
})

describe('no error', () => {
  const whole = { error: undefined, warnings: [] }
  const warned = { error: undefined, warnings: [{ message: expect.stringMatching(/share items \(pages 1 and 2\)/) }] }

  test('without a total it is a warning', async () => {
    expect(await reading(await served(unstable))).toMatchObject(warned)
  })

  test('a list with doubles on a page of its own may have some on two pages: a warning', async () => {
    expect(await reading(await served([0, 1, 2, 3, 3, 4, 5, 5, 6, 7, 8, 9], { total: 12 }))).toMatchObject(warned)
  })

  test.each<
    [what: string, order: readonly number[], beside: object, options: object, change?: (item: object) => object]
  >([
    ['doubles on two pages, which total: false settles', unstable, { total: 12 }, { total: false }],
    ['doubles on one page', [0, 1, 1, 2, 3, 4, 5, 6], { total: 8 }, {}],
    [
      'the same places with other values, as in a list of measurements',
      unstable,
      { total: 12 },
      {},
      (item) => ({ ...item, at: Math.random() }),
    ],
    ['values that do not travel', unstable, { total: 12 }, { columns: [] }, (item) => ({ ...item, at: Math.random() })],
    ['no overlap', upTo(12), { total: 12 }, {}],
  ])('%s', async (_, order, beside, options, change) => {
    const read = await reading(await served(order, beside, change), options)
    expect(read).toMatchObject(whole)
    expect(read.locations).toHaveLength(order.length)
  })

  test('items that are no places, such as empty ones', async () => {
    const order = [0, 1, 99, 2, 3, 99, 4, 5]
    const server = await served(order, { total: 8 }, (item) => ('id' in item ? item : { name: 'unknown', lat: null }))
    expect(await reading(server)).toMatchObject(whole)
  })

  test('a total that grew meanwhile: that was said already', async () => {
    const server = await api((request, response, number) => {
      const from = (numberIn(queryOf(request), 'page', 1) - 1) * limit
      const now = number === 1 ? upTo(11) : [11, ...upTo(11)]
      json(response, { items: now.slice(from, from + limit).map((id) => cities(12)[id]), total: now.length })
    })
    const { error, warnings } = await reading(server)
    expect(error).toBeUndefined()
    expect(warnings.map(({ fields }) => fields)).toMatchObject([{ event: 'total-changed' }])
  })
})
