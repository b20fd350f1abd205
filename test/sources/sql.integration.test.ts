/** The source `sql` against a real PostgreSQL, a real MariaDB and SQLite files. */
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, test } from 'vitest'
import { ConfigurationError, ResumePointError, TransientError } from '../../src/errors/index.js'
import { type Location, Malformed, type PluginContext, type Source } from '../../src/plugin.js'
import { sourceChecks } from '../../src/plugins/conformance/index.js'
import sql from '../../src/sources/sql/index.js'
import { folderWith, owm, owmJson, type RunOptions, root, startOwm, until } from '../support/cli.js'
import { startMariadb, startPostgres, type TestDatabase } from '../support/databases.js'
import { untilStopped } from '../support/faults.js'
import { startRedis, type TestRedis } from '../support/redis.js'

/** What the tests need of each of the three. */
interface Engine {
  readonly name: string
  url(): string
  query(statement: string): Promise<unknown[]>
  /** A quoted name. */
  quoted(name: string): string
}

let servers: { postgres: TestDatabase; mariadb: TestDatabase } | undefined
let folder = ''
let file: DataSource | undefined

const started = (): { postgres: TestDatabase; mariadb: TestDatabase } => {
  if (!servers) throw new Error('the servers were not started')
  return servers
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'owm-test-sql-'))
  file = await new DataSource({ type: 'sqlite', database: join(folder, 'places.db'), enableWAL: true }).initialize()
  const [postgres, mariadb] = await Promise.all([startPostgres(), startMariadb()])
  servers = { postgres, mariadb }
})
afterAll(async () => {
  await file?.destroy()
  await Promise.all([servers?.postgres.stop(), servers?.mariadb.stop()])
  await rm(folder, { recursive: true, force: true })
})

const postgres: Engine = {
  name: 'PostgreSQL',
  url: () => started().postgres.url,
  query: (statement) => started().postgres.query(statement),
  quoted: (name) => `"${name.replaceAll('"', '""')}"`,
}
const mariadb: Engine = {
  name: 'MariaDB',
  url: () => started().mariadb.url,
  query: (statement) => started().mariadb.query(statement),
  quoted: (name) => `\`${name.replaceAll('`', '``')}\``,
}
const sqlite: Engine = {
  name: 'SQLite',
  url: () => join(folder, 'places.db'),
  query: async (statement) => (await file?.query(statement)) ?? [],
  quoted: postgres.quoted,
}
const serverOf = (engine: Engine): TestDatabase => started()[engine === postgres ? 'postgres' : 'mariadb']
const engines = [postgres, mariadb, sqlite]

let tables = 0
/** A new table: its name. */
async function tableOf(engine: Engine, columns: string, rows: readonly string[], suffix = ''): Promise<string> {
  const table = `t${++tables}`
  await engine.query(`CREATE TABLE ${table} (${columns}) ${suffix}`)
  for (let from = 0; from < rows.length; from += 500)
    await engine.query(
      `INSERT INTO ${table} VALUES ${rows
        .slice(from, from + 500)
        .map((row) => `(${row})`)
        .join(', ')}`,
    )
  return table
}

/** `count` places with ids from 1. */
const places = (engine: Engine, count: number): Promise<string> =>
  tableOf(
    engine,
    'id INTEGER PRIMARY KEY, city VARCHAR(50), lat NUMERIC(9, 6), lon NUMERIC(9, 6)',
    Array.from(
      { length: count },
      (_, index) => `${index + 1}, 'place ${index + 1}', ${(index % 89) + 1}, ${index % 180}`,
    ),
  )

interface Read {
  readonly locations: (Location | Malformed)[]
  readonly positions: string[]
  readonly resumes: string[]
}

interface How {
  resume?: string
  signal?: AbortSignal
  attempt?: PluginContext['attempt']
  baseDir?: string
  onBatch?: (read: Read) => unknown
}

/** Opens the source for as long as `use` takes. */
async function opened<T>(
  given: Record<string, unknown>,
  { signal = new AbortController().signal, attempt = (operation) => operation(), baseDir = folder }: How,
  use: (source: Source) => Promise<T>,
): Promise<T> {
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const source = await sql.open(sql.options.parse(given), { signal, attempt, baseDir, log })
  return use(source).finally(() => source.close?.())
}

