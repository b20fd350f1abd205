/** Each line of docs/sources.md on what a list looks like, and each of its recipes, tried by the built owm. */
import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { owm, root, temporaryFolder } from '../../support/cli.js'
import { startPostgres } from '../../support/databases.js'

const text = readFileSync(join(root, 'docs', 'sources.md'), 'utf8')
type Tree = Record<string, unknown>

interface Made {
  readonly code: number | null
  readonly stderr: string
  readonly tasks: readonly Tree[]
}

/** What owm makes of a source. */
async function made(source: Tree, name = '', content: string | Buffer = ''): Promise<Made> {
  const cwd = await temporaryFolder()
  if (name !== '') await writeFile(join(cwd, name), content)
  const config = { source, sink: { use: 'jsonl', path: 'tasks.jsonl' }, outbox: { path: 'outbox.db' } }
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(config))
  const { code, stderr } = await owm(['produce'], { cwd })
  const written = await readFile(join(cwd, 'tasks.jsonl'), 'utf8').catch(() => '')
  return {
    code,
    stderr,
    tasks: written
      .split('\n')
      .slice(0, -1)
      .map((line): Tree => JSON.parse(line)),
  }
}

// --- what a list looks like ---

interface Sample {
  readonly name?: string
  readonly content: string | Buffer
  readonly tasks: readonly Tree[]
}

const csv = (rows: string, ...tasks: Tree[]): Sample => ({ content: `${rows}\n`, tasks })
const json = (value: unknown, ...tasks: Tree[]): Sample => ({
  name: 'list.json',
  content: JSON.stringify(value),
  tasks,
})
const bern = { city: 'Bern', latitude_deg: 46.9, longitude_deg: 7.4 }

/** By the second cell of the table. */
const samples: Readonly<Record<string, Sample>> = {
  '': csv('name,lat,lon\nBern,46.9,7.4', bern),
  'fields: {city: Ort, latitude: Breite, longitude: Länge}': csv('Ort;Breite;Länge\nBern;46.9;7.4', bern),
  'decimal: ","': csv('name;lat;lon\nBern;46,9;7,4', bern),
  'header: [id, city, latitude, longitude]': csv('1,Bern,46.9,7.4', { ...bern, location_id: '1' }),
  'skipLines: 3': csv('Stations\nof today\n\nname,lat,lon\nBern,46.9,7.4', bern),
  'comment: "#"': csv('# made today\nname,lat,lon\n# the capital\nBern,46.9,7.4', bern),
  'escape: "\\\\"': csv('name,lat,lon\n"the \\"old\\" mill",46.9,7.4', { city: 'the "old" mill' }),
  'nulls: [NULL, N/A, "-"]': csv('name,state,lat,lon\nBern,N/A,46.9,7.4', { ...bern, state: '' }),
  'fields: {coordinates: position}, coordinates: lat-lon': csv('name,position\nBern,"46.9, 7.4"', bern),
  'fields: {coordinates: the_geom}': csv('name,the_geom\nBern,POINT (7.4 46.9)', bern),
  'dms: true': csv('name,lat,lon\nIstanbul,"41° 15\' 44"" N","28° 43\' 40"" E"', { latitude_deg: 41.262222222 }),
  'longitudes: 0..360': csv('name,lat,lon\nMauna Loa,19.5,204.4', { longitude_deg: -155.6 }),
  'rejectNullIsland: true': csv('name,lat,lon\nNowhere,0,0\nBern,46.9,7.4', bern),
  'columns: [country]': csv('name,lat,lon,country,a,b\nBern,46.9,7.4,CH,1,2', { ...bern, country: 'CH' }),
  'encoding: latin1': {
    content: Buffer.from('name,lat,lon\nZürich,46.9,7.4\n', 'latin1'),
    tasks: [{ city: 'Zürich' }],
  },
  'items: data.cities': json({ more: [{ a: 1 }], data: { cities: [{ name: 'Bern', lat: 46.9, lon: 7.4 }] } }, bern),
  'layout: keyed': json({ B: { name: 'Bern', lat: 46.9, lon: 7.4 } }, { ...bern, location_id: 'B' }),
  'layout: rows': json(
    [
      ['name', 'lat', 'lon'],
      ['Bern', 46.9, 7.4],
    ],
    bern,
  ),
  'layout: columns': json({ name: { 0: 'Bern' }, lat: { 0: 46.9 }, lon: { 0: 7.4 } }, bern),
  'fields: {city: tags.name}': json([{ lat: 46.9, lon: 7.4, tags: { name: 'Bern' } }], bern),
}

