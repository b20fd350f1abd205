/** Lists that have a header once more: files that were joined. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isMalformed } from '../../../src/plugin.js'
import staticList from '../../../src/sources/static-list/index.js'
import { temporaryFolder } from '../../support/cli.js'

const bern = '1,Bern,46.9,7.4'
const oslo = '2,Oslo,59.9,10.7'

/** What is given of a list, by its cities or reasons, and what it ends with. */
async function given(name: string, text: string, options: object = {}): Promise<{ all: unknown[]; end?: string }> {
  const folder = await temporaryFolder()
  await writeFile(join(folder, name), text)
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const context = {
    baseDir: folder,
    signal: new AbortController().signal,
    log,
    attempt: <T>(work: () => Promise<T>) => work(),
  }
  const source = await staticList.open(staticList.options.parse({ file: name, ...options }), context)
  const all: unknown[] = []
  try {
    for await (const { locations } of source.read(undefined))
      all.push(...locations.map((each) => (isMalformed(each) ? each.reason : each['city'])))
    return { all }
  } catch (error) {
    return { all, end: String(error) }
  }
}

const again = expect.stringContaining('the row is the header again')

describe('the same header again is rejected as what it is', () => {
  it.each([
    ['as it is', 'id,name,lat,lon'],
    ['in quotes', '"id","name","lat","lon"'],
    ['in other letters and with spaces', 'ID, Name , LAT,lon'],
    ['behind a byte order mark', '\ufeffid,name,lat,lon'],
    ['with other words of one meaning', 'id,name,latitude,lng'],
  ])('%s', async (_, header) => {
    expect(await given('l.csv', `id,name,lat,lon\n${bern}\n${header}\n${oslo}\n`)).toEqual({
      all: ['Bern', again, 'Oslo'],
    })
  })

  it('where columns have no name', async () => {
    const header = ',name,lat,lon'
    expect(await given('l.csv', `${header}\n${bern}\n${header}\n${oslo}\n`)).toEqual({ all: ['Bern', again, 'Oslo'] })
  })

  it('where source.header replaces it', async () => {
    const header = ['id', 'city', 'latitude', 'longitude']
    const text = `nr,name,lat,lon\n${bern}\nnr,name,lat,lon\n${oslo}\n`
    expect(await given('l.csv', text, { header })).toEqual({ all: ['Bern', again, 'Oslo'] })
  })
})

describe('a header with other columns ends the list behind the rows before it', () => {
  const other = /has a second header.*its columns are others/
  it.each<[what: string, name: string, text: string, options?: object]>([
    ['in another order', 'l.csv', `id,name,lat,lon\n${bern}\nid,name,lon,lat\n2,Oslo,10.7,59.9\n`],
    ['in quotes', 'l.csv', `id,name,lat,lon\n${bern}\n"id","name","lon","lat"\n2,"Oslo",10.7,59.9\n`],
    ['in other words', 'l.csv', `id,name,lat,lon\n${bern}\nid,name,Longitude,Latitude\n2,Oslo,10.7,59.9\n`],
    ['of other columns', 'l.csv', 'name,lat,lon,people\nBern,46.9,7.4,9\nname,lat,lon,height\nOslo,59.9,10.7,9\n'],
    ['in TSV', 'l.tsv', 'name\tlat\tlon\nBern\t46.9\t7.4\nname\tlon\tlat\nOslo\t10.7\t59.9\n'],
    [
      'with mapped columns',
      'l.csv',
      'n,b,l\nBern,46.9,7.4\nn,l,b\nOslo,10.7,59.9\n',
      { fields: { city: 'n', latitude: 'b', longitude: 'l' } },
    ],
    [
      'with source.header',
      'l.csv',
      'n,lat,lon\nBern,46.9,7.4\nn,lon,lat\nOslo,10.7,59.9\n',
      { header: ['city', 'latitude', 'longitude'] },
    ],
    [
      'in a list without one',
      'l.csv',
      'Bern,46.9,7.4\nname,lon,lat\nOslo,10.7,59.9\n',
      { header: ['city', 'lat', 'lon'] },
    ],
    [
      'in rows of JSON',
      'l.json',
      '[["name","lat","lon"],["Bern",46.9,7.4],["name","lon","lat"],["Oslo",10.7,59.9]]',
      { layout: 'rows' },
    ],
    [
      'in rows of NDJSON',
      'l.ndjson',
      '["name","lat","lon"]\n["Bern",46.9,7.4]\n["name","lon","lat"]\n["Oslo",10.7,59.9]\n',
      { layout: 'rows' },
    ],
  ])('%s', async (_, name, text, options) => {
    expect(await given(name, text, options)).toEqual({ all: ['Bern'], end: expect.stringMatching(other) })
  })
})

it('titles below the names are a row that is rejected, and units too', async () => {
  const text = 'id,name,lat,lon\nNumber,Station,Latitude,Longitude\n,,degrees_north,degrees_east\n'
  expect((await given('l.csv', `${text}${bern}\n`)).all).toEqual([
    'the row is a second header, in other words',
    '',
    'Bern',
  ])
})

it('a place that is called as a column is one', async () => {
  const text = `id,name,lat,lon\n${bern}\n2,lat,1,2\n3,Lon,1,3\n`
  expect(await given('l.csv', text)).toEqual({ all: ['Bern', 'lat', 'Lon'] })
})
