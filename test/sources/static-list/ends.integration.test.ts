/** Lists that are only a part of themselves: saved answers that say so, and files in which a program broke off. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { folderWith, owm } from '../../support/cli.js'
import { failure, type Options, read } from './lists.js'

const places = [
  { name: 'Bern', lat: 46.9, lon: 7.4 },
  { name: 'Basel', lat: 47.5, lon: 7.6 },
]
const features = places.map(({ name, lat, lon }) => ({
  type: 'Feature',
  properties: { name },
  geometry: { type: 'Point', coordinates: [lon, lat] },
}))

/** Members beside a list of two, and why it isn't all. */
const parts: readonly (readonly [members: object, says: RegExp])[] = [
  [{ numberMatched: 500, numberReturned: 2 }, /has 500 items, but 2 are in it/],
  [{ numberReturned: 3 }, /has 3 items, but 2 are in it/],
  [{ total: 99, status: 'ok' }, /has 99 items/],
  [{ page: { totalElements: 45, totalPages: 3 } }, /one of 3 pages/],
  [{ exceededTransferLimit: true }, /more follows/],
  [{ properties: { exceededTransferLimit: true } }, /more follows/],
  [{ status: 'ok', has_more: true, total: 2 }, /more follows/],
  [{ last: false }, /more follows/],
  [{ count: 40, next: 'https://api.example/?page=2', previous: null }, /goes on at https:\/\/api\.example/],
  [{ meta: { pagination: { next_cursor: 'abc' } } }, /goes on at abc/],
  [{ links: [{ rel: 'next', href: '/items?offset=2' }] }, /goes on at \/items/],
  [{ remark: 'runtime error: Query timed out in "query" at line 3' }, /an error: runtime error/],
  [{ status: 'error', message: 'quota' }, /an error: error: quota/],
  [{ success: false }, /an error: success is false/],
  [{ timed_out: true, _shards: { failed: 2 } }, /an error: timed_out is true/],
  [{ error: { code: 500, message: 'upstream' } }, /an error: 500: upstream/],
  [{ _shards: { total: 5, successful: 3, failed: 2 } }, /an error: 2 have failed/],
  [{ '@iot.count': 500, '@iot.nextLink': '/Locations?$skip=2' }, /goes on at \/Locations/],
  [{ __next: '/places?$skip=2' }, /goes on at \/places/],
  [{ note: 'Results limited to 2 rows' }, /more follows: note/],
  [{ page: 3, per_page: 100 }, /isn't the first page: page is 3/],
  [{ limit: 100, offset: 100 }, /isn't the first page: offset is 100/],
  [{ first: false, last: true }, /isn't the first page: first is false/],
  [{ links: { prev: '/items?page=1', next: null } }, /isn't the first page: links\.prev/],
  [{ links: [{ rel: 'prev', href: '/items?offset=0' }] }, /isn't the first page: links/],
  [{ limit: 2, offset: 0 }, /has 2 items, the most that limit allows/],
]

/** Members of answers that are whole. */
const wholes: readonly object[] = [
  { total: 2, count: 2, next: null, status: 'OK', error: null },
  { numberMatched: 2, numberReturned: 2, links: [{ rel: 'self', href: '/items' }] },
  { data: { pageInfo: { hasNextPage: false, endCursor: 'abc' } }, totalCount: 2 },
  { last: true, totalPages: 1, totalElements: 2, size: 20 },
  { page: 1, limit: 2, offset: 0, total: 2 },
  { page: 1, limit: 100, offset: 1, previous: null, first: true, has_prev: false },
  { limit: 2, next: null },
  { timezone: 'x', offset: 3600, previous: 'https://example.org/2025.json', _shards: { successful: 5, failed: 0 } },
  { comment: 'Incomplete before 1950; the first 10 stations were manned', info: 'Data limited to 2020 and later' },
  { note: 'partial coverage of the Alps', limited_to: 'CH' },
  { osm3s: { copyright: 'x' }, generator: 'Overpass API', version: 0.6 },
]

type Write = (members: object) => [name: string, text: string, options?: Options]
const inFront: Write = (members) => ['list.json', JSON.stringify({ ...members, results: places })]
const ways: Readonly<Record<string, Write>> = {
  'in front': inFront,
  behind: (members) => ['list.json', JSON.stringify({ results: places, ...members })],
  GeoJSON: (members) => ['list.geojson', JSON.stringify({ type: 'FeatureCollection', features, ...members })],
  'YAML, items': (members) => ['list.yaml', JSON.stringify({ ...members, results: places }), { items: 'results' }],
  YAML: (members) => ['list.yaml', JSON.stringify({ ...members, results: places })],
  keyed: (members) => [
    'list.json',
    JSON.stringify({ ...members, results: { a: places[0], b: places[1] } }),
    { items: 'results', layout: 'keyed' },
  ],
  columns: (members) => [
    'list.json',
    JSON.stringify({ ...members, results: { name: ['Bern', 'Basel'], lat: [46.9, 47.5], lon: [7.4, 7.6] } }),
    { items: 'results', layout: 'columns' },
  ],
}

describe.each(Object.entries(ways))('a saved answer, %s', (_, write) => {
  test.each(parts)('that is a part: %j', async (members, says) => {
    const [name, text, options] = write(members)
    const error = await failure(read(name, text, options))
    expect(error.message).toMatch(says)
    expect(error.hint).toMatch(/source\.whole to true/)
    const { locations } = await read(name, text, { ...options, whole: true })
    expect(locations).toHaveLength(2)
  })

  test.each(wholes)('that is whole: %j', async (members) => {
    const { locations } = await read(...write(members))
    expect(locations).toHaveLength(2)
  })
})

test('what a part has is delivered, and that it is one is no success', async () => {
  const cwd = await folderWith({
    source: { use: 'static-list', file: './list.json' },
    sink: { use: 'jsonl', path: './tasks.jsonl' },
    outbox: { path: './outbox.db' },
  })
  await writeFile(join(cwd, 'list.json'), JSON.stringify({ results: places, next: '?page=2' }))
  const ran = await owm(['produce'], { cwd })
  expect(ran).toMatchObject({ code: 78, stderr: expect.stringContaining('goes on at ?page=2') })
  expect((await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).trim().split('\n')).toHaveLength(2)
})

test('an error without any list is told as one', async () => {
  const answers = ['{"status":"OVER_QUERY_LIMIT","results":[]}', '{"error":{"code":500,"message":"OVER_QUERY_LIMIT"}}']
  for (const text of answers)
    expect((await failure(read('list.json', text))).message).toMatch(/an error: (500: )?OVER_QUERY_LIMIT/)
})

describe('a list in which a program broke off', () => {
  const csv = 'name,lat,lon\nBern,46.9,7.4\nBasel,47.5,7.6\n'
  const ndjson = places.map((place) => `${JSON.stringify(place)}\n`).join('')
  test.each<[string, string, RegExp]>([
    ['list.ndjson', `${ndjson}{"error":{"code":500,"message":"upstream"}}\n`, /ends in an error: 500: upstream/],
    ['list.ndjson', `${ndjson}Traceback (most recent call last):\n`, /ends in an error: Traceback/],
    ['list.json', `[${ndjson.trim().replace('\n', ',')},{"status":"error","message":"quota"}]`, /an error: .*quota/],
    ['list.csv', `${csv}ERROR: canceling statement due to statement timeout\n`, /ends in an error: ERROR: cancel/],
    ['list.csv', `${csv}{"message":"Internal error","code":500}\n`, /ends in an error: .*Internal error/],
    ['list.csv', `${csv}<html><body>504 Gateway Time-out</body></html>\n\n`, /ends in an error: an HTML document/],
    ['list.tsv', `${csv.replaceAll(',', '\t')}java.sql.SQLException: closed\n`, /ends in an error: java/],
    [
      'list.csv',
      `${csv}SPARQL-QUERY: queryStr=\na.b.TimeoutException\n\tat a.b.C(C.java:1)\n`,
      /an error: SPARQL-QUERY/,
    ],
    ['list.ndjson', `${ndjson}Traceback (most recent call last):\n  File "a.py", line 1\nx\n`, /an error: Traceback/],
    ['list.ndjson', `${ndjson}{\n  "error": "timeout"\n}\n`, /an error: "error": "timeout"/],
    [
      'list.json',
      `[${ndjson.trim().replace('\n', ',')}]\nPHP Fatal error:  x in a.php on line 12\n`,
      /goes on behind its end/,
    ],
    ['list.csv', `${csv}Genf,46`, /breaks off in its last record: the row has 2 columns/],
    ['list.ndjson', `${ndjson}{"name":"Genf","la`, /breaks off in its last record: the line isn't JSON/],
  ])('%s, %#', async (name, text, says) => {
    expect((await failure(read(name, text))).message).toMatch(says)
  })

  test('also in a comment behind the last row', async () => {
    const list = (comment: string): Promise<{ locations: readonly unknown[] }> =>
      read('list.csv', `# Error codes: none\n${csv}# ${comment}\n`, { comment: '#' })
    for (const said of ['ERROR: timeout after 2 rows', 'truncated'])
      expect((await failure(list(said))).message).toMatch(new RegExp(`ends in an error: # ${said}`))
    for (const said of ['2 rows, no error', 'Errors: 0', 'end'])
      expect((await list(said)).locations, said).toHaveLength(2)
  })

  const quoted = '"id","name","lat","lon"\n"1","A","1","2"\n'
  const tabs = (text: string): string => text.replaceAll(',', '\t')
  const cut = ['"3","C', '"3","C"', '"3","C","5', '"3","C","5",', '"3","C","5","', '"3","C","5","6', '"3","C ""D']
  // A line end that was in the value, and one that nothing says what it is.
  const cutInLines = ['"3","C\nD', '"3","C\nD\n', '"3","C\n', '"3","C\n\n', '"2","B\n"3","C","5","6"\n4']

  test.each(
    [...cut, ...cutInLines].flatMap((end) => [
      ['csv', quoted + end],
      ['tsv', tabs(quoted + end)],
    ]),
  )('cut with quotes in a list of %s, %j', async (format, text) => {
    expect((await failure(read(`list.${format}`, text))).message).toMatch(/breaks off in its last record: /)
    expect((await failure(read(`list.${format}`, text.replaceAll('\n', '\r\n')))).message).toMatch(/breaks off/)
  })

  test.each<[string, string | Buffer, Options?]>([
    ['csv', `${csv}Genf,46.2,`],
    ['csv', `${csv}Genf,46.2,-`],
    ['csv', `${csv.replaceAll(',', ';')}Genf;46.2;`],
    ['csv', `sep=^\n${csv.replaceAll(',', '^')}Genf^46.2^`],
    ['csv', `${csv.replaceAll(',', ' ')}Genf 46.2 `, { delimiter: ' ' }],
    ['csv', `name,lat,lon,\n${csv.slice(13)}Genf,46.2,`],
    ['tsv', tabs(`${csv}Genf,46.2,`)],
    ['tsv', tabs('name,lat,lon,note\nBern,46.9,7.4,"the capital"\nGenf,46.2,6.1,"by the')],
    ['csv', "name,note,lat,lon\nBern,'a,b',1,2\nGenf,'a", { quote: "'" }],
    ['csv', 'name,lat,lon\n"Bern \\"B\\"",1,2\n"Genf \\"', { escape: '\\' }],
    ['csv', Buffer.concat([Buffer.from('lat,lon,name\n46.9,7.4,Bern\n47.4,8.5,Z'), Buffer.from([0xc3])])],
    ['ndjson', Buffer.concat([Buffer.from(`${ndjson}{"lat":47.4,"lon":8.5,"name":"Z`), Buffer.from([0xc3])])],
  ])('cut in or before its last value: %s, %#', async (format, text, options) => {
    expect((await failure(read(`list.${format}`, text, options))).message).toMatch(/breaks off in its last record: /)
  })

  test('what stands before a cut is delivered, and that is no success', async () => {
    const cwd = await folderWith({
      source: { use: 'static-list', file: './list.csv' },
      sink: { use: 'jsonl', path: './tasks.jsonl' },
      outbox: { path: './outbox.db' },
    })
    await writeFile(join(cwd, 'list.csv'), `${quoted}"3","C","5`)
    const ran = await owm(['produce'], { cwd })
    expect(ran).toMatchObject({ code: 78, stderr: expect.stringContaining('breaks off in its last record: a quote') })
    expect((await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).trim().split('\n')).toHaveLength(1)
  })

  test.each([
    ['a short row that has its end', `${csv}Genf,46\n`],
    ['a footer', `${csv}(2 rows)\n`],
    ['an error before the end', `name,lat,lon\nERROR: try again\n${csv.slice(csv.indexOf('\n') + 1)}`],
    ['a place with such a name', `${csv}Failure,91,7\n`],
    ['no line end behind a whole row', csv.trimEnd()],
    ['no line end behind a whole row in quotes', csv.replace('7.6\n', '"7.6"')],
    ['a quote too many in front of whole rows', csv.replace('Bern', '"Bern').concat('"Genf",46.2,6.1\n')],
    ['a quote too many in front of a whole row without its end', csv.replace('Bern', '"Bern').concat('Genf,46.2,6.1')],
    ['a last column that may be empty', csv.replaceAll('\n', ',\n').replace('lon,', 'lon,note').slice(0, -1)],
    ['a row without its last value that has its end', `${csv}Genf,46.2,\n`],
    ['a row that is wrong elsewhere', `${csv}Genf,95,6.1`],
  ])('%s ends no list', async (_, text) => {
    const { locations } = await read('list.csv', text)
    expect(locations.length).toBeGreaterThanOrEqual(2)
  })
})
