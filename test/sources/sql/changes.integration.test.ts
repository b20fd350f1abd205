/** What is made of a table that changes while it is read. */
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { DataSource } from 'typeorm'
import { describe, expect, it } from 'vitest'
import { ResumePointError } from '../../../src/errors/index.js'
import {
  drain,
  type Engine,
  engines,
  failure,
  folder,
  ids,
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
  it.each([
    ['is renamed', ['lat TO breite']],
    ['swaps its name with another', ['lat TO x', 'lon TO lat', 'x TO lon']],
  ])('is read from the start where a column %s between two pages', async (_, renames) => {
    const table = await places(engine, 6)
    const options = { url: engine.url(), table, key: 'id', pageSize: 2 }
    const error = await failure(options, {
      async onBatch({ resumes }) {
        if (resumes.length !== 1) return
        for (const rename of renames) await engine.query(`ALTER TABLE ${table} RENAME COLUMN ${rename}`)
      },
    })
    expect(error).toBeInstanceOf(ResumePointError)
  })

  it('is read from the start where its key is ordered otherwise', async () => {
    const rows = ['1', '10', '100', '2', '3'].map((k) => `'${k}', 'a', 1, 2`)
    const columns = ', city VARCHAR(9), lat FLOAT, lon FLOAT'
    const collation = { PostgreSQL: 'insensitive', MariaDB: 'utf8mb4_bin', SQLite: 'NOCASE' }[engine.name]
    for (const type of ['INTEGER', `TEXT COLLATE ${collation}`]) {
      const table = await tableOf(engine, `k TEXT${columns}`, rows)
      const other = await tableOf(engine, `k ${type}${columns}`, rows)
      const options = { url: engine.url(), table, key: 'k', pageSize: 2 }
      const { resumes } = await readAll(options)
      const old = JSON.stringify({ ...JSON.parse(resumes[0] ?? ''), ordering: undefined })
      expect((await readAll(options, { resume: old })).locations).toHaveLength(3)
      const change = async (): Promise<void> => {
        await engine.query(`DROP TABLE ${table}`)
        await engine.query(`ALTER TABLE ${other} RENAME TO ${table}`)
      }
      const error = await failure(options, { onBatch: (read) => (read.resumes.length === 1 ? change() : undefined) })
      expect(error, type).toBeInstanceOf(ResumePointError)
      expect(await failure(options, { resume: resumes[0] ?? '' }), type).toBeInstanceOf(ResumePointError)
    }
  })
})

/** A table of 6 rows; and what puts another one, of 4, in its place. */
async function twoTables(engine: Engine): Promise<{ options: Record<string, unknown>; replace(): Promise<unknown> }> {
  const [table, other] = [await places(engine, 6), await places(engine, 4)]
  const options = { url: engine.url(), table, key: 'id', pageSize: 2 }
  async function replace(): Promise<void> {
    // MariaDB tells when a table got its name in whole seconds.
    if (engine === mariadb) await setTimeout(1_100)
    await engine.query(`DROP TABLE ${table}`)
    await engine.query(`ALTER TABLE ${other} RENAME TO ${table}`)
  }
  return { options, replace }
}

describe.each([postgres, mariadb])('a table of $name that another one replaces', (engine) => {
  it.each([
    [1, 'between two pages'],
    [3, 'where the row of the last key is gone'],
  ])('is read from the start: after page %i, %s', async (pages) => {
    const { options, replace } = await twoTables(engine)
    const onBatch = ({ resumes }: Read): unknown => (resumes.length === pages ? replace() : undefined)
    expect(await failure(options, { onBatch })).toBeInstanceOf(ResumePointError)
  })

  it('is read from the start by the next run, unless an older owm wrote the checkpoint', async () => {
    const { options, replace } = await twoTables(engine)
    const [resume = ''] = (await readAll(options)).resumes
    expect(ids(await readAll(options, { resume }))).toEqual([3, 4, 5, 6])
    await replace()
    expect(await failure(options, { resume })).toBeInstanceOf(ResumePointError)
    const old = JSON.stringify({ ...JSON.parse(resume), file: undefined })
    expect(ids(await readAll(options, { resume: old }))).toEqual([3, 4])
  })

  it('is read to its end where only its rows change', async () => {
    const { options } = await twoTables(engine)
    const change = (): unknown => engine.query(`UPDATE ${options['table']} SET city = 'x' WHERE id > 4`)
    const read = await readAll(options, { onBatch: ({ resumes }) => (resumes.length === 1 ? change() : undefined) })
    expect(ids(read)).toEqual([1, 2, 3, 4, 5, 6])
  })
})

it('PostgreSQL: a table that is emptied and filled in one transaction is read from the start', async () => {
  const { options } = await twoTables(postgres)
  const [name, columns] = [options['table'], 'id, city, lat, lon']
  const refill = `CREATE TABLE kept AS SELECT * FROM ${name}; BEGIN; TRUNCATE ${name};
    INSERT INTO ${name} SELECT ${columns} FROM kept; COMMIT; DROP TABLE kept`
  const error = await failure(options, {
    onBatch: ({ resumes }) => (resumes.length === 1 ? postgres.query(refill) : undefined),
  })
  expect(error).toBeInstanceOf(ResumePointError)
})

