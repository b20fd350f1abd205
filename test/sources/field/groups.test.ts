/** Lists whose records aren't places, but hold several each. */
import { expect, test } from 'vitest'
import { read } from './read.js'

const bern = { name: 'Bern', lat: 46.9, lon: 7.4 }
const oslo = { name: 'Oslo', lat: 59.9, lon: 10.7 }
const perth = { name: 'Perth', lat: -31.9, lon: 115.9 }
const json = (list: unknown, options: object): ReturnType<typeof read> => read('a.json', JSON.stringify(list), options)

const inKey = { latitude: 'b.lat', longitude: 'b.lon', city: 'b.name' }
test.each([
  [{ stations: { b: bern, o: oslo } }, {}, /"stations" is no place.*name it in source\.items/],
  [{ stations: { b: bern, o: oslo } }, { fields: inKey }, /"stations" is no place.*name it in source\.items/],
  [{ stations: { b: bern, o: oslo }, meta: { v: 1 } }, { fields: inKey }, /"stations" is no place/],
  [{ eu: { b: bern, o: oslo }, au: { p: perth, q: perth } }, { fields: inKey }, /"eu" and others.*put them together/],
])('%j, by their keys with %j', async (list, options, says) => {
  await expect(json(list, { layout: 'keyed', ...options })).rejects.toMatchObject({
    hint: expect.stringMatching(says),
  })
})

test.each([
  [[{ stations: { b: bern, o: oslo } }], /Each record holds places of its own, in "stations"/],
  [[{ country: 'CH', stations: [bern] }], /Each record holds places of its own, in "stations"/],
  [[{ b: bern, o: oslo }], /Each record holds places, by their ids/],
  [[{ folder: { Placemark: [{ name: 'Bern', Point: { coordinates: '7.4,46.9' } }] } }], /in "folder.Placemark"/],
])('%j: no path in a record can be mapped', async (list, says) => {
  const refused = json(list, { items: undefined })
  await expect(refused).rejects.toMatchObject({ hint: expect.stringMatching(says) })
  await expect(refused).rejects.toMatchObject({ hint: expect.not.stringContaining('Map it') })
})

test('parts of a record that are places are mapped as before', async () => {
  const flights = { f1: { origin: bern, destination: oslo }, f2: { origin: oslo, destination: perth } }
  const fields = { latitude: 'destination.lat', longitude: 'destination.lon', city: 'destination.name' }
  const { locations } = await json(flights, { layout: 'keyed', fields })
  expect(locations.map(({ city }) => city)).toEqual(['Oslo', 'Perth'])
})

test('places may have a list of others', async () => {
  const { locations } = await json({ b: { ...bern, near: [oslo, perth] } }, { layout: 'keyed' })
  expect(locations).toHaveLength(1)
})
