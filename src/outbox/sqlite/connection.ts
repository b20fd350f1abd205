/** A connection to the outbox's file. */
import { DataSource, type DataSourceOptions } from 'typeorm'
import { silent } from '../../databases/silent.js'
import { sqlite3 } from '../../databases/sqlite.js'
import { entities } from './entities.js'
import { migrations } from './migrations.js'

/** Milliseconds that a statement waits for another process' lock. */
const busyTimeout = 10_000

type Entities = NonNullable<DataSourceOptions['entities']>

/**
 * @param flags of sqlite3_open_v2
 * @param tables the entities to read and write
 */
export async function connect(database: string, flags: number, tables: Entities = entities): Promise<DataSource> {
  const source = new DataSource({
    type: 'sqlite',
    database,
    flags: flags | sqlite3().OPEN_FULLMUTEX,
    busyTimeout,
    entities: tables,
    migrations,
    logger: silent,
    driver: sqlite3(),
  })
  return source.initialize()
}
