/** Which columns owm proposes: none whose name says that it holds something else. */
import { describe, expect, test } from 'vitest'
import { likelyFor } from '../../../src/sources/fields/judge/likely.js'
import { unitIn } from '../../../src/sources/fields/judge/units.js'
import { read } from './read.js'

test.each([
  ['lon_w', 'longitude', 'degrees to the west'],
  ['Longitude (W)', 'longitude', 'degrees to the west'],
  ['westLongitude', 'longitude', 'degrees to the west'],
  ['Latitude (S)', 'latitude', 'degrees to the south'],
  ['latitude_rad', 'latitude', 'radians'],
  ['lat (rad)', 'latitude', 'radians'],
  ['latrad', 'latitude', 'radians'],
  ['lat_e7', 'latitude', 'ten-millionths of degrees'],
  ['longitudeE7', 'longitude', 'ten-millionths of degrees'],
  ['lonE6', 'longitude', 'millionths of degrees'],
  ['lat_microdeg', 'latitude', 'millionths of degrees'],
  ['lon_gon', 'longitude', 'gons'],
  ['westl. Länge', 'longitude', 'degrees to the west'],
  ['südl. Breite', 'latitude', 'degrees to the south'],
  ...['Breite (GG.MM)', 'lat_deg_min', 'LAT_DDMM', 'LAT_DDMMSS', 'lat_ddm'].map(
    (name) => [name, 'latitude', 'minutes behind the point (52.28 is 52° 28′)'] as const,
  ),
  ...['lat_1e5', 'lat*1000', 'Latitude x 100', 'lat_mdeg'].map(
    (name) => [name, 'latitude', 'parts of degrees'] as const,
  ),
  ...['colatitude', 'lat_rotated', 'geomagnetic_latitude'].map(
    (name) => [name, 'latitude', 'degrees from another pole'] as const,
  ),
] as const)('%s, as a %s: %s', (name, axis, what) => {
  expect(unitIn(name, axis)?.what).toBe(what)
  expect(likelyFor(axis, ['name', name])).toBeUndefined()
})

test.each([
  ['lats', 'latitude'],
  ['lat_dms', 'latitude'],
  ['lat_min', 'latitude'],
  ['lat_deg', 'latitude'],
  ['latitude', 'latitude'],
  ['lat_wgs84', 'latitude'],
  ['Breite (Grad)', 'latitude'],
  ['Latitude (N)', 'latitude'],
  ['Longitude (E/W)', 'longitude'],
  ['Longitude (West negative)', 'longitude'],
] as const)('%s says nothing else than degrees', (name, axis) => {
  expect(unitIn(name, axis)).toBeUndefined()
})

test.each([
  [['Id_station', 'Id_omm', 'Nom_usuel'], 'Nom_usuel'],
  [['Stations_id', 'Stationshoehe', 'Stationsname'], 'Stationsname'],
  [['station_code', 'stationNr', 'Station'], 'Station'],
  [['geoname_id', 'place_id', 'placeid', 'CityCode', 'stationId', 'city code'], undefined],
])('of %j the name of a city is %s', (names, name) => {
  expect(likelyFor('city', names)).toBe(name)
})

test('what has such a name is not proposed, and what it seems to hold is told', async () => {
  for (const [header, says] of [
    ['name,lat,lon_w', /"lon_w" seems to hold degrees to the west.*turn their sign first/],
    ['name,Latitude (S),Longitude (W)', /"Latitude \(S\)" seems to hold degrees to the south/],
    ['name,latitude_rad,longitude_rad', /"latitude_rad" seems to hold radians.*make degrees of them first/],
    ['name,lat_e7,lon_e7', /"lat_e7" seems to hold ten-millionths of degrees.*divide them first/],
  ] as const) {
    const hint = expect.stringMatching(says)
    await expect(read('a.csv', `${header}\nA,1,2\n`)).rejects.toMatchObject({ hint })
  }
  const json = read('a.json', '[{"name":"A","lat":1,"lon_w":2}]')
  await expect(json).rejects.toMatchObject({
    hint: expect.stringContaining('"lon_w" seems to hold degrees to the west'),
  })
})

describe('where it is mapped all the same', () => {
  const warningsOf = async (header: string, rows: string, fields: object, file = 'a.csv'): Promise<readonly string[]> =>
    (await read(file, `${header}\n${rows}\n`, { fields })).warnings

  test('its values are read as they are, with a warning', async () => {
    const west = await warningsOf('name,lat,lon_w', 'Boston,42.4,71.1\nParis,48.9,0', { longitude: 'lon_w' })
    expect(west).toEqual([
      expect.stringMatching(/the column "lon_w" was read as degrees.* it holds degrees to the west/),
    ])
    const radians = { latitude: 'lat_rad', longitude: 'lon_rad' }
    expect(await warningsOf('name,lat_rad,lon_rad', 'Bern,0.819,0.129', radians)).toHaveLength(2)
    const record = '{"name":"A","lat_e7":50,"lon_e7":70}'
    expect(await warningsOf(record, record, { latitude: 'lat_e7', longitude: 'lon_e7' }, 'a.ndjson')).toHaveLength(2)
  })

  test('no word where a value shows that they are degrees to the north and east', async () => {
    expect(await warningsOf('name,lat,lon_w', 'Boston,42.4,-71.1\nBern,46.9,7.4', { longitude: 'lon_w' })).toEqual([])
    const radians = { latitude: 'lat_rad', longitude: 'lon_rad' }
    expect(await warningsOf('name,lat_rad,lon_rad', 'A,0.8,0.1\nB,46.9,7.4', radians)).toEqual([])
  })
})
