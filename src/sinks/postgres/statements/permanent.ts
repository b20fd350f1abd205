/**
 * Whether tables outlive a crash of the server. It empties UNLOGGED ones without a word: no TRUNCATE that a trigger
 * hears of, and the fence may stay, which says that all tasks are there. So owm doesn't deliver to them.
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
export const fleetingSql = `
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

/** All in which a loss would be one of tasks, or of what owm knows about them. */
export const relationsOf = ({ tables: { sink, fence, receipt }, store }: Parts): readonly string[] => [
  store.relation,
  sink,
  fence,
  receipt,
]

/**
 * What is wrong where a crash would empty a table; undefined where none would be. Where it has emptied that of the
 * tasks already, this is noted as a new generation, before SET LOGGED hides it: so they come again.
 */
export async function fleeting(query: Query, parts: Parts): Promise<ConfigurationError | undefined> {
  const [found] = await query(fleetingSql, [relationsOf(parts)])
  // guard: postgres-permanent
  if (!found) return undefined
  const { tables, store } = parts
  // Where workers delete what they have done, an empty table says nothing.
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
