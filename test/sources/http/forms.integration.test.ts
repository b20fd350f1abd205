/** A list in another form than an array of objects: left out or empty in its own way, its only item, or by numbers. */
import { describe, expect, test } from 'vitest'
import { ConfigurationError, TransientError } from '../../../src/errors/index.js'
import { api, type City, cities, expectAll, json, numberIn, queryOf, type Read, readAll } from './api.js'

const limit = 5

/** Pages of 5 by number; the answer is made of a page's items. */
async function read(count: number, answer: (items: City[]) => unknown, options: object = {}): Promise<Read> {
  const server = await api((request, response) => {
    const page = numberIn(queryOf(request), 'page', 1)
    json(response, answer(cities(count).slice((page - 1) * limit, page * limit)))
  })
  const given = { url: server.origin, items: 'a.items', pagination: { limit, start: 1 }, ...options }
  return readAll(given, { attempts: 1 })
}

const untilEmpty = { pagination: { limit, start: 1, end: 'empty' } }

describe('an empty list', () => {
  const forms: [form: string, empty: unknown][] = [
    ['nothing at all (Go, protobuf)', undefined],
    ['null', null],
    ['an object (PHP)', {}],
    ['an empty text (from XML)', ''],
    ['false', false],
  ]

  test.each(forms)('%s is the end by configuration, and a hint names that', async (_, empty) => {
    const answer = (items: City[]): unknown => ({ a: { items: items.length > 0 ? items : empty } })
    expectAll(await read(23, answer, untilEmpty), 23)
    const { error, locations } = await read(20, answer)
    expect({ read: locations.length, error }).toEqual({ read: 20, error: expect.any(TransientError) })
    expect(error).toMatchObject({ hint: expect.stringContaining('set source.pagination.end to empty') })
  })

  test.each(forms)('%s is none on the first page', async (_, empty) => {
    const { error } = await read(0, () => ({ a: { items: empty }, b: 1 }), untilEmpty)
    if (empty === null) expect(error).toBeUndefined()
    else expect(error).toBeInstanceOf(ConfigurationError)
  })

  test('the answer itself without its list, found by itself before', async () => {
    const answer = (items: City[]): unknown => (items.length > 0 ? { items } : {})
    expectAll(await read(23, answer, { ...untilEmpty, items: undefined }), 23)
    const bare = (items: City[]): unknown => (items.length > 0 ? items : {})
    expectAll(await read(23, bare, { ...untilEmpty, items: undefined }), 23)
  })

  test('of objects by their ids, as PHP writes it', async () => {
    const answer = (items: City[]): unknown =>
      items.length > 0 ? Object.fromEntries(items.map(({ id, ...item }) => [id, item])) : []
    const { error, locations } = await read(23, answer, { items: undefined, layout: 'keyed' })
    expect({ error, read: locations.length }).toEqual({ error: undefined, read: 23 })
  })

  test('is none in an answer that has words instead', async () => {
    for (const said of [{ message: 'please come back later' }, { a: { count: 0 }, detail: 'Rebuilding the index' }]) {
      const { error } = await read(23, (items) => (items.length > 0 ? { a: { items } } : said), untilEmpty)
      expect(error).toBeInstanceOf(TransientError)
    }
  })
})

describe('a page with one place', () => {
  const asXml = (items: City[]): unknown => ({ a: { items: items.length === 1 ? items[0] : items } })

  test('has it in place of a list, as XML made JSON does', async () => {
    expectAll(await read(21, asXml), 21)
    expectAll(await read(1, asXml), 1)
  })

  test('is no list where something else is there', async () => {
    const { error } = await read(21, (items) => ({ a: { items: items.length === 1 ? { note: 'soon' } : items } }))
    expect(error).toMatchObject({ message: expect.stringContaining('has no list at a.items') })
  })

  test('is named in the hint, which helps', async () => {
    const { error } = await read(1, asXml, { items: undefined })
    expect(error).toMatchObject({ hint: 'If a.items is the only place of the list, name it in source.items.' })
  })
})

test('items by their numbers on a later page are those of a list that PHP has filtered', async () => {
  const answer = (items: City[]): unknown => ({
    a: { items: items.length === 0 || items[0]?.id === 0 ? items : { ...items } },
  })
  expectAll(await read(23, answer), 23)
  const { error } = await read(23, (items) => ({ a: { items: { ...items } } }))
  expect(error).toBeInstanceOf(ConfigurationError)
})
