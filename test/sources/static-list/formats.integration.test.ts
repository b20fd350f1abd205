import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Malformed } from '../../../src/plugin.js'
import {
  type Content,
  features,
  lines,
  named,
  numbers,
  type Options,
  plain,
  read,
  table,
  texts,
  yaml,
} from './lists.js'

const formats: [name: string, content: string, expected: unknown[], options?: Options][] = [
  ['list.csv', table(',', '\r\n'), texts],
  ['semicolons.csv', table(';', '\n'), texts],
  ['bars.csv', table('|', '\n'), texts, { delimiter: '|' }],
  ['apostrophes.csv', table(',', '\n').replaceAll('"', "'").replaceAll("''", '"'), texts, { quote: "'" }],
  ['list.tsv', table('\t', '\n'), texts],
  [
    'headless.csv',
    table(',', '\n').replace(/^.*\n/, ''),
    texts,
    { header: ['id', 'name', 'state', 'lat', 'lon', 'country'] },
  ],
  ['list.json', JSON.stringify(numbers, null, 2), numbers],
  ['object.json', JSON.stringify({ meta: { list: [1, 2] }, empty: [], data: { cities: numbers } }), numbers],
  ['two.json', JSON.stringify({ regions: [{ name: 'x' }], cities: numbers }), numbers, { items: 'cities' }],
  [
    'city.list.json',
    JSON.stringify(
      numbers.map(({ id, city, state, country, latitude, longitude }) => ({
        id,
        name: city,
        state,
        country,
        coord: { lon: longitude, lat: latitude },
      })),
    ),
    numbers,
  ],
  ['list.ndjson', lines(numbers), numbers],
  ['list.jsonl', `\ufeff\n${lines(named).replaceAll('\n', '\r\n')}`, texts],
  ['list.geojson', JSON.stringify({ type: 'FeatureCollection', bbox: [0, 1, 2, 3], features }, null, 1), numbers],
  ['list.geojsonl', lines(features), numbers],
  ['list.geojsons', features.map((feature) => `\u001e${JSON.stringify(feature)}\n`).join(''), numbers],
  ['features.json', JSON.stringify({ type: 'FeatureCollection', features }), numbers],
  ['list.yaml', numbers.map((place) => `- ${yaml(place)}\n`).join(''), numbers],
  ['object.yml', `meta: {}\ncities:\n${numbers.map((place) => `- ${yaml(place)}\n`).join('')}`, numbers],
  ['documents.yaml', numbers.map((place) => `---\n  ${yaml(place)}\n`).join(''), numbers],
]

