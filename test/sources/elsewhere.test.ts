/** An empty list is the whole list only of a document that has places nowhere else: JSON, which is YAML as well. */
import { describe, expect, test } from 'vitest'
import { failure, type Options, read } from './static-list/lists.js'

const bern = { name: 'Bern', lat: 46.9, lon: 7.4 }
const oslo = { name: 'Oslo', lat: 59.9, lon: 10.7 }
const point = { lat: 46.9, lon: 7.4 }
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
    [{ places: [], bounds: { ne: point, sw: point } }],
    [{ places: [], area: { northeast: bern, southwest: oslo } }],
    [{ places: [], query: { center: point } }],
    [{ places: [], map: { home: point } }],
    [{ places: [], defaults: { home: bern } }],
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

describe('YAML, whose outermost keys come first', () => {
  const from = (document: object) => read('list.yaml', JSON.stringify(document))

  test.each<[beside: object]>([[{ meta: { near: [oslo] } }], [{ station: { sensors: [{ id: 1 }] } }]])(
    'a place with %j is a single place',
    async (beside) => {
      expect((await from({ ...bern, ...beside })).locations).toMatchObject([{ city: 'Bern' }])
    },
  )

  test.each<[beside: object]>([
    [{ config: { hooks: [{ run: 'x' }] } }],
    [{ area: { polygon: [point, point] } }],
    [{ query: { near: [bern] } }],
    [{ meta: { warnings: [{ text: 'slow' }] } }],
  ])('an empty list beside %j is empty', async (beside) => {
    expect((await from({ places: [], ...beside })).locations).toEqual([])
  })

  test('a list of places called warnings comes before what is deeper', async () => {
    const { locations } = await from({ warnings: [bern], meta: { sources: [{ id: 1 }] } })
    expect(locations).toMatchObject([{ city: 'Bern' }])
    expect((await from({ places: [bern], links: [oslo] })).locations).toMatchObject([{ city: 'Bern' }])
    await expect(from({ places: [bern], warnings: [oslo] })).rejects.toThrow(/more than one list/)
  })

  test.each<[document: object]>([
    [{ places: [], warnings: [{ text: 'half of it failed' }] }],
    [{ data: { places: [] }, messages: [{ text: 'shard down' }] }],
  ])('%j: what is said in place of places is told', async (document) => {
    const error = await failure(from(document))
    expect(error.message).toMatch(/has an empty list, [\w.]+, and says something in (warnings|messages)/)
    expect(error.hint).toMatch(/set source.items to (data\.)?places\.$/)
  })

  test.each([{ warnings: [] }, { excluded: [] }, {}])('beside %j', async (beside) => {
    const document = JSON.stringify({ ...beside, data: { places: { nodes: [bern] } } })
    expect((await failure(read('list.yaml', document))).hint).toBe('Set source.items to data.places.nodes.')
    expect((await read('list.yaml', document, { items: 'data.places.nodes' })).locations).toHaveLength(1)
  })
})
