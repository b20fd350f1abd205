/** Whom a table refuses: one task, which is dead then, or all, which is the table's fault. The server is real. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Sink } from '../../../src/plugin.js'
import { owm } from '../../support/cli.js'
import { startPostgres, type TestDatabase } from '../../support/databases.js'
import { Caller, folderFor, openSink } from './scene.js'

let server: TestDatabase

beforeAll(async () => {
  server = await startPostgres()
  await server.query('CREATE TABLE known (city text UNIQUE NOT NULL)')
  await server.query("INSERT INTO known VALUES ('Bern'), ('Rome'), ('Oslo')")
  await server.query("CREATE ROLE guest LOGIN PASSWORD 'guest'")
  await server.query('GRANT CREATE ON SCHEMA public TO guest')
})
afterAll(() => server?.stop())

let made = 0
const columns = 'id bigint GENERATED ALWAYS AS IDENTITY, added_at timestamptz, task_id uuid UNIQUE, task json'

/** A table with more columns, and a trigger, BEFORE INSERT, with this body. */
async function tableWith({ more = '', body }: { more?: string; body?: string }): Promise<string> {
  const table = `t${++made}`
  await server.query(`CREATE TABLE ${table} (${columns}${more})`)
  await server.query(`GRANT ALL ON ${table} TO guest`)
  if (body !== undefined) await trigger(table, body)
  return table
}

async function trigger(table: string, body: string): Promise<void> {
  await server.query(`CREATE OR REPLACE FUNCTION ${table}_f() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE found text; BEGIN ${body}; RETURN new; END $$`)
  await server.query(`CREATE OR REPLACE TRIGGER t BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION ${table}_f()`)
}

const placed = async (options: object): Promise<{ sink: Sink; caller: Caller }> => {
  const sink = await openSink(options)
  const caller = new Caller(8)
  await caller.placed(sink)
  return { sink, caller }
}

const city = "new.task ->> 'city'"
const raising = (state: string): string => `IF ${city} = 'Bad' THEN RAISE 'not here' USING ERRCODE = '${state}'; END IF`
const looking = `SELECT city INTO STRICT found FROM known WHERE city = ${city}`
const generated = "city text GENERATED ALWAYS AS (nullif(task ->> 'city', 'Bad')) STORED"

const states = ['U0001', '99001', 'ZZ001', 'P0001', '2F000', '39000', '23000', 'F0000', 'HV000', 'XX000', '55000']

/** What a table's owner may ask of each task. */
const demands: [string, { more?: string; body?: string }][] = [
  ...states.map((state): [string, { body: string }] => [`RAISE with ${state}`, { body: raising(state) }]),
  ['ASSERT', { body: `ASSERT ${city} <> 'Bad', 'not here'` }],
  ['SELECT INTO STRICT', { body: looking }],
  ['CASE without ELSE', { body: `CASE ${city} WHEN 'Bern', 'Rome', 'Oslo' THEN NULL; END CASE` }],
  [
    'a trigger that writes to a table with a constraint',
    { body: `INSERT INTO known VALUES (nullif(${city}, 'Bad')) ON CONFLICT DO NOTHING` },
  ],
  ['NOT NULL', { more: `, ${generated} NOT NULL` }],
  ['a foreign key', { more: ", city text GENERATED ALWAYS AS (task ->> 'city') STORED REFERENCES known (city)" }],
  [
    'a foreign key that is checked at COMMIT',
    { more: ", city text GENERATED ALWAYS AS (task ->> 'city') STORED REFERENCES known (city) INITIALLY DEFERRED" },
  ],
]

describe('one task of many', () => {
  it.each(demands)('%s: that one is refused, the others go on', async (_, table) => {
    const { sink, caller } = await placed({ url: server.url, table: await tableWith(table) })
    const cities = ['Bad', 'Bad', 'Bern', 'Bad', 'Oslo']
    const refused = { code: 'REFUSED', message: expect.stringContaining('PostgreSQL at') }
    await expect(caller.deliver(sink, 0, 5, cities)).rejects.toMatchObject(refused)
    // As the relay goes on: parts of that batch, down to one task.
    await expect(caller.deliver(sink, 0, 2, cities)).rejects.toMatchObject(refused)
    await expect(caller.deliver(sink, 0, 1, cities)).rejects.toMatchObject(refused)
  })

  it('a policy of row-level security', async () => {
    const table = await tableWith({})
    await server.query(`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`)
    await server.query(`CREATE POLICY r ON ${table} FOR SELECT USING (true)`)
    await server.query(`CREATE POLICY w ON ${table} FOR INSERT WITH CHECK (task ->> 'city' = 'Bern')`)
    const url = `postgres://guest:guest@127.0.0.1:${server.port}/postgres`
    const { sink, caller } = await placed({ url, table })
    await expect(caller.deliver(sink, 0, 2, ['Bern', 'Bad'])).rejects.toMatchObject({ code: 'REFUSED' })
    expect(await caller.deliver(sink, 0, 1, 'Bern')).toEqual(['delivered'])
    await expect(caller.deliver(sink, 1, 2, 'Bad')).rejects.toMatchObject({ code: 'REFUSED' })
    await expect(caller.deliver(sink, 1, 3, 'Bad')).rejects.toMatchObject({
      code: 'CONFIGURATION',
      hint: expect.stringContaining('a policy for INSERT'),
    })
  })

  it('that comes alone, as the first one of a start', async () => {
    const more = ", city text GENERATED ALWAYS AS (task ->> 'city') STORED REFERENCES known (city)"
    const { sink, caller } = await placed({ url: server.url, table: await tableWith({ more }) })
    await expect(caller.deliver(sink, 0, 1, 'Bad')).rejects.toMatchObject({ code: 'REFUSED' })
  })
})

