import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { all, api, place, placesOf, produce, send } from './api.js'

// --- what isn't an answer ---

test.each<[what: string, body: Buffer | string, type: string, says: RegExp, hint: RegExp]>([
  ['a web page', '<!DOCTYPE html><html><title>Log in</title></html>', 'text/html', /is a web page/, /login/],
  ['CSV', 'name,lat,lon\nA,1,2\n', 'text/csv', /is CSV, not JSON/, /source\.format to csv/],
  ['NDJSON', '{"name":"A"}\n{"name":"B"}\n', 'text/plain', /is NDJSON/, /source\.format to ndjson/],
  ['a gzip file', gzipSync('[]'), 'application/gzip', /is a gzip file/, /source\.format/],
  ['a zip archive', Buffer.from('504b0304140000000800', 'hex'), 'application/zip', /is a zip archive/, /unzip/],
])('a first answer that is %s: 78 at once', async (_, body, type, says, hint) => {
  const server = await api((_, response) => response.writeHead(200, { 'content-type': type }).end(body))
  const ran = await produce({ url: server.origin })
  expect(ran.code).toBe(78)
  expect(ran.json.error).toMatchObject({ message: expect.stringMatching(says), hint: expect.stringMatching(hint) })
  expect(server.asked).toHaveLength(1)
})

test.each<[format: string, body: string]>([
  ['csv', 'id,name,lat,lon\n1,p0,1,2\n2,"p1",1,2\n'],
  ['tsv', 'id\tname\tlat\tlon\n1\tp0\t1\t2\n2\tp1\t1\t2\n'],
  [
    'ndjson',
    `${placesOf(2)
      .map((each) => JSON.stringify(each))
      .join('\n')}\n`,
  ],
  ['json', JSON.stringify(placesOf(2))],
])('answers in %s, also as .gz', async (format, text) => {
  for (const body of [text, gzipSync(text)]) {
    const server = await api((_, response) => response.writeHead(200).end(body))
    const ran = await produce({ url: server.origin, format, pagination: { type: 'link' } })
    expect(ran, ran.stderr).toMatchObject({ code: 0, cities: all(2) })
  }
})

test('pages of CSV, and where a row of one is wrong', async () => {
  const server = await api((query, response) => {
    const page = Number(query.get('page'))
    const rows = ['p0,1,2', 'p1,1,2', 'p2,91,2'].slice(page * 2, page * 2 + 2)
    response.writeHead(200).end(`name,lat,lon\n${rows.map((row) => `${row}\n`).join('')}`)
  })
  const ran = await produce({ url: server.origin, format: 'csv', pagination: { limit: 2 } })
  expect(ran).toMatchObject({ code: 0, cities: all(2) })
  expect(ran.json.source.rejectedFor?.[0]?.position).toBe('page 1, line 2, column "lat"')
})

test.each<[what: string, headers: Record<string, string>]>([
  [
    'seconds since 1970',
    { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000) + 1) },
  ],
  ['seconds from now', { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' }],
  ['Retry-After', { 'retry-after': '1' }],
])('a limit that is told with 403 passes: %s', async (_, headers) => {
  let refused = 0
  const server = await api((_, response) => {
    if (refused++ === 0) send(response, { message: 'API rate limit exceeded' }, headers, 403)
    else send(response, [place(0)])
  })
  expect(await produce({ url: server.origin, pagination: { type: 'link' } })).toMatchObject({ code: 0, cities: all(1) })
})

// --- the kinds of lists ---

test('digits, names and values of JSON answers are those of lists', async () => {
  const body = (items: string): string => `{"data": [${items}], "total": 1}`
  const answer = async (items: string, options: object = {}) => {
    const server = await api((_, response) => response.writeHead(200).end(body(items)))
    return produce({ url: server.origin, ...options })
  }
  const long = await answer('{"id":1161888007138312199,"name":" p0\u00a0","lat":1,"lon":2}')
  expect(long).toMatchObject({ code: 0, cities: ['p0'] })
  expect((await answer('{"name":"a","name":"b","lat":1,"lon":2}')).code).toBe(65)
  const typo = await answer('{"title":"a","lat":1,"lon":2}', { fields: { city: 'tite' } })
  expect(typo).toMatchObject({ code: 78, json: { error: { hint: expect.stringMatching(/Did you mean "title"/) } } })
  const none = await answer('{"titel":"a","lat":1,"lon":2}')
  expect(none).toMatchObject({ code: 78, json: { error: { message: expect.stringMatching(/no key for the city/) } } })
  const comma = await answer('{"name":"a","lat":"46,9","lon":"7,4"}')
  expect(comma).toMatchObject({ code: 65, json: { error: { message: expect.stringMatching(/source\.decimal/) } } })
  expect(await answer('{"name":"p0","lat":"46,9","lon":"7,4"}', { decimal: ',' })).toMatchObject({ code: 0 })
  expect(await answer('{"id":1,"name":"p0","lat":0,"lon":0}')).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/at 0, 0/),
  })
})

test('projections that answers name', async () => {
  const features = [{ type: 'Feature', properties: { name: 'p0' }, geometry: { type: 'Point', coordinates: [1, 2] } }]
  const answer = async (body: object, headers: Record<string, string> = {}) => {
    const server = await api((_, response) => send(response, { type: 'FeatureCollection', features, ...body }, headers))
    return produce({ url: server.origin, pagination: { type: 'link' } })
  }
  expect(await answer({})).toMatchObject({ code: 0 })
  const wrong = { code: 78, json: { error: { message: expect.stringMatching(/projection/) } } }
  expect(await answer({ crs: { type: 'name', properties: { name: 'EPSG:25832' } } })).toMatchObject(wrong)
  expect(await answer({ spatialReference: { wkid: 102100, latestWkid: 3857 } })).toMatchObject(wrong)
  const crs = 'http://www.opengis.net/def/crs/EPSG/0/25832'
  expect(await answer({}, { 'content-crs': `<${crs}>` })).toMatchObject(wrong)
})

test('layouts of answers, and a single place', async () => {
  const answer = async (body: unknown, options: object = {}) => {
    const server = await api((_, response) => send(response, body))
    return produce({ url: server.origin, pagination: { type: 'link' }, ...options })
  }
  expect(await answer(place(0))).toMatchObject({ code: 0, cities: all(1) })
  const rows = [
    ['name', 'lat', 'lon'],
    ['p0', '1', '2'],
    ['p1', '1', '3'],
  ]
  expect(await answer(rows, { layout: 'rows' })).toMatchObject({ code: 0, cities: all(2) })
  const keyed = { a: { name: 'p0', lat: 1, lon: 2 }, b: { name: 'p1', lat: 1, lon: 3 } }
  const hint = { code: 78, json: { error: { hint: expect.stringMatching(/source\.layout to keyed/) } } }
  expect(await answer(keyed)).toMatchObject(hint)
  expect(await answer(keyed, { layout: 'keyed' })).toMatchObject({ code: 0, cities: all(2) })
  const columns = { name: ['p0', 'p1'], lat: [1, 1], lon: [2, 3] }
  expect(await answer(columns, { layout: 'columns' })).toMatchObject({ code: 0, cities: all(2) })
})
