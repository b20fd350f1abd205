/** Coordinates in several columns, whatever these are called. */
import { expect, test } from 'vitest'
import { read } from './read.js'

const reading = (text: string, options: object = {}) => read('list.csv', text, options)
const south = 'Sydney,33.87,S,151.2,E\nBoston,42.3,N,71.06,W\n'

test.each([
  `name,lat,lat_letter,lon,lon_letter\n${south}`,
  `name,lat,lat_h,lon,lon_h\n${south}`,
  `name,lat,latRef,lon,lonRef\n${south}`,
  `name,lat,lat_orientation,lon,lon_cardinal\n${south}`,
  `name,lat,h1,lon,h2\n${south}`,
  `name,lat,ns_lat,lon,ew_lon\n${south.replaceAll(',S,', ',south,').replaceAll(',N,', ',North,')}`,
  'name,lat,lon,hemisphere\nBern,46.9,7.4,N\nSydney,33.87,151.2,S\n',
  'name,lat,lat_sign,lon,lon_sign\nSydney,33.87,-1,151.2,1\n',
  'name,Latitude,Lat Arcmin,Longitude,Lon Arcmin\nA,46,57,7,26\n',
  'name,lat,lat_dec_min,lon,lon_dec_min\nA,46,57.5,7,26.1\n',
  'name,lat_deg,lat_mn,lat_sc,lon_deg,lon_mn,lon_sc\nA,46,57,10,7,26,10\n',
  'name,lat_d,lat_m,lat_s,lon_d,lon_m,lon_s\nA,46,57,10,7,26,10\n',
  'name,lat degrees,minutes,seconds,lon degrees,minutes2,seconds2\nA,46,57,10,7,26,10\n',
])('%j: refused, no place goes out', async (text) => {
  await expect(reading(text)).rejects.toThrow(/are its coordinates in several columns\?/)
})

test('keys of JSON as well; columns that do not travel count', async () => {
  const places = [{ name: 'Sydney', lat: 33.87, lon: 151.2, latRef: 'S', lonRef: 'E' }]
  await expect(read('list.json', JSON.stringify(places))).rejects.toThrow(/several keys/)
  const text = `name,lat,lat_letter,lon,lon_letter\n${south}`
  await expect(reading(text, { columns: [] })).rejects.toThrow(/lat_letter/)
})

test('where the coordinates were chosen, it is a warning', async () => {
  const text = 'name,lat_d,lat_m,lat_s,lon_d,lon_m,lon_s\nA,46,57,10,7,26,10\n'
  const { locations, warnings } = await reading(text, { fields: { latitude: 'lat_d', longitude: 'lon_d' } })
  expect(locations).toHaveLength(1)
  expect(warnings).toEqual([expect.stringMatching(/by the column "lat_m" the coordinates are in several columns/)])
})

test.each([
  // The letters repeat the sign, or change nothing.
  'name,lat,lat_letter,lon,lon_letter\nSydney,-33.87,S,151.2,E\nBoston,42.3,N,-71.06,W\n',
  'name,lat,lat_letter,lon,lon_letter\nBern,46.9,N,7.4,E\n',
  // Yes and no in Spanish, sizes, directions of the wind.
  'name,lat,lon,activo\nA,46.9,7.4,S\nB,47.9,7.4,N\n',
  'name,lat,lon,size\nA,46.9,7.4,S\n',
  'name,lat,lon,wind,side\nA,46.9,7.4,W,S\nB,46.9,7.5,SW,N\n',
  // No minutes.
  'name,lat,lat_min,lat_max,lon,lon_min,lon_max\nA,46,45,47,7,6,8\n',
  'name,lat,lat_err,lon,lon_err\nA,46,1,7,1\n',
  'name,lat,lat_m,lon,lon_m\nA,46.5,12,7.5,13\n',
  'name,lat,lat_m,lon,lon_m\nA,46,5200012,7,812345\n',
  'name,lat,lat_m,lon,lon_m\nA,46,0,7,0\n',
])('%j: no part of the coordinates', async (text) => {
  const { locations, warnings } = await reading(text)
  expect(locations).toHaveLength(text.trim().split('\n').length - 1)
  expect(warnings).toEqual([])
})
