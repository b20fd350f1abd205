/** Location files, whatever they hold. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc, { type Arbitrary } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exitCodes } from '../../../src/errors/index.js'
import type { ProduceSummary } from '../../../src/pipeline/produce.js'
import { owm } from '../../support/cli.js'
import {
  always,
  change,
  changed,
  expectGoodEnd,
  expectOwn,
  patience,
  processes,
  runs,
  timeout,
} from '../../support/fuzz.js'
import { expectTasks, produceInto, sourceOf } from '../../support/fuzz-outbox.js'

const formats = ['csv', 'tsv', 'json', 'ndjson', 'geojson', 'yaml'] as const
type Format = (typeof formats)[number]

const cell = fc.oneof(
  {
    arbitrary: fc.constantFrom(
      'A',
      'Åre',
      '東京',
      'a,b',
      '"q"',
      "L'Aquila",
      'x;y',
      ' ',
      '-0',
      '1e3',
      '0x10',
      '=1+1',
      '\u2028',
      '\u0085',
      'a\nb',
    ),
    weight: 80,
  },
  { arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }), weight: 80 },
  { arbitrary: fc.string({ unit: 'binary', maxLength: 6 }), weight: 20 },
  { arbitrary: fc.constant('x'.repeat(1 << 20)), weight: 1 },
)

interface Row {
  id?: unknown
  latitude?: unknown
  longitude?: unknown
  city?: unknown
  state?: unknown
  [extra: string]: unknown
}

const row: Arbitrary<Row> = fc.record(
  {
    id: fc.oneof(fc.integer({ min: 1, max: 30 }), cell),
    latitude: fc.oneof(
      { arbitrary: fc.double({ min: -90, max: 90, noNaN: true }), weight: 9 },
      fc.constantFrom<unknown>('', 'x', 91, null, [], 'NaN', 1e308),
    ),
    longitude: fc.oneof(
      { arbitrary: fc.double({ min: -180, max: 180, noNaN: true }), weight: 9 },
      fc.constantFrom<unknown>('', '1,5', 181, null),
    ),
    city: cell,
    state: cell,
    population: fc.oneof(cell, fc.integer()),
  },
  { requiredKeys: ['latitude', 'longitude', 'city'] },
)

interface List {
  format: Format
  text: Buffer
  /** Records in it, where its maker knows. */
  records: number | undefined
}

