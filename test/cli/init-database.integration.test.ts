/** `owm init` with a list in a database: it looks at the columns, and writes the query that gives them owm's names. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sqlite3 from 'sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { InitResult } from '../../src/commands/init.js'
import { owm, owmJson, temporaryFolder } from '../support/cli.js'
import { startMariadb, startPostgres, type TestDatabase } from '../support/databases.js'
import { atTerminal } from '../support/terminal.js'

let postgres: TestDatabase
let mariadb: TestDatabase

/** Three places: one of them inactive, another one at a latitude of 95. */
const rows = "('Tromsø', 69.65, 18.96, true), ('Bergen', 60.39, 5.32, false), ('Nowhere', 95, 3, true)"

beforeAll(async () => {
  ;[postgres, mariadb] = await Promise.all([startPostgres(), startMariadb()])
  await postgres.query(`
    CREATE TABLE stations (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, lat float8, lng float8,
      active boolean, photo bytea);
    INSERT INTO stations (name, lat, lng, active) VALUES ${rows};
    CREATE TABLE bills (id int PRIMARY KEY, amount int);
    CREATE SCHEMA geo;
    CREATE TABLE geo."Orte" (land text, "Nr" int, "City" text, lat float8, lon float8, "order" int,
      PRIMARY KEY ("Nr", land));
    INSERT INTO geo."Orte" VALUES ('NO', 7, 'Bodø', 67.28, 14.4, 1);
    CREATE TABLE geo.german (ort text, breite float8, laenge float8);
    CREATE TABLE geo.keyless (name text, lat float8, lon float8);
    CREATE TABLE geo.hidden (id int PRIMARY KEY, name text, lat float8, lon float8);
    CREATE ROLE reader LOGIN PASSWORD 'hunter2-and-a-half';
    GRANT USAGE ON SCHEMA geo TO reader;
    GRANT SELECT ON stations, bills, geo."Orte", geo.german, geo.keyless TO reader`)
})
afterAll(() => Promise.all([postgres?.stop(), mariadb?.stop()]))

/** As somebody who may only read, with a password. */
const readerUrl = (): string => `postgres://reader:hunter2-and-a-half@127.0.0.1:${postgres.port}/postgres`

async function scene() {
  const cwd = await temporaryFolder()
  const env = { HOME: cwd }
  const source = async (): Promise<Record<string, string>> =>
    parse(await readFile(join(cwd, '.owmrc.yaml'), 'utf8')).source
  const init = (list: string, table?: string) =>
    owm(['init', '--list', list, ...(table === undefined ? [] : ['--table', table]), '--to', 'jsonl'], { cwd, env })
  return { cwd, env, source, init }
}