const rows = ['10', '20', '30'].map((k) => `${k}, 'a', 1, 2`)
const columns = ', city VARCHAR(9), lat FLOAT, lon FLOAT'

it('MariaDB: a table whose bytes become numbers while it is read is read from the start', async () => {
  const table = await tableOf(mariadb, `k VARBINARY(9) PRIMARY KEY${columns}`, rows)
  const error = await failure(
    { url: mariadb.url(), table, key: 'k', pageSize: 1 },
    { onBatch: ({ resumes }) => resumes.length === 1 && mariadb.query(`ALTER TABLE ${table} MODIFY k INT`) },
  )
  expect(error).toBeInstanceOf(ResumePointError)
})

it('SQLite: a view is read from the start where the key of a table below it is ordered otherwise', async () => {
  const base = await tableOf(sqlite, `k TEXT PRIMARY KEY${columns}`, rows)
  await sqlite.query(`CREATE VIEW middle AS SELECT * FROM ${base}`)
  await sqlite.query('CREATE VIEW upper AS SELECT * FROM Middle')
  const options = { url: sqlite.url(), query: 'SELECT * FROM UPPER', key: 'k', pageSize: 1 }
  const { resumes } = await readAll(options)
  const other = await tableOf(sqlite, `k TEXT COLLATE NOCASE PRIMARY KEY${columns}`, rows)
  expect(ids(await readAll(options, { resume: resumes[0] ?? '' }))).toHaveLength(2)
  await sqlite.query('PRAGMA legacy_alter_table = ON')
  await sqlite.query(`DROP TABLE ${base}`)
  await sqlite.query(`ALTER TABLE ${other} RENAME TO ${base}`)
  expect(await failure(options, { resume: resumes[0] ?? '' })).toBeInstanceOf(ResumePointError)
})

describe('a SQLite file that another one replaces', () => {
  /** A list's file with ids from `first` to 6, and one beside it with ids from -5 on. */
  async function twoFiles(): Promise<{ options: Record<string, unknown>; replace: () => Promise<void> }> {
    const own = await mkdtemp(join(folder, 'file-'))
    const make = async (name: string, first: number): Promise<string> => {
      const path = join(own, name)
      const made = await new DataSource({ type: 'sqlite', database: path }).initialize()
      await made.query('CREATE TABLE t (id INTEGER PRIMARY KEY, city, lat, lon)')
      for (let id = first; id <= 6; id++) await made.query(`INSERT INTO t VALUES (${id}, 'a', 1, 2)`)
      await made.destroy()
      return path
    }
    const [url, next] = [await make('list.db', 1), await make('next.db', -5)]
    return { options: { url, table: 't', key: 'id', pageSize: 2 }, replace: () => rename(next, url) }
  }

  it('is read from the start by the next start', async () => {
    const { options, replace } = await twoFiles()
    const { resumes } = await readAll(options)
    const resume = resumes[0] ?? ''
    expect(ids(await readAll(options, { resume }))).toEqual([3, 4, 5, 6])
    await replace()
    expect(await failure(options, { resume })).toBeInstanceOf(ResumePointError)
    // As an older owm wrote it.
    const old = JSON.stringify({ ...JSON.parse(resume), file: undefined })
    expect(ids(await readAll(options, { resume: old }))).toEqual([3, 4, 5, 6])
  })

  it('by a part of it, or with the journal of another file: what helps is told', async () => {
    const { options } = await twoFiles()
    const path = String(options['url'])
    await writeFile(`${path}-journal`, 'of another file')
    expect(await failure(options)).toMatchObject({
      exitCode: 78,
      hint: expect.stringMatching(/journal beside the file/),
    })
    await rm(`${path}-journal`)
    const bytes = await readFile(path)
    await writeFile(path, bytes.subarray(0, bytes.length / 2))
    expect(await failure(options)).toMatchObject({
      exitCode: 78,
      hint: expect.stringMatching(/make or fetch it again/),
    })
    await writeFile(path, 'no database, though long enough to be one: '.repeat(100))
    expect(await failure(options)).toMatchObject({
      exitCode: 78,
      hint: expect.stringMatching(/is none of SQLite.* `use: static-list`/),
    })
  })

  it('is read to its end where it is open', async () => {
    const { options, replace } = await twoFiles()
    const read = await readAll(options, { onBatch: ({ resumes }) => (resumes.length === 1 ? replace() : undefined) })
    expect(ids(read)).toEqual([1, 2, 3, 4, 5, 6])
    expect(await failure(options, { resume: read.resumes[1] ?? '' })).toBeInstanceOf(ResumePointError)
  })

  it('is read from the start where a new connection finds the other one', async () => {
    const { options, replace } = await twoFiles()
    const attempt = <T>(work: () => Promise<T>): Promise<T> => work().catch(() => work())
    const error = await opened(options, { attempt }, (source) =>
      drain(source, {
        async onBatch({ resumes }) {
          if (resumes.length !== 1) return
          await replace()
          await source.close?.()
        },
      }).catch((thrown: unknown) => thrown),
    )
    expect(error).toBeInstanceOf(ResumePointError)
  })
})