const columns = ['id', 'latitude', 'longitude', 'city', 'state', 'population']
const quoted = (value: unknown): string => {
  const text = value === undefined || value === null ? '' : String(value)
  return /[",;|\t\r\n]/.test(text) || text === '' || text.trim() !== text ? `"${text.replaceAll('"', '""')}"` : text
}

const feature = ({ latitude, longitude, ...properties }: Row): object => ({
  type: 'Feature',
  geometry: { type: 'Point', coordinates: [longitude, latitude] },
  properties,
})

const wellMade: Arbitrary<List> = fc
  .record({
    format: fc.constantFrom(...formats),
    rows: fc.array(row, { minLength: 1, maxLength: 40 }),
    eol: fc.constantFrom('\n', '\r\n'),
    bom: fc.boolean(),
    delimiter: fc.constantFrom(',', ';', '\t', '|'),
    last: fc.boolean(),
  })
  .map(({ format, rows, eol, bom, delimiter, last }) => {
    const separator = format === 'tsv' ? '\t' : delimiter
    const lines =
      format === 'csv' || format === 'tsv'
        ? [columns.join(separator), ...rows.map((one) => columns.map((name) => quoted(one[name])).join(separator))]
        : rows.map((one) => (format === 'yaml' ? '- ' : '') + JSON.stringify(format === 'geojson' ? feature(one) : one))
    const list = `[${lines.join(`,${eol}`)}]`
    const text =
      format === 'json'
        ? list
        : format === 'geojson'
          ? `{"type":"FeatureCollection","features":${list}}`
          : lines.join(eol)
    return { format, text: Buffer.from(`${bom ? '\ufeff' : ''}${text}${last ? eol : ''}`), records: rows.length }
  })

const noise: Arbitrary<List> = fc
  .record({ format: fc.constantFrom(...formats), text: fc.uint8Array({ maxLength: 200 }) })
  .map(({ format, text }) => ({ format, text: Buffer.from(text), records: undefined }))

const encodings = ['utf16le', 'latin1'] as const
const misencoded: Arbitrary<List> = fc
  .tuple(wellMade, fc.constantFrom(...encodings))
  .map(([list, encoding]) => ({ ...list, text: Buffer.from(list.text.toString(), encoding), records: undefined }))

const anyList: Arbitrary<List> = fc.oneof(
  {
    arbitrary: wellMade.chain((list) =>
      fc
        .array(change, { minLength: 1, maxLength: 6 })
        .map((changes) => ({ ...list, text: changes.reduce(changed, list.text), records: undefined })),
    ),
    weight: 6,
  },
  { arbitrary: misencoded, weight: 1 },
  { arbitrary: noise, weight: 1 },
)

/** How many records a list has, by rules of our own; undefined where nobody can say. */
function recordsIn({ format, text }: List): number | undefined {
  // UTF-16 (a byte order mark, or a zero beside the first character) and what looks like gzip's.
  if (text[0] === 0 || text[1] === 0 || (text[0] ?? 0) >= 0xfe || text[0] === 0x1f) return undefined
  const plain = text.toString()
  if (format === 'ndjson') return plain.split(/\r\n|\n|\r/).filter((line) => line.trim() !== '').length
  if (format !== 'json') return undefined
  try {
    const value: unknown = JSON.parse(plain.replace(/^[ \t\r\n]*\ufeff/, ''))
    return Array.isArray(value) ? value.length : undefined
  } catch {
    return undefined
  }
}

describe('location files', () => {
  async function expectAccounted(list: List, folder: string): Promise<ProduceSummary> {
    const path = join(folder, `list.${list.format}`)
    await writeFile(path, list.text)
    const { summary, suspects, tasks } = await produceInto(join(folder, 'outbox.db'), sourceOf(path))
    const { run, errors, delivered } = summary
    for (const error of errors)
      expectOwn(error, [exitCodes.configuration, exitCodes.notDelivered, exitCodes.inputRejected])
    // A list of which nothing can be used is an error; it is read to its end all the same.
    const others = errors.filter(({ exitCode }) => exitCode !== exitCodes.inputRejected)
    if (others.length < errors.length) expect(run.persisted).toBe(0)
    expect(run.read).toBe(run.persisted + run.rejected + run.duplicates + suspects)
    expect(delivered).toBe(run.persisted)
    expect(tasks).toHaveLength(run.persisted)
    expectTasks(tasks)
    const records = recordsIn(list)
    // A last line that is no record is told: the list was cut off, or what wrote it failed.
    const untold = others.filter(({ message }) => !/breaks off in its last record|ends in an error/.test(message))
    if (records !== undefined) expect({ untold, read: run.read }).toEqual({ untold: [], read: records })
    // owm's parser forgives a little more than JSON.parse; what it doesn't read it must complain about.
    if (list.format === 'json' && records === undefined) expect(errors.length + run.read).toBeGreaterThan(0)
    return summary
  }

  test('well made: every record is read', { timeout }, async () => {
    await always(wellMade, runs, async (list, folder) => {
      const { run } = await expectAccounted(list, folder)
      expect(run.read).toBe(list.records)
    })
  })

  test('mutated, misencoded, noise: read = persisted + rejected + duplicates', { timeout }, async () => {
    await always(anyList, runs * 2, async (list, folder) => void (await expectAccounted(list, folder)))
  })

  test('on the command line', { timeout }, async () => {
    await always(fc.tuple(fc.oneof(wellMade, anyList), fc.boolean()), processes, async ([list, strict], folder) => {
      await writeFile(join(folder, `list.${list.format}`), list.text)
      const config = {
        source: { use: 'static-list', file: `./list.${list.format}` },
        sink: { use: 'jsonl', path: './tasks.jsonl' },
        outbox: { path: './outbox.db' },
      }
      await writeFile(join(folder, '.owmrc.json'), JSON.stringify(config))
      const ran = await owm(['produce', '--json', ...(strict ? ['--strict'] : [])], { cwd: folder, timeout: patience })
      expectGoodEnd(ran, true)
      const {
        source,
        outbox,
      }: { source: Record<'read' | 'rejected' | 'duplicates', number>; outbox: { persisted: number } } = JSON.parse(
        ran.stdout,
      )
      if (ran.code === 0 || ran.code === exitCodes.inputRejected)
        expect(source.read).toBe(outbox.persisted + source.rejected + source.duplicates)
      expectGoodEnd(await owm(['outbox', 'inspect', '--state', 'rejected'], { cwd: folder, timeout: patience }), false)
    })
  })
})
