/** Bytes in a database: hex digits in ids and extra keys; never a name, a number, or what a condition compares. */
import { describe, expect, it } from 'vitest'
import { cadenceCheck, rhythms } from '../../../src/pipeline/input/cadence.js'
import { filtered, zeroCounts } from '../../../src/pipeline/input/filters/filters.js'
import type { Values } from '../../../src/pipeline/input/filters/where.js'
import { bounded } from '../../../src/pipeline/input/pages.js'
import { isMalformed, type Location, type Malformed } from '../../../src/plugin.js'
import { taskMaker } from '../../../src/tasks/encode.js'
import { placeOf } from '../../../src/tasks/place.js'
import { Rejection } from '../../../src/tasks/rejection.js'
import { type Engine, engines, mariadb, opened, postgres, readAll, sqlite } from './engines.js'

/** `text` as bytes, in SQL. */
function bytes(engine: Engine, text: string): string {
  const hex = Buffer.from(text).toString('hex')
  return engine === postgres ? `'\\x${hex}'::bytea` : `X'${hex}'`
}

function reasonOf(location: Location | Malformed): string {
  const place = isMalformed(location) ? location : placeOf(location)
  return 'reason' in place ? place.reason : 'none'
}

describe.each(engines)('bytes of $name', (engine) => {
  const b = (text: string): string => bytes(engine, text)
  const ofRow = async (columns: string, more: object = {}): Promise<Location | Malformed> =>
    (await readAll({ url: engine.url(), query: `SELECT ${columns}`, key: 'id', ...more })).locations[0] ?? {}

  it.each(['city', 'state', 'latitude', 'longitude', 'forecast_duration_hours'])('are no %s', async (field) => {
    const row = {
      id: '1',
      city: "'Oslo'",
      state: "'Oslo'",
      latitude: '9',
      longitude: '9',
      forecast_duration_hours: '9',
    }
    const columns = Object.entries({ ...row, [field]: b('9') }).map(([name, value]) => `${value} AS ${name}`)
    expect(reasonOf(await ofRow(columns.join(', ')))).toMatch(new RegExp(`^${field} is bytes: let the query`))
  })

  it('are no name under another one, nor as the copy of an id', async () => {
    const row = `${b('Oslo')} AS id, 1 AS lat, 2 AS lon`
    expect(reasonOf(await ofRow(row, { fields: { id: 'id', city: 'id' } }))).toMatch(/^city is bytes/)
  })

  it('hold no pair of coordinates', async () => {
    const row = `1 AS id, 'a' AS city, ${b('59.9, 10.7')} AS spot`
    const found = await ofRow(row, { fields: { coordinates: 'spot' }, coordinates: 'lat-lon' })
    expect(reasonOf(found)).toMatch(/^coordinates are bytes: .*ST_AsText/)
  })

  it('are hex digits in ids and extra keys, as before, and none where they are empty', async () => {
    const empty = engine === postgres ? "''::bytea" : "X''"
    const found = await ofRow(
      `${b('Oslo')} AS id, 'a' AS city, 1 AS lat, 2 AS lon, ${b('no')} AS land, ${empty} AS nil`,
    )
    const text = await ofRow(`'4f736c6f' AS id, 'a' AS city, 1 AS lat, 2 AS lon, '6e6f' AS land`)
    const task = taskMaker('2026-11-23T10:00:00Z')
    expect(task({ ...found })).toBe(task({ ...text }))
  })

  it.each<[what: string, wanted: Values | object]>([
    ['a word', ['NO']],
    ['anything but a word', { not: ['NO'] }],
    ['a number', { gte: 5 }],
  ])('are not compared with %s', async (_, wanted) => {
    await expect(landsOf({ land: wanted })).rejects.toMatchObject({
      name: 'ConfigurationError',
      message: expect.stringContaining('source.where: land is bytes in the database'),
      hint: expect.stringContaining('CAST('),
    })
  })

  it('are compared with hex digits, and with nothing', async () => {
    await expect(landsOf({ id: ['4e4f'] })).resolves.toEqual([1])
    await expect(landsOf({ land: { not: ['4e4f'] } })).resolves.toEqual([2])
    await expect(landsOf({ land: { exists: true } })).resolves.toEqual([1, 2])
  })

  const land = (id: number, text: string): string =>
    `SELECT ${id} AS id, 'a' AS city, ${id} AS lat, 2 AS lon, ${b(text)} AS land`

  /** The ids of the rows that meet a condition. */
  const landsOf = ({ id, ...where }: Record<string, unknown>): Promise<unknown[]> =>
    opened(
      { url: engine.url(), query: `${land(1, 'NO')} UNION ALL ${land(2, 'SE')}`, key: 'id' },
      {},
      async (source) => {
        const fields = Object(id ? { land: id } : where)
        const log = { debug() {}, info() {}, warn() {}, error() {} }
        const found: unknown[] = []
        const all = filtered(
          bounded(source, 'sql', Number.POSITIVE_INFINITY),
          { fields },
          { counts: zeroCounts(), log },
        )
        for await (const { locations } of all.read(undefined))
          found.push(...locations.map((each) => Reflect.get(each, 'id')))
        return found
      },
    )
})