const lines = (text.split('## Recipes')[0] ?? '')
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .slice(2)
  .map((line) => (line.split('|').at(-2) ?? '').trim().replace(/^`|`$/g, ''))

test('every line has a sample, and every sample a line', () => {
  expect(lines.toSorted()).toEqual(Object.keys(samples).toSorted())
})

test.each(lines)('%s', async (line) => {
  const { name = 'list.csv', content, tasks } = samples[line] ?? csv('')
  const options: Tree = parse(`{${line}}`)
  const { code, stderr, tasks: found } = await made({ use: 'static-list', file: name, ...options }, name, content)
  expect(code, stderr).toBe(0)
  expect(found).toMatchObject(tasks)
  expect(found).toHaveLength(tasks.length)
  if (line.startsWith('columns')) expect(found[0]).not.toHaveProperty('a')
})

// --- recipes ---

const recipes = [...text.matchAll(/^### (.*)\n[^#]*?```yaml\n([^`]*)```/gm)]
  .map(([, title = '', yaml = '']) => ({ title, source: sourceIn(yaml) }))
  .filter(({ title }) => !title.startsWith('`'))

function sourceIn(yaml: string): Tree {
  const { source }: { source: Tree } = parse(yaml)
  return source
}

/** Serves the same answer to each request, or what stands for a page of it. */
async function served(answer: (query: URLSearchParams) => string | Buffer): Promise<string> {
  const server = createServer((request, response) => {
    response.end(answer(new URL(request.url ?? '', 'http://127.0.0.1').searchParams))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

/** The source of a recipe with another host. */
const at = (source: Tree, host: string): Tree => {
  const url = new URL(String(source['url']))
  return { ...source, url: `http://${host}${url.pathname}${url.search}` }
}

const geonames = (id: number, name: string): string =>
  [id, name, name, '"quoted" alternate', 46.94809, 7.44744, 'P', 'PPLC', 'CH', '', 'BE', '', '', '', 121631, '', 549]
    .concat(['Europe/Zurich', '2026-11-25'])
    .join('\t')
const feature = (id: number): object => ({
  type: 'Feature',
  id,
  properties: { name: `p${id}` },
  geometry: { type: 'Point', coordinates: [7.4, 46.9] },
})

const tried: Readonly<Record<string, (source: Tree) => Promise<{ found: Made; tasks: readonly Tree[] }>>> = {
  GeoNames: async (source) => ({
    found: await made(source, 'cities15000.txt', `${geonames(1, 'Bern')}\n${geonames(2, '"Ghost')}\n`),
    tasks: [
      { location_id: '1', city: 'Bern', state: 'BE', country: 'CH', timezone: 'Europe/Zurich' },
      { location_id: '2', city: '"Ghost' },
    ],
  }),
  OurAirports: async (source) => ({
    found: await made(
      source,
      'airports.csv',
      '"id","ident","type","name","latitude_deg","longitude_deg","iso_country","iso_region",' +
        '"municipality","scheduled_service"\n' +
        '6523,"00A","heliport","Total RF",40.07,-74.93,"US","US-PA","Bensalem","no"\n' +
        '5,"LSZB","medium_airport","Bern-Belp",46.91,7.49,"CH","CH-BE","Bern","yes"\n',
    ),
    tasks: [{ location_id: 'LSZB', city: 'Bern-Belp', state: 'CH-BE', iso_country: 'CH' }],
  }),
  OpenFlights: async (source) => ({
    found: await made(
      source,
      'airports.dat',
      '1,"Goroka \\"G\\" Airport","Goroka","Papua New Guinea","GKA",\\N,-6.08,145.39,5282,10,"U",' +
        '"Pacific/Port_Moresby","airport","x"\n',
    ),
    tasks: [{ location_id: '1', city: 'Goroka "G" Airport', country: 'Papua New Guinea', iata: 'GKA' }],
  }),
  "OpenWeatherMap's bulk list": async (source) => {
    const list = [{ id: 2661552, name: 'Bern', state: '', country: 'CH', coord: { lon: 7.44744, lat: 46.94809 } }]
    const host = await served(() => gzipSync(JSON.stringify(list)))
    return { found: await made(at(source, host)), tasks: [{ location_id: 2661552, city: 'Bern', country: 'CH' }] }
  },
  'Stations of the Integrated Surface Database': async (source) => ({
    found: await made(
      source,
      'isd-history.csv',
      await readFile(join(import.meta.dirname, 'lists', 'null-island', 'isd-history.csv')),
    ),
    tasks: [{ city: 'JAN MAYEN(NOR-NAVY)', usaf: '010010', wban: '99999', ctry: 'NO' }],
  }),
  "The World Bank's countries": async (source) => {
    const host = await served((query) => {
      const page = Number(query.get('page'))
      const items = [
        { id: 'CHE', iso2Code: 'CH', name: 'Switzerland', capitalCity: 'Bern', longitude: '7.44', latitude: '46.94' },
        { id: 'AFE', iso2Code: 'ZH', name: 'Africa', capitalCity: '', longitude: '', latitude: '' },
      ]
      return JSON.stringify([{ page, pages: 1, per_page: query.get('per_page'), total: 2 }, page === 1 ? items : []])
    })
    return { found: await made(at(source, host)), tasks: [{ city: 'Bern', state: 'Switzerland', location_id: 'CHE' }] }
  },
  'OGC API Features': async (source) => {
    const host = await served((query) => {
      const offset = Number(query.get('offset') ?? 0)
      const links = offset === 0 ? [{ rel: 'next', href: '?f=json&offset=1' }] : []
      return JSON.stringify({ type: 'FeatureCollection', features: [feature(offset)], links, numberMatched: 2 })
    })
    return { found: await made(at(source, host)), tasks: [{ city: 'p0' }, { city: 'p1' }] }
  },
  PostGIS: async (source) => {
    const database = await startPostgres()
    onTestFinished(() => database.stop())
    // PostGIS isn't on the test machine: its two functions, as far as the recipe goes.
    for (const statement of [
      "CREATE FUNCTION ST_Transform(geom text, srid int) RETURNS text LANGUAGE sql AS 'SELECT geom'",
      "CREATE FUNCTION ST_AsText(geom text) RETURNS text LANGUAGE sql AS 'SELECT geom'",
      "CREATE TABLE stations AS SELECT 1 AS id, 'Bern' AS name, 'POINT(7.4 46.9)' AS geom",
    ])
      await database.query(statement)
    return { found: await made({ ...source, url: database.url }), tasks: [{ ...bern, location_id: 1 }] }
  },
  Overpass: async (source) => {
    const list = JSON.parse(await readFile(join(import.meta.dirname, 'lists', 'overpass', 'overpass.json'), 'utf8'))
    const host = await served(() => JSON.stringify(list))
    const tasks = [{ city: 'Berlin', location_id: 240109189, tags_population: '3769495' }]
    return { found: await made(at(source, host)), tasks }
  },
}

test('every recipe is tried', () => {
  expect(recipes.map(({ title }) => title).toSorted()).toEqual(Object.keys(tried).toSorted())
})

test.each(recipes.map(({ title, source }) => [title, source] as const))('recipe: %s', async (title, source) => {
  const { found, tasks } = (await tried[title]?.(source)) ?? { found: { code: 1, stderr: '', tasks: [] }, tasks: [] }
  expect(found.code, found.stderr).toBe(0)
  expect(found.tasks).toMatchObject(tasks)
  expect(found.tasks).toHaveLength(tasks.length)
})
