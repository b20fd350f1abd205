/** What is there: tasks in a sink, by a client of our own; an outbox, by our own SQL, from a copy of its file. */
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import sqlite3 from 'sqlite3'

export type SinkPlace =
  | { readonly kind: 'redis-stream'; readonly url: string; readonly stream: string }
  | { readonly kind: 'jsonl'; readonly path: string }

/** Every task in the sink, as text, in its order. */
export async function entriesIn(sink: SinkPlace): Promise<string[]> {
  if (sink.kind === 'jsonl') {
    const text = await readFile(sink.path, 'utf8').catch(() => '')
    // What stands behind the last line feed was never finished: nobody was told that it's there.
    return text.split('\n').slice(0, -1)
  }
  const client = new Redis(sink.url, { lazyConnect: true })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const found: string[] = []
    for (let from = '-'; ; ) {
      const page = await client.xrange(sink.stream, from, '+', 'COUNT', 10_000)
      for (const [id, fields] of page) {
        const [name, value] = fields
        if (fields.length !== 2 || name !== 'data' || value === undefined)
          throw new Error(`the entry ${id} isn't one field "data": ${fields.join(' ')}`)
        found.push(value)
        from = `(${id}`
      }
      if (page.length < 10_000) return found
    }
  } finally {
    client.disconnect()
  }
}

/** How many tasks are in the sink. */
export async function countIn(sink: SinkPlace): Promise<number> {
  if (sink.kind === 'jsonl') return (await entriesIn(sink)).length
  const client = new Redis(sink.url, { lazyConnect: true })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await client.xlen(sink.stream)
  } finally {
    client.disconnect()
  }
}

export interface RunFacts {
  id: number
  slot: string
  state: string
  read: number
  rejected: number
  duplicates: number
  persisted: number
  kept: number
  suspects: number
}

/** What an outbox' file says, by our own SQL. */
export interface OutboxFacts {
  readonly ackedSeq: number
  readonly lastSeq: number
  readonly runs: readonly RunFacts[]
  /** Tasks by `seq`, those of the history among them; where one was put back, the later copy. */
  readonly tasks: readonly { readonly seq: number; readonly run: number; readonly taskId: string }[]
  readonly dead: ReadonlySet<number>
}

/** Undefined where there is no outbox yet, or nothing in it. */
export function factsOf(outbox: string): Promise<OutboxFacts | undefined> {
  return fromCopy(outbox, async (all) => {
    const [check] = await all<{ integrity_check: string }>('PRAGMA integrity_check')
    if (check?.integrity_check !== 'ok') throw new Error(`the outbox is damaged: ${check?.integrity_check}`)
    const [state] = await all<{ acked: number; last: number }>(
      'SELECT handed_seq AS acked, last_seq AS last FROM state',
    )
    if (!state) throw new Error('the outbox has no state row')
    const dead = await all<{ seq: number }>("SELECT seq FROM dead WHERE fate = 'dead'")
    return {
      ackedSeq: state.acked,
      lastSeq: state.last,
      runs: await all<RunFacts>(`SELECT id, slot, state, read, rejected, duplicates, persisted,
        (SELECT count(*) FROM rejected WHERE rejected.run = run.id AND kind = 'rejected') AS kept,
        (SELECT count(*) FROM suspect WHERE suspect.run = run.id) AS suspects FROM run ORDER BY id`),
      tasks: await all<{ seq: number; run: number; taskId: string }>(
        `SELECT first_seq + entry.key AS seq, run, entry.value ->> 'task_id' AS taskId
         FROM batch, json_each(batch.tasks) AS entry
         WHERE seq NOT IN (SELECT seq FROM dead WHERE fate = 'replayed') ORDER BY 1`,
      ),
      dead: new Set(dead.map(({ seq }) => seq)),
    }
  })
}

/** How far an outbox is: tasks stored and pending, slots with a run, and whether one of these is still read. */
export async function standingOf(
  outbox: string,
): Promise<{ stored: number; pending: number; runs: number; isReading: boolean }> {
  const standing = await fromCopy(outbox, async (all) => {
    const [row] = await all<{ stored: number; pending: number; runs: number; reading: number }>(
      `SELECT last_seq AS stored, last_seq - handed_seq AS pending, (SELECT count(DISTINCT slot) FROM run) AS runs,
         (SELECT count(*) FROM run WHERE state = 'reading') AS reading FROM state`,
    )
    return row
  })
  const { reading = 0, ...rest } = standing ?? { stored: 0, pending: 0, runs: 0 }
  return { ...rest, isReading: reading > 0 }
}

/** Looks at a copy of an outbox; undefined where there is none yet, or nothing in it. */
async function fromCopy<T>(outbox: string, look: (all: AllRows) => Promise<T>): Promise<T | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'owm-oracle-'))
  try {
    const copy = join(folder, 'copy.db')
    if (!(await copied(outbox, copy))) return undefined
    await copied(`${outbox}-wal`, `${copy}-wal`)
    const all = await openDatabase(copy)
    try {
      const tables = await all("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'state'")
      return tables.length === 0 ? undefined : await look(all)
    } finally {
      await all.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function copied(from: string, to: string): Promise<boolean> {
  return copyFile(from, to).then(
    () => true,
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
      throw error
    },
  )
}

interface AllRows {
  <Row>(sql: string): Promise<Row[]>
  close(): Promise<void>
}

/** Plain statements on a SQLite file, without owm. */
export async function openDatabase(path: string): Promise<AllRows> {
  const database = await new Promise<sqlite3.Database>((resolve, reject) => {
    const opened: sqlite3.Database = new sqlite3.Database(path, sqlite3.OPEN_READWRITE, (error) =>
      error ? reject(error) : resolve(opened),
    )
  })
  const all = <Row>(sql: string): Promise<Row[]> =>
    new Promise((resolve, reject) => database.all<Row>(sql, (error, rows) => (error ? reject(error) : resolve(rows))))
  const close = (): Promise<void> =>
    new Promise((resolve, reject) => database.close((error) => (error ? reject(error) : resolve())))
  return Object.assign(all, { close })
}