it('bytes are no rhythm, and a rule for them is told of', async () => {
  const query = `SELECT 1 AS id, 'a' AS city, 1 AS lat, 2 AS lon, ${bytes(sqlite, '6h')} AS every`
  const page = (await readAll({ url: sqlite.url(), query, key: 'id' })).locations
  const location = { ...page[0] }
  const place = placeOf(location)
  if (place instanceof Rejection) throw new Error(place.reason)
  expect(rhythms({ field: 'every', rules: [], spread: false })(location, place)).toMatchObject({
    reason: expect.stringContaining('not bytes (hex 3668)'),
  })
  const warned: string[] = []
  const log = { debug() {}, info() {}, warn: (_: unknown, text?: string) => void warned.push(text ?? ''), error() {} }
  const rules = [{ where: { fields: { every: ['6h'] } }, every: '6h' }]
  const check = cadenceCheck({ rules, spread: false }, log)
  check.note({ locations: page, resume: '', position: () => '' })
  check.warn()
  expect(warned).toEqual([expect.stringContaining('cadence.rules.0.where: every is bytes in the database')])
})

it.each([
  ['a name', 'city', /^city isn't valid UTF-8/],
  ['an id', 'id', /^id isn't valid UTF-8/],
  ['another column', 'land', /^land isn't valid UTF-8/],
  ['not where it is left out', 'other', /^none$/],
])("text of SQLite that isn't UTF-8 is rejected: %s", async (_, column, reason) => {
  const row = { id: '1', city: "'Oslo'", lat: '1', lon: '2', land: "'no'", other: '3' }
  const columns = Object.entries({ ...row, [column]: "CAST(X'4dfc686c' AS TEXT)" })
  const query = `SELECT ${columns.map(([name, value]) => `${value} AS ${name}`).join(', ')}`
  const found = (await readAll({ url: sqlite.url(), query, key: 'lat', columns: ['land'] })).locations[0] ?? {}
  expect(reasonOf(found)).toMatch(reason)
})

describe('positions show a key that is bytes or a document', () => {
  const columns = "'a' AS city, 1 AS lat, 2 AS lon"
  it.each<[string, Engine, string, string]>([
    ['bytea', postgres, bytes(postgres, 'Oslo'), 'k = 4f736c6f'],
    ['jsonb', postgres, `'{"a": [1]}'::jsonb`, 'k = {"a": [1]}'],
    ['a list', postgres, "ARRAY['x', 'y']", 'k = {x,y}'],
    ['BINARY', mariadb, bytes(mariadb, 'Oslo'), 'k = 4f736c6f'],
    ['BLOB', sqlite, bytes(sqlite, 'Oslo'), 'k = 4f736c6f'],
  ])('%s', async (_, engine, key, position) => {
    const { positions } = await readAll({ url: engine.url(), query: `SELECT ${key} AS k, ${columns}`, key: 'k' })
    expect(positions).toEqual([position])
  })
})
