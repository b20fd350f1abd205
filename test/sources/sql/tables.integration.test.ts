import { describe, expect, it } from 'vitest'
import { ConfigurationError, ResumePointError, TransientError } from '../../../src/errors/index.js'
import type { PluginContext } from '../../../src/plugin.js'
import { until } from '../../support/cli.js'
import { engines, failure, ids, mariadb, places, readAll, sqlite, tableOf } from './engines.js'

describe.each(engines)('$name', (engine) => {
  const number = { url: '', key: 'k', pageSize: 2 }
  const given = (more: Record<string, unknown>): Record<string, unknown> => ({ ...number, url: engine.url(), ...more })
  const somewhere = "'somewhere', 1, 2"
  const withKeys = (type: string, keys: readonly string[]): Promise<string> =>
    tableOf(
      engine,
      `k ${type}, city VARCHAR(20), lat FLOAT, lon FLOAT`,
      keys.map((key) => `${key}, ${somewhere}`),
    )

  it('refuses a key that is NULL in some row', async () => {
    for (const keys of [['NULL'], ['1', '2', '3', 'NULL']])
      await expect(failure(given({ table: await withKeys('INTEGER', keys) }))).resolves.toMatchObject({
        name: 'ConfigurationError',
        message: expect.stringContaining('it is NULL in some rows'),
      })
  })

  it.each([
    ['inside of a page', ['1', '2', '2', '3']],
    ['across a page border', ['1', '2', '2', '3', '4']],
    ['across many borders', ['1', '2', '2', '2', '2', '2', '2', '3']],
    ['as the last rows', ['1', '2', '2']],
  ])('refuses a key that is there twice, %s', async (_, keys) => {
    const table = await withKeys('INTEGER', keys)
    for (const pageSize of [1, 2, 3, 4])
      await expect(failure(given({ table, pageSize })), `pages of ${pageSize}`).resolves.toMatchObject({
        name: 'ConfigurationError',
        message: expect.stringContaining('k = 2 is there more than once'),
      })
  })

  it('refuses keys that only its own collation takes for the same, where a page border goes through them', async () => {
    const type = {
      PostgreSQL: 'TEXT COLLATE insensitive',
      MariaDB: 'VARCHAR(9) COLLATE utf8mb4_general_ci',
      SQLite: 'TEXT COLLATE NOCASE',
    }[engine.name]
    const table = await withKeys(type ?? '', ["'a'", "'b'", "'B'", "'c'"])
    await expect(failure(given({ table, pageSize: 2 }))).resolves.toMatchObject({
      name: 'ConfigurationError',
      message: expect.stringMatching(/k = [bB] is there more than once/),
    })
    // A page of 4 holds both: nothing is lost.
    expect((await readAll(given({ table, pageSize: 4 }))).locations).toHaveLength(4)
  })

  it('refuses a checkpoint of another key, of another type of key, or of something else', async () => {
    const [numbers, texts] = [
      await withKeys('INTEGER', ['1', '2', '3']),
      await withKeys('VARCHAR(9)', ["'a'", "'b'", "'c'"]),
    ]
    const {
      resumes: [afterB = ''],
    } = await readAll(given({ table: texts }))
    const {
      resumes: [after2 = ''],
    } = await readAll(given({ table: numbers }))
    const renamed = after2.replace('"k"', '"city"')
    expect(renamed).not.toBe(after2)
    for (const resume of ['', '17', '{}', '{"key":["k"],"last":["1","2"]}', '{"key":["k"],"last":[1]}', renamed])
      await expect(readAll(given({ table: numbers }), { resume }), resume).rejects.toThrow(ResumePointError)
    // In SQLite a column takes values of any type, and all of them are ordered.
    if (engine !== sqlite)
      await expect(readAll(given({ table: numbers }), { resume: afterB })).rejects.toThrow(ResumePointError)
    expect((await readAll(given({ table: texts }), { resume: afterB })).positions).toEqual(['k = c'])
  })

  it('quotes whatever names there are', async () => {
    const q = engine.quoted
    const [table, key, column] = ['we."ird`; DROP TABLE x; --', "sel'ect", 'Order by']
    await engine.query(
      `CREATE TABLE ${q(table)} (${q(key)} INTEGER PRIMARY KEY, ${q('SELECT')} VARCHAR(9), ` +
        `${q('q.lat')} FLOAT, ${q(column)} FLOAT)`,
    )
    await engine.query(`INSERT INTO ${q(table)} VALUES (1, 'a', 1, 2), (2, 'b', 3, 4)`)
    const schema = { PostgreSQL: 'public', MariaDB: 'postgres', SQLite: 'main' }[engine.name]
    const fields = { id: key, city: 'select', latitude: 'q.lat', longitude: column }
    const { locations, positions } = await readAll({ url: engine.url(), table, schema, key, pageSize: 1, fields })
    expect(locations).toEqual([
      { id: 1, city: 'a', latitude: 1, longitude: 2 },
      { id: 2, city: 'b', latitude: 3, longitude: 4 },
    ])
    expect(positions).toEqual(["sel'ect = 1", "sel'ect = 2"])
    const plain = await places(engine, 1)
    expect((await readAll({ url: engine.url(), table: `${schema}.${plain}`, key: 'id' })).locations).toHaveLength(1)
  })

  it('gives rows that come in before it, and none twice, while others come and go', async () => {
    const table = await places(engine, 10)
    const read = await readAll(given({ table, key: 'id', pageSize: 4 }), {
      async onBatch({ resumes }) {
        if (resumes.length !== 1) return
        await engine.query(`DELETE FROM ${table} WHERE id IN (2, 4, 6)`) // 4 was the last one of its page
        await engine.query(`INSERT INTO ${table} VALUES (0, 'behind', 1, 2), (11, 'before', 1, 2)`)
      },
    })
    expect(ids(read)).toEqual([1, 2, 3, 4, 5, 7, 8, 9, 10, 11])
  })

  it.each([
    ['all rows are gone', '1 = 0'],
    ['some have come back', 'id < 3'],
    ['only new ones are there', 'id > 6'],
  ])('waits where a list is replaced in the midst of the read: %s', async (_, thereAlready) => {
    const [table, copy] = [await places(engine, 8), await places(engine, 8)]
    const fill = (rows: string): Promise<unknown> =>
      engine.query(`INSERT INTO ${table} SELECT * FROM ${copy} WHERE ${rows}`)
    let failures = 0
    const attempt: PluginContext['attempt'] = (operation) =>
      operation().catch(async (error: unknown) => {
        failures++
        expect(error).toBeInstanceOf(TransientError)
        await fill(`NOT (${thereAlready})`)
        return operation()
      })
    const read = await readAll(given({ table, key: 'id', pageSize: 3 }), {
      attempt,
      async onBatch({ resumes }) {
        if (resumes.length !== 2) return
        await engine.query(`DELETE FROM ${table}`)
        await fill(thereAlready)
      },
    })
    expect(ids(read)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(failures).toBe(1)
  })

  it('is read from the start by the next run if most of what was read is gone, and goes on if less is', async () => {
    const table = await places(engine, 8)
    const options = given({ table, key: 'id', pageSize: 3 })
    const resume = (await readAll(options)).resumes[1] ?? ''
    const old = JSON.stringify({ ...JSON.parse(resume), rows: undefined })
    await engine.query(`DELETE FROM ${table} WHERE id IN (4, 5, 6)`)
    expect(ids(await readAll(options, { resume }))).toEqual([7, 8])
    await engine.query(`DELETE FROM ${table} WHERE id = 3`)
    await expect(readAll(options, { resume })).rejects.toThrow(ResumePointError)
    expect(ids(await readAll(options, { resume: old }))).toEqual([7, 8])
    await engine.query(`DELETE FROM ${table}`)
    for (const each of [resume, old]) expect(await failure(options, { resume: each })).toBeInstanceOf(TransientError)
  })

  it.each([
    "WHERE city <> ';--x'",
    "WHERE city <> 'it''s; /* x */' -- don't;\n;; -- isn't it",
    'WHERE k <> 5 /* ; */; /* the "end" */ ',
  ])('reads a query to the semicolon at its end, not to one in a text or a comment: %s', async (end) => {
    const table = await withKeys('INTEGER', ['1', '2'])
    expect(ids(await readAll(given({ query: `SELECT k AS id, q.* FROM ${table} AS q ${end}` })))).toEqual([1, 2])
  })

  it('reads two dashes without a space as its engine does', async () => {
    const table = await withKeys('INTEGER', ['1', '2'])
    const end = engine === mariadb ? 'WHERE k < 5--3;' : 'WHERE k < 5--3;\n;'
    expect(ids(await readAll(given({ query: `SELECT k AS id, q.* FROM ${table} AS q ${end}` })))).toEqual([1, 2])
  })

  it('ends for good, with a hint and without the password, where something is wrong', async () => {
    const table = await withKeys('INTEGER', ['1'])
    const wrong: Record<string, Record<string, unknown>> = {
      'an unknown table': given({ table: 'nothing' }),
      'an unknown key': given({ table, key: 'nothing' }),
      'no SQL': given({ query: 'SELEC 1' }),
      'two statements': given({ query: `SELECT * FROM ${table}) AS q; DROP TABLE ${table}; --` }),
      'no column for the latitude': given({ query: `SELECT k, city, lon FROM ${table}` }),
      'a wrong name in fields': given({ table, fields: { latitude: 'nothing' } }),
    }
    if (engine !== sqlite) {
      wrong['a wrong password'] = given({ table, url: engine.url().replace(/:\w+@/, ':not-the-password@') })
      wrong['a wrong password of its own'] = given({
        table,
        url: engine.url().replace(/:\w+@/, '@'),
        password: 'not-the-password',
      })
      wrong['an unknown user'] = given({ table, url: engine.url().replace('owm:', 'nobody:') })
      wrong['an unknown database'] = given({ table, url: engine.url().replace(/postgres$/, 'nothing') })
      wrong['no password'] = given({ table, url: engine.url().replace(/:\w+@/, '@') })
      wrong['an unknown parameter'] = given({ table, url: `${engine.url()}?nothing=1` })
      wrong['an unknown sslmode'] = given({ table, url: `${engine.url()}?sslmode=prefer` })
    } else {
      wrong['no such file'] = given({ table, url: 'sqlite:nothing.db' })
      wrong['a folder'] = given({ table, url: '.' })
      wrong['a device'] = given({ table, url: '/dev/zero' })
    }
    for (const [what, options] of Object.entries(wrong)) {
      const error = await failure(options)
      expect(error, what).toBeInstanceOf(ConfigurationError)
      expect(Object(error).hint, what).toMatch(/\w/)
      if (what === 'no SQL' && engine !== sqlite)
        expect(Object(error).hint).toMatch(/^Correct the SQL of source\.query/)
      expect(JSON.stringify([Object(error).message, Object(error).hint]), what).not.toMatch(/not-the-password/)
    }
    expect((await readAll(given({ table }))).locations).toHaveLength(1)
  })

  it('writes nothing, whatever the query says', async () => {
    const log = await tableOf(engine, 'n INTEGER', [])
    const writing = {
      PostgreSQL: [
        `CREATE FUNCTION write_${log}() RETURNS INTEGER LANGUAGE sql AS 'INSERT INTO ${log} VALUES (1) RETURNING n'`,
        `SELECT write_${log}() AS id, 'a' AS city, 1 AS lat, 2 AS lon`,
      ],
      MariaDB: [
        `CREATE FUNCTION write_${log}() RETURNS INTEGER BEGIN INSERT INTO ${log} VALUES (1); RETURN 1; END`,
        `SELECT write_${log}() AS id, 'a' AS city, 1 AS lat, 2 AS lon`,
      ],
    }[engine.name]
    if (writing) {
      const [create = '', query = ''] = writing
      await engine.query(create)
      const error = await failure({ url: engine.url(), query, key: 'id' })
      expect(error).toMatchObject({
        name: 'ConfigurationError',
        message: expect.stringMatching(/read-only transaction|READ ONLY transaction/i),
        hint: expect.stringContaining('owm only reads'),
      })
      expect(await engine.query(`SELECT * FROM ${log}`)).toEqual([])
      // The very same query writes where it may.
      await engine.query(query)
      expect(await engine.query(`SELECT * FROM ${log}`)).toHaveLength(1)
    } else {
      // No query of SQLite can write by itself; that the connection couldn't either shows in its pragmas.
      const query =
        'SELECT query_only AS id, 1 AS lat, 2 AS lon, file AS city FROM pragma_query_only, pragma_database_list'
      expect((await readAll({ url: engine.url(), query, key: 'id' })).locations).toMatchObject([{ id: 1 }])
    }
  })

  const slow = {
    PostgreSQL: 'SELECT 1 AS id, 1 AS lat, 2 AS lon, pg_sleep(30)::text AS city',
    MariaDB: 'SELECT 1 AS id, 1 AS lat, 2 AS lon, SLEEP(30) AS city',
    SQLite:
      'WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) ' +
      "SELECT max(id) AS id, 'a' AS city, 1 AS lat, 2 AS lon FROM n",
  }[engine.name]

  it('ends a statement that takes too long: the key needs an index, or the page is too large', async () => {
    let errors: unknown[] = []
    const attempt: PluginContext['attempt'] = (operation) =>
      operation().catch((error: unknown) => {
        errors = [...errors, error]
        return operation()
      })
    const began = performance.now()
    const error = await failure({ url: engine.url(), query: slow, key: 'id', statementTimeoutMs: 300 }, { attempt })
    expect(error).toMatchObject({
      name: 'TooSlow',
      exitCode: 78,
      message: expect.stringContaining('a statement took longer than 0.3 s (source.statementTimeoutMs)'),
      hint: expect.stringMatching(/source\.key an index.*source\.pageSize/),
    })
    expect(performance.now() - began).toBeLessThan(10_000)
    expect(errors).toHaveLength(1)
  })

  it('ends a running statement when it is aborted', async () => {
    const abort = new AbortController()
    const began = performance.now()
    const reading = failure({ url: engine.url(), query: slow, key: 'id' }, { signal: abort.signal })
    const running = {
      PostgreSQL: "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND application_name = 'owm'",
      MariaDB: "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'",
    }[engine.name]
    if (running) await until(async () => (await engine.query(running)).length > 0)
    abort.abort()
    expect(await reading).toMatchObject({ message: expect.stringContaining('abort') })
    expect(performance.now() - began).toBeLessThan(10_000)
  })
})

it('SQLite: a colon and a number may end a column of its own', async () => {
  const table = await tableOf(sqlite, 'id INTEGER PRIMARY KEY, city, lat, lon, temp, "temp:2"', ["1, 'a', 1, 2, 3, 4"])
  const { locations } = await readAll({ url: sqlite.url(), table, key: 'id' })
  expect(locations).toMatchObject([{ temp: 3, 'temp:2': 4 }])
  const query = `SELECT *, 5 AS temp, 6 AS temp, 7 AS temp, 8 AS temp FROM ${table}`
  expect(await failure({ url: sqlite.url(), query, key: 'id' })).toMatchObject({
    message: expect.stringContaining('gives two columns "temp"'),
  })
})
