/** What a table of tasks, or graphile-worker's jobs, holds. Reads only; a missing table is empty. */
import type { Entry, GroupPicture, Reading, SinkPicture } from '../../plugin.js'
import type { Connection, Row } from './connection.js'
import { isMissing } from './errors.js'
import type { Settings } from './options.js'
import type { Store } from './store.js'

/** Entries fetched by one query. */
const pageSize = 10_000

/** The rows of a statement; none if its tables are missing. */
export const rowsIn = (connection: Connection, text: string, values: readonly unknown[] = []): Promise<Row[]> =>
  connection.read(text, values).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })

/** The entries from `first` to `last`, both included, the oldest first. */
export async function* entriesOf(
  connection: Connection,
  { entries }: Store,
  first = '0',
  last = '9223372036854775807',
): AsyncGenerator<Entry> {
  const page = `${entries} WHERE id >= $1 AND id <= $2 ORDER BY id LIMIT ${pageSize}`
  for (let from = BigInt(first); ; ) {
    const rows = await rowsIn(connection, page, [String(from), last])
    for (const { id, task_id, at } of rows)
      yield { id: String(id), taskId: String(task_id), at: Math.round(Number(at)) }
    const end = rows.at(-1)
    if (!end || rows.length < pageSize) return
    from = BigInt(String(end['id'])) + 1n
  }
}

/** The ids of all tasks, the newest first. */
export async function* taskIdsOf(connection: Connection, { entries }: Store): AsyncGenerator<string> {
  const page = `${entries} WHERE id < $1 ORDER BY id DESC LIMIT ${pageSize}`
  for (let end = '9223372036854775807'; ; ) {
    const rows = await rowsIn(connection, page, [end])
    for (const { task_id } of rows) if (task_id !== '') yield String(task_id)
    const last = rows.at(-1)
    if (!last || rows.length < pageSize) return
    end = String(last['id'])
  }
}

/** A larger table takes long to count, in bytes. */
const largestCounted = 64_000_000

export async function pictureOf(
  connection: Connection,
  settings: Settings,
  store: Store,
  isQuick: boolean,
): Promise<SinkPicture> {
  const groups = settings.queue === undefined ? [] : [await groupOf(connection, settings, store)]
  const common = { bound: null, groups, readersRemove: store.readersRemove }
  if (isQuick) {
    const estimate = `SELECT reltuples AS entries FROM pg_class
      WHERE oid = to_regclass($1) AND reltuples >= 0 AND pg_table_size(oid) > ${largestCounted}`
    const [large] = settings.queue === undefined ? await rowsIn(connection, estimate, [store.relation]) : []
    const [row] = large ? [large] : await rowsIn(connection, `SELECT count(*) AS entries FROM (${store.entries}) AS e`)
    return { ...common, entries: Number(row?.['entries'] ?? 0), entriesPerMinute: null }
  }
  const [row] = await rowsIn(
    connection,
    `SELECT count(*) AS entries, count(*) FILTER (WHERE at > extract(epoch FROM now()) * 1000 - 3600000) AS of_hour
     FROM (${store.entries}) AS e`,
  )
  return { ...common, entries: Number(row?.['entries'] ?? 0), entriesPerMinute: Number(row?.['of_hour'] ?? 0) / 60 }
}

/** graphile-worker is one group of readers, its workers are the consumers. */
const group = 'graphile-worker'

async function groupOf(connection: Connection, settings: Settings, store: Store): Promise<GroupPicture> {
  const task = [settings.jobs?.task ?? 'owm_task']
  const ofTask = (columns: string): string => `SELECT ${columns} FROM ${store.relation} WHERE task_identifier = $1`
  const [[row], workers, [oldest]] = [
    await rowsIn(
      connection,
      ofTask(`count(*) FILTER (WHERE locked_at IS NULL AND attempts = 0) AS lag,
            count(*) FILTER (WHERE locked_at IS NOT NULL) AS pending`),
      task,
    ),
    await rowsIn(
      connection,
      `${ofTask(`locked_by AS name, count(*) AS pending, extract(epoch FROM now() - max(locked_at)) * 1000 AS idle`)}
         AND locked_by IS NOT NULL GROUP BY locked_by`,
      task,
    ),
    await rowsIn(
      connection,
      `${store.entries} WHERE id = (${ofTask('min(id)')} AND locked_at IS NULL AND attempts = 0)`,
      task,
    ),
  ]
  return {
    name: group,
    lag: Number(row?.['lag'] ?? 0),
    pending: Number(row?.['pending'] ?? 0),
    oldestUnread: oldest ? { id: String(oldest['id']), at: Math.round(Number(oldest['at'])) } : null,
    consumers: workers.map(({ name, pending, idle }) => ({
      name: String(name),
      pending: Number(pending),
      idleMs: Math.max(0, Math.round(Number(idle))),
    })),
  }
}

/** graphile-worker removes a job that is done. */
export async function readingsOf(connection: Connection, store: Store, entry: string): Promise<Reading[]> {
  const [job] = await rowsIn(
    connection,
    `SELECT locked_by, attempts, extract(epoch FROM now() - locked_at) * 1000 AS idle
     FROM ${store.relation} WHERE id = $1`,
    [entry],
  )
  if (!job) return [{ group, state: 'acknowledged' }]
  const { locked_by: consumer, attempts, idle } = job
  if (!consumer) return [{ group, state: 'waiting' }]
  const holder = { consumer: String(consumer), idleMs: Math.round(Number(idle)), deliveries: Number(attempts) }
  return [{ group, state: 'held', holder }]
}
