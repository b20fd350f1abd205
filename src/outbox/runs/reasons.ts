/** Why locations of runs were rejected and tasks refused: each reason once, with its count and an example. */
import type { EntityManager, ObjectLiteral, SelectQueryBuilder } from 'typeorm'
import { among } from '../sqlite/criteria.js'
import { deadTasks, rejectedRecords, runs } from '../sqlite/entities.js'
import { withoutBytes } from '../sqlite/trouble.js'

export interface Reason {
  reason: string
  count: number
  /** Of an example: its position in the source or its seq, and its text. */
  position: string
  value: string
}

export interface Reasons {
  /** Of the records that are kept: up to `outbox.keepRejected` for each run. */
  rejected: Reason[]
  dead: Reason[]
}

/** Maximum number of distinct reasons: if they quote ids or numbers, there may be as many as records. */
const mostReasons = 10_000

/** The reasons of runs with these ids, the most frequent first. */
export async function reasonsOf(
  view: { readonly path: string; readonly manager: EntityManager },
  runIds: readonly string[],
): Promise<Reasons> {
  const { manager } = view
  const rows = await manager
    .createQueryBuilder(runs, 'run')
    .select(['run.id'])
    .where('run.runId IN (SELECT value FROM json_each(:runIds))', { runIds: JSON.stringify(runIds) })
    .getMany()
  const run = among(rows.map(({ id }) => id))
  // SQLite takes the other columns from the row of the minimum.
  const rejected = manager
    .createQueryBuilder(rejectedRecords, 'one')
    .select(['one.reason AS reason', 'count(*) AS count', 'min(one.id)', 'one.position AS position'])
    .addSelect('one.value', 'value')
    .where({ run, kind: 'rejected' })
  const dead = manager
    .createQueryBuilder(deadTasks, 'one')
    .select(['one.reason AS reason', 'count(*) AS count', 'min(one.seq) AS position', 'one.task AS value'])
    .where({ run, fate: 'dead' })
  const [ofRejected, ofDead] = [await inOrder(rejected, 'min(one.id)'), await inOrder(dead, 'min(one.seq)')]
  const textsOf = (rows: Reason[]): Reason[] =>
    withoutBytes(rows, view).map(({ reason, count, position, value }) => ({
      reason,
      count,
      value,
      position: String(position),
    }))
  return { rejected: textsOf(ofRejected), dead: textsOf(ofDead) }
}

/** The most frequent first; of equally frequent ones, the one that came first. */
function inOrder<Row extends ObjectLiteral>(query: SelectQueryBuilder<Row>, first: string): Promise<Reason[]> {
  const ordered = query.groupBy('one.reason').orderBy('count(*)', 'DESC').addOrderBy(first, 'ASC')
  return ordered.limit(mostReasons).getRawMany<Reason>()
}
