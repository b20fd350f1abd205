/** SQLite. */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { sqlite3 } from '../../../databases/sqlite.js'
import { ConfigurationError } from '../../../errors/index.js'
import { mustBeRegular } from '../../regular-file.js'
import { foreignKey } from '../checkpoint.js'
import type { Settings } from '../options.js'
import { type Dialect, lockTimeoutMs } from './dialect.js'

const catalogue = `
  SELECT 'main' AS schema_name, t.name AS table_name, 1 AS is_visible, printf('"%w"', t.name) AS table_sql,
    c.name AS column_name, printf('"%w"', c.name) AS column_sql, c.type AS type_name, NULLIF(c.pk, 0) AS key_at
  FROM sqlite_master t JOIN pragma_table_info(t.name) c
  WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
  ORDER BY t.name, c.cid`

export async function sqlite({ url, statementTimeoutMs }: Settings, baseDir: string): Promise<Dialect> {
  const path = resolve(baseDir, url.replace(/^sqlite:(\/\/)?/i, ''))
  const title = `SQLite at ${path}`
  const unreadable = (why: string, cause?: unknown): ConfigurationError => {
    const parameters = path.includes('?') ? ' A SQLite file takes no parameters.' : ''
    return new ConfigurationError(`The database ${path} can't be read: ${why}.`, {
      hint: `Correct source.url; a relative path starts at the configuration file.${parameters}`,
      cause,
    })
  }
  await mustBeRegular(path, unreadable)
  let inode: string | undefined
  return {
    title,
    options: {
      type: 'sqlite',
      // As a URI, since TypeORM would create the folder of a path.
      database: pathToFileURL(path).href,
      flags: sqlite3().OPEN_READONLY | sqlite3().OPEN_URI | sqlite3().OPEN_FULLMUTEX,
      busyTimeout: Math.min(lockTimeoutMs(statementTimeoutMs), 10_000),
      driver: sqlite3(),
    },
    quoted: (name) => `"${name.replaceAll('"', '""')}"`,
    async prepare(runner) {
      inode = String((await stat(path, { bigint: true })).ino)
      await runner.query('PRAGMA query_only = ON')
    },
    file: () => inode,
    catalogue,
    async columns(runner, sql) {
      const [row]: Readonly<Record<string, unknown>>[] = await runner.query(`${sql} LIMIT 1`)
      const names = Object.keys(row ?? {})
      // A subquery renames the second of two columns `name` to `name:1`, and further ones to other numbers.
      const original = (name: string): string => name.replace(/:\d+$/, '')
      const isRenamed = (name: string): boolean => names.includes(`${original(name)}:1`)
      return row && names.map((name) => (names.includes(original(name)) && isRenamed(name) ? original(name) : name))
    },
    // A column may hold values of all types. Text is written in hex, since it may be invalid.
    written: (column) =>
      `typeof(${column}) || ':' || ` +
      `CASE WHEN typeof(${column}) IN ('text', 'blob') THEN hex(${column}) ELSE quote(${column}) END`,
    // SQLite doesn't give a column's collation: the definitions of all tables that are named, also by views, stand in
    // for it.
    ordering: ({ from }, values) => `(
      WITH RECURSIVE named(name) AS (
        SELECT name FROM sqlite_master WHERE instr(lower(?${values.push(from)}), lower(name)) > 0
        UNION
        SELECT base.name FROM named
        JOIN sqlite_master AS v ON v.type = 'view' AND v.name = named.name
        JOIN sqlite_master AS base ON instr(lower(v.sql), lower(base.name)) > 0
      )
      SELECT group_concat(sql) FROM sqlite_master WHERE type IN ('table', 'view') AND name IN named
    )`,
    literal(text, _, values) {
      const [, type, value = ''] = /^(integer|real|text|blob):(.*)$/.exec(text) ?? []
      if (type === undefined) throw foreignKey(`${text.slice(0, 100)} is no value of SQLite`)
      const parameter = `?${values.push(type === 'text' || type === 'blob' ? Buffer.from(value, 'hex') : value)}`
      // The plus removes the affinity, which would convert other values of the column to numbers.
      return type === 'blob' ? parameter : `+CAST(${parameter} AS ${type})`
    },
    limit: (rows) => String(rows),
    comparesTuples: true,
    wholeNumber: (written) => /^integer:(.*)$/.exec(written)?.[1],
    replacesBytes: true,
    cut: (raw) => raw.interrupt?.(),
    statementTimeoutMs,
    patienceMs: statementTimeoutMs,
  }
}
