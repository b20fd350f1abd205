/** A table that another transaction holds, for a reload or an ALTER. */
import { join } from 'node:path'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { expect, it } from 'vitest'
import { failure, folder, ids, mariadb, postgres, readAll } from './engines.js'

interface Held {
  readonly name: string
  readonly holder: () => DataSourceOptions
  readonly url: () => string
  readonly lock: string
  readonly unlock: string
}

// Without a write-ahead log: with one, a writer never keeps readers waiting.
const path = (): string => join(folder, 'locked.db')
const held: readonly Held[] = [
  {
    name: 'PostgreSQL',
    holder: () => ({ type: 'postgres', url: postgres.url() }),
    url: postgres.url,
    lock: 'BEGIN; LOCK TABLE held',
    unlock: 'ROLLBACK',
  },
  {
    name: 'MariaDB',
    holder: () => ({ type: 'mysql', url: mariadb.url() }),
    url: mariadb.url,
    lock: 'LOCK TABLES held WRITE',
    unlock: 'UNLOCK TABLES',
  },
  {
    name: 'SQLite',
    holder: () => ({ type: 'sqlite', database: path() }),
    url: path,
    lock: 'BEGIN EXCLUSIVE',
    unlock: 'ROLLBACK',
  },
]

it.each(held)('$name: a table that is locked for too long is no slow statement: that passes', async (engine) => {
  const holder = await new DataSource(engine.holder()).initialize()
  const runner = holder.createQueryRunner()
  try {
    await runner.query('CREATE TABLE held (id INTEGER PRIMARY KEY, city VARCHAR(9), lat INTEGER, lon INTEGER)')
    await runner.query("INSERT INTO held VALUES (1, 'Bern', 47, 7)")
    await runner.query(engine.lock)
    const options = { url: engine.url(), table: 'held', key: 'id' }
    expect(await failure({ ...options, statementTimeoutMs: 3000 })).toMatchObject({
      name: 'TransientError',
      message: expect.stringMatching(/lock timeout|Lock wait timeout|SQLITE_BUSY/),
      hint: expect.stringContaining('Another session holds a lock'),
    })
    await runner.query(engine.unlock)
    expect(ids(await readAll(options))).toEqual([1])
  } finally {
    await runner.release()
    await holder.destroy()
  }
})