async function drain(source: Source, { resume, onBatch }: How = {}): Promise<Read> {
  const read: Read = { locations: [], positions: [], resumes: [] }
  for await (const batch of source.read(resume)) {
    read.locations.push(...batch.locations)
    read.positions.push(...batch.locations.map((_, index) => batch.position(index)))
    read.resumes.push(batch.resume)
    await onBatch?.(read)
  }
  return read
}

const readAll = (given: Record<string, unknown>, how: How = {}): Promise<Read> =>
  opened(given, how, (source) => drain(source, how))

const ids = (read: Read): unknown[] =>
  read.locations.map((location) => (location instanceof Malformed ? location : location['id']))

/** What a read fails with. */
const failure = (given: Record<string, unknown>, how?: How): Promise<unknown> =>
  readAll(given, how).then(
    (read) => read,
    (error: unknown) => error,
  )

describe.each(engines)('$name', (engine) => {
  describe('conformance', () => {
    const checks = (options: Record<string, unknown>) =>
      sourceChecks({ plugin: sql, options: { url: engine.url(), ...options }, count: 1_234 })
    let table = ''
    beforeAll(async () => {
      table = await places(engine, 1_234)
    })
    const ways: Record<string, () => Record<string, unknown>> = {
      'a table': () => ({ table, key: 'id', pageSize: 100 }),
      'a query, two columns as the key': () => ({
        query: `SELECT id % 7 AS part, p.* FROM ${table} AS p WHERE id > 0 -- all of them\n;`,
        key: ['part', 'id'],
        pageSize: 100,
      }),
    }
    for (const [way, options] of Object.entries(ways))
      for (const [index, { name }] of sourceChecks({ plugin: sql, options: {}, count: 0 }).entries())
        test(`${way}: ${name}`, () => checks(options())[index]?.run())
  })
})