describe.each(formats)('%s', (name, content, expected, options = {}) => {
  const extension = name.slice(name.lastIndexOf('.') + 1)
  const format =
    { tsv: 'tsv', csv: 'csv', json: 'json', geojson: 'geojson', yaml: 'yaml', yml: 'yaml' }[extension] ?? 'ndjson'

  test('plain, compressed, compressed without saying so, in two members', async () => {
    const bytes = Buffer.from(content)
    expect(plain((await read(name, bytes, options)).locations)).toEqual(expected)
    expect(plain((await read(`${name}.gz`, gzipSync(bytes), options)).locations)).toEqual(expected)
    expect(plain((await read('list', gzipSync(bytes), { ...options, format })).locations)).toEqual(expected)
    const members = Buffer.concat([gzipSync(bytes.subarray(0, 50)), gzipSync(bytes.subarray(50))])
    expect(plain((await read(`${name}.GZ`, members, options)).locations)).toEqual(expected)
  })

  test('in every encoding', async () => {
    const utf16 = Buffer.from(content, 'utf16le')
    const bigEndian = Buffer.from(utf16).swap16()
    const cases: [Content, Options][] = [
      [`\ufeff${content}`, {}],
      [Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]), {}],
      [Buffer.concat([Buffer.from([0xfe, 0xff]), bigEndian]), {}],
      [utf16, { encoding: 'utf-16le' }],
      [bigEndian, { encoding: 'utf-16be' }],
      // Without a mark: by the zeros in its first character.
      ...(content.charCodeAt(0) < 128 ? [utf16, bigEndian].map((bytes): [Content, Options] => [bytes, {}]) : []),
    ]
    for (const [bytes, encoding] of cases)
      expect(plain((await read(name, bytes, { ...options, ...encoding })).locations)).toEqual(expected)
  })

  test('in an old encoding, and when nobody says which', async () => {
    const narrow = (text: string): string =>
      Array.from(text.replace('\ufeff', ''), (character) => (character > '\u00ff' ? 'ü' : character)).join('')
    const bytes = Buffer.from(narrow(content), 'latin1')
    for (const encoding of ['latin1', 'windows-1252', 'iso-8859-15'])
      expect(plain((await read(name, bytes, { ...options, encoding })).locations)).toEqual(
        JSON.parse(narrow(JSON.stringify(expected))),
      )
    const { locations } = await read(name, bytes, options)
    expect(locations).toHaveLength(3)
    for (const location of locations)
      expect(location).toMatchObject({ reason: expect.stringMatching(/isn't valid UTF-8: source\.encoding/) })
  })
})

// --- names ---

describe('fields', () => {
  test.each([
    [
      'GeoNames',
      'geonameid\tname\tlatitude\tlongitude\tadmin1 code\tcountry code',
      { id: '1', city: '2', latitude: '3', longitude: '4', state: '5', 'country code': '6' },
    ],
    [
      'SimpleMaps',
      'city\tlat\tlng\tcountry\tadmin_name\tid',
      { city: '1', latitude: '2', longitude: '3', country: '4', state: '5', id: '6' },
    ],
    [
      'a spreadsheet',
      'City Name\tLAT\tLong\tState Name\tStation ID\t',
      { city: '1', latitude: '2', longitude: '3', state: '4', id: '5', column_6: '6' },
    ],
    [
      'city before name',
      'name\tcity\tlat\tlon\tx\ty',
      { name: '1', city: '2', latitude: '3', longitude: '4', x: '5', y: '6' },
    ],
    [
      '__proto__ and constructor',
      '__proto__\tconstructor\tcity\tlat\tlon\tid',
      { constructor: '2', city: '3', latitude: '4', longitude: '5', id: '6' },
    ],
  ])('known by heart: %s', async (_, header, expected) => {
    const { locations } = await read('list.tsv', `${header}\n1\t2\t3\t4\t5\t6\n`)
    expect(JSON.parse(JSON.stringify(locations[0]))).toEqual(
      header.startsWith('__') ? JSON.parse(`{"__proto__":"1",${JSON.stringify(expected).slice(1)}`) : expected,
    )
  })

  test('chosen ones win over what has their name', async () => {
    const { locations } = await read('list.csv', 'City,Full Name,a,b,fh\nX,Y,1,2,3\n', {
      fields: { city: 'full name', latitude: 'a', longitude: 'b', forecast_duration_hours: 'fh' },
    })
    expect(plain(locations)).toEqual([
      { original_City: 'X', city: 'Y', latitude: '1', longitude: '2', forecast_duration_hours: '3' },
    ])
  })

  test('inside of nested objects; of an object with more in it the rest stays', async () => {
    const records = [
      { label: { en: 'Ulm' }, where: { lat: 1, lon: 2 }, rest: 1 },
      { label: { en: 'Bonn', de: 'Bonn' }, where: { lat: 3, lon: 4, datum: 'WGS 84' } },
      { name: 'Rome', location: { type: 'Point', coordinates: [12, 41] } },
      { name: 'Oslo', coord: { lat: 59, lon: 10 }, latitude: 60, longitude: 11 },
    ]
    const chosen = { city: 'label.en', latitude: 'where.lat', longitude: 'where.lon' }
    expect(plain((await read('list.ndjson', lines(records.slice(0, 2)), { fields: chosen })).locations)).toEqual([
      { city: 'Ulm', latitude: 1, longitude: 2, rest: 1 },
      {
        city: 'Bonn',
        latitude: 3,
        longitude: 4,
        label: { en: 'Bonn', de: 'Bonn' },
        where: { lat: 3, lon: 4, datum: 'WGS 84' },
      },
    ])
    expect(plain((await read('list.ndjson', lines(records.slice(2)))).locations)).toEqual([
      { city: 'Rome', longitude: 12, latitude: 41, location: { type: 'Point', coordinates: [12, 41] } },
      { city: 'Oslo', latitude: 60, longitude: 11, coord: { lat: 59, lon: 10 } },
    ])
  })

  test('of GeoJSON properties', async () => {
    const feature = {
      type: 'Feature',
      geometry: { type: 'Point', coordinates: [1, 2] },
      properties: { NAME_1: 'Ulm', name: 'no', lat: 9 },
    }
    const { locations } = await read('list.geojsonl', lines([feature]), { fields: { city: 'NAME_1' } })
    expect(plain(locations)).toEqual([{ city: 'Ulm', name: 'no', lat: 9, longitude: 1, latitude: 2 }])
  })
})

// --- places of errors ---

describe('positions', () => {
  test.each<[string, string, string[], Options?]>([
    [
      'list.csv',
      'name,lat,lon\n\nA,1,2\n"B\nb",91,2\nC,x,2\n,1,2\nD,1\n',
      ['line 3', 'line 4, column "lat"', 'line 6, column "lat"', 'line 7, column "name"', 'line 8'],
    ],
    ['crlf.csv', 'name,lat,lon\r\n"A\r\n\r\na",1,2\r\nB,1,181\r\n', ['line 2', 'line 5, column "lon"']],
    ['mac.csv', 'name,lat,lon\rA,1,2\rB,1,x\r', ['line 2', 'line 3, column "lon"']],
    [
      'list.json',
      '[\n {"name":"A","lat":1,"lon":2},\n\n {"name":\n "B"}, 7 ]',
      ['[0], line 2', '[1], line 4', '[2], line 5'],
    ],
    [
      'object.json',
      '{"a": {"b":\n[{"name":"A","lat":1,"lon":2},\n{"name":"B"}]}}',
      ['a.b[0], line 2', 'a.b[1], line 3'],
      { items: 'a.b' },
    ],
    ['list.ndjson', '{"name":"A","lat":1,"lon":2}\n\n{"name":"B"}\r\n[1]', ['line 1', 'line 3', 'line 4']],
    [
      'list.geojson',
      '{"features":[\n{"type":"Feature","geometry":null},\n{}]}',
      ['features[0], line 2', 'features[1], line 3'],
    ],
    [
      'list.yaml',
      '# list\n- {name: A, lat: 1, lon: 2}\n-\n  name: B\n- 7\n',
      ['[0], line 2', '[1], line 4', '[2], line 5'],
    ],
  ])('of %s', async (name, content, expected, options = {}) => {
    expect((await read(name, content, options)).positions).toEqual(expected)
  })

  test('what is wrong with a record is said, and what it is', async () => {
    const feature = (geometry: unknown): object => ({ type: 'Feature', geometry, properties: { name: 'x' } })
    const line = { type: 'LineString', coordinates: [[1, 2]] }
    const { locations } = await read(
      'list.geojson',
      JSON.stringify({
        features: [feature(line), feature({ x: 1, y: 2 }), feature(null), feature({ type: 'Point' }), { a: 1 }],
      }),
    )
    expect(plain(locations)).toEqual([
      { malformed: "the feature's geometry must be a Point, not a LineString", value: JSON.stringify(feature(line)) },
      { malformed: "the feature's geometry has no type: it must be a Point", value: expect.any(String) },
      { malformed: 'the feature has no geometry', value: JSON.stringify(feature(null)) },
      { malformed: 'the Point has no longitude and latitude', value: expect.any(String) },
      { malformed: 'it is no GeoJSON feature', value: '{"a":1}' },
    ])
    const rows = (await read('list.csv', 'name,lat,lon\nA,1\nB,1,2,3\n')).locations
    expect(plain(rows)).toEqual([
      { malformed: 'the row has 2 columns, the header 3', value: 'A,1' },
      { malformed: 'the row has 4 columns, the header 3', value: 'B,1,2,3' },
    ])
    expect(plain((await read('list.ndjson', '{"name"\n')).locations)).toEqual([
      { malformed: expect.stringMatching(/^the line isn't JSON: /), value: '{"name"' },
    ])
  })
})

describe('quotes', () => {
  test.each([
    ['one that is never closed', 'A,1,2\n"B,1,2\nC,1,2\nD,1,2\n', ['A', '!3', 'C', 'D']],
    ['two such', '"A,1,2\nB,1,2\n"C,1,2\nD,1,2\n', ['!2', 'B', '!4', 'D']],
    ['more behind a closing one', '"A" or a,1,2\nB,1,2\n', ['!2', 'B']],
    ['one inside of a value', 'A,1,2\n5" B,1,2\n5" C,1,2\nD,1,2\n', ['A', '!3', '!4', 'D']],
    ['one at the end of a long value', '"A\na\na,1,2\n"B\nb",1,2\n', ['!2', '!3', 'a', 'B\nb']],
  ])('%s: the line is rejected, the others are read', async (_, content, expected) => {
    const { locations, positions } = await read('list.csv', `name,lat,lon\n${content}`)
    const found = locations.map((location, index) =>
      location instanceof Malformed ? `!${positions[index]?.replace('line ', '')}` : location['city'],
    )
    expect(found).toEqual(expected)
  })

  test.each(['A, "1, 5",2', 'A,"1" ,2', '"A, b" ,1,2'])('%s: the spaces beside them are told', async (line) => {
    const { locations } = await read('list.csv', `name,lat,lon\n${line}\n`)
    const reason = expect.stringMatching(/: remove the spaces beside its quotes$/)
    expect(plain(locations)).toEqual([{ malformed: reason, value: line }])
  })

  test('are none where the list has none', async () => {
    const { locations } = await read('list.tsv', 'name\tlat\tlon\n5" B\t1\t2\n"C\t1\t2\n', { quote: '' })
    expect(locations.map((location) => (location instanceof Malformed ? location : location['city']))).toEqual([
      '5" B',
      '"C',
    ])
  })

  test('whatever stands in a value is read as it is, but for space around it, and where it is said', async () => {
    const value = fc.oneof(
      fc.string({
        unit: fc.constantFrom('a', 'ö', '"', ',', ';', '\n', '\r\n', ' ', '\t', '\u2028', '東'),
        maxLength: 12,
      }),
      fc.constant('x'.repeat(3_000)),
    )
    const rows = fc.array(fc.record({ name: value, note: value }), { minLength: 1, maxLength: 60 })
    const style = fc.record({
      end: fc.constantFrom('\n', '\r\n'),
      always: fc.boolean(),
      delimiter: fc.constantFrom(',', ';', '\t'),
    })
    await fc.assert(
      fc.asyncProperty(rows, style, async (records, { end, always, delimiter }) => {
        const quoted = (text: string): string =>
          always || /["\r\n\t,;]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
        let text = ['name', 'note', 'lat', 'lon'].join(delimiter) + end
        const expected = records.map(({ name, note }) => {
          const line = text.split('\n').length
          text += [quoted(name), quoted(note), '1', '2'].join(delimiter) + end
          const location = { city: name.trim(), note: note.trim(), latitude: '1', longitude: '2' }
          return { location, line: `line ${line}` }
        })
        const { locations, positions } = await read('list.csv', text)
        expect(plain(locations)).toEqual(expected.map(({ location }) => location))
        expect(positions.map((position) => position.split(',')[0])).toEqual(expected.map(({ line }) => line))
      }),
      { numRuns: 60, seed: Number(process.env['OWM_TEST_SEED'] ?? 5) },
    )
  })
})
