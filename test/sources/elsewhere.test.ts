/** An empty list is the whole list only of a document that has places nowhere else: JSON, which is YAML as well. */
import { describe, expect, test } from 'vitest'
import { failure, type Options, read } from './static-list/lists.js'

const bern = { name: 'Bern', lat: 46.9, lon: 7.4 }
const oslo = { name: 'Oslo', lat: 59.9, lon: 10.7 }
const cities = { bern, oslo }

describe.each(['list.json', 'list.yaml'])('%s', (file) => {
  const from = (document: object, options: Options = {}) => read(file, JSON.stringify(document), options)
  const citiesOf = async (document: object): Promise<unknown[]> =>
    (await from(document)).locations.map((location) => ('city' in location ? location['city'] : location))

  test.each<[document: object, hint: string]>([
    [{ excluded: [], cities }, 'Set source.layout to keyed, and source.items to cities.'],
    [{ tags: [], cities: { bern } }, 'Set source.layout to keyed, and source.items to cities.'],
    [{ data: { cities }, excluded: [] }, 'Set source.layout to keyed, and source.items to data.cities.'],
    [{ excluded: [], eu: cities, us: { a: bern } }, 'Set source.layout to keyed, and source.items to eu or us.'],
  ])('%j: an option reads the places', async (document, hint) => {
    const error = await failure(from(document))
    expect(error).toMatchObject({
      message: expect.stringMatching(/has an empty list, \w+, and places elsewhere/),
      hint,
    })
    const [, items = ''] = /items to ([\w.]*\w)/.exec(hint) ?? []
    expect((await from(document, { layout: 'keyed', items })).locations[0]).toMatchObject({ city: 'Bern' })
  })

  test.each<[document: object]>([
    [{ excluded: [], regions: { europe: [bern] } }],
    [{ errors: [], data: { places: [bern] } }],
    [{ data: { places: [bern] }, warnings: [{ message: 'slow' }] }],
    [{ places: [bern], tags: [] }],
    [{ messages: [bern] }],
    [{ ...bern, tags: [], links: [] }],
    [{ excluded: [], '2024': { 'of Europe': [bern] } }],
  ])('%j: its places are found', async (document) => {
    expect(await citiesOf(document)).toEqual(['Bern'])
  })

  test.each<[document: object]>([
    [{ places: [] }],
    [{ data: { places: [] }, query: { ...bern, radius: 10 } }],
    [{ places: [], errors: [], messages: [] }],
    [{ places: [], meta: { page: {}, limits: { most: 10 } } }],
  ])('%j: there is none', async (document) => {
    expect(await citiesOf(document)).toEqual([])
  })

  test.each<[document: object]>([[{ errors: [] }], [{ messages: [], data: { count: 0 } }]])(
    '%j: a list under such a name is not that of the places',
    async (document) => {
      expect((await failure(from(document))).message).toMatch(/isn't an? (array|sequence), and holds no/)
    },
  )

  test('several lists of places are told', async () => {
    const error = await failure(from({ excluded: [], regions: { europe: [bern], asia: [oslo] } }))
    expect(error.message).toMatch(/more than one list: regions\.europe, regions\.asia/)
  })

  test('named in source.items, an empty list is the list', async () => {
    expect((await from({ excluded: [], cities }, { items: 'excluded' })).locations).toEqual([])
  })
})

describe('YAML, which is searched two levels deep', () => {
  test.each([{ warnings: [] }, { excluded: [] }, {}])('beside %j', async (beside) => {
    const document = JSON.stringify({ ...beside, data: { places: { nodes: [bern] } } })
    expect((await failure(read('list.yaml', document))).hint).toBe('Set source.items to data.places.nodes.')
    expect((await read('list.yaml', document, { items: 'data.places.nodes' })).locations).toHaveLength(1)
  })
})