/** Types of keys, each with values in no order. */
const keyTypes: readonly (readonly [engine: Engine, type: string, values: readonly string[]])[] = [
  [
    postgres,
    'TEXT',
    ["'b'", "'a'", "'Ä'", "'B'", "''", "'it''s \\\\ a \"key\"'", "'\u{1f30d}'", "'a '", "E'line\\n2'"],
  ],
  [postgres, 'TEXT COLLATE insensitive', ["'b'", "'a'", "'C'", "'Ä'", "'z'"]],
  [postgres, 'CHAR(4)', ["'b'", "'aa'", "'a'", "'bcde'"]],
  [postgres, 'BIGINT', ['9007199254740993', '9007199254740992', '9223372036854775807', '-9223372036854775808', '7']],
  [
    postgres,
    'UUID',
    [
      "'6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b'",
      "'00000000-0000-0000-0000-000000000001'",
      "'ffffffff-0000-0000-0000-000000000001'",
    ],
  ],
  [
    postgres,
    'TIMESTAMPTZ',
    [
      "'2026-03-29 01:30:00.000001+00'",
      "'2026-03-29 01:30:00.000002+00'",
      "'2026-10-25 02:30:00+02'",
      "'2026-10-25 02:30:00+01'",
      "'0044-03-15 BC'",
      "'infinity'",
    ],
  ],
  [postgres, 'TIMESTAMP', ["'2026-03-29 02:30:00.000001'", "'2026-03-29 02:30:00.000002'", "'1900-01-01'"]],
  [postgres, 'DATE', ["'2026-11-23'", "'2026-11-22'", "'1500-01-01'"]],
  [postgres, 'INTERVAL', ["'1 day'", "'23:00:00.000001'", "'1 mon -1 day'"]],
  [postgres, 'NUMERIC', ['1.000000000000000000001', '1.000000000000000000002', '-5', '1e30', "'NaN'"]],
  [postgres, 'DOUBLE PRECISION', ['0.1::float8 + 0.2::float8', '0.3', '1e300', "'-Infinity'", '5e-324']],
  [postgres, 'REAL', ['0.1', '0.2', '16777216', '1e-40']],
  [postgres, 'BYTEA', ["'\\xff00'", "'\\x00'", "'\\x'", "'\\x5c27'"]],
  [postgres, 'mood', ["'sad'", "'happy'", "'ok'"]],
  [postgres, 'INET', ["'10.0.0.2'", "'10.0.0.10'", "'::1'"]],
  [
    mariadb,
    'VARCHAR(20) COLLATE utf8mb4_general_ci',
    ["'b'", "'a'", "'Ö'", "'C'", "''", "'it''s \\\\ a \"key\"'", "'\u{1f30d}'", "'line\\n2'"],
  ],
  [mariadb, 'VARCHAR(20) COLLATE utf8mb4_bin', ["'b'", "'a'", "'B'", "'A'", "'ä'", "'?'"]],
  [mariadb, 'VARCHAR(20) CHARACTER SET latin1', ["'b'", "'a'", "'ö'", "'Z'", "'ß'"]],
  [mariadb, 'CHAR(4)', ["'b'", "'aa'", "'a'", "'bcde'"]],
  [mariadb, 'TEXT', ["'b'", "'aa'", "'a'"]],
  [mariadb, 'BIGINT', ['9007199254740993', '9007199254740992', '9223372036854775807', '-9223372036854775808', '7']],
  [mariadb, 'BIGINT UNSIGNED', ['18446744073709551615', '18446744073709551614', '9223372036854775808', '1']],
  [mariadb, 'TINYINT UNSIGNED', ['3', '200', '10']],
  [mariadb, 'DECIMAL(40, 20)', ['1.00000000000000000001', '1.00000000000000000002', '-5', '12345678901234567890.5']],
  [mariadb, 'DOUBLE', ['0.1e0 + 0.2e0', '0.3', '1e300', '5e-300', '-2']],
  [mariadb, 'YEAR', ['2026', '1999', '2000']],
  [
    mariadb,
    'UUID',
    [
      "'6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b'",
      "'00000000-0000-0000-0000-000000000001'",
      "'ffffffff-0000-0000-0000-000000000001'",
    ],
  ],
  [mariadb, 'INET6', ["'::ffff:10.0.0.2'", "'::1'", "'fe80::1'"]],
  [mariadb, 'BINARY(3)', ["X'ff0000'", "X'000000'", "X'5c2700'", "X'612000'"]],
  [mariadb, 'VARBINARY(8)', ["X'ff'", "X''", "X'5c27'", "X'00'", "X'0000'"]],
  [
    mariadb,
    'DATETIME(6)',
    ["'2026-03-29 02:30:00.000001'", "'2026-03-29 02:30:00.000002'", "'1000-01-01'", "'0000-00-00'"],
  ],
  [mariadb, 'TIMESTAMP(6)', ["'2026-10-25 00:30:00.000001'", "'2026-10-25 01:30:00'", "'2026-10-25 00:30:00.000002'"]],
  [mariadb, 'DATE', ["'2026-11-23'", "'2026-11-22'", "'0000-00-00'"]],
  [mariadb, 'TIME(3)', ["'10:00:00'", "'-9:00:00'", "'100:00:00.001'"]],
  [sqlite, 'INTEGER', ['9007199254740993', '9007199254740992', '9223372036854775807', '-9223372036854775808', '7']],
  [sqlite, 'TEXT', ["'b'", "'a'", "'Ä'", "''", "'it''s'", "'10'", "'9'", "'\u{1f30d}'"]],
  [sqlite, 'TEXT COLLATE NOCASE', ["'b'", "'a'", "'C'"]],
  [sqlite, 'REAL', ['0.1 + 0.2', '0.3', '1e300', '9e999', '5e-324', '2']],
  [sqlite, 'BLOB', ["X'ff00'", "X''", "X'00'", "X'5c27'"]],
  // No type: numbers, texts and bytes in one column, and a text that isn't UTF-8.
  [
    sqlite,
    '',
    [
      "'10'",
      '10',
      '9.5',
      "'9'",
      "X'3130'",
      "CAST(X'ff' AS TEXT)",
      "CAST(X'fe' AS TEXT)",
      "CAST(X'6100ff' AS TEXT)",
      "CAST(X'6100' AS TEXT)",
      "'a'",
    ],
  ],
  [sqlite, 'NUMERIC', ["'x'", '10', '9.5', '9007199254740993', "X'31'"]],
]

