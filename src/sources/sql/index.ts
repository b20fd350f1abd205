/**
 * The rows of a database: any table or query, in pages along a unique key.
 *
 * Every page is a short read-only transaction of its own: one snapshot for a long read would keep the server from
 * cleaning up behind everybody's writes, and a resumed run could not have it anyway. A row that stays, under the
 * same key, is given exactly once; one that comes in behind the read is for the next run.
 *
 * Keys are ordered, compared and written as text by the database alone: what JavaScript makes of a bigint, a
 * timestamp or a collation plays no part.
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
  minLocations: 1, // a query that gives none is mostly a wrong one
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
