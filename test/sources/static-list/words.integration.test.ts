/** What is said of lists and rows that look almost right, and what helps. */
import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { secretsIn } from '../../../src/config/values/secrets.js'
import { isMalformed } from '../../../src/plugin.js'
import http from '../../../src/sources/http/index.js'
import { placeOf } from '../../../src/tasks/place.js'
import { Rejection } from '../../../src/tasks/rejection.js'
import { failure, type Options, read } from './lists.js'

const hasGawk = spawnSync('gawk', ['--version']).status === 0

/** Why each record is rejected; '' for one that isn't. */
async function reasons(name: string, text: string, options?: Options): Promise<string[]> {
  const { locations } = await read(name, text, options)
  return locations.map((location) => {
    if (isMalformed(location)) return location.reason
    const place = placeOf(location)
    return place instanceof Rejection ? place.reason : ''
  })
}

describe('columns with spaces between them', () => {
  test.each([
    ['name lat lon\nBern 46.9 7.4\n', /delimiter to " ";.*tr -s/],
    ['name   lat    lon\nBern   46.9   7.4\n', /delimiter to " "/],
    ['Bern 46.9 7.4\nBasel 47.5 7.6\n', /delimiter to " ", and name the columns with source\.header/],
  ])('%j', async (text, says) => {
    for (const name of ['list.csv', 'list.tsv']) expect((await failure(read(name, text))).hint).toMatch(says)
  })

  const dwd =
    'Stations_id von_datum bis_datum Stationshoehe geoBreite geoLaenge Stationsname Bundesland\n' +
    '----------- --------- --------- ------------- --------- --------- ------------ ----------\n' +
    '00001 19370101 19860630            478     47.8413    8.8493 Aach             Baden-Württemberg\n'
  const bom =
    '   Site  Site name                Lat      Lon\n' +
    '------- -------------------- -------- --------\n' +
    ' 001000 KARUNJIE             -16.2919 127.1956\n' +
    ' 001001 OOMBULGURRI EAST     -15.1806 127.8456\n'
  const ghcn =
    'ACW00011604  17.1167  -61.7833   10.1    ST JOHNS COOLIDGE FLD\n' +
    'AG000060390  36.7167    3.2500   24.0    ALGER-DAR EL BEIDA\n'
  test.each([
    [
      'under a header and dashes',
      dwd,
      /fixed places in a line.*`.*gawk .*substr\(\$0, FROM, LENGTH\), .* FILE.*with source\.header\..*skipLines: 2\./,
    ],
    [
      'under dashes that fit',
      bom,
      /substr\(\$0, 1, 7\), substr\(\$0, 9, 20\), substr\(\$0, 30, 8\), substr\(\$0, 39\)}' FILE/,
    ],
    [
      'without a header',
      ghcn,
      /fixed places in a line.*`.*gawk .*substr\(\$0, FROM, LENGTH\), .* FILE.*with source\.header\.(?!.*skipLines)/,
    ],
    ['under a header', `id lat lon height name\n${ghcn}`, /fixed places in a line.*`.*gawk .*skipLines: 1\./],
  ])('or of a fixed width, %s', async (_, text, says) => {
    const { hint } = await failure(read('list.csv', text))
    expect(hint).toMatch(says)
    expect(hint).not.toMatch(/tr -s|Map it/)
  })

  test.skipIf(!hasGawk)('the command that cuts them counts characters', async () => {
    const text = 'name    lat   lon\n------- ----- ----\nZürich  47.37 8.54\nBern    46.95 7.447\n'
    const { hint } = await failure(read('list.csv', text))
    const [, command = ''] = /`(.*)`/.exec(hint ?? '') ?? []
    const cut = spawnSync('sh', ['-c', command.replace('FILE', '-')], { input: text, encoding: 'utf8' })
    expect(cut.stdout.split('\n').slice(2)).toEqual(['Zürich |47.37|8.54', 'Bern   |46.95|7.447', ''])
    const { locations } = await read('list.csv', cut.stdout, {
      header: ['city', 'latitude', 'longitude'],
      skipLines: 2,
    })
    expect(locations).toMatchObject([{ city: 'Zürich', latitude: '47.37', longitude: '8.54' }, { city: 'Bern' }])
  })

  test('are read with that delimiter', async () => {
    const { locations } = await read('list.csv', 'name lat lon\nBern 46.9 7.4\n', { delimiter: ' ' })
    expect(locations).toMatchObject([{ city: 'Bern', latitude: '46.9' }])
  })
})

describe('rows and members of no value are no locations', () => {
  test.each([
    ['list.csv', 'name,lat,lon\nBern,46.9,7.4,\n,\n,,,,\n"",""\n'],
    ['list.csv', 'name,lat,lon,\nBern,46.9,7.4,\n,,\n'],
    ['list.json', '[{"name":"Bern","lat":46.9,"lon":7.4},\n]'],
  ])('%s, %#', async (name, text) => {
    const { locations } = await read(name, text)
    expect(locations).toHaveLength(1)
  })
})

describe('a number that is none', () => {
  test.each([
    ['list.json', '[{"name":"A","lat":NaN,"lon":7.4},{"name":"B","lat":47.5,"lon":7.6,"x":NaN,"state":NaN}]'],
    ['list.ndjson', '{"name":"A","lat":NaN,"lon":7.4}\n{"name":"B","lat":47.5,"lon":7.6,"x":[NaN],"id":NaN}\n'],
    ['list.yaml', '- {name: A, lat: .nan, lon: 7.4}\n- {name: B, lat: 47.5, lon: 7.6, x: .nan}\n'],
  ])('%s: NaN is not said to be missing', async (name, text) => {
    expect(await reasons(name, text)).toEqual([expect.stringMatching(/latitude must be a number.*, not NaN$/), ''])
  })
})

test('a minus as typesetters write it is one', async () => {
  const rows = ['A,−12.5,–7.4', 'B,－1,﹣2', 'C,-1,2', 'D,−,2'].join('\n')
  const { locations } = await read('list.csv', `name,lat,lon\n${rows}\n`)
  expect(locations.slice(0, 3)).toMatchObject([
    { latitude: '-12.5', longitude: '-7.4' },
    { latitude: '-1', longitude: '-2' },
    { latitude: '-1' },
  ])
  const dms = await read('list.csv', "name,lat,lon\nA,−12°30',7°\n", { dms: true })
  expect(dms.locations).toMatchObject([{ latitude: -12.5 }])
})

test('degrees, minutes and seconds are told with the option that reads them', async () => {
  const list = `name,lat,lon\nA,12:30:00,7:30:00\nB,52°31'N,13°24'E\nC,52 31 N,13 24 E\nD,52° 31′ 12″ N,13.4\n`
  expect(await reasons('list.csv', list)).toEqual(
    Array.from({ length: 4 }, () => expect.stringMatching(/source\.dms to/)),
  )
})

describe('objects by their ids, of which some are none', () => {
  test.each([
    ['list.json', '{"a":{"name":"Bern","lat":1,"lon":2},"b":5,"c":"x"}', undefined],
    ['list.json', '{"n":3,"all":{"a":{"name":"Bern","lat":1,"lon":2},"b":5,"c":null}}', 'all'],
    ['list.yaml', 'a: {name: Bern, lat: 1, lon: 2}\nb: 5\nc: x\n', undefined],
  ])('%s, items %j', async (name, text, items) => {
    const found = await reasons(name, text, { layout: 'keyed', ...(items ? { items } : {}) })
    expect(found).toEqual(['', 'a location must be an object', 'a location must be an object'])
  })

  test('none at all is an empty list, and no object at a path is told', async () => {
    expect((await read('list.json', '{}', { layout: 'keyed' })).locations).toEqual([])
    expect((await failure(read('list.json', '{"all":{"a":1}}', { layout: 'keyed', items: 'al' }))).hint).toMatch(/all/)
  })
})

test('of an address that has no more than host and path nothing is secret', () => {
  const secrets = (url: string): string[] => secretsIn({ url }, http.options)
  expect(secrets('https://api.example.com/v1/cities/')).toEqual([])
  expect(secrets('http://127.0.0.1:8080')).toEqual([])
  expect(secrets('https://api.example.com/v1/cities?key=abcdef')).toContain(
    'https://api.example.com/v1/cities?key=abcdef',
  )
  expect(secrets('https://user:pass@api.example.com/')).toContain('https://user:pass@api.example.com/')
  expect(secrets('https://hooks.example/T1/Xb9Yc8Zd7We6Vf5Ug4')).not.toEqual([])
})

describe('coordinates in several columns are not taken for whole ones', () => {
  test.each([
    ['lat_deg,lat_min,lon_deg,lon_min', 'lat_min'],
    ['lat,lat_dir,lon,lon_dir', 'lat_dir'],
    ['Latitude,Latitude Minutes,Longitude,Longitude Minutes', 'Latitude Minutes'],
    ['lat,ns,lon,ew', 'ns'],
    ['lat,N/S,lon,E/W', 'N/S'],
  ])('%s', async (header, part) => {
    const text = `name,${header}\nSydney,33,52,151,12\n`
    expect((await failure(read('list.csv', text))).message).toContain(`the column "${part}"`)
    const record = JSON.stringify({ name: 'Sydney', ...Object.fromEntries(header.split(',').map((name) => [name, 1])) })
    expect((await failure(read('list.json', `[${record}]`))).message).toContain(`the key "${part}"`)
    const [latitude = '', , longitude = ''] = header.split(',')
    expect((await read('list.csv', text, { fields: { latitude, longitude } })).locations).toHaveLength(1)
  })

  test.each(['lat,lon,lat_min,lat_max,lon_min,lon_max', 'lat,lon,ns,a,b,c'])(
    'but borders are none: %s',
    async (header) => {
      const { locations } = await read('list.csv', `name,${header}\nBern,46.9,7.4,46,47,7,8\n`)
      expect(locations).toMatchObject([{ latitude: '46.9' }])
    },
  )
})

test('a header in another encoding, and what a spreadsheet writes of a formula that failed, are told', async () => {
  const header = Buffer.from('name,lat,lon,höhe\nBern,46.9,7.4,540\n', 'latin1')
  expect(await failure(read('list.csv', header))).toMatchObject({
    message: expect.stringMatching(/header that isn't valid/),
    hint: expect.stringContaining('source.encoding'),
  })
  expect((await read('list.csv', header, { encoding: 'latin1' })).locations).toMatchObject([{ höhe: '540' }])
  const { warnings } = await read('list.csv', 'name,lat,lon\n#NAME?,46.9,7.4\n')
  expect(warnings).toEqual([expect.stringContaining('city "#NAME?"')])
})
