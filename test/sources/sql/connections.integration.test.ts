/** Values, connections and whole runs of the source `sql`. */
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ConfigurationError, TransientError } from '../../../src/errors/index.js'
import { Malformed, type PluginContext } from '../../../src/plugin.js'
import { exactJson } from '../../../src/tasks/json/exact.js'
import { folderWith, owm, owmJson, type RunOptions, root, startOwm, until } from '../../support/cli.js'
import { untilStopped } from '../../support/faults.js'
import { startRedis, type TestRedis } from '../../support/redis.js'
import {
  type Engine,
  engines,
  failure,
  ids,
  mariadb,
  places,
  postgres,
  readAll,
  serverOf,
  sqlite,
  tableOf,
} from './engines.js'

describe('what databases give becomes JSON', () => {
  const one = async (engine: Engine, query: string): Promise<unknown> => {
    const { locations } = await readAll({ url: engine.url(), query, key: 'id' })
    // A task is JSON: what has no form in it would be lost on the way.
    const [written]: readonly object[] = JSON.parse(JSON.stringify(locations))
    expect(Object.keys(written ?? {})).toEqual(Object.keys(locations[0] ?? {}))
    return written
  }

  it('PostgreSQL', async () => {
    const query = `SELECT 9007199254740993 AS id, 42::bigint AS population, 'a' AS city,
       52.520008::numeric(9, 6) AS lat, 13.4::float8 AS lon, true AS capital,
      '2026-03-29 02:30:00.123456'::timestamp AS local, '2026-03-29 02:30:00.123456+02'::timestamptz AS at,
       '2026-11-23'::date AS day, '1 day'::interval AS span,
      ARRAY['2026-11-23'::date] AS days, '\\xff00'::bytea AS bytes, '{"a": [1]}'::jsonb AS doc,
       point(1, 2) AS spot, ARRAY[1, 2] AS list, NULL AS nothing, '10.0.0.1'::inet AS host`
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
    const query = `SELECT 9007199254740993 AS id, 42 AS population, 'a' AS city,
       CAST(52.520008 AS DECIMAL(9, 6)) AS lat, 13.4e0 AS lon, TRUE AS capital,
      CAST('2026-03-29 02:30:00.123456' AS DATETIME(6)) AS local, CAST('2026-11-23' AS DATE) AS day,
       CAST('0000-00-00' AS DATE) AS never, CAST('10:00:00' AS TIME) AS hour,
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

  it("MariaDB's ZEROFILL columns as numbers, as any other", async () => {
    const columns = 'id INT(5) ZEROFILL PRIMARY KEY, wmo BIGINT(20) ZEROFILL, n INT, city VARCHAR(9), lat INT, lon INT'
    const rows = ["3772, 9007199254740993, 7, 'London', 51, 0", "12345, 0, NULL, 'Bern', -1, 7"]
    const table = await tableOf(mariadb, columns, rows)
    const { locations, positions, resumes } = await readAll({ url: mariadb.url(), table, key: 'id', pageSize: 1 })
    expect(locations).toMatchObject([
      { id: 3772, wmo: '00009007199254740993', n: 7, latitude: 51, longitude: 0 },
      { id: 12345, wmo: 0, n: null, latitude: -1 },
    ])
    expect(positions).toEqual(['id = 3772', 'id = 12345'])
    expect(resumes).toHaveLength(2)
  })

  it("MariaDB's JSON, of which no digit and no key is lost", async () => {
    const docs = [
      '{"osm": 1161888007138312193, "lat": 1, "lon": 2, "n": 9007199254740993}',
      '{"osm": 3, "lat": 1, "lon": 2, "a": 1, "a": 2}',
    ]
    const rows = docs.map((doc, index) => `${index + 1}, '${doc}'`)
    const table = await tableOf(mariadb, 'k INT PRIMARY KEY, p JSON', rows)
    const fields = { id: 'p.osm', city: 'k', latitude: 'p.lat', longitude: 'p.lon' }
    const { locations } = await readAll({ url: mariadb.url(), table, key: 'k', fields })
    expect(locations[0]).toMatchObject({ id: 1161888007138312193n, p: { n: 9007199254740993n } })
    expect(exactJson(locations[1])).toContain('"a":[1,2]')
  })

  it('SQLite', async () => {
    expect(
      await one(
        sqlite,
        "SELECT 9007199254740993 AS id, 42 AS population, 'a' AS city, 52.5 AS lat, '13.4' AS lon, " +
          "X'ff00' AS bytes, NULL AS none",
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
    const first = "SELECT 1 AS id, 'a' AS city, 1 AS lat, 2 AS lon, 9007199254740993 AS big"
    const query = `${first} UNION ALL SELECT 2, 'b', 1, 2, 3`
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
  it('is made again where the server went away in the midst of the read', async () => {
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
        "SELECT 1 AS id, 1 AS lat, 2 AS lon, CASE WHEN ssl THEN 'yes' ELSE 'no' END AS city " +
        'FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
      MariaDB:
        "SELECT 1 AS id, 1 AS lat, 2 AS lon, IF(VARIABLE_VALUE = '', 'no', 'yes') AS city " +
        "FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'",
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
    expect(await isEncrypted(`?sslcert=${certificate}`)).toEqual(['yes'])
    expect(await isEncrypted(`?sslmode=verify-ca&sslrootcert=${certificate}`)).toEqual(['yes'])
    for (const untrusted of [
      given('?sslmode=verify-ca'),
      given(`?sslrootcert=${certificate}`),
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

  it.each(engines)('delivers each row of $name', async (engine) => {
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
    // What it says it read includes what the killed process had; that it read on shows in the run, which is still
    // the first.
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
