/**
 * Adds a batch after its predecessor and moves the fence with it; of a batch that is sent again, only what is missing.
 *
 * $1 outbox, $2 epoch, $3 word, $4 and $5 the predecessor's seq and task, $6 first seq, $7 count, $8 the ids, $9 the
 * tasks as a JSON array, $10 run.
 *
 * Returns no row if the outbox has no fence, else {skip, seq, task_id, added, ids, lost}. `skip`: how many of the tasks
 * were there before, by the fence; -1 if the batch doesn't follow it, -2 if a newer attachment has it. `added`: how
 * many rows are new; `ids`: which ones, if others were there already; `lost`: which of those others aren't there
 * either. (All in one snapshot, so that a row which a reader deletes meanwhile doesn't count as lost. Only the next
 * statement, lostSql, sees what another transaction has added since.)
 *
 * The fence's row is locked first: another transaction changes it before all of this, or after it. The generation is
 * read in the same snapshot, which begins once the table of the tasks is locked: so a TRUNCATE, too, comes before or
 * after all of this.
 */
import type { Store } from '../store.js'
import type { Tables } from '../tables.js'

/** The values of `skip` that aren't a number of tasks. */
export const refusedAs = { changed: -1, superseded: -2 } as const

/** Uses the index, in a view too; an aggregate would read all rows. */
export const newestIn = (relation: string): string => `SELECT id FROM ${relation} ORDER BY id DESC LIMIT 1`

export const addSql = ({ fence, sink }: Tables, { relation, home, adding, has }: Store): string => `
WITH given AS (
  SELECT $6::bigint AS first, $6::bigint + $7::int - 1 AS last, $7::int AS count, $8::text[] AS ids, $10::text AS run
), held AS MATERIALIZED (
  SELECT * FROM ${fence} WHERE outbox_id = $1 FOR UPDATE
), mark AS (
  SELECT generation FROM ${sink} WHERE tasks_oid = ${home}
), verdict AS MATERIALIZED (
  SELECT h.seq, h.task_id, CASE
    -- guard: postgres-epoch
    WHEN h.epoch > $2::bigint OR (h.epoch = $2::bigint AND h.word <> $3) THEN ${refusedAs.superseded}
    -- guard: postgres-placed
    WHEN h.placed_by IS DISTINCT FROM $3 THEN ${refusedAs.changed}
    -- guard: postgres-generation
    WHEN h.generation IS DISTINCT FROM (SELECT generation FROM mark) THEN ${refusedAs.changed}
    WHEN h.seq = $4::bigint AND h.task_id = $5 THEN 0
    -- guard: postgres-skips
    WHEN h.seq > g.last THEN g.count
    WHEN h.seq >= g.first AND h.task_id = g.ids[h.seq - g.first + 1] THEN (h.seq - g.first + 1)::int
    ELSE ${refusedAs.changed} END AS skip
  FROM held h, given g
), items AS MATERIALIZED (
  SELECT t.task, t.task_id, t.ord
  FROM verdict v, ROWS FROM (json_array_elements($9::json), unnest($8::text[]::uuid[]))
    WITH ORDINALITY AS t (task, task_id, ord)
  WHERE v.skip >= 0 AND t.ord > v.skip
), ${adding}, counted AS MATERIALIZED (
  SELECT count(*)::int AS added, min(id) AS first, max(id) AS last FROM added
), moved AS (
  UPDATE ${fence} f SET
    -- guard: postgres-fence-moves
    seq = g.last, task_id = g.ids[g.count], run_id = g.run,
    -- If some were there already, the run's entries may be anywhere up to the newest one.
    entries = f.entries || jsonb_build_object(g.run, CASE
      WHEN c.added < g.count - v.skip THEN jsonb_build_array(0, greatest(c.last, (${newestIn(relation)}), 0))
      ELSE jsonb_build_array(coalesce((f.entries -> g.run ->> 0)::bigint, c.first), c.last) END)
  FROM verdict v, counted c, given g
  WHERE f.outbox_id = $1 AND v.skip >= 0 AND v.skip < g.count
)
SELECT v.skip, v.seq, v.task_id, c.added,
  CASE WHEN v.skip >= 0 AND c.added < g.count - v.skip THEN ARRAY(SELECT task_id FROM added) END AS ids,
  CASE WHEN v.skip >= 0 AND c.added < g.count - v.skip THEN ARRAY(
    SELECT task_id::text FROM items i WHERE NOT ${has} AND task_id::text NOT IN (SELECT task_id FROM added)
  ) END AS lost
FROM verdict v, counted c, given g`

/** $1 ids -> those that aren't there. */
export const lostSql = ({ has }: Store): string =>
  `SELECT task_id::text FROM unnest($1::uuid[]) AS i (task_id) WHERE NOT ${has}`
