/** What a PostgreSQL that can't serve says, and what follows: a class, a next step. The server is real. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { VerifyResult } from '../../../src/commands/verify.js'
import { errorKindOf, type OwmError, toError } from '../../../src/errors/index.js'
import postgres from '../../../src/sinks/postgres/index.js'
import { owm, owmJson } from '../../support/cli.js'
import { startPostgres, type TestDatabase } from '../../support/databases.js'
import { Caller, folderFor, openSink } from './scene.js'

let server: TestDatabase
/** Holds a certificate that nobody trusts, `crt`, and its `key`. */
let folder: string
const columns = 'id bigint GENERATED ALWAYS AS IDENTITY, added_at timestamptz, task_id uuid'

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'owm-test-'))
  const made = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-keyout',
    foreign('key'),
    '-out',
    foreign('crt'),
  ]
  execFileSync('openssl', ['req', '-x509', '-nodes', '-subj', '/CN=foreign', ...made], { stdio: 'ignore' })
  // Below its data: its own certificate.
  server = await startPostgres({ ssl_ca_file: '../cert.pem' })
  for (const statement of [
    "CREATE ROLE reader LOGIN PASSWORD 'reader'",
    "CREATE ROLE writer LOGIN PASSWORD 'writer'",
    "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0",
    'CREATE SCHEMA answers',
    'CREATE TABLE answers.foreign_one (id int, name text)',
    `CREATE TABLE answers.loose (${columns}, task json)`,
    `CREATE TABLE answers.short (${columns} UNIQUE, task json CHECK (length(task::text) < 200))`,
    `CREATE TABLE answers.late (${columns} UNIQUE DEFERRABLE, task json)`,
    `CREATE TABLE answers.ruled (${columns} UNIQUE, task json)`,
    'CREATE RULE none AS ON INSERT TO answers.ruled DO INSTEAD NOTHING',
    `CREATE TABLE answers.guarded (${columns} UNIQUE, task json)`,
    `CREATE FUNCTION answers.no_long_ones() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN IF length(new.task::text) < 200 THEN RETURN new; END IF; RAISE EXCEPTION 'too long for us'; END $$`,
    'CREATE TRIGGER guard BEFORE INSERT ON answers.guarded FOR EACH ROW EXECUTE FUNCTION answers.no_long_ones()',
  ])
    await server.query(statement)
})
afterAll(async () => {
  await server?.stop()
  await rm(folder, { recursive: true })
})

const foreign = (what: 'crt' | 'key'): string => join(folder, what)

const at = (user: string, password: string, database = 'postgres'): string =>
  `postgres://${user}:${password}@127.0.0.1:${server.port}/${database}`

const parts = () => ({
  host: '127.0.0.1',
  port: server.port,
  database: 'postgres',
  username: 'owm',
  password: server.password,
})

/** What `owm config check --connect` would say. */
async function said(options: object): Promise<{ kind: string; message: string; hint: string }> {
  const sink = await openSink({ connectTimeoutMs: 1_500, lockTimeoutMs: 300, statementTimeoutMs: 900, ...options })
  const thrown: unknown = await sink.check?.().catch((error: unknown) => error)
  const { message, hint = '' }: Partial<OwmError> = toError(thrown ?? 'nothing')
  return { kind: errorKindOf(thrown) ?? '', message: message ?? '', hint }
}

async function refusing(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  server.close()
  return typeof address === 'object' && address ? address.port : 0
}

