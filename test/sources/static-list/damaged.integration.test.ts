/** Lists that are wrong as a whole, and lists that have changed. */
import { execFile } from 'node:child_process'
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, ResumePointError, TransientError } from '../../../src/errors/index.js'
import { folderWith, owm, root, temporaryFolder } from '../../support/cli.js'
import { type Content, failure, lines, type Options, read, readPath } from './lists.js'

// --- damage ---

describe('lists that are wrong as a whole', () => {
  const good = 'name,lat,lon\nA,1,2\n'
  const mapped = 'fields: \\{latitude: Breite, longitude: Länge, city: Ort\\}'
  const german: [rows: string, hint: RegExp, options?: Options][] = [
    ['Bern;46,9;7,4', new RegExp(`${mapped}, decimal: ","\\.`)],
    ['Bern;46,9;7,4', new RegExp(`${mapped}\\.`), { decimal: ',' }],
    ['Bern;46.9;7.4', new RegExp(`${mapped}\\.`)],
    ["Bern;46° 57' N;7° 26' E", new RegExp(`${mapped}, dms: true\\.`)],
    ["Bern;46° 57,1' N;7° 26,6' E", new RegExp(`${mapped}, decimal: ",", dms: true\\.`)],
    ['Bern;46,9 7,4;', /"Breite" seems to hold both/],
  ]
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
    ...german.map(([rows, hint, options]): [string, string, string, RegExp, RegExp, Options?] => [
      `a German list, ${rows}`,
      'list.csv',
      `Ort;Breite;Länge\n${rows}\n`,
      /no column for the latitude/,
      hint,
      options,
    ]),
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
    [
      'a column twice',
      'list.csv',
      'name,lat,lon,NAME\n',
      /two columns "name" and "NAME" \(columns 1 and 4\)/,
      /another name/,
    ],
    ['a quote in the header', 'list.csv', 'name,"lat,lon\nA,1,2\n', /quote that is never closed in its header, line 1/],
    ['a space before a quote in the header', 'list.csv', 'name, "lat", lon\nA,1,2\n', /line 1/, /Remove the spaces/],
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
    ['comments', 'list.json', "// list\n[{name: 'A'}]", /is JSON with comments/, /plain JSON/],
    ['comments', 'list.jsonc', '/* , */ [\n{}]', /is JSON with comments/, /plain JSON/],
    ['comments', 'list.json', '/* list, all */\n[{"name":"A"}]\n', /is JSON with comments/, /plain JSON/],
    ['JSON5', 'list.json5', "[{name: 'A'}]", /is JSON with comments \(JSON5/, /plain JSON/],
    ...['list.toml', 'list.json', 'list.yaml'].map((name): [string, string, string, RegExp, RegExp] => [
      'TOML',
      name,
      '[[places]]\nname = "A"\nlat = 46.9\n',
      /is a TOML document/,
      /JSON or YAML/,
    ]),
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
  ['it is written again', (path: string) => writeFile(path, 'name,lat,lon\nOther,1,2\n')],
  ['it goes', (path: string) => rm(path, { force: true })],
])('a list that is changed while it is read is noticed: %s', async (_, change) => {
  const rows = Array.from({ length: 30_000 }, (_, index) => `place ${index},1,2\n`).join('')
  const reading = read('list.csv', `name,lat,lon\n${rows}`, {}, change)
  await expect(reading).rejects.toThrow(/was changed while it was read/)
  await expect(reading).rejects.toBeInstanceOf(TransientError)
})

test('a checkpoint of another version is refused', async () => {
  const path = join(await temporaryFolder(), 'list.csv')
  await writeFile(path, 'name,lat,lon\nA,1,2\nB,1,2\n')
  const [resume = ''] = (await readPath(path)).resumes
  expect((await readPath(path, {}, undefined, resume)).locations).toEqual([])
  await writeFile(path, 'name,lat,lon\nA,1,2\nB,1,2\nC,1,2\n')
  await expect(readPath(path, {}, undefined, resume)).rejects.toBeInstanceOf(ResumePointError)
})
