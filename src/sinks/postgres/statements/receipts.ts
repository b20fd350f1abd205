/** The receipts: a row for each pipeline, slot and shard. */
import type { Attachment, Brought, Receipt } from '../../../plugin.js'
import { newestGiven, receiptIn, slotsKept } from '../../servers.js'
import type { Connection, Query, Row } from '../connection.js'
import { rowsIn } from '../picture.js'
import type { Store } from '../store.js'
import type { Tables } from '../tables.js'
import { newestIn } from './add.js'
import { type Answer, isSuperseded } from './attach.js'

interface Parts {
  readonly tables: Tables
  readonly store: Store
}

export async function writeReceipt(
  query: Query,
  { tables, store }: Parts,
  { outboxId, epoch, word }: Attachment,
  receipt: Receipt,
  { runs, lastSeq }: Brought,
): Promise<Answer> {
  const { fence, sink, receipt: table } = tables
  const [held] = await query(
    `SELECT f.*, f.entries::text AS ranges, (SELECT generation FROM ${sink}) AS present
     FROM ${fence} f WHERE outbox_id = $1 FOR UPDATE OF f`,
    [outboxId],
  )
  if (isSuperseded(held, epoch, word)) return 'superseded'
  const isPlaced = held?.['placed_by'] === word && held['generation'] === held['present']
  // guard: postgres-receipt
  if (!isPlaced || Number(held['seq'] ?? -1) < lastSeq) return 'changed'
  const { pipeline, slot, shard, shards } = receipt
  const key = [pipeline, slot, shard, shards]
  const [known] = await query(
    `SELECT receipt::text FROM ${table} WHERE pipeline = $1 AND slot = $2 AND shard = $3 AND shards = $4`,
    key,
  )
  const range = await rangeOf(query, store, rangesIn(held, known, runs), lastSeq)
  await query(
    `INSERT INTO ${table} (pipeline, slot, shard, shards, receipt) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (pipeline, slot, shards, shard) DO UPDATE SET receipt = excluded.receipt`,
    [...key, JSON.stringify({ ...receipt, ...range, generation: Number(held['present']) })],
  )
  await query(`UPDATE ${fence} SET entries = entries - $2::text[] WHERE outbox_id = $1`, [outboxId, runs])
  await query(
    `DELETE FROM ${table} WHERE pipeline = $1 AND slot < (
       SELECT slot FROM ${table} WHERE pipeline = $1 GROUP BY slot ORDER BY slot DESC OFFSET $2 LIMIT 1)`,
    [pipeline, slotsKept - 1],
  )
  return 'done'
}

type Range = readonly [from: number, to: number]

/** The entries of the runs, and those of an earlier receipt of the slot, to which a retry adds. */
function rangesIn({ ranges }: Row, known: Row | undefined, runs: readonly string[]): Range[] {
  const byRun: Readonly<Record<string, Range | undefined>> = JSON.parse(String(ranges))
  const { firstEntry, lastEntry }: Partial<Receipt> = known ? JSON.parse(String(known['receipt'])) : {}
  const earlier: Range[] = firstEntry && lastEntry ? [[Number(firstEntry), Number(lastEntry)]] : []
  return [...earlier, ...runs.flatMap((run) => (byRun[run] ? [byRun[run]] : []))]
}

/** A fence that was lost or taken over knows less; the slot's entries are between the first and the newest anyway. */
async function rangeOf(
  query: Query,
  { relation }: Store,
  ranges: readonly Range[],
  lastSeq: number,
): Promise<Required<Pick<Receipt, 'firstEntry' | 'lastEntry'>>> {
  if (lastSeq === 0 && ranges.length === 0) return { firstEntry: null, lastEntry: null }
  // 0 to 0: the fence was placed after entries of another outbox, which may be anywhere.
  const isAnywhere = ranges.length === 0 || ranges.some(([, to]) => to === 0)
  const [newest] = isAnywhere ? await query(newestIn(relation)) : []
  const all = isAnywhere ? [...ranges, [0, Number(newest?.['id'] ?? 0)] as const] : ranges
  return {
    firstEntry: String(Math.min(...all.map(([from]) => from))),
    lastEntry: String(Math.max(...all.map(([, to]) => to))),
  }
}

/** Those of a slot; without one, the newest. */
export async function receiptsIn(
  connection: Connection,
  { tables: { receipt, sink }, store: { home } }: Parts,
  pipeline: string,
  slot: string | undefined,
): Promise<Receipt[]> {
  const [which, values] =
    slot === undefined ? [`ORDER BY slot DESC LIMIT ${newestGiven}`, []] : ['AND slot = $3', [slot]]
  // Where the tasks' table alone is another one, or none, the next start raises the generation (`identify` in attach).
  const rows = await rowsIn(
    connection,
    `SELECT receipt::text, generation, tasks_oid IS DISTINCT FROM ${home} AND own_oid = to_regclass($2) AS is_replaced
     FROM ${receipt} LEFT JOIN ${sink} ON true
     WHERE pipeline = $1 ${which}`,
    [pipeline, sink, ...values],
  )
  return rows.map((row) =>
    receiptIn(
      String(row['receipt']),
      row['is_replaced'] === true ? Number.POSITIVE_INFINITY : Number(row['generation']),
    ),
  )
}
