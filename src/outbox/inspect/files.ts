/** The files of an outbox: looked at without opening the database. */
import { open } from 'node:fs/promises'
import { statIfThere } from '../../files/folders.js'
import { statsOf } from '../../files/rules.js'

interface OutboxFiles {
  bytes: number
  walBytes: number
  /** `wal`, or what somebody else has made of it. */
  journalMode: 'wal' | 'rollback'
}

/** A SQLite file begins so; bytes 18 and 19 are 2 for a write-ahead log (https://www.sqlite.org/fileformat2.html). */
const magic = 'SQLite format 3'
const versionsAt = 18

/** The files themselves; undefined where there is no database, or nothing in it yet. */
export async function filesOf(path: string): Promise<OutboxFiles | undefined> {
  const found = await statsOf(path)
  if (!found?.isFile() || found.size === 0) return undefined
  const file = await open(path)
  const head = Buffer.alloc(versionsAt + 2)
  await file.read(head, 0, head.length, 0).finally(() => file.close())
  if (!head.toString('latin1').startsWith(magic)) return undefined
  const wal = await statIfThere(`${path}-wal`)
  const isWal = head[versionsAt] === 2 && head[versionsAt + 1] === 2
  return { bytes: found.size, walBytes: wal?.size ?? 0, journalMode: isWal ? 'wal' : 'rollback' }
}

/** Files of SQLite's beside an outbox that isn't there, or is empty: what was written last is in them. */
export async function logsWithoutOutbox(path: string): Promise<string[]> {
  if ((await statsOf(path))?.size) return []
  const sides = await Promise.all(
    ['-wal', '-journal'].map(async (ending) => ({
      file: `${path}${ending}`,
      found: await statsOf(`${path}${ending}`),
    })),
  )
  return sides.flatMap(({ file, found }) => (found?.size ? [file] : []))
}
