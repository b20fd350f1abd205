/** Kinds of faults in the formats of static-list, one kind in each format that can have it. */
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { exactJson } from '../../../src/tasks/json/exact.js'
import { placeOf } from '../../../src/tasks/place.js'
import { type Read, read, readSource } from './read.js'

describe('the coordinates of a record are of one place in it', () => {
  const coord = { lat: 1, lon: 2 }
  test.each<[record: object, pair: [number, number] | undefined, fields?: object]>([
    [{ coord, lat: 9 }, [1, 2]],
    [{ coord, lon: 9 }, [1, 2]],
    [{ coord, latitude: 8, lat: 9, longitude: 7 }, [8, 7]],
    [{ coord: { lon: 2 }, geo: { lat: 5, lng: 6 }, lat: 9 }, [5, 6]],
    [{ location: { latitude: 5, coordinates: [2, 1] } }, [1, 2]],
    [{ coord: { lon: 2 }, lat: 9 }, undefined],
    [{ coord: { lat: 1 }, geo: { lon: 6 } }, undefined],
    [{ coord, lat: 9, lon: 8 }, [1, 2], { latitude: 'coord.lat' }],
    [{ coord, lat: 9, lon: 8 }, [9, 2], { latitude: 'lat', longitude: 'coord.lon' }],
  ])('%j', async (record, pair, fields) => {
    const { locations } = await readSource({
      locations: [{ name: 'A', ...record }, good],
      ...(fields ? { fields } : {}),
    })
    const [first] = locations
    if (pair) expect(first).toMatchObject({ latitude: pair[0], longitude: pair[1] })
    else expect(placeOf(first ?? {})).toMatchObject({ reason: 'longitude is missing' })
  })
})

const good = { name: 'B', coord: { lat: 3, lon: 4 }, lat: 3, lon: 4 }

type Place = Record<string, unknown>

const feature = (text: string): string =>
  `{"type":"Feature","geometry":{"type":"Point","coordinates":[7.4,46.9]},"properties":${text}}`
const write: Readonly<Record<string, (records: readonly string[]) => [name: string, text: string]>> = {
  JSON: (records) => ['list.json', `[${records.join(',\n')}]`],
  'an object': (records) => ['object.json', `{"data":[${records.join(',\n')}]}`],
  NDJSON: (records) => ['list.ndjson', records.map((record) => `${record}\n`).join('')],
  GeoJSON: (records) => [
    'list.geojson',
    `{"type":"FeatureCollection","features":[${records.map(feature).join(',\n')}]}`,
  ],
  YAML: (records) => ['list.yaml', records.map((record) => `- ${record}\n`).join('')],
}
const each = Object.entries(write).map(([format, text]) => ({ format, text }))

describe('numbers in the place of names are kept as they are written', () => {
  const numbers = [
    '{"id":1.10,"name":1.50,"lat":46.90,"lon":7.40,"x":1.20}',
    '{"id":1.1,"name":15e1,"lat":46.90,"lon":7.40}',
    '{"id":1.0,"name":"1.0","state":2.00,"lat":46.90,"lon":7.40}',
    '{"id":46.9,"name":"x","lat":46.90,"lon":7.40}',
  ]
  test.each(each)('$format', async ({ format, text }) => {
    if (format === 'GeoJSON') return
    expect((await read(...text(numbers))).locations).toMatchObject([
      { id: '1.10', city: '1.50', latitude: 46.9, x: 1.2 },
      { id: 1.1, city: '15e1' },
      { id: '1.0', city: '1.0', state: '2.00' },
      { id: 46.9 },
    ])
  })

  test("YAML's own ways to write numbers", async () => {
    const list = '- &a {id: 0x1F, city: 0o17, lat: 46, lon: 7.40}\n- {<<: *a, id: +5, lat: 46.90, x: 0x10}\n'
    expect((await read('list.yaml', list)).locations).toMatchObject([
      { id: '0x1F', city: '0o17' },
      { id: '+5', city: '0o17', x: 16 },
    ])
    expect((await read('list.yaml', 'id: 1.50\ncity: 0x1F\nlat: 46.90\nlon: 7.4\n')).locations).toMatchObject([
      { id: '1.50', city: '0x1F', latitude: 46.9 },
    ])
  })
})