describe('keys', () => {
  beforeAll(async () => {
    await postgres.query(
      "CREATE COLLATION insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    )
    await postgres.query("CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')")
    await mariadb.query("SET GLOBAL sql_mode = ''")
  })

  test.each(keyTypes.map(([engine, type, values]) => ({ on: engine.name, type, engine, values })))(
    '$on: $type',
    async ({ engine, type, values }) => {
      const columns =
        type.startsWith('TEXT') && engine === mariadb ? `k ${type}, n INTEGER` : `k ${type} UNIQUE, n INTEGER`
      const table = await tableOf(
        engine,
        `${columns}, name VARCHAR(9), lat FLOAT, lon FLOAT`,
        values.map((value, index) => `${value}, ${index % 2}, 'n${index}', 1, 2`),
      )
      for (const key of ['k', ['n', 'k']]) {
        const expected = await engine.query(`SELECT name FROM ${table} ORDER BY ${[key].flat().join(', ')}`)
        const names = expected.map((row) => Object(row).name)
        const found = ({ locations }: Read) =>
          locations.map((location) =>
            location instanceof Malformed ? JSON.parse(location.value).name : location['city'],
          )
        const read = await opened({ url: engine.url(), table, key, pageSize: 1 }, {}, async (source) => {
          const read = await drain(source)
          for (const [index, resume] of read.resumes.entries())
            expect(found(await drain(source, { resume }))).toEqual(names.slice(index + 1))
          return read
        })
        expect(found(read)).toEqual(names)
      }
    },
  )
})

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

  it('refuses a resume point of another key, of another type of key, or of something else', async () => {
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
      `CREATE TABLE ${q(table)} (${q(key)} INTEGER PRIMARY KEY, ${q('SELECT')} VARCHAR(9), ${q('q.lat')} FLOAT, ${q(column)} FLOAT)`,
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

  it('waits where all rows are gone in the midst of the read, and misses none of those that come back', async () => {
    const table = await places(engine, 5)
    const copy = await places(engine, 5)
    let failures = 0
    const attempt: PluginContext['attempt'] = (operation) =>
      operation().catch(async (error: unknown) => {
        failures++
        expect(error).toBeInstanceOf(TransientError)
        await engine.query(`INSERT INTO ${table} SELECT * FROM ${copy}`)
        return operation()
      })
    const read = await readAll(given({ table, key: 'id' }), {
      attempt,
      onBatch: ({ resumes }) => (resumes.length === 1 ? engine.query(`DELETE FROM ${table}`) : undefined),
    })
    expect(ids(read)).toEqual([1, 2, 3, 4, 5])
    expect(failures).toBe(1)
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
    } else wrong['no such file'] = given({ table, url: 'sqlite:nothing.db' })
    for (const [what, options] of Object.entries(wrong)) {
      const error = await failure(options)
      expect(error, what).toBeInstanceOf(ConfigurationError)
      expect(Object(error).hint, what).toMatch(/\w/)
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
      "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT max(id) AS id, 'a' AS city, 1 AS lat, 2 AS lon FROM n",
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

describe('what databases give becomes JSON', () => {
  const one = async (engine: Engine, query: string): Promise<unknown> => {
    const { locations } = await readAll({ url: engine.url(), query, key: 'id' })
    // A task is JSON: what has no form in it would be lost on the way.
    expect(JSON.parse(JSON.stringify(locations))).toEqual(locations)
    return locations[0]
  }

  it('PostgreSQL', async () => {
    const query = `SELECT 9007199254740993 AS id, 42::bigint AS population, 'a' AS city, 52.520008::numeric(9, 6) AS lat, 13.4::float8 AS lon, true AS capital,
      '2026-03-29 02:30:00.123456'::timestamp AS local, '2026-03-29 02:30:00.123456+02'::timestamptz AS at, '2026-11-23'::date AS day, '1 day'::interval AS span,
      ARRAY['2026-11-23'::date] AS days, '\\xff00'::bytea AS bytes, '{"a": [1]}'::jsonb AS doc, point(1, 2) AS spot, ARRAY[1, 2] AS list, NULL AS nothing, '10.0.0.1'::inet AS host`
    expect(await one(postgres, query)).toEqual({
      id: '9007199254740993',
      population: 42,
      city: 'a',
      latitude: '52.520008',
      longitude: 13.4,
      capital: true,
      local: '2026-03-29 02:30:00.123456',
      at: '2026-03-29 00:30:00.123456+00',
      day: '2026-11-23',
      span: '1 day',
      days: '{2026-11-23}',
      bytes: 'ff00',
      doc: { a: [1] },
      spot: { x: 1, y: 2 },
      list: [1, 2],
      nothing: null,
      host: '10.0.0.1',
    })
    const { locations } = await readAll({
      url: postgres.url(),
      query,
      key: 'id',
      fields: { latitude: 'spot.y', longitude: 'spot.x' },
    })
    expect(locations).toMatchObject([{ latitude: 2, longitude: 1 }])
  })

  it('MariaDB', async () => {
    const query = `SELECT 9007199254740993 AS id, 42 AS population, 'a' AS city, CAST(52.520008 AS DECIMAL(9, 6)) AS lat, 13.4e0 AS lon, TRUE AS capital,
      CAST('2026-03-29 02:30:00.123456' AS DATETIME(6)) AS local, CAST('2026-11-23' AS DATE) AS day, CAST('0000-00-00' AS DATE) AS never, CAST('10:00:00' AS TIME) AS hour,
      X'ff00' AS bytes, JSON_OBJECT('a', 1) AS doc, POINT(1, 2) AS spot, NULL AS nothing, b'101' AS bits`
    expect(await one(mariadb, query)).toMatchObject({
      id: '9007199254740993',
      population: 42,
      latitude: '52.520008',
      longitude: 13.4,
      capital: 1,
      local: '2026-03-29 02:30:00.123456',
      day: '2026-11-23',
      hour: '10:00:00',
      bytes: 'ff00',
      spot: { x: 1, y: 2 },
      nothing: null,
    })
  })

  it('SQLite', async () => {
    expect(
      await one(
        sqlite,
        "SELECT 9007199254740993 AS id, 42 AS population, 'a' AS city, 52.5 AS lat, '13.4' AS lon, X'ff00' AS bytes, NULL AS none",
      ),
    ).toEqual({
      id: '9007199254740993',
      population: 42,
      city: 'a',
      latitude: 52.5,
      longitude: '13.4',
      bytes: 'ff00',
      none: null,
    })
    const query = `SELECT 1 AS id, 'a' AS city, 1 AS lat, 2 AS lon, 9007199254740993 AS big UNION ALL SELECT 2, 'b', 1, 2, 3`
    const { locations } = await readAll({ url: sqlite.url(), query, key: 'id' })
    expect(locations).toMatchObject([
      { reason: expect.stringContaining('big is a number beyond 2^53') },
      { id: 2, big: 3 },
    ])
    expect(locations[0]).toBeInstanceOf(Malformed)
  })
})

it.each(['FLOAT', "ENUM('z', 'a')", "SET('z', 'a')", 'BIT(8)', 'POINT'])(
  'MariaDB: a key of type %s is refused, since it is not ordered as it is compared',
  async (type) => {
    const table = await tableOf(mariadb, `k ${type}, city VARCHAR(9), lat FLOAT, lon FLOAT`, [])
    expect(await failure({ url: mariadb.url(), table, key: 'k' })).toMatchObject({
      name: 'ConfigurationError',
      message: expect.stringContaining("isn't ordered as it is compared"),
    })
  },
)

describe.each([postgres, mariadb])('the connection to $name', (engine) => {
  it('is made anew where the server went away in the midst of the read', async () => {
    const table = await places(engine, 10)
    const failed: unknown[] = []
    const attempt: PluginContext['attempt'] = (operation) =>
      operation().catch(async (error: unknown) => {
        failed.push(error)
        await serverOf(engine).restart()
        return operation()
      })
    const read = await readAll(
      { url: engine.url(), table, key: 'id', pageSize: 3 },
      { attempt, onBatch: ({ resumes }) => (resumes.length === 2 ? serverOf(engine).kill() : undefined) },
    )
    expect(ids(read)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(failed).toEqual([expect.any(TransientError)])
  })

  it('may be refused or never answered: that passes', async () => {
    const deaf = createServer(() => undefined)
    deaf.listen(0, '127.0.0.1')
    await once(deaf, 'listening')
    const address = deaf.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const at = (to: number | undefined) =>
      failure({ url: engine.url().replace(/:\d+\//, `:${to}/`), table: 't', key: 'id', connectTimeoutMs: 200 })
    expect(await at(port)).toBeInstanceOf(TransientError)
    deaf.close()
    expect(await at(port)).toBeInstanceOf(TransientError)
  })

  it('goes over a Unix socket where the URL names one', async () => {
    const url = `${engine.url().replace('127.0.0.1', 'nowhere.invalid')}?host=${serverOf(engine).socket}`
    expect((await readAll({ url, table: await places(engine, 3), key: 'id' })).locations).toHaveLength(3)
  })

  it('is encrypted where the URL says so, and checks the certificate as far as it says', async () => {
    const query = {
      PostgreSQL:
        "SELECT 1 AS id, 1 AS lat, 2 AS lon, CASE WHEN ssl THEN 'yes' ELSE 'no' END AS city FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
      MariaDB:
        "SELECT 1 AS id, 1 AS lat, 2 AS lon, IF(VARIABLE_VALUE = '', 'no', 'yes') AS city FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'",
    }[engine.name]
    const { certificate } = serverOf(engine)
    const given = (parameters: string, host = '127.0.0.1') => ({
      url: `${engine.url().replace('127.0.0.1', host)}${parameters}`,
      query,
      key: 'id',
    })
    const isEncrypted = async (parameters: string) =>
      (await readAll(given(parameters))).locations.map((location) => Object(location).city)
    expect(await isEncrypted('')).toEqual(['no'])
    expect(await isEncrypted('?sslmode=disable')).toEqual(['no'])
    expect(await isEncrypted('?sslmode=require')).toEqual(['yes'])
    expect(await isEncrypted(`?sslmode=verify-ca&sslrootcert=${certificate}`)).toEqual(['yes'])
    for (const untrusted of [
      given('?sslmode=verify-ca'),
      given(`?sslmode=verify-full&sslrootcert=${certificate}`, 'localhost'),
      given('?sslmode=verify-ca&sslrootcert=nothing.pem'),
    ])
      expect(await failure(untrusted), untrusted.url).toBeInstanceOf(ConfigurationError)
  })
})

describe('owm produce', () => {
  const rows = 1_000
  let redis: TestRedis | undefined
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis?.stop())

  /** A folder with a configuration that reads a new table into a new stream or a file. */
  async function scene(
    engine: Engine,
    sink: 'redis' | 'jsonl',
  ): Promise<{ cwd: string; tasks: () => Promise<{ location_id: number }[]> }> {
    const table = await places(engine, rows)
    const stream = `from-${engine.name}-${table}`
    const cwd = await folderWith({
      source: { use: 'sql', url: engine.url(), table, key: 'id', pageSize: 100 },
      sink:
        sink === 'redis' ? { use: 'redis-stream', url: redis?.url, stream } : { use: 'jsonl', path: './tasks.jsonl' },
      outbox: { path: './outbox.db' },
      flush: { batchSize: 50 },
      retry: { attempts: 2, initialDelayMs: 10 },
    })
    async function tasks(): Promise<{ location_id: number }[]> {
      if (sink === 'jsonl')
        return (await readFile(join(cwd, 'tasks.jsonl'), 'utf8'))
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line))
      const client = new Redis(redis?.url ?? '')
      return client
        .xrange(stream, '-', '+')
        .then((entries) => entries.map(([, [, task = '']]) => JSON.parse(task)))
        .finally(() => client.disconnect())
    }
    return { cwd, tasks }
  }
  const all = Array.from({ length: rows }, (_, index) => index + 1)
  const idsOf = (tasks: { location_id: number }[]): number[] =>
    tasks.map((task) => task.location_id).toSorted((a, b) => a - b)
  const at = (step: string, signal: string): RunOptions => ({
    node: ['--import', join(root, 'test', 'support', 'crash.mjs')],
    env: { OWM_CRASH_AT: step, OWM_CRASH_SIGNAL: signal },
  })

  it.each(engines)('hands over each row of $name', async (engine) => {
    const { cwd, tasks } = await scene(engine, 'jsonl')
    const ran = await owm(['produce'], { cwd })
    expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: '' })
    expect(idsOf(await tasks())).toEqual(all)
  })

  it.each(engines)('reads on behind the last key of $name after SIGKILL: each row once', async (engine) => {
    const { cwd, tasks } = await scene(engine, 'redis')
    expect(
      await owm(['produce', '--slot', '2026-11-23T10:00:00Z'], { cwd, ...at('intake:persisted:3', 'SIGKILL') }),
    ).toMatchObject({ signal: 'SIGKILL' })
    const left = rows - (await tasks()).length
    expect(left).toBeGreaterThan(0)
    const ran = await owmJson<{ source: { read: number } }>(['produce', '--slot', '2026-11-23T10:00:00Z'], { cwd })
    expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: '' })
    expect(idsOf(await tasks())).toEqual(all)
    // What it says it read includes what the killed process had; that it read on shows in the run, which is still the first.
    const { json } = await owmJson<{ runs: { state: string; read: number; duplicates: number }[] }>(
      ['outbox', 'inspect'],
      { cwd },
    )
    expect(json.runs).toEqual([expect.objectContaining({ read: rows, duplicates: 0 })])
  })

  it.each([postgres, mariadb])(
    'leaves the run open where $name goes away for good, and the next start reads on',
    async (engine) => {
      const { cwd, tasks } = await scene(engine, 'redis')
      const running = startOwm(['produce', '--json'], { cwd, ...at('intake:persisted:1', 'SIGSTOP') })
      await untilStopped(running)
      await serverOf(engine).kill()
      running.child.kill('SIGCONT')
      const failed = await running.ended
      expect(failed, failed.stderr).toMatchObject({ code: 75 })
      expect(JSON.parse(failed.stdout)).toMatchObject({ error: { code: 'SOURCE' } })
      expect(failed.stdout + failed.stderr).not.toContain(serverOf(engine).password)
      const inspected = await owmJson<{ runs: { state: string; read: number }[] }>(['outbox', 'inspect'], { cwd })
      expect(inspected.json.runs).toEqual([expect.objectContaining({ state: 'reading' })])
      expect(inspected.json.runs[0]?.read).toBeGreaterThan(0)
      expect(inspected.json.runs[0]?.read).toBeLessThan(rows)

      await serverOf(engine).restart()
      const ran = await owmJson<{ slot: string }>(['produce', '--slot', JSON.parse(failed.stdout).slot, '--json'], {
        cwd,
      })
      expect(ran, ran.stderr).toMatchObject({ code: 0 })
      expect(idsOf(await tasks())).toEqual(all)
    },
  )

  it.each([
    [
      postgres,
      'pg_sleep(30)::text',
      "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND application_name = 'owm'",
    ],
    [mariadb, 'SLEEP(30)', "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'"],
  ] as const)('leaves a running statement of $name at once where a signal ends it', async (engine, slow, running) => {
    const query = `SELECT 1 AS id, 1 AS lat, 2 AS lon, ${slow} AS city`
    const cwd = await folderWith({
      source: { use: 'sql', url: engine.url(), query, key: 'id' },
      sink: { use: 'jsonl', path: './tasks.jsonl' },
      outbox: { path: './outbox.db' },
    })
    // Nothing that is left open keeps the process until bin/run.js ends it by force: it comes to its own end.
    const drained = 'data:text/javascript,process.on("beforeExit", () => console.error("drained"))'
    const producer = startOwm(['produce'], { cwd, node: ['--import', drained] })
    await until(async () => (await engine.query(running)).length > 0)
    producer.child.kill('SIGTERM')
    expect(await producer.ended).toMatchObject({ code: 143, stderr: expect.stringContaining('drained') })
  })

  it('ends with 78 and the command to type where the driver is not installed', async () => {
    // Not in /tmp: there, or in a folder above it, may be somebody's packages.
    const bare = await mkdtemp('/var/tmp/owm-test-')
    onTestFinished(() => rm(bare, { recursive: true, force: true }))
    for (const name of ['bin', 'dist', 'package.json', 'oclif.manifest.json'])
      await cp(join(root, name), join(bare, name), { recursive: true })
    await mkdir(join(bare, 'node_modules'))
    const packages = await readdir(join(root, 'node_modules'))
    for (const name of packages.filter((name) => name !== 'pg' && name !== 'mysql2' && !name.startsWith('.')))
      await symlink(join(root, 'node_modules', name), join(bare, 'node_modules', name))
    const script = join(bare, 'bin', 'run.js')
    for (const [engine, name] of [
      [postgres, 'pg'],
      [mariadb, 'mysql2'],
    ] as const) {
      const { cwd: elsewhere } = await scene(engine, 'jsonl')
      const cwd = join(bare, name)
      await mkdir(cwd)
      await cp(join(elsewhere, '.owmrc.json'), join(cwd, '.owmrc.json'))
      const ran = await owm(['produce', '--slot', '2026-11-23T10:00:00Z'], { cwd, script })
      expect(ran).toMatchObject({ code: 78, stderr: expect.stringContaining(`npm install ${name}`) })
      // Beside the configuration is a good place for it.
      await mkdir(join(cwd, 'node_modules'))
      await symlink(join(root, 'node_modules', name), join(cwd, 'node_modules', name))
      const again = await owm(['produce', '--slot', '2026-11-23T10:00:00Z'], { cwd, script })
      expect(again, again.stderr).toMatchObject({ code: 0 })
      expect((await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).trim().split('\n')).toHaveLength(rows)
    }
  })
})