describe('all of them', () => {
  it('a sequence of ids that is at its end: with more room they are delivered', async () => {
    const table = `t${++made}`
    const { sink, caller } = await placed({ url: server.url, table })
    await caller.deliver(sink, 0, 2)
    await server.query(`ALTER SEQUENCE ${table}_id_seq MAXVALUE 4`)
    await expect(caller.deliver(sink, 2, 6)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      hint: expect.stringContaining('NO MAXVALUE'),
    })
    await server.query(`ALTER SEQUENCE ${table}_id_seq NO MAXVALUE`)
    expect(await caller.deliver(sink, 2, 6)).toEqual(Array(4).fill('delivered'))
  })

  it('a sequence that is behind the rows, with gaps between these: as it says, they are delivered', async () => {
    const table = `t${++made}`
    const { sink, caller } = await placed({ url: server.url, table })
    await caller.deliver(sink, 0, 2)
    await server.query(`DELETE FROM ${table} WHERE id = 1`)
    await server.query(`SELECT setval(pg_get_serial_sequence('${table}', 'id'), 1, false)`)
    const name = `"public"."${table}"`
    const sql = `SELECT setval(pg_get_serial_sequence('${name}', 'id'), max(id)) FROM ${name}`
    await expect(caller.deliver(sink, 2, 5)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('_pkey'),
      hint: expect.stringContaining(sql),
    })
    await server.query(sql)
    expect(await caller.deliver(sink, 2, 5)).toEqual(['delivered', 'delivered', 'delivered'])
  })

  const wrong: [string, { more?: string; body?: string }][] = [
    ['NOT NULL', { more: ', owner text NOT NULL' }],
    ['a foreign key', { more: ", town text NOT NULL DEFAULT 'Bad' REFERENCES known (city)" }],
    ['a table that a trigger writes to and that is gone', { body: 'INSERT INTO gone VALUES (1)' }],
    ['a function that is gone', { body: 'PERFORM gone(1)' }],
    ['a column that is not there', { body: 'PERFORM new.city' }],
    ['RAISE with the state of a missing right', { body: "RAISE 'no' USING ERRCODE = '42501'" }],
  ]
  it.each(wrong)('%s: none is refused; 78', async (_, table) => {
    const { sink, caller } = await placed({ url: server.url, table: await tableWith(table) })
    for (const to of [3, 1]) {
      const hint = expect.stringMatching(table.body === undefined ? /constraint|SQL in docs/ : /names a function/)
      const message = expect.stringMatching(
        table.body === undefined ? /PostgreSQL at/ : /\(PL\/pgSQL function t\d+_f\(\)/,
      )
      const expected = { code: 'CONFIGURATION', hint, message }
      await expect(caller.deliver(sink, 0, to)).rejects.toMatchObject(expected)
    }
  })

  it.each(['40001', '08006', '53100', '57014', '57P01', '25006'])('RAISE with %s passes', async (state) => {
    const table = await tableWith({ body: raising(state) })
    const { sink, caller } = await placed({ url: server.url, table })
    await expect(caller.deliver(sink, 0, 2, ['Oslo', 'Bad'])).rejects.toMatchObject({ code: 'NOT_HANDED_OVER' })
  })
})

it('a start sets the refused ones aside, and delivers the others', async () => {
  const body = `IF new.task ->> 'task_id' ~ '^[0-3]' THEN RAISE 'not here' USING ERRCODE = 'U0001'; END IF`
  const cwd = await folderFor({ url: server.url, table: await tableWith({ body }) }, 200)
  const ran = await owm(['produce', '--slot', '2026-11-23T10:00:00Z'], { cwd })
  expect(ran).toMatchObject({
    code: 75,
    stderr: expect.stringMatching(/refused \d+ tasks for good: set aside as dead/),
  })
  const flushed = await owm(['flush'], { cwd })
  expect(flushed.stdout).toContain('0 pending')
})
