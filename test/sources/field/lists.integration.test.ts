/**
 * Lists as people really have them, each in a folder of `lists/` with its configuration: what the built owm makes of
 * them as they stand, and what it makes of them with the option that it names.
 */
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { owm, temporaryFolder } from '../../support/cli.js'

interface Case {
  readonly list: string
  /** `--set source.…` */
  readonly set?: Readonly<Record<string, unknown>>
  readonly args?: readonly string[]
  readonly code: number
  /** What standard error says; empty where nothing is given. */
  readonly says?: readonly RegExp[]
  /** Parts of the tasks, in their order. */
  readonly tasks?: readonly Readonly<Record<string, unknown>>[]
  /** What the tasks' text has in it: where a number has more digits than a double. */
  readonly text?: readonly string[]
}

const places = (...cities: string[]): Record<string, unknown>[] => cities.map((city) => ({ city }))

const cases: readonly Case[] = [
  // Digits are not ours to change.
  { list: 'bigint-json', code: 0, text: ['1161888007138312192', '1161888007138312199', '3791411052119578828'] },
  { list: 'bigint-ndjson', code: 0, text: ['1161888007138312192', '1161888007138312199', '"parent":9007199254740993'] },
  {
    list: 'inline-zero',
    code: 0,
    tasks: [
      { location_id: '03772', zip: '00501' },
      { location_id: 3772, city: 'Other' },
    ],
  },
  // Nothing usable is no success.
  { list: 'all-rejected', code: 65, says: [/None of the 3 locations.*source\.decimal to ","/], tasks: [] },
  { list: 'decimal-comma', code: 65, says: [/source\.decimal to ","/], tasks: [] },
  { list: 'delimiter-tie', code: 65, says: [/source\.decimal to ","/], tasks: [] },
  { list: 'dms', code: 65, says: [/source\.dms to true/], tasks: [] },
  { list: 'lon-0-360', code: 0, says: [/source\.longitudes to 0\.\.360/], tasks: places('Berlin') },
  {
    list: 'backslash-quotes',
    code: 0,
    says: [/3 locations were rejected.*source\.escape/],
    tasks: places('Bern', 'Basel'),
  },
  { list: 'header-only', code: 0, says: [/gave no location/] },
  { list: 'header-only', args: ['--set', 'source.minLocations=1'], code: 65, says: [/gave 0 locations/] },
  // A duplicate is the same place again.
  {
    list: 'id-same-content-differs',
    code: 0,
    says: [/another place's, too: line 2 \(.*line 3/],
    tasks: places('Bern'),
  },
  { list: 'id-same-content-differs', args: ['--strict'], code: 65, says: [/line 3/] },
  // One name, one column.
  {
    list: 'both-ids-camel',
    code: 0,
    says: [/the key "locationId" travels as original_location_id/],
    tasks: [{ location_id: 1, original_location_id: 'LOC-77' }],
  },
  {
    list: 'index-hash-column',
    code: 0,
    says: [/the column "#" travels as column_1/],
    tasks: [
      { city: 'Berlin', column_1: '1' },
      { city: 'Bern', column_1: '2' },
    ],
  },
  { list: 'dup-header', code: 78, says: [/two columns "id" \(columns 1 and 5\)/, /source\.header/] },
  {
    list: 'header-override',
    code: 0,
    tasks: [
      { city: 'Berlin', country: 'Germany' },
      { city: 'Bern', country: 'Switzerland' },
    ],
  },
  // A mapping that finds nothing is a mistake.
  {
    list: 'fields-typo',
    code: 78,
    says: [/no record has latt, which source\.fields names for the latitude/, /mean "lat"/],
  },
  // Null has many names.
  { list: 'blank-lines', code: 0, tasks: places('Bern', 'Basel') },
  { list: 'excel-bom-semicolon', code: 0, tasks: places('Berlin', 'Frankfurt; Main') },
  { list: 'numeric-state', code: 0, tasks: [{ state: '8' }, { city: '1770' }] },
  { list: 'nan', code: 0, tasks: places('Bern', 'Basel') },
  // Units and projections are read, not assumed.
  { list: 'crs-3857', code: 78, says: [/projection urn:ogc:def:crs:EPSG::3857/, /ogr2ogr -t_srs EPSG:4326/] },
  {
    list: 'decimal-comma',
    set: { decimal: ',' },
    code: 0,
    tasks: [{ latitude_deg: 47.3769 }, { longitude_deg: 7.4474 }],
  },
  {
    list: 'all-rejected',
    set: { decimal: ',' },
    code: 0,
    tasks: [{ latitude_deg: 52.52 }, { city: 'Bern', longitude_deg: 7.44 }, { latitude_deg: 47.5 }],
  },
  {
    list: 'delimiter-tie',
    set: { decimal: ',' },
    code: 0,
    tasks: [
      { city: 'Zuerich', latitude_deg: 47.37, longitude_deg: 8.54 },
      { city: 'Bern', latitude_deg: 46.9 },
    ],
  },
  {
    list: 'dms',
    set: { dms: true },
    code: 0,
    tasks: [
      { latitude_deg: 41.262222222, longitude_deg: 28.727777778 },
      { latitude_deg: 47.3769, longitude_deg: 8.5417 },
      { latitude_deg: 46.948, longitude_deg: 7.447 },
    ],
  },
  {
    list: 'lon-0-360',
    set: { longitudes: '0..360' },
    code: 0,
    tasks: [
      { city: 'Mauna Loa', longitude_deg: -155.576 },
      { city: 'Berlin', longitude_deg: 13.4 },
    ],
  },
  {
    list: 'combined-coordinates',
    code: 78,
    says: [
      /no column for the latitude/,
      /"coordinates" seems to hold both.*fields: \{coordinates: coordinates\}.*lat-lon/,
    ],
  },
  {
    list: 'combined-coordinates',
    set: { 'fields.coordinates': 'coordinates', coordinates: 'lat-lon' },
    code: 0,
    tasks: [
      { latitude_deg: 40.07080078125, longitude_deg: -74.93360137939453 },
      { latitude_deg: -37.0080986, longitude_deg: 174.79200745 },
    ],
  },
  { list: 'wkt', code: 78, says: [/"the_geom" seems to hold both.*fields: \{coordinates: the_geom\}/] },
  {
    list: 'wkt',
    set: { 'fields.coordinates': 'the_geom' },
    code: 0,
    tasks: [{ city: 'Chicago', latitude_deg: 41.936172, longitude_deg: -87.653274 }],
  },
  {
    list: 'null-island',
    code: 0,
    says: [/has 2 places at 0, 0.*source\.rejectNullIsland/],
    tasks: places('WXPOD 7018', 'JAN MAYEN(NOR-NAVY)', 'WXPOD 7026'),
  },
  { list: 'null-island', set: { rejectNullIsland: true }, code: 0, tasks: places('JAN MAYEN(NOR-NAVY)') },
  { list: 'geometry-zoo', code: 0, tasks: places('multi one', 'Basel 3D', 'strings', 'has lat') },
  // Layouts.
  { list: 'seq-rs', code: 0, tasks: places('Bern', 'Basel') },
  { list: 'single-feature', code: 0, tasks: places('Bern') },
  { list: 'single-object', code: 0, tasks: places('Bern') },
  { list: 'keyed-object', code: 78, says: [/source\.layout to keyed/] },
  {
    list: 'keyed-object',
    set: { layout: 'keyed' },
    code: 0,
    tasks: [
      { city: 'Anchor Point', location_id: '00AK' },
      { city: 'Harvest', location_id: '00AL' },
    ],
  },
  { list: 'pandas-columns', code: 78, says: [/source\.layout to columns/] },
  { list: 'pandas-columns', set: { layout: 'columns' }, code: 0, tasks: places('Bern', 'Basel') },
  { list: 'arrays-of-arrays', code: 78, says: [/source\.layout to rows/] },
  { list: 'arrays-of-arrays', set: { layout: 'rows' }, code: 0, tasks: places('Bern', 'Basel') },
  { list: 'overpass', code: 78, says: [/no key for the city/, /fields: \{city: tags\.name\}/] },
  {
    list: 'overpass',
    set: { 'fields.city': 'tags.name' },
    code: 0,
    tasks: [{ city: 'Berlin', location_id: 240109189 }],
  },
  // CSV.
  { list: 'sep-line', code: 0, tasks: places('Berlin') },
  { list: 'preamble', code: 78, says: [/line 4 the header\? Then set source\.skipLines to 3/] },
  { list: 'preamble', set: { skipLines: 3 }, code: 0, tasks: places('Berlin') },
  { list: 'comment-lines', code: 78, says: [/source\.comment to "#"/] },
  { list: 'comment-lines', set: { comment: '#' }, code: 0, tasks: places('Berlin', 'Bern') },
  {
    list: 'backslash-quotes',
    set: { escape: '\\' },
    code: 0,
    tasks: places('Sandpoint "Dave" Field', 'Isla "La Blanca", Norte', 'Bern', 'Say "hi', 'Basel'),
  },
  { list: 'xlsx-as-csv', code: 78, says: [/is an Excel workbook \(xlsx\)/, /CSV/] },
  { list: 'zip', code: 78, says: [/is a zip archive/, /unzip/] },
]

const named = ({ list, set = {}, args = [] }: Case): string =>
  [list, ...Object.entries(set).map(([key, value]) => `${key}: ${value}`), ...args].join(', ')

test.each(cases.map((one) => [named(one), one] as const))('%s', async (_, one) => {
  const { list, set = {}, args = [], code, says = [], tasks, text = [] } = one
  const cwd = await temporaryFolder()
  await cp(join(import.meta.dirname, 'lists', list), cwd, { recursive: true })
  const options = Object.entries(set).flatMap(([key, value]) => ['--set', `source.${key}=${value}`])
  const ran = await owm(['produce', ...options, ...args], { cwd })
  expect(ran, ran.stderr).toMatchObject({ code })
  for (const what of says) expect(ran.stderr.replaceAll(/\s+/g, ' ')).toMatch(what)
  if (says.length === 0 && code === 0) expect(withoutRejects(ran.stderr)).toBe('')
  const written = await readFile(join(cwd, 'tasks.jsonl'), 'utf8').catch(() => '')
  if (tasks) {
    const found = written
      .split('\n')
      .slice(0, -1)
      .map((line): unknown => JSON.parse(line))
    expect(found).toMatchObject(tasks)
    expect(found).toHaveLength(tasks.length)
  }
  for (const part of text) expect(written).toContain(part)
})

/** What is told of rejected locations has tests of its own. */
const withoutRejects = (stderr: string): string => stderr.replace(/^.*rejected.*\n(\s{2,}.*\n)*/gm, '')
