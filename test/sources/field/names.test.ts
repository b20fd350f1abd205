/** Names and keys of a list that something else takes: what stood under them travels, under a name that is told. */
import { describe, expect, test } from 'vitest'
import { exactJson } from '../../../src/tasks/json/exact.js'
import { placeOf } from '../../../src/tasks/place.js'
import { read } from './read.js'

describe('two columns that mean one', () => {
  test('CSV: both names are told, and the one that is taken', async () => {
    const { locations, warnings } = await read('a.csv', 'name,lat,latitude,lon\nA,1,5,2\nB,1,5,2\n')
    expect(locations[0]).toMatchObject({ city: 'A', latitude: '1', longitude: '2', original_latitude: '5' })
    expect(warnings).toEqual([
      expect.stringMatching(/a\.csv: the column "latitude" travels as original_latitude, since "lat" is the latitude$/),
    ])
  })

  test('JSON, NDJSON and YAML: once, however many records there are', async () => {
    const record = '{"name":"A","lat":5,"Latitude":1,"lon":2}'
    for (const [file, text] of [
      ['a.json', `[${record},${record},{"x":1,${record.slice(1)}]`],
      ['a.ndjson', `${record}\n${record}\n`],
      ['a.yaml', `- ${record}\n- ${record}\n`],
    ] as const) {
      const { locations, warnings } = await read(file, text)
      expect(locations[0]).toMatchObject({ latitude: 5, original_Latitude: 1 })
      expect(warnings).toEqual([
        expect.stringMatching(/the key "Latitude" travels as original_latitude, since "lat" is the latitude$/),
      ])
    }
  })

  test('no word where the configuration chose one of them, or where the other one does not travel', async () => {
    const text = 'name,lat,latitude,lon\nA,1,5,2\n'
    const chosen = await read('a.csv', text, { fields: { latitude: 'lat' } })
    expect(chosen.locations[0]).toMatchObject({ latitude: '1', original_latitude: '5' })
    const left = await read('a.csv', text, { columns: [] })
    expect(left.locations[0]).not.toHaveProperty('original_latitude')
    expect([...chosen.warnings, ...left.warnings]).toEqual([])
  })

  test('a property of GeoJSON that is the geometry’s, or one called as the id of the feature', async () => {
    const properties = '{"id":"p9","name":"a","latitude":1,"feature_id":"f"}'
    const geometry = '{"type":"Point","coordinates":[7.4,46.9]}'
    const record = `{"type":"Feature","id":9,"geometry":${geometry},"properties":${properties}}\n`
    const { locations, warnings } = await read('a.ndjson', record + record)
    const kept = { id: 'p9', latitude: 46.9, original_latitude: 1, feature_id: 'f', original_feature_id: 9 }
    expect(locations[0]).toMatchObject(kept)
    expect(warnings).toEqual([
      expect.stringMatching(/the key "latitude" travels as original_latitude, since the geometry has the latitude$/),
    ])
  })

  test.each([
    ['in upper case, as the columns of shapefiles are', '"LATITUDE":10,"LONGITUDE":20'],
    ['with a space or a hyphen', '"latitude ":10,"Longi-tude":20'],
    ['with a hidden character', '"\\ufefflatitude":10,"longitude_":20'],
    ['alone', '"Latitude":10'],
    ['both ways', '"latitude":10,"LATITUDE":30'],
  ])('a property %s is no more the place than one in lower case', async (_, properties) => {
    const geometry = '{"type":"Point","coordinates":[7.4,46.9]}'
    const feature = `{"type":"Feature","geometry":${geometry},"properties":{"name":"a",${properties}}}`
    for (const [file, text] of [
      ['a.geojson', `{"type":"FeatureCollection","features":[${feature},${feature}]}`],
      ['a.ndjson', `${feature}\n${feature}\n`],
      ['a.yaml', `- ${feature}\n`],
    ] as const) {
      const { locations, warnings } = await read(file, text)
      expect(locations[0]).toMatchObject({ latitude: 46.9, longitude: 7.4, original_latitude: 10 })
      expect(warnings[0]).toMatch(/the key ".*" travels as original_latitude, since the geometry has the latitude$/)
    }
  })

  test('a property that the configuration chose stays what it is', async () => {
    const properties = '{"name":"a","LATITUDE":10,"LONGITUDE":20,"constructor":"b"}'
    const record = `{"type":"Feature","geometry":{"type":"Point","coordinates":[7.4,46.9]},"properties":${properties}}`
    const made = async (fields: Record<string, string>): Promise<object> => {
      const { locations } = await read('a.ndjson', `${record}\n`, { fields })
      return { ...locations[0] }
    }
    expect(await made({ latitude: 'LATITUDE' })).toMatchObject({ latitude: 10, longitude: 20 })
    expect(await made({ latitude: 'latitude' })).toMatchObject({ latitude: 46.9, longitude: 7.4 })
    expect(await made({ packed: 'LATITUDE' })).toMatchObject({ latitude: 46.9, longitude: 7.4, packed: 10 })
    expect(await made({ packed: 'Latitude' })).toMatchObject({ latitude: 46.9, longitude: 7.4, packed: 10 })
    expect(await made({ city: 'constructor' })).toMatchObject({ latitude: 46.9, city: 'b' })
  })
})

