/**
 * The rows of any table or query, in pages along a unique key.
 *
 * Every page is a short read-only transaction of its own: one snapshot for a long read would keep the server from
 * cleaning up old versions of rows, and a resumed run couldn't have it anyway. A row that keeps its key is read exactly
 * once; one that is inserted before the current page is left to the next run.
 *
 * Only the database orders, compares and formats keys: how JavaScript represents a bigint, a timestamp or a collation
 * doesn't matter.
 */
import { defineSource, type Source } from '../../plugin.js'
import { Connection } from './connection.js'
import { dialectOf } from './dialect/index.js'
import { options, type Settings } from './options.js'
import { read } from './pages.js'
import { targetOf } from './statements.js'

export default defineSource({
  name: 'sql',
  description: 'a table or query of PostgreSQL, MySQL, MariaDB or SQLite, in pages along a unique key',
  minLocations: 1, // a query without rows is usually a wrong one
  options,
  async open(given, context): Promise<Source> {
    const settings: Settings = { ...given, key: [given.key].flat() }
    const dialect = await dialectOf(settings, context.baseDir)
    const target = targetOf(settings, dialect)
    const connection = new Connection(dialect, target, settings.connectTimeoutMs, context.signal)
    return {
      read: (resume) => read(settings, { dialect, target, connection }, context, resume),
      close: () => connection.close(),
    }
  },
})
