/** One answer with as many items as a limit that isn't owm's own: in source.url, or in the answer. */
import { describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../../src/errors/index.js'
import { api, cities, expectAll, json, type Read, readAll } from './api.js'

interface Asked {
  beside?: object
  headers?: Record<string, string>
  options?: object
}

async function answered(query: string, { beside = {}, headers = {}, options = {} }: Asked = {}): Promise<Read> {
  const server = await api((_, response) => json(response, { items: cities(6), ...beside }, headers))
  return readAll({ url: `${server.origin}/?${query}`, pagination: { type: 'link' }, ...options })
}

describe.each([
  ...['limit=6', '$limit=6', '$top=6', '_count=6', 'rows=6', 'per_page=6', 'page%5Bsize%5D=6', 'pageSize=6'],
  ...['maxRecords=6', 'resultRecordCount=6', 'SERVICE=WFS&count=6'],
])('?%s, and six items', (query) => {
  test('there may be more', async () => {
    const { error, batches } = await answered(query)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({
      message: expect.stringMatching(/gives 6 items, as many as ".+" in source\.url allows/),
    })
    expect(batches).toEqual([])
  })

  test.each<Asked>([
    { options: { total: false } },
    { beside: { total: 6 } },
    { beside: { next: null } },
    { beside: { has_more: false } },
  ])('but not with %j', async (asked) => {
    expectAll(await answered(query, asked), 6)
  })
})

test.each(['size=6', 'count=6', 'max=6', 'first=6'])('?%s may mean something else: only a warning', async (query) => {
  const read = await answered(query)
  expectAll(read, 6)
  expect(read.warnings).toMatchObject([{ fields: { event: 'count-round', items: 6 } }])
})

test.each(['limit=7', 'limit=5', 'count=true', 'format=6', 'lat_max=6', 'id=6'])('?%s says nothing', async (query) => {
  expect(await answered(query)).toMatchObject({ error: undefined, warnings: [] })
})

test('the most that a server gives, in its headers; and its limit in the answer', async () => {
  const { error } = await answered('', { headers: { 'x-sparql-maxrows': '6' } })
  expect(error).toMatchObject({ message: expect.stringContaining('as many as the header x-sparql-maxrows allows') })
  const read = await answered('', { beside: { limit: 6, offset: 0 } })
  expectAll(read, 6)
  expect(read.warnings).toMatchObject([{ fields: { event: 'count-round' } }])
})
