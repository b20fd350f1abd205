/** Tables and queries as they really are, in a real PostgreSQL, a real MariaDB and SQLite files. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ProduceResult } from '../../../src/commands/produce.js'
import { folderWith, owmJson, type Ran } from '../../support/cli.js'
import { startMariadb, startPostgres, type TestDatabase } from '../../support/databases.js'

type Produced = Ran & { json: ProduceResult & { error?: { message: string; hint: string } }; text: string }

let folder = ''
let file: DataSource | undefined
let servers: { postgres: TestDatabase; mariadb: TestDatabase } | undefined

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'owm-test-tables-'))
  file = await new DataSource({ type: 'sqlite', database: join(folder, 'places.db') }).initialize()
  const [postgres, mariadb] = await Promise.all([startPostgres(), startMariadb()])
  servers = { postgres, mariadb }
})
afterAll(async () => {
  await file?.destroy()
  await Promise.all([servers?.postgres.stop(), servers?.mariadb.stop()])
  await rm(folder, { recursive: true, force: true })
})

interface Engine {
  readonly name: string
  url(): string
  query(sql: string): Promise<unknown>
}

const server = (name: 'postgres' | 'mariadb'): TestDatabase => {
  if (!servers) throw new Error('the servers were not started')
  return servers[name]
}
const engines: readonly Engine[] = [
  { name: 'PostgreSQL', url: () => server('postgres').url, query: (sql) => server('postgres').query(sql) },
  { name: 'MariaDB', url: () => server('mariadb').url, query: (sql) => server('mariadb').query(sql) },
  { name: 'SQLite', url: () => join(folder, 'places.db'), query: async (sql) => file?.query(sql) },
]

async function produce(source: Record<string, unknown>): Promise<Produced> {
  const cwd = await folderWith({
    source: { use: 'sql', key: 'id', ...source },
    sink: { use: 'jsonl', path: 'tasks.jsonl' },
    outbox: { path: 'outbox.db' },
    retry: { attempts: 2, initialDelayMs: 1, maxDelayMs: 1 },
  })
  const ran = await owmJson<Produced['json']>(['produce', '--slot', '2026-11-23T00:00:00Z'], { cwd })
  return { ...ran, text: await readFile(join(cwd, 'tasks.jsonl'), 'utf8').catch(() => '') }
}

describe.each(engines)('$name', (engine) => {
  const given = (query: string, more: object = {}): Record<string, unknown> => ({ url: engine.url(), query, ...more })

  test('two columns of one name: neither wins', async () => {
    const query =
      'SELECT a.id, a.name, a.lat, a.lon, b.name FROM ' +
      "(SELECT 1 AS id, 'Berlin' AS name, 52.5 AS lat, 13.4 AS lon) AS a " +
      "JOIN (SELECT 1 AS id, 'Germany' AS name) AS b ON a.id = b.id"
    const ran = await produce(given(query))
    expect(ran.code).toBe(78)
    expect(ran.json.error?.message).toMatch(/two columns "name"|Duplicate column name 'name'/)
    expect(ran.json.error?.hint).toMatch(/a name of its own/)
    expect(ran.text).toBe('')
  })

  test('fixed-length text is trimmed, empty rows and null names are none', async () => {
    await engine.query(
      'CREATE TABLE padded (id INTEGER PRIMARY KEY, name CHAR(40), country CHAR(20), lat REAL, lon REAL)',
    )
    await engine.query(
      "INSERT INTO padded VALUES (1, '  Bern      ', 'CH        ', 46.5, 7.5), (2, 'Basel', 'NULL', 47.5, 7.5)",
    )
    const ran = await produce({ url: engine.url(), table: 'padded', nulls: ['NULL'], where: { country: 'CH' } })
    expect(ran).toMatchObject({ code: 0, text: expect.stringMatching(/"city":"Bern",.*"country":"CH"/) })
    const both = await produce({ url: engine.url(), table: 'padded', nulls: ['NULL'] })
    expect(both.text).toMatch(
      /"city":"Basel","state":"","forecast_duration_hours":72,"historical_duration_hours":72,"location_id":2}/,
    )
  })

  test('a semicolon and a comment behind the query', async () => {
    for (const end of ['; -- the cities', ';\n', ' /* all */ ; /* of them */', '-- the cities'])
      expect(await produce(given(`SELECT 1 AS id, 'Bern' AS name, 46.5 AS lat, 7.5 AS lon ${end}`)), end).toMatchObject(
        {
          code: 0,
        },
      )
  })

  test('mappings, coordinates and columns by the rules of all lists', async () => {
    const query = (columns: string): Record<string, unknown> => given(`SELECT 1 AS id, ${columns}`)
    const wrong = async (columns: string, more: object = {}) =>
      (await produce({ ...query(columns), ...more })).json.error
    expect(await wrong("'a' AS name, 1 AS lat, 2 AS lon", { fields: { state: 'nmae' } })).toMatchObject({
      message: expect.stringMatching(/no column "nmae", which source\.fields names for the state/),
      hint: expect.stringMatching(/Did you mean "name"/),
    })
    expect((await wrong("'a' AS name, '46,9' AS lat, '7,4' AS lon"))?.message).toMatch(/source\.decimal/)
    expect((await wrong("'a' AS name, 'POINT (7.4 46.9)' AS spot"))?.hint).toMatch(/fields: \{coordinates: spot\}/)
    const point = await produce({
      ...query("'a' AS name, 'POINT (7.4 46.9)' AS spot"),
      fields: { coordinates: 'spot' },
    })
    expect(point.text).toMatch(/"latitude_deg":46\.9,"longitude_deg":7\.4/)
    const srid = await wrong("'a' AS name, 'SRID=3857;POINT (7 46)' AS spot", { fields: { coordinates: 'spot' } })
    expect(srid?.message).toMatch(/projection EPSG:3857/)
    const extras = await produce({
      ...query("'a' AS name, 1 AS lat, 2 AS lon, 'x' AS kind, 'y' AS note"),
      columns: ['kind'],
    })
    expect(extras.text).toMatch(/"kind":"x"}/)
    const both = await produce(query("'a' AS name, 1 AS lat, 2 AS lon, 'LOC' AS location_id"))
    expect(both).toMatchObject({ code: 0, stderr: expect.stringMatching(/location_id.*original_location_id/) })
    expect(both.text).toMatch(/"original_location_id":"LOC"/)
  })

  test('an empty table is no success', async () => {
    await engine.query('CREATE TABLE nobody (id INTEGER PRIMARY KEY, name CHAR(9), lat REAL, lon REAL)')
    const ran = await produce({ url: engine.url(), table: 'nobody' })
    expect(ran).toMatchObject({ code: 65, json: { error: { message: expect.stringMatching(/gave 0 locations/) } } })
    expect(await produce({ url: engine.url(), table: 'nobody', minLocations: 0 })).toMatchObject({ code: 0 })
  })
})

