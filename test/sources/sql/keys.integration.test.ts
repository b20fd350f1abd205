import { beforeAll, describe, expect, test } from 'vitest'
import { Malformed } from '../../../src/plugin.js'
import { type Fault, sourceChecks } from '../../../src/plugins/conformance/index.js'
import sql from '../../../src/sources/sql/index.js'
import {
  drain,
  type Engine,
  engines,
  failure,
  mariadb,
  opened,
  places,
  postgres,
  type Read,
  readAll,
  sqlite,
  tableOf,
} from './engines.js'

describe.each(engines)('$name', (engine) => {
  describe('conformance', () => {
    const checks = (options: Record<string, unknown>) =>
      sourceChecks({ plugin: sql, options: { url: engine.url(), ...options }, count: 1_234, faults })
    let table = ''
    const rename = (from: string, to: string) => engine.query(`ALTER TABLE ${from} RENAME TO ${to}`)
    const faults: Fault[] = [
      {
        name: 'the table is gone',
        async begin() {
          await rename(table, `${table}_away`)
          return () => rename(`${table}_away`, table)
        },
      },
    ]
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
      for (const [index, { name }] of sourceChecks({ plugin: sql, options: {}, count: 0, faults }).entries())
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

test.each([postgres, sqlite].map((engine) => ({ on: engine.name, engine })))(
  '$on: a key that is no column comes with the nearest one',
  async ({ engine }) => {
    const table = await places(engine, 2)
    const error = await failure({ url: engine.url(), table, key: 'idd' })
    expect(error).toMatchObject({
      hint: expect.stringMatching(/source\.key names idd; the columns are: .*Did you mean "id"/),
    })
  },
)

test('the position of a row is its exact key, rounded by the driver or written in other letters', async () => {
  const columns = 'id INTEGER PRIMARY KEY, name, lat, lon, osm'
  const table = await tableOf(sqlite, columns, ["9007199254740993, 'a', 1, 2, 9007199254740995", "7, 'b', 1, 2, 3"])
  for (const key of ['id', 'ID']) {
    const { positions } = await readAll({ url: sqlite.url(), table, key })
    expect(positions).toEqual([`${key} = 7`, `${key} = 9007199254740993`])
  }
})

test.each([postgres, mariadb, sqlite].map((engine) => ({ on: engine.name, engine })))(
  '$on: a table with a dot in its name is read with its schema, and the hint says so',
  async ({ engine }) => {
    const [table, q] = ['Mixed.Case', engine.quoted]
    await engine.query(`CREATE TABLE ${q(table)} (id INTEGER PRIMARY KEY, name VARCHAR(9), lat FLOAT, lon FLOAT)`)
    await engine.query(`INSERT INTO ${q(table)} VALUES (1, 'a', 1, 2)`)
    const schema = { PostgreSQL: 'public', MariaDB: 'postgres', SQLite: 'main' }[engine.name]
    const error = await failure({ url: engine.url(), table, key: 'id' })
    expect(error).toMatchObject({ hint: expect.stringMatching(/A dot in source\.table .* set source\.schema/) })
    expect((await readAll({ url: engine.url(), table, schema, key: 'id' })).locations).toHaveLength(1)
  },
)