describe("what a retry can't fix", () => {
  const cases: [string, () => object, RegExp, RegExp][] = [
    ['a wrong password', () => ({ url: at('owm', 'wrong') }), /password authentication failed/, /sink\.password/],
    ['no password', () => ({ url: at('owm', '') }), /wants a password/, /sink\.password/],
    ['a role that is not there', () => ({ url: at('nobody', 'x') }), /authentication failed/, /sink\.url/],
    [
      'a database that is not there',
      () => ({ url: at('owm', server.password, 'nowhere') }),
      /nowhere/,
      /CREATE DATABASE/,
    ],
    ['a role that may not make tables', () => ({ url: at('reader', 'reader') }), /permission denied/, /DBA/],
    [
      'a schema that may not be made',
      () => ({ url: at('reader', 'reader'), table: 'no.t' }),
      /permission denied/,
      /DBA/,
    ],
    ["somebody else's table", () => ({ url: server.url, table: 'answers.foreign_one' }), /task_id/, /SQL in docs/],
    ['a UNIQUE that is DEFERRABLE', () => ({ url: server.url, table: 'answers.late' }), /deferrable/, /SQL in docs/],
    ['a table without UNIQUE', () => ({ url: server.url, table: 'answers.loose' }), /unique/, /SQL in docs/],
    ['a rule', () => ({ url: server.url, table: 'answers.ruled' }), /INSERT/, /DROP RULE/],
    ['no graphile-worker', () => ({ url: server.url, queue: 'graphile-worker' }), /isn't set up/, /--schema-only/],
    ['an untrusted certificate', () => ({ url: `${server.url}?sslmode=verify-full` }), /certificate/, /sslrootcert/],
    [
      'an authority without sslmode, and another name in the certificate',
      () => ({ url: `${server.url}?sslrootcert=${server.certificate}` }),
      /altnames/,
      /sslmode=verify-ca/,
    ],
    [
      'an authority that is another one, without sslmode',
      () => ({ ...parts(), sslrootcert: foreign('crt') }),
      /certificate/,
      /sslrootcert/,
    ],
    [
      'a key of another certificate',
      () => ({ ...parts(), sslcert: server.certificate, sslkey: foreign('key') }),
      /key values mismatch/,
      /the key of that very certificate/,
    ],
    [
      "a certificate of owm's that the server doesn't trust",
      () => ({ ...parts(), sslcert: foreign('crt'), sslkey: foreign('key') }),
      /: tlsv1 alert unknown ca$/,
      /sslcert=FILE and sslkey=FILE in sink\.url, both/,
    ],
    ['an unknown parameter', () => ({ url: `${server.url}?target=primary` }), /target/, /Known parameters/],
  ]
  it.each(cases)('%s', async (_, options, message, hint) => {
    const found = await openSink(options()).then(
      () => said(options()),
      (error: OwmError) => ({ kind: errorKindOf(error), message: error.message, hint: error.hint ?? '' }),
    )
    expect(found).toMatchObject({
      kind: 'configuration',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    })
    expect(JSON.stringify(found)).not.toContain(server.password)
  })
})

describe('what passes', () => {
  it('nobody listens', async () => {
    const found = await said({ url: `postgres://owm:x@127.0.0.1:${await refusing()}/postgres` })
    expect(found).toMatchObject({ kind: 'transient', message: expect.stringContaining('ECONNREFUSED') })
  })

  it('a database that can only be read; a role with too many connections', async () => {
    for (const [change, undo, message, hint] of [
      ['SET default_transaction_read_only = on', 'RESET default_transaction_read_only', /read-only/, /primary/],
      ['CONNECTION LIMIT 0', 'CONNECTION LIMIT -1', /too many connections/, /max_connections/],
    ] as const) {
      await server.query(`ALTER ROLE writer ${change}`)
      const found = await said({ url: at('writer', 'writer') })
      await server.query(`ALTER ROLE writer ${undo}`)
      const expected = { message: expect.stringMatching(message), hint: expect.stringMatching(hint) }
      expect(found).toMatchObject({ kind: 'transient', ...expected })
    }
  })

  it('a lock that somebody holds, longer than sink.lockTimeoutMs or than sink.statementTimeoutMs', async () => {
    const other = await openSink({ url: server.url, table: 'answers.locked' })
    const caller = new Caller(2)
    await caller.placed(other)
    const holder = (await import('pg')).default
    const client = new holder.Client({ connectionString: server.url })
    onTestFinished(() => client.end())
    await client.connect()
    await client.query('BEGIN; LOCK TABLE answers.locked')
    const locked = await said({ url: server.url, table: 'answers.locked' })
    expect(locked).toMatchObject({ kind: 'transient', hint: expect.stringContaining('pg_stat_activity') })
    const late = await said({
      url: server.url,
      table: 'answers.locked',
      lockTimeoutMs: 60_000,
      statementTimeoutMs: 300,
    })
    expect(late).toMatchObject({ kind: 'transient', hint: expect.stringContaining('sink.statementTimeoutMs') })
    await client.query('ROLLBACK')
    expect(await caller.deliver(other, 0, 2)).toEqual(['delivered', 'delivered'])
  })
})

describe('tasks that the database will never take', () => {
  it.each([
    ['a letter that its encoding lacks', () => ({ url: at('owm', server.password, 'latin') }), 'Łódź'],
    ['one that a CHECK keeps out', () => ({ url: server.url, table: 'answers.short' }), 'x'.repeat(300)],
    ['one that a trigger refuses', () => ({ url: server.url, table: 'answers.guarded' }), 'x'.repeat(300)],
  ])('%s: refused, and nothing of the batch is there', async (_, options, city) => {
    const sink = await openSink(options())
    const caller = new Caller(4)
    await caller.placed(sink)
    await caller.deliver(sink, 0, 1, 'Bern')
    await expect(caller.deliver(sink, 1, 3, city)).rejects.toMatchObject({ code: 'REFUSED' })
    expect(await caller.deliver(sink, 1, 2, 'Bern')).toEqual(['delivered'])
  })

  it('given up, and no longer kept, they are no difference to the list', async () => {
    const table = 'answers.given_up'
    const cwd = await folderFor({ url: server.url, table }, 40)
    const verified = async () =>
      (await owmJson<VerifyResult>(['verify', '--source', '--slot', '2026-11-23T11:00:00Z'], { cwd })).json.slots
    expect((await owm(['produce', '--slot', '2026-11-23T10:00:00Z'], { cwd })).code).toBe(0)
    await server.query(`ALTER TABLE ${table} ADD CHECK (task->>'task_id' !~ '^[0-3]') NOT VALID`)
    expect((await owm(['produce', '--slot', '2026-11-23T11:00:00Z'], { cwd })).code).toBe(75)
    expect((await owm(['outbox', 'purge', '--older-than', '0s', '--dead', '--yes'], { cwd })).code).toBe(0)
    const [given] = await verified()
    expect(given?.discarded).toBeGreaterThan(0)
    expect(given).toMatchObject({ state: 'same', differences: [] })
    const config = JSON.parse(await readFile(join(cwd, '.owmrc.json'), 'utf8'))
    await writeFile(join(cwd, '.owmrc.json'), JSON.stringify({ ...config, source: { ...config.source, count: 42 } }))
    const [more] = await verified()
    // A table trims nothing.
    const [difference] = more?.differences ?? []
    expect(difference).toMatchObject({ kind: 'not in slot', what: expect.not.stringContaining('trimmed') })
  })
})

describe('options', () => {
  const wrong = (options: object): string =>
    postgres.options
      .safeParse(options)
      .error?.issues.map(({ message }) => message)
      .join() ?? ''

  it('are parts of a URL, or the URL', async () => {
    await (await openSink({ ...parts(), table: 'answers.by_parts' })).check?.()
    const sslrootcert = server.certificate
    await (await openSink({ ...parts(), sslmode: 'verify-ca', sslrootcert })).check?.()
    await (await openSink({ ...parts(), host: server.socket, sslrootcert })).check?.()
    expect(wrong({ ...parts(), url: server.url })).toContain('give either `url` or `host`')
    expect(wrong({ url: server.url, port: 1 })).toContain('go with `host`')
    expect(wrong({ url: 'mysql://a/b' })).toContain('postgres://')
    expect(wrong({ url: 'postgres://host' })).toContain('postgres://user:password@host:port/database')
    expect(wrong({ url: server.url, jobs: { task: 'a' } })).toContain('goes with `queue: graphile-worker`')
    expect(wrong({ url: server.url, table: 'ü'.repeat(40) })).toContain('at most 53 bytes')
  })

  it('a check leaves nothing behind', async () => {
    const tables = await server.query("SELECT 1 FROM pg_class WHERE relname LIKE 'by_parts%' OR relname LIKE 'owm_%'")
    expect(tables).toEqual([])
  })
})

it('owm tells class, cause and next step, and exits with it', async () => {
  const refused = await folderFor({ url: at('owm', 'wrong-secret') })
  const ran = await owm(['produce'], { cwd: refused })
  expect([ran.code, ran.stderr]).toEqual([78, expect.stringContaining('Correct user and password in sink.url')])
  expect(ran.stderr + ran.stdout).not.toContain('wrong-secret')
  const waits = await folderFor({ url: `postgres://owm@127.0.0.1:${await refusing()}/x` })
  expect((await owm(['produce'], { cwd: waits })).code).toBe(75)
})
