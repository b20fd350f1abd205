/**
 * Whether a log belongs to the file that it lies beside. A process that was killed leaves its log behind. If a backup
 * is then copied over the file, SQLite lays that log over it: a mixture of two states, which may look sound, and which
 * nothing in SQLite's format tells from a whole. So the table `log` has two random marks, which move on whenever SQLite
 * has copied all of the log into the file: `file_mark` is then what the file itself has as `mark`, and `mark` is new.
 *
 * So behind any crash the file alone still has the log's `file_mark` as one of its two: as `mark` if nothing has been
 * copied since, else as `file_mark`. A file of another time has neither. (The row always has the same length, at the
 * same place in a page of its own: a page of which a power cut left only a part reads as the old or the new one.)
 */
import { pathToFileURL } from 'node:url'
import type { EntityManager } from 'typeorm'
import { sqlite3 } from '../../databases/sqlite.js'
import { OutboxError } from '../../errors/index.js'
import { statsOf } from '../../files/rules.js'
import { connect } from './connection.js'

interface Marks {
  mark: string
  fileMark: string
}

/** `file_mark` until the log has been copied for the first time. */
const unknown = '0'.repeat(32)

/** Moves the marks on, at the beginning of a transaction, if the file has all that the log has so far. */
export async function renewMark(manager: EntityManager): Promise<void> {
  await manager.query('UPDATE log SET file_mark = mark, mark = lower(hex(randomblob(16)))')
}

/** Has SQLite copy the log into the file. Whether all of it was: a process that reads may need what is in the file. */
export async function copyLog(manager: EntityManager): Promise<boolean> {
  const [done] = await manager
    .query<{ busy: number; log: number; checkpointed: number }[]>('PRAGMA wal_checkpoint(PASSIVE)')
    .catch(() => []) // such as on a full disk: the transaction meets that, if it matters to it
  return done?.busy === 0 && done.log >= 0 && done.log === done.checkpointed
}

/**
 * Throws OutboxError if the log that a killed process left belongs to another state of the file. Changes neither. Call
 * it while this process has no connection to the file: closing one of two releases the locks of both.
 * @param name the path in the message
 */
export async function checkLog(path: string, name = path): Promise<void> {
  if (!(await statsOf(`${path}-wal`))?.size) return
  const whole = await marksIn(path, sqlite3().OPEN_READONLY)
  if (!whole || ['', unknown].includes(whole.fileMark)) return
  const withoutLog = `${pathToFileURL(path)}?immutable=1`
  const alone = await marksIn(withoutLog, sqlite3().OPEN_READONLY | sqlite3().OPEN_URI)
  // guard: log-of-the-file
  if (alone && alone.mark !== whole.fileMark && alone.fileMark !== whole.fileMark)
    throw new OutboxError(`The outbox ${name} and its log, ${name}-wal, belong to different states of the file.`, {
      hint:
        'Nothing was changed. If the file was restored from a backup, move the -wal and the -shm beside it away, ' +
        'then run again. If not, find the file that the log belongs to, and put that one back.',
    })
}

/** Undefined if they can't be read: whatever opens the file next says why. */
async function marksIn(database: string, flags: number): Promise<Marks | undefined> {
  const source = await connect(database, flags, []).catch(() => undefined)
  try {
    const tables = await source?.query<object[]>("SELECT name FROM sqlite_schema WHERE name = 'log'")
    if (tables?.length === 0) return { mark: '', fileMark: '' } // a file of an older version
    const [marks] = (await source?.query<Marks[]>('SELECT mark, file_mark AS fileMark FROM log')) ?? []
    return marks
  } catch {
    return undefined
  } finally {
    await source?.destroy()
  }
}
