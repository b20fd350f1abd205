/**
 * Whether tables survive a crash of the server. A crash silently empties UNLOGGED ones: no TRUNCATE trigger fires, and
 * the fence may remain, which says that all tasks are there. So owm doesn't deliver to such tables.
 */
import { ConfigurationError } from '../../../errors/index.js'
import type { Query } from '../connection.js'
import type { Store } from '../store.js'
import type { Tables } from '../tables.js'
import { nowSql } from './attach.js'

interface Parts {
  readonly tables: Tables
  readonly store: Store
}

/** $1 names -> `name` of each UNLOGGED or temporary table among them, their partitions and what their views show. */
export const nonPermanentSql = `
WITH RECURSIVE parts (oid) AS (
  SELECT to_regclass(name)::oid FROM unnest($1::text[]) AS name
  UNION
  SELECT below.oid FROM parts, LATERAL (
    SELECT inhrelid FROM pg_inherits WHERE inhparent = parts.oid
    UNION ALL
    SELECT d.refobjid FROM pg_rewrite r
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
    WHERE r.ev_class = parts.oid
  ) AS below (oid)
)
SELECT oid::regclass::text AS name FROM parts JOIN pg_class USING (oid)
WHERE relkind = 'r' AND relpersistence <> 'p' ORDER BY name`

/** The tables that hold tasks, or what owm knows about them. */
export const relationsOf = ({ tables: { sink, fence, receipt }, store }: Parts): readonly string[] => [
  store.relation,
  sink,
  fence,
  receipt,
]

/**
 * The error if a crash would empty one of the tables, else undefined. If that of the tasks is empty already, this
 * records a new generation, before SET LOGGED hides the loss: so the tasks are delivered again.
 */
export async function nonPermanentTable(query: Query, parts: Parts): Promise<ConfigurationError | undefined> {
  const [found] = await query(nonPermanentSql, [relationsOf(parts)])
  // guard: postgres-permanent
  if (!found) return undefined
  const { tables, store } = parts
  // If workers delete what they have done, an empty table means nothing.
  if (!store.readersRemove)
    await query(
      `UPDATE ${tables.sink} SET generation = greatest(generation + 1, ${nowSql})
       WHERE NOT EXISTS (SELECT 1 FROM ${store.relation})`,
    )
  const name = String(found['name'])
  return new ConfigurationError(`The table ${name} is UNLOGGED or temporary: a crash of the server empties it.`, {
    hint: `Run \`ALTER TABLE ${name} SET LOGGED\`, then \`owm flush\`; \`owm verify\` shows whether tasks are missing.`,
  })
}
