/** The files of an outbox, inspected without opening the database. */
import { open } from 'node:fs/promises'
import { statIfThere } from '../../files/folders.js'
import { statsOf } from '../../files/rules.js'

interface OutboxFiles {
  bytes: number
  walBytes: number
  /** `wal`, as owm sets it, unless another program has changed it. */
  journalMode: 'wal' | 'rollback'
}

/** How a SQLite file begins. Bytes 18 and 19 are 2 for a write-ahead log (https://www.sqlite.org/fileformat2.html). */
const magic = 'SQLite format 3'
const versionsAt = 18

/** Undefined if there is no database, or nothing in it yet. */
export async function filesOf(path: string): Promise<OutboxFiles | undefined> {
  const stats = await statsOf(path)
  if (!stats?.isFile() || stats.size === 0) return undefined
  const file = await open(path)
  const head = Buffer.alloc(versionsAt + 2)
  await file.read(head, 0, head.length, 0).finally(() => file.close())
  if (!head.toString('latin1').startsWith(magic)) return undefined
  const wal = await statIfThere(`${path}-wal`)
  const isWal = head[versionsAt] === 2 && head[versionsAt + 1] === 2
  return { bytes: stats.size, walBytes: wal?.size ?? 0, journalMode: isWal ? 'wal' : 'rollback' }
}

/** SQLite's logs beside an outbox that is missing or empty: the last writes are in them. */
export async function logsWithoutOutbox(path: string): Promise<string[]> {
  if ((await statsOf(path))?.size) return []
  const logs = await Promise.all(
    ['-wal', '-journal'].map(async (ending) => ({
      file: `${path}${ending}`,
      stats: await statsOf(`${path}${ending}`),
    })),
  )
  return logs.flatMap(({ file, stats }) => (stats?.size ? [file] : []))
}