describe('the key of an object of records', () => {
  const keyed = async (text: string, options: object = {}, file = 'a.json'): Promise<readonly (string | undefined)[]> =>
    (await read(file, text, { layout: 'keyed', ...options })).locations.map(exactJson)
  const own = '{"00AK":{"id":1,"name":"A","lat":1,"lon":2},"00AL":{"id":1,"name":"A","lat":1,"lon":2}}'

  test('is the id where a record has none, or the same one', async () => {
    const text = '{"00AK":{"name":"A","lat":1,"lon":2},"7":{"id":7,"name":"B","lat":1,"lon":2}}'
    expect(await keyed(text)).toEqual([
      '{"city":"A","latitude":1,"longitude":2,"id":"00AK"}',
      '{"id":7,"city":"B","latitude":1,"longitude":2}',
    ])
  })

  test('travels as original_key beside another id', async () => {
    for (const file of ['a.json', 'a.yaml'])
      expect(await keyed(own, {}, file)).toEqual([
        '{"id":1,"city":"A","latitude":1,"longitude":2,"original_key":"00AK"}',
        '{"id":1,"city":"A","latitude":1,"longitude":2,"original_key":"00AL"}',
      ])
    expect(await keyed('{"a":{"id":1,"name":"A","lat":1,"lon":2,"original_key":3}}')).toEqual([
      '{"id":1,"city":"A","latitude":1,"longitude":2,"original_key":3,"original_original_key":"a"}',
    ])
  })

  test('unless source.columns names others', async () => {
    expect(await keyed(own, { columns: [] })).toEqual(Array(2).fill('{"id":1,"city":"A","latitude":1,"longitude":2}'))
    expect((await keyed(own, { columns: ['original_key'] }))[0]).toContain('"original_key":"00AK"')
  })
})

describe('both coordinates in one value', () => {
  const coordinates = async (value: string): ReturnType<typeof read> =>
    read('a.ndjson', `{"name":"A","g":${value}}\n{"name":"B","g":"POINT(1 2)"}\n`, { fields: { coordinates: 'g' } })

  test('a GeoJSON point, also as text', async () => {
    const point = '{"type":"Point","coordinates":[7.4,46.9]}'
    for (const value of [point, JSON.stringify(point)])
      expect((await coordinates(value)).locations[0]).toMatchObject({ latitude: 46.9, longitude: 7.4 })
    const line = '{"type":"LineString","coordinates":[[7.4,46.9],[8,47]]}'
    for (const value of [line, JSON.stringify(line)])
      expect((await coordinates(value)).reasons).toEqual(['coordinates must be one Point, not a LineString'])
    const foreign = '{"type":"Point","crs":"EPSG:2056","coordinates":[2600000,1200000]}'
    for (const value of [foreign, JSON.stringify(foreign)])
      await expect(coordinates(value)).rejects.toThrow(/projection EPSG:2056/)
  })

  test('a point of MySQL or PostgreSQL: which is which, they do not say', async () => {
    expect((await coordinates('{"x":7.4,"y":46.9}')).reasons).toEqual([
      'coordinates are an x and a y: let the query give ST_AsText(…), or map both, fields: {longitude: ….x, …}',
    ])
  })

  test.each([
    ['a Point', '010100000000000000000022400000000000004740'],
    ['a Point, the other end first, with its SRID', '0020000001000010e640220000000000004047000000000000'],
    ['a PointZ', '01010000a0e6100000000000000000224000000000000047400000000000000840'],
    ['a PointM', '010100004000000000000022400000000000004740000000000000f03f'],
    ['a PointZM', '01010000c0000000000000224000000000000047400000000000000840000000000000f03f'],
    ["a PointZ in ISO's form", '01e9030000000000000000224000000000000047400000000000000840'],
    ['a MultiPoint', '0104000020e610000001000000010100000000000000000022400000000000004740'],
    ['a LineString', '01020000000200000000000000000022400000000000004740000000000000f03f0000000000000040'],
  ] as const)('%s in the binary form of a database', async (_, hex) => {
    const { reasons } = await coordinates(`"${hex.toUpperCase()}"`)
    expect(reasons).toEqual(['coordinates are binary (WKB): let the query give ST_AsText(…) of them'])
  })

  test('a text that is no point', async () => {
    for (const value of ['"{}"', '"{\\"coordinates\\""'])
      expect((await coordinates(value)).reasons).toEqual(['coordinates must be "lat, lon", WKT or a GeoJSON point'])
  })
})

