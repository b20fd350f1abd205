/** Why locations of runs were rejected, and tasks refused: each reason once, with how many there are and an example. */
import type { EntityManager, ObjectLiteral, SelectQueryBuilder } from 'typeorm'
import { among } from '../sqlite/criteria.js'
import { deadTasks, rejectedRecords, runs } from '../sqlite/entities.js'
import { withoutBytes } from '../sqlite/trouble.js'

export interface Reason {
  reason: string
  count: number
  /** One of them: where it stood in the source, or its seq; and what it was. */
  position: string
  value: string
}

export interface Reasons {
  /** Of the rejections that are kept: outbox.keepRejected says how many of a run are. */
  rejected: Reason[]
  dead: Reason[]
}

/** Reasons that are told apart; with ids and numbers in them there may be as many as records. */
const mostReasons = 10_000

/** Of runs with these ids, the commonest first. */
export async function reasonsOf(
  view: { readonly path: string; readonly manager: EntityManager },
  runIds: readonly string[],
): Promise<Reasons> {
  const { manager } = view
  const found = await manager
    .createQueryBuilder(runs, 'run')
    .select(['run.id'])
    .where('run.runId IN (SELECT value FROM json_each(:runIds))', { runIds: JSON.stringify(runIds) })
    .getMany()
  const run = among(found.map(({ id }) => id))
  // Beside min(), SQLite takes the other columns from the row that has it.
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

/** The commonest first, of those the one that came first. */
function inOrder<Row extends ObjectLiteral>(query: SelectQueryBuilder<Row>, first: string): Promise<Reason[]> {
  const ordered = query.groupBy('one.reason').orderBy('count(*)', 'DESC').addOrderBy(first, 'ASC')
  return ordered.limit(mostReasons).getRawMany<Reason>()
}