test.each(['postgres', 'mariadb'] as const)('%s with a certificate of a private authority', async (name) => {
  const { url } = server(name)
  const ran = await produce({ url: `${url}?sslmode=verify-ca`, table: 'padded' })
  expect(ran.code).toBe(78)
  expect(ran.json.error?.hint).toMatch(/sslrootcert.*NODE_EXTRA_CA_CERTS/)
})

test.each(['connect_timeout=10', 'charset=utf8', 'options=-csearch_path%3Dgeo'])(
  'an unknown option of a database: %s',
  async (option) => {
    const ran = await produce({ url: `${server('postgres').url}?${option}`, table: 'padded' })
    expect(ran).toMatchObject({
      code: 78,
      json: { error: { hint: expect.stringMatching(/Known parameters: sslmode/) } },
    })
  },
)

test('JSON in a column of PostgreSQL keeps its digits, and none of two keys', async () => {
  const url = server('postgres').url
  const json = (text: string, type: string): Promise<Produced> =>
    produce({ url, query: `SELECT 1 AS id, 'a' AS name, 1 AS lat, 2 AS lon, '${text}'::${type} AS more` })
  for (const type of ['json', 'jsonb'])
    expect((await json('{"osm": 9007199254740993}', type)).text).toContain('"more":{"osm":9007199254740993}')
  expect(await json('{"osm": 1, "osm": 2}', 'json')).toMatchObject({ code: 65, text: '' })
})

test('a SQLite file takes no parameters', async () => {
  const ran = await produce({ url: `${join(folder, 'places.db')}?mode=ro`, table: 'padded' })
  expect(ran).toMatchObject({ code: 78, json: { error: { hint: expect.stringMatching(/takes no parameters/) } } })
})