test('of a GeoJSON feature, geometry, its members and properties that are there twice', async () => {
  const properties = '"properties":{"name":"A"}'
  const geometry = '"geometry":{"type":"Point","coordinates":[7,46]}'
  for (const [key, members] of [
    ['geometry', `${geometry},${properties},${geometry.replace('7', '8')}`],
    ['coordinates', `${properties},${geometry.replace('}', ',"coordinates":[8,47]}')}`],
    ['type', `${properties},${geometry.replace('}', ',"type":"MultiPoint"}')}`],
    ['properties', `${geometry},${properties},${properties.replace('A', 'B')}`],
  ] as const) {
    const { reasons } = await read(
      'a.geojson',
      `{"type":"FeatureCollection","features":[{"type":"Feature",${members}}]}`,
    )
    expect(reasons).toEqual([`the key "${key}" is there twice, with two values`])
  }
})

describe('characters of a name that nobody sees', () => {
  const texts = [
    ['a.csv', 'na\u00adme,\u2060lat,lon\u200b,no\u00adte\nA,1,2,n\n'],
    ['a.json', '[{"na\u00adme":"A","\u2060lat":1,"lon\u200b":2,"no\u00adte":"n"}]'],
    ['a.yaml', '- {"na\u00adme": A, "\u2060lat": 1, "lon\u200b": 2, "no\u00adte": n}'],
  ] as const

  test('keep none from meaning what it says, nor from being mapped', async () => {
    for (const [file, text] of texts) {
      expect((await read(file, text)).locations.map(exactJson), file).toEqual([
        expect.stringMatching(/^\{"city":"A","latitude":"?1"?,"longitude":"?2"?,/),
      ])
      const options = { fields: { city: 'note', state: 'NAME' }, columns: ['note'] }
      const { locations } = await read(file, text, options)
      expect(locations, file).toMatchObject([{ city: 'n', state: 'A' }])
      expect((await read(file, text, { columns: ['note'] })).locations, file).toMatchObject([{ 'no\u00adte': 'n' }])
    }
  })

  test('are shown, and a hint has none of them', async () => {
    const names = ['name,brei\u00adte\u200b,lon\nA,1,2\n', '[{"name":"A","brei\u00adte\u200b":1,"lon":2}]']
    for (const text of names)
      await expect(read(text.startsWith('[') ? 'a.json' : 'a.csv', text)).rejects.toMatchObject({
        hint: expect.stringMatching(/are: name, brei\\u00adte\\u200b, lon\. .* fields: \{latitude: breite\}/),
      })
  })
})

test('a hidden character in a number is shown', () => {
  for (const hidden of ['200b', '00ad', '2060'])
    expect(
      placeOf({ city: 'A', latitude: 1, longitude: `${String.fromCodePoint(Number.parseInt(hidden, 16))}7` }),
    ).toMatchObject({
      reason: expect.stringContaining(`not "\\u${hidden}7"`),
    })
})
