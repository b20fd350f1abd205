/** How a start begins with a sink: attach and place, each inside a transaction. */
import { ConfigurationError } from '../../../errors/index.js'
import type { Attached, Attachment, SinkPosition } from '../../../plugin.js'
import type { Query, Row } from '../connection.js'
import type { Store } from '../store.js'
import type { Tables } from '../tables.js'

/** Microseconds since 1970: a sink that was made again never has a generation that an earlier one had. */
export const nowSql = '(extract(epoch FROM clock_timestamp()) * 1000000)::bigint'

export type Answer = 'done' | 'changed' | 'superseded'

/** Records who writes from now on; never moves the fence. */
export async function attach(
  query: Query,
  { tables, store }: { readonly tables: Tables; readonly store: Store },
  { outboxId, epoch, word, formerId }: Attachment,
  sinkId: string,
): Promise<Attached> {
  const { fence } = tables
  const { id, generation, created } = await identify(query, tables, store, sinkId)
  const fenceOf = async (outbox: string): Promise<Row | undefined> =>
    (await query(`SELECT * FROM ${fence} WHERE outbox_id = $1 FOR UPDATE`, [outbox]))[0]
  await query(`INSERT INTO ${fence} (outbox_id, epoch, word) VALUES ($1, 0, '') ON CONFLICT DO NOTHING`, [outboxId])
  const held = await fenceOf(outboxId)
  // guard: postgres-hidden
  if (!held) throw hidden(fence)
  const former = formerId === undefined ? undefined : await fenceOf(formerId)
  const isGone = (row: Row): boolean => Number(row['seq']) > 0 && Number(row['generation']) !== generation
  const superseded = isSuperseded(held, epoch, word)
  // guard: postgres-attached
  if (!superseded)
    await query(`UPDATE ${fence} SET epoch = $2, word = $3 WHERE outbox_id = $1`, [outboxId, epoch, word])
  const last = { epoch: Number(held?.['epoch'] ?? 0), word: String(held?.['word'] ?? '') }
  return {
    sinkId: id,
    created,
    generation,
    superseded,
    emptied: isPlaced(held) && isGone(held),
    fence: isPlaced(held) ? { ...positionIn(held), ...last, placedBy: String(held['placed_by']) } : undefined,
    former: isPlaced(former) && !isGone(former) ? positionIn(former) : undefined,
  }
}

/** If owm couldn't see its own fence, each start would find that the table has changed. */
const hidden = (fence: string): ConfigurationError =>
  new ConfigurationError(`The row of ${fence} that owm has just written can't be seen, or not be changed.`, {
    hint:
      'Row-level security, or a trigger, is in the way: give the role a policy FOR ALL on the tables beside the ' +
      "tasks' one (_fence, _sink, _receipt), or BYPASSRLS.",
  })

/** Which sink this is. If only the table of the tasks is another one, the generation is new; else it is a backup. */
async function identify(
  query: Query,
  { sink }: Tables,
  { home }: Store,
  sinkId: string,
): Promise<{ id: string; generation: number; created: boolean }> {
  const made = await query(
    `INSERT INTO ${sink} (id, generation, tasks_oid, own_oid)
     SELECT $1, ${nowSql}, ${home}, to_regclass($2) ON CONFLICT DO NOTHING RETURNING id`,
    [sinkId, sink],
  )
  const [row] = await query(
    `UPDATE ${sink} SET
       generation = CASE
         -- guard: postgres-same-table
         WHEN tasks_oid <> ${home} AND own_oid = to_regclass($1) THEN greatest(generation + 1, ${nowSql})
         ELSE generation END,
       tasks_oid = ${home}, own_oid = to_regclass($1)
     RETURNING id, generation`,
    [sink],
  )
  return { id: String(row?.['id']), generation: Number(row?.['generation']), created: made.length > 0 }
}

/** Sets the fence, backwards too, if the attachment and the generation are still those for which that was decided. */
export async function place(
  query: Query,
  { fence, sink }: Tables,
  { outboxId, epoch, word }: Attachment,
  { seq, taskId, runId = '' }: SinkPosition,
  generation: number,
): Promise<Answer> {
  const [held] = await query(
    `SELECT f.*, (SELECT generation FROM ${sink}) AS present FROM ${fence} f WHERE outbox_id = $1 FOR UPDATE OF f`,
    [outboxId],
  )
  if (isSuperseded(held, epoch, word)) return 'superseded'
  // A failover has undone the attachment or emptied the table: the decision may no longer hold.
  // guard: postgres-place
  if (Number(held?.['epoch']) !== epoch || Number(held?.['present']) !== generation) return 'changed'
  // Of a copy, or if the fence was gone: the run's earlier entries come before those that it will add.
  const isEarlier = runId !== '' && !isPlaced(held)
  await query(
    `UPDATE ${fence} SET seq = $2, task_id = $3, run_id = $4, placed_by = $5, generation = $6,
       entries = entries || $7::jsonb WHERE outbox_id = $1`,
    [outboxId, seq, taskId, runId, word, generation, JSON.stringify(isEarlier ? { [runId]: [0, 0] } : {})],
  )
  return 'done'
}

/** Whether the fence has a newer attachment, or a copy's with the same epoch. */
export function isSuperseded(held: Row | undefined, epoch: number, word: string): boolean {
  const other = Number(held?.['epoch'] ?? 0)
  return other > epoch || (other === epoch && held?.['word'] !== word)
}

const isPlaced = (held: Row | undefined): held is Row => held !== undefined && held['seq'] !== null

export const positionIn = ({ seq, task_id, run_id }: Row): SinkPosition => ({
  seq: Number(seq),
  taskId: String(task_id ?? ''),
  ...(run_id ? { runId: String(run_id) } : {}),
})
