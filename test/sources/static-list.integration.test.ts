/**
 * static-list: every format, plain and compressed, in several encodings; names, places of errors, damage; a real list
 * into a real Redis.
 */
import { execFile } from 'node:child_process'
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, ResumePointError, TransientError } from '../../src/errors/index.js'
import { type Location, Malformed } from '../../src/plugin.js'
import staticList from '../../src/sources/static-list/index.js'
import { placeOf } from '../../src/tasks/place.js'
import { folderWith, owm, root, temporaryFolder } from '../support/cli.js'

type Content = string | Buffer
type Options = Record<string, unknown>

interface Read {
  locations: (Location | Malformed)[]
  positions: string[]
  resumes: string[]
  warnings: string[]
}

/** Reads a list in a folder of its own, or what `options` say. */
async function read(
  name: string,
  content: Content,
  options: Options = {},
  onBatch?: (path: string) => Promise<void>,
): Promise<Read> {
  const path = join(await temporaryFolder(), name)
  await writeFile(path, content)
  return readPath(path, options, onBatch)
}

/** The field that a location is rejected for. */
function fieldOf(location: Location | Malformed): string | undefined {
  const made = location instanceof Malformed ? location : placeOf(location)
  return 'field' in made ? made.field : undefined
}

async function readPath(
  path: string,
  options: Options = {},
  onBatch?: (path: string) => Promise<void>,
  resume?: string,
): Promise<Read> {
  const found: Read = { locations: [], positions: [], resumes: [], warnings: [] }
  const log = {
    debug() {},
    info() {},
    error() {},
    warn: (_: object, message: string) => void found.warnings.push(message),
  }
  const context = {
    baseDir: '/',
    signal: new AbortController().signal,
    log,
    attempt: <T>(work: () => Promise<T>) => work(),
  }
  const source = await staticList.open(staticList.options.parse({ file: path, ...options }), context)
  for await (const batch of source.read(resume)) {
    found.locations.push(...batch.locations)
    found.positions.push(...batch.locations.map((location, index) => batch.position(index, fieldOf(location))))
    found.resumes.push(batch.resume)
    await onBatch?.(path)
  }
  return found
}

/** As plain objects, so that nothing but keys and values counts. */
const plain = (locations: readonly (Location | Malformed)[]): unknown[] =>
  locations.map((location) =>
    location instanceof Malformed ? { malformed: location.reason, value: location.value } : { ...location },
  )

async function failure(reading: Promise<unknown>): Promise<ConfigurationError> {
  const thrown = await reading.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof ConfigurationError) return thrown
  throw new Error(`no ConfigurationError but ${thrown}`)
}

// --- formats ---