describe.each(each)('$format', ({ format, text }) => {
  const isGeo = format === 'GeoJSON'
  const list = (records: readonly string[], options: object = {}): Promise<Read> => read(...text(records), options)
  const bern = '"name":"Bern","lat":46.9,"lon":7.4'

  test('long whole numbers, and long decimals, keep their digits', async () => {
    const { locations } = await list([
      `{"id":1161888007138312192,${bern},"of":[9007199254740993]}`,
      `{"id":1161888007138312199,${bern},"area":0.12345678901234567891}`,
      `{"id":7,${bern},"area":0.1,"e":1e3}`,
    ])
    expect(locations.map(({ id }) => String(id))).toEqual(['1161888007138312192', '1161888007138312199', '7'])
    expect(exactJson(locations[0]?.['of'])).toBe('[9007199254740993]')
    expect(exactJson(locations[1]?.['area'])).toBe('0.12345678901234567891')
    expect(locations[2]).toMatchObject({ id: 7, area: 0.1, e: 1000 })
  })

  if (format !== 'YAML')
    test('a key that is there twice: neither value wins', async () => {
      const { locations, reasons } = await list([
        `{${bern},"name":"Basel"}`,
        `{${bern},"note":"a\\":b","note":"a\\":b"}`,
        `{${bern}}`,
      ])
      expect(reasons).toEqual(['the key "name" is there twice, with two values'])
      expect(locations).toHaveLength(2)
    })

  test('names that a task has of its own, or that have no letter: kept under others, told once', async () => {
    const record = `{"id":1,${bern},"locationId":"LOC","task_id":"T","#":5,"El.":1,"el":2}`
    const { locations, warnings } = await list([record, record])
    expect(Object.keys(locations[0] ?? {})).toEqual(
      expect.arrayContaining(['original_location_id', 'original_task_id', 'El.', 'el_2']),
    )
    expect(Object.values(locations[0] ?? {})).toEqual(expect.arrayContaining([5, 1, 2, 'LOC', 'T']))
    expect(warnings.filter((warning) => warning.includes('travels as'))).toHaveLength(4)
  })

  test('a mapping that finds nothing is a mistake, with the nearest name', async () => {
    const records = Array.from({ length: 30 }, () => `{${bern},"region":"BE"}`)
    await expect(list(records, { fields: { state: 'regoin' } })).rejects.toMatchObject({
      exitCode: 78,
      hint: expect.stringMatching(/Did you mean "region"/),
    })
    await expect(list([`{${bern}}`], { columns: ['elevation'] })).rejects.toMatchObject({ exitCode: 78 })
    const sparse = [`{${bern}}`, `{${bern},"region":"BE"}`]
    expect((await list(sparse, { fields: { state: 'region' } })).locations[1]).toMatchObject({ state: 'BE' })
  })

  if (!isGeo)
    test('no key for the latitude is told once', async () => {
      await expect(list(['{"name":"Bern","latt":46.9,"lon":7.4}'])).rejects.toMatchObject({
        exitCode: 78,
        message: expect.stringMatching(/no key for the latitude/),
        hint: expect.stringMatching(/fields: \{latitude: latt\}/),
      })
    })

  test('values that are none, and space around text', async () => {
    const nulls = ['N/A', null, -9999]
    const { locations } = await list(
      [`{"id":"NULL","state":"N/A","kind":-9999,${bern.replace('Bern', ' Bern\u00a0')}}`],
      { nulls },
    )
    expect({ ...locations[0] }).toEqual({
      city: 'Bern',
      ...(isGeo ? { latitude: 46.9, longitude: 7.4, lat: 46.9, lon: 7.4 } : { latitude: 46.9, longitude: 7.4 }),
    })
    if (!isGeo) expect((await list([`{${bern}}`, '{"name":"","lat":null,"lon":null}'])).locations).toHaveLength(1)
  })

  if (!isGeo)
    test('coordinates as lists write them', async () => {
      const read = async (record: string, options: object = {}): Promise<unknown> => {
        const { locations, reasons } = await list([`{"name":"Bern",${record}}`], options)
        return reasons[0] ?? [Number(locations[0]?.['latitude']), Number(locations[0]?.['longitude'])]
      }
      expect(await read('"lat":"46,9","lon":"7,4"')).toMatch(/source\.decimal to ","/)
      expect(await read('"lat":"46,9","lon":"7,4"', { decimal: ',' })).toEqual([46.9, 7.4])
      expect(await read('"lat":46.9,"lon":187.5')).toMatch(/source\.longitudes to 0\.\.360/)
      expect(await read('"lat":46.9,"lon":187.5', { longitudes: '0..360' })).toEqual([46.9, -172.5])
      const pair = { fields: { coordinates: 'at' } }
      expect(await read('"at":"46.9; 7.4"', { ...pair, coordinates: 'lat-lon' })).toEqual([46.9, 7.4])
      expect(await read('"at":[7.4,46.9]', { ...pair, coordinates: 'lon-lat' })).toEqual([46.9, 7.4])
      expect(await read('"at":"Point(7.4 46.9)"', pair)).toEqual([46.9, 7.4])
      expect(await read('"at":{"type":"Point","coordinates":[7.4,46.9]}', pair)).toEqual([46.9, 7.4])
      expect(await read('"at":"POLYGON ((0 0, 1 1, 0 0))"', pair)).toMatch(/one POINT, not a POLYGON/)
      await expect(read('"at":"46.9, 7.4"', pair)).rejects.toThrow(/order isn't known/)
    })

  test('a web page instead of a list', async () => {
    const [name] = text([])
    await expect(read(name, '<!DOCTYPE html>\n<html><body>Log in</body></html>')).rejects.toThrow(/is a web page/)
  })
})

test('one wrong record of JSON costs no other', async () => {
  const wrong = [
    '{"name":"X","lat":Infinity,"lon":1}',
    '{"name":"X","lat":1,}',
    '{"name":"X" "lat":1}',
    '{"name":"X","lat":.5}',
  ]
  const good = '{"name":"Bern","lat":46.9,"lon":7.4}'
  const { locations, reasons } = await read('list.json', `[${[good, ...wrong, good].join(',\n')}]`)
  expect(locations.filter(({ city }) => city === 'Bern')).toHaveLength(2)
  expect(reasons).toHaveLength(3) // and infinite degrees are none, as the encoder says
})

test('a GeoJSON list that is cut off never passes for a shorter one', async () => {
  const features = [feature('{"name":"a"}'), feature('{"name":"b"}')].join(',')
  const whole = `{"type":"FeatureCollection","features":[${features}]}`
  for (let length = 1; length < whole.length; length += 7)
    await expect(read('list.geojson', whole.slice(0, length)), `${length}`).rejects.toMatchObject({ exitCode: 78 })
})

test('names that features have twice are both kept', async () => {
  const properties = { id: 'p9', name: 'a', latitude: 1 }
  const geometry = { type: 'Point', coordinates: [7.4, 46.9] }
  const text = JSON.stringify({ type: 'Feature', id: 9, geometry, properties })
  const { locations } = await read('list.ndjson', `${text}\n`)
  expect({ ...locations[0] }).toMatchObject({ id: 'p9', feature_id: 9, latitude: 46.9, original_latitude: 1 })
})

test('a projection that a list names, wherever it stands', async () => {
  const crs = '{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::25832"}}'
  const list = `[${feature('{"name":"a"}')}]`
  const places = '[{"name":"a","lat":1,"lon":2}]'
  for (const [name, text] of [
    ['before.geojson', `{"crs":${crs},"features":${list}}`],
    ['behind.geojson', `{"features":${list},"crs":${crs}}`],
    ['esri.json', `{"spatialReference":{"wkid":102100},"features":${places}}`],
    ['list.yaml', `{"crs":${crs},"features":${places}}`],
    ['point.ndjson', feature('{"name":"a"}').replace('"type":"Point"', `"type":"Point","crs":${crs}`)],
  ] as const)
    await expect(read(name, text), name).rejects.toThrow(/projection/)
  for (const known of ['urn:ogc:def:crs:OGC:1.3:CRS84', 'EPSG:4326', 'urn:ogc:def:crs:EPSG::4326'])
    expect(
      (await read('list.geojson', `{"crs":${crs.replace(/urn[^"]*/, known)},"features":${list}}`)).locations,
    ).toHaveLength(1)
})

test('YAML refuses a key that is there twice', async () => {
  await expect(read('list.yaml', '- {name: a, name: b, lat: 1, lon: 2}\n')).rejects.toThrow(/isn't valid YAML.*unique/i)
})

test('zeros before digits are kept in YAML', async () => {
  const { locations } = await read(
    'list.yaml',
    '- {id: 03772, name: a, lat: 51.4, lon: -0.4, zip: 00501, n: 0, o: 0o17}\n',
  )
  expect(locations[0]).toMatchObject({ id: '03772', zip: '00501', n: 0, o: 15 })
})

test('inline locations are read by the same rules', async () => {
  const places: Place[] = [{ id: 1, locationId: 2, Ort: ' Bern ', lat: '46,9', lon: '7,4' }, {}]
  const { locations, warnings } = await readSource({ locations: places, fields: { city: 'Ort' }, decimal: ',' })
  expect(locations.map((location) => ({ ...location }))).toEqual([
    { id: 1, original_location_id: 2, city: 'Bern', latitude: '46.9', longitude: '7.4' },
  ])
  expect(warnings).toHaveLength(1)
})

describe('CSV', () => {
  test.each<[what: string, rows: string, cities: string[]]>([
    ['a delimiter behind each line', 'name,lat,lon,\nA,1,2,\nB,1,2,\n', ['A', 'B']],
    ['delimiters behind the rows only', 'name,lat,lon\nA,1,2,,\nB,1,2\n', ['A', 'B']],
    ['rows without a value', 'name;lat;lon\n;;\nA;1;2\n  ;  ;\n"";"";""\n', ['A']],
    ['a mark of the byte order in the midst', 'name,lat,lon\n\ufeffA,1,2\n', ['A']],
    ['one before a quote', 'name,lat,lon\n"A",1,2\n\ufeff"B","1","2"\n\ufeff"C\n\ufeff","1","2"\n', ['A', 'B', 'C']],
    ['\\N', 'name,state,lat,lon\nA,\\N,1,2\n', ['A']],
  ])('%s', async (_, rows, cities) => {
    const { locations, reasons } = await read('list.csv', rows)
    expect(reasons).toEqual([])
    expect(locations.map(({ city }) => city)).toEqual(cities)
    expect(locations[0]?.['state'] ?? '').toBe('')
  })

  test('quotes that enclose nothing are characters in TSV', async () => {
    const rows = ['5" gun\t1\t2', '"Ghost Town" Site\t1\t2', '"open\t1\t2', '"two\nlines"\t1\t2', 'plain\t1\t2']
    const { locations, reasons } = await read('list.tsv', `name\tlat\tlon\n${rows.join('\n')}\n`)
    expect(reasons).toEqual([])
    expect(locations.map(({ city }) => city)).toEqual(['5" gun', '"Ghost Town" Site', '"open', 'two\nlines', 'plain'])
  })

  test.each(['lat,lon', 'Breite,Länge'])('a header that source.header replaces: %s', async (header) => {
    const { locations, reasons } = await read('list.csv', `name,${header}\nA,1,2\n`, {
      header: ['city', 'latitude', 'longitude'],
    })
    expect(locations).toHaveLength(1)
    expect(reasons).toEqual([])
  })

  test.each([
    ['geolat,lat,geolng', [2, 4]],
    ['lat,geolat,geolng', [3, 4]],
    ['latitude,lat,lon', [3, 4]],
    ['lat,coord.lat,coord.lon', [3, 4]],
    ['coord.lat,lat,longitude', [3, 4]],
    ['latitude,longitude,lon', [2, 3]],
  ])('coordinates that belong together: %s', async (header, [latitude, longitude]) => {
    const { locations } = await read('list.csv', `name,${header}\nA,2,3,4\n`)
    expect(locations).toMatchObject([{ latitude: String(latitude), longitude: String(longitude) }])
  })

  test('columns of one name, whatever their case, are told before the first row', async () => {
    await expect(read('list.csv', 'name,lat,lon,NAME\nA,1,2,B\n')).rejects.toThrow(
      /two columns "name" and "NAME" \(columns 1 and 4\)/,
    )
  })
})

test.each<[name: string, text: string | Buffer, says: RegExp, hint: RegExp]>([
  ['json.csv', '[{"name":"A","lat":1,"lon":2}]', /looks like JSON/, /source\.format to json/],
  ['csv.json', 'name,lat,lon\nA,1,2\n', /isn't an array/, /looks like CSV/],
  ['array.ndjson', '[\n{"name":"A","lat":1,"lon":2}\n]', /one JSON array/, /source\.format to json/],
  ['shape.csv', Buffer.from('0000270a0000000000000000', 'hex'), /is binary/, /ogr2ogr/],
  ['empty.csv', Buffer.from(`504b0506${'00'.repeat(18)}`, 'hex'), /a zip archive/, /unzip/],
  ['seq.geojson', '\u001e{"type":"Feature"}\n\u001e{"type":"Feature"}\n', /text sequence/, /format to ndjson/],
  ['twice.csv.gz', gzipSync(gzipSync('name,lat,lon\nA,1,2\n')), /gzip within gzip/, /gunzip/],
  ['mark.csv', Buffer.from('fffe00006e00000061000000', 'hex'), /UTF-32/, /iconv/],
  ['big.csv', Buffer.from('0000feff0000006e00000061', 'hex'), /UTF-32/, /iconv/],
  ['bare.csv', Buffer.from('6e00000061000000', 'hex'), /UTF-32/, /iconv/],
  ['tar.json', Buffer.concat([Buffer.alloc(257, 'a'), Buffer.from('ustar')]), /a tar archive/, /tar -xf/],
])('another format than its name says: %s', async (name, text, says, hint) => {
  await expect(read(name, text)).rejects.toMatchObject({
    message: expect.stringMatching(says),
    hint: expect.stringMatching(hint),
  })
})

test('UTF-16 is no binary file, whatever its zeros', async () => {
  const { locations } = await read('list.csv', Buffer.from('name,lat,lon\naĀĀ,1,2\n', 'utf16le'))
  expect(locations.map(({ city }) => city)).toEqual(['aĀĀ'])
})

test('one column may be two fields', async () => {
  const fields = { id: 'icao', city: 'icao' }
  expect((await read('list.csv', 'icao,lat,lon\nLSZB,1,2\n', { fields })).locations[0]).toMatchObject({
    id: 'LSZB',
    city: 'LSZB',
  })
  expect((await read('list.json', '[{"icao":"LSZB","lat":1,"lon":2}]', { fields })).locations[0]).toMatchObject({
    id: 'LSZB',
    city: 'LSZB',
  })
})

test('columns of a layout that are there twice: neither wins', async () => {
  const rows = '[["name","lat","lon","Name"],["A",1,2,"B"]]'
  await expect(read('rows.json', rows, { layout: 'rows' })).rejects.toThrow(
    /two columns "name" and "Name" \(columns 1 and 4\)/,
  )
  const columns = '{"name":["A","B"],"lat":[1,2],"lon":[3,4],"state":["x","z"],"state":["y"]}'
  expect((await read('columns.json', columns, { layout: 'columns' })).reasons).toEqual(
    Array(2).fill('the key "state" is there twice, with two values'),
  )
})

test.each([
  ['one.json', '{"name":"A","lat":1,"lon":2,"alerts":[]}'],
  ['one.yaml', 'name: A\nlat: 1\nlon: 2\nalerts: []\n'],
])('a single place with an empty list in it: %s', async (name, text) => {
  expect((await read(name, text)).locations).toHaveLength(1)
})

test('a projection that a single record names', async () => {
  const crs = '{"type":"name","properties":{"name":"EPSG:3857"}}'
  await expect(read('list.ndjson', feature('{"name":"A"}').replace('{', `{"crs":${crs},`))).rejects.toThrow(/EPSG:3857/)
  const esri = '[{"name":"A","geometry":{"x":1,"y":2,"spatialReference":{"wkid":102100}}}]'
  const fields = { latitude: 'geometry.y', longitude: 'geometry.x' }
  await expect(read('esri.json', esri, { fields })).rejects.toThrow(/EPSG:102100/)
})

test('YAML: merged mappings, keys with zeros, times of day', async () => {
  const merged = 'base: &b {state: X}\nplaces:\n  - {<<: *b, name: A, lat: 1, lon: 2}\n'
  expect((await read('list.yaml', merged)).locations[0]).toMatchObject({ state: 'X' })
  const keyed = '0012: {name: A, lat: 1, lon: 2}\n12: {name: B, lat: 1, lon: 2}\n'
  expect((await read('keyed.yaml', keyed, { layout: 'keyed' })).locations.map(({ id }) => id)).toEqual(['0012', '12'])
  const time = '%YAML 1.1\n---\n- {name: A, lat: 1, lon: 2, at: 12:30}\n'
  expect((await read('time.yaml', time)).locations[0]).toMatchObject({ at: '12:30' })
})

test('names of null that nobody declared are told once', async () => {
  const rows = 'id,name,state,lat,lon\nNULL,A,N/A,1,2\n7,B,N/A,3,4\n'
  const { locations, warnings } = await read('list.csv', rows)
  expect(locations).toHaveLength(2)
  expect(warnings).toEqual([
    expect.stringMatching(/a place with the id "NULL".*source\.nulls/),
    expect.stringMatching(/2 places with the state "N\/A".*source\.nulls/),
  ])
  expect((await read('list.csv', rows, { nulls: ['NULL', 'N/A'] })).warnings).toEqual([])
})

describe('coordinates on a grid of its own are no degrees', () => {
  const transform = '"transform":{"scale":[0.001,0.001],"translate":[7,46]}'
  const points = '[{"type":"Point","coordinates":[10,20],"properties":{"name":"A"}}]'
  const topology = `{"type":"Topology","objects":{"c":{"type":"GeometryCollection","geometries":${points}}},`
  const fields = { city: 'properties.name', coordinates: 'coordinates' }
  const options = { items: 'objects.c.geometries', fields, coordinates: 'lon-lat' }
  test.each([
    ['l.json', `${topology}${transform}}`, options],
    ['l.geojson', `${topology}${transform}}`, {}],
    ['l.yaml', `${topology}${transform}}`, options],
    ['esri.json', `{${transform},"features":[{"attributes":{"name":"A"},"geometry":{"x":1,"y":2}}]}`, {}],
  ])('%s', async (name, text, given) => {
    await expect(read(name, text, given)).rejects.toMatchObject({
      message: expect.stringMatching(/on a grid of its own.*not degrees/),
      hint: expect.stringContaining('ogr2ogr'),
    })
  })

  test('TopoJSON without a grid has degrees', async () => {
    const { locations } = await read('l.json', `${topology}"arcs":[]}`, options)
    expect(locations).toMatchObject([{ city: 'A', latitude: 20, longitude: 10 }])
  })

  test('a record may name its projection, as Esri does', async () => {
    const row = '{"name":"A","lat":1,"lon":2,"spatialReference":{"wkid":102100,"latestWkid":3857}}'
    await expect(read('l.json', `[${row}]`)).rejects.toThrow(/projection EPSG:3857/)
    expect((await read('l.json', `[${row.replace('3857', '4326')}]`)).locations).toHaveLength(1)
  })
})