describe('PostgreSQL', () => {
  it('is looked at, and what is written is what a start reads; the password is a variable', async () => {
    const { cwd, env, source, init } = await scene()
    const ran = await init(readerUrl(), 'stations')
    expect(ran).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/stations[\s\S]*3 locations, 1 rejected: latitude/),
    })
    expect(await source()).toEqual({
      use: 'sql',
      url: `postgres://reader@127.0.0.1:${postgres.port}/postgres`,
      password: '${LIST_PASSWORD}',
      query: 'SELECT id, name AS city, lat AS latitude, lng AS longitude, active FROM stations',
      key: 'id',
    })
    expect(ran.stdout).toContain('export LIST_PASSWORD=')
    const text = await readFile(join(cwd, '.owmrc.yaml'), 'utf8')
    expect(ran.stdout + ran.stderr + text).not.toContain('hunter')
    const produced = await owm(['produce'], { cwd, env: { ...env, LIST_PASSWORD: 'hunter2-and-a-half' } })
    expect(produced).toMatchObject({ code: 0, stdout: expect.stringContaining('2 tasks delivered') })
    const [first] = (await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).split('\n')
    expect(JSON.parse(first ?? '')).toMatchObject({ city: 'Tromsø', latitude_deg: 69.65, location_id: 1, active: true })
  })

  it('takes a table of another schema, its key of two columns, and names that want quotes', async () => {
    const { cwd, env, source, init } = await scene()
    expect(await init(readerUrl(), 'geo.Orte')).toMatchObject({ code: 0 })
    expect(await source()).toMatchObject({
      query: 'SELECT land, "Nr", "City" AS city, lat AS latitude, lon AS longitude, "order" FROM geo."Orte"',
      key: ['Nr', 'land'],
    })
    const tasks = await owm(['produce', '--dry-run'], { cwd, env: { ...env, LIST_PASSWORD: 'hunter2-and-a-half' } })
    expect(tasks).toMatchObject({ code: 0, stdout: expect.stringContaining('1 task would be delivered') })
  })

  it.each([
    ['no table', undefined, /--table says in which table[\s\S]*With coordinates and names: stations, geo\.Orte\./],
    ['one that is not there', 'station', /has no table station[\s\S]*Did you mean stations\?/],
    ['one that may not be read', 'geo.hidden', /has no table geo\.hidden that this user may read/],
    [
      'columns of other names',
      'geo.german',
      /no column for the latitude, the longitude, the city\. Its columns are: ort, /,
    ],
    [
      'nothing of the kind',
      'bills',
      /--table 'SELECT id, amount, … AS latitude, … AS longitude, … AS city FROM bills'/,
    ],
  ])('of %s it says what to write, and writes nothing', async (_, table, says) => {
    const { cwd, init } = await scene()
    expect(await init(readerUrl(), table)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(says) })
    expect(await readdir(cwd)).toEqual([])
  })

  it('takes the SELECT that it has proposed', async () => {
    const { init, source } = await scene()
    const { stderr } = await init(postgres.url, 'geo.german')
    const [, query = ''] = /--table '(.*)'/.exec(stderr) ?? []
    expect(query).toBe('SELECT … AS id, breite AS latitude, laenge AS longitude, ort AS city FROM geo.german')
    await postgres.query("INSERT INTO geo.german VALUES ('Bern', 46.9, 7.4)")
    const noId = await init(postgres.url, query.replace('… AS id, ', ''))
    expect(noId).toMatchObject({ code: 78, stderr: expect.stringContaining('source.key names id') })
    const withId = query.replace('…', 'ort')
    expect(await init(postgres.url, withId)).toMatchObject({ code: 0, stderr: expect.stringContaining('1 location') })
    expect(await source()).toMatchObject({ query: withId, key: 'id' })
  })

  it('asks somebody at a terminal for the table', async () => {
    const { cwd, source } = await scene()
    const { code, shown } = await atTerminal(cwd, cwd, [`${readerUrl()}\r`, 'bill\r', '\r', 'jsonl\r', 'none\r'])
    expect({ code, shown }).toMatchObject({
      code: 0,
      shown: expect.stringMatching(
        /5 tables[\s\S]*\[stations\][\s\S]*Did you mean bills[\s\S]*3 locations, 1 rejected/,
      ),
    })
    expect(await source()).toMatchObject({ query: expect.stringContaining('FROM stations'), key: 'id' })
  })

  it('that is down is written with a guess, and the guess is called one; a wrong password is an error', async () => {
    const { cwd, init, source } = await scene()
    const url = readerUrl()
    expect(await init(url.replace('hunter2', 'hunter3'), 'stations')).toMatchObject({ code: 78, stdout: '' })
    expect(await readdir(cwd)).toEqual([])
    const down = await init('postgres://me@127.0.0.1:1/geo', 'stations')
    expect(down).toMatchObject({ code: 0, stderr: expect.stringMatching(/It is written all the same[\s\S]*guess/) })
    expect(await source()).toEqual({ use: 'sql', url: 'postgres://me@127.0.0.1:1/geo', table: 'stations', key: 'id' })
  })
})

it('MariaDB', async () => {
  const { cwd, env, source, init } = await scene()
  await mariadb.query('CREATE TABLE `my places` (code VARCHAR(9) PRIMARY KEY, town TEXT, lat DOUBLE, lon DOUBLE)')
  await mariadb.query("INSERT INTO `my places` VALUES ('TOS', 'Tromsø', 69.65, 18.96)")
  expect(await init(mariadb.url, 'my places')).toMatchObject({ code: 0, stderr: expect.stringContaining('1 location') })
  expect(await source()).toMatchObject({
    query: 'SELECT `code` AS id, `town` AS city, `lat` AS latitude, `lon` AS longitude FROM `my places`',
    key: 'id',
  })
  const tasks = await owm(['produce', '--dry-run'], { cwd, env: { ...env, LIST_PASSWORD: mariadb.password } })
  expect(tasks).toMatchObject({ code: 0, stdout: expect.stringContaining('1 task would be delivered') })
})

it('SQLite', async () => {
  const { cwd, env, source } = await scene()
  const file = new sqlite3.Database(join(cwd, 'places.db'))
  await new Promise((done) =>
    file.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, city, lat, lon); INSERT INTO t VALUES (1, 2, 3, 4)', done),
  )
  await new Promise((done) => file.close(done))
  const { code, json } = await owmJson<InitResult>(['init', '--list', 'places.db', '--table', 't'], { cwd, env })
  expect({ code, json }).toMatchObject({ code: 0, json: { list: { read: 1, rejected: 0 } } })
  expect(await source()).toMatchObject({
    url: './places.db',
    query: 'SELECT "id", "city", "lat" AS latitude, "lon" AS longitude FROM "t"',
  })
  const tasks = await owm(['produce', '--dry-run'], { cwd, env })
  expect(tasks).toMatchObject({ code: 0, stdout: expect.stringContaining('1 task would be delivered') })
  const twice = await temporaryFolder()
  expect(await owm(['init', '--table', 't'], { cwd: twice, env })).toMatchObject({ code: 2 })
})