/** Numbers as text, as CSV has them. */
const texts = [
  { id: '1', city: 'Łódź', state: 'Łódź Voivodeship', latitude: '51.75', longitude: '19.46667', country: 'PL' },
  { id: '2', city: 'Saint-Denis, La "Réunion"', state: '', latitude: '-20.88231', longitude: '55.4504', country: 'RE' },
  { id: '3', city: '東京\n都', state: 'Tōkyō', latitude: '35.6895', longitude: '139.69171', country: 'JP' },
]
const numbers = texts.map((place) => ({
  ...place,
  id: Number(place.id),
  latitude: Number(place.latitude),
  longitude: Number(place.longitude),
}))
const named = texts.map(({ id, city, state, latitude, longitude, country }) => ({
  geonameid: id,
  name: city,
  admin1: state,
  lat: latitude,
  lng: longitude,
  country,
}))
const features = numbers.map(({ id, longitude, latitude, ...properties }) => ({
  type: 'Feature',
  id,
  geometry: { type: 'Point', coordinates: [longitude, latitude, 12] },
  properties,
}))
const cell = (value: string): string => (/[",\n;\t]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)
const table = (delimiter: string, end: string): string =>
  [Object.keys(named[0] ?? {}), ...named.map((place) => Object.values(place).map(cell))]
    .map((row) => row.join(delimiter) + end)
    .join('')
const lines = (records: readonly unknown[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('')
const yaml = (place: (typeof numbers)[number]): string =>
  Object.entries(place)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
    .join('\n  ')

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

  test('chosen ones win, and push out what has their name', async () => {
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
        features: [feature(line), feature(null), feature({ type: 'Point', coordinates: [] }), { a: 1 }],
      }),
    )
    expect(plain(locations)).toEqual([
      { malformed: "the feature's geometry must be a Point, not a LineString", value: JSON.stringify(feature(line)) },
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
    ['in the last line, unclosed', 'A,1,2\n"B', ['A', '!3']],
  ])('%s: the line is rejected, the others are read', async (_, content, expected) => {
    const { locations, positions } = await read('list.csv', `name,lat,lon\n${content}`)
    const found = locations.map((location, index) =>
      location instanceof Malformed ? `!${positions[index]?.replace('line ', '')}` : location['city'],
    )
    expect(found).toEqual(expected)
  })

  test('are none where the list has none', async () => {
    const { locations } = await read('list.tsv', 'name\tlat\tlon\n5" B\t1\t2\n"C\t1\t2\n', { quote: '' })
    expect(locations.map((location) => (location instanceof Malformed ? location : location['city']))).toEqual([
      '5" B',
      '"C',
    ])
  })

  test('whatever stands in a value is read as it is, space around it excepted, and stands where it is said', async () => {
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

// --- damage ---

describe('lists that are wrong as a whole', () => {
  const good = 'name,lat,lon\nA,1,2\n'
  test.each<[what: string, name: string, content: Content, message: RegExp, hint?: RegExp, options?: Options]>([
    ['empty', 'list.csv', '', /is empty: it has not even a header/],
    ['only a byte order mark', 'list.csv', '\ufeff', /is empty/],
    [
      'no latitude',
      'list.csv',
      'name,latt,lon\nA,1,2\n',
      /no column for the latitude, line 1/,
      /columns are: name, latt, lon\. Is it "latt"\? Map it, fields: \{latitude: latt\}/,
    ],
    [
      'no header',
      'list.csv',
      'Ulm,48.4,9.99\n',
      /no column for the latitude/,
      /source\.header if the file has no header/,
    ],
    [
      'no city in source.header',
      'list.csv',
      'Ulm,48.4,9.99\n',
      /no column for the city, in source\.header/,
      /x, lat, lon/,
      { header: ['x', 'lat', 'lon'] },
    ],
    [
      'a wrong field',
      'list.csv',
      good,
      /no column "nmae", which source\.fields names for the city/,
      /Did you mean "name"\?/,
      { fields: { city: 'nmae' } },
    ],
    ['a column twice', 'list.csv', 'name,lat,lon,NAME\n', /two columns "NAME" \(columns 1 and 4\)/, /another name/],
    ['a quote in the header', 'list.csv', 'name,"lat,lon\nA,1,2\n', /quote that is never closed in its header, line 1/],
    [
      'one endless line',
      'list.csv',
      `name,lat,lon\n${'x'.repeat(9_000_000)}`,
      /line 2 of more than 8388608 characters/,
    ],
    ['one endless line', 'list.ndjson', 'x'.repeat(9_000_000), /line 1 of more than/],
    ['empty', 'list.json', '', /ends before its array does/],
    ['no array', 'list.json', '"x"', /isn't an array/],
    ['cut off', 'list.json', '[{"name":"A"},{"name"', /ends before its array does/],
    ['cut off', 'object.json', '{"cities":[{"name":"A"},{"name"', /ends before its array does/],
    ['brackets that do not fit', 'list.json', '[{"name":"A"},\n{"name":["B"}]]', /isn't valid JSON, line 2: /],
    ['more behind the end', 'list.json', '[{"name":"A"}]\n[]', /goes on behind its end, line 2/],
    ['one object a line', 'list.json', '{"name":"A"}\n{"name":"B"}\n', /goes on behind its end/, /ndjson/],
    ['an object without a list', 'list.json', '{"error":"x","codes":[1]}', /holds no array of objects/],
    ['two lists', 'list.json', '{"a":[{}],"b":{"c":[{}]}}', /more than one list: a, b\.c/, /source\.items/],
    ['no such list', 'list.json', '{"cities":[{}]}', /no list "citys"/, /items: cities/, { items: 'citys' }],
    ['no features', 'list.geojson', '{"type":"FeatureCollection"}', /no list "features"/],
    ['invalid', 'list.yaml', '- {name: A\n- b', /isn't valid YAML: .* at line 2/],
    ['no sequence', 'list.yaml', 'just text', /isn't a sequence/],
    ['two lists', 'list.yaml', 'a: [{b: 1}]\nc: [{d: 1}]', /more than one list: a, c/],
    [
      'too large',
      'list.yaml',
      `- name: ${'x'.repeat(8 * 1024 * 1024)}`,
      /more than 8388608 characters, the most for YAML/,
      /CSV or NDJSON/,
    ],
    ['not gzip', 'list.csv.gz', good, /isn't gzip's, though its name ends in \.gz/],
    ['empty', 'list.ndjson.gz', '', /is empty, though its name ends in \.gz/],
    ['no ending that says it', 'list.txt', good, /doesn't say what format/, /csv, tsv, json, ndjson, geojson, yaml/],
  ])('%s: %s', async (_, name, content, message, hint = /./, options = {}) => {
    const error = await failure(read(name, content, options))
    expect(error.message).toMatch(message)
    expect(error.hint).toMatch(hint)
  })

  test.each([
    ['list.csv', 'name,lat,lon\n'],
    ['list.csv', 'name,lat,lon'],
    ['list.json', '[]'],
    ['object.json', '{"cities":[]}'],
    ['list.ndjson', ''],
    ['list.geojson', '{"type":"FeatureCollection","features":[]}'],
    ['list.yaml', ''],
    ['object.yaml', 'cities: []'],
  ])('empty ones are read: %s', async (name, content) => {
    expect(await read(name, content)).toMatchObject({ locations: [], warnings: [] })
  })

  test('compressed ones that were cut off or damaged never pass for shorter ones', async () => {
    const rows = Array.from({ length: 500 }, (_, index) => ({
      name: `place ${(index * 7919) % 1009}`,
      lat: index % 90,
      lon: index % 180,
    }))
    const zipped = gzipSync(lines(rows))
    for (let length = 1; length < zipped.length; length += Math.ceil(zipped.length / 40)) {
      const error = await failure(read('list.ndjson.gz', zipped.subarray(0, length)))
      expect(error.message, `${length} bytes`).toMatch(length < 2 ? /isn't gzip's/ : /is damaged or incomplete/)
    }
    for (let at = 10; at < zipped.length; at += Math.ceil(zipped.length / 40)) {
      const damaged = Buffer.from(zipped)
      damaged.writeUInt8(damaged.readUInt8(at) ^ 0x55, at)
      expect((await failure(read('list.ndjson.gz', damaged))).message, `byte ${at}`).toMatch(/is damaged or incomplete/)
    }
    expect((await failure(read('list.ndjson.gz', Buffer.concat([zipped, Buffer.from('more')])))).message).toMatch(
      /is damaged/,
    )
  })

  test('a folder, a pipe, nothing there, nothing readable', async () => {
    const folder = await temporaryFolder()
    await promisify(execFile)('mkfifo', [join(folder, 'pipe.csv')])
    await mkdir(join(folder, 'folder.csv'))
    await symlink('nowhere', join(folder, 'link.csv'))
    await writeFile(join(folder, 'secret.csv'), good, { mode: 0 })
    expect((await failure(readPath(join(folder, 'folder.csv')))).message).toMatch(/it is a folder/)
    expect((await failure(readPath(join(folder, 'pipe.csv')))).message).toMatch(/it is a pipe .*`file: "-"`/)
    expect((await failure(readPath(join(folder, 'link.csv')))).message).toMatch(/there is no such file/)
    // Root may read everything: as somebody else.
    const script = `
      const { loadSource } = await import(${JSON.stringify(join(root, 'dist/plugins/load.js'))})
      const list = await loadSource('static-list', '.')
      if (process.getuid() === 0) process.seteuid(65534)
      const opening = list.open({ file: 'secret.csv', quote: '"' }, { baseDir: '.' })
      await opening.catch((error) => console.log(error.code, error.message))`
    await promisify(execFile)('chmod', ['755', folder])
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      cwd: folder,
    })
    expect(stdout).toMatch(/^CONFIGURATION .*permission is denied/)
  })

  test('a disk that fails is no reason to give up for good', async () => {
    const reading = readPath('/proc/self/mem', { format: 'ndjson' })
    await expect(reading).rejects.toThrow(/EIO/)
    await expect(reading).rejects.not.toBeInstanceOf(ConfigurationError)
  })

  test('an encoding that there is not: the nearest one is named', async () => {
    const cwd = await folderWith({
      source: { use: 'static-list', file: 'list.csv', encoding: 'windows-1525' },
      sink: { use: 'jsonl', path: '-' },
    })
    const { code, stderr } = await owm(['produce', '--dry-run'], { cwd })
    expect(code).toBe(78)
    expect(stderr).toMatch(/source\.encoding .*the nearest is windows-125\d/)
  })
})

test.each([
  ['it is written anew', (path: string) => writeFile(path, 'name,lat,lon\nOther,1,2\n')],
  ['it goes', (path: string) => rm(path, { force: true })],
])('a list that is changed while it is read is noticed: %s', async (_, change) => {
  const rows = Array.from({ length: 30_000 }, (_, index) => `place ${index},1,2\n`).join('')
  const reading = read('list.csv', `name,lat,lon\n${rows}`, {}, change)
  await expect(reading).rejects.toThrow(/was changed while it was read/)
  await expect(reading).rejects.toBeInstanceOf(TransientError)
})

test('a resume point of another version is refused', async () => {
  const path = join(await temporaryFolder(), 'list.csv')
  await writeFile(path, 'name,lat,lon\nA,1,2\nB,1,2\n')
  const [resume = ''] = (await readPath(path)).resumes
  expect((await readPath(path, {}, undefined, resume)).locations).toEqual([])
  await writeFile(path, 'name,lat,lon\nA,1,2\nB,1,2\nC,1,2\n')
  await expect(readPath(path, {}, undefined, resume)).rejects.toBeInstanceOf(ResumePointError)
})
